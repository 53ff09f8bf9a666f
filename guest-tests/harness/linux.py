# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux: a kernel of Debian with an initramfs of ours, which runs a job."""
from . import content, disks, fetch
from .guest import TellingGuest, text
from .view import from_dmaview

# The timers are taken on trust: a busy host makes their calibration fail.
COMMAND_LINE = ("console=ttyS0 job_console=ttyS1 quiet panic=-1 mitigations=off "
                "tsc=reliable no_timer_check")


class Guest(TellingGuest):
    def __init__(self, build, suite, version, job="mixed", append=""):
        super().__init__(build)
        self.suite, self.version = suite, version
        self.job = fetch.GUEST_TESTS / "jobs" / job
        self.command_line = f"{COMMAND_LINE} {append}".rstrip()

    def prepare(self, directory, hba):
        kernel = fetch.kernel(self.suite)
        found = next((kernel / "lib/modules").iterdir()).name
        if not found.startswith(self.version + "."):
            raise fetch.Unavailable(f"{self.suite} has Linux {found}, no longer {self.version}")
        linux = fetch.GUEST_TESTS / "linux"
        vmlinux = fetch.path(linux / "pvh", kernel)
        initramfs = fetch.path(linux / "initramfs", kernel, self.build / "guest-tests/dmaview",
                               self.job, *disks.HBAS[hba].modules)
        self.make_image(directory, content.fresh_disk())
        return ["-kernel", vmlinux, "-initrd", initramfs, "-append", self.command_line,
                "-serial", "file:console", "-serial", "file:job"]

    def view(self, directory):
        return from_dmaview(text(directory / "job"))
