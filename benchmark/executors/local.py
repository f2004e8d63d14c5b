"""This machine's cores: long-lived spawned workers, one job and one thread each.

`ProcessPoolExecutor` is not enough: one killed worker breaks all its futures, and its workers outlive a killed driver.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Self

from benchmark.errors import UserError
from benchmark.executors import worker as worker_process
from benchmark.executors.contract import Job, Outcome
from benchmark.processes import one_thread

START_FAILURES = 3
"""Workers that may die one after another before any of them was ready; then the fault is not chance."""

_SPAWN = multiprocessing.get_context("spawn")


@dataclass(eq=False)
class _Worker:
    process: SpawnProcess
    connection: Connection
    ready: bool = False
    job: Job | None = None
    deadline: float = math.inf
    words: str = ""
    """Why it could not start, when it could tell."""


class LocalExecutor:
    """`workers` processes on this machine, each started when there is first a job for it.

    A worker that dies fails its own job only, and a fresh one takes its place; so does one that reaches its job's time
    limit, counted from the moment the job begins. Workers ignore Ctrl-C and end when the driver does, however it ends.
    `train` is `module:function`, imported in the worker. Workers' output goes to the file `log`, appended, or else to
    the driver's stderr.
    """

    def __init__(self, workers: int, train: str = "benchmark.training:train", log: Path | None = None) -> None:
        if workers < 1:
            raise ValueError(f"workers must be at least 1, not {workers}")
        self.capacity = workers
        self._train = train
        self._log = log and log.absolute()
        if self._log:
            self._log.parent.mkdir(parents=True, exist_ok=True)
        self._queue: deque[Job] = deque()
        self._workers: list[_Worker] = []
        self._start_failures = 0
        self._last_words = ""
        self._closed = False

    def submit(self, job: Job) -> None:
        """Give the job to an idle worker, or start one, or queue it."""
        if self._closed:
            raise RuntimeError("the executor is closed")
        self._queue.append(job)
        self._dispatch()

    def collect(self, timeout: float | None = None) -> list[Outcome]:
        """See the contract. Raises UserError when workers die as they start. After a KeyboardInterrupt here an outcome
        may be lost: only `close` makes sense then.
        """
        give_up = math.inf if timeout is None else time.monotonic() + timeout
        while self._queue or any(worker.job is not None for worker in self._workers):
            self._dispatch()
            if self._start_failures >= START_FAILURES:
                where = f"more in {self._log}" if self._log else "more in the messages above"
                raise UserError(f"workers die as they start, {START_FAILURES} in a row: {self._last_words} ({where})")
            outcomes = self._wait(min([give_up, *(worker.deadline for worker in self._workers)]))
            if outcomes:
                self._dispatch()  # no core idles while the driver digests the outcomes
                return outcomes
            if time.monotonic() >= give_up:
                break
        return []

    def close(self) -> None:
        """Stop all workers, those in the middle of a job too: asked first, killed after a second."""
        self._closed = True
        self._queue.clear()
        for worker in self._workers:
            worker.process.terminate()
        patience = time.monotonic() + 1.0
        while self._workers:
            self._discard(self._workers[0], max(0.0, patience - time.monotonic()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # --- workers --------------------------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        """Hand queued jobs to idle workers, and start workers for those left over while there is room."""
        for worker in [worker for worker in self._workers if worker.ready and worker.job is None]:
            if not self._queue:
                return
            try:
                worker.connection.send(self._queue[0].to_dict())
            except OSError:  # it died idle, which costs nothing: the job stays in the queue
                self._discard(worker)
                continue
            worker.job = self._queue.popleft()
            worker.deadline = math.inf if worker.job.time_limit is None else time.monotonic() + worker.job.time_limit
        starting = sum(not worker.ready for worker in self._workers)
        for _ in range(min(self.capacity - len(self._workers), len(self._queue) - starting)):
            if self._start_failures < START_FAILURES:
                self._start()

    def _start(self) -> None:
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(
            target=worker_process.main, args=(theirs, self._train, self._log), name="strata-worker", daemon=True
        )
        with theirs, _worker_environment():
            process.start()
            self._workers.append(_Worker(process, ours))

    def _wait(self, until: float) -> list[Outcome]:
        """Sleep until a worker speaks or dies or a deadline passes; the outcomes that came of it."""
        sources: dict[Any, _Worker] = {}
        for worker in self._workers:
            sources[worker.connection] = sources[worker.process.sentinel] = worker
        awake = wait(list(sources), None if until == math.inf else max(0.0, until - time.monotonic()))
        received = [self._receive(worker) for worker in dict.fromkeys(sources[source] for source in awake)]
        return [outcome for outcome in received if outcome] + self._enforce_limits()

    def _receive(self, worker: _Worker) -> Outcome | None:
        """Read what a worker said; see to it if it is dead. An outcome sent before the death counts."""
        outcome = None
        gone = not worker.process.is_alive()  # asked before reading: what a dead worker said is then all there
        try:
            while worker.connection.poll():
                kind, content = worker.connection.recv()
                if kind == "ready":
                    worker.ready, self._start_failures = True, 0
                elif kind == "broken":
                    worker.words = " | ".join(line.strip() for line in content.strip().splitlines()[-3:])
                elif worker.job is not None:
                    record, fit = content
                    outcome = Outcome.from_dict(worker.job, record)
                    worker.job, worker.deadline = None, math.inf
                    gone = gone or not fit
        except (EOFError, OSError):
            gone = True
        if gone:
            code = self._discard(worker)
            died = f"worker died (signal {-code})" if code < 0 else f"worker died (exit code {code})"
            if not worker.ready:
                self._start_failures += 1
                self._last_words = worker.words or died
            elif worker.job is not None:
                outcome = Outcome.failure(worker.job, died)
        return outcome

    def _enforce_limits(self) -> list[Outcome]:
        outcomes = []
        for worker in [worker for worker in self._workers if worker.deadline <= time.monotonic()]:
            assert worker.job is not None, "only a worker with a job has a deadline"
            worker.process.kill()
            self._discard(worker)
            outcomes.append(Outcome.failure(worker.job, f"time limit of {worker.job.time_limit:g} s reached"))
        return outcomes

    def _discard(self, worker: _Worker, patience: float = 1.0) -> int:
        """Let go of a worker that has been told to end, or is ending; kill it after `patience` seconds. Its exit code,
        negative for a signal.
        """
        worker.connection.close()  # the end of the pipe ends an idle worker
        worker.process.join(patience)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        self._workers.remove(worker)
        return worker.process.exitcode or 0


@contextlib.contextmanager
def _worker_environment() -> Iterator[None]:
    """What a starting worker must inherit, because later is too late: thread counts are read when a library loads, and
    Ctrl-C during its start-up would print a traceback.
    """
    resource_tracker.ensure_running()  # multiprocessing would start it below, and unblock SIGINT in passing
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with one_thread():
            yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
