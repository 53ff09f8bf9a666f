# SPDX-License-Identifier: GPL-2.0-or-later
"""DMA watches for the gdb that debugs a guest of QEMU.

    (gdb) target remote :1234
    (gdb) source share/tracedisk-gdb.py
    (gdb) dma-watch uap->buf, uap->nbyte
    (gdb) continue

gdb's own watchpoints see what the CPU does. These stop the guest where its
tracedisk moves data to or from memory, before the guest can learn of it. All
is asked of QEMU through "monitor" commands, so any gdb with Python will do.
"""
import bisect
import json
import os
import re
import subprocess

import gdb

PAGE = 4096
CONTAINERS = ("/machine/peripheral", "/machine/peripheral-anon")
SHOWN = 16  # bytes of a value in one line


# ---- QEMU's monitor ---------------------------------------------------------

def monitor(line):
    """What QEMU answers to an HMP command."""
    connection = gdb.selected_inferior().connection
    if connection is None or "remote" not in connection.type:
        raise gdb.GdbError("not connected to a guest: start QEMU with -gdb tcp:127.0.0.1:1234, "
                           "then 'target remote 127.0.0.1:1234'")
    try:
        return gdb.execute(f"monitor {line}", to_string=True).strip()
    except gdb.error as error:
        raise gdb.GdbError(f"no QEMU monitor behind this connection ('monitor' says: {error})")


def ask(line):
    """The same; an error message of QEMU's becomes an error here."""
    answer = monitor(line)
    if answer.startswith(("Error:", "unknown command")):
        raise gdb.GdbError(f"QEMU: {answer} (after '{line}')")
    return answer


def qom_get(path, name):
    return json.loads(ask(f"qom-get {path} {name}"))


def qom_set(path, name, value):
    ask(f"qom-set {path} {name} {value}")


def devices():
    """The QOM paths of the disks to watch: all of them, or the one that is set."""
    chosen = gdb.parameter("tracedisk-device")
    if chosen:
        return [chosen]
    found = []
    for container in CONTAINERS:
        for name, kind in re.findall(r"^(\S+) \(child<(.*)>\)", monitor(f"qom-list {container}"),
                                     re.M):
            if kind.startswith("tracedisk"):
                found.append(f"{container}/{name}")
    if not found:
        raise gdb.GdbError("this guest has no tracedisk (-device tracedisk,drive=…); if it is "
                           "hidden inside another device: set tracedisk-device QOM-PATH")
    return found


# ---- Guest memory -----------------------------------------------------------

def to_physical(address):
    thread = gdb.selected_thread()
    if thread:
        monitor(f"cpu {thread.ptid[1] - 1}")  # whose page tables
    answer = monitor(f"gva2gpa {address:#x}")
    found = re.search(r"gpa: (0x[0-9a-f]+)", answer)
    if not found:
        raise gdb.GdbError(f"{address:#x} is not mapped in the guest ({answer}): let the guest "
                           "touch the page first, or stop where it is mapped")
    return int(found[1], 16)


def pieces(address, length):
    """(virtual, physical, length) of a range, as few as there can be."""
    found = []
    end = address + length
    while address < end:
        n = min(end - address, PAGE - address % PAGE)
        physical = to_physical(address)
        if found and found[-1][1] + found[-1][2] == physical:
            found[-1] = (*found[-1][:2], found[-1][2] + n)
        else:
            found.append((address, physical, n))
        address += n
    return found


def split_length(text):
    """'EXPR, LEN' at its last comma outside of brackets and quotes."""
    depth, at, quote = 0, None, None
    for i, c in enumerate(text):
        if quote:
            quote = None if c == quote and text[i - 1] != "\\" else quote
        elif c in "\"'":
            quote = c
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == "," and not depth:
            at = i
    return (text, None) if at is None else (text[:at].strip(), text[at + 1:])


def evaluate(text):
    """(address, length) of 'EXPR[, LEN]'.

    A pointer or a number is the address; an array or structure is watched where it lies.
    """
    expression, length_text = split_length(text)
    if not expression:
        raise gdb.GdbError("which memory? Give EXPR[, LEN], such as: buf, 4096")
    value = gdb.parse_and_eval(expression)
    kind = value.type.strip_typedefs()
    if kind.code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
        value = value.referenced_value()
        kind = value.type.strip_typedefs()
    length = 1
    if kind.code == gdb.TYPE_CODE_PTR:
        address = int(value)
        length = max(kind.target().sizeof, 1)
    elif kind.code == gdb.TYPE_CODE_INT:
        address = int(value)
    elif value.address is not None:
        address = int(value.address)
        length = kind.sizeof
    else:
        raise gdb.GdbError(f"'{expression}' has no address in memory")
    if length_text is not None:
        length = int(gdb.parse_and_eval(length_text))
    if length <= 0:
        raise gdb.GdbError(f"a length of {length} bytes: there is nothing to look at")
    return address & (1 << 64) - 1, length


# ---- Watches ----------------------------------------------------------------

class Watch:
    def __init__(self, number, text, options):
        self.number = number
        self.text = text
        self.options = options
        self.hits = 0
        self.address, self.length = evaluate(text)
        self.pieces = pieces(self.address, self.length)
        self.devices = devices()

    def ranges(self):
        return {(device, f"{physical:#x}+{length}")
                for device in self.devices for _, physical, length in self.pieces}

    def set(self, wanted=None):
        for device, text in self.ranges():
            if wanted is None or (device, text) in wanted:
                qom_set(device, "watch", ",".join([text, *self.options]))

    def clear(self):
        for device, text in self.ranges():
            qom_set(device, "unwatch", text)

    def virtual(self, hit):
        """The virtual address of a hit's first byte in here, or None."""
        for virtual, physical, length in self.pieces:
            if hit["addr"] < physical + length and physical < hit["addr"] + hit["len"]:
                return virtual + max(hit["addr"] - physical, 0)
        return None

    def __str__(self):
        where = ", ".join(f"{physical:#x}+{length}" for _, physical, length in self.pieces)
        return (f"{self.number:<4}{','.join(self.options):<10}{self.hits:>5}  "
                f"{self.address:#x}+{self.length}  {where}  {self.text}")


watches = {}    # by number
last_seen = {}  # number of the last hit shown, by device
next_number = 1


def find_watch(hit):
    """(watch, virtual address); of a watch that was set some other way, (None, None)."""
    for watch in watches.values():
        virtual = watch.virtual(hit)
        if virtual is not None:
            return watch, virtual
    return None, None


def hex_bytes(text, count):
    shown = text[:2 * count]
    return " ".join(re.findall("..", shown)) + (" …" if len(text) > len(shown) else "")


def describe(device, hit, count=SHOWN):
    watch, virtual = find_watch(hit)
    lines = [f"DMA watch {watch.number}: {watch.text}" if watch else "DMA watch", ""]
    wrote = "wrote" if hit["direction"] == "write" else "read"
    if hit["element"] < 0:
        lines.append(f"The HBA {wrote} its {hit['command']} of command #{hit['seq']}, "
                     f"{hit['len']} bytes")
    else:
        block = f"LBA {hit['lba']}, " if hit["lba"] >= 0 else ""
        lines.append(f"{hit['command']} (#{hit['seq']}) {wrote} {hit['len']} bytes: {block}"
                     f"element {hit['element']} at offset {hit['offset']}")
    if "earlier-element" in hit:
        lines.append(f"over what its element {hit['earlier-element']} wrote")
    virtually = f"{virtual:#x} = " if virtual is not None else ""
    lines += ["", f"Address   = {virtually}physical {hit['addr']:#x}"]
    if hit["new"] and hit["direction"] == "read":
        lines.append(f"Value     = {hex_bytes(hit['new'], count)}")
    elif hit["new"]:
        old = hex_bytes(hit["old"], count) if "old" in hit else "<not known>"
        lines.append(f"Old value = {old}")
        lines.append(f"New value = {hex_bytes(hit['new'], count)}")
    lines += describe_origin(hit, stack_of(device, hit))
    return "\n".join(lines)


# ---- Who asked --------------------------------------------------------------

def kernel_symbols():
    """[(address, name, is code)…] of the file that is set as tracedisk-kallsyms."""
    path = gdb.parameter("tracedisk-kallsyms")
    if not path:
        return []
    if path not in kallsyms:
        try:
            with open(path, encoding="utf-8") as file:
                words = [line.split() for line in file]
        except OSError as error:
            raise gdb.GdbError(f"{path}: {error.strerror}; see 'help set tracedisk-kallsyms'")
        kallsyms[path] = sorted((int(w[0], 16), " ".join(w[2:]), w[1] in "tTwW")
                                for w in words if len(w) > 2)
    return kallsyms[path]


kallsyms = {}  # by path


def function_at(address):
    """'name + offset (file:line)' of an address of code, or None."""
    symbols = kernel_symbols()
    at = bisect.bisect_right(symbols, (address, "\x7f")) - 1
    if at >= 0:
        start, name, code = symbols[at]
        if not code or address - start >= 0x10000:
            return None
        return f"{name} + {address - start}" if address > start else name
    found = re.match(r"(.*) in section \.(?:\S*text|\S*plt|boot)",
                     gdb.execute(f"info symbol {address:#x}", to_string=True))
    if not found:
        return None
    line = gdb.find_pc_line(address)
    where = f" ({os.path.basename(line.symtab.filename)}:{line.line})" if line.symtab else ""
    return found[1] + where


def words_of_code(stack, word):
    """Words on a stack that are addresses behind a function's beginning."""
    data = bytes.fromhex(stack)
    for at in range(0, len(data) - word + 1, word):
        address = int.from_bytes(data[at:at + word], "little")
        name = address and function_at(address - 1)
        if name and " + " in (function_at(address) or ""):
            yield address, name


def describe_origin(hit, stack):
    """The lines that tell who issued the command, as far as it is known."""
    origin = hit.get("origin")
    if not origin:
        return []
    if origin["kind"] == "unseen":
        return ["", "Issued out of sight: not by a CPU's register access"]
    who = f"CPU {origin['cpu']}"
    if origin["kind"] == "inferred":
        who += ", the last to write to the HBA"
    lines = ["", f"Issued by {who}, at {origin['pc']:#x} {function_at(origin['pc']) or '??'}"]
    chain = [(address, function_at(address - 1)) for address in origin["chain"]]
    framed = chain and all(name for _, name in chain)
    word = 4 if origin["machine"] == 3 else 8
    guesses = []
    if framed:
        # A function without a frame of its own: who called it is below the first frame.
        below = (stack or "")[:2 * (origin["fp"] - origin["sp"])]
        guesses = list(words_of_code(below, word))[:1]
    elif stack:
        guesses = list(words_of_code(stack, word))
        lines.append("  a guess: what on its stack is an address of code")
    lines += [f"  from? {address:#x} {name}" for address, name in guesses]
    if framed or not stack:
        lines += [f"  from {address:#x} {name or '??'}" for address, name in chain]
    return lines


def stack_of(device, hit):
    """The stack that only the last hit is told with."""
    last = qom_get(device, "last-watch-hit") if "origin" in hit else {}
    return last.get("stack") if last.get("number") == hit["number"] else None


def new_hits():
    """The hits since the last look, oldest first by disk."""
    found = []
    for device in sorted({d for w in watches.values() for d in w.devices}):
        hits = qom_get(device, "watch-hits")
        found += [(device, h) for h in hits if h["number"] > last_seen.get(device, 0)]
        if hits:
            last_seen[device] = hits[-1]["number"]
    return found


def on_stop(event):
    if not watches:
        return
    try:
        for device, hit in new_hits():
            watch, _ = find_watch(hit)
            if watch:
                watch.hits += 1
            print("\n" + describe(device, hit))
    except (gdb.error, gdb.GdbError) as error:
        print(f"DMA watches: {error}")


def forget(event):
    """The guest has gone, and its watches with it."""
    watches.clear()
    last_seen.clear()


# ---- Commands ---------------------------------------------------------------

class Command(gdb.Command):
    def __init__(self):
        super().__init__(self.name, gdb.COMMAND_BREAKPOINTS, self.complete_with)

    complete_with = gdb.COMPLETE_NONE


class DmaWatch(Command):
    """Stop the guest when its disk's DMA touches memory.

    dma-watch [-r|-w|-rw] [-lba A[-B]] [-skip N] EXPR[, LEN]

EXPR is the guest's, virtual. A pointer or a number is the address to watch, and
LEN the number of bytes (default: what the pointer points to); an array or a
structure is watched where it lies. -w, the default: the disk writes memory, as a
read command does; -r: it reads memory. -lba: only for these blocks. -skip: let
that many commands pass first.

What is watched is the physical memory that EXPR has now: an address that is
mapped elsewhere later must be watched again."""
    name = "dma-watch"
    complete_with = gdb.COMPLETE_EXPRESSION

    def invoke(self, text, from_tty):
        global next_number
        options, text = self.parse(text)
        watch = Watch(next_number, text.strip(), options)
        for device in watch.devices:
            if device not in last_seen:
                last_seen[device] = max((h["number"] for h in qom_get(device, "watch-hits")),
                                        default=0)
        watch.set()
        watches[watch.number] = watch
        next_number += 1
        where = ", ".join(f"{physical:#x}+{length}" for _, physical, length in watch.pieces)
        print(f"DMA watch {watch.number}: {watch.text} (physical {where})")

    @staticmethod
    def parse(text):
        """([word of the device's property "watch"…], the rest)"""
        direction, conditions = "w", []
        while True:
            found = re.match(r"\s*(?:-(rw|r|w)|-(lba|skip)\s+(\S+))\s+", text)
            if not found:
                break
            if found[1]:
                direction = found[1]
            else:
                conditions.append(f"{found[2]}={found[3]}")
            text = text[found.end():]
        return [direction, *conditions], text


class DmaUnwatch(Command):
    """Delete DMA watches: dma-unwatch [NUM…]; without a number, all of them."""
    name = "dma-unwatch"

    def invoke(self, text, from_tty):
        try:
            numbers = [int(word) for word in text.split()] or list(watches)
        except ValueError:
            raise gdb.GdbError(f"dma-unwatch takes numbers, see 'info dma-watch': {text}")
        for number in numbers:
            if number not in watches:
                raise gdb.GdbError(f"there is no DMA watch {number}, see 'info dma-watch'")
            gone = watches.pop(number)
            gone.clear()
            # The device has forgotten every watch on these ranges; others may want one.
            for watch in watches.values():
                watch.set(gone.ranges())


class InfoDmaWatch(Command):
    """List the DMA watches: number, kind, hits, virtual range, physical ranges, EXPR."""
    name = "info dma-watch"

    def invoke(self, text, from_tty):
        if not watches:
            print("No DMA watches.")
            return
        print(f"{'Num':<4}{'What':<10}{'Hits':>5}  Address  Physical  Expression")
        for watch in watches.values():
            print(watch)


class DmaLast(Command):
    """Show each disk's last DMA watch hit again, with up to 64 bytes of both values."""
    name = "dma-last"

    def invoke(self, text, from_tty):
        hits = [(device, qom_get(device, "last-watch-hit")) for device in devices()]
        hits = [(device, hit) for device, hit in hits if hit]
        if not hits:
            print("No DMA watch was hit yet.")
        for device, hit in hits:
            print(describe(device, hit, 64))


class DmaHistory(Command):
    """Tell which commands touched memory so far.

    dma-history [-all] EXPR[, LEN]

The last 20 are shown, or -all. EXPR is as in dma-watch. It is read from the trace of
the running guest, by the command tracedisk (see 'set tracedisk-command')."""
    name = "dma-history"
    complete_with = gdb.COMPLETE_EXPRESSION
    SHOWN = 20

    def invoke(self, text, from_tty):
        text, n_all = re.subn(r"^\s*-all\s+", "", text)
        address, length = evaluate(text)
        traces = dict.fromkeys(trace_of(device) for device in devices())
        found = []
        for virtual, physical, n in pieces(address, length):
            for page in range(physical & -PAGE, physical + n, PAGE):
                for trace in traces:
                    found += [(touch, virtual - physical) for touch in read_page(page, trace)
                              if overlaps(touch, physical, n)]
        found.sort(key=lambda f: (f[0].get("complete_ns", float("inf")), f[0]["seq"]))
        left_out = 0 if n_all else max(len(found) - self.SHOWN, 0)
        if left_out:
            print(f"({left_out} before these: dma-history -all)")
        for touch, shift in found[left_out:]:
            print(tell(touch, shift))
        if not found:
            print(f"No command of the trace touched {address:#x}+{length}.")


def overlaps(touch, physical, length):
    start = touch["page"] + touch["offset"]
    moves = touch["moved"] or touch["status"] == "pending"
    return moves and start < physical + length and physical < start + touch["len"]


def tell(touch, shift):
    """One touch of a page in a line; shift: from physical to virtual."""
    way = {"to-memory": "wrote", "from-memory": "read"}.get(touch["direction"], "used")
    block = f", LBA {touch['lba']}" if "lba" in touch else ""
    what = "" if touch["what"] == "payload" else f" {touch['what']}"
    when = touch.get("complete_ns", touch["submit_ns"])
    moved = ""
    if touch["moved"] != touch["len"] and touch["status"] != "pending":
        moved = f" ({touch['moved']} moved)"
    return (f"{when / 1e9:14.9f}  #{touch['seq']:<6} {touch['name']:<22} {way}{what} "
            f"{touch['page'] + touch['offset'] + shift:#x}+{touch['len']}{moved}{block}  "
            f"{touch['status']}")


def trace_of(device):
    trace = (gdb.parameter("tracedisk-trace") or qom_get(device, "trace") or
             qom_get(device, "drive") + ".tdt")
    if trace == "none":
        raise gdb.GdbError(f"{device} has trace=none: there is no history")
    if not os.path.exists(trace):
        raise gdb.GdbError(f"the trace '{trace}' of {device} is not here: give its path with 'set "
                           "tracedisk-trace PATH' (QEMU's folder is not gdb's)")
    return trace


def read_page(page, trace):
    command = gdb.parameter("tracedisk-command")
    try:
        done = subprocess.run([command, "page", "--json", hex(page), trace], text=True,
                              capture_output=True, check=False)
    except OSError as error:
        raise gdb.GdbError(f"cannot run '{command}': {error.strerror}; give its path with "
                           "'set tracedisk-command PATH'")
    if done.returncode not in (0, 1):
        raise gdb.GdbError(done.stderr.strip())
    touches = [json.loads(line) for line in done.stdout.splitlines()]
    return [touch for touch in touches if touch["type"] == "touch"]


# ---- Settings ---------------------------------------------------------------

class Path(gdb.Parameter):
    """For DMA watches."""

    def __init__(self, name, value, what):
        self.set_doc = f"Set {what}."
        self.show_doc = f"Show {what}."
        super().__init__(name, gdb.COMMAND_SUPPORT, gdb.PARAM_STRING_NOESCAPE)
        self.value = value

    def get_set_string(self):
        return ""

    def get_show_string(self, value):
        return value or "(found by itself)"


def built_command():
    """The command of the build that this file lies beside, or else the one in PATH."""
    here = os.path.dirname(os.path.abspath(__file__))
    built = os.path.join(here, "../build/tools/tracedisk")
    return os.path.normpath(built) if os.path.exists(built) else "tracedisk"


for command in (DmaWatch, DmaUnwatch, InfoDmaWatch, DmaLast, DmaHistory):
    command()
Path("tracedisk-device", "", "the QOM path of the disk that DMA watches are for; empty: all disks")
Path("tracedisk-trace", "", "the trace that dma-history reads; empty: where QEMU writes it")
Path("tracedisk-command", built_command(), "the command tracedisk, which dma-history runs")
Path("tracedisk-kallsyms", "", "a copy of the guest's /proc/kallsyms, for who issued a command; "
     "empty: gdb's own symbols")
gdb.events.stop.connect(on_stop)
gdb.events.exited.connect(forget)
gdb.events.connection_removed.connect(forget)
