"""The verb that takes a study to a cluster's queue."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer

from benchmark.cli.app import SetOption, StudyArgument, WorkspaceOption, app


@app.command()
def cluster(
    kind: Annotated[Literal["slurm"], typer.Argument(metavar="slurm", help="The queue; SLURM is the one there is.")],
    study: StudyArgument,
    nodes: Annotated[int, typer.Option(help="Nodes with workers; each may be lost and requeued by itself.")],
    time: Annotated[str, typer.Option(help="Time limit of a job, as SLURM writes it: 8:00:00.")],
    gpus_per_node: Annotated[int | None, typer.Option(help="GPUs of a node, one worker on each.")] = None,
    workers_per_node: Annotated[int | None, typer.Option(help="Workers on a node, without GPUs.")] = None,
    cpus_per_worker: Annotated[int, typer.Option(help="Cores that SLURM gives each worker; it trains on one.")] = 1,
    driver: Annotated[
        Literal["job", "here"], typer.Option(help="Where driver and scheduler run: a small job, or this machine.")
    ] = "job",
    driver_time: Annotated[str, typer.Option(help="Time limit of the driver's job; default that of --time.")] = "",
    host: Annotated[
        str, typer.Option(help="Address of the driver's node that workers are to use, where it has several.")
    ] = "",
    setup: Annotated[
        list[str] | None, typer.Option(help="A line for the scripts' beginning: 'module load pytorch'. Repeatable.")
    ] = None,
    python: Annotated[str, typer.Option(help="Python with Strata on the nodes; default the one that runs this.")] = "",
    sbatch: Annotated[
        list[str] | None, typer.Option(help="An option of sbatch: --sbatch=--partition=gpu. Repeatable.")
    ] = None,
    driver_sbatch: Annotated[
        list[str] | None, typer.Option(help="The same for the driver's job; default those of --sbatch.")
    ] = None,
    seeds: Annotated[str, typer.Option(help="+N: go on to the next declared look, N seeds later.")] = "",
    overrides: SetOption = None,
    submit: Annotated[bool, typer.Option("--submit", help="Send the jobs too.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Write the batch scripts that run a study on a SLURM cluster, and with --submit send them.

    The study is the same, and so is what it gives. A driver that ended without a verdict is started by the same command
    again, which sends only what is not in the queue.
    """
    from benchmark import cluster as jobs
    from benchmark.study import Study
    from benchmark.workspace import Workspace

    place = Workspace.here(workspace)
    loaded = Study.load(study, overrides or [])
    words = [*(["--seeds", seeds] if seeds else []), *(f"--set={change}" for change in overrides or [])]
    asked = jobs.Asked(
        nodes=nodes,
        time=time,
        gpus_per_node=gpus_per_node,
        workers_per_node=workers_per_node,
        cpus_per_worker=cpus_per_worker,
        driver=driver,
        driver_time=driver_time,
        host=host,
        setup=tuple(setup or ()),
        python=python,
        sbatch=tuple(sbatch or ()),
        driver_sbatch=tuple(driver_sbatch or ()),
        sweep=tuple(words),
    )
    scripts = jobs.write(asked, study, loaded.name, place)
    print(f"written: {scripts.driver} and {scripts.workers.name}")
    start = ["bash" if driver == "here" else "sbatch", str(scripts.driver)]
    if not submit:
        print(f"send them with --submit, or: {shlex.join(['sbatch', str(scripts.workers)])} and {shlex.join(start)}")
        return
    jobs.submit(scripts, driver == "here", lambda text: print(text, flush=True))
    if driver == "here":
        os.execvp("bash", start)
    shown = f" --workspace {shlex.quote(str(Path(workspace)))}" if workspace else ""
    print(f"where it stands: strata status {shlex.quote(loaded.name)}{shown}, and squeue --me")
