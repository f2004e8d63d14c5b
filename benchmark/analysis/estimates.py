"""What is estimated across tasks and sizes, as plain data; findings hold lists of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmark.analysis.kinds import Role
from benchmark.analysis.skill import Score

Reached = Literal["inside", "above", "below", ""]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number and its bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """One deeper depth against depth 1 over the natural tasks of one family, at one budget, match and variant.

    Where `reason` is not '', nothing was estimated and every number is None.
    """

    family: str
    budget: int
    match: str
    variant: str
    depth: int
    tasks: list[str]
    left_out: list[str]
    """Tasks that do not enter, each with its reason."""
    one_layer: Estimate | None = None
    """Interquartile mean of the score of depth 1 over tasks and units."""
    deeper: Estimate | None = None
    difference: Estimate | None = None
    """`deeper` minus `one_layer`; both are resampled on the same units, as the runs are paired."""
    improvement: Estimate | None = None
    """Probability that a run of this depth scores above a run of depth 1, averaged over tasks; a tie counts half."""
    reason: str = ""
    limits: list[str]
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """How many times more; None where the end lies outside the tested sizes of depth 1, where nothing is read."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Rate:
    """How much larger one layer must be to score what `depth` layers score at one budget.

    Where `reason` is not '', nothing was estimated and `budget` is 0. `reached` says where the score of the deeper
    depth lies: `inside` the tested sizes of depth 1, `above` (not reached by the largest) or `below` (the smallest
    scores more already).
    """

    task: str
    role: Role
    match: str
    variant: str
    kind: Score
    depth: int
    budget: int = 0
    reached: Reached = ""
    parameters: Ratio | None = None
    """Parameters that one layer needs, over those of the deeper network."""
    wider: Ratio | None = None
    """Width that one layer needs, over the width of one layer at the same budget: 1 where depth gained nothing."""
    width: float | None = None
    """Width that one layer needs, in cells."""
    smallest: float | None = None
    """Parameters of the smallest tested one-layer network, over those of the deeper network."""
    largest: float | None = None
    """The same of the largest."""
    reason: str = ""
    limits: list[str]
    sentence: str


@dataclass(frozen=True, kw_only=True)
class EqualCost:
    """Scores of a deeper depth and of depth 1 at one cost that both curves span.

    Where `reason` is not '', nothing was estimated.
    """

    task: str
    role: Role
    match: str
    variant: str
    kind: Score
    depth: int
    quantity: str
    cost: float | None = None
    one_layer: Estimate | None = None
    deeper: Estimate | None = None
    difference: Estimate | None = None
    """`deeper` minus `one_layer` on the same seeds."""
    reason: str = ""
    limits: list[str]
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Coefficient:
    """What one term adds to the gain, in units of skill; interval and p by Student's t."""

    name: str
    value: float
    error: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """The mixed model of all tasks of one match and variant. Where `reason` is not '', nothing was estimated."""

    match: str
    variant: str
    tasks: list[str]
    left_out: list[str]
    known_depths: list[int]
    budgets: list[int]
    observations: int
    """One per task, budget and deeper depth: the mean gain over units, so that seeds do not pose as tasks."""
    coefficients: list[Coefficient]
    task_spread: float | None
    """Standard deviation of the tasks' own slopes."""
    reason: str
    limits: list[str]
    sentence: str
