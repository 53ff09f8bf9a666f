# SPDX-License-Identifier: GPL-2.0-or-later
"""What all guests have in common.

A guest is a file in guests/: lines of `key = value` that say where it comes
from, with a `kind` that says how it boots, and, if it has not a driver for
every HBA, for which it has one (`hbas`), and why no others (`others`). The
comment above them says it for a person. `findings` are rules of `tracedisk lint`
that its driver breaks: tests/lint/test-guest has the proofs.
"""
import configparser
import importlib
import itertools
import re
from errno import EIO, ENODATA

from . import compare, content, disks
from .fetch import GUEST_TESTS, Unavailable

GUESTS = GUEST_TESTS / "guests"
BAD_BLOCK = (EIO, ENODATA)  # what Linux makes of a medium error, through libata and without


def names():
    return sorted(file.name for file in GUESTS.iterdir())


def load(name, build, **overrides):
    """The guest of that name; `build` is meson's build folder."""
    parser = configparser.ConfigParser()
    parser.read_string("[guest]\n" + (GUESTS / name).read_text())
    settings = dict(parser["guest"])
    kind = importlib.import_module(f".{settings.pop('kind')}", __package__)
    hbas, others = settings.pop("hbas", None), settings.pop("others", "")
    findings = settings.pop("findings", "").split()
    subject = kind.Guest(build, **settings | overrides)
    subject.name = name
    subject.hbas = hbas.split() if hbas else list(disks.HBAS)
    subject.others = others
    subject.findings = findings
    return subject


def about(name):
    """What the comment at a guest's beginning says."""
    lines = itertools.takewhile(lambda line: line.startswith("#"),
                                (GUESTS / name).read_text().splitlines())
    return " ".join(line.lstrip("# ") for line in lines)


class Guest:
    """A guest without a view of its requests; each kind overrides what differs."""

    good = (0,)  # QEMU's exit status when all went well
    timeout = 120  # seconds; many times what a boot takes
    arch = "amd64"
    stdin = None  # a file in the run's folder
    driver = ""  # guests of the same driver are compared with one another
    device = ""  # options of the disk that its job needs

    def __init__(self, build):
        self.build = build
        self.disk = b""  # what the image holds before the guest runs

    def found_version(self):
        """The version that there is: its parts are fetched, or fetch.Unavailable."""
        raise NotImplementedError

    def prepare(self, directory, hba):
        """Make the image; returns QEMU's arguments, without those of the disk."""
        raise NotImplementedError

    def view(self, directory):
        """What the guest told of its requests (view.View), or None."""
        return None

    def data_checks(self, directory, view):
        """Did the right data come and go? Gives (what, problems) pairs."""
        raise NotImplementedError

    def make_image(self, directory, disk):
        self.disk = bytes(disk)
        image(directory).write_bytes(disk)


class TellingGuest(Guest):
    """A guest that tells each of its requests."""

    memory = None  # see content.replay

    def data_checks(self, directory, view):
        disk = bytearray(self.disk)
        content.replay(view.requests, disk, self.memory)
        yield "the guest does its whole job", told(view, directory)
        if not view.requests:
            return  # nothing to find right or wrong
        yield "requests fail that must, and no others", self.unexpected(view)
        yield "each request moves the right data", compare.data(view.requests)
        yield ("the image holds what was written",
               content.differences(disk, image(directory).read_bytes()))

    def unexpected(self, view):
        for request in view.requests:
            possible = (request.offset % view.block == 0 and
                        request.offset + request.length <= len(self.disk))
            if request.must_fail:
                if request.error not in BAD_BLOCK:
                    yield f"{request} ended with error {request.error}, expected {BAD_BLOCK}"
            elif possible and request.error:
                yield f"{request} failed with error {request.error}"
            elif not possible and not request.error:
                yield f"{request} succeeded, though the disk has no such blocks"


def image(directory):
    return directory / "disk.img"


def told(view, directory):
    yield from view.problems
    if not view.requests:
        yield f"it told of no request; see {directory}"
    elif not view.complete:
        yield f"it stopped after {view.requests[-1]}; see {directory}"


def version_of(folder):
    """The version of a package, without Debian's revision, by its folder's name."""
    return folder.name.split("_")[1].rsplit("-", 1)[0]


def wanted(version, suite, found):
    """A suite moves on; a guest that names its version is gone with it."""
    if version and not re.match(re.escape(version) + r"(\D|$)", found):
        raise Unavailable(f"{suite} has {found}, no longer {version}")
    return found


def text(file):
    """What a guest wrote, as far as it came."""
    return file.read_text(errors="replace") if file.exists() else ""
