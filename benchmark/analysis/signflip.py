"""Joint sign flips: max-T adjusted p-values, the intervals that invert them, and one-sided tests of equivalence.

Under the null hypothesis that an arm and depth 1 are exchangeable within a pair, the sign of each paired difference is
as likely one way as the other. A flip turns the signs of whole rows, so the pairs of a contrast keep their dependence.
The statistic of a pair is |sum of differences| / root of the sum of their squares. Within a pair it is a monotone
function of Student's t (flips leave the squares alone), and it puts pairs of unequal spread on one scale.
Sources: Westfall and Young 1993 (max-T); Pesarin and Salmaso 2010, ch. 1 to 4 (sign flips, their inversion).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

EXACT_UNITS = 16
"""Up to here all 2^n flips are enumerated."""
DRAWS = 100_000
"""Random flips beyond that, the identity added, so that p is never 0 and the test keeps its level."""
_TIE = 1e-9
"""Relative tolerance: sums that rounding alone tells apart are ties, and ties count against the finding."""


@lru_cache(maxsize=4)
def flips(units: int) -> np.ndarray:
    """Signs `(flips, units)`, the identity in the first row; the draws are seeded by the number of units alone."""
    if units <= EXACT_UNITS:
        bits = (np.arange(2**units)[:, None] >> np.arange(units)) & 1
    else:
        bits = np.random.default_rng([0x51, units]).integers(0, 2, size=(DRAWS + 1, units))
        bits[0] = 0
    signs = 1.0 - 2.0 * bits
    signs.setflags(write=False)
    return signs


@lru_cache(maxsize=4)
def _turned(units: int) -> np.ndarray:
    """How many units each flip turns round."""
    turned = (units - flips(units).sum(axis=1)) / 2
    turned.setflags(write=False)
    return turned


@dataclass(frozen=True)
class SignFlips:
    """One value per pair, in the order of the columns; an infinite bound means that the level cannot be reached."""

    p: np.ndarray
    low: np.ndarray
    high: np.ndarray


def max_t(differences: np.ndarray, alpha: float) -> SignFlips:
    """Two-sided p adjusted for all pairs of the contrast, and simultaneous intervals at 1 - `alpha`.

    `differences` is `(units, pairs)`. The interval of a pair holds every shift at which the same max-T test, with that
    pair shifted and the others as they are, gives p > alpha: it excludes 0 exactly when p <= alpha. Family-wise error
    of the p-values is exact under any pattern of true nulls; simultaneous coverage is exact where the differences
    are 0 and, elsewhere, exact for each interval alone and near nominal jointly (simulated in the tests).
    """
    units, pairs = differences.shape
    differences = np.ascontiguousarray(differences)  # sums round by the order in memory
    sums = np.ascontiguousarray((flips(units) @ differences).T)  # pairs first: they are few, the flips many
    norms = np.sqrt((differences**2).sum(axis=0))
    statistics = np.abs(sums) / np.where(norms > 0, norms, 1.0)[:, None]
    largest = statistics.max(axis=0)
    p = np.array([(largest >= observed * (1 - _TIE)).mean() for observed in statistics[:, 0]])
    bounds = [
        _invert(differences[:, pair], _turned(units), sums[pair], np.delete(statistics, pair, axis=0), alpha)
        for pair in range(pairs)
    ]
    low, high = np.array(bounds).reshape(pairs, 2).T
    return SignFlips(p=p, low=low, high=high)


def _invert(
    differences: np.ndarray, turned: np.ndarray, sums: np.ndarray, others: np.ndarray, alpha: float
) -> tuple[float, float]:
    """Ends of one pair's interval, exactly, with no search.

    Shift the pair by c below its mean. A flip of the set A is then at least as extreme as what was seen when
    mean(A) <= c or mean(not A) <= c, or when another pair's statistic reaches this one's, which falls as c nears the
    mean. So each flip counts from a threshold of its own on, p rises with c, and the end is an order statistic.
    """
    units, mean = len(differences), float(differences.mean())
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = (units * mean - sums) / 2 / turned
        outside = (units * mean + sums) / 2 / (units - turned)
    whole = (turned == 0) | (turned == units)
    reach = np.zeros(len(turned)) - np.inf
    if len(others):
        squared = others.max(axis=0) ** 2
        room = units - squared
        scatter = float(((differences - mean) ** 2).sum())
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.where(room > _TIE * units, np.sqrt(squared * scatter / (units * room)), np.inf)
    low = np.minimum(np.where(whole, -np.inf, np.fmin(inside, outside)), mean - reach)
    high = np.maximum(np.where(whole, np.inf, np.fmax(inside, outside)), mean + reach)
    allowed = int(np.floor(alpha * len(turned) * (1 + _TIE)))
    ends = np.array([np.partition(low, allowed)[allowed], -np.partition(-high, allowed)[allowed]])
    ends[np.abs(ends) <= _TIE * np.sqrt((differences**2).mean())] = 0.0
    return min(mean, float(ends[0])), max(mean, float(ends[1]))


def equivalence(differences: np.ndarray, margin: float) -> float:
    """The larger p of two one-sided sign-flip tests, of a mean <= -`margin` and of a mean >= `margin`; `(units,)`."""
    return max(_one_sided(differences + margin), _one_sided(margin - differences))


def _one_sided(values: np.ndarray) -> float:
    """One-sided p of "the mean is at most 0" against "it is above"."""
    sums = flips(len(values)) @ values
    return float((sums >= sums[0] - _TIE * np.abs(values).sum()).mean())
