"""From a Study to arms of equal size, and from an arm to the RunSpecs of its trainings. Pure: nothing runs here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from benchmark.analysis.replicas import A_A, TUNED
from benchmark.errors import UserError
from benchmark.sizing import check, network_shape, solve
from benchmark.spec import Hyperparameters, RunSpec, Seeds, Variant, stream
from tasks import registry
from tasks.task import Task

if TYPE_CHECKING:
    from benchmark.study import Study, TaskEntry

Domain = Literal["development", "tune", "rerank", "confirm"]
_DOMAINS: dict[Domain, int] = {"development": 1, "tune": 2, "rerank": 3, "confirm": 4}
"""The top bits of a seed: seeds of two domains can never be equal (PROTOCOL 6, 20)."""


@dataclass(frozen=True)
class Arm:
    """Task x budget x match x depth x variant x replica, with the width that fits."""

    task: str
    budget: int
    match: str
    variant: str
    depth: int
    width: int
    replica: str = ""

    @property
    def name(self) -> str:
        """Readable and unique in the study; also the name of the arm's Optuna study."""
        replica = f"/{self.replica}" if self.replica else ""
        return f"{self.task}/{self.budget}/{self.match}/{self.variant}/L{self.depth}{replica}"

    @property
    def weights(self) -> str:
        """What sets its initial weights apart, in its runs' keys too. Depth 1 that is tuned more is depth 1: where both
        are asked the same training, it is one run.
        """
        return "" if self.replica == TUNED else self.replica


@dataclass(frozen=True)
class Group:
    """The arms that are tuned and confirmed together, on the same seeds: a contrast, with depth 1's other copies."""

    study: Study
    entry: TaskEntry
    budget: int
    match: str
    variant: Variant
    arms: tuple[Arm, ...]

    @cached_property
    def task(self) -> Task:
        """The task with the study's parameters."""
        return registry.create(self.entry.task, self.entry.parameters)

    @property
    def parameters(self) -> dict[str, Any]:
        """The task's dials, without what only says where its data lie."""
        return {name: value for name, value in self.task.parameters().items() if name not in self.task.locations}

    @property
    def alike(self) -> list[Arm]:
        """The arms that are asked the same points: all but depth 1 that is tuned more."""
        return [arm for arm in self.arms if arm.replica != TUNED]

    @property
    def tuned_more(self) -> Arm | None:
        """Depth 1 with as many tuning points as all deeper depths together, where the study asks for it."""
        return next((arm for arm in self.arms if arm.replica == TUNED), None)

    @cached_property
    def _digests(self) -> tuple[str, str]:
        return registry.digest(self.entry.task), self.task.data_digest()

    def spec(
        self,
        arm: Arm,
        setting: Mapping[str, float],
        domain: Domain,
        index: int,
        *,
        steps: int | None = None,
        reads_test: bool | None = None,
    ) -> RunSpec:
        """The training of `arm` with a tuning point's `setting` on the `index`-th seed of a domain.

        Tuning seeds come from (task, budget, index), seeds of trainings that read the test split from (task, index), so
        that budgets are paired: never from a depth, a width or a trial number. Only A/A's label moves the
        initialisation.
        """
        training, steps = self.study.training, steps or self.steps
        confirms = domain == "confirm" if reads_test is None else reads_test
        names = (self.study.seed, self.entry.label, "" if confirms else self.budget, index)
        folded = self.task.replicates == "folds" and domain == "confirm"
        return RunSpec(
            task=self.entry.task,
            task_parameters=self.parameters,
            task_locations={name: getattr(self.task, name) for name in self.task.locations},
            task_digest=self._digests[0],
            data_digest=self._digests[1],
            depth=arm.depth,
            width=arm.width,
            variant=self.variant,
            hyperparameters=Hyperparameters(
                batch_size=training.batch_size,
                clip_norm=training.clip_norm,
                warmup_share=training.warmup_share,
                **setting,
            ),
            seeds=Seeds(
                replicate=index,
                data=seed(domain, "data", *names),
                initialisation=seed(domain, "initialisation", arm.weights, *names),
                order=seed(domain, "order", *names),
                dropout=seed(domain, "dropout", *names),
            ),
            fold=index % self.task.folds if folded else None,
            replica=arm.weights,
            steps=steps,
            validate_every=max(1, steps // training.validations),
            precision=training.precision,
            divergence_multiple=training.divergence_multiple,
            reads_test=confirms,
        )

    @property
    def steps(self) -> int:
        """Optimiser steps of every training of this task."""
        return self.study.steps(self.entry)


def seed(domain: Domain, *names: object) -> int:
    """A 63-bit seed whose top three bits are the domain's."""
    return (_DOMAINS[domain] << 60) | (stream(domain, *names) & ((1 << 60) - 1))


def domain_of(seed: int) -> Domain | None:
    """The domain that a seed was made for; None for a number that is no such seed."""
    return next((domain for domain, code in _DOMAINS.items() if seed >> 60 == code), None)


def groups(study: Study) -> list[Group]:
    """Every group of the study, its widths solved and checked. Raises UserError where no fair widths exist."""
    if study.cells:
        raise UserError(
            f"study {study.name!r}: explicit cells cannot be run yet: give budgets and depths in their place"
        )
    found = []
    for entry in study.tasks:
        task = registry.create(entry.task, entry.parameters)
        try:
            task.data_digest()  # before anything is measured or written: a file or a package may be missing
        except (OSError, ImportError, ValueError) as error:
            raise UserError(f"task {entry.label!r}: its data cannot be made here: {error}") from None
        for budget, match in study.places(entry):
            for variant in study.variants:
                solution = solve(
                    depths=study.depths,
                    budget=budget,
                    match=match,
                    variant=variant,
                    time=task.time,
                    **network_shape(task),
                )
                try:
                    check(solution)
                except UserError as error:
                    raise UserError(f"task {entry.label!r}, match {match}: {error}") from None
                arms = [
                    Arm(entry.label, budget, match, variant.name, size.depth, size.width)
                    for size in solution.sizes.values()
                ]
                one = arms[0]
                if entry.label in study.a_a and match == "parameters":
                    arms.append(dataclasses.replace(one, replica=A_A))
                if study.tunes_one_layer_more(entry) and match == "parameters":
                    arms.append(dataclasses.replace(one, replica=TUNED))
                found.append(Group(study, entry, budget, match, variant, tuple(arms)))
    return found


def member(arm: Arm, spec: RunSpec, phase: str, point: int) -> dict[str, Any]:
    """The row of `members` that says what a run is for."""
    return {
        "key": spec.key,
        "arm": arm.name,
        "task": arm.task,
        "budget": arm.budget,
        "match": arm.match,
        "variant": arm.variant,
        "depth": arm.depth,
        "replica": arm.replica,
        "phase": phase,
        "point": point,
        "seed": spec.seeds.replicate,
        "superseded": False,
    }
