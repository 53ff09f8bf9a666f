# SPDX-License-Identifier: GPL-2.0-or-later
"""What iscsi-test-cu told of its tests, one process a suite (linux/iscsi-suites)."""
import re
from dataclasses import dataclass, field

BEGIN = re.compile(r"  Test: (.+?) \.\.\.(.*)")
END = re.compile(r"(passed|FAILED)$")
ASSERT = re.compile(r"\s+\d+\. (.+?:\d+)\s+- (.*)")
SKIP = "[SKIPPED]"


@dataclass
class Test:
    """The result of a test: passed, skipped, failed, or crashed."""

    name: str  # SUITE.TEST
    result: str = "crashed"  # until the end is seen
    said: list = field(default_factory=list)

    @property
    def reason(self):
        """The first line that says why it did not pass."""
        for line in self.said:
            line = line.strip()
            if line.startswith(SKIP):
                return line.removeprefix(SKIP).strip()
            if line.startswith(("[FAILED]", "[FAILURE]")):
                return line.split("]", 1)[1].strip()
        for line in self.said:
            if ASSERT.match(line):
                return ASSERT.match(line)[2]
        return ""


def parse(text):
    """The tests by name, in order; problems, if the guest did not come to its end."""
    tests = {}
    suite = test = None
    for line in text.splitlines():
        if line.startswith("suite "):
            suite, test = line.split()[1], None
        elif line.startswith("status "):
            suite = test = None
        elif BEGIN.match(line):
            name, rest = BEGIN.match(line).groups()
            test = tests.setdefault(f"{suite}.{name}", Test(f"{suite}.{name}"))
            take(test, rest)
        elif test:
            take(test, line)
    whole = text.rstrip().endswith("\nend")
    return tests, [] if whole and tests else ["the guest did not run all suites"]


def take(test, line):
    """One more line of what a test printed."""
    end = END.search(line)
    if end and test.result == "crashed":
        line = line[:end.start()]
        test.result = "failed" if end[1] == "FAILED" else "passed"
    test.said.append(line)
    # CUnit takes a test that did not run, or not all of it, for one that passed.
    if test.result == "passed" and any(SKIP in said for said in test.said):
        test.result = "skipped"
