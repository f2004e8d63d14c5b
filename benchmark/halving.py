"""Successive halving among the tuning points of one arm: at a rung, those that are behind stop (PROTOCOL 5).

An arm's points are compared with each other and never with another depth's: deep stacks may learn later. Every arm is
asked the same points, halts at the same steps and lets as many go. What goes on is trained exactly as it would be
without a rung. Confirmation has no rungs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from benchmark.spec import RunResult, RunSpec

FEWEST = 3
"""Points that always go on: two may lie at the edges, and an edge needs something inside to be compared with."""


def steps_of(shares: Sequence[float], spec: RunSpec) -> list[int]:
    """Rungs of a training in steps, ascending: each share of its steps, at the nearest validation before the last."""
    every = spec.validate_every
    found = {max(1, round(share * spec.steps / every)) * every for share in shares}
    return sorted(step for step in found if step < spec.steps)


def loss_at(result: RunResult, rung: int) -> float:
    """Best validation loss up to step `rung`; infinity for a training that diverged by then, or failed.

    A training that went on, and perhaps diverged later, is seen as it was at the rung.
    """
    reached = [value for step, name, _, value in result.curves if name == "validation/loss" and step <= rung]
    diverged = result.status == "diverged" and result.steps <= rung
    return math.inf if diverged or result.status == "failed" else min(reached, default=math.inf)


def kept(losses: Mapping[int, float], finalists: int) -> set[int]:
    """The better half of the points, but never fewer than are to be trained again; ties go to the lower point."""
    return set(sorted(losses, key=lambda point: (losses[point], point))[: count_kept(len(losses), finalists)])


def count_kept(points: int, finalists: int) -> int:
    """How many of so many points go on beyond a rung."""
    return min(points, max(math.ceil(points / 2), finalists, FEWEST))
