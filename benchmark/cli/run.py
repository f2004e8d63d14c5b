"""The verbs that run a study and watch it: sweep, plan, status, runs."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from benchmark import complete
from benchmark.cli.app import (
    InsecureOption,
    JsonOption,
    NameArgument,
    QuietOption,
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
from benchmark.company import POPULATION
from benchmark.errors import UserError

OWN = "Your own series"


@app.command()
def sweep(
    study: Annotated[
        str | None,
        typer.Argument(
            metavar="STUDY",
            help="A study file, or the name of one that comes with Strata. [default: laptop]",
            show_default=False,
            autocompletion=complete.studies,
        ),
    ] = None,
    seeds: Annotated[str, typer.Option(help="+N: go on to the next declared look, N seeds later.")] = "",
    workers: WorkersOption = None,
    side_by_side: Annotated[
        int | None,
        typer.Option(
            help=f"Most trainings of an arm that a worker steps at once; default {POPULATION}. No bit of a "
            "CPU's numbers depends on it."
        ),
    ] = None,
    overrides: SetOption = None,
    workspace: WorkspaceOption = None,
    quiet: QuietOption = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the verdict as JSON on stdout; progress goes to stderr.")
    ] = False,
    csv: Annotated[
        Path | None,
        typer.Option(help="In place of a study: a CSV (also .gz, .zip) or Parquet file.", rich_help_panel=OWN),
    ] = None,
    target: Annotated[str, typer.Option(help="The column to predict.", rich_help_panel=OWN)] = "",
    time: Annotated[
        str, typer.Option(help="The column of dates or times; default: rows are in order.", rich_help_panel=OWN)
    ] = "",
    inputs: Annotated[
        str,
        typer.Option(
            help="Further input columns, separated by commas; the target's past is one always.", rich_help_panel=OWN
        ),
    ] = "",
    series: Annotated[str, typer.Option(help="The column that tells several series apart.", rich_help_panel=OWN)] = "",
    horizon: Annotated[int | None, typer.Option(help="Rows ahead; default 1.", rich_help_panel=OWN)] = None,
    window: Annotated[
        int | None, typer.Option(help="Rows that the network sees; default from the data.", rich_help_panel=OWN)
    ] = None,
    season: Annotated[
        int | None, typer.Option(help="Rows in a season, 0 for none; default from the dates.", rich_help_panel=OWN)
    ] = None,
    classify: Annotated[
        bool, typer.Option("--classify", help="The target is a class, not a number.", rich_help_panel=OWN)
    ] = False,
    level: Annotated[
        bool, typer.Option("--level", help="Predict the value itself, not its change.", rich_help_panel=OWN)
    ] = False,
    origins: Annotated[
        int | None, typer.Option(help="Walk-forward test periods; default 10.", rich_help_panel=OWN)
    ] = None,
    budget: Annotated[
        int | None, typer.Option(help="Parameters; default from the size of the data.", rich_help_panel=OWN)
    ] = None,
    separator: Annotated[str, typer.Option(help="Between columns; default a comma.", rich_help_panel=OWN)] = "",
    encoding: Annotated[str, typer.Option(help="Of the file.", rich_help_panel=OWN)] = "utf-8",
    missing: Annotated[
        Literal["refuse", "drop"], typer.Option(help="What to do with rows that lack a value.", rich_help_panel=OWN)
    ] = "refuse",
    gaps: Annotated[
        Literal["refuse", "split"], typer.Option(help="What to do where rows are missing.", rich_help_panel=OWN)
    ] = "refuse",
    name: Annotated[
        str, typer.Option(help="The study's name; default from file and target.", rich_help_panel=OWN)
    ] = "",
    save: Annotated[
        Path | None, typer.Option(help="Write the study as a YAML file and stop.", rich_help_panel=OWN)
    ] = None,
    scheduler: SchedulerOption = None,
    scheduler_file: SchedulerFileOption = None,
    tls: TlsOption = None,
    insecure: InsecureOption = False,
) -> int:
    """Run a study to its verdict: plan, tune, confirm. The same command again goes on where it was stopped.

    With --csv the study is made from your own file: how many layers for this series, and is an LSTM needed at all?
    """
    from benchmark.executors.cluster import Cluster
    from benchmark.report.terminal import print_verdict
    from benchmark.session import sweep as run
    from benchmark.study import Study
    from benchmark.terminal import make_console
    from benchmark.workspace import Workspace

    place, console = Workspace.here(workspace), make_console(quiet=quiet, stderr=as_json)
    more = _more_seeds(seeds)
    processes = worker_processes(workers)
    if side_by_side is not None and side_by_side < 1:
        raise UserError(f"--side-by-side is {side_by_side}: give 1 or more")
    cluster = Cluster.asked(scheduler, scheduler_file, tls, insecure, instead=workers is not None)
    if csv is None:
        texts = {
            "target": target,
            "time": time,
            "inputs": inputs,
            "series": series,
            "separator": separator,
            "name": name,
        }
        numbers = {"horizon": horizon, "window": window, "season": season, "origins": origins, "budget": budget}
        flags = {"classify": classify, "level": level, "missing": missing != "refuse", "gaps": gaps != "refuse"}
        given = {**texts, **{option: value is not None for option, value in numbers.items()}, **flags}
        given |= {"encoding": encoding != "utf-8", "save": save}
        loaded = Study.load(study or "laptop", overrides or [])
        if stray := [f"--{option}" for option, value in given.items() if value]:
            raise UserError(f"{stray[0]} says something of a file, and none was given: add --csv FILE")
        asked_as = shlex.quote(study or "laptop")
    else:
        if study:
            raise UserError(f"a study ({study}) and --csv {csv} were given: give one of them")
        if save is not None and as_json:
            raise UserError("--save and --json were given: --save writes the study and runs nothing; leave one out")
        if classify and level:
            raise UserError("--classify and --level were given: a class has no level; give one of them")
        from benchmark import own

        if not target:
            names = ", ".join(own.columns(csv, separator, encoding))
            raise UserError(f"--csv {csv} needs --target COLUMN, the one to be predicted: its columns are {names}")
        asked = own.Asked(
            path=csv,
            target=target,
            time=time,
            inputs=tuple(part.strip() for part in inputs.split(",") if part.strip()),
            series=series,
            predict="class" if classify else "level" if level else "change",
            horizon=horizon,
            window=window,
            season=season,
            origins=origins,
            separator=separator,
            encoding=encoding,
            missing=missing,
            gaps=gaps,
            budget=budget,
            name=name,
        )
        loaded = own.load(asked, overrides or [], console)
        asked_as = own.command(asked)
        if save is not None:
            own.save(loaded, save)
            print(f"written: {save}; run it with: strata sweep {save}")
            return 0
    asked_as = " ".join([asked_as, *(f"--set {shlex.quote(change)}" for change in overrides or [])])
    options = ["--workspace", str(workspace)] if workspace else []
    there = [*options, *(cluster.words if cluster else [])]
    try:
        ending = run(
            loaded,
            place,
            console,
            workers=processes,
            more_seeds=more,
            asked_as=asked_as,
            options=options,
            cluster=cluster,
            side_by_side=side_by_side,
        )
    except KeyboardInterrupt:
        spread = {"--workers": workers, "--side-by-side": side_by_side}
        there += [word for option, number in spread.items() if number is not None for word in (option, str(number))]
        again = " ".join(["strata sweep", asked_as, *([shlex.join(there)] if there else [])])
        print(f"\nstopped; everything finished is kept. Go on with: {again}", file=sys.stderr)
        return 130
    if as_json:
        print(json.dumps(ending.record(), indent=1, allow_nan=False))
    elif quiet:
        print_verdict(ending.findings, make_console())
    return 0


@app.command()
def plan(
    study: StudyArgument = "laptop",
    workers: WorkersOption = None,
    overrides: SetOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    scheduler: SchedulerOption = None,
    scheduler_file: SchedulerFileOption = None,
    tls: TlsOption = None,
    insecure: InsecureOption = False,
) -> None:
    """Print arms, trainings, expected minutes and each control's chance of passing, without running the study.

    A few steps of every cell are trained to price it, and nothing is written.
    """
    from benchmark.executors.cluster import Cluster
    from benchmark.planning import Plan, print_plan
    from benchmark.study import Study
    from benchmark.terminal import make_console
    from benchmark.workspace import Workspace

    cluster = Cluster.asked(scheduler, scheduler_file, tls, insecure, instead=workers is not None)
    loaded = Study.load(study, overrides or [])
    console = make_console(stderr=as_json)
    with console.status("timing a few steps of every cell"):
        made = Plan.make(loaded, Workspace.here(workspace), worker_processes(workers), cluster, console)
    if as_json:
        print(json.dumps(made.record(), indent=1, allow_nan=False))
        return
    print_plan(made, console)


@app.command()
def status(study: NameArgument = "laptop", workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Tell where a study stands: trainings done by arm and phase, failures, whether a sweep is running."""
    from benchmark.status import Status, print_status
    from benchmark.terminal import make_console
    from benchmark.workspace import Workspace

    found = Status.of(Workspace.here(workspace).existing_folder(study))
    if as_json:
        print(json.dumps(found.record(), indent=1, allow_nan=False))
        return
    print_status(found, make_console())


@app.command()
def runs(
    study: NameArgument = "laptop",
    failed: Annotated[bool, typer.Option("--failed", help="Only those that failed, with their tracebacks.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """List a study's trainings."""
    from benchmark.status import print_runs
    from benchmark.terminal import make_console
    from benchmark.workspace import Workspace

    print_runs(Workspace.here(workspace).existing_folder(study), make_console(), failed_only=failed)


def _more_seeds(text: str) -> int:
    if not text:
        return 0
    if not text.startswith("+") or not text[1:].isdigit() or int(text[1:]) == 0:
        raise UserError(f"--seeds is '{text}': give how many more, such as +10")
    return int(text[1:])
