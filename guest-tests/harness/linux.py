# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux: a kernel of Debian with an initramfs of ours, which runs a job."""
from . import content, disks, fetch
from .guest import TellingGuest, text
from .view import from_dmaview

# The timers are taken on trust: a busy host makes their calibration fail.
COMMAND_LINE = ("console=ttyS0 job_console=ttyS1 quiet panic=-1 mitigations=off "
                "tsc=reliable no_timer_check")


def boot(suite, program, job, modules, having=(), append=""):
    """QEMU's arguments to boot a suite's kernel: it runs `program` on the disk."""
    kernel = fetch.kernel(suite)
    linux = fetch.GUEST_TESTS / "linux"
    vmlinux = fetch.path(linux / "pvh", kernel)
    initramfs = fetch.path(linux / "initramfs", *having, kernel, program, job, *modules)
    return ["-kernel", vmlinux, "-initrd", initramfs, "-append",
            f"{COMMAND_LINE} {append}".rstrip(),
            "-serial", "file:console", "-serial", "file:job"]


class Guest(TellingGuest):
    def __init__(self, build, suite, version, job="mixed", append=""):
        super().__init__(build)
        self.suite, self.version = suite, version
        self.job = fetch.GUEST_TESTS / "jobs" / job
        self.append = append

    def prepare(self, directory, hba):
        found = next((fetch.kernel(self.suite) / "lib/modules").iterdir()).name
        if not found.startswith(self.version + "."):
            raise fetch.Unavailable(f"{self.suite} has Linux {found}, no longer {self.version}")
        self.make_image(directory, content.fresh_disk())
        return boot(self.suite, self.build / "guest-tests/dmaview", self.job,
                    disks.HBAS[hba].modules, append=self.append)

    def view(self, directory):
        return from_dmaview(text(directory / "job"))
