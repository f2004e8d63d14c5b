"""What every contender trains: a stack on sequences of 8 inputs, 500 optimiser steps, validated 20 times."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from benchmark.company import POPULATION
from tasks import registry
from tasks.task import Task

if TYPE_CHECKING:
    from benchmark.spec import RunSpec

TASK, INPUTS, SEQUENCES = "stacked_teacher", 8, 2048
VALIDATIONS = 20
CLIP = 1.0


def dials(time: int) -> dict[str, int]:
    """Parameters of the task, whose sequences have `time` steps."""
    return {"layers": 1, "cells": 8, "inputs": INPUTS, "time": time, "train": SEQUENCES}


@dataclass(frozen=True)
class Cell:
    """One training. `chunk` is the optimiser steps of a Lightning step, by default those between two validations."""

    depth: int
    width: int
    steps: int = 500
    time: int = 50
    batch_size: int = 32
    learning_rate: float = 0.01
    seed: int = 0
    chunk: int | None = None
    threads: int = 1
    """Of torch; contenders that people write leave it alone."""
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    """Of Strata's arithmetic."""
    company: int = POPULATION
    """Trainings that Strata steps side by side, as a sweep does: the others know no such thing."""

    @property
    def validate_every(self) -> int:
        """Optimiser steps from one validation to the next."""
        return max(1, self.steps // VALIDATIONS)

    def task(self) -> Task:
        """A teacher's output, one number at every step, is to be predicted."""
        return registry.create(TASK, dials(self.time))

    def specs(self) -> list[RunSpec]:
        """What Strata is asked for it: as many trainings of it as are stepped side by side."""
        return [replace(self, seed=self.seed + number).spec() for number in range(self.company)]

    def spec(self) -> RunSpec:
        """The same training as Strata is asked for it; the test split is not read, as the others do not read it."""
        from benchmark.spec import Hyperparameters, RunSpec, Seeds

        seeds = dict.fromkeys(("data", "initialisation", "order", "dropout"), self.seed)
        return RunSpec(
            task=TASK,
            task_parameters=self.task().parameters(),
            task_digest=registry.digest(TASK),
            depth=self.depth,
            width=self.width,
            hyperparameters=Hyperparameters(
                learning_rate=self.learning_rate, batch_size=self.batch_size, clip_norm=CLIP
            ),
            seeds=Seeds(replicate=self.seed, **seeds),
            steps=self.steps,
            validate_every=self.validate_every,
            precision=self.precision,
        )
