"""The trainings behind the numbers: which runs, by key, each arm of a study is made of. Evidence in, plain data out."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.evidence import Evidence

PHASES = {
    "confirm": "confirmed",
    "tune": "tuning",
    "rerank": "tuned again",
    "converge": "with more steps",
}
"""Every phase of a run in words, in the order in which a reader asks: scores come of the confirmed runs."""


@dataclass(frozen=True)
class Run:
    """One training as a member of an arm."""

    key: str
    place: str
    """What tells it from the others of its phase: the seed, the tuning point, or both."""
    remark: str
    """'' for one that trained to its end and counts; else its status, or `superseded`."""


@dataclass(frozen=True)
class Behind:
    """The trainings of one arm in one phase, in order."""

    task: str
    budget: int
    match: str
    variant: str
    depth: int
    replica: str
    phase: str
    runs: list[Run]


def behind(evidence: Evidence) -> list[Behind]:
    """Every arm's trainings, shallow arms first, the confirmed ones first in each; a shared training is in each arm."""
    status = dict(zip(evidence.runs["key"], evidence.runs["status"], strict=True))
    order = {phase: place for place, phase in enumerate(PHASES)}
    arm = ["task", "budget", "match", "variant", "depth", "replica", "phase"]
    found = []
    for names, members in evidence.members.groupby(arm, sort=False, dropna=False):
        rows = members.sort_values(["point", "seed", "key"] if names[-1] != "confirm" else ["seed", "key"])
        runs = [
            Run(str(key), _place(names[-1], point, seed), _remark(status.get(key), superseded))
            for key, point, seed, superseded in zip(
                rows["key"], rows["point"], rows["seed"], rows["superseded"], strict=True
            )
        ]
        task, budget, match, variant, depth, replica, phase = names
        found.append(Behind(str(task), int(budget), match, variant, int(depth), replica, phase, runs))
    return sorted(found, key=lambda one: (one.depth, one.replica, order.get(one.phase, len(order))))


def _place(phase: str, point: object, seed: object) -> str:
    """`3` for point or seed 3, both counted from 0; `3.1` for seed 1 of point 3."""
    if phase == "tune":
        return str(point)
    return f"{point}.{seed}" if phase == "rerank" else str(seed)


def _remark(status: object, superseded: object) -> str:
    if superseded is True or superseded == 1:
        return "superseded"
    return "" if status == "done" else str(status)
