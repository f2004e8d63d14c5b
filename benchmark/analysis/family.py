"""The contrasts that a study declares, whether or not their runs arrived, and the two families they form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from benchmark.analysis.kinds import Role

REPLICA = "aa"
PLACE = ("task", "budget", "match", "variant")
"""Columns that tell the rows of one contrast from another's."""
_CONTROLS: dict[str, Role] = {"depth": "depth control", "width": "width control", "null": "null control"}


@dataclass(frozen=True, kw_only=True)
class Declared:
    """One contrast as declared: depth 1 against every deeper depth, or (A/A) against its own replica."""

    task: str
    role: Role
    control: str
    """What the task itself is a control for: A/A on a null control is held to the null control's rule."""
    budget: int
    match: str
    variant: str
    others: list[tuple[int, str]]
    """(depth, replica) of the arms that are compared with depth 1."""
    steps: int | None = None

    @property
    def arms(self) -> list[tuple[int, str]]:
        """(depth, replica) of all arms, depth 1 first."""
        return [(1, ""), *self.others]

    @property
    def family(self) -> Literal["controls", "primary"]:
        """Holm runs within a family (PROTOCOL 12)."""
        return "primary" if self.role in ("natural", "dial") else "controls"

    @property
    def place(self) -> tuple[str, int, str, str]:
        """Its values of `PLACE`."""
        return self.task, self.budget, self.match, self.variant

    def rows(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows of this contrast's arms."""
        mine = (rows["task"] == self.task) & (rows["budget"] == self.budget)
        mine &= (rows["match"] == self.match) & (rows["variant"] == self.variant)
        arms = pd.Series(list(zip(rows["depth"], rows["replica"], strict=True)), index=rows.index, dtype=object)
        return rows[mine & arms.isin(self.arms)]


def declared(study: Mapping[str, Any], runs: pd.DataFrame) -> list[Declared]:
    """Every contrast of the study, in its order; the A/A contrast of a task follows the task's own.

    The family is frozen by the declaration, so a contrast without a single run is there too. A/A is judged at equal
    parameters (every match gives one layer the same size). `runs` only tells a task's family and known depth.
    """
    found: list[Declared] = []
    for task in study["tasks"]:
        label, control = task["label"], task.get("control") or ""
        role = _CONTROLS.get(control) or _uncontrolled(task, runs[runs["task"] == label])
        for place in _places(study, label):
            common: dict[str, Any] = {
                "task": label,
                "control": control,
                "budget": int(place["budget"]),
                "match": place["match"],
                "variant": place["variant"],
                "steps": place.get("steps") or task.get("steps"),
            }
            depths = sorted(int(depth) for depth in place["depths"])
            if 1 in depths and len(depths) > 1:
                found.append(Declared(role=role, others=[(d, "") for d in depths if d > 1], **common))
            if place["a_a"]:
                found.append(Declared(role="A/A", others=[(1, REPLICA)], **common))
    return found


def _places(study: Mapping[str, Any], label: str) -> Iterator[Mapping[str, Any]]:
    """Budget, match and variant of a task's contrasts: as listed by a study read off a table, else every product."""
    if "contrasts" in study:
        yield from (place for place in study["contrasts"] if place["task"] == label)
        return
    own = next(task for task in study["tasks"] if task["label"] == label)
    for budget in study.get("budgets") or []:
        for match in study["match"]:
            if own.get("places") and budget not in own["places"].get(match, []):
                continue
            for variant in study.get("variants") or ["plain"]:
                yield {
                    "budget": budget,
                    "match": match,
                    "variant": variant["name"] if isinstance(variant, Mapping) else variant,
                    "depths": study.get("depths") or [],
                    "a_a": label in _copied(study) and match == "parameters",
                }


def _copied(study: Mapping[str, Any]) -> list[str]:
    """Labels of the tasks that carry A/A; earlier studies name one without a list."""
    named = study.get("a_a") or []
    return [named] if isinstance(named, str) else named


def judged_match(study: Mapping[str, Any]) -> str:
    """Controls are judged at equal parameters (PROTOCOL 2); a study without them judges at its first match."""
    return "parameters" if "parameters" in study["match"] else study["match"][0]


def _uncontrolled(task: Mapping[str, Any], runs: pd.DataFrame) -> Role:
    """A task built for a known structure is a dial; real data and models of them are natural tasks (PROTOCOL 16)."""
    families = set(runs["family"].dropna()) | {task.get("family") or ""}
    return "dial" if "synthetic" in families or runs["known_depth"].notna().any() else "natural"
