"""A Dask cluster of real processes on loopback: `strata scheduler` and `strata worker`, as a person starts them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.executors.cluster import Cluster
from tests.conftest import ROOT

if TYPE_CHECKING:
    from benchmark.executors.dask import DaskExecutor


@dataclass
class Loopback:
    """The processes of a cluster, and how it is named."""

    folder: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.folder / "scheduler.json"

    @property
    def cluster(self) -> Cluster:
        return Cluster(file=self.file)

    def executor(self, train: str) -> DaskExecutor:
        """Waits until a worker has joined."""
        from benchmark.executors.dask import DaskExecutor

        return DaskExecutor(self.cluster, train, say=self.said.append)

    def start(self, verb: str, *options: str) -> subprocess.Popen[bytes]:
        """Start a process that finds the tests' modules; what it says is in `log`."""
        words = [sys.executable, "-m", "benchmark", verb, "--scheduler-file", str(self.file), "--host", "127.0.0.1"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
        with self.log.open("ab") as log:
            process = subprocess.Popen([*words, *options], cwd=self.folder, env=environment, stdout=log, stderr=log)
        self.running.append(process)
        return process

    @property
    def log(self) -> Path:
        return self.folder / "cluster.log"

    def stop(self) -> None:
        """Workers first; whatever does not end when asked is killed."""
        for process in reversed(self.running):
            process.send_signal(signal.SIGTERM)
        for process in reversed(self.running):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait()


@contextlib.contextmanager
def loopback(folder: Path, workers: int) -> Iterator[Loopback]:
    """A scheduler and workers that are starting; all gone afterwards."""
    folder.mkdir(exist_ok=True)
    cluster = Loopback(folder)
    try:
        cluster.start("scheduler")
        for _ in range(workers):
            cluster.start("worker")
        yield cluster
    finally:
        cluster.stop()
