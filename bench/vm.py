# SPDX-License-Identifier: GPL-2.0-or-later
"""One run of a load in a QEMU, measured from outside."""
import os
import shlex
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

QEMU = os.environ.get("QEMU", "qemu-system-x86_64")
ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("TD_BUILD", ROOT / "build"))
KERNEL = BUILD / "guest-tests/bare-metal/bare-metal.elf"

sys.path.insert(0, str(ROOT / "guest-tests"))
from harness import disks, linux  # noqa: E402

# read-zeroes: a read writes to guest memory, as a real one does.
NULL_CO = "driver=null-co,size=4G,read-zeroes=on"

WELL_DONE = 1  # the bare-metal load's exit status through isa-debug-exit


class Trouble(Exception):
    """A run that cannot be measured: says why."""


@dataclass
class Side:
    """A disk to measure: what is started, and with which devices."""

    name: str
    devices: list
    launcher: list = field(default_factory=list)
    drive: str = NULL_CO
    extra: list = field(default_factory=list)
    well_done: int = WELL_DONE  # QEMU's exit status

    def boots(self, words):
        """QEMU's arguments for a guest that runs the load."""
        return ["-debugcon", "stdio", "-device", "isa-debug-exit",
                "-kernel", str(KERNEL), "-append", words]

    def command(self, words):
        return [*self.launcher, QEMU, "-name", "bench,debug-threads=on",
                "-accel", "tcg", "-machine", "q35,sata=off", "-m", "256",
                "-nodefaults", "-display", "none", "-no-reboot",
                "-drive", f"if=none,id=d0,{self.drive}", *self.devices,
                *self.extra, *self.boots(words)]


@dataclass
class LinuxSide(Side):
    """A disk under Linux, for HBAs that the bare-metal load has no driver for."""

    hba: str = ""
    job: Path = None    # where the load's words are written
    well_done: int = 0  # it powers off

    def boots(self, words):
        self.job.write_text(words + "\n")
        ports = {"file:console": "null", "file:job": "stdio"}
        return [ports.get(word, word) for word in
                linux.boot("bookworm", BUILD / "guest-tests/aioload", self.job,
                           disks.HBAS[self.hba].modules)]


def stock(name="stock", **more):
    """QEMU's own HBA and disk."""
    return Side(name, ["-device", "ich9-ahci,id=ahci",
                       "-device", "ide-hd,drive=d0,bus=ahci.0"], **more)


def ours(name, trace, options="", **more):
    """Our HBA and disk; options: more properties, with a leading comma."""
    extra = more.pop("extra", [])
    return Side(name, ["-device", f"tracedisk-ahci,drive=d0,trace={trace}{options}"],
                launcher=[str(BUILD / "tools/tracedisk"), "run", "--"],
                extra=extra, **more)


IOTHREAD = ["-object", "iothread,id=io"]


def stock_scsi(name="stock scsi", iothread=False, **more):
    """QEMU's own SCSI disk on virtio-scsi."""
    hba = "virtio-scsi-pci,id=scsi" + (",iothread=io" if iothread else "")
    return Side(name, [*(IOTHREAD if iothread else []), "-device", hba,
                       "-device", "scsi-hd,drive=d0,bus=scsi.0"], **more)


def ours_scsi(name, trace, iothread=False, options="", **more):
    """Our SCSI disk on the same HBA."""
    side = stock_scsi(name, iothread, launcher=[str(BUILD / "tools/tracedisk"), "run", "--"],
                      **more)
    side.devices[-1] = f"tracedisk-scsi,drive=d0,bus=scsi.0,trace={trace}{options}"
    return side


def stock_linux(hba, job, name="stock scsi"):
    """QEMU's own disk on any HBA, under Linux; job: a scratch file."""
    return LinuxSide(name, list(disks.HBAS[hba].stock),
                     hba=hba, job=Path(job))


def ours_linux(hba, job, trace, name="tracedisk"):
    """Our disk on the same HBA."""
    return LinuxSide(name, [word.format(options=f"id=t0,trace={trace}")
                            for word in disks.HBAS[hba].ours],
                     hba=hba, job=Path(job),
                     launcher=[str(BUILD / "tools/tracedisk"), "run", "--"])


@dataclass
class Run:
    """What one run of the load did, and what it cost."""

    commands: int
    seconds: float  # by the guest's clock
    cpu: float      # seconds of QEMU's CPU time between "begin" and "end"
    others: float   # CPU time of everything else, in cores
    numbers: dict   # all that the load printed

    @property
    def rate(self):
        return self.commands / self.seconds

    @property
    def cpu_per_command(self):
        return self.cpu / self.commands


def process_cpu(pid):
    """CPU time of all of a process's threads, dead ones too; seconds."""
    # The kernel's name for "the CPU clock of process PID": CPUCLOCK_SCHED.
    return time.clock_gettime((~pid << 3) | 2)


def machine_cpu():
    """CPU time that the whole machine used, and lost to its host; seconds."""
    with open("/proc/stat") as stat:
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(
            int, stat.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def run(side, words, timeout=120):
    """Run the load on a side. The CPU time is measured inside the window: read
    when the guest prints "begin" and "end", so that boot and exit are outside."""
    command = side.command(words)
    # A child that we have not waited for keeps its CPU clock, however late we
    # come to read it. Launchers replace themselves by QEMU.
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    watchdog = threading.Timer(timeout, process.kill)
    watchdog.start()
    samples, lines = [], []
    for line in process.stdout:
        if line in ("begin\n", "end\n"):
            samples.append((time.monotonic(), process_cpu(process.pid), machine_cpu(),
                            time.process_time()))
        else:
            lines.append(line.rstrip("\n"))
    errors = process.stderr.read()
    status = process.wait()
    watchdog.cancel()
    if status != side.well_done or len(samples) != 2:
        raise Trouble(f"{side.name}: QEMU ended with {status}\n"
                      f"{shlex.join(command)}\n" + "\n".join(lines) + errors)

    numbers = {key: int(value) for key, value in
               (pair.split("=") for pair in lines[-1].split())}
    wall, cpu, machine, own = (b - a for a, b in zip(*samples))
    return Run(commands=numbers["commands"], seconds=numbers["ns"] / 1e9, cpu=cpu,
               others=max(0, machine - cpu - own) / wall, numbers=numbers)
