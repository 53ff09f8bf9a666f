# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest's own account of its requests."""
import json
from dataclasses import dataclass, field


@dataclass
class Request:
    number: int
    op: str  # read, write, flush, discard
    offset: int  # bytes
    length: int
    elements: list  # (address, length) of the buffers in physical memory
    crc32: int  # of the buffers afterwards
    error: int = 0  # errno, or what the BIOS said
    bounced: bool = False  # went through a buffer that the guest cannot tell of
    sync: bool = False  # a write that was on the medium when it returned
    must_fail: bool = False  # on the disk, not before
    group: int = 0  # of requests that were issued together; 0: alone
    payload: bytes = field(default=None, repr=False)  # see content.replay

    @property
    def address(self):
        return self.elements[0][0] if self.elements else 0

    @property
    def moved(self):
        """Did it move data?"""
        return self.op in ("read", "write") and not self.error

    def __str__(self):
        return f"request {self.number} ({self.op} {self.offset:#x}+{self.length:#x})"


@dataclass
class View:
    requests: list
    about: dict  # what the guest said of itself
    complete: bool  # the end marker came
    problems: list
    block: int = 512  # the disk's logical block size


def from_dmaview(text):
    """The lines of dmaview; see linux/dmaview.c."""
    view = View([], {}, False, [])
    for line in text.splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            if line.strip():
                view.problems.append(f"the guest said: {line}")
            continue
        if "begin" in said:
            view.about = said
            view.block = said["queue"]["logical_block_size"]
        elif "end" in said:
            view.complete = said["requests"] == len(view.requests)
            if said["moved_pages"]:
                view.problems.append(f"{said['moved_pages']} pages moved while the job ran")
        elif "request" in said:
            view.requests.append(Request(
                said["request"], said["op"], said["offset"], said["length"],
                [(e["addr"], e["len"]) for e in said["elements"]],
                int(said["crc32"], 16), said["errno"], sync=said["sync"],
                must_fail=said["must_fail"], group=said["group"]))
            if not said["errno"] and said["op"] != "flush" and said["done"] != said["length"]:
                view.problems.append(f"{view.requests[-1]} moved {said['done']} bytes only")
        else:
            view.problems.append(f"the guest said: {line}")
    return view


OPS = {0x02: "read", 0x42: "read", 0x03: "write", 0x43: "write"}


def from_boot_sector(text):
    """The lines of the boot sector; see seabios/boot.S."""
    view = View([], {}, False, [])
    for line in text.splitlines():
        if line.startswith("end"):
            view.complete = True
        elif not line.startswith("begin"):
            function, count, offset, segment, lba, status, crc = (
                int(word, 16) for word in line.split())
            address = segment * 16 + offset
            view.requests.append(Request(
                len(view.requests) + 1, OPS[function], lba * view.block, count * view.block,
                [(address, count * view.block)], crc, status,
                # A PRD holds even addresses only: the BIOS uses a buffer of its own.
                bounced=address % 2 == 1))
    return view
