"""Every training that the arms of a study can ever ask for, recognised by what evidence says of a training.

The tables of evidence hold no whole RunSpec. They need none: a key is a hash of all that was asked, so a spec that an
arm of the study would ask and that has the key of a row *is* what that row was trained by.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.conduct import EDGES
from benchmark.plan import Arm, Domain, Group, domain_of
from benchmark.spec import RunSpec, problem

Setting = tuple[tuple[str, float], ...]
Cell = tuple[str, str, int, int, str]
"""Task with its parameters, variant, depth, width and replica."""


@dataclass(frozen=True)
class Trained:
    """What a journal and the tables of evidence both say of a training."""

    key: str
    task: str
    problem: str
    digest: str
    variant: str
    depth: int
    width: int
    replica: str
    replicate: int
    data_seed: int
    hyperparameters: Mapping[str, float]

    @classmethod
    def by_spec(cls, spec: RunSpec) -> Trained:
        """As a journal has it."""
        return cls(
            key=spec.key,
            task=spec.task,
            problem=problem(spec.task, spec.task_parameters),
            digest=spec.task_digest,
            variant=spec.variant.name,
            depth=spec.depth,
            width=spec.width,
            replica=spec.replica,
            replicate=spec.seeds.replicate,
            data_seed=spec.seeds.data,
            hyperparameters=vars(spec.hyperparameters),
        )

    @classmethod
    def by_row(cls, row: Mapping[str, Any]) -> Trained:
        """As a row of `runs` has it. Raises ValueError for JSON that is none."""
        return cls(
            key=row["key"],
            task=row["task_source"],
            problem=problem(row["task_source"], json.loads(row["task_parameters"])),
            digest=row["task_digest"],
            variant=row["variant"],
            depth=row["depth"],
            width=row["width"],
            replica=row["replica"],
            replicate=row["seed"],
            data_seed=row["data_seed"],
            hyperparameters=json.loads(row["hyperparameters"]),
        )

    @property
    def cell(self) -> Cell:
        """What an arm of the study may be found by."""
        return self.problem, self.variant, self.depth, self.width, self.replica


class Askable:
    """The trainings of a study up to its last declared look, whether or not it comes to ask for them."""

    def __init__(self, groups: Sequence[Group]) -> None:
        """Of the groups of one study."""
        self.study = groups[0].study
        self._arms: dict[Cell, list[tuple[Group, Arm]]] = {}
        self._digests: dict[str, str] = {}
        for group in groups:
            asked = problem(group.entry.task, group.parameters)
            for arm in group.alike:  # depth 1 that is tuned more is depth 1
                cell = (asked, group.variant.name, arm.depth, arm.width, arm.weights)
                self._arms.setdefault(cell, []).append((group, arm))
            self._digests[asked] = group.spec(group.arms[0], self.study.points()[0], "tune", 0).task_digest
        self._by_point = _settings_by_point(groups)
        self._settings = set[Setting]().union(*self._by_point)

    def spec(self, trained: Trained) -> RunSpec | None:
        """What an arm of the study would ask to get this training; None where none would."""
        setting, domain = self._setting(trained), domain_of(trained.data_seed)
        if domain is None or not self._in_reach(setting, domain, trained.replicate):
            return None
        for group, arm in self._arms.get(trained.cell, []):
            lengths = [group.steps]
            if domain == "confirm" and trained.replicate < self.study.confirmation.doubled:
                lengths.append(2 * group.steps)
            for steps in lengths:
                spec = group.spec(arm, dict(setting), domain, trained.replicate, steps=steps)
                if spec.key == trained.key:
                    return spec
        return None

    def why_not(self, trained: Trained) -> str:
        """Why no arm asks for it, as far as can be told."""
        domain = domain_of(trained.data_seed)
        if trained.problem not in self._digests:
            return f"no task {trained.task!r} with these parameters in the study"
        if trained.digest != self._digests[trained.problem]:
            return f"made by another source of task {trained.task!r}"
        if trained.cell not in self._arms:
            return f"no arm of task {trained.task!r} has that depth, width and variant"
        if self._setting(trained) not in self._settings:
            return "trained at hyperparameters that are none of the study's tuning points"
        if not self._in_reach(self._setting(trained), domain, trained.replicate):
            return "seeds that the study does not ask for, such as those beyond its last declared look"
        return "asked for otherwise: other steps, batches, data, seed of the study or version of the protocol"

    def _setting(self, trained: Trained) -> Setting:
        values = trained.hyperparameters
        return tuple((name, float(values[name])) for name in self.study.tuning.tuned if name in values)

    def _in_reach(self, setting: Setting, domain: Domain | None, index: int) -> bool:
        match domain:
            case "tune":
                return index < len(self._by_point) and setting in self._by_point[index]
            case "rerank":
                return setting in self._settings and index < self.study.tuning.rerank.seeds
            case "confirm":
                return setting in self._settings and index < max(self.study.confirmation.looks)
        return False  # a development seed, or none of ours


def _settings_by_point(groups: Sequence[Group]) -> list[set[Setting]]:
    """What tuning point k can be: it depends on the edges at which a group was extended, and on further points."""
    study = groups[0].study
    found: list[set[Setting]] = []
    for chosen in ((), EDGES[:1], EDGES[1:], EDGES):
        points = study.points()
        for edge in chosen:
            points = [*points, *study.points_beyond(edge)]
        if any(group.tuned_more for group in groups):
            points = [*points, *study.further_points(points)]
        for index, point in enumerate(points):
            found += [set()] if index == len(found) else []
            found[index].add(tuple((name, float(point[name])) for name in study.tuning.tuned))
    return found
