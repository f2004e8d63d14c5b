"""What runs inside a Dask worker: one local executor with one process, so that a worker is to its jobs what this
machine is: a training that dies, hangs or poisons its GPU costs that process, and the worker goes on.

The worker itself loads neither torch nor a task, and stays free to answer the scheduler while its process trains.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import Mapping
from typing import Any

from distributed import Worker, get_worker
from distributed.core import Status

from benchmark.errors import UserError
from benchmark.executors import introduce
from benchmark.executors.cluster import SLOT
from benchmark.executors.contract import Job
from benchmark.executors.local import LocalExecutor

GLANCE = 0.25
"""Seconds between two looks at whether anybody still waits for the job."""
PATIENCE = 300.0
"""Seconds for a worker's tasks to load: a cold file system shared by a hundred workers is slow."""

_executors: dict[str, LocalExecutor] = {}


def run(record: Mapping[str, Any], train: str) -> dict[str, Any]:
    """Do one job. The answer is an outcome's dict, or `{"broken": words}` when no training can start here.

    A job that nobody waits for any more (its driver is gone, or its worker is about to go) is given up.
    """
    worker = get_worker()
    key = worker.get_current_task()
    if train not in _executors:
        close()
        _executors[train] = LocalExecutor(1, train)
    executor = _executors[train]
    executor.submit(Job.from_dict(record))
    try:
        while not (outcomes := executor.collect(timeout=GLANCE)):
            if not _wanted(worker, key):
                close()
                return {}
    except UserError as error:
        close()
        return {"broken": str(error)}
    return outcomes[0].to_dict()


def _wanted(worker: Worker, key: Any) -> bool:
    task = worker.state.tasks.get(key)
    return task is not None and task.state == "executing" and worker.status == Status.running


def close() -> None:
    """End the training process, whatever it does."""
    while _executors:
        _executors.popitem()[1].close()


async def describe(specs: list[dict[str, Any]], sources: dict[str, str], dask_worker: Worker) -> dict[str, Any]:
    """Host, slots, versions, and what is wrong with the tasks here, '' for nothing."""
    return {
        "host": socket.gethostname(),
        "slots": dask_worker.state.total_resources.get(SLOT, 0),
        "versions": introduce.versions(),
        "task": await _strange_task(specs, sources) if specs else "",
    }


async def _strange_task(specs: list[dict[str, Any]], sources: dict[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", introduce.__name__),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},  # as this process imports, and nothing before it
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    asked = json.dumps({"specs": specs, "sources": sources}).encode()
    try:
        answer, said = await asyncio.wait_for(process.communicate(asked), PATIENCE)
    except TimeoutError:
        process.kill()
        return f"the tasks did not load within {PATIENCE:g} s"
    if process.returncode:
        lines = said.decode(errors="replace").strip().splitlines() or [f"exit code {process.returncode}"]
        return f"the tasks do not load: {lines[-1]}"
    found: str = json.loads(answer)
    return found
