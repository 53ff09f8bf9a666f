# SPDX-License-Identifier: GPL-2.0-or-later
"""Two sides compared: interleaved pairs of runs, and the ratios of each pair."""
import statistics
import time
from dataclasses import dataclass

import vm

# Others may use this much of one core before a measurement proves little.
QUIET = 0.10


@dataclass
class Spread:
    """The smallest, the middle and the largest of some figures."""

    min: float
    median: float
    max: float

    @classmethod
    def of(cls, figures):
        figures = list(figures)
        return cls(min(figures), statistics.median(figures), max(figures))


@dataclass
class Comparison:
    """Side B ÷ side A, pair by pair."""

    pairs: int
    rate: Spread       # of commands/s: more is better
    cpu: Spread        # of CPU time per command: less is better
    a_rate: float      # medians
    b_rate: float
    a_cpu: float       # seconds per command
    b_cpu: float
    others: Spread     # what others used during a run, in cores
    disturbed: int     # pairs that were left out because of others


def compare(a, b, words, pairs, patience, progress):
    """Runs A B, B A, A B …: what drifts slowly meets both sides alike.

    While patience (seconds) lasts, waits for a quiet machine before a pair, and
    leaves out one that others disturbed."""
    together, disturbed = [], 0
    deadline = time.monotonic() + patience
    while len(together) < pairs:
        progress(f"pair {len(together) + 1} of {pairs}")
        while time.monotonic() < deadline and machine_load() > QUIET:
            pass
        sides = [a, b] if len(together) % 2 == 0 else [b, a]
        runs = {side.name: vm.run(side, words) for side in sides}
        if max(run.others for run in runs.values()) > QUIET and time.monotonic() < deadline:
            disturbed += 1
        else:
            together.append((runs[a.name], runs[b.name]))
    runs_a, runs_b = zip(*together)
    return Comparison(
        pairs=pairs,
        rate=Spread.of(rb.rate / ra.rate for ra, rb in together),
        cpu=Spread.of(rb.cpu_per_command / ra.cpu_per_command for ra, rb in together),
        a_rate=statistics.median(r.rate for r in runs_a),
        b_rate=statistics.median(r.rate for r in runs_b),
        a_cpu=statistics.median(r.cpu_per_command for r in runs_a),
        b_cpu=statistics.median(r.cpu_per_command for r in runs_b),
        others=Spread.of(r.others for r in runs_a + runs_b), disturbed=disturbed)


def machine_load(seconds=0.3):
    """Cores in use just now."""
    before, start = vm.machine_cpu(), time.monotonic()
    time.sleep(seconds)
    return (vm.machine_cpu() - before) / (time.monotonic() - start)
