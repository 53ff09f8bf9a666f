# SPDX-License-Identifier: GPL-2.0-or-later
"""U-Boot on arm64: its shell is told to read and write the disk, and to hash memory.

What it shall do waits at its console before it looks.
"""
import re

from . import content, fetch
from .guest import TellingGuest, text, version_of, wanted
from .view import Request, View

MEMORY = 0x42000000  # above where QEMU loads things, below where U-Boot goes
MEMORY_SIZE = 8 << 20
BLOCK = 512

# (what, block, blocks, offset in that memory)
JOB = [
    ("read", 2048, 1, 0),
    ("read", 2049, 8, 0x1200),
    ("read", 4096, 128, 0x10000),
    ("read", 8192, 4096, 0x100000),
    ("write", 16384, 1, 0x100000),
    ("write", 16385, 8, 0x102e00),
    ("write", 20480, 128, 0x110000),
    ("write", 24576, 4096, 0x180000),
    ("read", 16380, 16, 0x400000),
    ("read", 20479, 130, 0x410000),
    ("read", 24500, 4200, 0x420000),
    ("read", 65535, 1, 0),  # the disk's last
]

# Its commands to find the disk, and for the disk itself. It has USB running already,
# but has not looked for disks there.
COMMANDS = {"ahci": ("scsi scan", "scsi"), "usb-bot": ("usb reset", "usb")}


def script(hba):
    find, disk = COMMANDS[hba]
    # An empty line repeats the command before: here there is none yet. The
    # first of them stops the automatic boot.
    yield from [""] * 8
    yield find
    for what, block, blocks, at in JOB:
        yield f"{disk} {what} {MEMORY + at:x} {block:x} {blocks:x}"
        yield f"crc32 {MEMORY + at:x} {blocks * BLOCK:x}"
    yield "poweroff"


DONE = re.compile(r"block # (\d+), count (\d+) \.\.\. (\d+) blocks (read|written): (\w+)"
                  r".*?crc32 for ([0-9a-f]+) \.\.\. ([0-9a-f]+) ==> ([0-9a-f]{8})", re.S | re.I)


class Memory:
    """The guest's memory from an address on, as content.replay wants it."""

    def __init__(self, base, size):
        self.base = base
        self.bytes = bytearray(size)

    def shifted(self, where):
        return slice(where.start - self.base, where.stop - self.base)

    def __getitem__(self, where):
        return self.bytes[self.shifted(where)]

    def __setitem__(self, where, data):
        self.bytes[self.shifted(where)] = data


class Guest(TellingGuest):
    arch = "arm64"
    driver = "u-boot"
    stdin = "script"

    def __init__(self, build, suite, version=""):
        super().__init__(build)
        self.suite, self.version = suite, version
        self.memory = Memory(MEMORY, MEMORY_SIZE)
        self.flushes = False  # does its driver flush the cache after every write?

    def found_version(self):
        return wanted(self.version, self.suite,
                      version_of(fetch.package(self.suite, "u-boot-qemu")))

    def prepare(self, directory, hba):
        self.found_version()
        self.make_image(directory, content.fresh_disk())
        (directory / "script").write_text("\n".join(script(hba)) + "\n")
        self.flushes = hba == "ahci"
        firmware = fetch.package(self.suite, "u-boot-qemu")
        return ["-bios", firmware / "usr/lib/u-boot/qemu_arm64/u-boot.bin",
                "-chardev", "stdio,id=console,signal=off,logfile=job",
                "-serial", "chardev:console"]

    def view(self, directory):
        said = text(directory / "job")
        view = View([], {}, False, [])
        for block, count, moved, verb, state, start, _, crc in DONE.findall(said):
            length = int(count) * BLOCK
            view.requests.append(Request(
                len(view.requests) + 1, "read" if verb == "read" else "write",
                int(block) * BLOCK, length, [(int(start, 16), length)], int(crc, 16),
                0 if (state, moved) == ("OK", count) else 1,
                sync=verb == "written" and self.flushes))
        view.complete = len(view.requests) == len(JOB)
        return view
