# SPDX-License-Identifier: GPL-2.0-or-later
"""script/bench: measures the cases and prints the table."""
import argparse
import dataclasses
import fnmatch
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import cases
import measure
import vm


def parse_arguments():
    p = argparse.ArgumentParser(
        prog="script/bench",
        description="Compare tracedisk to QEMU's own AHCI disk under a bare-metal load, and "
                    "measure the recorder and the scanner. Both sides of a comparison run in "
                    "turns, A B B A …; a ratio is taken within each pair.",
        epilog="Rates are by the guest's clock. CPU time is that of all of QEMU's threads "
               "between the load's begin and end, without boot and exit; for programs it is "
               "their rusage. Exit status: 0 all bars met; 1 a bar was missed on a quiet "
               "machine; 2 something could not be measured.")
    p.add_argument("--pairs", type=int, default=9, metavar="N",
                   help="pairs of runs of each case (default: 9)")
    p.add_argument("--seconds", type=int, default=2, help="length of a run (default: 2)")
    p.add_argument("--patience", type=float, default=0, metavar="MINUTES",
                   help="for so long, in each comparison, wait for a quiet machine and leave "
                        "disturbed pairs out (default: 0)")
    p.add_argument("--quick", action="store_true", help="3 pairs of 1 second: a rough look")
    p.add_argument("--case", action="append", metavar="NAME",
                   help="only this case; may be a pattern, may be given again")
    p.add_argument("--json", metavar="FILE", help="also write the figures to FILE")
    p.add_argument("--list", action="store_true", help="list the cases and stop")
    p.add_argument("--scratch", metavar="FOLDER",
                   help="where traces and images are written (default: a temporary folder)")
    a = p.parse_args()
    if a.quick:
        a.pairs, a.seconds = 3, 1
    if a.pairs < 1 or a.seconds < 1:
        p.error("--pairs and --seconds must be at least 1")
    return a


def chosen(patterns):
    found = [c for c in cases.CASES
             if not patterns or any(fnmatch.fnmatch(c.name, p) for p in patterns)]
    if not found:
        sys.exit(f"bench: no case is called {' or '.join(patterns)}; --list names them all")
    return found


class Bench:
    """What cases need: scratch files, the number of pairs, a line of progress."""

    def __init__(self, folder, arguments):
        self.folder, self.pairs, self.seconds = folder, arguments.pairs, arguments.seconds
        self.patience = 60 * arguments.patience
        self.case = ""

    def path(self, name):
        return os.path.join(self.folder, name)

    def remove_traces(self):
        for path in glob.glob(self.path("*.tdt*")):
            os.unlink(path)

    def raw_file(self):
        """A disk image, written just now: it is in the page cache."""
        path = self.path("disk.raw")
        if not os.path.exists(path):
            with open(path, "wb") as f:
                for _ in range(cases.RAW_FILE_SIZE >> 20):
                    f.write(os.urandom(1 << 20))
                os.fsync(f.fileno())
        with open(path, "rb") as f:
            while f.read(1 << 20):
                pass
        return path

    def progress(self, text):
        if sys.stderr.isatty():
            print(f"\r\033[K{self.case}: {text}", end="", file=sys.stderr, flush=True)

    def done(self):
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    @staticmethod
    def others():
        """Returns a function that tells the cores others have used since now."""
        def sample():
            t = os.times()
            return time.monotonic(), vm.machine_cpu(), t.user + t.system + \
                t.children_user + t.children_system
        wall, machine, own = sample()

        def used():
            w, m, o = sample()
            cores = max(0, (m - machine) - (o - own)) / (w - wall)
            return measure.Spread.of([cores])
        return used


def verdict(case, result):
    if not case.bar:
        return "-"
    if case.bar.met(result.figure.median):
        return "met"
    return "missed" if result.others.median <= measure.QUIET else "missed, but not quiet"


def number(x):
    return f"{x:.2f}" if x < 10 else f"{x:.1f}" if x < 100 else f"{x:,.0f}"


def print_row(case, result):
    f = result.figure
    print(f"{case.name:17} {number(f.min):>8} {number(f.median):>8} {number(f.max):>8} "
          f"{result.unit:6} {str(case.bar or '-'):15} {verdict(case, result)}")
    print(f"    {case.what}")
    print("    " + "; ".join(f"{k}: {v}" for k, v in result.details.items()))
    if result.others.max > measure.QUIET:
        print(f"    warning: other processes used {result.others.median:.2f} cores meanwhile, "
              f"at most {result.others.max:.2f}")
    sys.stdout.flush()


def machine(folder):
    with open("/proc/cpuinfo") as f:
        model = next((line.split(":")[1].strip() for line in f if "model name" in line), "?")
    version = subprocess.run([vm.QEMU, "--version"], capture_output=True, text=True, check=True)
    df = subprocess.run(["df", "--output=fstype", folder], capture_output=True, text=True)
    return {"cpu": model, "cores": os.cpu_count(),
            "qemu": version.stdout.splitlines()[0].removeprefix("QEMU emulator version "),
            "traces on": df.stdout.split()[-1]}


def main():
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    a = parse_arguments()
    if a.list:
        for c in cases.CASES:
            print(f"{c.name:17} {str(c.bar or ''):15} {c.what}")
        return 0

    found = chosen(a.case)
    folder = tempfile.mkdtemp(prefix="tracedisk-bench.", dir=a.scratch)
    bench = Bench(folder, a)
    about = machine(folder)
    report = {"machine": about, "pairs": a.pairs, "seconds": a.seconds, "cases": []}
    missed = trouble = False
    try:
        print("; ".join(f"{k}: {v}" for k, v in about.items()))
        print(f"{a.pairs} pairs, {a.seconds} s a run; the bar is about the median\n")
        print(f"{'case':17} {'min':>8} {'median':>8} {'max':>8} {'':6} {'bar':15} verdict")
        for case in found:
            bench.case = case.name
            try:
                result = case.measure(bench)
            except (vm.Trouble, OSError, subprocess.SubprocessError) as e:
                bench.done()
                print(f"{case.name:17} not measured: {e}")
                trouble = trouble or not (case.bar and case.bar.stretch)
                continue
            bench.done()
            print_row(case, result)
            missed = missed or (verdict(case, result) == "missed" and not case.bar.stretch)
            report["cases"].append({
                "name": case.name, "what": case.what, "bar": str(case.bar or ""),
                "verdict": verdict(case, result), **dataclasses.asdict(result)})
    finally:
        shutil.rmtree(folder)
        if a.json:
            with open(a.json, "w") as f:
                json.dump(report, f, indent=2, ensure_ascii=False)
                f.write("\n")
    return 2 if trouble else 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
