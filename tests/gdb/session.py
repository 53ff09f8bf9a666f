# SPDX-License-Identifier: GPL-2.0-or-later
"""A session of the guest's gdb: commands in, the answer to each out."""
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/device"))

from vm import PATIENCE, true  # noqa: E402

SCRIPT = TOP / "share/tracedisk-gdb.py"
MARKER = "@@ answer"


def gdb(folder, commands, program=None):
    """Run gdb as a user does; returns what it said to each command."""
    arguments = ["gdb", "-nx", "-batch", "-ex", "set pagination off", "-ex", "set confirm off",
                 "-ex", "set width 0", "-ex", f"source {SCRIPT}"]
    for command in commands:
        arguments += ["-ex", f"echo {MARKER}\\n", "-ex", command]
    done = subprocess.run([*arguments, *([program] if program else [])], cwd=folder,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=PATIENCE, check=False)
    answers = done.stdout.split(MARKER + "\n")[1:]
    true(len(answers) == len(commands), f"gdb answered to everything: {done.stdout}")
    return [answer.strip() for answer in answers]


def value(answer, name):
    """The bytes of 'Old value', 'New value' or 'Value', as far as they are shown."""
    found = re.search(rf"^{name} *= ([0-9a-f ]+)", answer, re.M)
    true(found, f"'{name}' is told: {answer}")
    return bytes.fromhex(found[1])


def has(answer, *texts):
    for text in texts:
        true(text in answer, f"expected '{text}' in: {answer}")


def has_not(answer, *texts):
    for text in texts:
        true(text not in answer, f"expected no '{text}' in: {answer}")
