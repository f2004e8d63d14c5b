"""A row of the ledger as plain data: findings, the page and `strata claims` read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Says = Literal["for", "against", "neither"]
Outcome = Literal["supported", "contradicted", "depends", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Basis:
    """One number that a claim rests on, with its interval where it has one."""

    study: str
    task: str
    budget: int
    match: str
    depth: int
    measure: str
    """What `value` is, in words."""
    value: float | None
    low: float | None = None
    """None where the number is a count, or the data cannot bound it."""
    high: float | None = None
    p: float | None = None
    """Adjusted for the depths and contrasts of its study, and for the number of studies."""
    kind: str = ""
    """Scale of the number; numbers on different scales are never held against each other."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What one task at one budget says of a claim."""

    group: str
    """Family of natural tasks, or generator of dials."""
    task: str
    problem: str
    """What counts as one task; labels of two studies may ask the same."""
    budget: int
    says: Says
    reason: str = ""
    """Why it says neither."""
    basis: list[Basis] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """What the rule of a claim makes of its readings."""

    outcome: Outcome
    on: str = ""
    """What a `depends` depends on."""
    why: str
    basis: list[Basis] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim of the ledger and its verdict."""

    id: str
    statement: str
    said: str
    """Where it is said."""
    rule: str
    """The rule, fixed before the data, in words."""
    needs: str
    """The evidence that the rule reads."""
    outcome: Outcome
    verdict: str
    """`supported`, `contradicted`, `depends: on what`, or `undecided: what would settle it`."""
    why: str
    """What the verdict rests on, in one sentence."""
    settle: str
    """The study that would settle it, or move it."""
    studies: list[str]
    """Studies that count."""
    basis: list[Basis]
    limits: list[str]
