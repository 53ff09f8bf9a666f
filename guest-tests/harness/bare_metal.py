# SPDX-License-Identifier: GPL-2.0-or-later
"""The drivers of guest-tests/bare-metal, which are told what to do by `words`."""
import re

from . import content
from .fetch import Unavailable
from .guest import Guest as AnyGuest
from .guest import text


class Guest(AnyGuest):
    good = (1,)  # isa-debug-exit: (0 << 1) + 1
    reads = []  # what must be in the trace: it says itself what it did
    driver = "bare-metal"

    def __init__(self, build, words):
        super().__init__(build)
        self.words = words
        self.kernel = build / "guest-tests/bare-metal/bare-metal.elf"

    def found_version(self):
        if not self.kernel.exists():
            raise Unavailable(f"{self.kernel} is not there: build it with script/build")
        return "this tree's"

    def prepare(self, directory, hba):
        self.found_version()
        self.make_image(directory, content.fresh_disk())
        return ["-kernel", self.kernel, "-append", self.words,
                "-debugcon", "file:job", "-device", "isa-debug-exit"]

    def data_checks(self, directory, view):
        said = text(directory / "job")
        commands = re.search(r"\bcommands=(\d+)", said)
        yield ("the guest does its whole job",
               [] if commands and int(commands[1]) else said.splitlines()[-5:] or ["no word"])
