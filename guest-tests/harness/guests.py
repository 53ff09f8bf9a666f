# SPDX-License-Identifier: GPL-2.0-or-later
"""The guests: where each comes from, how it boots, and what it shows.

A guest is a file in guests/: lines of `key = value`, with a `kind` that names
one of the classes here.
"""
import configparser
import hashlib
import re
import shutil
import subprocess
from pathlib import Path

from . import content, disks, view

HERE = Path(__file__).resolve().parent.parent


class Unavailable(Exception):
    """A guest that cannot be had: offline, or gone from the archive."""


def names():
    return sorted(path.name for path in (HERE / "guests").iterdir())


def load(name, build):
    """The guest of that name; `build` is meson's build folder."""
    parser = configparser.ConfigParser()
    parser.read_string("[guest]\n" + (HERE / "guests" / name).read_text())
    settings = dict(parser["guest"])
    return KINDS[settings.pop("kind")](name, Path(build), **settings)


def fetch(function, *arguments):
    """Call a function of script/lib.sh; returns the path that it prints."""
    return Path(script("bash", "-c", 'set -euo pipefail; . "$0"; "$@"',
                       HERE.parent / "script/lib.sh", function, *arguments))


def script(*command):
    """Run a script that prints a path. Its progress goes to our stderr."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Unavailable(done.stderr.strip().splitlines()[-1] if done.stderr else command)
    return done.stdout.strip()


class Guest:
    """What all have in common; a kind overrides arguments() and result()."""

    good = (0,)  # QEMU's exit status when all went well
    timeout = 120

    def __init__(self, name, build):
        self.name = name
        self.build = build
        self.disk = None  # what the image holds before the guest runs

    def prepare(self, directory, hba):
        """Make directory/disk.img; returns QEMU's arguments but those of the disk."""
        raise NotImplementedError

    def result(self, directory):
        """Returns the guest's view, and checks of its own as (name, problems) pairs."""
        raise NotImplementedError

    def make_disk(self, directory, disk):
        self.disk = disk
        (directory / "disk.img").write_bytes(disk)


class RequestGuest(Guest):
    """A guest that tells each of its requests."""

    def checks(self, seen, memory=None):
        disk = bytearray(self.disk)
        content.replay(seen.requests, disk, memory)
        return disk


class Linux(Guest):
    """A kernel of Debian, with an initramfs of ours that runs a job."""

    # tsc, timer check: calibrations that a busy host makes fail under TCG.
    COMMAND_LINE = ("console=ttyS0 job_console=ttyS1 quiet panic=-1 mitigations=off "
                    "tsc=reliable no_timer_check")
