# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured: one entry of CASES each, with its bar if it has one.

A case is a function that takes the bench (scratch folder, number of pairs,
seconds a run) and returns a Result. Bars are those of the project's plan.
"""
import json
import os
import subprocess
import time
from dataclasses import dataclass

import measure
import vm

RAW_FILE_SIZE = 512 << 20
SCAN_COMMANDS = 4_000_000
JOB_NS = 1000  # of virtual time that bench-gen-trace lets pass for each command
RECORDER_COMMANDS = 2_000_000
EXPORT_COMMANDS = 400_000
MEMORY_COMMANDS = 10_000_000
REPLAY_COMMANDS = 100_000

# What the stock device can tell about its commands, without our device.
STOCK_EVENTS = ["ahci_*", "handle_cmd*", "process_ncq_command*", "execute_ncq_command*",
                "ncq_finish", "ncq_err", "dma_*"]


@dataclass
class Bar:
    limit: float
    at_most: bool = False
    stretch: bool = False  # missing it is no failure

    def met(self, value):
        return value <= self.limit if self.at_most else value >= self.limit

    def __str__(self):
        return ("≤ " if self.at_most else "≥ ") + f"{self.limit:g}" \
            + (" (stretch)" if self.stretch else "")


@dataclass
class Result:
    """What a case found: the figure that the bar is about, and the rest."""

    unit: str               # of the figure
    figure: measure.Spread
    details: dict           # name: text or number, for the second line and JSON
    others: measure.Spread  # cores that other processes used meanwhile
    comparison: object = None


@dataclass
class Case:
    name: str
    what: str
    bar: object
    measure: object


CASES = []


def case(name, what, bar=None):
    def add(function):
        CASES.append(Case(name, what, bar, function))
        return function
    return add


# ---- Pairs of virtual machines ---------------------------------------------

def pair(a, b, words):
    """A case's function: compares side B to A, both made when it runs."""
    def run(bench):
        return compared(bench, a(bench), b(bench), words)
    return run


def compared(bench, a, b, words, seconds=None):
    c = measure.compare(a, b, f"{words} seconds={seconds or bench.seconds}", bench.pairs,
                        bench.patience, bench.progress)
    bench.remove_traces()
    return Result("×", c.rate, {
        f"{a.name}": f"{c.a_rate:,.0f}/s, {c.a_cpu * 1e9:,.0f} ns CPU",
        f"{b.name}": f"{c.b_rate:,.0f}/s, {c.b_cpu * 1e9:,.0f} ns CPU",
        "CPU per command": f"{c.cpu.min:.2f} {c.cpu.median:.2f} {c.cpu.max:.2f} ×",
        **({"disturbed pairs left out": c.disturbed} if c.disturbed else {}),
    }, c.others, c)


def stock(_bench):
    return vm.stock()


def ours(bench, options="", **more):
    return vm.ours("tracedisk", bench.path("bench.tdt"), options, **more)


def ours_plain(bench):
    """Neither a trace nor a hash: the bare device."""
    return vm.ours("bare", "none", ",hash=none")


def with_raw_file(make):
    """The same side on a raw file that is in the page cache."""
    def side(bench):
        s = make(bench)
        s.drive = f"driver=raw,file.driver=file,file.filename={bench.raw_file()}"
        return s
    return side


READ_4K = "op=read size=4096 elements=1 depth=32"

CASES += [
    Case("noise", "two equal sides, both stock: what the machine adds of its own", None,
         pair(stock, lambda b: vm.stock("stock again"), READ_4K)),
    Case("read-4k", "4 KiB reads, NCQ depth 32, null-co: traced and hashed ÷ stock untraced",
         Bar(1.0), pair(stock, ours, READ_4K)),
    Case("write-4k", "4 KiB writes, likewise", Bar(1.0),
         pair(stock, ours, READ_4K.replace("read", "write"))),
]


@case("stock-events", "4 KiB reads ÷ stock with its own ahci, ncq and dma trace events to a file",
      Bar(7))
def stock_events(bench):
    log = bench.path("stock.log")
    a = vm.stock("stock, events")
    for event in STOCK_EVENTS:
        a.extra += ["-trace", event]
    a.extra += ["-D", log]
    result = compared(bench, a, ours(bench), READ_4K, seconds=1)
    os.unlink(log)
    return result


CASES += [
    Case("read-64k-16", "64 KiB reads of 16 elements, null-co, ÷ stock untraced", None,
         pair(stock, ours, "op=read size=64K elements=16 depth=32")),
    Case("read-4k-file", "4 KiB reads of a raw file in the page cache (QEMU's thread pool does "
         "the I/O), ÷ stock untraced", None,
         pair(with_raw_file(stock), with_raw_file(ours),
              f"{READ_4K} span={RAW_FILE_SIZE >> 20}M")),
    Case("read-1m-file", "1 MiB reads of a raw file in the page cache, ÷ stock untraced",
         Bar(0.85), pair(with_raw_file(stock), with_raw_file(ours),
                         f"op=read size=1M depth=32 span={RAW_FILE_SIZE >> 20}M")),
    Case("write-1m-file", "1 MiB writes, likewise",
         Bar(0.85), pair(with_raw_file(stock), with_raw_file(ours),
                         f"op=write size=1M depth=32 span={RAW_FILE_SIZE >> 20}M")),
    Case("read-1m-null", "1 MiB reads, null-co (stock only clears memory), ÷ stock untraced",
         None, pair(stock, ours, "op=read size=1M depth=32")),
    Case("read-4k-dma", "4 KiB reads that are not queued, ÷ stock untraced", None,
         pair(stock, ours, READ_4K + " ncq=0")),
    Case("read-4k-1", "4 KiB reads, one at a time, ÷ stock untraced", None,
         pair(stock, ours, READ_4K.replace("depth=32", "depth=1"))),
    Case("ahci-linux", "4 KiB reads by Linux's AIO, depth 32, null-co: a driver that waits for "
         "interrupts, ÷ stock untraced", None,
         pair(lambda b: vm.stock_linux("ahci", b.path("job"), "stock"),
              lambda b: vm.ours_linux("ahci", b.path("job"), b.path("bench.tdt")),
              "size=4096 depth=32")),
    Case("bare", "4 KiB reads, ours with trace=none,hash=none, ÷ stock: the HBA alone", None,
         pair(stock, ours_plain, READ_4K)),
    Case("cost-trace", "4 KiB reads, hash=none ÷ trace=none,hash=none: what recording costs",
         None, pair(ours_plain, lambda b: ours(b, ",hash=none"), READ_4K)),
    Case("cost-hash", "4 KiB reads, hash=xxh3 ÷ hash=none: what hashing costs", None,
         pair(lambda b: vm.ours("hash=none", b.path("a.tdt"), ",hash=none"), ours, READ_4K)),
]


# ---- SCSI, on virtio-scsi ----------------------------------------------------

def stock_scsi(_bench):
    return vm.stock_scsi()


def ours_scsi(bench):
    return vm.ours_scsi("tracedisk", bench.path("bench.tdt"))


CASES += [
    Case("scsi-read-4k", "4 KiB reads on virtio-scsi, depth 32, null-co: traced and hashed ÷ "
         "stock scsi-hd untraced", Bar(0.95), pair(stock_scsi, ours_scsi, READ_4K)),
    Case("scsi-iothread", "the same with an iothread, on both sides", Bar(0.95),
         pair(lambda b: vm.stock_scsi("stock scsi, iothread", iothread=True),
              lambda b: vm.ours_scsi("tracedisk, iothread", b.path("bench.tdt"), iothread=True),
              READ_4K)),
    Case("scsi-read-1m-file", "1 MiB reads on virtio-scsi of a raw file in the page cache, "
         "÷ stock", Bar(0.85),
         pair(with_raw_file(stock_scsi), with_raw_file(ours_scsi),
              f"op=read size=1M depth=32 span={RAW_FILE_SIZE >> 20}M")),
    Case("megasas-linux", "4 KiB reads on megasas by Linux's AIO, depth 32, null-co: traced and "
         "hashed ÷ stock scsi-hd untraced", Bar(0.95),
         pair(lambda b: vm.stock_linux("megasas", b.path("job")),
              lambda b: vm.ours_linux("megasas", b.path("job"), b.path("bench.tdt")),
              "size=4096 depth=32")),
]


# ---- The trace --------------------------------------------------------------

def used(arguments, output=subprocess.DEVNULL, fine=(0,)):
    """Run a program; returns the seconds that it took, and what it used, as of getrusage(2)."""
    start = time.monotonic()
    process = subprocess.Popen(arguments, stdout=output, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in fine:
        raise vm.Trouble(f"{' '.join(map(str, arguments[:2]))} ended with {process.returncode}")
    return time.monotonic() - start, usage


def used_by_tool(*words, fine=(0,)):
    return used([vm.BUILD / "tools/tracedisk", *words], fine=fine)


def bytes_per_command(bench, words, packed=False):
    figures, others = [], []
    for i in range(bench.pairs):
        bench.progress(f"run {i + 1} of {bench.pairs}")
        trace = bench.path("bench.tdt")
        run = vm.run(vm.ours("tracedisk", trace), words)
        done = run.commands + run.numbers["flushes"]
        if packed:
            whole, trace = trace, bench.path("packed.tdt")
            subprocess.run([vm.BUILD / "tools/tracedisk", "pack", "-o", trace, whole],
                           check=True, stdout=subprocess.DEVNULL)
        figures.append(os.path.getsize(trace) / done)
        others.append(run.others)
        bench.remove_traces()
    return Result("bytes", measure.Spread.of(figures), {"commands": f"{done:,}"},
                  measure.Spread.of(others))


@case("bytes-4k", "bytes of trace per command: 4 KiB reads in sequence", Bar(64, at_most=True))
def bytes_4k(bench):
    return bytes_per_command(bench, READ_4K + " count=400000")


MIXED = "op=mixed size=64K elements=16 depth=32 order=random count=400000"


@case("bytes-mixed", "bytes of trace per command: reads, writes and flushes, random LBAs, "
      "1 to 16 elements", Bar(64, at_most=True))
def bytes_mixed(bench):
    return bytes_per_command(bench, MIXED)


@case("bytes-packed", "the same, packed", Bar(24, at_most=True))
def bytes_packed(bench):
    return bytes_per_command(bench, MIXED, packed=True)


@case("recorder", "CPU time of the recorder per command of one element, without hash",
      Bar(300, at_most=True))
def recorder(bench):
    figures, size = [], 0
    others = bench.others()
    for i in range(bench.pairs):
        bench.progress(f"run {i + 1} of {bench.pairs}")
        text = subprocess.run([vm.BUILD / "bench/bench-recorder", bench.path("bench.tdt"),
                               str(RECORDER_COMMANDS)], check=True, capture_output=True,
                              text=True).stdout
        numbers = json.loads(text)
        figures.append(numbers["cpu_ns"] / numbers["commands"])
        size = numbers["bytes"] / numbers["commands"]
        bench.remove_traces()
    return Result("ns", measure.Spread.of(figures), {"bytes per command": f"{size:.1f}"},
                  others())


@case("find", "wall time of `tracedisk find` of 64 KiB in a trace of 1e6 commands with sectors=on",
      Bar(1, at_most=True))
def find(bench):
    trace, buffer = bench.path("find.tdt"), bench.path("buffer")
    bench.progress("making a trace")
    subprocess.run([vm.BUILD / "bench/bench-gen-trace", trace, "1000000", "sectors"], check=True)
    size = os.path.getsize(trace)
    with open(buffer, "wb") as file:
        file.write(os.urandom(65536))
    figures = []
    others = bench.others()
    for i in range(bench.pairs):
        bench.progress(f"run {i + 1} of {bench.pairs}")
        start = time.monotonic()
        done = subprocess.run([vm.BUILD / "tools/tracedisk", "find", buffer, trace],
                              stdout=subprocess.DEVNULL, check=False)
        figures.append(time.monotonic() - start)
        if done.returncode != 1:  # no command has carried what nobody knew
            raise vm.Trouble(f"tracedisk find ended with {done.returncode}")
    bench.remove_traces()
    os.unlink(buffer)
    return Result("s", measure.Spread.of(figures), {
        "trace": f"{size / 1e6:.0f} MB, 4 KiB a command"}, others())


def seconds_and_mib(seconds, usage):
    return seconds, usage.ru_maxrss / 1024


def text_dump(trace, path):
    """Without times and sequence numbers, which differ always."""
    with open(path, "wb") as file:
        dump = subprocess.Popen([vm.BUILD / "tools/tracedisk", "dump", trace],
                                stdout=subprocess.PIPE)
        subprocess.run(["cut", "-c33-"], stdin=dump.stdout, stdout=file, check=True)
        dump.stdout.close()
        if dump.wait():
            raise vm.Trouble(f"tracedisk dump ended with {dump.returncode}")


def compared_traces(bench, commands, percent, runs):
    """Spreads of seconds and MiB of tracedisk diff; GNU diff's, on the text dumps."""
    traces = [bench.path("a.tdt"), bench.path("b.tdt")]
    texts = [bench.path("a.txt"), bench.path("b.txt")]
    bench.progress("making the traces")
    for trace, edits in zip(traces, (0, percent)):
        subprocess.run([vm.BUILD / "bench/bench-gen-edits", trace, str(commands), str(edits)],
                       check=True)
    ours = []
    for i in range(runs):
        bench.progress(f"run {i + 1} of {runs}")
        ours.append(seconds_and_mib(*used_by_tool("diff", "--lint", "never", *traces, fine=(0, 1))))
    bench.progress("GNU diff on the text dumps")
    for trace, text in zip(traces, texts):
        text_dump(trace, text)
    gnu = seconds_and_mib(*used(["diff", *texts], fine=(0, 1)))
    for text in texts:
        os.unlink(text)
    bench.remove_traces()
    return *(measure.Spread.of(figures) for figures in zip(*ours)), gnu


def diff_case(commands, percent, runs=9):
    def run(bench):
        others = bench.others()
        seconds, memory, (gnu_seconds, gnu_memory) = compared_traces(
            bench, commands, percent, min(runs, bench.pairs))
        return Result("s", seconds, {
            "peak memory": f"{memory.max:,.0f} MiB",
            "GNU diff on the text dumps": f"{gnu_seconds:.2f} s, {gnu_memory:,.0f} MiB",
            "ours ÷ GNU diff": f"time {seconds.median / gnu_seconds:.2f}, "
                               f"memory {memory.max / gnu_memory:.2f}"}, others())
    return run


DIFF = "wall time of `tracedisk diff` (without lint) of two runs of a job of"

CASES += [
    Case("diff-1e5", f"{DIFF} 1e5 commands, 1 % of them edited", None, diff_case(100_000, 1)),
    Case("diff-1e6", f"{DIFF} 1e6 commands, 1 %", Bar(1, at_most=True), diff_case(1_000_000, 1)),
    Case("diff-1e6-30", f"{DIFF} 1e6 commands, 30 %", Bar(2, at_most=True),
         diff_case(1_000_000, 30)),
    Case("diff-1e7", f"{DIFF} 1e7 commands, 1 %", Bar(10, at_most=True),
         diff_case(10_000_000, 1, 3)),
]


@case("diff-1e7-memory", "its peak memory; the bar is 1 GiB", Bar(1024, at_most=True))
def diff_memory(bench):
    others = bench.others()
    _, memory, (_, gnu_memory) = compared_traces(bench, 10_000_000, 1, 1)
    return Result("MiB", memory, {"GNU diff on the text dumps": f"{gnu_memory:,.0f} MiB"}, others())


def export(bench, to):
    """Commands a second of CPU time; a mixed job of 1 to 16 elements each."""
    trace = bench.path("export.tdt")
    bench.progress("making a trace")
    subprocess.run([vm.BUILD / "bench/bench-gen-trace", trace, str(EXPORT_COMMANDS)], check=True)
    figures = []
    others = bench.others()
    for i in range(bench.pairs):
        bench.progress(f"run {i + 1} of {bench.pairs}")
        _, usage = used_by_tool("export", "--to", to, trace)
        figures.append(EXPORT_COMMANDS / (usage.ru_utime + usage.ru_stime) / 1e3)
    bench.remove_traces()
    return Result("k/s", measure.Spread.of(figures), {"commands": f"{EXPORT_COMMANDS:,}"}, others())


@case("export-jsonl", "commands that `tracedisk export --to jsonl` writes per second of CPU time, "
      "in thousands", Bar(300))
def export_jsonl(bench):
    return export(bench, "jsonl")


@case("export-pcapng", "the same with `--to pcapng`", Bar(300))
def export_pcapng(bench):
    return export(bench, "pcapng")


@case("memory", "the most memory that a subcommand needs for a trace of 1e7 commands at random "
      "LBAs (verify and diff left out)", Bar(256, at_most=True))
def memory(bench):
    trace, buffer, made = bench.path("memory.tdt"), bench.path("buffer"), bench.path("made.tdt")
    bench.progress("making a trace")
    subprocess.run([vm.BUILD / "bench/bench-gen-trace", trace, str(MEMORY_COMMANDS)], check=True)
    with open(buffer, "wb") as file:
        file.write(os.urandom(65536))
    peaks = {}
    others = bench.others()
    for words in (["dump"], ["stat"], ["page", "0x4000000"], ["lba", "4096"], ["find", buffer],
                  ["export", "--to", "csv"], ["export", "--to", "jsonl"],
                  ["export", "--to", "pcapng"], ["export", "--to", "sqlite", "-o", made],
                  ["report", "-o", made], ["lint"], ["lint", "--blank"], ["pack", "-o", made]):
        name = " ".join(word for word in words if word not in (buffer, made, "-o", "--to"))
        bench.progress(name)
        # Without hashes of blocks, find ends with 2, but it has read the whole trace.
        _, usage = used_by_tool(*words, trace, fine=(0, 1, 2))
        peaks[name] = usage.ru_maxrss / 1024
        if os.path.exists(made):
            os.unlink(made)
    bench.remove_traces()
    os.unlink(buffer)
    return Result("MiB", measure.Spread.of([max(peaks.values())]),
                  {name: f"{mib:.0f}" for name, mib in peaks.items()}, others())


@case("scan", "records that `tracedisk stat` reads per second of CPU time, in millions", Bar(5))
def scan(bench):
    trace = bench.path("scan.tdt")
    bench.progress("making a trace")
    subprocess.run([vm.BUILD / "bench/bench-gen-trace", trace, str(SCAN_COMMANDS)], check=True)
    size = os.path.getsize(trace)
    figures, walls = [], []
    others = bench.others()
    for i in range(bench.pairs):
        bench.progress(f"run {i + 1} of {bench.pairs}")
        wall, usage = used_by_tool("stat", trace)
        walls.append(wall)
        figures.append(2 * SCAN_COMMANDS / (usage.ru_utime + usage.ru_stime) / 1e6)
    bench.remove_traces()
    return Result("M/s", measure.Spread.of(figures), {
        "trace": f"{2 * SCAN_COMMANDS / 1e6:g} million records, {size / 1e6:.0f} MB",
        "wall time": f"{measure.Spread.of(walls).median:.2f} s"}, others())


@case("seek", "`tracedisk dump --since` of the last thousandth of a trace: CPU time without an "
      "index ÷ with the one of its packed copy", Bar(8))
def seek(bench):
    whole, packed = bench.path("seek.tdt"), bench.path("packed.tdt")
    bench.progress("making a trace")
    subprocess.run([vm.BUILD / "bench/bench-gen-trace", whole, str(SCAN_COMMANDS)], check=True)
    used_by_tool("pack", "-o", packed, whole)
    since = str(SCAN_COMMANDS * JOB_NS // 1000 * 999)
    ratios, seconds = [], []
    others = bench.others()
    for i in range(bench.pairs):
        bench.progress(f"run {i + 1} of {bench.pairs}")
        usages = [used_by_tool("dump", "--since", since, trace)[1] for trace in (whole, packed)]
        without, seconds_with = (usage.ru_utime + usage.ru_stime for usage in usages)
        seconds.append(seconds_with)
        ratios.append(without / seconds_with)
    bench.remove_traces()
    return Result("×", measure.Spread.of(ratios), {
        "commands": f"{SCAN_COMMANDS:,}",
        "with the index": f"{measure.Spread.of(seconds).median * 1e3:.0f} ms"}, others())


@case("replay", "reads that `tracedisk replay --reads-only` does again per second of wall time, on an "
      "empty raw image, in thousands: up to 64 KiB each, 32 in flight")
def replay(bench):
    trace, target = bench.path("replay.tdt"), bench.path("target.img")
    bench.progress("making a trace")
    subprocess.run([vm.BUILD / "bench/bench-gen-trace", trace, str(REPLAY_COMMANDS), "small"],
                   check=True)
    with open(target, "wb") as file:
        file.truncate(64 << 20)
    figures = []
    others = bench.others()
    for i in range(bench.pairs):
        bench.progress(f"run {i + 1} of {bench.pairs}")
        done = subprocess.run([vm.BUILD / "tools/tracedisk", "replay", "--reads-only", "--json",
                               trace, target], stdout=subprocess.PIPE, check=False, text=True)
        if done.returncode not in (0, 1):  # the bytes differ: they were made up
            raise vm.Trouble(f"tracedisk replay ended with {done.returncode}")
        summary = json.loads(done.stdout.splitlines()[-1])
        figures.append(summary["commands"] / summary["seconds"] / 1e3)
    bench.remove_traces()
    os.unlink(target)
    return Result("k/s", measure.Spread.of(figures), {"commands": f"{summary['commands']:,}"},
                  others())
