# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest's view of its requests against the commands of the trace.

Each function gives a list of problems, in words; an empty list is good news.
"""
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

    The requests came one after the other, so their commands do as well; a
    request may have been split into several, in any order. Returns a list of
    (request, its commands in order of LBA) and a list of problems: requests
    without commands, and commands in between that carried no request. Without
    `flushes` the driver does not send them.
    """
    commands = [c for c in commands if c.op in ("read", "write", "flush")]
    pairs, problems, at = [], [], 0
    for request in requests:
        if request.error or request.op == "flush" and not flushes:
            continue
        carried, left, skipped, here = [], request.length, [], at
        while here < len(commands) and (left > 0 or not carried):
            command = commands[here]
            here += 1
            if carries(command, request):
                carried.append(command)
                left -= command.length
            else:
                skipped.append(command)
        if left > 0 or not carried:
            missing = f" all of it; {left} bytes are missing" if carried else " it"
            problems.append(f"{request}: no command carried{missing}")
            continue
        if pairs:
            # Before the first request there is the kernel's look at the disk.
            problems += [f"{c}: no request of the guest asked for it" for c in skipped]
        pairs.append((request, sorted(carried, key=lambda c: c.offset)))
        problems += coverage(*pairs[-1])
        at = here
    return pairs, problems


def carries(command, request):
    return (command.op == request.op and
            (command.op == "flush" or
             request.offset <= command.offset and
             command.offset + command.length <= request.offset + request.length))


def coverage(request, carried):
    """Do its commands cover a request's blocks, each once, and without error?"""
    for command in carried:
        if command.status != "good":
            yield f"{request}: {command} ended with status {command.status}"
    if request.op == "flush":
        return
    end = request.offset
    for command in carried:
        if command.offset != end:
            yield f"{request}: {command} does not begin where the one before it ends, {end:#x}"
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
        if request.op == "flush" or request.bounced:
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
        for command in carried:
            if command.op == "flush":
                continue
            start = command.offset - request.offset
            yield from hash_of(command, request.payload[start:start + command.length],
                               f"{request}: ")


def untouched_reads(commands, disk):
    """Does every read of blocks that nobody wrote carry what the image held?"""
    written = []
    for command in commands:
        end = command.offset + command.length
        if command.op == "write":
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
