# SPDX-License-Identifier: GPL-2.0-or-later
"""SeaBIOS: a boot sector of ours asks it for the disk's blocks."""
from . import content, fetch
from .guest import TellingGuest, text, version_of, wanted
from .view import from_boot_sector

LOW_MEMORY = 1 << 20


class Guest(TellingGuest):
    good = (1,)  # isa-debug-exit: (0 << 1) + 1
    driver = "seabios"

    def __init__(self, build, suite, version=""):
        super().__init__(build)
        self.suite, self.version = suite, version
        self.memory = bytearray(LOW_MEMORY)

    def found_version(self):
        return wanted(self.version, self.suite,
                      version_of(fetch.package(self.suite, "seabios")))

    def prepare(self, directory, hba):
        self.found_version()
        seabios = fetch.package(self.suite, "seabios")
        disk = content.fresh_disk()
        disk[:512] = (self.build / "guest-tests/boot.bin").read_bytes()
        self.make_image(directory, disk)
        return ["-bios", seabios / "usr/share/seabios/bios-256k.bin",
                "-device", "isa-debug-exit,iobase=0xf4,iosize=1",
                "-debugcon", "file:job",
                "-chardev", "file,id=console,path=console",
                "-device", "isa-debugcon,iobase=0x402,chardev=console"]

    def view(self, directory):
        return from_boot_sector(text(directory / "job"))
