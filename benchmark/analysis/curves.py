"""Score by size of depth 1 and of a deeper depth, between tuned budgets (PROTOCOL 17).

A curve is straight lines between the tested sizes, on the logarithm of the size. That is the simplest curve that passes
through what was measured, cannot overshoot between two sizes and needs no more than two of them at a time; a smooth
monotone one (PCHIP) would look more certain between three points than three points are. Nothing is read outside the
tested range.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.analysis.scores import Scores, resamples

FEWEST_BUDGETS = 3
FEWEST_UNITS = 2
_SAME = 1e-12
"""Scores nearer than this are one: sums in another order differ by as much."""


@dataclass(frozen=True, eq=False)
class Curves:
    """One task, match and variant: the usable budgets, smallest first, on the units that all of them share."""

    first: Scores
    """Any of the contrasts: what they are."""
    depth: int
    budgets: list[Scores]
    one_layer: np.ndarray
    """Scores of depth 1 `(units, budgets)`; `deeper` likewise."""
    deeper: np.ndarray
    counts: np.ndarray
    """`(draws, units)`: how often each unit is drawn, the same for every depth and budget, as the runs are paired."""
    reason: str
    """'' or why the curves cannot be read."""
    limits: list[str]

    def costs(self, name: str, depth: int) -> np.ndarray:
        """`(budgets,)`: what a depth costs at each budget."""
        return np.array([one.cost(name, depth) for one in self.budgets])

    def drawn(self, values: np.ndarray) -> np.ndarray:
        """Means over the units of every draw."""
        return self.counts @ values / self.counts.shape[1]


def curves(contrasts: Sequence[Scores], purpose: str) -> list[Curves]:
    """The curves of every task, match, variant and deeper depth; the order given does not matter.

    Only complete and tuned budgets count; what does not is said in `limits`.
    """
    groups: dict[tuple[str, str, str], list[Scores]] = {}
    for one in sorted(contrasts, key=lambda one: one.budget):
        groups.setdefault((one.task, one.match, one.variant), []).append(one)
    return [
        _curves([one for one in several if depth in one.depths], depth, purpose)
        for _, several in sorted(groups.items())
        for depth in sorted({depth for one in several for depth in one.depths if depth > 1})
    ]


def _curves(several: Sequence[Scores], depth: int, purpose: str) -> Curves:
    usable = [one for one in several if not _unusable(one)]
    limits = [f"budget {one.budget:,} left out: {_unusable(one)}" for one in several if _unusable(one)]
    if purpose == "screen":
        limits.append("a screen: coarse grid; it supports no claim")
    if moving := [f"{one.budget:,}" for one in usable if one.unconverged]:
        limits.append(f"not converged at budget {', '.join(moving)}")
    shared = sorted(set.intersection(*(set(one.units) for one in usable))) if usable else []
    if any(len(one.units) > len(shared) for one in usable):
        limits.append(f"only the {len(shared)} units that all budgets share are read")
    reason = "no claim: a smoke study only tests the machinery" if purpose == "smoke" else _wanting(usable, shared)
    first, empty = several[0], np.empty((0, 0))
    if reason:
        return Curves(first, depth, usable, empty, empty, empty, reason, limits)
    one_layer, deeper = (
        np.column_stack([one.of(d)[np.searchsorted(one.units, shared)] for one in usable]) for d in (1, depth)
    )
    counts = resamples(len(shared), "curves", first.task, first.match, first.variant)
    return Curves(first, depth, usable, one_layer, deeper, counts, "", limits)


def _unusable(one: Scores) -> str:
    return one.incomplete or (f"not tuned: {one.untuned}" if one.untuned else "")


def _wanting(usable: Sequence[Scores], shared: Sequence[int]) -> str:
    """'' or what a further study must add."""
    if len(usable) < FEWEST_BUDGETS:
        return f"needs study: at least {FEWEST_BUDGETS} tuned budgets per depth, here {len(usable)}"
    if len(shared) < FEWEST_UNITS:
        return f"needs study: at least {FEWEST_UNITS} seeds that all budgets share, here {len(shared)}"
    return ""


def rising(means: np.ndarray) -> np.ndarray:
    """The nearest curve, in squares, that never falls along the last axis (isotonic regression by its min-max form)."""
    size = means.shape[-1]
    found = np.empty_like(means, dtype=float)
    for at in range(size):
        lowest = [
            np.min([means[..., start : end + 1].mean(axis=-1) for end in range(at, size)], axis=0)
            for start in range(at + 1)
        ]
        found[..., at] = np.max(lowest, axis=0)
    return found


def reach(sizes: np.ndarray, risen: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """`(draws,)`: the smallest log size at which each curve of `risen` `(draws, sizes)`, none falling, has `wanted`.

    Minus infinity where the smallest size has more already, plus infinity where the largest has less.
    """
    logs, rows = np.log(sizes), np.arange(len(risen))
    enough = risen >= wanted[:, None] - _SAME
    first = enough.argmax(axis=1)
    before = np.maximum(first - 1, 0)
    step = risen[rows, first] - risen[rows, before]
    share = np.clip((wanted - risen[rows, before]) / np.where(step > 0, step, 1.0), 0.0, 1.0)
    found = logs[before] + share * (logs[first] - logs[before])
    found = np.where(risen[:, 0] > wanted + _SAME, -np.inf, found)
    return np.where(enough.any(axis=1), found, np.inf)


def weights(costs: np.ndarray, wanted: float) -> np.ndarray:
    """`(budgets,)`: how much each tested budget counts at the cost `wanted`, on straight lines in log cost."""
    order = np.argsort(costs)
    found = np.empty(len(costs))
    for place, at in enumerate(order):
        found[at] = np.interp(math.log(wanted), np.log(costs[order]), np.eye(len(costs))[place])
    return found


def place(item: Scores) -> str:
    """How a sentence opens: the task, the variant and what its budgets hold equal."""
    matched = {"flops": "FLOPs", "state": "total state"}.get(item.match, item.match)
    return f"On {item.task}{'' if item.variant == 'plain' else f' ({item.variant})'}, budgets of equal {matched}"
