"""What a depth beyond two adds over two layers, as plain data; findings hold a list of these."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.analysis.kinds import Judged, Role
from benchmark.analysis.skill import Score


@dataclass(frozen=True, kw_only=True)
class BeyondTwo:
    """One depth beyond two against two layers of the same contrast, on the same seeds; differences of score.

    Judged as a contrast's pairs are judged against one layer. Where `reason` is not '', a gate leaves it undecided.
    """

    task: str
    role: Role
    budget: int
    match: str
    variant: str
    kind: Score
    depth: int
    units: int
    difference: float | None
    low: float | None
    """Simultaneous over the depths beyond two; None where these units cannot bound it."""
    high: float | None
    p_adjusted: float | None
    """Max-T over the depths beyond two, Holm over the contrasts."""
    p_equivalence_adjusted: float | None
    judged: Judged
    successes: int
    successes_two_layers: int
    reason: str
