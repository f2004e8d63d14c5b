"""Pareto fronts: the arms of a task that no other arm beats in score without costing more."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmark.analysis.findings import Arm

QUANTITIES: dict[str, Callable[[Arm], float | None]] = {
    "parameters": lambda arm: arm.parameters,
    "state": lambda arm: arm.state_size,
    "flops": lambda arm: arm.flops,
    "seconds": lambda arm: arm.seconds,
}
"""What an arm may cost."""
SWEEP_SECONDS = "seconds of the sweep, not of an idle timing run"


@dataclass(frozen=True, kw_only=True)
class Point:
    """One arm in the plane of cost and score."""

    arm: str
    depth: int
    width: int
    budget: int
    match: str
    cost: float
    score: float
    low: float | None
    high: float | None
    on_front: bool
    tied: list[str]
    """Other arms of exactly this cost and score: neither dominates the other."""


@dataclass(frozen=True, kw_only=True)
class Front:
    """All arms of one task and variant against one cost, cheapest first; of all budgets and matches.

    By mean scores alone: an arm may be on the front by less than its interval is wide.
    """

    task: str
    variant: str
    quantity: str
    points: list[Point]
    left_out: list[str]
    """Arms that do not enter, each with its reason."""
    limits: list[str]

    @property
    def front(self) -> list[Point]:
        """The arms that are not dominated, cheapest first."""
        return [point for point in self.points if point.on_front]


def undominated(costs: Sequence[float], scores: Sequence[float]) -> list[bool]:
    """For every point: no other costs at most as much and scores at least as high, with one of the two strictly.

    Points of the same cost and score do not dominate each other. Raises ValueError where a number is not finite.
    """
    if not all(map(math.isfinite, [*costs, *scores])):
        raise ValueError("costs and scores must be finite numbers: leave out what was not measured")
    kept = [False] * len(costs)
    best = -math.inf
    # Cheapest first, and of equals in cost the best score first: a point is kept if it beats all cheaper ones.
    order = sorted(range(len(costs)), key=lambda at: (costs[at], -scores[at]))
    leader: tuple[float, float] | None = None
    for at in order:
        here = (costs[at], scores[at])
        if scores[at] > best:
            kept[at], best, leader = True, scores[at], here
        elif here == leader:
            kept[at] = True
    return kept


def fronts(arms: Sequence[Arm], timed: bool = False) -> list[Front]:
    """A front per task, variant and cost; tasks in the order of `arms`, and the order inside a task does not matter.

    `timed` says that the seconds come from an idle, interleaved timing run (PROTOCOL 17).
    """
    groups: dict[tuple[str, str], list[Arm]] = {}
    for arm in arms:
        if not arm.replica:
            groups.setdefault((arm.task, arm.variant), []).append(arm)
    return [_front(place, mine, name, timed) for place, mine in groups.items() for name in QUANTITIES]


def _front(place: tuple[str, str], arms: Sequence[Arm], quantity: str, timed: bool) -> Front:
    cells: dict[tuple[int, int, float | None], Arm] = {}
    left_out = []
    for arm in sorted(arms, key=lambda arm: arm.arm):
        cost = QUANTITIES[quantity](arm)
        if not arm.complete:
            left_out.append(f"{arm.arm}: it is incomplete")
        elif arm.score_mean is None or not math.isfinite(arm.score_mean):
            left_out.append(f"{arm.arm}: it has no score")
        elif cost is None or not math.isfinite(cost) or cost <= 0:
            left_out.append(f"{arm.arm}: its {quantity} were not measured")
        else:
            # A cell that two matches share was trained once: it is one point, not a tie with itself.
            cells.setdefault((arm.depth, arm.width, arm.score_mean), arm)
    found = list(cells.values())
    costs = [float(QUANTITIES[quantity](arm) or 0.0) for arm in found]
    values = [float(arm.score_mean or 0.0) for arm in found]
    kept = undominated(costs, values)
    points = [
        Point(
            arm=arm.arm, depth=arm.depth, width=arm.width, budget=arm.budget, match=arm.match, cost=cost, score=value,
            low=arm.score_low, high=arm.score_high, on_front=stays,
            tied=[
                other.arm
                for other, its_cost, its_value in zip(found, costs, values, strict=True)
                if other is not arm and (its_cost, its_value) == (cost, value)
            ],
        )
        for arm, cost, value, stays in zip(found, costs, values, kept, strict=True)
    ]  # fmt: skip
    limits = [SWEEP_SECONDS] if quantity == "seconds" and not timed else []
    return Front(
        task=place[0],
        variant=place[1],
        quantity=quantity,
        points=sorted(points, key=lambda point: (point.cost, -point.score, point.arm)),
        left_out=left_out,
        limits=limits,
    )
