# SPDX-License-Identifier: GPL-2.0-or-later
"""What is on the disk, and what requests make of it.

Every 8-byte word of the disk, little endian, is (tag << 48) + the word's own
offset: wherever a word turns up, it says where it belongs and who wrote it.
"""
import sys
from array import array

DISK_SIZE = 32 << 20
IMAGE_TAG = 0x6474  # "td" in a hex dump: as the image was made
FILE_TAG = 0x6466  # "fd": content of a file on it


def words(tag, offset, length):
    start = (tag << 48) + offset
    result = array("Q", range(start, start + length, 8))
    if sys.byteorder == "big":
        result.byteswap()
    return result.tobytes()


def fresh_disk(size=DISK_SIZE):
    return bytearray(words(IMAGE_TAG, 0, size))


def replay(requests, disk, memory=None):
    """Apply the requests to the disk in order; note in each what it must have moved.

    Without `memory`, a write writes words tagged with its number, as dmaview
    does. With it, a write writes what lies at its address, and a read brings it
    there, as the boot sector does. What was discarded is zeros, as the drive is
    one that punches holes.
    """
    for request in requests:
        if request.op == "flush" or request.error:
            continue
        if request.op == "discard":
            disk[request.offset:request.offset + request.length] = bytes(request.length)
            continue
        there = slice(request.offset, request.offset + request.length)
        here = slice(request.address, request.address + request.length)
        if request.op == "write":
            request.payload = (words(request.number, request.offset, request.length)
                               if memory is None else bytes(memory[here]))
            disk[there] = request.payload
        else:
            request.payload = bytes(disk[there])
            if memory is not None:
                memory[here] = request.payload


def describe(data):
    """Where 8 bytes came from, if they are a word of ours."""
    word = int.from_bytes(data[:8], "little")
    tag, offset = word >> 48, word & (1 << 48) - 1
    if tag == IMAGE_TAG:
        return f"the image's own content of offset {offset:#x}"
    if tag == FILE_TAG:
        return f"the file's content of offset {offset:#x}"
    if data[:8] == b"\xee" * 8:
        return "a buffer that nothing was read into"
    if word == 0:
        return "zeros"
    if tag < 10000 and offset < DISK_SIZE:
        return f"what request {tag} wrote to offset {offset:#x}"
    return data[:8].hex()


def differences(expected, found, base=0, block=512):
    """Say in which blocks two equally long byte strings differ."""
    if len(expected) != len(found):
        yield f"{len(found)} bytes, expected {len(expected)}"
        return
    if expected == found:
        return
    for at in range(0, len(expected), block):
        if expected[at:at + block] != found[at:at + block]:
            yield (f"offset {base + at:#x} holds {describe(found[at:at + 8])}, "
                   f"expected {describe(expected[at:at + 8])}")
