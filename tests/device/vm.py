# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU with a tracedisk, told what to do by QMP, and its trace.

What the tests of this folder share. A test is a function of one Vm factory; it
passes if it returns. The guest is guest-tests/bare-metal, which keeps the disk
busy, or nothing at all.
"""
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

PATIENCE = 60  # seconds, for anything that must happen at all
SHOWN = 12     # lines of what QEMU printed
MACHINE = ("-accel", "tcg", "-machine", "q35,sata=off")


class Skip(Exception):
    """A test cannot run here; says why."""


def equal(found, expected, what):
    if found != expected:
        raise AssertionError(f"{what}: expected {expected}, found {found}")


def true(condition, what):
    if not condition:
        raise AssertionError(what)


def until(condition, what, patience=PATIENCE):
    """Wait until the condition gives something; returns it."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"waited {patience} s: {what}")


class Bench:
    """Where the programs are, and the folder of one test."""

    def __init__(self, build, launcher, folder):
        self.tool = build / "tools/tracedisk"
        self.kernel = build / "guest-tests/bare-metal/bare-metal.elf"
        self.launcher = launcher
        self.folder = Path(folder)
        self.vms = []

    def disk(self, name="disk", size=64 << 20):
        path = self.folder / name
        with open(path, "wb") as image:
            image.truncate(size)
        return path

    def start(self, *arguments, load=None, machine=MACHINE):
        """Start QEMU; with a load, the guest is the bare-metal one, told these words."""
        vm = Vm(self, arguments, load, len(self.vms), machine)
        self.vms.append(vm)
        vm.connect()
        return vm

    def fails(self, *arguments):
        """Start a QEMU that must refuse to; returns what it said."""
        vm = Vm(self, arguments, None, len(self.vms))
        self.vms.append(vm)
        status = vm.process.wait(PATIENCE)
        equal(status, 1, f"QEMU's exit status ({vm.printed()})")
        return vm.printed()

    def trace(self, name="d0.tdt", *options):
        return Trace(self.tool, self.folder / name, *options)


class Vm:
    def __init__(self, bench, arguments, load, number, machine=MACHINE):
        self.folder = bench.folder
        self.log = bench.folder / f"qemu{number}.log"
        self.console = bench.folder / f"console{number}"
        self.socket_path = bench.folder / f"qmp{number}"
        self.events = []
        guest = []
        if load is not None:
            guest = ["-debugcon", f"file:{self.console}", "-device", "isa-debug-exit",
                     "-kernel", bench.kernel, "-append", load]
        self.qmp = None
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [*bench.launcher, *machine, "-m", "128", "-nodefaults", "-display", "none",
                 "-no-reboot", "-qmp", f"unix:{self.socket_path},server=on,wait=off", *guest,
                 *arguments],
                cwd=bench.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def printed(self):
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-SHOWN:])

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)

        def try_once():
            if self.process.poll() is not None:
                raise AssertionError(f"QEMU ended: {self.end()}")
            try:
                connection.connect(str(self.socket_path))
                return True
            except OSError:
                return False

        until(try_once, "QEMU's monitor")
        connection.settimeout(PATIENCE)
        self.qmp = connection.makefile("rw", encoding="utf-8")
        self.qmp.readline()
        self.do("qmp_capabilities")

    def tell(self, command, **arguments):
        """Send a QMP command, and do not wait for its answer: the guest may end before."""
        message = {"execute": command}
        if arguments:
            message["arguments"] = arguments
        try:
            self.qmp.write(json.dumps(message) + "\n")
            self.qmp.flush()
        except ConnectionError:
            pass  # what QEMU had to say may still be there to read

    def do(self, command, **arguments):
        """Run a QMP command; returns its answer, raises on an error."""
        self.tell(command, **arguments)
        while True:
            try:
                line = self.qmp.readline()
            except ConnectionError:
                line = ""
            if not line:
                raise AssertionError(f"QEMU ended during {command}: {self.end()}")
            said = json.loads(line)
            if "event" in said:
                self.events.append(said["event"])
            elif "error" in said:
                raise AssertionError(f"{command}: {said['error']['desc']}")
            else:
                return said["return"]

    def end(self):
        """How QEMU ended, and what the guest and it said."""
        said = self.console.read_text(errors="replace") if self.console.exists() else ""
        return f"status {self.process.wait(PATIENCE)}\n{said}{self.printed()}"

    def hmp(self, line):
        return self.do("human-monitor-command", **{"command-line": line})

    def get(self, name, path="/machine/peripheral/hba"):
        return self.do("qom-get", path=path, property=name)

    def set(self, name, value, path="/machine/peripheral/hba"):
        self.do("qom-set", path=path, property=name, value=value)

    def status(self):
        return self.do("query-status")["status"]

    def busy(self):
        """Wait until the guest's load has begun."""
        until(lambda: self.console.exists() and b"begin" in self.console.read_bytes(),
              "the guest's load begins")

    def finish(self):
        """Let the guest go on to its end."""
        self.tell("cont")
        self.wait()

    def wait(self):
        """Wait for the guest's end: all must have gone well in it."""
        self.process.wait(PATIENCE)
        if self.process.returncode != 1:
            raise AssertionError(f"the guest failed: {self.end()}")

    def quit(self):
        self.do("quit")
        equal(self.process.wait(PATIENCE), 0, f"QEMU's exit status ({self.printed()})")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Trace:
    """What `tracedisk dump --json` prints, sorted by type."""

    def __init__(self, tool, path, *options):
        self.path = path
        done = subprocess.run([tool, "dump", "--json", *options, path], capture_output=True, text=True,
                              check=False)
        # 1: something is missing; the tests look for themselves what.
        true(done.returncode in (0, 1), f"tracedisk dump ({done.stderr.strip()})")
        self.items = [json.loads(line) for line in done.stdout.splitlines()]
        self.commands = self.of("command")
        self.marks = [mark["name"] for mark in self.of("mark")]

    def of(self, kind):
        return [item for item in self.items if item["type"] == kind]

    def events(self, name):
        return [event for event in self.of("event") if event["event"] == name]

    def check_whole(self):
        """Nothing is missing, and no command was left without an end."""
        equal(self.of("lost") + self.of("damage"), [], "holes in the trace")
        equal([c["seq"] for c in self.commands if c["status"] == "pending"], [],
              "commands without an end")


def in_tree(*options):
    """The QEMU that is built in tree."""
    script = Path(__file__).resolve().parents[2] / "script/qemu-tree"
    done = subprocess.run([script, *options], check=True, stdout=subprocess.PIPE, text=True)
    return Path(done.stdout.strip()) / "qemu-system-x86_64"


def in_tree_sanitized():
    """The same with sanitizers, that end it at an error."""
    # QEMU's own savevm leaks; tests/qtest looks for leaks.
    os.environ["ASAN_OPTIONS"] = "detect_leaks=0"
    os.environ["UBSAN_OPTIONS"] = "halt_on_error=1:print_stacktrace=1"
    return in_tree("--sanitize")


def main(*tests):
    """argv: stock, tree or sanitized, the build folder, names of tests (default: all)."""
    kind, build = sys.argv[1], Path(sys.argv[2]).resolve()
    if kind == "sanitized":
        launcher = [in_tree_sanitized()]
    elif kind == "tree":
        launcher = [in_tree()]
    else:
        qemu = os.environ.get("QEMU", "qemu-system-x86_64")
        launcher = [build / "tools/tracedisk", "run", "--", qemu]
    wanted = sys.argv[3:]
    failed = 0
    chosen = [t for t in tests if not wanted or t.__name__ in wanted]
    print(f"1..{len(chosen)}", flush=True)
    for number, test in enumerate(chosen, 1):
        name = f"{kind}: " + test.__name__.removeprefix("test_").replace("_", " ")
        with tempfile.TemporaryDirectory(prefix="tracedisk-device-") as folder:
            bench = Bench(build, launcher, folder)
            try:
                test(bench)
                print(f"ok {number} - {name}", flush=True)
            except Skip as reason:
                print(f"ok {number} - {name} # SKIP {reason}", flush=True)
            except Exception:  # whatever it is, the next test shall run
                failed = 1
                print(f"not ok {number} - {name}")
                for line in traceback.format_exc().splitlines()[-SHOWN:]:
                    print(f"# {line[:500]}", flush=True)
                print(f"# repeat it: {sys.argv[0]} {kind} {sys.argv[2]} {test.__name__}")
            finally:
                for vm in bench.vms:
                    vm.kill()
    sys.exit(failed)
