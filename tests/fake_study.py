"""Whole studies without torch: the real driver over the real journal, fed by trainings that only make numbers up."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import yaml
from rich.console import Console

from benchmark import evidence
from benchmark.executors import SerialExecutor
from benchmark.journal import Journal
from benchmark.plan import groups
from benchmark.rows import gather
from benchmark.session import Session, write_study
from benchmark.spec import RunResult, RunSpec
from benchmark.study import Study
from benchmark.sweep import Driver

Made = Callable[[RunSpec], RunResult]


def made_up(spec: RunSpec, validations: int = 3) -> RunResult:
    """A result that depends on the key alone and has all that a real one has; the larger rates do better."""
    draw = random.Random(spec.key)
    loss = 0.5 - spec.hyperparameters.learning_rate + 0.01 * draw.random()
    steps = [max(1, spec.steps * number // validations) for number in range(1, validations + 1)]
    curves = [
        (step, name, layer, loss + draw.random() / step)
        for step in steps
        for name, layer in [
            ("train/loss", -1),
            ("validation/loss", -1),
            *(("gradient/norm", k) for k in range(spec.depth)),
        ]
    ]
    return RunResult(
        key=spec.key,
        status="done",
        train_loss=loss,
        validation_loss=loss,
        test_loss=loss + 0.01 if spec.reads_test else None,
        trivial_validation_loss=1.0,
        best_validation_loss=0.1,
        trivial_loss=1.0 if spec.reads_test else None,
        best_loss=0.1 if spec.reads_test else None,
        baselines={"last value": 0.7} if spec.reads_test else {},
        best_step=spec.steps,
        steps=spec.steps,
        clipped_share=draw.random(),
        seconds=draw.random(),
        parameters=1200,
        state_size=spec.depth * spec.width,
        flops=1000,
        data_hash=f"data {spec.seeds.data}",
        order_hash=f"order {spec.seeds.order}",
        curves=curves,
        blocks=[("June", loss, 3), ("July", loss, 4)] if spec.reads_test else [],
        versions={"torch": "none"},
    )


def conducted(folder: Path, study: Study, made: Made = made_up, *, stop: int | None = None, seeds: int = 0) -> Path:
    """Run `study` to its end in `folder`, or to a kill after `stop` results: journal, tables, `study.yaml`."""

    class Killed(Exception):
        pass

    def train(
        specs: Sequence[RunSpec], until: int | None = None, checkpoints: Mapping[str, bytes] | None = None
    ) -> tuple[list[RunResult], dict[str, bytes]]:
        return [made(spec) for spec in specs], {}

    def kill_in_time(spec: RunSpec, result: RunResult) -> None:
        if stop is not None and len(journal.results()) >= stop:
            raise Killed

    folder.mkdir(parents=True, exist_ok=True)
    with Journal.open(folder / "journal.jsonl") as journal:
        session = Session(study, Console(quiet=True), groups(study), folder, journal, seeds or study.confirmation.seeds)
        driver = Driver(
            journal,
            SerialExecutor(train),
            folder,
            on_result=kill_in_time,
            before_confirmation=session.freeze,
            side_by_side=1,  # a kill after so many results is one after just so many
        )
        try:
            driver.run(session.groups, session.seeds)
        except Killed:
            write_study(session)
            return folder
        session.check_family()
        write_study(session)
        record = yaml.safe_load((folder / "study.yaml").read_text())
        evidence.write(folder, gather(driver.requests, journal.results(), record))
    return folder


def published(folder: Path) -> Path:
    """The same study as evidence alone, without its journal."""
    (folder / "journal.jsonl").unlink()
    return folder
