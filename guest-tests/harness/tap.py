# SPDX-License-Identifier: GPL-2.0-or-later
"""Results in the Test Anything Protocol, on stdout."""

SHOWN = 10


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = 0

    def check(self, name, problems):
        """One test: passed if the list of problems is empty."""
        problems = list(problems)
        self.count += 1
        self.failed += bool(problems)
        print(f"{'not ok' if problems else 'ok'} {self.count} - {name}", flush=True)
        for problem in problems[:SHOWN]:
            note(problem)
        if len(problems) > SHOWN:
            note(f"... and {len(problems) - SHOWN} more")
        return not problems

    def end(self):
        """Print the plan; returns the exit status."""
        print(f"1..{self.count}", flush=True)
        return 1 if self.failed else 0


def note(text):
    for line in str(text).splitlines():
        print(f"# {line}", flush=True)


def skip_all(reason):
    print(f"1..0 # SKIP {' '.join(str(reason).split())}", flush=True)
    return 0
