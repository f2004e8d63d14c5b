"""The family of a study as it was frozen before its first confirmation run (PROTOCOL 12), and whether it was changed.

Kept in the journal, carried by the evidence (`state.frozen` of study.yaml), so that neither a merge nor a publication
can hide that a family was changed after looking.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmark.study import Study

Family = Mapping[str, Any]
CHANGED = "family changed after looking: exploratory"
UNKNOWN: dict[str, Any] = {"unknown": "the evidence says that its family was changed after looking, not what it was"}
"""Differs from every family: a study that takes over such evidence is exploratory too."""


def family(study: Study, arms: Iterable[str]) -> dict[str, Any]:
    """What must not change after the first confirmation run."""
    return {
        "arms": sorted(arms),
        "points": len(study.points()),
        "margin": study.analysis.margin,
        "alpha": study.analysis.alpha,
        "looks": list(study.confirmation.looks),
    }


def firsts(frozen: Sequence[Mapping[str, Any]]) -> list[Family]:
    """The families under which somebody first looked: of this journal, and of every part merged into it.

    `frozen` are the journal's records of that kind, in order; of those that a merge brought, the ones that count carry
    `first`.
    """
    return [record["family"] for number, record in enumerate(frozen) if not number or record.get("first")]


def changed(frozen: Sequence[Mapping[str, Any]], now: Family) -> bool:
    """Whether anybody looked under another family first."""
    return any(first != now for first in firsts(frozen))
