"""The verbs that make a Dask cluster: scheduler, worker. Small processes for a SLURM job or a host reached by SSH."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.app import InsecureOption, SchedulerFileOption, SchedulerOption, TlsOption, app
from benchmark.errors import UserError

HostOption = Annotated[str, typer.Option(help="Address to listen on; default all of this machine's.")]


@app.command()
def scheduler(
    scheduler_file: Annotated[Path, typer.Option(help="Where to say the address; workers and sweeps are given it.")],
    host: HostOption = "",
    port: Annotated[int, typer.Option(help="0: any free one.")] = 0,
    tls: TlsOption = None,
    insecure: InsecureOption = False,
) -> None:
    """Start the scheduler of a Dask cluster, with TLS and keys that it makes.

    The keys lie in the folder tls beside the file, for you alone: who has them may run code as you. It ends by a
    signal: INT ends the workers too, TERM leaves them waiting for the next scheduler.
    """
    from benchmark.executors.cluster import require_dask

    require_dask()
    from benchmark.executors import dask_serve

    asyncio.run(dask_serve.scheduler(scheduler_file, tls, host, port, insecure))


@app.command()
def worker(
    scheduler_file: SchedulerFileOption = None,
    scheduler: SchedulerOption = None,
    tls: TlsOption = None,
    insecure: InsecureOption = False,
    host: HostOption = "",
    name: Annotated[str, typer.Option(help="Its name in messages; default its address.")] = "",
    patience: Annotated[
        float, typer.Option(help="Seconds to wait for a scheduler that is not there yet, or vanished.")
    ] = 300.0,
) -> None:
    """Train one job at a time for a Dask cluster, on one GPU or one core.

    Start one per GPU, each seeing its own (CUDA_VISIBLE_DEVICES; SLURM's --gpus-per-task does that). A training runs
    in a process of its own, which this one outlives.
    """
    from benchmark.executors.cluster import Cluster

    cluster = Cluster.asked(scheduler, scheduler_file, tls, insecure)
    if cluster is None:
        raise UserError("a worker needs its scheduler: give --scheduler-file FILE, or --scheduler tls://HOST:PORT")
    from benchmark.executors import dask_serve

    asyncio.run(dask_serve.worker(cluster, host, name, patience))
