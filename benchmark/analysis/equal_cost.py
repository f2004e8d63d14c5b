"""Depths at equal parameters, state, FLOPs or seconds, by interpolation between tuned budgets (PROTOCOL 2 and 17)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from benchmark.analysis.curves import Curves, curves, place, weights
from benchmark.analysis.estimates import EqualCost, Estimate
from benchmark.analysis.fronts import SWEEP_SECONDS
from benchmark.analysis.scores import Scores, estimate, expanded, written

QUANTITIES = {
    "parameters": "parameters",
    "state": "cells of total state",
    "flops": "FLOPs per sequence",
    "seconds": "seconds of training",
}
"""What may be held equal, with its unit."""


def equal_costs(contrasts: Sequence[Scores], purpose: str, alpha: float = 0.05, timed: bool = False) -> list[EqualCost]:
    """Every task, match, variant, deeper depth and quantity, at both ends and the middle of the shared range.

    Intervals are expanded percentile bootstraps over seeds, the same seeds for both depths and all budgets; the cost
    is taken as known. `timed` says that the seconds come from an idle, interleaved timing run.
    """
    return [
        equal
        for found in curves(contrasts, purpose)
        for quantity in QUANTITIES
        for equal in _equal(found, quantity, alpha, timed)
    ]


def _equal(found: Curves, quantity: str, alpha: float, timed: bool) -> list[EqualCost]:
    limits = found.limits + ([SWEEP_SECONDS] if quantity == "seconds" and not timed else [])
    opening = f"{place(found.first)}, depth {found.depth} against depth 1 at equal {QUANTITIES[quantity]}"
    costs, deeper_costs = found.costs(quantity, 1), found.costs(quantity, found.depth)
    reason = found.reason or _unreadable(costs, deeper_costs, found.depth, quantity)
    if reason:
        return [_item(found.first, found.depth, quantity, limits, f"{opening}: {reason}", reason)]
    low, high = max(costs.min(), deeper_costs.min()), min(costs.max(), deeper_costs.max())
    level = expanded(alpha, found.counts.shape[1])
    result = []
    for cost in sorted({float(low), math.sqrt(low * high), float(high)}):
        one_layer = found.one_layer @ weights(costs, cost)
        deeper = found.deeper @ weights(deeper_costs, cost)
        one, other, apart = (
            estimate(values.mean(), found.drawn(values), level) for values in (one_layer, deeper, deeper - one_layer)
        )
        said = f"{found.first.kind} {written(other)} against {written(one)}, a difference of {written(apart, '+')}"
        sentence = f"{opening} ({cost:,.4g}): {said}"
        result.append(_item(found.first, found.depth, quantity, limits, sentence, "", cost, one, other, apart))
    return result


def _unreadable(costs: np.ndarray, deeper_costs: np.ndarray, depth: int, quantity: str) -> str:
    unit = QUANTITIES[quantity]
    if not np.isfinite([*costs, *deeper_costs]).all():
        return f"not estimable: {unit} were not recorded at every budget"
    if any(len(set(several)) < len(several) for several in (costs.tolist(), deeper_costs.tolist())):
        return f"not estimable: two budgets of one depth have the same {unit}"
    if max(costs.min(), deeper_costs.min()) > min(costs.max(), deeper_costs.max()):
        return f"not estimable: the tested ranges of depth 1 and depth {depth} share no {unit}"
    return ""


def _item(
    one: Scores,
    depth: int,
    quantity: str,
    limits: list[str],
    sentence: str,
    reason: str,
    cost: float | None = None,
    one_layer: Estimate | None = None,
    deeper: Estimate | None = None,
    difference: Estimate | None = None,
) -> EqualCost:
    return EqualCost(
        task=one.task, role=one.role, match=one.match, variant=one.variant, kind=one.kind, depth=depth,
        quantity=quantity, cost=cost, one_layer=one_layer, deeper=deeper, difference=difference, reason=reason,
        limits=limits, sentence=sentence,
    )  # fmt: skip
