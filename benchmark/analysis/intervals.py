"""Intervals beside the sign flips: BCa for many pairs, t for sensitivity, bootstrap over blocks for fixed data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import stats

BCA_PAIRS = 30
"""From here on BCa takes the place of the inverted sign flips (PROTOCOL 13)."""
RESAMPLES = 9_999


def student(values: np.ndarray, alpha: float) -> tuple[float, float] | None:
    """Student's t interval of the mean at 1 - `alpha`; None under two values."""
    if len(values) < 2:
        return None
    half = float(_quantile(alpha, len(values)) * (np.std(values, ddof=1) / np.sqrt(len(values))))
    mean = float(np.mean(values))
    return mean - half, mean + half


@lru_cache(maxsize=64)
def _quantile(alpha: float, units: int) -> float:
    return stats.t.ppf(1 - alpha / 2, units - 1)


def bca(differences: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """BCa intervals `(pairs,)` of means of `(units, pairs)`, each at alpha / pairs, so simultaneous at 1 - alpha."""
    pairs = differences.shape[1]
    ends = np.repeat(differences.mean(axis=0)[:, None], 2, axis=1)
    for pair in range(pairs):
        values = differences[:, pair]
        if np.ptp(values) > 0:
            found = stats.bootstrap(
                (values,),
                np.mean,
                confidence_level=1 - alpha / pairs,
                n_resamples=RESAMPLES,
                method="BCa",
                rng=np.random.default_rng([0xBCA, pair]),
            )
            ends[pair] = found.confidence_interval
    return ends[:, 0], ends[:, 1]


@dataclass(frozen=True)
class Blocks:
    """Block bootstrap of every pair: simultaneous interval, max-T adjusted p, p of equivalence; each `(pairs,)`."""

    low: np.ndarray
    high: np.ndarray
    p: np.ndarray
    p_equivalence: np.ndarray


def block_bootstrap(values: np.ndarray, weights: np.ndarray, alpha: float, margin: float) -> Blocks:
    """Resample test blocks (months, speakers) of fixed data, all pairs together.

    `values` `(blocks, pairs)` are paired differences of the score, averaged over seeds within a block; `weights`
    `(blocks,)` are their shares of the mean. The interval is estimate +- q standard errors, q the quantile of the
    largest |resampled - estimate| / standard error over the pairs, and p inverts it (Efron and Tibshirani 1993,
    ch. 16).
    """
    blocks = len(weights)
    total = weights @ values / weights.sum()
    generator = np.random.default_rng([0xB10C, blocks])
    again = np.empty((RESAMPLES, values.shape[1]))
    weighted = weights[:, None] * values
    for start in range(0, RESAMPLES, 1000):
        size = min(1000, RESAMPLES - start)
        counts = generator.multinomial(blocks, np.full(blocks, 1 / blocks), size=size)
        again[start : start + size] = (counts @ weighted) / (counts @ weights)[:, None]
    deviations = again - total
    errors = deviations.std(axis=0, ddof=1)
    scale = np.where(errors > 0, errors, 1.0)
    largest = np.sort((np.abs(deviations) / scale).max(axis=1))[::-1]
    rank = int(np.floor(alpha * (RESAMPLES + 1)))
    reach = largest[rank - 1] if rank else np.inf
    p = (1 + (largest[:, None] >= np.abs(total) / scale).sum(axis=0)) / (RESAMPLES + 1)
    p = np.where((errors == 0) & (total == 0), 1.0, p)
    below = (1 + (deviations >= total + margin).sum(axis=0)) / (RESAMPLES + 1)
    above = (1 + (-deviations >= margin - total).sum(axis=0)) / (RESAMPLES + 1)
    return Blocks(low=total - reach * errors, high=total + reach * errors, p=p, p_equivalence=np.maximum(below, above))
