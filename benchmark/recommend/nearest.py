"""The published tasks nearest to a problem: same family, nearest in doublings, one source of data counted once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.recommend.limit import Cells
from benchmark.recommend.problem import REACH, Facts, terms
from benchmark.recommend.published import PublishedTask
from benchmark.recommend.spoken import Ground, says

MOST = 3
"""Sources that an answer rests on, each counting the same; fixed before any study was published."""


@dataclass(frozen=True)
class PassedOver:
    """A task of the family that is not among the nearest, with the reason."""

    task: str
    reason: str


def candidates(tasks: Sequence[PublishedTask], family: str) -> list[PublishedTask]:
    """Tasks of the family that may speak for another one: natural ones, and dials for what is synthetic itself.

    Controls are chosen for their direction (PROTOCOL 20), and families are judged apart (PROTOCOL 16).
    """
    role = "dial" if family == "synthetic" else "natural"
    return [one for one in tasks if one.family == family and one.role == role]


def nearest(tasks: Sequence[PublishedTask], facts: Facts, cells: Cells) -> tuple[list[Ground], list[PassedOver]]:
    """The grounds of an answer, nearest first, and the tasks of the family that are none.

    Settings of one source (a generator, a market) are not independent tasks: only the nearest of them counts, or
    several that are equally near. A task at the distance of the last one that is taken is taken too.
    """
    found, passed = [], []
    for task in candidates(tasks, facts.family):
        said = says(task, cells)
        if isinstance(said, str):
            passed.append(PassedOver(task.name, said))
        elif task.facts is None:
            passed.append(PassedOver(task.name, "its shape is not known here"))
        else:
            between = terms(facts, task.facts, cells.size, said.contrast.budget)
            found.append(Ground(said.task, said.contrast, said.interpolated, between))
    found.sort(key=lambda one: (one.distance, one.task.name))
    closest: dict[str, float] = {}
    for one in found:
        closest.setdefault(one.task.source, one.distance)
    last = sorted(closest.values())[:MOST][-1] if closest else 0.0
    taken = []
    for one in found:
        if one.distance > REACH:
            passed.append(PassedOver(one.task.name, f"{one.distance:.1f} doublings away, more than {REACH:g}"))
        elif one.distance > closest[one.task.source]:
            passed.append(PassedOver(one.task.name, f"another setting of {one.task.source} is nearer"))
        elif one.distance > last:
            passed.append(PassedOver(one.task.name, f"{MOST} others are nearer ({one.distance:.1f} doublings)"))
        else:
            taken.append(one)
    return taken, passed
