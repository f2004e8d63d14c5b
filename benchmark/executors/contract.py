"""What every executor promises, and what travels between the driver and whatever runs `train`."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from benchmark.spec import RunResult, RunSpec, failed

Train = Callable[[Sequence[RunSpec], int | None, Mapping[str, bytes]], tuple[list[RunResult], dict[str, bytes]]]
"""`train(specs, until, checkpoints)`, a pure function: each spec trained to step `until`, or to its end when that comes
first or `until` is None. Finished trainings come back as results, unfinished ones as checkpoint bytes by key. What it
raises is the failure of all its specs. Every executor runs it with one thread and denormal floats flushed to zero; for
that, its module imports torch at its top.
"""


@dataclass(frozen=True)
class Job:
    """One call of `train`: specs of one arm, the step to stop at, where to go on from, a time limit in seconds."""

    specs: tuple[RunSpec, ...]
    until: int | None = None
    checkpoints: Mapping[str, bytes] = field(default_factory=dict)
    time_limit: float | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    """Source by reference of the tasks that are files, for a worker on a machine that may not have them."""

    def to_dict(self) -> dict[str, Any]:
        """Plain types and bytes, for the journey to a worker."""
        return {
            "specs": [spec.to_dict() for spec in self.specs],
            "until": self.until,
            "checkpoints": dict(self.checkpoints),
            "time_limit": self.time_limit,
            "sources": dict(self.sources),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Job:
        """Inverse of `to_dict`."""
        return cls(**{**record, "specs": tuple(map(RunSpec.from_dict, record["specs"]))})


@dataclass(frozen=True)
class Outcome:
    """What became of a job: every spec has a result (perhaps a failed one) or a checkpoint, never both."""

    job: Job
    results: list[RunResult]
    checkpoints: dict[str, bytes]

    def to_dict(self) -> dict[str, Any]:
        """Plain types and bytes, for the journey back; the job stays with the driver."""
        return {"results": [result.to_dict() for result in self.results], "checkpoints": self.checkpoints}

    @classmethod
    def from_dict(cls, job: Job, record: Mapping[str, Any]) -> Outcome:
        """Inverse of `to_dict`."""
        return cls(job, [RunResult.from_dict(result) for result in record["results"]], record["checkpoints"])

    @classmethod
    def failure(cls, job: Job, error: str) -> Outcome:
        """Every spec of the job failed; the driver still holds the checkpoints the job set out from."""
        return cls(job, [failed(spec.key, error) for spec in job.specs], {})


class Executor(Protocol):
    """Runs jobs somewhere. Used by one thread, the driver's; one job's death never touches another.

    Each submitted job comes back as exactly one outcome, in order of finishing, not of submitting. Equal jobs give
    equal results in every executor and with any number of workers.
    """

    capacity: int
    """Jobs that run at the same time; jobs beyond it wait in a queue, first come, first served."""

    def submit(self, job: Job) -> None:
        """Queue a job; returns at once. Raises RuntimeError after `close`."""

    def collect(self, timeout: float | None = None) -> list[Outcome]:
        """The outcomes since the last call: waits for at least one, or `timeout` seconds, then `[]`.

        `[]` at once when no job is outstanding. Raises UserError when jobs cannot be run at all.
        """

    def close(self) -> None:
        """Stop everything, jobs in progress included, and leave no process behind. May be called twice."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...


def perform(train: Train, job: Job) -> Outcome:
    """Call `train` on a job. What it raises becomes failed results that carry the traceback, and so does an answer
    that leaves a spec out, gives one twice or brings one that nobody asked for.
    """
    try:
        results, checkpoints = train(job.specs, job.until, job.checkpoints)
        asked, answered = sorted(spec.key for spec in job.specs), sorted([*(r.key for r in results), *checkpoints])
        if answered != asked:
            raise ValueError(f"train was asked for {asked} and answered for {answered}")
    except Exception:
        return Outcome.failure(job, traceback.format_exc())
    return Outcome(job, results, checkpoints)
