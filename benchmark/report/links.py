"""From a number to its runs: the list of keys at the end of the page, and the address of every place in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from benchmark.analysis import replicas
from benchmark.analysis.findings import Findings
from benchmark.behind import PHASES, Behind, Run
from benchmark.report.groups import groups
from benchmark.report.words import layers


@dataclass(frozen=True)
class Place:
    """The trainings of one group: its arms, shallow first, and the runs of each by phase."""

    anchor: str
    label: str
    count: int
    arms: list[tuple[str, list[tuple[str, list[Run]]]]]


@dataclass(frozen=True)
class Runs:
    """Every place, in the order of the groups; `example` is a key to search for."""

    places: list[Place]
    example: str
    anchors: dict[tuple[str, int, str, str], str]

    def anchor(self, item: Any) -> str:
        """Where the runs of a contrast, an arm, or whatever has a task, budget and match are listed; '' if nowhere.

        What names no variant is led to the first one.
        """
        task, budget, match = item.task, item.budget, item.match
        variant = getattr(item, "variant", None)
        if variant is not None:
            return self.anchors.get((task, budget, match, variant), "")
        return next((to for place, to in self.anchors.items() if place[:3] == (task, budget, match)), "")


def runs(findings: Findings, behind: Sequence[Behind]) -> Runs | None:
    """What the page lists; None where nothing is known of the runs."""
    found: dict[tuple[str, int, str, str], list[Behind]] = {}
    for one in behind:
        found.setdefault((one.task, one.budget, one.match, one.variant), []).append(one)
    places, anchors = [], {}
    for number, group in enumerate(groups(findings), 1):
        first = group.contrast or next(iter(group.arms), None)
        where = (first.task, first.budget, first.match, first.variant) if first else ("", 0, "", "")
        if where in found:
            anchors[where] = f"runs-{number}"
            mine = found[where]
            keys = {run.key for one in mine for run in one.runs}
            places.append(Place(anchors[where], group.label, len(keys), _arms(mine)))
    if not places:
        return None
    return Runs(places, next(one.runs[0].key for one in behind if one.runs), anchors)


def _arms(mine: Sequence[Behind]) -> list[tuple[str, list[tuple[str, list[Run]]]]]:
    """By depth and replica; `behind` has them in order."""
    return [
        (
            layers([depth]) + (f" {replicas.name(replica)}" if replica else ""),
            [(PHASES.get(one.phase, one.phase), one.runs) for one in phases],
        )
        for (depth, replica), phases in groupby(mine, lambda one: (one.depth, one.replica))
    ]
