"""Places where a driver can be killed; each is planted in the driver's own process and kills it for real."""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable
from typing import Any

import benchmark.advance
import benchmark.evidence
import benchmark.lightning
import benchmark.sweep
import benchmark.tracking.tracker
import benchmark.trials

TIMED = 900_000
"""Replicates from here on are the forecast's timings, not the study's trainings."""


def die() -> None:
    """kill -9 this process."""
    os.kill(os.getpid(), signal.SIGKILL)


def _before_call(owner: Any, name: str, count: int) -> None:
    """Die when `owner.name` is about to be called for the `count`-th time."""
    original, calls = getattr(owner, name), [0]

    @functools.wraps(original)
    def counted(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] == count:
            die()
        return original(*args, **kwargs)

    setattr(owner, name, counted)


def in_the_middle_of_a_training() -> None:
    """At the fiftieth validation of the study itself: trainings are done, one is under way."""
    original, validations = benchmark.advance.validate, [0]

    def counted(state: Any) -> None:
        validations[0] += state.spec.seeds.replicate < TIMED
        if validations[0] == 50:
            die()
        original(state)

    benchmark.advance.validate = counted


def after_the_journal_line_before_mlflow() -> None:
    _before_call(benchmark.tracking.tracker.Tracker, "record", 4)


def while_mlflow_is_written() -> None:
    """The run exists and is RUNNING; its metrics are not there yet."""
    _before_call(benchmark.tracking.tracker.MlflowClient, "log_batch", 5)


def between_mlflow_and_optuna() -> None:
    _before_call(benchmark.trials.Trials, "tell", 1)


def while_optuna_is_asked() -> None:
    """Some points are enqueued, none is running yet."""
    _before_call(benchmark.trials.optuna.Study, "ask", 3)


def among_the_rungs() -> None:
    """Some checkpoints of trainings that halt at a rung are written, others not; no place of a study without rungs."""
    _before_call(benchmark.sweep, "replace_file", 5)


def while_evidence_is_written() -> None:
    """Half a Parquet file lies beside the old one."""

    def half(path: Any, content: bytes) -> None:
        if path.name == "members.parquet":
            path.with_name(path.name + ".part").write_bytes(content[: len(content) // 2])
            die()
        original(path, content)

    original, benchmark.evidence.replace_file = benchmark.evidence.replace_file, half


def while_the_verdict_is_published() -> None:
    """Some arms are in MLflow's reading experiment, the verdict is not."""
    _before_call(benchmark.tracking.publish, "verdict", 1)


PLACES: list[Callable[[], None]] = [
    in_the_middle_of_a_training,
    after_the_journal_line_before_mlflow,
    while_mlflow_is_written,
    between_mlflow_and_optuna,
    while_optuna_is_asked,
    while_evidence_is_written,
    while_the_verdict_is_published,
]
