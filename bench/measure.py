# SPDX-License-Identifier: GPL-2.0-or-later
"""Two sides compared: interleaved pairs of runs, and the ratios of each pair."""
import statistics
from dataclasses import dataclass

import vm


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


def compare(a, b, words, pairs, progress):
    """Runs A B, B A, A B …: what drifts slowly meets both sides alike."""
    runs_a, runs_b = [], []
    for i in range(pairs):
        progress(f"pair {i + 1} of {pairs}")
        both = [(a, runs_a), (b, runs_b)]
        for side, runs in both if i % 2 == 0 else reversed(both):
            runs.append(vm.run(side, words))
    together = list(zip(runs_a, runs_b))
    return Comparison(
        pairs=pairs,
        rate=Spread.of(rb.rate / ra.rate for ra, rb in together),
        cpu=Spread.of(rb.cpu_per_command / ra.cpu_per_command for ra, rb in together),
        a_rate=statistics.median(r.rate for r in runs_a),
        b_rate=statistics.median(r.rate for r in runs_b),
        a_cpu=statistics.median(r.cpu_per_command for r in runs_a),
        b_cpu=statistics.median(r.cpu_per_command for r in runs_b),
        others=Spread.of(r.others for r in runs_a + runs_b))
