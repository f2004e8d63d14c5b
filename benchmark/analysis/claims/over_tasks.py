"""From what every task says of a claim to a ruling; the same for every claim.

1. A claim is read off groups (families of natural tasks, generators of dials) with at least two decided tasks, and
   needs as many such groups as its row says. A task is decided where it says for or against at some budget.
2. All decided tasks for it, and more than half of all tasks decided: supported. All against, likewise: contradicted.
3. Some for and some against: depends, if they differ by more than chance. Else undecided.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from benchmark.analysis.claims.admission import LEVEL
from benchmark.analysis.claims.claim import Basis, Reading, Ruling
from benchmark.analysis.fairness import listed

FEWEST_TASKS = 2
"""One task alone is no statement across tasks."""
FEWEST_GROUPS = 2
"""One family alone is no statement about sequences."""
NEVER_POOLED = "relative reduction"


@dataclass(frozen=True)
class Difference:
    """P of "all readings are alike", and what they differ by if they are not."""

    p: float
    on: str


def over_tasks(
    readings: Sequence[Reading],
    groups: int = FEWEST_GROUPS,
    noun: str = "families",
    differ: Callable[[Sequence[Reading]], Difference] | None = None,
) -> Ruling:
    """The ruling over all readings; their order does not matter.

    `groups` of them are needed, called `noun`. `differ` tests whether the readings differ, by default `unlike`.
    """
    ordered = sorted(readings, key=lambda one: (one.group, one.task, one.budget, one.problem))
    basis = [number for one in ordered for number in one.basis]
    limits = list(dict.fromkeys(limit for one in ordered for limit in one.limits))
    said = _told(ordered)
    enough = [group for group, tasks in _decided(ordered).items() if len(tasks) >= FEWEST_TASKS]
    if len(enough) < groups:
        wanted = f"needed are {FEWEST_TASKS} decided tasks in each of {groups} {noun}"
        wanted = wanted if groups > 1 else f"needed are {FEWEST_TASKS} decided tasks"
        return Ruling(outcome="undecided", why=f"{said or 'nothing was read'}; {wanted}", basis=basis, limits=limits)
    mine = [one for one in ordered if one.group in enough]
    sides = {one.says for one in mine if one.says != "neither"}
    if len(sides) > 1:
        found = (differ or unlike)(mine)
        if found.p <= LEVEL:
            why = f"{said}; they differ by more than chance (p {_p(found.p)})"
            return Ruling(outcome="depends", on=found.on, why=why, basis=basis, limits=limits)
        why = f"{said}; they disagree, and no test tells that from chance (p {_p(found.p)})"
        return Ruling(outcome="undecided", why=why, basis=basis, limits=limits)
    asked = {one.problem for one in mine}
    decided = {one.problem for one in mine if one.says != "neither"}
    if 2 * len(decided) <= len(asked):
        why = f"{said}; only {len(decided)} of {len(asked)} tasks are decided"
        return Ruling(outcome="undecided", why=why, basis=basis, limits=limits)
    outcome = "supported" if sides == {"for"} else "contradicted"
    return Ruling(outcome=outcome, why=said, basis=basis, limits=limits)  # type: ignore[arg-type]


def every_part(parts: Mapping[str, Ruling]) -> Ruling:
    """The ruling of a claim with several parts: one that is contradicted contradicts it, and all must support it."""
    outcomes = [part.outcome for part in parts.values()]
    why = "; ".join(f"{name}: {part.outcome} ({part.why})" for name, part in parts.items())
    on = "; ".join(f"{part.on} ({name})" for name, part in parts.items() if part.on)
    basis = [number for part in parts.values() for number in part.basis]
    limits = list(dict.fromkeys(limit for part in parts.values() for limit in part.limits))
    if "contradicted" in outcomes:
        return Ruling(outcome="contradicted", why=why, basis=basis, limits=limits)
    if "undecided" in outcomes:
        return Ruling(outcome="undecided", why=why, basis=basis, limits=limits)
    if "depends" in outcomes:
        return Ruling(outcome="depends", on=on, why=why, basis=basis, limits=limits)
    return Ruling(outcome="supported", why=why, basis=basis, limits=limits)


def unlike(readings: Sequence[Reading]) -> Difference:
    """Cochran's Q over tasks and budgets, the decided ones and the others.

    Apart for every depth and scale, of which the smallest p counts, times their number; where a number was taken at
    several matches the largest p counts, since a claim needs them all. Relative reductions are never pooled (PROTOCOL
    7), so they are left out. 1 where fewer than two numbers have intervals.
    """
    tables: dict[tuple[str, int, str], dict[str, list[Basis]]] = {}
    for one in (number for reading in readings for number in reading.basis):
        if one.value is not None and one.low is not None and one.high is not None and one.kind != NEVER_POOLED:
            tables.setdefault((one.kind, one.depth, one.measure), {}).setdefault(one.match, []).append(one)
    found = [
        max(cochran([(one.value or 0.0, error(one)) for one in several]) for several in by_match.values())
        for by_match in tables.values()
        if all(len(several) > 1 for several in by_match.values())
    ]
    return Difference(min(1.0, len(found) * min(found)) if found else 1.0, differing(readings))


def cochran(numbers: Sequence[tuple[float, float]]) -> float:
    """P of "all (value, standard error) estimate one number" (Cochran 1954, Biometrics 10, 101-129)."""
    values, errors = np.array(numbers, dtype=float).T
    if not (errors > 0).all():
        return 1.0
    weights = errors**-2.0
    q = float(weights @ (values - weights @ values / weights.sum()) ** 2)
    return float(stats.chi2.sf(q, len(values) - 1))


def error(one: Basis) -> float:
    """Standard error of a number, off its interval: half its width over the normal quantile at 95 %.

    Intervals here are wider than normal ones (few units, several depths, test blocks), and so are these errors. That
    keeps Q at its level with six units a task, where errors off the spread would not.
    """
    if one.low is None or one.high is None:
        return math.inf
    return (one.high - one.low) / 2 / float(stats.norm.ppf(1 - LEVEL / 2))


def _decided(readings: Sequence[Reading]) -> dict[str, set[str]]:
    decided: dict[str, set[str]] = {}
    for one in readings:
        if one.says != "neither":
            decided.setdefault(one.group, set()).add(one.problem)
    return decided


def differing(readings: Sequence[Reading]) -> str:
    """What sides go by: the budget or the setting, where every task is on both sides; else the task."""
    by_task: dict[str, set[str]] = {}
    by_budget: dict[int, set[str]] = {}
    for one in readings:
        if one.says != "neither":
            by_task.setdefault(one.problem, set()).add(one.says)
            by_budget.setdefault(one.budget, set()).add(one.says)
    if any(len(sides) == 1 for sides in by_task.values()):
        return "the task"
    return "the budget" if all(len(sides) == 1 for sides in by_budget.values()) else "the setting of the task"


def _told(readings: Sequence[Reading]) -> str:
    """`for it: a, b (speech); against it: c (finance); undecided: d (open)`."""
    parts = []
    for says, words in (("for", "for it"), ("against", "against it"), ("neither", "undecided")):
        mine: dict[str, list[Reading]] = {}
        for one in readings:
            if one.says == says:
                mine.setdefault(one.reason if says == "neither" else one.group, []).append(one)
        if mine:
            parts.append(f"{words}: " + ", ".join(f"{_names(some, readings)} ({why})" for why, some in mine.items()))
    return "; ".join(parts)


def _names(mine: Sequence[Reading], every: Sequence[Reading]) -> str:
    """Tasks, with their budgets where these do not all say the same."""
    names = []
    for task in dict.fromkeys(one.task for one in mine):
        budgets = sorted({one.budget for one in mine if one.task == task})
        whole = budgets == sorted({one.budget for one in every if one.task == task})
        names.append(task if whole else f"{task} at {listed([f'{budget:,}' for budget in budgets])}")
    return ", ".join(names)


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"
