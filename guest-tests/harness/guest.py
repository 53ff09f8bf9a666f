# SPDX-License-Identifier: GPL-2.0-or-later
"""What all guests have in common.

A guest is a file in guests/: lines of `key = value` that say where it comes
from, with a `kind` that says how it boots.
"""
import configparser
import importlib

from . import compare, content
from .fetch import GUEST_TESTS

GUESTS = GUEST_TESTS / "guests"


def names():
    return sorted(file.name for file in GUESTS.iterdir())


def load(name, build, **overrides):
    """The guest of that name; `build` is meson's build folder."""
    parser = configparser.ConfigParser()
    parser.read_string("[guest]\n" + (GUESTS / name).read_text())
    settings = dict(parser["guest"])
    kind = importlib.import_module(f".{settings.pop('kind')}", __package__)
    return kind.Guest(build, **settings | overrides)


class Guest:
    """A guest without a view of its requests; each kind overrides what differs."""

    good = (0,)  # QEMU's exit status when all went well
    timeout = 120  # seconds; many times what a boot takes

    def __init__(self, build):
        self.build = build
        self.disk = b""  # what the image holds before the guest runs

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
            if possible and request.error:
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


def text(file):
    """What a guest wrote, as far as it came."""
    return file.read_text(errors="replace") if file.exists() else ""
