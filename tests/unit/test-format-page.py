#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A second reader, written from tracedisk-format(5) alone.

It must read random traces as libtracedisk does: where the two differ, the page
or the library is wrong. Usage: test-format-page.py REFERENCE PAGE
"""
import itertools
import os
import re
import struct
import subprocess
import sys
import tempfile
import zlib

MAGIC = bytes.fromhex("895444540d0a1a0a")
END = bytes.fromhex("895444454e440d0a")
SLOT = 65536
HEADER, DEVICE, SUBMIT, COMPLETE, EVENT, MARK, LOST = range(1, 8)
PAYLOAD, STACK, INDEX = 8, 9, 10
ORIGIN = OBSERVED = 1
SECTORS = 2
PARTS = 3
DIGEST_SIZE = {0: 0, 1: 4, 2: 16}
WRAP = 2**64


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def left(self):
        return len(self.data) - self.at

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                assert value < WRAP
                return value
            shift += 7

    def signed(self):
        return unzigzag(self.varint())

    def bytes(self, n):
        assert n <= self.left()
        self.at += n
        return self.data[self.at - n : self.at]

    def text(self):
        return self.bytes(self.varint())

    def pairs(self):
        return [(self.text(), self.text()) for _ in range(self.varint())]


def unzigzag(value):
    return -(value + 1) // 2 if value & 1 else value // 2


def words(*values):
    """As reference.c prints them: numbers, and bytes in hexadecimal."""
    return "".join(
        f" {v.hex()}." if isinstance(v, bytes) else f" {v}" for v in values
    )


class Block:
    """One block's records as (seq, line); the state is as on the page."""

    def __init__(self, header, records, seen):
        self.stream, self.flags, self.seen = header["stream"], header["flags"], seen
        self.seq, self.time = header["first_seq"] - 1, header["first_time"]
        self.device = self.port = self.tag = 0
        self.raw_len = {0: 20, 1: 10}
        self.raw = {}
        self.ata = (0x50, 0)
        self.digest_kind = 2
        self.template = []
        self.metadata_addr = {}
        self.event_addr = {}
        self.cursor = Cursor(records)

    def __iter__(self):
        while self.cursor.left():
            tag = self.cursor.varint()
            body = Cursor(self.cursor.bytes(self.cursor.varint()))
            step = body.varint() if tag & 1 else 1
            self.seq += step
            self.time = (self.time + body.signed()) % WRAP
            ref = (self.seq - body.varint()) % WRAP if tag & 2 else None
            kind = tag // 4
            if kind == INDEX:
                assert step == 0 and self.flags == 1
                yield self.seq, Index(body)
                continue
            fields = self.fields(kind, body, ref)
            sectors, parts = b"", []
            while body.left():
                extension = body.varint()
                content = Cursor(body.bytes(body.varint()))
                if kind == COMPLETE and extension == OBSERVED:
                    fields += words(*decode_elements(content, content.varint()))
                if kind == COMPLETE and extension == SECTORS:
                    sectors = content.bytes(content.left())
                if kind == COMPLETE and extension == PARTS:
                    parts = decode_parts(content, ref)
                if kind == SUBMIT and extension == ORIGIN:
                    fields += words(*decode_origin(content))
            if kind == COMPLETE:
                fields += words(sectors, *parts)
            seq = self.seq
            if kind in (HEADER, DEVICE) and ref is not None:
                assert step == 0
                if ref in self.seen:
                    continue
                seq = ref
            self.seen.add(seq)
            yield seq, words(seq, self.time, self.stream, kind) + fields

    def fields(self, kind, c, ref):
        if kind == HEADER:
            pairs = c.pairs()
            return words(len(pairs), *sum(pairs, ()))
        if kind == DEVICE:
            numbers = [c.varint() for _ in range(6)]
            texts = [c.text(), c.text()]
            pairs = c.pairs()
            return words(*numbers, *texts, len(pairs), *sum(pairs, ()))
        if kind == SUBMIT:
            return self.submit(c)
        if kind == COMPLETE:
            return self.complete(c, ref)
        if kind == EVENT:
            return self.event(c, ref)
        if kind == PAYLOAD:
            return words(c.varint(), c.varint(), c.bytes(c.varint()))
        if kind == STACK:
            device, addr, n = c.varint(), c.varint(), c.varint()
            return words(device, addr, masked(c, bytearray(n)))
        assert kind in (MARK, LOST)
        return words(c.varint(), c.text())

    def submit(self, c):
        what = c.byte()
        protocol = what & 3
        if what & 4:
            self.device = c.varint()
        if what & 8:
            self.port = c.varint()
        self.tag = (self.tag + c.signed()) % WRAP
        if what & 16:
            self.raw_len[protocol] = c.varint()
        n = self.raw_len.get(protocol, 0)
        raw = masked(c, bytearray(self.raw.get((protocol, n), bytes(n))))
        if protocol < 2 and n <= 32:
            self.raw[(protocol, n)] = raw
        elements = []
        if what & 32:
            count = c.varint()
            elements = decode_elements(Cursor(c.bytes(c.varint())), count)
        return words(self.device, protocol, self.port, self.tag, raw, *elements)

    def complete(self, c, ref):
        what = c.varint()
        assert what < 1 << 16
        if what & 1 << 6:
            self.device = c.varint()
        status = c.varint() if what & 3 == 3 else what & 3
        moved = 0
        if what & 1 << 2:
            moved = 512 * c.varint() % WRAP
        if what & 1 << 7:
            moved = c.varint()
        residual = c.varint() if what & 1 << 8 else 0
        flags = c.varint() if what & 1 << 9 else 0
        ata = (0, 0, 0)
        if what & 1 << 3:
            if what & 1 << 10:
                self.ata = (c.byte(), c.byte())
            ata = (1, *self.ata)
        scsi = c.byte() if what & 1 << 14 else 0
        sense = c.bytes(c.varint()) if what & 1 << 15 else b""
        digest = (0, b"")
        if what & 1 << 4:
            if what & 1 << 11:
                self.digest_kind = c.byte()
            digest = (self.digest_kind, c.bytes(DIGEST_SIZE[self.digest_kind]))
        after = (0, b"")
        if what & 1 << 12:
            kind = c.byte()
            after = (kind, c.bytes(DIGEST_SIZE[kind]))
        metadata = self.metadata(c, what & 1 << 13) if what & 1 << 5 else []
        return words(self.device, ref, status, flags, moved, residual, *digest, *after, *ata,
                     scsi, sense, *metadata)

    def metadata(self, c, new):
        if new:
            self.template = [(c.varint(), c.varint()) for _ in range(c.varint())]
        result = []
        for kind, length in self.template:
            addr = (self.metadata_addr.get(kind % 16, 0) + c.signed()) % WRAP
            self.metadata_addr[kind % 16] = addr
            result += [kind, length, addr]
        return result

    def event(self, c, ref):
        kind = c.varint()
        what = c.byte()
        has = 0 if ref is None else 2
        port = addr = length = value = 0
        data = text = b""
        if what & 16:
            self.device = c.varint()
        if what & 1:
            has, port = has | 1, c.varint()
        if what & 2:
            addr = (self.event_addr.get(kind % 32, 0) + c.signed()) % WRAP
            self.event_addr[kind % 32] = addr
            has |= 4
        if what & 4:
            has, length = has | 8, c.varint()
        if what & 8:
            has, value = has | 16, c.varint()
        if what & 32:
            has, data = has | 32, c.bytes(c.varint())
        if what & 64:
            has, text = has | 64, c.text()
        return words(kind, self.device, has, port, ref or 0, addr, length, value, data, text)


def masked(c, data):
    """A mask, and the bytes whose bit is set."""
    mask = c.bytes((len(data) + 7) // 8)
    for i in range(len(data)):
        if mask[i // 8] >> (i % 8) & 1:
            data[i] = c.byte()
    return bytes(data)


def decode_origin(c):
    kind = c.varint()
    if kind not in (1, 3):
        return [kind] + 7 * [0]
    cpu, machine, pc, sp = (c.varint() for _ in range(4))
    fp = (sp + c.signed()) % WRAP
    result = [kind, cpu, machine, pc, sp, fp, c.varint(), c.varint()]
    last = pc
    for _ in range(c.varint()):
        last = (last + c.signed()) % WRAP
        result.append(last)
    assert not c.left()
    return result


def decode_parts(c, last):
    result = []
    while c.left():
        what = c.varint()
        seq = offset = 0
        if not what & 1:
            seq = last = (last + c.signed()) % WRAP
            offset = c.varint()
        result += [what // 2, seq, offset]
    return result


def decode_elements(c, count):
    page = flags = 0
    length = 4096
    result = []
    for _ in range(count):
        v = c.varint()
        offset = 0
        if v & 1:
            page += unzigzag(v // 2)
        else:
            page += unzigzag(v // 16)
            if v & 2:
                offset = c.varint()
            if v & 4:
                w = c.varint()
                length = 512 * (w // 2) if w & 1 else w // 2
            if v & 8:
                flags = c.varint()
        result += [(4096 * page + offset) % WRAP, length, flags]
    assert not c.left()
    return result


def read_blocks(data):
    """(header, records) of every block; the trace must be sound and finished."""
    at = 0
    while data[at : at + 8] != END:
        h = data[at : at + 64]
        if h[:8] == bytes(8) and not any(data[at + SLOT // 2 : at + SLOT]):
            at += SLOT
            continue
        assert h[:8] == MAGIC and zlib.crc32(h[:52]) == struct.unpack_from("<I", h, 52)[0]
        major, _, header_len, codec, flags = struct.unpack_from("<HHHBB", h, 8)
        capacity, stream, index, raw_len = struct.unpack_from("<IIII", h, 16)
        first_seq, first_time = struct.unpack_from("<QQ", h, 32)
        published, crc = struct.unpack_from("<II", h, 56)
        assert major == 1
        records = data[at + header_len : at + header_len + published]
        assert zlib.crc32(records) == crc
        if codec == 1:
            records = zlib.decompress(records)
            assert len(records) == raw_len
        yield {"stream": stream, "index": index, "flags": flags, "first_seq": first_seq,
               "first_time": first_time}, records
        at += capacity
    assert at + 8 == len(data)


def read_trace(data):
    seen = set()
    blocks = sorted(read_blocks(data), key=lambda b: b[0]["first_seq"])
    records = [r for header, records in blocks for r in Block(header, records, seen)]
    index = [r for _, r in records if isinstance(r, Index)]
    records = sorted(r for r in records if r[1] not in index)
    assert [seq for seq, _ in records] == list(range(1, len(records) + 1))
    return [line for _, line in records], index


class Index:
    def __init__(self, c):
        self.checkpoints = list(self.entries(c, c.varint))
        times = itertools.accumulate(time for _, time in self.checkpoints)
        self.checkpoints = [(seq, time) for (seq, _), time in zip(self.checkpoints, times)]
        self.standing = list(self.entries(c, c.varint))
        self.marks = list(self.entries(c, c.text))
        assert not c.left()

    @staticmethod
    def entries(c, value):
        seq = 0
        for _ in range(c.varint()):
            seq += c.varint()
            yield seq, value()

    def stand_at(self, place):
        """The records that stand at a checkpoint, by its number."""
        for seq, checkpoints in self.standing:
            first = next((i for i, (at, _) in enumerate(self.checkpoints) if at > seq), place + 1)
            if first <= place and (not checkpoints or place < first + checkpoints):
                yield seq


def stand_before(lines, place):
    """The records before a sequence number that stand there; MARKs' names; the latest time."""
    standing, submits, stacks, marks, latest = set(), set(), {}, [], 0
    for line in lines[:place - 1]:
        seq, time, _, kind, *rest = line.split()
        seq, kind = int(seq), int(kind)
        latest = max(latest, int(time))
        if kind in (HEADER, DEVICE, MARK, LOST, SUBMIT):
            standing.add(seq)
        if kind == SUBMIT:
            submits.add(seq)
        if kind == MARK:
            marks.append((seq, bytes.fromhex(rest[1][:-1])))
        if kind == COMPLETE and int(rest[1]) in submits:
            standing.discard(int(rest[1]))
        if kind == STACK:
            stacks.setdefault(rest[0], []).append(seq)
    for of_device in stacks.values():
        standing.update(of_device[-64:])
    return sorted(standing), marks, latest


def index_is_right(index, lines):
    for i, (seq, latest) in enumerate(index.checkpoints):
        if (list(index.stand_at(i)), latest) != stand_before(lines, seq)[::2]:
            print(f"# checkpoint {i}: other records stand there, or another time")
            return False
    return index.checkpoints and index.marks == stand_before(lines, len(lines) + 1)[1]


def page_example(page):
    """The bytes of the page's example, up to the first that it leaves out."""
    data = bytearray()
    text = open(page, encoding="utf-8").read().split(".Sh EXAMPLES")[1]
    for at, row in re.findall(r"^([0-9a-f]{2})  ((?:[0-9a-f]{2} )*[0-9a-f]{2})(?:  .*)?$",
                              text, re.M):
        assert int(at, 16) == len(data), f"offset {at} of the example is {len(data):02x}"
        data += bytes.fromhex(row)
    return bytes(data) + bytes(SLOT - len(data)) + END


def compare(reference, path, packed=False):
    with open(path, "rb") as file:
        ours, index = read_trace(file.read())
    theirs = subprocess.run([reference, "print", path], check=True, capture_output=True,
                            text=True).stdout.splitlines()
    for a, b in zip(ours, theirs):
        if a != b:
            print(f"# page:    {a[:300]}\n# library: {b[:300]}")
            return False
    return len(ours) == len(theirs) and len(ours) > 0 and \
        all(index_is_right(x, ours) for x in index) and (index or not packed)


def main():
    reference, page = sys.argv[1:]
    seeds = range(1, 6)
    print(f"1..{len(seeds) + 2}")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "trace.tdt")
        for i in seeds:
            subprocess.run([reference, "write", path, str(i)], check=True)
            ok = compare(reference, path)
            print(f"{'ok' if ok else 'not ok'} {i} - the page and the library agree, seed {i}")
        packed = os.path.join(folder, "packed.tdt")
        subprocess.run([reference, "pack", path, packed], check=True)
        ok = compare(reference, packed, packed=True)
        print(f"{'ok' if ok else 'not ok'} {len(seeds) + 1} - and so they do of its packed copy")
        with open(path, "wb") as file:
            file.write(page_example(page))
        ok = compare(reference, path)
        print(f"{'ok' if ok else 'not ok'} {len(seeds) + 2} - the page's example is a trace")


if __name__ == "__main__":
    main()
