"""What is decided of one contrast, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from benchmark.analysis.kinds import Judged, Role, Verdict


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One deeper depth (or the A/A replica) against depth 1, on the same seeds; differences of score, deeper - 1."""

    depth: int
    replica: str = ""
    difference: float | None
    low: float | None
    """Simultaneous interval at 1 - alpha of the look; None where it is unbounded."""
    high: float | None
    p: float | None
    """Sign-flip p adjusted by max-T inside the contrast."""
    p_adjusted: float | None
    """The larger of `p` and its contrast's Holm-adjusted p (PROTOCOL 12)."""
    p_equivalence: float | None
    p_equivalence_adjusted: float | None = None
    judged: Judged
    spread: float | None
    """Standard deviation of the paired differences."""
    differences: list[float] = field(default_factory=list)
    """One per unit of sign flips (seed, or fold), in order."""
    successes: int
    successes_one_layer: int
    p_success: float = 1.0
    """Exact McNemar p of "diverges as often as depth 1"; Holm over all pairs of the family in the next."""
    p_success_adjusted: float = 1.0
    t_low: float | None = None
    """Paired-t interval: sensitivity only."""
    t_high: float | None = None
    second_metric_difference: float | None = None


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Task x budget x match x variant with all its depths, and its verdict."""

    task: str
    family: str
    role: Role
    budget: int
    match: str
    variant: str
    verdict: Verdict
    depths: list[int]
    """Depths that the verdict names (`deeper`: the better ones; `wider`: the worse ones)."""
    reason: str
    sentence: str
    """The verdict as a person reads it, with interval, parameters and steps (PROTOCOL 22)."""
    seeds: int
    """Units of sign flips: seeds, or folds."""
    replicates: str
    more_seeds: int | None
    pairs: list[Pair]
    metric: str
    unit: str
    score: Literal["skill", "relative reduction"]
    margin: float
    margin_in_unit: float | None
    steps: int
    baselines: dict[str, float] = field(default_factory=dict)
    """Score of each strong baseline, on the scale of the contrast's score (mean over replicates)."""
    second_metric_name: str = ""
    flips_on_second_metric: bool = False
    source: str = ""
    """Built-in name, or `path:Class`, of the task: several labels may ask one task different things."""
    parameters: dict[str, Any] = field(default_factory=dict)
    """The task's dials in this contrast."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """One declared look of the study and the error it may spend."""

    seeds: int
    alpha: float
