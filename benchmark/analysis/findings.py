"""What the analysis found, as plain data: the only thing that the report and the terminal read."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmark.analysis.beyond import BeyondTwo
from benchmark.analysis.claims.claim import Claim
from benchmark.analysis.diagnoses import Effort, Trainability
from benchmark.analysis.estimates import EqualCost, Mixed, Pooled, Rate
from benchmark.analysis.kinds import Role
from benchmark.analysis.outcome import Contrast, Look
from benchmark.analysis.traces import Timescale


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One arm's confirmed runs: cost, the setting chosen by tuning, and skill on every seed."""

    arm: str
    task: str
    role: Role
    budget: int
    match: str
    variant: str
    depth: int
    replica: str
    width: int
    parameters: int
    state_size: int
    flops: int
    seconds: float | None
    """Median seconds of a training."""
    hyperparameters: dict[str, float]
    at_edge: bool
    complete: bool
    score_mean: float | None
    score_low: float | None
    """95 % Student-t interval of the mean over units; descriptive."""
    score_high: float | None
    score_median: float | None
    successes: int
    runs: int
    clipped_share: float | None
    train_loss: float | None
    validation_loss: float | None
    test_loss: float | None
    scores: list[tuple[int, float]]
    """(seed, score) of every confirmed run."""
    curve: list[tuple[int, float, float, float]]
    """(step, mean, lowest, highest) of the validation loss over the confirmed runs."""
    tuning: list[tuple[float, float]]
    """(learning rate, mean tuning score) of every point asked."""


@dataclass(frozen=True)
class Control:
    """One control of PROTOCOL 19 and whether the instrument passed it."""

    kind: Literal["depth", "width", "null", "A/A"]
    task: str
    passed: bool
    reason: str
    qualification: str
    """`qualified (table ...)`, or why it is not; 'A/A' needs none."""
    gates: bool = True
    """Whether the answer is withheld when it fails. A/A on a natural task is printed and gates nothing."""
    budget: int = 0
    """Where it stands, in parameters."""


@dataclass(frozen=True)
class Check:
    """One check of fairness by its name; a failed one withholds the answer."""

    name: str
    passed: bool | None
    """None where the evidence does not show it."""
    words: str
    """What held, what did not, or what is not shown; without a full stop."""


@dataclass(frozen=True, kw_only=True)
class Advice:
    """Advice on a person's own series. Gains are of the contrast's score: shares of the trivial predictor's loss."""

    task: str
    depth: int
    width: int
    parameters: int
    learning_rate: float | None
    baseline: str
    """The strongest simple predictor; '' when there is none."""
    over_baseline: float | None
    low: float | None
    high: float | None
    words: list[str]
    """Sentences for a person, without full stops."""


Variation = Literal["second metric", "best seed dropped", "one layer tuned more"]


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """One primary contrast judged anew under one variation."""

    task: str
    budget: int
    match: str
    variant: str
    kind: Variation
    stands: bool | None
    """Whether the study's verdict stands; None where the variation cannot tell."""
    verdict: str
    """The verdict under the variation; on the second metric, which has no margin, the direction."""
    words: str
    """What was found, without a full stop."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The whole answer of a study; `verdict.json` is `to_dict()` of it."""

    study: str
    purpose: str
    protocol: str
    headline: str
    """First line of everything: the controls when one fails, the answer otherwise."""
    controls_line: str
    look: Look
    looks: list[Look]
    next_look: Look | None
    exploratory: str
    """'' or why the analysis is exploratory (the family changed after looking)."""
    controls: list[Control]
    contrasts: list[Contrast]
    arms: list[Arm]
    failures: list[dict[str, Any]]
    """(key, arm, status, error's last line) of failed runs."""
    notes: list[str]
    """Limits that a reader must know, one sentence each."""
    trainings: int
    seconds: float
    advice: list[Advice] = field(default_factory=list)
    """Advice, for tasks of family `own` only."""
    pooled: list[Pooled] = field(default_factory=list)
    """Natural tasks of a family together (PROTOCOL 16)."""
    interaction: list[Mixed] = field(default_factory=list)
    """The gain of depth against known depth, by a mixed model."""
    exchange: list[Rate] = field(default_factory=list)
    """How much larger one layer must be to score what a deeper network scores (PROTOCOL 17)."""
    equal_costs: list[EqualCost] = field(default_factory=list)
    """Depths at equal parameters, total state, FLOPs and seconds, between tuned budgets."""
    checks: list[Check] = field(default_factory=list)
    """The checks of fairness, in one order."""

    sensitivity: list[Sensitivity] = field(default_factory=list)
    """Would the answer change? The variations of every primary contrast."""

    trainability: list[Trainability] = field(default_factory=list)
    """Did the deeper networks of every contrast train, and if one is worse, why?"""
    effort: list[Effort] = field(default_factory=list)
    """Would the order of the depths change with less tuning?"""

    timescales: list[Timescale] = field(default_factory=list)
    """How long each layer remembers a changed input; empty where `strata timescales` was not run."""

    beyond_two: list[BeyondTwo] = field(default_factory=list)
    """Every depth beyond two against two layers."""
    known_depths: dict[str, int] = field(default_factory=dict)
    """Task -> how deep its generator is, where that is known."""
    claims: list[Claim] = field(default_factory=list)
    """The ledger over this study alone."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return dataclasses.asdict(self)
