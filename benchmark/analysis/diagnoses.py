"""What is said of training and of tuning effort, as plain data; findings hold lists of these."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from benchmark.analysis.kinds import Judged, Role
from benchmark.analysis.outcome import Contrast
from benchmark.analysis.skill import Score

Diagnosis = Literal["", "failed to train", "trains as well and generalises worse", "not separable"]
"""Of a deeper depth that is worse on test; '' for any other."""
Standing = Literal["ahead", "level", "behind"]
"""Of a deeper depth against depth 1: by at least a margin, or not."""


@dataclass(frozen=True, kw_only=True)
class Paired:
    """A mean difference from depth 1 over the same units, and its interval, simultaneous over the depths."""

    value: float
    low: float | None
    """None where these units cannot bound it."""
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Compared(Paired):
    """A difference of scores on the training data, judged by the test that judges the scores on test."""

    p_adjusted: float
    p_equivalence_adjusted: float
    judged: Judged


@dataclass(frozen=True, kw_only=True)
class Trained:
    """How the trainings of one depth of a contrast went. What was not recorded is None or empty."""

    depth: int
    tuned: int
    """Tuning trainings that gave a result: those asked of every point, and the best ones again."""
    tuned_diverged: int
    confirmed: int
    confirmed_diverged: int
    clipped_share: float | None
    """Mean share of steps whose gradient was clipped, over the confirmed trainings."""
    norms: list[tuple[int, list[float]]] = field(default_factory=list)
    """(step, median length of the gradient before clipping in each layer, the lowest layer first)."""
    ratios: list[tuple[int, float, float, float]] = field(default_factory=list)
    """(step, median, lowest, highest) over the trainings of the lowest layer's gradient over the top layer's."""
    ratio: float | None = None
    """Median over the trainings of each one's median ratio; None at depth 1, whose layers are one."""
    reached: int | None = None
    """Trainings whose validation loss reached the threshold at all."""
    steps: int | None = None
    """First validated step by which half of all trainings had reached it; None where fewer than half ever did."""
    validation_gap: float | None = None
    """Mean of (validation loss - training loss), as a share of one unit of the test score."""
    test_gap: float | None = None
    train: Compared | None = None
    """Training score of the weights that were kept, difference from depth 1."""
    lowest: Compared | None = None
    """The same of the lowest training loss during training."""
    validation_gap_widened: Paired | None = None
    """`validation_gap`, difference from depth 1: above 0 the gap is wider."""
    test_gap_widened: Paired | None = None
    judged: Judged | None = None
    """On test, as in the contrast; None at depth 1."""
    diagnosis: Diagnosis = ""


@dataclass(frozen=True, kw_only=True)
class Trainability:
    """Did the deeper networks of one contrast train, and if one is worse on test, why?"""

    task: str
    role: Role
    budget: int
    match: str
    variant: str
    kind: Score
    share: float
    """The threshold stands for this share of depth 1's validation score."""
    validation_score: float | None
    """Median score of depth 1's kept weights on validation; None where there is nothing to reach."""
    steps: int
    """Length of a training: where a threshold that was not reached is censored."""
    depths: list[Trained]
    """Depth 1 first."""
    limits: list[str]
    sentence: str
    """'' where no depth is worse on test."""


@dataclass(frozen=True, kw_only=True)
class Searched:
    """The best validation score to be expected of one depth after 1, 2, ... points of tuning."""

    depth: int
    expected: list[float]
    """Of n = 1 up to all points asked."""
    diverged: int
    """Points that diverged or were stopped early: scored min(0, the worst completed point of the contrast)."""
    rise: float
    """Expected best of all points minus that of half of them (rounded down)."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """How the deeper depths stand against depth 1 after `first` to `last` points."""

    first: int
    last: int
    standings: list[tuple[int, Standing]]
    """(depth, standing)."""


@dataclass(frozen=True, kw_only=True)
class Effort:
    """Would the order of the depths of one contrast change with less tuning, and is it still changing?

    Where `reason` is not '', nothing was estimated.
    """

    task: str
    role: Role
    budget: int
    match: str
    variant: str
    kind: Score
    points: int = 0
    depths: list[Searched] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    """One for every stretch of points over which the answer stays the same."""
    reason: str = ""
    sentence: str


_EQUAL = {"state": ", equal total state", "flops": ", equal FLOPs"}


def opening(contrast: Contrast) -> str:
    """How a sentence about one contrast opens, so that no other of its study opens so."""
    variant = "" if contrast.variant == "plain" else f" ({contrast.variant})"
    budget = f", budget {contrast.budget:,}" if contrast.budget else ""
    return f"On {contrast.task}{variant}{budget}{_EQUAL.get(contrast.match, '')}"
