"""How an arm's setting is chosen from its tuning runs (PROTOCOL 5). The sweep driver calls these functions live."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from benchmark.errors import UserError

CONVERGED_SEEDS = 5
"""Seeds that the doubling check needs; with fewer a contrast counts as not checked (PROTOCOL 10)."""


@dataclass(frozen=True)
class Choice:
    """The tuning point taken, and the edge of the learning rates at which the optimum sits ('' when inside)."""

    point: int
    edge: Literal["", "low", "high"]


def tuning_score(
    validation_loss: float | None, trivial: float, best: float | None, status: str, divergence_multiple: float
) -> float:
    """Skill on validation, the relative reduction of the trivial loss when `best` is None.

    A diverged run gets the fixed worst value, 1 - `divergence_multiple`: the relative reduction of the loss at which a
    run is called diverged. Nothing scores below it. A run with no loss of its own (pruned, failed) gets it too.
    Raises UserError where the trivial loss is not above the best one, so that no score can be made.
    """
    worst = 1.0 - divergence_multiple
    if status != "done" or validation_loss is None or not math.isfinite(validation_loss):
        return worst
    scale = trivial - (0.0 if best is None else best)
    if not scale > 0:
        raise UserError(
            f"on validation the trivial loss ({trivial:g}) is not above the best possible loss ({best or 0:g}), "
            "so no score can be made: correct the task's references"
        )
    return max(worst, (trivial - validation_loss) / scale)


def candidates(scores: Mapping[int, float], learning_rates: Mapping[int, float], count: int) -> list[int]:
    """The `count` best points by score, best first, to be trained again; ties go to the lower point.

    When all of them lie at an edge of the learning rates asked, the last gives way to the best interior point, so that
    an edge always has something to be compared with.
    """
    ranked = sorted(scores, key=lambda point: (-scores[point], point))
    chosen = ranked[:count]
    inside = [point for point in ranked if not _edge(point, learning_rates)]
    if chosen and inside and all(_edge(point, learning_rates) for point in chosen):
        chosen[-1] = inside[0]
    return chosen


def choose(rerank_scores: Mapping[int, Sequence[float]], learning_rates: Mapping[int, float], margin: float) -> Choice:
    """The point with the highest mean over the rerank seeds; ties go to the lower point.

    A point at an edge of the learning rates asked counts only if its mean beats the best interior point's by more than
    half a margin; otherwise that interior point is taken. Raises ValueError when no point was trained again.
    """
    means = {point: fmean(scores) for point, scores in rerank_scores.items()}
    if not means:
        raise ValueError("no tuning point was trained again: there is nothing to choose from")
    ranked = sorted(means, key=lambda point: (-means[point], point))
    edge = _edge(ranked[0], learning_rates)
    inside = [point for point in ranked if not _edge(point, learning_rates)]
    if edge and inside and means[ranked[0]] - means[inside[0]] <= margin / 2:
        return Choice(inside[0], "")
    return Choice(ranked[0], edge)


def _edge(point: int, learning_rates: Mapping[int, float]) -> Literal["", "low", "high"]:
    """Where a point lies among the learning rates asked; with one learning rate nothing was searched, so no edge."""
    low, high = min(learning_rates.values()), max(learning_rates.values())
    if low == high:
        return ""
    rate = learning_rates[point]
    return "low" if rate <= low else "high" if rate >= high else ""
