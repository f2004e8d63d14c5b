"""How often a recommendation would have been right: every published task hidden once, and asked about from the others.

Held against three that need no evidence: always one layer, always two, and a coin between them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from benchmark.analysis.outcome import Contrast
from benchmark.calibration.table import wilson
from benchmark.recommend.answer import settle, shortfall
from benchmark.recommend.limit import Cells, Limit
from benchmark.recommend.nearest import candidates, nearest
from benchmark.recommend.published import Library, PublishedTask
from benchmark.recommend.spoken import largest
from benchmark.sizing import Size

RIGHT = (
    "Right: no depth is better by a margin than the one named, by the task's own judged pairs. Of a deeper task: a "
    "depth judged better, its gain less than a margin under the best. Of any other: one layer, or a depth judged "
    "equivalent"
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One hidden task: what it says itself, and what the others say of it."""

    task: str
    source: str
    budget: int
    verdict: str
    depths: list[int]
    """Depths that its verdict names."""
    recommended: int | None
    """None where the answer is "not known"."""
    reason: str
    grounds: list[str]
    right: bool | None
    """None where nothing was recommended."""
    one_layer_right: bool
    two_layers_right: bool


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How often one way of answering is right; the interval is Wilson's, and None for the coin, whose mean is exact."""

    who: str
    right: float
    of: int
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Check:
    """Every case, and the tallies over all of them and over those that were answered."""

    cases: list[Case]
    left_out: list[str]
    over_all: list[Tally]
    over_answered: list[Tally]
    coin_as_good: float | None
    """Probability that the coin is right at least as often where a recommendation was made; None without one."""


def check(published: Library) -> Check:
    """Hide every task in turn, with all tasks of the same source: its other settings are no strangers to it.

    A task counts once, at its largest budget; one in several studies once.
    """
    cases, left_out, seen = [], [], set()
    families = sorted({one.family for one in published.tasks})
    mine = [one for family in families for one in candidates(published.tasks, family)]
    for task in sorted(mine, key=lambda one: (-_budget(one), one.name)):
        contrast = _contrast(task)
        identity = (task.source, json.dumps(contrast.parameters if contrast else {}, sort_keys=True))
        if contrast is None or task.facts is None:
            left_out.append(f"{task.name}: no verdict at equal parameters, or its shape is not known here")
        elif identity in seen:
            left_out.append(f"{task.name}: the same task at another budget or in another study is counted")
        elif contrast.verdict not in ("deeper", "wider", "no practical difference"):
            left_out.append(f"{task.name}: undecided, so nothing is right or wrong of it ({contrast.reason})")
        elif 2 not in {pair.depth for pair in contrast.pairs}:
            left_out.append(f"{task.name}: two layers were not tested")
        else:
            seen.add(identity)
            cases.append(_case(task, contrast, published))
    answered = [one for one in cases if one.right is not None]
    return Check(
        cases=sorted(cases, key=lambda one: one.task),
        left_out=sorted(left_out),
        over_all=tallies(cases),
        over_answered=tallies(answered),
        coin_as_good=coin_as_good(answered),
    )


def right(depth: int, contrast: Contrast) -> bool:
    """Whether a depth is not worse than the task's best by a margin: see `RIGHT`."""
    if contrast.verdict == "deeper":
        return depth in contrast.depths and shortfall(depth, contrast.depths, contrast) < contrast.margin
    return depth == 1 or any(pair.depth == depth and pair.judged == "equivalent" for pair in contrast.pairs)


def tallies(cases: Sequence[Case]) -> list[Tally]:
    """Recommend, always one layer, always two, and the coin. Where nothing was recommended, nothing is right."""
    if not cases:
        return []
    counted = {
        "recommend": sum(bool(one.right) for one in cases),
        "always 1 layer": sum(one.one_layer_right for one in cases),
        "always 2 layers": sum(one.two_layers_right for one in cases),
    }
    found = []
    for who, count in counted.items():
        low, high = wilson(count, len(cases))
        found.append(Tally(who=who, right=count, of=len(cases), low=low, high=high))
    coin = (counted["always 1 layer"] + counted["always 2 layers"]) / 2
    return [*found, Tally(who="a coin, 1 or 2", right=coin, of=len(cases), low=None, high=None)]


def coin_as_good(cases: Sequence[Case]) -> float | None:
    """P(the coin is right at least as often): sure where 1 and 2 are both right, binomial where only one of them is."""
    if not cases:
        return None
    both = sum(one.one_layer_right and one.two_layers_right for one in cases)
    tossed = sum(one.one_layer_right != one.two_layers_right for one in cases)
    needed = sum(bool(one.right) for one in cases) - both
    return float(stats.binom.sf(needed - 1, tossed, 0.5))


def _case(task: PublishedTask, contrast: Contrast, published: Library) -> Case:
    others = [one for one in published.tasks if one.source != task.source]
    assert task.facts is not None  # `check` leaves the others out
    grounds, _ = nearest(others, task.facts, _cells(task, contrast))
    settled = settle(grounds, "near tasks")
    return Case(
        task=task.name,
        source=task.source,
        budget=contrast.budget,
        verdict=contrast.verdict,
        depths=list(contrast.depths),
        recommended=settled.depth,
        reason=settled.reason,
        grounds=[one.task.name for one in grounds],
        right=None if settled.depth is None else right(settled.depth, contrast),
        one_layer_right=right(1, contrast),
        two_layers_right=right(2, contrast),
    )


def _contrast(task: PublishedTask) -> Contrast | None:
    ground = largest(task)
    return ground.contrast if ground is not None and ground.contrast.match == "parameters" else None


def _budget(task: PublishedTask) -> int:
    contrast = _contrast(task)
    return contrast.budget if contrast else 0


def _cells(task: PublishedTask, contrast: Contrast) -> Cells:
    """The budget alone decides which verdicts are near; widths play no part, so none is solved."""
    size = Size(1, 0, contrast.budget, 0, 0)
    return Cells(Limit("parameters", contrast.budget), {1: size})
