# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest's view of its requests against the commands of the trace.

Each function gives a list of problems, in words; an empty list is good news.
"""
import itertools
import zlib

PAGE = 4096


def data(requests):
    """Did each request move the bytes that content.replay says?"""
    for request in requests:
        if request.payload is not None and zlib.crc32(request.payload) != request.crc32:
            yield (f"{request}: the buffers' crc32 is {request.crc32:08x}, "
                   f"expected {zlib.crc32(request.payload):08x}")


def match(requests, commands, flushes=True):
    """Find the commands that carried each request.

    The requests came one after the other, but for groups of them, so their
    commands do as well; a request may have been split into several, in any
    order. Returns a list of (request, its commands in order of LBA) and a list
    of problems: requests without commands, and commands in between that carried
    no request. Without `flushes` the driver does not send them.
    """
    commands = [c for c in commands if c.op in ("read", "write", "flush", *DISCARDS)]
    pairs, problems, at = [], [], 0
    for together in groups(requests):
        owners = [Owner(r, flushes) for r in together
                  if (r.must_fail or not r.error) and (flushes or r.op != "flush")]
        skipped, here = [], at
        while here < len(commands) and not all(owner.done for owner in owners):
            command = commands[here]
            here += 1
            if not any(owner.take(command) for owner in owners):
                skipped.append(command)
        if not all(owner.done for owner in owners):
            problems += [f"{owner.request}: no command carried{owner.missing}"
                         for owner in owners if not owner.done]
            continue
        while here < len(commands) and any(owner.take_more(commands[here]) for owner in owners):
            here += 1
        if pairs:
            # Before the first request there is the kernel's look at the disk.
            problems += [f"{c}: no request of the guest asked for it" for c in skipped]
        for owner in owners:
            problems += owner.problems()
            pairs.append((owner.request, sorted(owner.moves, key=lambda c: c.offset)))
        at = here
    return pairs, problems


DISCARDS = ("trim", "zero")  # what a discard becomes: TRIM or UNMAP; WRITE SAME


def groups(requests):
    for _, together in itertools.groupby(requests, lambda r: (r.group, r.group or r.number)):
        yield list(together)


class Owner:
    """A request, and the commands that carried it."""

    def __init__(self, request, flushes=True):
        self.request = request
        self.flushes = flushes
        self.commands = []
        self.left = request.length if request.moved else 0

    @property
    def done(self):
        return bool(self.commands) and self.left <= 0

    @property
    def missing(self):
        return f" all of it; {self.left} bytes are missing" if self.commands else " it"

    @property
    def moves(self):
        """Its commands, without the flushes of a write that was to be on the medium."""
        return [c for c in self.commands if c.op == self.request.op or c.op != "flush"]

    def carried_by(self, command):
        request = self.request
        if request.op == "discard":
            return command.op in DISCARDS
        return (command.op == request.op and
                (command.op == "flush" or
                 request.offset <= command.offset and
                 command.offset + command.length <= request.offset + request.length))

    def take(self, command):
        if self.done or not self.carried_by(command):
            # A piece of a write that is to be on the medium may have its own flush.
            return bool(self.commands) and self.take_flush(command)
        self.commands.append(command)
        self.left -= command.length
        return True

    def take_flush(self, command):
        if not self.request.sync or command.op != "flush":
            return False
        self.commands.append(command)
        return True

    def take_more(self, command):
        """What may follow once each request has its commands."""
        if (self.request.must_fail and self.carried_by(command) and
                any(command.offset == c.offset for c in self.commands)):
            self.commands.append(command)  # tried again
            return True
        return self.take_flush(command)

    def problems(self):
        request = self.request
        if request.must_fail:
            if all(command.status == "good" for command in self.commands):
                yield f"{request}: failed, and none of its commands did"
            return
        for command in self.commands:
            if command.status != "good":
                yield f"{request}: {command} ended with status {command.status}"
        if request.moved:
            yield from self.coverage()
        if request.sync and self.flushes and not (
                all(command.fua for command in self.moves) or self.commands[-1].op == "flush"):
            yield f"{request}: returned without a flush, and its commands have no FUA"

    def coverage(self):
        """Do the commands cover the blocks, each once?"""
        end = self.request.offset
        for command in sorted(self.moves, key=lambda c: c.offset):
            if command.offset != end:
                yield (f"{self.request}: {command} does not begin where the one before it "
                       f"ends, {end:#x}")
            end = command.offset + command.length


def pages(elements):
    """The (address, length) of each page that a list of elements touches, in order.

    How a list is cut into elements is the driver's own affair: neighbours are
    joined before.
    """
    joined = []
    for address, length in elements:
        if joined and joined[-1][0] + joined[-1][1] == address:
            joined[-1] = (joined[-1][0], joined[-1][1] + length)
        else:
            joined.append((address, length))
    for address, length in joined:
        end = address + length
        while address < end:
            stop = min(end, (address // PAGE + 1) * PAGE)
            yield address, stop - address
            address = stop


def physical_pages(pairs):
    """Did the commands touch the pages that the guest says its buffers lie in?"""
    for request, carried in pairs:
        if not request.moved or request.bounced:
            continue
        guest = list(pages(request.elements))
        trace = list(pages(e for command in carried for e in command.elements))
        if any(command.observed for command in carried):
            guest, trace = (sorted({a // PAGE for a, _ in side}) for side in (guest, trace))
            if guest != trace:
                yield (f"{request}: pages {[hex(a * PAGE) for a in guest]}, "
                       f"the trace observed {[hex(a * PAGE) for a in trace]}")
        elif guest != trace:
            yield f"{request}: {first_difference(guest, trace)}"


def first_difference(guest, trace):
    for index, (ours, theirs) in enumerate(zip(guest, trace)):
        if ours != theirs:
            return (f"page {index} of {len(guest)} is {ours[0]:#x}+{ours[1]:#x} for the guest, "
                    f"{theirs[0]:#x}+{theirs[1]:#x} in the trace")
    return f"{len(guest)} pages for the guest, {len(trace)} in the trace"


def payload_hashes(pairs):
    """Does the trace's hash of each command agree with what the request moved?"""
    for request, carried in pairs:
        for command in carried if request.moved else ():
            start = command.offset - request.offset
            yield from hash_of(command, request.payload[start:start + command.length],
                               f"{request}: ")


def untouched_reads(commands, disk):
    """Does every read of blocks that nobody wrote carry what the image held?"""
    written = []
    for command in commands:
        end = command.offset + command.length
        if command.op in DISCARDS:
            written.append((0, len(disk)))  # the trace has no list of its blocks
        elif command.op == "write":
            written.append((command.offset, end))
        elif command.op == "read" and command.status == "good" and not any(
                start < end and command.offset < stop for start, stop in written):
            yield from hash_of(command, disk[command.offset:end])


def hash_of(command, payload, prefix=""):
    expected = f"crc32:{zlib.crc32(payload):08x}"
    if command.hash != expected:
        yield f"{prefix}{command} has hash {command.hash}, expected {expected}"


def unread(commands, needed):
    """Which of the needed slices of the disk did no command read?"""
    reads = sorted((c.offset, c.offset + c.length) for c in commands if c.op == "read")
    for part in needed:
        at = part.start
        for start, stop in reads:
            if start <= at < stop:
                at = stop
        if at < part.stop:
            yield f"no command read offset {at:#x}"


def limits(about, commands):
    """Does a command go beyond what the kernel says it knows of the disk and its HBA?"""
    queue, scsi = about["queue"], about["scsi"]
    largest, segments = queue["max_sectors_kb"] << 10, queue["max_segments"]
    moves = [c for c in commands if c.op in ("read", "write")]
    for command in moves:
        if command.length > largest:
            yield f"{command}: max_sectors_kb is {largest >> 10}"
        if len(command.elements) > segments and not command.observed:
            yield f"{command} has {len(command.elements)} elements; max_segments is {segments}"
    depth = deepest(moves)
    if depth > scsi["queue_depth"]:
        yield f"{depth} commands were in flight; queue_depth is {scsi['queue_depth']}"


def deepest(commands):
    """The most commands that were in flight at a time."""
    changes = []
    for command in commands:
        changes += [(command.submitted, 1)]
        changes += [(command.completed, -1)] if command.completed is not None else []
    return max(itertools.accumulate(step for _, step in sorted(changes)), default=0)
