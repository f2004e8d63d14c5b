"""Do two splits of a task share more sequences than chance gives them?"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np

from tasks.task import Split

CERTAIN = 1e-6
"""Chance of calling two splits of one source overlapping."""


class Overlap(NamedTuple):
    """Sequences that stand once in each of two splits, how many of them chance accounts for, and its p."""

    shared: int
    expected: float
    p: float


def overlap(one: Split, other: Split) -> Overlap:
    """How many sequences two splits share, against what each repeats by itself.

    Short sequences of few symbols meet by chance, so what is shared proves nothing alone. But of two splits of one
    source with n and m sequences, a sequence that was drawn twice in all falls once into each with weight nm, and twice
    into one of them with weight n(n - 1)/2 + m(m - 1)/2, however often it occurs. So p is binomial. What stands more
    often in a split, such as a stretch of zeros, says nothing of copies and is left out.
    """
    first, second = (Counter(row.tobytes() for row in np.ascontiguousarray(split.inputs)) for split in (one, other))
    shared = sum(count == 1 == second[row] for row, count in first.items())
    twice = sum(count == 2 and row not in second for row, count in first.items())
    twice += sum(count == 2 and row not in first for row, count in second.items())
    n, m = first.total(), second.total()
    between, within = n * m, (n * (n - 1) + m * (m - 1)) / 2
    from scipy import stats  # imported late: most studies ask nothing of it

    p = float(stats.binom.sf(shared - 1, shared + twice, between / (between + within)))
    return Overlap(shared, twice * between / within if within else 0.0, p)
