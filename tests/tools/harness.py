# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the tracedisk command share.

A test is a function; it passes if it returns. `main` runs a list of them and
prints TAP. `Trace` collects records, writes them with make-trace, and knows
what `tracedisk dump --json` has to print for them.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import traceback

TRACEDISK, MAKE_TRACE, DOCS = (os.path.abspath(p) for p in sys.argv[1:4])

FINE, FINDINGS, TROUBLE = 0, 1, 2


class Skip(Exception):
    """A test cannot run here; says why."""


def main(*tests):
    failed = 0
    print(f"1..{len(tests)}")
    for number, test in enumerate(tests, 1):
        name = test.__name__.removeprefix("test_").replace("_", " ")
        try:
            with tempfile.TemporaryDirectory(prefix="tracedisk-test-") as folder:
                os.chdir(folder)
                try:
                    test()
                finally:
                    os.chdir("/")
            print(f"ok {number} - {name}", flush=True)
        except Skip as reason:
            print(f"ok {number} - {name} # SKIP {reason}", flush=True)
        except Exception:  # whatever it is, the next test shall run
            failed = 1
            print(f"not ok {number} - {name}")
            for line in traceback.format_exc().splitlines():
                print(f"# {line[:500]}", flush=True)
    sys.exit(failed)


def equal(found, expected, what=""):
    if found != expected:
        raise AssertionError(f"{what}\n  expected: {expected}\n  found:    {found}")


def true(condition, what):
    if not condition:
        raise AssertionError(what)


class Run:
    """One call of the command."""

    def __init__(self, *arguments, status=FINE, env=None, **options):
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("timeout", 60)
        done = subprocess.run([TRACEDISK, *map(str, arguments)], stderr=subprocess.PIPE,
                              env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}, **options)
        self.out = (done.stdout or b"").decode(errors="replace")  # pcapng is no text
        self.err = done.stderr.decode()
        self.status = done.returncode
        if status is not None:
            equal(done.returncode, status, f"exit status of {arguments}; stderr: {self.err}")
            if status == FINE:
                equal(self.err, "", f"stderr of {arguments}")

    def objects(self):
        return [json.loads(line) for line in self.out.split("\n")[:-1]]


def dump(trace, *arguments, **options):
    return Run("dump", "--json", *arguments, trace, **options).objects()


def commands(objects):
    return [o for o in objects if o["type"] == "command"]


# ---- Traces ----

ATA, SCSI = 0, 1
STATUSES = {"good": 0, "error": 1, "aborted": 2}
FLAGS = {"buffer-changed": 1, "list-short": 2, "list-long": 4, "outside-ram": 8}
METADATA = {"d2h-fis": 1, "pio-setup-fis": 2, "dma-setup-fis": 3, "sdb-fis": 4, "prdbc": 5}
EVENTS = {"reset": 1, "abort": 2, "fis": 3, "interrupt": 4, "register-read": 5,
          "register-write": 6, "watch": 7, "run-state": 8, "loadvm": 9, "guest-error": 10,
          "port": 11, "recording": 12, "io-error": 13, "fault": 14,
          "trim": 15}


def fis(command, lba=0, count=0, features=0, device=0x40):
    """A Register Host to Device FIS, as hex."""
    low, high = lba & 0xffffff, lba >> 24
    return (bytes([0x27, 0x80, command, features & 0xff]) + low.to_bytes(3, "little") +
            bytes([device]) + high.to_bytes(3, "little") + bytes([features >> 8]) +
            count.to_bytes(2, "little") + bytes(6)).hex()


class Trace:
    """Records for make-trace, and what dump --json has to say of each."""

    def __init__(self):
        self.lines = []
        self.expected = []
        self.clock = 1_000_000_000
        self.devices = {}

    def put(self, kind, **members):
        members.setdefault("time_ns", self.clock)
        self.clock += 1000
        self.lines.append({"put": kind, **members})
        return len(self.lines) - 1

    def header(self, **pairs):
        self.put("header", pairs=pairs)
        self.expected.append({"type": "header", "format": "tracedisk", "version": "1.3", **pairs})

    def device(self, number=0, name="d0", frontend="ahci", protocol=ATA, block=512,
               blocks=1 << 20, **pairs):
        self.devices[number] = {"device": name, "frontend": frontend}
        self.put("device", id=number, name=name, frontend=frontend, protocol=protocol,
                 logical_block_size=block, physical_block_size=block, blocks=blocks, hash=2,
                 pairs=pairs)
        self.expected.append({"type": "device", "id": number, "name": name, "frontend": frontend,
                              "protocol": "scsi" if protocol else "ata", "blocks": blocks,
                              "logical_block_size": block, "physical_block_size": block,
                              "hash": "xxh3", **pairs})

    def submit(self, raw, elements=(), tag=0, device=0, protocol=ATA, port=0, **decoded):
        """`decoded`: the keys that come out of raw: name, op, lba, …"""
        at = self.put("submit", device=device, protocol=protocol, port=port, tag=tag, raw=raw,
                      elements=[[hex(a), n, f] for a, n, f in elements])
        decoded.setdefault("flags", [])
        place = {"target": port >> 16, "lun": port & 0xffff} if protocol else {"port": port}
        said = [{"addr": a, "len": n, **({"observed": True} if f & 1 else {}),
                 **({"uncertain": True} if f & 2 else {})} for a, n, f in elements]
        self.lines[at]["expected"] = {
            "type": "command", **self.devices.get(device, {"device": f"#{device}"}),
            "protocol": "scsi" if protocol else "ata", **place, "raw": raw, "tag": tag,
            "submit_ns": self.lines[at]["time_ns"], "elements": said, "status": "pending",
            "line": at, **decoded}
        return at

    def complete(self, submit, status="good", bytes=0, residual=0, flags=(), digest="",
                 metadata=(), sense="", after="", ata=None, scsi_status=0, data=b"",
                 keep=False):
        expected = self.lines[submit]["expected"]
        scsi = expected["protocol"] == "scsi"
        members = {"digest": digest} if digest else {}
        members |= {"digest_after": after} if after else {}
        members |= {"data": data.hex()} if data else {}  # for its blocks' hashes
        members |= {"keep": True} if keep else {}
        members |= {"ata_status": ata[0], "ata_error": ata[1]} if ata else {}
        at = self.put("complete", submit=submit, status=STATUSES[status], bytes=bytes,
                      residual=residual, flags=sum(FLAGS[f] for f in flags), sense=sense,
                      device=self.lines[submit]["device"], scsi_status=scsi_status,
                      metadata=[[METADATA[k], hex(a), n] for k, a, n in metadata], **members)
        expected |= {"complete_ns": self.lines[at]["time_ns"], "status": status, "bytes": bytes,
                     "residual": residual}
        expected["flags"] = expected["flags"] + list(flags)
        if digest:
            expected["hash"] = hash_text(digest)
        if after and "buffer-changed" in flags:
            expected["hash_after"] = hash_text(after)
        if metadata:
            expected["metadata"] = [{"what": k, "addr": a, "len": n} for k, a, n in metadata]
        if status != "good" and ata:
            expected |= {"ata_status": ata[0], "ata_error": ata[1]}
        if status != "good" and scsi:
            expected["scsi_status"] = scsi_status
        if status != "good" and sense:
            raw = bytearray.fromhex(sense)
            key = (raw[1], raw[2], raw[3]) if raw[0] & 2 else (raw[2] & 15, raw[12], raw[13])
            expected["sense"] = "%02x/%02x/%02x" % key
        self.expected.append(expected)
        return at

    def command(self, raw, elements=(), complete=None, **submit):
        return self.complete(self.submit(raw, elements, **submit), **(complete or {}))

    def read(self, lba, blocks, *elements, tag=0, device=0, **complete):
        complete.setdefault("bytes", sum(n for _, n, *_ in elements))
        complete.setdefault("digest", "%032x" % (lba + 1))
        return self.command(fis(0x25, lba, blocks), [(*e, 0)[:3] for e in elements], complete,
                            tag=tag, device=device, name="READ DMA EXT", op="read", lba=lba,
                            blocks=blocks)

    def write(self, lba, blocks, *elements, tag=0, device=0, **complete):
        complete.setdefault("bytes", sum(n for _, n, *_ in elements))
        complete.setdefault("digest", "%032x" % (lba + 2))
        return self.command(fis(0x35, lba, blocks), [(*e, 0)[:3] for e in elements], complete,
                            tag=tag, device=device, name="WRITE DMA EXT", op="write", lba=lba,
                            blocks=blocks)

    def event(self, event, device=0, **members):
        at = self.put("event", type=EVENTS[event], device=device, **members)
        self.expected.append({"type": "event", "event": event,
                              "device": self.devices[device]["device"],
                              "time_ns": self.lines[at]["time_ns"], **members})
        return at

    def mark(self, name, device=0):
        self.put("mark", name=name, device=device)
        self.expected.append({"type": "mark", "name": name,
                              "device": self.devices[device]["device"]})

    def lost(self, records, reason):
        self.put("lost", records=records, reason=reason)
        self.expected.append({"type": "lost", "records": records, "reason": reason})

    def objects(self, seqs):
        """What dump --json has to print, given the records' sequence numbers."""
        done = [id(o) for o in self.expected]
        pending = [line["expected"] for line in self.lines
                   if line["put"] == "submit" and id(line["expected"]) not in done]
        objects = [dict(o) for o in self.expected + pending]
        for o in objects:
            if "line" in o:
                o["seq"] = seqs[o.pop("line")]
            if "ref" in o:
                o["ref"] = seqs[o["ref"]]
        return objects

    def text(self):
        return "".join(json.dumps({k: v for k, v in line.items() if k != "expected"}) + "\n"
                       for line in self.lines)

    def write_to(self, path):
        """Returns the sequence numbers of the records, in order of their lines."""
        done = subprocess.run([MAKE_TRACE, path], input=self.text().encode(), check=True,
                              stdout=subprocess.PIPE)
        return [int(word) for word in done.stdout.split()]



def hash_text(digest):
    return ("xxh3:" if len(digest) == 32 else "crc32:") + digest


def start(**options):
    """A trace with a header and one device."""
    trace = Trace()
    trace.header(tracedisk="0.1", qemu="7.2.22", machine="q35")
    trace.device(**options)
    return trace


def page_pieces(elements):
    """(page, offset, len) of every page that elements touch, in order."""
    for element in elements:
        at, left = element["addr"], element["len"]
        while left:
            n = min(left, 4096 - at % 4096)
            yield at - at % 4096, at % 4096, n
            at, left = at + n, left - n


def job(seed, count):
    """A made-up job with a bit of everything; the same for the same seed."""
    rng = random.Random(seed)
    trace = start(serial="QM00001")
    trace.device(1, "d1", "scsi", SCSI, 4096, wwn="0x5000c500a0000001")
    waiting = []
    for i in range(count):
        if rng.random() < 0.06:
            trace.mark(f"step {i}", rng.randrange(2))
        if rng.random() < 0.1:
            random_event(trace, rng, waiting)
        waiting.append(random_submit(trace, rng))
        while waiting and (len(waiting) > 12 or rng.random() < 0.4):
            random_complete(trace, rng, waiting.pop(rng.randrange(len(waiting))))
    return trace


def random_elements(rng, total):
    elements = []
    while total > 0:
        n = min(total, rng.choice([2, 510, 512, 4096, 8192, 65536]))
        addr = rng.randrange(0x100000, 0x140000) & ~rng.choice([1, 1, 511, 4095])
        if elements and rng.random() < 0.3:
            addr = elements[-1][0] + elements[-1][1]
        elements.append((addr, n, rng.choice([0, 0, 0, 1, 3])))
        total -= n
    return elements


def random_submit(trace, rng):
    lba, blocks = rng.randrange(0, 2000), rng.choice([1, 8, 16, 64])
    tag = rng.randrange(32)
    if rng.random() < 0.3:
        return random_scsi_submit(trace, rng, lba, blocks, rng.randrange(1 << 40))
    moved = {"lba": lba, "blocks": blocks}
    kind = rng.choice(["ncq-read", "ncq-write", "read", "write", "fua", "flush", "identify",
                       "verify", "trim", "unknown"])
    elements = random_elements(rng, blocks * 512)
    raw, decoded = {
        "ncq-read": (fis(0x60, lba, tag << 3, blocks),
                     {"name": "READ FPDMA QUEUED", "op": "read", "queued_tag": tag, **moved}),
        "ncq-write": (fis(0x61, lba, tag << 3, blocks, 0xc0),
                      {"name": "WRITE FPDMA QUEUED", "op": "write", "queued_tag": tag,
                       "flags": ["fua"], **moved}),
        "read": (fis(0x25, lba, blocks), {"name": "READ DMA EXT", "op": "read", **moved}),
        "write": (fis(0x35, lba, blocks), {"name": "WRITE DMA EXT", "op": "write", **moved}),
        "fua": (fis(0x3d, lba, blocks),
                {"name": "WRITE DMA FUA EXT", "op": "write", "flags": ["fua"], **moved}),
        "flush": (fis(0xea), {"name": "FLUSH CACHE EXT", "op": "flush"}),
        "identify": (fis(0xec), {"name": "IDENTIFY DEVICE", "op": "identify"}),
        "verify": (fis(0x42, lba, blocks),
                   {"name": "READ VERIFY SECTOR(S) EXT", "op": "verify", **moved}),
        "trim": (fis(0x06, 0, 1, 1), {"name": "DATA SET MANAGEMENT", "op": "trim"}),
        "unknown": (fis(0x83), {"name": "UNKNOWN ATA COMMAND", "op": "other"}),
    }[kind]
    if kind in ("flush", "verify", "unknown"):
        elements = []
    elif kind in ("identify", "trim"):
        elements = random_elements(rng, 512)
    return trace.submit(raw, elements, tag, **decoded)


def random_scsi_submit(trace, rng, lba, blocks, tag):
    moved = {"lba": lba, "blocks": blocks}
    big, count = lba.to_bytes(4, "big").hex(), blocks.to_bytes(2, "big").hex()
    elements = random_elements(rng, blocks * 4096)
    raw, decoded = rng.choice([
        (f"2818{big}00{count}00", {"name": "READ(10)", "op": "read", "flags": ["fua", "dpo"],
                                   **moved}),
        (f"2a00{big}00{count}00", {"name": "WRITE(10)", "op": "write", **moved}),
        ("120000002400", {"name": "INQUIRY", "op": "identify"}),
        ("000000000000", {"name": "TEST UNIT READY", "op": "other"}),
    ])
    if "lba" not in decoded:
        elements = []
    return trace.submit(raw, elements, tag, device=1, protocol=SCSI, port=3 << 16 | 1, **decoded)


def random_complete(trace, rng, submit):
    expected = trace.lines[submit]["expected"]
    size = sum(e["len"] for e in expected["elements"])
    status = rng.choice(["good"] * 6 + ["error", "aborted"])
    moved = size if status == "good" else rng.randrange(size + 1)
    members = {"bytes": moved, "residual": size - moved}
    if moved:
        members["digest"] = rng.choice(["%032x" % rng.getrandbits(128),
                                        "%08x" % rng.getrandbits(32)])
    if rng.random() < 0.2:
        members["flags"] = rng.sample(sorted(FLAGS, key=FLAGS.get), 1)
        if members["flags"] == ["buffer-changed"]:
            members["after"] = "%032x" % rng.getrandbits(128)
    if expected["protocol"] == "ata":
        members["metadata"] = [("d2h-fis", 0x9040, 20)] if rng.random() < 0.5 else []
        if rng.random() < 0.3:
            members["metadata"] = members["metadata"] + [("prdbc", 0x8004, 4)]
        members["ata"] = (0x51, 0x04) if status == "error" else (0x50, 0)
    elif status == "error":
        members["scsi_status"] = 2
        members["sense"] = rng.choice(["700005000000000a00000000210000000000",
                                       "7205210000000000"])
    trace.complete(submit, status, **members)


def random_event(trace, rng, waiting):
    rng.choice([
        lambda: trace.event("reset", port=0, text="port"),
        lambda: trace.event("fis", port=0, addr=0x9040, data="34004000" + "00" * 16),
        lambda: trace.event("register-write", addr=0x138, len=4, value=1),
        lambda: trace.event("interrupt", value=1, text="msi"),
        lambda: trace.event("guest-error", text='list ends "early"\n\x1b[31m'),
        lambda: waiting and trace.event("abort", ref=waiting[0]),
    ])()
