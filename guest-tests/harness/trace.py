# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of a trace, as `tracedisk dump --json` prints them."""
import json
import subprocess
from dataclasses import dataclass
from typing import Optional

@dataclass
class Command:
    seq: int
    name: str
    op: str
    offset: int  # bytes
    length: int  # bytes moved
    elements: list  # (address, length)
    status: str
    hash: Optional[str]
    observed: bool = False  # elements seen on the bus: a set, not a sequence
    fua: bool = False
    submitted: int = 0  # ns
    completed: Optional[int] = None

    def __str__(self):
        return f"command #{self.seq} ({self.name} {self.offset:#x}+{self.length:#x})"


def parse(lines):
    """Returns the commands in order, and what the trace says it lost."""
    commands, problems, header, block = [], [], None, {}
    for line in lines:
        said = json.loads(line)
        kind = said.get("type")
        if kind == "header":
            header = said
        elif kind == "device":
            block[said["name"]] = said["logical_block_size"]
        elif kind in ("lost", "damage"):
            problems.append(f"the trace has a hole: {line.strip()}")
        elif kind == "command":
            elements = said.get("elements", [])
            commands.append(Command(
                said["seq"], said.get("name", "?"), said.get("op", "?"),
                said.get("lba", 0) * block.get(said["device"], 512), said.get("bytes", 0),
                [(e["addr"], e["len"]) for e in elements],
                said["status"], said.get("hash"),
                any(e.get("observed") for e in elements),
                forces_unit_access(said), said.get("submit_ns", 0), said.get("complete_ns")))
    if header is None:
        problems.append("the trace has no header")
    commands.sort(key=lambda command: command.seq)
    return commands, problems


def forces_unit_access(said):
    raw = bytes.fromhex(said.get("raw", "00"))
    if said.get("protocol") == "scsi":
        # WRITE (10), (12) and (16): SBC-3 5.32
        return raw[0] in (0x2a, 0xaa, 0x8a) and bool(raw[1] & 8)
    # WRITE FPDMA QUEUED, by its device register; WRITE DMA FUA EXT: ACS-3 7.60, 7.57
    return len(raw) > 7 and (raw[2] == 0x61 and bool(raw[7] & 0x80) or raw[2] == 0x3d)


def load(tool, path):
    """Read a trace with the tracedisk command."""
    done = subprocess.run([tool, "dump", "--json", path],
                          capture_output=True, text=True, check=False)
    commands, problems = parse(done.stdout.splitlines())
    if done.returncode:
        problems.append(f"tracedisk dump exited with {done.returncode}: {done.stderr.strip()}")
    elif done.stderr.strip():
        problems.append(f"tracedisk dump said: {done.stderr.strip()}")
    return commands, problems
