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
                any(e.get("observed") for e in elements)))
    if header is None:
        problems.append("the trace has no header")
    commands.sort(key=lambda command: command.seq)
    return commands, problems


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
