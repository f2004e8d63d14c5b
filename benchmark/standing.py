"""How far a sweep has come, counted: trainings, arms, failures, and the best validation score of every depth so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmark.analysis.selection import tuning_score
from benchmark.plan import Arm, Group
from benchmark.spec import RunResult, RunSpec, problem

Cell = tuple[str, str, int, int, int]
"""Task with its parameters, variant, depth, width and steps: what a training of an arm is recognised by."""
Settings = tuple[tuple[str, float], ...]


@dataclass
class GroupStanding:
    """One row of the display: the depths that are compared with each other."""

    group: Group
    best: dict[int, float] = field(default_factory=dict)
    """Depth -> best score of a tuning run on validation, on the scale of the task's score."""

    @property
    def name(self) -> str:
        """The task, and what else tells its groups apart in this study."""
        study, entry = self.group.study, self.group.entry
        parts = [entry.label]
        parts += [f"{self.group.budget:,}"] if len(study.budgets) > 1 else []
        parts += [self.group.match] if len(study.match) > 1 else []
        parts += [self.group.variant.name] if len(study.variants) > 1 else []
        return " · ".join(parts)

    def scores(self) -> list[str]:
        """A score for every depth of the study, `-` where there is none yet."""
        return [f"{self.best[depth]:.3f}" if depth in self.best else "-" for depth in self.group.study.depths]


class Standing:
    """Told of every training that ended; says how many arms are confirmed and how well each depth was tuned so far.

    The score is the one by which tuning chooses, on validation: no test score is shown before all are in. Depth 1's
    further points, where a study tunes it more, are left out, so that all depths have had equally many tries.
    """

    def __init__(self, groups: Sequence[Group], seeds: int) -> None:
        self.seeds = seeds
        self.groups = [GroupStanding(group) for group in groups]
        self._places: dict[Cell, list[GroupStanding]] = {}
        for standing in self.groups:
            for arm in standing.group.alike:
                if not arm.replica:
                    self._places.setdefault(_cell_of(standing.group, arm), []).append(standing)
        self._settings = {id(group): _settings(group) for group in groups}
        self._arms = [(_cell_of(group, arm), arm.replica) for group in groups for arm in group.alike]
        self._confirmed: Counter[tuple[Cell, str, Settings]] = Counter()
        self.latest: GroupStanding | None = None

    @property
    def arms(self) -> int:
        """Arms of the study; depth 1 tuned more is depth 1 once more and not counted."""
        return len(self._arms)

    @property
    def arms_confirmed(self) -> int:
        """Arms whose chosen setting was trained on every confirmation seed."""
        full = {(cell, replica) for (cell, replica, _), count in self._confirmed.items() if count >= self.seeds}
        return sum(arm in full for arm in self._arms)

    def take(self, spec: RunSpec, result: RunResult) -> None:
        """Count one training that will not be tried again."""
        cell = (problem(spec.task, spec.task_parameters), spec.variant.name, spec.depth, spec.width, spec.steps)
        for standing in self._places.get(cell, []):
            self.latest = standing
            if not spec.reads_test and not spec.replica:
                self._improve(standing, spec, result)
        if spec.reads_test:
            self._confirmed[cell, spec.replica, _asked(spec, ())] += 1

    def _improve(self, standing: GroupStanding, spec: RunSpec, result: RunResult) -> None:
        names, settings = self._settings[id(standing.group)]
        if _asked(spec, names) not in settings or result.status != "done" or result.trivial_validation_loss is None:
            return
        score = tuning_score(
            result.validation_loss,
            result.trivial_validation_loss,
            result.best_validation_loss,
            result.status,
            spec.divergence_multiple,
        )
        standing.best[spec.depth] = max(score, standing.best.get(spec.depth, score))


def _cell_of(group: Group, arm: Arm) -> Cell:
    return problem(group.entry.task, group.parameters), group.variant.name, arm.depth, arm.width, group.steps


def _settings(group: Group) -> tuple[tuple[str, ...], set[Settings]]:
    """The names of the tuned hyperparameters, and every setting that all depths are asked, edges included."""
    study = group.study
    points: list[Any] = [*study.points(), *study.points_beyond("low"), *study.points_beyond("high")]
    names = tuple(points[0])
    return names, {tuple((name, float(point[name])) for name in names) for point in points}


def _asked(spec: RunSpec, names: Sequence[str]) -> Settings:
    values = vars(spec.hyperparameters)
    return tuple((name, float(values[name])) for name in names or sorted(values))
