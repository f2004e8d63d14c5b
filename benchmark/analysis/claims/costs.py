"""Claims on what depth costs: the same error for fewer cells and less time, and the price of a layer.

Seconds of a sweep decide nothing, since other trainings ran beside them (PROTOCOL 17): time is read only where a study
has seconds of an idle, interleaved timing run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from scipy import stats

from benchmark.analysis.claims.admission import MARGIN
from benchmark.analysis.claims.claim import Basis, Reading, Ruling, Says
from benchmark.analysis.claims.gaps import widened
from benchmark.analysis.claims.over_tasks import Difference, differing, every_part, over_tasks
from benchmark.analysis.claims.sides import arms, asked, by_place, natural
from benchmark.analysis.estimates import EqualCost
from benchmark.analysis.findings import Arm, Findings
from benchmark.analysis.fronts import SWEEP_SECONDS
from benchmark.analysis.outcome import Contrast

MORE = 0.05
"""Share by which a cost must be higher to count: as much as the sizes of two arms may differ (PROTOCOL 1)."""
COUNTED = "state is counted in cells; bytes were not measured"
RISE = "what tuning still gains from half the points to all of them has no interval: tasks are the repetitions"


def deep_is_efficient(studies: Sequence[Findings]) -> Ruling:
    """A deeper stack scores higher at the same total cells, and at the same seconds: the same error costs less."""
    return every_part(
        {
            "fewer cells": over_tasks(_at_equal(studies, "state")),
            "faster": over_tasks(_at_equal(studies, "seconds")),
        }
    )


def deeper_costs_more(studies: Sequence[Findings]) -> Ruling:
    """At equal parameters every deeper stack takes longer, holds more state, and gains more from further tuning."""
    return every_part(
        {
            "time": over_tasks(_priced(studies, "seconds of a training", _seconds), differ=by_budget),
            "memory": over_tasks(_priced(studies, "total state", lambda arm: float(arm.state_size), COUNTED)),
            "tuning": over_tasks(_tuned(studies), differ=by_budget),
        }
    )


def by_budget(readings: Sequence[Reading]) -> Difference:
    """Alexander and Govern's test of the deepest depth's cost between budgets, tasks being the repetitions.

    For costs that have no interval of their own (Alexander and Govern 1994, J. Educational Statistics 19, 91-101). P is
    1 where the sides do not go by budget, or fewer than two budgets have two tasks that differ.
    """
    groups: dict[int, dict[str, float]] = {}
    for one in readings:
        deepest = max(one.basis, key=lambda number: number.depth, default=None)
        if deepest is not None and deepest.value is not None:
            value = math.log(deepest.value) if deepest.kind == "ratio" else deepest.value
            groups.setdefault(one.budget, {})[one.task] = value
    samples = [list(found.values()) for found in groups.values() if len(found) > 1]
    usable = differing(readings) == "the budget" and len(samples) > 1 and all(np.ptp(sample) > 0 for sample in samples)
    return Difference(float(stats.alexandergovern(*samples).pvalue) if usable else 1.0, "the budget")


def timed(study: Findings) -> bool:
    """Whether the study's seconds come from an idle, interleaved timing run."""
    seconds = [one for one in study.equal_costs if one.quantity == "seconds"]
    return bool(seconds) and all(SWEEP_SECONDS not in one.limits for one in seconds)


# At equal cost, between tuned budgets.


def _at_equal(studies: Sequence[Findings], quantity: str) -> list[Reading]:
    several: list[tuple[Findings, Contrast, list[EqualCost]]] = []
    for study in studies:
        first = {task: by_match.get("parameters") for (task, _), by_match in by_place(study, natural).items()}
        for task, contrast in first.items():
            mine = [
                one
                for one in study.equal_costs
                if (one.task, one.match, one.variant, one.quantity) == (task, "parameters", "plain", quantity)
            ]
            if mine and contrast is not None:
                several.append((study, contrast, mine))
    depths = sum(len({one.depth for one in mine}) for _, _, mine in several)
    return [_equal(study, contrast, mine, max(1, depths)) for study, contrast, mine in several]


def _equal(study: Findings, contrast: Contrast, items: Sequence[EqualCost], times: int) -> Reading:
    """One reading per task, over all its budgets; `times` intervals are read of all tasks together."""
    reason = next((one.reason for one in items if one.reason), "")
    if items[0].quantity == "seconds" and not timed(study):
        reason = SWEEP_SECONDS
    basis, by_depth = [], {}
    for depth in sorted({one.depth for one in items}) if not reason else []:
        mine = [one for one in items if one.depth == depth and one.difference is not None]
        numbers = [_number(study, contrast, one, place, len(mine), times) for place, one in enumerate(mine)]
        by_depth[depth] = numbers
        basis += numbers
    above = any(numbers and all(_above(one) for one in numbers) for numbers in by_depth.values())
    nowhere = bool(by_depth) and all(
        numbers and all(one.high is not None and one.high < MARGIN for one in numbers) for numbers in by_depth.values()
    )
    says: Says = "for" if above else "against" if nowhere else "neither"
    return Reading(
        group=contrast.family, task=contrast.task, problem=asked(contrast), budget=0,
        says=says, reason=reason or "open", basis=basis,
        limits=list(dict.fromkeys(limit for one in items for limit in one.limits)),
    )  # fmt: skip


def _number(study: Findings, contrast: Contrast, one: EqualCost, place: int, of: int, times: int) -> Basis:
    where = "the only" if of == 1 else ("the smallest", "the middle", "the largest")[min(place, 2)]
    assert one.difference is not None
    found = one.difference
    low, high = widened(found.value, found.low, found.high, contrast.seeds, times)
    return Basis(
        study=study.study, task=one.task, budget=0, match=one.match, depth=one.depth,
        measure=f"{one.kind} over one layer at equal {one.quantity}, {where} that both span", value=found.value,
        low=low, high=high, kind=one.kind,
    )  # fmt: skip


def _above(one: Basis) -> bool:
    return one.value is not None and one.low is not None and one.value >= MARGIN and one.low > 0


# The price of a layer, at equal parameters.


def _seconds(arm: Arm) -> float | None:
    return arm.seconds


def _contrasts(studies: Sequence[Findings]) -> Iterator[tuple[Findings, Contrast]]:
    """Every task at every budget, at equal parameters: what a layer costs does not hang on how a task scores."""
    for study in studies:
        places = by_place(study, lambda _, one: one.role in ("natural", "dial"))
        for by_match in places.values():
            if "parameters" in by_match:
                yield study, by_match["parameters"]


def _priced(
    studies: Sequence[Findings], measure: str, cost: Callable[[Arm], float | None], limit: str = ""
) -> list[Reading]:
    found = []
    for study, contrast in _contrasts(studies):
        several = arms(study, contrast)
        reason = SWEEP_SECONDS if cost is _seconds and not timed(study) else ""
        prices = {arm.depth: cost(arm) for arm in several}
        one_layer = prices.get(1)
        basis = [
            _price(study, contrast, depth, f"{measure} over one layer's", price / one_layer, "ratio")
            for depth, price in prices.items()
            if depth > 1 and price and one_layer and not reason
        ]
        found.append(_costing(contrast, basis, 1 + MORE, reason or f"no {measure} on record", limit))
    return found


def _tuned(studies: Sequence[Findings]) -> list[Reading]:
    found = []
    for study, contrast in _contrasts(studies):
        place = (contrast.task, contrast.budget, contrast.match, contrast.variant)
        told = next((one for one in study.effort if (one.task, one.budget, one.match, one.variant) == place), None)
        searched = {one.depth: one.rise for one in told.depths} if told is not None and not told.reason else {}
        more = {depth: rise - searched[1] for depth, rise in searched.items() if depth > 1 and 1 in searched}
        basis = [
            _price(study, contrast, depth, "what tuning still gains, over one layer", value, contrast.score)
            for depth, value in more.items()
        ]
        reason = told.reason if told is not None and told.reason else "tuning is not on record"
        found.append(_costing(contrast, basis, MARGIN, reason, RISE))
    return found


def _price(study: Findings, contrast: Contrast, depth: int, measure: str, value: float, kind: str) -> Basis:
    return Basis(
        study=study.study, task=contrast.task, budget=contrast.budget, match=contrast.match, depth=depth,
        measure=measure, value=value, kind=kind,
    )  # fmt: skip


def _costing(contrast: Contrast, basis: list[Basis], least: float, reason: str, limit: str) -> Reading:
    """For where every deeper depth costs at least `least`, against where none does."""
    higher = [one.value is not None and one.value >= least for one in basis]
    says: Says = "for" if basis and all(higher) else "against" if basis and not any(higher) else "neither"
    return Reading(
        group=contrast.family if contrast.role == "natural" else contrast.source,
        task=contrast.task, problem=asked(contrast), budget=contrast.budget, says=says,
        reason="" if says != "neither" else "depths differ" if basis else reason, basis=basis,
        limits=[limit] if limit and basis else [],
    )  # fmt: skip
