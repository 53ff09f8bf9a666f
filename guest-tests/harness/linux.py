# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux: a kernel of Debian with an initramfs of ours, which runs a job."""
import re

from . import content, disks, fetch
from .guest import TellingGuest, text, wanted
from .view import from_dmaview

# The timers are taken on trust: a busy host makes their calibration fail.
COMMAND_LINE = "quiet panic=-1 mitigations=off"
LINUX = fetch.GUEST_TESTS / "linux"
JOBS = fetch.GUEST_TESTS / "jobs"


def jobs():
    return sorted(file.name for file in JOBS.iterdir() if file.is_file())


def boot(suite, program, job, modules, having=(), append=""):
    """QEMU's arguments to boot a suite's kernel: it runs `program` on the disk."""
    kernel = fetch.kernel(suite)
    arch = suite.partition("@")[2]
    if arch:
        having = [*having, "--arch", arch]
        vmlinux = next((kernel / "boot").glob("vmlinuz-*"))
        consoles = "console=ttyAMA0 job_console=ttyS0"
        job_port = ["-chardev", "file,id=job,path=job", "-device", "pci-serial,chardev=job"]
    else:
        vmlinux = fetch.path(LINUX / "pvh", kernel)
        consoles = "console=ttyS0 job_console=ttyS1 tsc=reliable no_timer_check"
        job_port = ["-serial", "file:job"]
    initramfs = fetch.path(LINUX / "initramfs", *having, kernel, program, job, *modules)
    return ["-kernel", vmlinux, "-initrd", initramfs, "-append",
            f"{consoles} {COMMAND_LINE} {append}".rstrip(),
            "-serial", "file:console", *job_port]


def disk_options(job, hba):
    """The options of the disk that a job needs: the words after `disk` in it.

    faults=NAME is the plan faults/NAME.ata or faults/NAME.scsi beside the job.
    """
    lines = [line.split() for line in job.read_text().splitlines()]
    options = [line[1] for line in lines if line[:1] == ["disk"]]
    plans = JOBS / "faults"
    return ",".join(re.sub(r"faults=(\w+)", rf"faults={plans}/\1.{disks.protocol(hba)}", option)
                    for option in options)


class Guest(TellingGuest):
    """Without a `version` it is the suite's, whichever that is."""

    def __init__(self, build, suite, version="", job="mixed", append=""):
        super().__init__(build)
        self.suite, self.version = suite, version
        self.arch = suite.partition("@")[2] or "amd64"
        self.driver = f"linux-{self.arch}"
        self.job = JOBS / job
        self.append = append

    def found_version(self):
        found = next((fetch.kernel(self.suite) / "lib/modules").iterdir()).name
        return wanted(self.version, self.suite, found)

    def program(self):
        if self.arch == "amd64":
            return self.build / "guest-tests/dmaview"
        return fetch.path(LINUX / "cross", self.arch, LINUX / "dmaview.c")

    def prepare(self, directory, hba):
        self.found_version()
        self.make_image(directory, content.fresh_disk())
        self.device = disk_options(self.job, hba)
        return boot(self.suite, self.program(), self.job,
                    disks.HBAS[hba].modules, append=self.append)

    def view(self, directory):
        return from_dmaview(text(directory / "job"))
