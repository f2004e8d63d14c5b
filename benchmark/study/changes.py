"""What may change in a study that has runs (DESIGN, "Growing a study"): two resolved studies, compared by one table."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmark.study.model import Study

Kind = Literal["same", "free", "addition", "refused"]


@dataclass(frozen=True)
class Change:
    """The gravest kind of change between two studies, and every difference of that kind, one line each.

    same      nothing differs
    free      reporting or execution only: no key, no choice and no verdict depends on it
    addition  the family, the choices or the error rates differ, no finished key does. Free before the first
              confirmation run; after it the analysis reads "family changed after looking: exploratory". Taking
              something away counts too: a family that shrinks after looking is shopping as much as one that grows
    refused   finished keys would have come out differently
    """

    kind: Kind
    differences: list[str] = field(default_factory=list)

    @property
    def difference(self) -> str:
        """All differences in one line."""
        return "; ".join(self.differences)


_RULES: tuple[tuple[str, Kind], ...] = (
    (r"name", "refused"),
    (r"description", "free"),
    (r"purpose", "addition"),
    (r"tasks\[[^]]*\]", "addition"),
    (r"tasks\[[^]]*\]\.control", "addition"),
    (r"tasks\[[^]]*\]\.places(\..*|\[.*)?", "addition"),
    (r"tasks\[.*", "refused"),
    (r"variants\[[^]]*\]", "addition"),
    (r"variants\[.*", "refused"),
    (r"(budgets|depths|cells|match|a_a)\[.*", "addition"),
    (r"confirmation\..*|analysis\..*|sensitivity\..*", "addition"),
    (r"tuning\.batch", "free"),  # points are computed before any is asked, so that batches only set the pace
    (r"tuning\.rerank\..*", "addition"),
    (r"training\.steps", "free"),  # a default: what counts is in each task's steps
    (r"training\.segment_steps", "free"),  # any cut gives the uncut result, bit for bit
    (r"(training|tuning)\..*|seed", "refused"),
)
"""Path of a difference -> kind, first match wins. A key that is not here is refused until someone decides."""

_GRAVITY: tuple[Kind, ...] = ("same", "free", "addition", "refused")
_POINTS = re.compile(r"tuning\.(?!batch|rerank|rungs)")


def classify(old: Mapping[str, Any], new: Mapping[str, Any]) -> Change:
    """Compare the resolved study that has runs with the one now asked for.

    Tasks are told apart by label and variants by name; the order of lists is free. Tuning is an addition when the
    points of one are the first points of the other. Sources of tasks and contents of data files are not in a study:
    their digests are in the keys. Raises UserError when either is not a resolved study.
    """
    before, after = Study.from_dict(old, "the study as it ran"), Study.from_dict(new, "the study now")
    found = _differences("", _named(before), _named(after))
    points = _points_kind(before.points(), after.points())
    judged = [(points if _POINTS.match(path) else _kind(path), line) for path, line in found]
    if not judged and before != after:
        return Change("free", ["the same entries in another order"])
    gravest = _GRAVITY[max((_GRAVITY.index(kind) for kind, _ in judged), default=0)]
    return Change(gravest, [line for kind, line in judged if kind == gravest])


def _kind(path: str) -> Kind:
    return next((kind for pattern, kind in _RULES if re.fullmatch(pattern, path)), "refused")


def _points_kind(before: Sequence[Any], after: Sequence[Any]) -> Kind:
    shared = min(len(before), len(after))
    if before[:shared] != after[:shared]:
        return "refused"
    return "addition"


class _Entries(dict[str, Any]):
    """A list as a mapping from what tells its entries apart."""


def _named(study: Study) -> dict[str, Any]:
    """The resolved study with every list as entries: order is lost, identity is kept."""
    resolved = study.resolved()
    resolved["tasks"] = _Entries((task["label"], task) for task in resolved["tasks"])
    resolved["variants"] = _Entries((variant["name"], variant) for variant in resolved["variants"])
    for task in resolved["tasks"].values():
        given = task["places"].items()
        task["places"] = _Entries((f"{match} {budget}", True) for match, budgets in given for budget in budgets)
    for key in ("budgets", "depths", "cells", "match", "a_a"):
        resolved[key] = _Entries((str(entry), True) for entry in resolved[key])
    return resolved


def _differences(path: str, old: Any, new: Any) -> list[tuple[str, str]]:
    """(path, line) of every leaf that differs, and of every entry added or taken away."""
    if isinstance(old, _Entries) and isinstance(new, _Entries):
        gone = [(f"{path}[{name}]", f"{path}: {name} taken away") for name in old if name not in new]
        come = [(f"{path}[{name}]", f"{path}: {name} added") for name in new if name not in old]
        inside = [d for name in old if name in new for d in _differences(f"{path}[{name}]", old[name], new[name])]
        return gone + come + inside
    if isinstance(old, dict) and isinstance(new, dict):
        below = f"{path}." if path else ""
        pairs = [(key, old.get(key, _ABSENT), new.get(key, _ABSENT)) for key in {**old, **new}]
        return [d for key, was, now in pairs for d in _differences(below + str(key), was, now)]
    was, now = _text(old), _text(new)
    return [] if was == now else [(path, f"{path}: was {was}, now {now}")]


_ABSENT = object()


def _text(value: Any) -> str:
    """JSON, which tells 1 from 1.0, from true and from "1", as the hash of a key does."""
    return "absent" if value is _ABSENT else json.dumps(value, sort_keys=True)
