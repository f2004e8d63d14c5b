"""The driver: one process, the only writer. Plan -> tune -> confirm, kill-safe by construction.

Each group's `conduct` asks for trainings; what the journal already holds is answered at once, the rest goes to the
executor. A result is first appended to the journal (the commit point), then told to MLflow and Optuna, which are
projections: a driver killed anywhere is a driver that is started again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from benchmark.company import POPULATION
from benchmark.conduct import Asked, Domain, Request, conduct, first_asked
from benchmark.evidence import replace_file
from benchmark.executors import Executor, Job, LocalExecutor, Outcome, SerialExecutor
from benchmark.executors.cluster import Cluster
from benchmark.journal import Journal
from benchmark.plan import Group
from benchmark.same_data import forget_other_data
from benchmark.spec import RunResult, RunSpec, problem

ATTEMPTS = 3
"""A training that raises, or whose worker is lost, is tried this often with the same key."""


class Projection(Protocol):
    """A store that is told what the journal holds; every call may be repeated without harm."""

    def record(self, requests: list[Request], spec: RunSpec, result: RunResult) -> None:
        """One finished training and all that it was asked for."""

    def advanced(self, requests: list[Request], spec: RunSpec, checkpoint: bytes) -> None:
        """One training was cut and goes on."""

    def asked(self, batch: list[Request], results: Mapping[str, RunResult]) -> None:
        """A batch was asked."""

    def answered(self, batch: list[Request], results: Mapping[str, RunResult]) -> None:
        """All of a batch has a result."""


@dataclass
class _Conductor:
    """A group's generator, and the batch it waits for."""

    group: Group
    asks: Asked
    batch: list[Request]


class _Segment(NamedTuple):
    """What one training is asked next: the step to stop at, None for its last, and what it goes on from."""

    spec: RunSpec
    until: int | None = None
    checkpoint: bytes | None = None


@dataclass
class Driver:
    """Runs groups to their end over a journal and an executor."""

    journal: Journal
    executor: Executor
    folder: Path
    projections: list[Projection] = field(default_factory=list)
    on_result: Callable[[RunSpec, RunResult], None] = lambda spec, result: None
    on_retry: Callable[[RunSpec, RunResult], None] = lambda spec, result: None
    expected_seconds: Callable[[RunSpec], float] = lambda spec: 60.0
    before_confirmation: Callable[[], None] = lambda: None
    side_by_side: int | None = None
    """Most trainings of a job; POPULATION when None."""
    say: Callable[[str], None] = lambda text: None
    """What a person must know while it runs."""
    requests: list[Request] = field(default_factory=list)
    """Everything asked so far, in the order of asking within a group."""
    _results: dict[str, RunResult] = field(default_factory=dict)
    _specs: dict[str, list[Request]] = field(default_factory=dict)
    _rungs: dict[str, int] = field(default_factory=dict)
    """Key -> step at which it halts, of trainings that are compared at a rung before they go on."""
    _halted: dict[str, RunResult] = field(default_factory=dict)
    """What is known at its latest rung of a training that came to one."""
    _in_flight: set[str] = field(default_factory=set)
    _waiting: list[RunSpec] = field(default_factory=list)
    _confirming: bool = False

    def run(self, groups: list[Group], seeds: int, domain: Domain = "confirm") -> None:
        """Conduct all groups side by side until none asks for more.

        Where that leaves a seed with the data of two processors, it is done once more. On a mixed cluster that may not
        be enough, and then the check of fairness says so.
        """
        forget_other_data(self.journal, self.say)
        self._conduct(groups, seeds, domain)
        if forget_other_data(self.journal, self.say):
            self._conduct(groups, seeds, domain)

    def _conduct(self, groups: list[Group], seeds: int, domain: Domain) -> None:
        for asked in (self.requests, self._specs, self._rungs, self._halted):
            asked.clear()
        known = {key: result for key, (_, result) in self.journal.results().items()}
        failures = self.journal.failures()
        self._results = {key: result for key, result in known.items() if settled(key, known, failures)}
        waiting = [self._start(group, seeds, domain) for group in groups]
        while waiting:
            waiting = [c for c in waiting if self._progress(c)]
            self._dispatch()
            assert not waiting or self._in_flight, "groups wait for trainings that nobody runs"
            if waiting:
                self._receive(self.executor.collect())

    def _start(self, group: Group, seeds: int, domain: Domain) -> _Conductor:
        asks = conduct(group, seeds, domain)
        return _Conductor(group, asks, self._ask(next(asks)))

    def _progress(self, conductor: _Conductor) -> bool:
        """Answer the conductor while its batches are complete; False when its group is finished."""
        while (answers := self._answers(conductor.batch)) is not None:
            ended = [request for request in conductor.batch if not request.rung]
            for projection in self.projections:
                projection.answered(ended, answers)
            try:
                conductor.batch = self._ask(conductor.asks.send(answers))
            except StopIteration:
                return False
        return True

    def _answers(self, batch: list[Request]) -> dict[str, RunResult] | None:
        """What the trainings of a batch gave, up to the rung where one is asked; None until all of them are there."""
        answers = {}
        for request in batch:
            key = request.spec.key
            found = self._results.get(key)
            if found is None and request.rung and key in self._halted and self._halted[key].steps >= request.rung:
                found = self._halted[key]
            if found is None:
                return None
            answers[key] = found
        return answers

    def _ask(self, batch: list[Request]) -> list[Request]:
        if not self._confirming and any(request.phase == "confirm" for request in batch):
            self._confirming = True
            self.before_confirmation()
        fresh = first_asked(batch)
        self.requests += fresh
        for projection in self.projections:
            projection.asked(fresh, self._results)
        for request in fresh:
            key = request.spec.key
            self._specs.setdefault(key, []).append(request)
            if key in self._results:
                for projection in self.projections:
                    projection.record(self._specs[key], request.spec, self._results[key])
        for request in batch:
            if request.spec.key not in self._results and request.spec.key not in self._in_flight:
                self._go_on(request)
        return batch

    def _go_on(self, request: Request) -> None:
        """Train what was asked, to its rung where it has one; or let it stop, which is a result."""
        key = request.spec.key
        if request.after_rung == "stops":
            self.journal.append(_record(request.spec, self._halted[key]))
            self._tell(request.spec, self._halted[key])
        elif request.rung is None:
            self._rungs.pop(key, None)
            self._wait_for(request.spec)
        else:
            self._rungs[key] = request.rung
            path = self._checkpoint(key)
            if not path.exists() or not self._halts(key, path.read_bytes()):
                self._wait_for(request.spec)

    def _halts(self, key: str, checkpoint: bytes) -> bool:
        """Whether a training has come to the rung at which it is to be compared; then what is known of it is kept."""
        if key not in self._rungs:
            return False
        from benchmark.state import so_far

        known = so_far(checkpoint)
        if known.steps < self._rungs[key]:
            return False
        self._halted[key] = known
        return True

    # --- trainings ------------------------------------------------------------------------------------------------

    def _wait_for(self, spec: RunSpec) -> None:
        self._in_flight.add(spec.key)
        self._waiting.append(spec)

    def _dispatch(self) -> None:
        """Hand over what waits; what goes together is one job, as long as there is a job for every worker."""
        specs, self._waiting = self._waiting, []
        most = min(self.side_by_side or POPULATION, math.ceil(len(specs) / max(1, self.executor.capacity)))
        groups: dict[tuple[str, int | None], list[_Segment]] = {}
        for segment in map(self._segment, specs):
            groups.setdefault((segment.spec.together, segment.until), []).append(segment)
        for group in groups.values():
            jobs = math.ceil(len(group) / most)
            for job in range(jobs):
                self._submit(group[job::jobs])

    def _segment(self, spec: RunSpec) -> _Segment:
        steps = self._specs[spec.key][0].group.study.training.segment_steps
        path, rung = self._checkpoint(spec.key), self._rungs.get(spec.key)
        checkpoint = path.read_bytes() if path.exists() else None
        ends = [(_steps_done(checkpoint) // steps + 1) * steps] if steps else []
        return _Segment(spec, min([*ends, *([rung] if rung else [])], default=None), checkpoint)

    def _submit(self, segments: Sequence[_Segment]) -> None:
        specs = tuple(segment.spec for segment in segments)
        checkpoints = {one.spec.key: one.checkpoint for one in segments if one.checkpoint is not None}
        limit = time_limit(sum(map(self.expected_seconds, specs)))
        self.executor.submit(Job(specs, segments[0].until, checkpoints, limit))

    def _receive(self, outcomes: Sequence[Outcome]) -> None:
        """Commit what came in together, synced once, then tell it one by one."""
        specs = {spec.key: spec for outcome in outcomes for spec in outcome.job.specs}
        results = [result for outcome in outcomes for result in outcome.results]
        if results:
            self.journal.extend(_record(specs[result.key], result) for result in results)
        for outcome in outcomes:
            for key, checkpoint in outcome.checkpoints.items():
                self._checkpoint(key).parent.mkdir(exist_ok=True)
                replace_file(self._checkpoint(key), checkpoint)
                for projection in self.projections:
                    projection.advanced(self._specs[key], specs[key], checkpoint)
                if self._halts(key, checkpoint):
                    self._in_flight.discard(key)
                else:
                    self._wait_for(specs[key])
        for result in results:
            self._tell(specs[result.key], result)

    def _tell(self, spec: RunSpec, result: RunResult) -> None:
        self._in_flight.discard(spec.key)
        if result.status == "failed" and not settled(spec.key, {spec.key: result}, self.journal.failures()):
            self.on_retry(spec, result)
            self._in_flight.add(spec.key)
            self._submit([self._segment(spec)])  # alone: what fails shall fail no other twice
            return
        self._results[spec.key] = result = self.journal.standing(spec.key)  # one copy of it, not two
        self._checkpoint(spec.key).unlink(missing_ok=True)
        self._halted.pop(spec.key, None)
        for projection in self.projections:
            projection.record(self._specs[spec.key], spec, result)
        self.on_result(spec, result)

    def _checkpoint(self, key: str) -> Path:
        return self.folder / "checkpoints" / f"{key}.pt"


def settled(key: str, known: Mapping[str, RunResult], failures: Mapping[str, int]) -> bool:
    """Whether a training is not run again: it came to an end, or failed as often as it is tried."""
    return key in known and (known[key].status != "failed" or failures.get(key, 0) >= ATTEMPTS)


def _record(spec: RunSpec, result: RunResult) -> dict[str, Any]:
    """Of a result, as the journal keeps it."""
    return {"kind": "result", "spec": spec.to_dict(), "result": result.to_dict()}


def _steps_done(checkpoint: bytes | None) -> int:
    if checkpoint is None:
        return 0
    from benchmark.state import steps_done

    return steps_done(checkpoint)


def make_executor(
    workers: int,
    folder: Path,
    cluster: Cluster | None = None,
    groups: Sequence[Group] = (),
    say: Callable[[str], None] = lambda text: None,
) -> Executor:
    """Local worker processes, this process when `workers` is 0, or a cluster, checked for the tasks of the groups.

    Workers of a cluster come and go; `say` is told.
    """
    if cluster is not None:
        from benchmark.executors.dask import DaskExecutor

        tasks = [group.spec(group.arms[0], group.study.points()[0], "tune", 0) for group in groups]
        one_each = {problem(spec.task, spec.task_parameters): spec for spec in tasks}
        return DaskExecutor(cluster, specs=list(one_each.values()), say=say)
    if workers == 0:
        from benchmark.training import train

        return SerialExecutor(train)
    return LocalExecutor(workers, log=folder / "workers.log")


def time_limit(expected: float) -> float:
    """Seconds after which a training is given up as hung: 20 times what is expected of it, and never under 120."""
    return 120.0 + 20.0 * expected
