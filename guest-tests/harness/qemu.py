# SPDX-License-Identifier: GPL-2.0-or-later
"""Start a QEMU on a guest and wait for it, but not for ever."""
import os
import shlex
import signal
import subprocess
from pathlib import Path

# The same for all guests: always TCG, so that every host gives the same result.
COMMON = ["-accel", "tcg", "-m", "256", "-nodefaults", "-display", "none", "-no-reboot"]
# Machines without a disk of their own: (QEMU's target, arguments).
MACHINES = {
    "amd64": ("x86_64", ["-machine", "q35,sata=off"]),
    "arm64": ("aarch64", ["-machine", "virt", "-cpu", "cortex-a57"]),
}


def run(arguments, directory, launcher=(), timeout=120, good=(0,), arch="amd64",
        stdin=None):
    """Run QEMU to its end in `directory`; returns a list of problems.

    `launcher` stands before QEMU's name: "tracedisk run --", or nothing. The
    command line is kept in the file `command`, what QEMU says in `qemu.log`.
    `stdin` is a file in `directory`.
    """
    target, machine = MACHINES[arch]
    qemu = f"qemu-system-{target}"
    if arch == "amd64":
        qemu = os.environ.get("QEMU", qemu)
    command = [str(word) for word in [*launcher, qemu, *COMMON, *machine, *arguments]]
    directory = Path(directory)
    (directory / "command").write_text(shlex.join(command) + "\n")
    log_path = directory / "qemu.log"
    with open(log_path, "wb") as log, open(directory / stdin if stdin else os.devnull) as script:
        try:
            status = wait(command, directory, script, log, timeout)
        except FileNotFoundError as error:
            return [str(error)]
    if status in good:
        return []
    happened = f"ran longer than {timeout} s" if status is None else f"exited with {status}"
    return [f"QEMU {happened}", *tail(log_path), f"its command line is in {directory}/command"]


def wait(command, directory, script, log, timeout):
    """Run a command; returns its exit status, or None if it took too long."""
    with subprocess.Popen(command, cwd=directory, stdin=script,
                          stdout=log, stderr=log, start_new_session=True) as process:
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def tail(path, lines=5):
    return [f"{path.name}: {line}"
            for line in path.read_text(errors="replace").splitlines()[-lines:]]
