"""Where on the page something that was found of a contrast stands: in the order of the groups, under their labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from benchmark.analysis.diagnoses import Effort, Trainability
from benchmark.analysis.findings import Findings
from benchmark.analysis.traces import Timescale
from benchmark.report.groups import groups

Item = TypeVar("Item", Trainability, Effort, Timescale)


def placed(findings: Findings, items: Sequence[Item]) -> list[tuple[str, Item]]:
    """(label, item), natural tasks first; at most one item a contrast."""
    found = {(item.task, item.budget, item.match, item.variant): item for item in items}
    labelled = []
    for group in groups(findings):
        first = group.contrast or next(iter(group.arms), None)
        item = found.get((first.task, first.budget, first.match, first.variant)) if first else None
        if item:
            labelled.append((group.label, item))
    return labelled


def named(found: Sequence[tuple[str, Item]], chosen: Sequence[Item]) -> str:
    """The chosen ones of `found`, by label; a task of which all are chosen by its name alone."""
    whole = whole_tasks(found, chosen)
    return ", ".join(
        dict.fromkeys(item.task if item.task in whole else label for label, item in found if item in chosen)
    )


def whole_tasks(found: Sequence[tuple[str, Item]], chosen: Sequence[Item]) -> list[str]:
    """Tasks of which all that was found is chosen."""
    tasks = dict.fromkeys(item.task for item in chosen)
    return [task for task in tasks if all(other in chosen for _, other in found if other.task == task)]
