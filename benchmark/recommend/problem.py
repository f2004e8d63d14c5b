"""What is known of a problem, and how far one problem lies from another: counted in doublings, nothing is learned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark.sizing import Target

if TYPE_CHECKING:
    from tasks.task import Task

FACTOR = 2.0
"""How far the budget of a verdict may lie from the one asked for, as for controls (PROTOCOL 19)."""
REACH = 4.0
"""Doublings: a task that lies farther away is not near. Fixed before any study was published, and tuned on none."""
OTHER_KIND = 2.0
"""Doublings that another kind of target counts as, or a known structure where none is known."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a person knows of a problem; None is not said, and then no distance counts it."""

    family: str
    length: int | None = None
    """Steps of a sequence."""
    inputs: int | None = None
    """Features of a step, or symbols of the vocabulary."""
    target: Target | None = None
    known_depth: int | None = None
    """Levels or layers of what generates the data, where that is known."""
    outputs: int = 1
    embedding: int = 0
    """Numbers that stand for a symbol, from a trained table; 0 feeds symbols one-hot."""


@dataclass(frozen=True)
class Term:
    """One part of a distance: what was asked for, what the published task has, and how many doublings apart."""

    name: str
    asked: str
    found: str
    doublings: float


def facts_of(task: Task) -> Facts:
    """The facts of a task at its setting."""
    return Facts(
        family=task.family,
        length=task.time,
        inputs=task.inputs,
        target=task.target,
        known_depth=task.known_depth,
        outputs=task.outputs,
        embedding=task.embedding,
    )


def terms(asked: Facts, found: Facts, size: float, budget: int) -> list[Term]:
    """Length, inputs, target, structure and size, each in doublings; the family is no term, it must be the same.

    `size` are the parameters asked for, `budget` those of the verdict.
    """
    numbers = [("length", asked.length, found.length), ("inputs", asked.inputs, found.inputs)]
    return [
        *(Term(name, _said(one), _said(other), _ratio(one, other)) for name, one, other in numbers),
        Term("target", asked.target or "", found.target or "", _kinds(asked.target, found.target)),
        Term("known depth", _said(asked.known_depth), _said(found.known_depth), _structure(asked, found)),
        Term("parameters", f"{size:,.0f}", f"{budget:,}", _ratio(size, budget)),
    ]


def distance(between: list[Term]) -> float:
    """Doublings in all: the terms are added, none counts more than another."""
    return math.fsum(term.doublings for term in between)


def _ratio(one: float | None, other: float | None) -> float:
    return 0.0 if one is None or other is None else abs(math.log2(one / other))


def _kinds(one: str | None, other: str | None) -> float:
    return OTHER_KIND if one and other and one != other else 0.0


def _structure(asked: Facts, found: Facts) -> float:
    if asked.known_depth is not None and found.known_depth is None:
        return OTHER_KIND
    return _ratio(asked.known_depth, found.known_depth)


def _said(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
