"""What runs inside a worker process: jobs in, outcomes out, and an end no later than the driver's.

Messages are pairs: the driver sends jobs as plain dicts; the worker sends `("ready", None)` once its train function is
imported, `("broken", traceback)` when that failed, and `("outcome", (outcome as a dict, fit for another job))`.
"""

from __future__ import annotations

import dataclasses
import faulthandler
import importlib
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from multiprocessing.connection import Connection, wait
from pathlib import Path

from benchmark.executors.contract import Job, Train, perform
from benchmark.executors.sources import placed


def main(connection: Connection, train: str, log: Path | None) -> None:
    """Serve jobs until the driver closes the pipe or dies. `train` is `module:function`."""
    # Ctrl-C reaches the whole process group; what it means is the driver's to decide. The driver started this process
    # with SIGINT blocked, so that one could not slip in before this line.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_driver, name="end-with-driver", daemon=True).start()
    _redirect_output(log)
    faulthandler.enable()
    try:
        function = load(train)
    except Exception:
        traceback.print_exc()
        connection.send(("broken", traceback.format_exc()))
        return
    try:
        connection.send(("ready", None))
        while True:
            job = Job.from_dict(connection.recv())
            job = dataclasses.replace(job, specs=placed(job.specs, job.sources))
            settle_torch()
            outcome = perform(function, job)
            fit = not (_holds_gpu() and any(result.status == "failed" for result in outcome.results))
            connection.send(("outcome", (outcome.to_dict(), fit)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the driver closed the pipe, or is gone


def load(name: str) -> Train:
    """The function named `module:function`."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def settle_torch() -> None:
    """One thread and no denormals, where torch is loaded: equal numbers in every executor, and no slow tails.

    Both belong to the calling thread or process, so this is called on the thread that trains, before every job.
    """
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
        torch.set_flush_denormal(True)


def _holds_gpu() -> bool:
    """An error on a GPU can poison the process's context, and then every later job on it fails as well."""
    torch = sys.modules.get("torch")
    return torch is not None and torch.cuda.is_initialized()


def _end_with_driver() -> None:
    """Exit without ceremony when the driver is gone, even in the middle of training: orphans eat the machine."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "runs in a process that multiprocessing started"
    wait([parent.sentinel])
    os._exit(1)


def _redirect_output(log: Path | None) -> None:
    """Messages of native libraries too go to the log, and nothing goes to the driver's stdout, which may be read by
    a program (`--json`).
    """
    if log is not None:
        with log.open("ab") as file:
            os.dup2(file.fileno(), 2)
    os.dup2(2, 1)
    sys.stdout = sys.stderr  # buffered by the line: a killed worker has said what it said
