"""What every contender trains: a stack on sequences of 8 inputs, 500 optimiser steps, validated 20 times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks import registry
from tasks.task import Task

if TYPE_CHECKING:
    from benchmark.spec import RunSpec

TASK, INPUTS, SEQUENCES = "stacked_teacher", 8, 2048
VALIDATIONS = 20
CLIP = 1.0


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

    @property
    def validate_every(self) -> int:
        """Optimiser steps from one validation to the next."""
        return max(1, self.steps // VALIDATIONS)

    def task(self) -> Task:
        """A teacher's output, one number at every step, is to be predicted."""
        dials = {"layers": 1, "cells": 8, "inputs": INPUTS, "time": self.time, "train": SEQUENCES}
        return registry.create(TASK, dials)

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
        )
