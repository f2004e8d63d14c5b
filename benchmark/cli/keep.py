"""The verbs that keep, check and remove: export, publish, qualify, calibrate, speed, clean."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.app import (
    InsecureOption,
    JsonOption,
    NameArgument,
    SchedulerFileOption,
    SchedulerOption,
    SetOption,
    StudyArgument,
    TlsOption,
    WorkersOption,
    WorkspaceOption,
    app,
    worker_processes,
)
from benchmark.errors import UserError


@app.command()
def export(
    study: NameArgument,
    task: Annotated[str | None, typer.Option(help="Label of the task; default the study's own series.")] = None,
    depth: Annotated[int | None, typer.Option(help="Layers; default what the study advises.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder; default results/STUDY/export.")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Write the chosen network: settings, weights (no pickle), and one PyTorch file that predicts new rows."""
    from benchmark.export.export import export as write
    from benchmark.workspace import Workspace

    folder = Workspace.here(workspace).existing_folder(study)
    place, said = write(folder, out or folder / "export", task, depth)
    print(f"exported: {said}\n  {place}\n  python {place / 'predict.py'} YOUR_NEW_ROWS.csv")


@app.command()
def publish(
    study: NameArgument,
    out: Annotated[Path, typer.Option(help="Folder of published studies.")] = Path("results/published"),
    as_instrument: Annotated[
        Path | None,
        typer.Option(help="Also write its controls to this file (configs/instrument.json) for other studies to cite."),
    ] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Keep a finished study's evidence, verdict and report where its numbers may be quoted from."""
    from benchmark.publish import publish as keep
    from benchmark.workspace import Workspace

    print(f"published: {keep(Workspace.here(workspace).existing_folder(study), out, as_instrument)}")


@app.command()
def qualify(
    study: StudyArgument = "laptop",
    task: Annotated[str | None, typer.Option(help="Label of one control; default all controls of the study.")] = None,
    seeds: Annotated[int, typer.Option(help="Development seeds; a table needs at least 20.")] = 20,
    out: Annotated[Path, typer.Option(help="Folder for the tables.")] = Path("qualified"),
    workers: WorkersOption = None,
    overrides: SetOption = None,
    workspace: WorkspaceOption = None,
    scheduler: SchedulerOption = None,
    scheduler_file: SchedulerFileOption = None,
    tls: TlsOption = None,
    insecure: InsecureOption = False,
) -> int:
    """Measure on development seeds whether a study's controls do what controls must do, and write their tables."""
    from benchmark.executors.cluster import Cluster
    from benchmark.qualify import qualify_study
    from benchmark.study import Study
    from benchmark.terminal import make_console
    from benchmark.workspace import Workspace

    return qualify_study(
        Study.load(study, overrides or []),
        Workspace.here(workspace),
        make_console(),
        only=task,
        seeds=seeds,
        out=out,
        workers=worker_processes(workers),
        cluster=Cluster.asked(scheduler, scheduler_file, tls, insecure, instead=workers is not None),
    )


@app.command()
def calibrate(
    studies: Annotated[
        int, typer.Option(help="Studies to simulate for each row, ten times as many for looks. 0: show what is kept.")
    ] = 1000,
    scenario: Annotated[
        list[str] | None, typer.Option(help="One row of the table; may be repeated. Default all.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes; default one a core. 0: this process.")] = None,
    as_json: JsonOption = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the table for the documentation.")] = False,
    workspace: WorkspaceOption = None,
) -> int:
    """Measure how often the analysis errs, on simulated studies whose truth is known; goes on where it was stopped.

    Whole evidence is simulated, tuning and selection included, and judged by the code that judges a study.
    """
    from rich.console import Console

    from benchmark.calibration import run, table
    from benchmark.calibration.scenarios import SCENARIOS, named
    from benchmark.workspace import Workspace

    if as_json and as_markdown:
        raise UserError("--json and --markdown were given: give one of them")
    asked = [named(name) for name in dict.fromkeys(scenario)] if scenario else SCENARIOS
    place, console = Workspace.here(workspace).results, Console(stderr=True, highlight=False)
    try:
        found = run.calibrate(asked, studies, worker_processes(workers), place, console)
    except KeyboardInterrupt:
        print("\nstopped; every study finished is kept. Go on with the same command", file=sys.stderr)
        return 130
    rows = table.rows(asked, found)
    if as_json:
        print(json.dumps([table.record(row) for row in rows], indent=1))
    elif as_markdown:
        print(table.markdown(rows))
    else:
        print(table.terminal(rows))
    return 0


@app.command()
def speed(
    repeats: Annotated[int, typer.Option(min=1, help="Repeats of everything; medians are printed.")] = 5,
    steps: Annotated[int, typer.Option(min=20, help="Optimiser steps of a training.")] = 500,
    whole: Annotated[bool, typer.Option(help="Also time a small study from the command to its end.")] = True,
    out: Annotated[Path | None, typer.Option(help="File to write the record to, as JSON.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Time trainings as most people would write them, as a bare loop, and as Strata runs them, side by side.

    The better part of an hour with the defaults; nothing else should run meanwhile.
    """
    from rich.console import Console

    from benchmark.evidence import replace_file
    from benchmark.speed import table
    from benchmark.speed.measure import Plan, measure

    if out is not None and not out.parent.is_dir():
        raise UserError(f"--out {out}: the folder {out.parent} does not exist: make it, or name another file")
    console = Console(stderr=True, highlight=False)
    found = measure(Plan(repeats=repeats, steps=steps, whole=whole), console.print)
    if out is not None:
        replace_file(out, (json.dumps(found, indent=1) + "\n").encode())
    print(json.dumps(found, indent=1) if as_json else table.markdown(found))


@app.command()
def clean(
    study: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    workspace: WorkspaceOption = None,
) -> int:
    """Remove one study from every store: results, MLflow, Optuna. Other studies stay."""
    from benchmark.status import clean as remove
    from benchmark.terminal import make_console
    from benchmark.workspace import Workspace

    return remove(Workspace.here(workspace), study, make_console(), ask=not yes)
