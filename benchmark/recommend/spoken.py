"""What one published task says of the cells that a person can afford: its verdict near that size, or between sizes."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field

import numpy as np

from benchmark.analysis.curves import FEWEST_BUDGETS, FEWEST_UNITS, weights
from benchmark.analysis.findings import Arm
from benchmark.analysis.intervals import student
from benchmark.analysis.kinds import Judged
from benchmark.analysis.outcome import Contrast, Pair
from benchmark.analysis.verdict import Case, Judgement, rule
from benchmark.recommend.limit import Cells, Limit
from benchmark.recommend.problem import FACTOR, Term, distance
from benchmark.recommend.published import PublishedTask

ALPHA = 0.05
"""Shared by the depths (Bonferroni) where an interval is made here; a verdict's has the error its study declared."""


@dataclass(frozen=True)
class Ground:
    """A task that a recommendation rests on, and what it says."""

    task: PublishedTask
    contrast: Contrast
    """Its verdict; between budgets the same with pairs, verdict and reason put in place of its own."""
    interpolated: bool = False
    terms: list[Term] = field(default_factory=list)
    """How far it lies from what was asked; none for the person's own study and for a task asked for by name."""

    @property
    def distance(self) -> float:
        """Doublings from what was asked."""
        return distance(self.terms)


def largest(task: PublishedTask) -> Ground | None:
    """The verdict at equal parameters of a task's largest budget; None where it has none."""
    mine = [one for one in task.contrasts if one.match == "parameters"] or task.contrasts
    return Ground(task, max(mine, key=lambda one: one.budget)) if mine else None


def at(task: PublishedTask, limit: Limit) -> Ground | None:
    """The verdict at the very budget asked for; None where that was not tested."""
    asked = ("parameters", limit.amount) if limit.quantity == "parameters" else None
    return next((Ground(task, one) for one in task.contrasts if (one.match, one.budget) == asked), None)


def says(task: PublishedTask, cells: Cells) -> Ground | str:
    """What the task says at these cells, or why it says nothing.

    A verdict speaks for sizes within a factor of 2, where the cells are alike in what it held equal. Cells of unlike
    size are compared only inside the tested sizes of at least 3 tuned budgets (PROTOCOL 17).
    """
    matches = [one for one, holds in (("flops", cells.limit.quantity == "flops"), ("parameters", cells.alike)) if holds]
    for match in matches:
        mine = [one for one in task.contrasts if one.match == match]
        if near := [one for one in mine if _apart(one.budget, cells.size) <= math.log2(FACTOR)]:
            return Ground(task, min(near, key=lambda one: (_apart(one.budget, cells.size), one.budget)))
    if cells.alike:
        tested = ", ".join(f"{one:,}" for one in sorted({one.budget for one in task.contrasts}))
        return f"tested at {tested} parameters, not within a factor of {FACTOR:g} of {cells.size:,.0f}"
    return _between(task, cells)


def _apart(budget: float, size: float) -> float:
    return abs(math.log2(size / budget))


def _between(task: PublishedTask, cells: Cells) -> Ground | str:
    """Depths of unlike size, each read off its own curve of score by size; straight lines on logarithms."""
    contrasts = [one for one in task.contrasts if one.match == "parameters"]
    if not contrasts:
        return "no study at equal parameters"
    like = min(contrasts, key=lambda one: (_apart(one.budget, cells.size), one.budget))
    depths = sorted({pair.depth for pair in like.pairs})
    read = [_pair(task, like, depth, cells, ALPHA / len(depths)) for depth in depths]
    if refused := [one for one in read if isinstance(one, str)]:
        return refused[0]
    pairs = [one for one in read if isinstance(one, Pair)]
    open_ = "the interval between budgets settles nothing"
    ruling = rule(Case(pairs=[Judgement(depth=pair.depth, judged=pair.judged) for pair in pairs], more=open_))
    contrast = dataclasses.replace(
        like, verdict=ruling.verdict, depths=ruling.depths, reason=ruling.reason, pairs=pairs, sentence=""
    )
    return Ground(task, contrast, interpolated=True)


def _pair(task: PublishedTask, like: Contrast, depth: int, cells: Cells, alpha: float) -> Pair | str:
    """Depth against depth 1 at the sizes of the cells, or why it cannot be read."""
    budgets = sorted(
        budget
        for budget in {arm.budget for arm in task.arms}
        if all(_usable(_arm(task, budget, one)) for one in (1, depth))
    )
    if len(budgets) < FEWEST_BUDGETS:
        return (
            f"needs study: depths of unlike size are compared inside at least {FEWEST_BUDGETS} tuned budgets, "
            f"and depth {depth} has {len(budgets)}"
        )
    values: dict[int, dict[int, float]] = {}
    for one in (1, depth):
        arms = [arm for budget in budgets if (arm := _arm(task, budget, one)) is not None]
        wanted, sizes = float(cells.sizes[one].parameters), np.array([float(arm.parameters) for arm in arms])
        if not sizes.min() <= wanted <= sizes.max():
            end = f"> largest tested ({sizes.max():,.0f})" if wanted > sizes.max() else f"< {sizes.min():,.0f}"
            return f"not reached: depth {one} would have {wanted:,.0f} parameters, {end}"
        shared = sorted(set.intersection(*({seed for seed, _ in arm.scores} for arm in arms)))
        table = np.array([[dict(arm.scores)[seed] for arm in arms] for seed in shared]).reshape(-1, len(arms))
        values[one] = dict(zip(shared, table @ weights(sizes, wanted), strict=True))
    paired = {seed: values[depth][seed] - one for seed, one in values[1].items() if seed in values[depth]}
    differences = _by_unit(paired, like)
    interval = student(differences, alpha) if len(differences) >= FEWEST_UNITS else None
    if interval is None:
        return f"needs study: {len(differences)} seeds are shared by all budgets"
    value = float(differences.mean())
    return Pair(
        depth=depth, difference=value, low=interval[0], high=interval[1], p=None, p_adjusted=None, p_equivalence=None,
        judged=_judged(value, *interval, like.margin), spread=float(differences.std(ddof=1)),
        differences=differences.tolist(), successes=len(differences), successes_one_layer=len(differences),
    )  # fmt: skip


def _arm(task: PublishedTask, budget: int, depth: int) -> Arm | None:
    found = [arm for arm in task.arms if (arm.budget, arm.match, arm.depth) == (budget, "parameters", depth)]
    return found[0] if found else None


def _usable(arm: Arm | None) -> bool:
    """Complete, tuned, and not at the edge of what was asked."""
    return arm is not None and arm.complete and bool(arm.tuning) and not arm.at_edge


def _by_unit(differences: dict[int, float], like: Contrast) -> np.ndarray:
    """Of fixed data one value a fold: seed i is of fold i mod F (PROTOCOL 11)."""
    if like.replicates != "folds":
        return np.array(list(differences.values()))
    folds: dict[int, list[float]] = {}
    for seed, value in differences.items():
        folds.setdefault(seed % like.seeds, []).append(value)
    return np.array([np.mean(several) for _, several in sorted(folds.items())])


def _judged(value: float, low: float, high: float, margin: float) -> Judged:
    """By the interval alone, as the rules of verdicts are without a p."""
    if -margin <= low and high <= margin:
        return "equivalent"
    if low > 0 and value >= margin:
        return "better"
    return "worse" if high < 0 and value <= -margin else "open"
