"""A Dask cluster: jobs go to its workers, each to one that has been checked and is idle.

Dask carries, this places. Left to Dask, a job could be queued behind another, count the death of a worker that it only
waited for, or land on a worker of other versions. So each job is bound to its worker, no more are under way than there
are workers, and a job whose worker is lost goes to another one.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import math
import queue
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

from distributed import Client, Future, KilledWorker

from benchmark.errors import UserError
from benchmark.executors import dask_worker, introduce, sources
from benchmark.executors.cluster import SLOT, Cluster
from benchmark.executors.contract import Job, Outcome
from benchmark.spec import RunSpec

LOSSES = 3
"""Workers that may be lost under one job, which then begins anew elsewhere; the next one makes its results failed ones.
Preemption is the daily life of a cluster, and no fault of the training's; but a training may kill machines too."""
CONNECT = 60.0
"""Seconds for the scheduler to be there and answer: the job that starts both may start this first."""
REREAD = 5.0
"""Seconds after which a scheduler's file is read again: a scheduler that was killed leaves its own behind."""
LOOK = 1.0
"""Seconds between two looks at which workers have come and gone."""
FETCH = 30.0
"""Seconds for an outcome to come from the worker that has it."""
_GONE = (OSError, TimeoutError, asyncio.CancelledError, concurrent.futures.CancelledError)
"""What Dask raises where a worker, or the scheduler, is not there any more."""


@dataclass(eq=False)
class _Work:
    """A job, and how many workers were lost under it."""

    job: Job
    losses: int = 0


@dataclass(eq=False)
class _Worker:
    """A worker that may be given work, and what it does now."""

    address: str
    host: str
    work: _Work | None = None
    future: Future | None = None


class DaskExecutor:
    """The workers of a Dask cluster that offer a slot; they may come and go.

    Waits at first until one worker may be given work. One whose versions or tasks are not the driver's gets none, which
    `say` is told. A worker that is lost costs its own job its progress since the last checkpoint. A job's time limit
    holds as on one machine. `specs` are one training of each task, with which the workers' tasks are checked; `train`
    is `module:function`, imported on the workers. Workers outlive this.
    """

    def __init__(
        self,
        cluster: Cluster,
        train: str = "benchmark.training:train",
        specs: Sequence[RunSpec] = (),
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.capacity = 0
        self._cluster, self._train, self._say = cluster, train, say
        self._specs, self._sources = [spec.to_dict() for spec in specs], sources.gather(specs)
        self._lock = threading.RLock()  # of the queue and the workers: Dask's callback thread hands out jobs as well
        self._queue: deque[_Work] = deque()
        self._workers: dict[str, _Worker] = {}
        self._refused: dict[str, str] = {}
        self._finished: queue.Queue[tuple[_Worker, _Work, Future]] = queue.Queue()
        self._outstanding = 0
        self._next_look = 0.0
        self._closed = False
        self._client, self._where = _connect(cluster, say)
        try:
            self._wait_for_a_worker()
        except BaseException:
            self.close()
            raise

    def submit(self, job: Job) -> None:
        """Give the job to an idle worker, or queue it."""
        if self._closed:
            raise RuntimeError("the executor is closed")
        self._outstanding += 1
        with self._lock:
            self._queue.append(_Work(job))
        self._dispatch()

    def collect(self, timeout: float | None = None) -> list[Outcome]:
        """See the contract. Raises UserError when the scheduler is gone, or no worker can start a training."""
        give_up = math.inf if timeout is None else time.monotonic() + timeout
        while self._outstanding and not self._closed:
            outcomes = self._look_around() if time.monotonic() >= self._next_look else []
            if not outcomes:
                outcomes = self._take(max(0.0, min(give_up, self._next_look) - time.monotonic()))
            if outcomes:
                self._outstanding -= len(outcomes)
                return outcomes
            if time.monotonic() >= give_up:
                break
        return []

    def close(self) -> None:
        """Give up all jobs, which ends their trainings within a second, and leave the cluster to itself."""
        self._closed = True
        with self._lock:
            self._queue.clear()
            futures = [worker.future for worker in self._workers.values() if worker.future is not None]
            self._workers.clear()
        with contextlib.suppress(Exception):  # the scheduler may be gone
            if futures:
                self._client.cancel(futures)
        with contextlib.suppress(Exception):
            self._client.close(timeout=2)
        self._outstanding = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # --- jobs ---------------------------------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        """Give queued jobs to idle workers."""
        with self._lock:
            for worker in self._workers.values():
                if not self._queue or self._closed or self._client.status != "running":
                    return  # without a connection nothing can be handed out, and the next look raises
                if worker.work is None:
                    self._start(worker, self._queue.popleft())

    def _start(self, worker: _Worker, work: _Work) -> None:
        record = replace(work.job, sources=sources.gather(work.job.specs)).to_dict()
        worker.work = work
        worker.future = self._client.submit(
            *(dask_worker.run, record, self._train),
            key=f"strata-{uuid.uuid4().hex}",
            workers=[worker.address],
            resources={SLOT: 1},
            pure=False,
        )
        worker.future.add_done_callback(partial(self._on_done, worker, work))

    def _on_done(self, worker: _Worker, work: _Work, future: Future) -> None:
        """In Dask's callback thread: the worker gets its next job while the driver still digests."""
        with self._lock:
            if worker.future is not future:
                return  # given up: the job was taken from a lost worker, or this is closed
            worker.work = worker.future = None
            if future.status != "finished":
                self._workers.pop(worker.address, None)  # until it has been looked at again
        self._finished.put((worker, work, future))
        with contextlib.suppress(Exception):  # the next look finds out what is wrong
            self._dispatch()

    def _take(self, timeout: float) -> list[Outcome]:
        """The outcomes that have come, waiting for one until `timeout`."""
        outcomes = []
        try:
            outcomes.append(self._outcome(*self._finished.get(timeout=timeout or None, block=timeout > 0)))
            while True:
                outcomes.append(self._outcome(*self._finished.get_nowait()))
        except queue.Empty:
            return [outcome for outcome in outcomes if outcome is not None]

    def _outcome(self, worker: _Worker, work: _Work, future: Future) -> Outcome | None:
        try:
            record = future.result(timeout=FETCH)
        except (KilledWorker, *_GONE):
            return self._lost(worker, work)
        except Exception as error:
            if self._client.status != "running" or future.status == "cancelled":
                return self._lost(worker, work)  # the scheduler is gone, and no worker is to blame
            self._refuse(worker.address, worker.host, f"cannot run jobs ({type(error).__name__}: {error})", work)
            return None
        finally:
            future.release()
        if "broken" in record:
            self._refuse(worker.address, worker.host, record["broken"], work)
            return None
        return Outcome.from_dict(work.job, record) if record else self._lost(worker, work)

    def _lost(self, worker: _Worker, work: _Work) -> Outcome | None:
        """The job begins anew on another worker, unless it has had its share of them."""
        work.losses += 1
        if work.losses > LOSSES:
            return Outcome.failure(work.job, f"worker lost on {worker.host}, the {work.losses}th under this job")
        with self._lock:
            self._queue.appendleft(work)
        self._dispatch()
        return None

    # --- workers ------------------------------------------------------------------------------------------------------

    def _wait_for_a_worker(self) -> None:
        told = False
        while True:
            self._look_around()
            if self.capacity:
                return
            if not told:
                start = " ".join(["strata worker", *self._cluster.words])
                self._say(f"no worker has joined {self._where} yet; waiting for one ({start})")
            told = True
            time.sleep(LOOK)

    def _look_around(self) -> list[Outcome]:
        """See which workers have come and gone, and check the new ones. The outcomes of jobs lost once too often.

        Raises UserError when the scheduler is gone, or there are workers and none may be given work.
        """
        try:
            if self._client.status != "running":
                raise OSError("the connection broke")
            there = set(self._client.nthreads())
            outcomes = self._forget(there)
            self._check(there - set(self._workers) - set(self._refused))
        except _GONE as error:
            raise UserError(
                f"the Dask scheduler at {self._where} is gone ({' '.join(str(error).split())}): everything finished is"
                " kept; start it again and give the same command"
            ) from None
        if self._refused and not self._workers:
            raise UserError(f"no worker at {self._where} can be given work: {next(iter(self._refused.values()))}")
        if self.capacity and not self._workers:
            self._say(f"all workers at {self._where} are gone; waiting for others")
        self.capacity = len(self._workers)
        self._dispatch()
        self._next_look = time.monotonic() + LOOK
        return outcomes

    def _forget(self, there: set[str]) -> list[Outcome]:
        """Workers that are gone, and what they did."""
        with self._lock:
            gone = [self._workers.pop(address) for address in set(self._workers) - there]
            futures = {worker: worker.future for worker in gone}
            for worker in gone:
                worker.future = None
        self._refused = {address: why for address, why in self._refused.items() if address in there}
        outcomes = []
        for worker in gone:
            if worker.work is not None and (future := futures[worker]) is not None:
                future.release()
                outcomes.append(self._lost(worker, worker.work))
        return [outcome for outcome in outcomes if outcome is not None]

    def _check(self, new: set[str]) -> None:
        """Give new workers their place, or none where they differ from the driver."""
        if not new:
            return
        found = self._client.run(
            *(dask_worker.describe, self._specs, self._sources), workers=sorted(new), on_error="return"
        )
        for address, said in found.items():
            if isinstance(said, _GONE):
                continue  # gone again, or busy: it is asked at the next look
            if isinstance(said, Exception):
                host = address.partition("://")[2]
                self._refuse(address, host, f"it does not have Strata, or another one ({type(said).__name__}: {said})")
                continue
            differs = introduce.difference(introduce.versions(), said["versions"]) or said["task"]
            if not said["slots"]:
                differs = f"it offers no {SLOT}: start it with strata worker, or with --resources {SLOT}=1 --nthreads 1"
            if differs:
                self._refuse(address, said["host"], differs)
            else:
                with self._lock:
                    self._workers[address] = _Worker(address, said["host"])

    def _refuse(self, address: str, host: str, why: str, work: _Work | None = None) -> None:
        """No work for a worker as long as it is there; its job goes back to the queue."""
        line = f"worker on {host} gets no work: {' '.join(why.split())}"
        if line not in self._refused.values():
            self._say(line)
        with self._lock:
            self._refused[address] = line
            self._workers.pop(address, None)
            if work is not None:
                self._queue.appendleft(work)
        self._next_look = 0.0


def _connect(cluster: Cluster, say: Callable[[str], None]) -> tuple[Client, str]:
    """A client and the address it is connected to. Raises UserError after `CONNECT` seconds."""
    # What Dask logs as errors are the workers and schedulers that come and go; what it means is said in our own lines.
    for name in [name for name in logging.root.manager.loggerDict if name.startswith(("distributed", "tornado"))]:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    give_up, told, why = time.monotonic() + CONNECT, False, "there is no such file"
    while (patience := give_up - time.monotonic()) > 0:
        if (address := cluster.find()) is not None:
            try:
                attempt = min(patience, REREAD) if cluster.file else patience
                client = Client(address, security=cluster.security(address), timeout=attempt, set_as_default=False)
                return client, address
            except OSError as error:
                why = " ".join(str(error).split())
        if not told:
            say(f"no scheduler answers at {cluster} yet ({why}); waiting up to {CONNECT:g} s")
        told = True
        time.sleep(0.2)
    raise UserError(f"no Dask scheduler answers at {cluster} ({why}): start one with strata scheduler")
