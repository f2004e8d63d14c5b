"""`strata scheduler` and `strata worker`: Dask's own, set up for trainings, with the study's keys."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import dask
from distributed import Scheduler, Worker

from benchmark.errors import UserError
from benchmark.executors import credentials, dask_worker
from benchmark.executors.cluster import SLOT, Cluster, is_loopback

OVER = "scheduler-close"
"""Dask's reason when a scheduler that ends in order takes its workers with it."""

# Pages for browsers would be open to everybody on the machine. Lost workers are counted by the driver, which binds each
# job to its worker: Dask is not to try it elsewhere. A worker that is silent for so long is lost.
_SETTINGS = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.worker-ttl": "2 minutes",
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.worker.profile.enabled": False,
}


def _quiet() -> None:
    """Dask tells a log every step; our own lines and its warnings are enough."""
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.WARNING)


def say(text: str) -> None:
    """A line of a long-lived process, for its log."""
    print(f"strata: {text}", file=sys.stderr, flush=True)


async def scheduler(file: Path, tls: Path | None, host: str, port: int, insecure: bool) -> None:
    """Serve until a signal. SIGINT ends the workers too; SIGTERM leaves them waiting for the next scheduler.

    The file is written when the scheduler answers, and removed at its end. Raises UserError.
    """
    _quiet()
    cluster = Cluster(file=file, tls=tls, insecure=insecure)
    file.absolute().parent.mkdir(parents=True, exist_ok=True)
    security = None
    if not insecure:
        credentials.make(cluster.keys)
        security = credentials.load(cluster.keys)
    if insecure and not is_loopback(host):
        say("plain TCP, as asked by --insecure: whoever reaches this port can run code as you")
    with dask.config.set(_SETTINGS):
        try:
            server = await Scheduler(
                host=host or None,
                port=port,
                protocol="tcp" if insecure else "tls",
                security=security,
                dashboard=False,
                dashboard_address="127.0.0.1:0",
            )
        except (OSError, ValueError, RuntimeError) as error:  # Dask wraps what it could not listen on
            raise UserError(f"no scheduler can be started on {host or 'this machine'}:{port}: {error}") from None
        try:
            _write(file, f'{{"address": "{server.address}"}}\n')
            say(f"scheduler at {server.address}, told in {file}")
            async with _signals() as received:
                if await received() == signal.SIGTERM:
                    return  # without a word to the workers: as if it had been killed
            await server.close(reason="over")
        finally:
            file.unlink(missing_ok=True)


async def worker(cluster: Cluster, host: str, name: str, patience: float) -> None:
    """Serve one slot until a signal, or until the scheduler takes it along; wait for the next one when it vanishes.

    Raises UserError when no scheduler answers for `patience` seconds.
    """
    _quiet()
    with dask.config.set(_SETTINGS):
        async with _signals() as received:
            ended = asyncio.create_task(received())
            serving = asyncio.create_task(_serve(cluster, host, name, patience))
            await asyncio.wait([ended, serving], return_when=asyncio.FIRST_COMPLETED)
            for task in (ended, serving):
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving
    dask_worker.close()


async def _serve(cluster: Cluster, host: str, name: str, patience: float) -> None:
    since = time.monotonic()
    while (left := since + patience - time.monotonic()) > 0:
        if (address := cluster.find()) is not None:
            local = is_loopback(address.rpartition(":")[0].partition("://")[2])
            server = _Worker(
                address,
                host=host or ("127.0.0.1" if local else None),  # None listens everywhere
                name=name or None,
                nthreads=1,
                resources={SLOT: 1},
                security=cluster.security(address),
                memory_limit=0,  # trainings are in a process of their own, which Dask does not measure
                dashboard=False,
                dashboard_address="127.0.0.1:0",
                death_timeout=min(left, 10.0),  # then the file is read again
            )
            try:
                async with server:
                    say(f"worker {server.name} serves {address}")
                    await server.finished()
                    if server.reason == OVER:
                        return say("the scheduler is done, and so is this worker")
                    since = time.monotonic()
                    say(f"the scheduler at {address} is gone ({server.reason}); waiting {patience:g} s for the next")
            except (OSError, TimeoutError, RuntimeError):
                pass
        await asyncio.sleep(0.5)
    raise UserError(f"no scheduler answered at {cluster} for {patience:g} s: this worker ends")


class _Worker(Worker):
    """Remembers why it was closed."""

    reason = ""

    async def close(self, *args: Any, **options: Any) -> Any:
        self.reason = self.reason or options.get("reason", "")
        return await super().close(*args, **options)


@contextlib.asynccontextmanager
async def _signals() -> AsyncIterator[Any]:
    """A function to await the first SIGINT or SIGTERM, also where a shell had SIGINT ignored for its children."""
    loop, arrived = asyncio.get_running_loop(), asyncio.Queue[int]()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, arrived.put_nowait, number)
    try:
        yield arrived.get
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _write(path: Path, text: str) -> None:
    """At once, so that nobody reads half a file."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(text)
    part.replace(path)
