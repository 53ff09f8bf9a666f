# SPDX-License-Identifier: GPL-2.0-or-later
"""Getting a guest's parts: Debian packages through script/lib.sh, and our own scripts."""
import os
import subprocess
from pathlib import Path

GUEST_TESTS = Path(__file__).resolve().parent.parent
LIB = GUEST_TESTS.parent / "script/lib.sh"


class Unavailable(Exception):
    """A part cannot be had: offline, gone from the archive, or a tool is missing."""


def package(suite, name):
    """The folder that holds a package's files."""
    return _library("td_unpack", suite, name)


def kernel(suite):
    """The folder that holds a suite's kernel and its modules."""
    return _library("td_kernel", suite)


def _library(function, *arguments):
    return path("bash", "-c", 'set -euo pipefail; . "$0"; "$@"', LIB, function, *arguments)


def path(*command):
    """Run a command that prints a path."""
    return Path(run(*command).strip())


def run(*command, **environment):
    """Run a command; returns its output. `environment` is added to ours."""
    command = [str(word) for word in command]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              env=os.environ | environment)
    except FileNotFoundError as error:
        raise Unavailable(f"{command[0]} is not installed: run script/bootstrap") from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exited with {done.returncode}"]
        raise Unavailable(f"{Path(command[0]).name}: {said[-1]}")
    return done.stdout
