"""The verbs of the command line, thin: parse, call, print.

What a verb needs is imported inside it, so that `strata --help` is quick. Errors that a person can mend end as one
line on stderr and exit code 2; anything else is a bug and keeps its traceback.
"""

from __future__ import annotations

import dataclasses
import errno
import importlib.util
import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from benchmark import __version__
from benchmark.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    name="strata",
    help="How many LSTM layers, and how many cells in each? Depth against width at equal size, with intervals.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Typer carries a copy of Click in newer versions and imports it in older ones; both show its base class only here.
_ClickException = cast(
    type[Exception], next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"strata {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and leave.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


# --- size ------------------------------------------------------------------------------------------------------------


@app.command()
def size(
    inputs: Annotated[int, typer.Option(help="Input features per step.")],
    outputs: Annotated[int, typer.Option(help="Outputs of the readout: classes, or regression dimensions.")],
    budget: Annotated[
        int,
        typer.Option(
            help="Parameters; with --match state or flops those of depth 1, whose state or FLOPs the rest get."
        ),
    ],
    depths: Annotated[str, typer.Option(help="Numbers of layers, separated by commas.")] = "1,2,4",
    time: Annotated[int, typer.Option(help="Steps of a sequence; FLOPs are per sequence.")] = 1,
    match: Annotated[
        Literal["parameters", "state", "flops"], typer.Option(help="What all depths have the same amount of.")
    ] = "parameters",
    target: Annotated[
        Literal["step", "sequence"], typer.Option(help="Whether the readout is applied at every step or once.")
    ] = "step",
    bidirectional: Annotated[bool, typer.Option("--bidirectional", help="Each layer reads both ways.")] = False,
    residual: Annotated[bool, typer.Option("--residual", help="Each layer's input is added to its output.")] = False,
    layer_norm: Annotated[bool, typer.Option("--layer-norm", help="Normalise each layer's output.")] = False,
    readout: Annotated[Literal["top", "all"], typer.Option(help="Which layers the readout sees.")] = "top",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Widths that give each depth the same size, and what that costs. Only counts: it refuses nothing.

    The budget may move by 10 % to where the depths are most nearly equal. A study also holds the spread against its
    tolerance and refuses layers of fewer than 8 cells.
    """
    from benchmark import sizing
    from benchmark.spec import Variant

    solution = sizing.solve(
        inputs=inputs,
        outputs=outputs,
        depths=_whole_numbers(depths, "--depths"),
        budget=budget,
        match=match,
        variant=Variant(
            name="asked", bidirectional=bidirectional, residual=residual, layer_norm=layer_norm, readout=readout
        ),
        time=time,
        target=target,
    )
    if as_json:
        record = dataclasses.asdict(solution)
        record["sizes"] = [
            {**dataclasses.asdict(cell), "share_of_budget": cell.parameters / budget}
            for cell in solution.sizes.values()
        ]
        print(json.dumps(record, indent=2))
        return
    print_table(
        ["depth", "width", "parameters", "share of budget", "total state", "FLOPs/sequence"],
        [
            [
                f"{cell.depth}",
                f"{cell.width:,}",
                f"{cell.parameters:,}",
                f"{cell.parameters / budget:.1%}",
                f"{cell.state:,}",
                f"{cell.flops:,}",
            ]
            for cell in solution.sizes.values()
        ],
    )
    print(f"spread of {match} between depths {solution.spread:.2%}, tolerance {solution.tolerance:.0%}")
    print(f"budget asked {budget:,}, used {solution.budget_used:,} ({solution.budget_used / budget - 1:+.1%})")


def _whole_numbers(text: str, option: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UserError(f"{option} is '{text}': give whole numbers separated by commas, such as 1,2,4") from None


# --- a study ---------------------------------------------------------------------------------------------------------

StudyArgument = Annotated[str, typer.Argument(help="A study file, or the name of one that comes with Strata.")]
NameArgument = Annotated[str, typer.Argument(metavar="STUDY", help="The name of a study that has been started.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="Override a key: analysis.margin=0.03")]
WorkersOption = Annotated[
    int | None, typer.Option(help="Worker processes; default one a core. 0 trains in this process.")
]
WorkspaceOption = Annotated[
    Path | None, typer.Option(help="Folder of results/, mlflow.db and optuna.db; default the current one.")
]


OWN = "Your own series"


@app.command()
def sweep(
    study: Annotated[
        str | None,
        typer.Argument(
            help="A study file, or the name of one that comes with Strata. [default: laptop]", show_default=False
        ),
    ] = None,
    seeds: Annotated[str, typer.Option(help="+N: go on to the next declared look, N seeds later.")] = "",
    workers: WorkersOption = None,
    overrides: SetOption = None,
    workspace: WorkspaceOption = None,
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
) -> int:
    """Run a study to its verdict: plan, tune, confirm. The same command again goes on where it was stopped.

    With --csv the study is made from your own file: how many layers for this series, and is an LSTM needed at all?
    """
    from benchmark.session import sweep as run
    from benchmark.study import Study
    from benchmark.workspace import Workspace

    place, console = Workspace.here(workspace), log_console()
    more = _more_seeds(seeds)
    if workers is not None and workers < 0:
        raise UserError(f"--workers is {workers}: give 0 or more")
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
        if stray := [f"--{option}" for option, value in given.items() if value]:
            raise UserError(f"{stray[0]} says something of a file, and none was given: add --csv FILE")
        asked_as = study or "laptop"
        loaded = Study.load(asked_as, overrides or [])
    else:
        if study:
            raise UserError(f"a study ({study}) and --csv {csv} were given: give one of them")
        if classify and level:
            raise UserError("--classify and --level were given: a class has no level; give one of them")
        if not target:
            raise UserError(f"--csv {csv} needs --target COLUMN: which column is to be predicted?")
        from benchmark import own

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
    try:
        run(
            loaded, place, console, workers=_cores() if workers is None else workers, more_seeds=more, asked_as=asked_as
        )
    except KeyboardInterrupt:
        print(f"\nstopped; everything finished is kept. Go on with: strata sweep {asked_as}", file=sys.stderr)
        return 130
    return 0


@app.command()
def plan(
    study: StudyArgument = "laptop",
    workers: WorkersOption = None,
    overrides: SetOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Print arms, trainings, expected minutes and each control's chance of passing, without running the study."""
    from benchmark.planning import print_plan
    from benchmark.study import Study
    from benchmark.workspace import Workspace

    loaded = Study.load(study, overrides or [])
    print_plan(loaded, Workspace.here(workspace), log_console(), _cores() if workers is None else workers)


@app.command()
def status(study: NameArgument = "laptop", workspace: WorkspaceOption = None) -> None:
    """Tell where a study stands: trainings done by arm and phase, failures, whether a sweep is running."""
    from benchmark.status import print_status
    from benchmark.workspace import Workspace

    print_status(Workspace.here(workspace).existing_folder(study), log_console())


@app.command()
def runs(
    study: NameArgument = "laptop",
    failed: Annotated[bool, typer.Option("--failed", help="Only those that failed, with their tracebacks.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """List a study's trainings."""
    from benchmark.status import print_runs
    from benchmark.workspace import Workspace

    print_runs(Workspace.here(workspace).existing_folder(study), log_console(), failed_only=failed)


@app.command()
def report(study: NameArgument = "laptop", workspace: WorkspaceOption = None) -> None:
    """Rebuild verdict, figures and report from the evidence alone; a folder may be given in place of a name."""
    from benchmark.report.terminal import print_findings
    from benchmark.session import report as rebuild
    from benchmark.workspace import Workspace

    folder = (
        Path(study) if (Path(study) / "runs.parquet").exists() else Workspace.here(workspace).existing_folder(study)
    )
    console = log_console()
    print_findings(rebuild(folder), console)
    console.print(f"report: {folder / 'report.html'}")


@app.command()
def analyse(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A folder of evidence, or one flat table (.csv or .parquet).")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    margin: Annotated[
        float | None, typer.Option(help="Difference of score that matters; default the study's own, else 0.02.")
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(help="Error that verdicts may spend; default the study's own, else 0.05.")
    ] = None,
) -> None:
    """Judge evidence from anywhere by Strata's rules: a folder, or one table, also made by hand. Writes nothing.

    A table needs the columns task, depth, seed and phase, and either skill or test_loss and trivial_loss.
    """
    from benchmark.judging import judge
    from benchmark.report.terminal import print_findings

    judged = judge(path, margin, alpha)
    if as_json:
        print(json.dumps(judged.outline, indent=1, allow_nan=False))
        return
    console = log_console()
    for said in judged.absent:
        console.print(f"not in the file: {said}", markup=False)
    for column in judged.unread:
        console.print(f"not read: the column {column!r}", markup=False)
    print_findings(judged.findings, console)


@app.command()
def claims(
    studies: Annotated[
        list[Path] | None,
        typer.Argument(metavar="STUDY_FOLDER", help="Folders of studies; default all published ones."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """What people say about depth, each claim with its verdict over these studies; a screen supports none."""
    from benchmark.claims import print_ledger, read

    found = read(studies or [])
    if as_json:
        print(json.dumps(found.record(), indent=1, allow_nan=False))
        return
    print_ledger(found, log_console())


@app.command()
def ui(
    study: Annotated[str | None, typer.Argument(help="The study to open on; default all.")] = None,
    port: Annotated[int | None, typer.Option(help="Default: the first free one from 5000.")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Start the MLflow server on this workspace and print links that open on the study."""
    from benchmark.ui import serve
    from benchmark.workspace import Workspace

    serve(Workspace.here(workspace).root, study, port)


@app.command()
def clean(
    study: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    workspace: WorkspaceOption = None,
) -> int:
    """Remove one study from every store: results, MLflow, Optuna. Other studies stay."""
    from benchmark.status import clean as remove
    from benchmark.workspace import Workspace

    return remove(Workspace.here(workspace), study, log_console(), ask=not yes)


@app.command()
def qualify(
    study: StudyArgument = "laptop",
    task: Annotated[str | None, typer.Option(help="Label of one control; default all controls of the study.")] = None,
    seeds: Annotated[int, typer.Option(help="Development seeds; a table needs at least 20.")] = 20,
    out: Annotated[Path, typer.Option(help="Folder for the tables.")] = Path("qualified"),
    workers: WorkersOption = None,
    overrides: SetOption = None,
    workspace: WorkspaceOption = None,
) -> int:
    """Measure on development seeds whether a study's controls do what controls must do, and write their tables."""
    from benchmark.qualify import qualify_study
    from benchmark.study import Study
    from benchmark.workspace import Workspace

    return qualify_study(
        Study.load(study, overrides or []),
        Workspace.here(workspace),
        log_console(),
        only=task,
        seeds=seeds,
        out=out,
        workers=_cores() if workers is None else workers,
    )


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
def timescales(
    study: NameArgument,
    task: Annotated[str | None, typer.Option(help="Label of one task; default all.")] = None,
    depth: Annotated[int | None, typer.Option(help="Layers, with one layer beside them; default all.")] = None,
    seeds: Annotated[int, typer.Option(help="Confirmed networks of every arm, at most.")] = 10,
    workspace: WorkspaceOption = None,
) -> None:
    """Measure how long each layer remembers: train confirmed networks once more, change one input, follow the change.

    Adds timescales.parquet and layers.parquet to the study's folder, and a section to its report. Goes on where it
    was stopped.
    """
    from benchmark.report.words import withheld
    from benchmark.timescales.run import timescales as measure
    from benchmark.workspace import Workspace

    folder = (
        Path(study) if (Path(study) / "runs.parquet").exists() else Workspace.here(workspace).existing_folder(study)
    )
    console = log_console()
    findings = measure(folder, console, task, depth, seeds)
    said = [findings.headline] if withheld(findings) else [f"{one.sentence}." for one in findings.timescales]
    for line in said:
        console.print(line, markup=False)
    console.print(f"report: {folder / 'report.html'}")


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
def calibrate(
    studies: Annotated[
        int, typer.Option(help="Studies to simulate for each row, ten times as many for looks. 0: show what is kept.")
    ] = 1000,
    scenario: Annotated[
        list[str] | None, typer.Option(help="One row of the table; may be repeated. Default all.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes; default one a core. 0: this process.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
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
        found = run.calibrate(asked, studies, _cores() if workers is None else workers, place, console)
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


PROBLEM = "Your problem"


@app.command()
def recommend(
    family: Annotated[
        str,
        typer.Option(help="speech, finance, text, images, synthetic or own.", rich_help_panel=PROBLEM),
    ] = "",
    length: Annotated[int | None, typer.Option(help="Steps of a sequence.", rich_help_panel=PROBLEM)] = None,
    inputs: Annotated[
        int | None, typer.Option(help="Features of a step, or symbols of the vocabulary.", rich_help_panel=PROBLEM)
    ] = None,
    outputs: Annotated[int, typer.Option(help="Classes, or regression dimensions.", rich_help_panel=PROBLEM)] = 1,
    target: Annotated[
        Literal["step", "sequence", "labels"] | None,
        typer.Option(help="One target a step, one a sequence, or labels without times.", rich_help_panel=PROBLEM),
    ] = None,
    embedding: Annotated[
        int, typer.Option(help="Numbers that stand for a symbol; 0: one-hot.", rich_help_panel=PROBLEM)
    ] = 0,
    known_depth: Annotated[
        int | None, typer.Option(help="Levels of what makes the data, where known.", rich_help_panel=PROBLEM)
    ] = None,
    parameters: Annotated[int | None, typer.Option(help="What you can afford: parameters.")] = None,
    flops: Annotated[int | None, typer.Option(help="Or: FLOPs a sequence, forward.")] = None,
    milliseconds: Annotated[
        float | None, typer.Option(help="Or: milliseconds a sequence, measured on this machine.")
    ] = None,
    task: Annotated[str, typer.Option(help="A published task, TASK or STUDY/TASK, in place of your problem.")] = "",
    study: Annotated[Path | None, typer.Option(help="The folder of your own study: it outranks all else.")] = None,
    evidence: Annotated[
        Path | None, typer.Option(help="Folder of published studies; default results/published.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="How often would it have been right? Hides each published task once.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Layers and cells for a problem like yours, from published verdicts or your own study; "not known" is an answer.

    strata recommend --family speech --length 50 --inputs 13 --target step --parameters 6000
    """
    from benchmark.recommend import words
    from benchmark.recommend.check import check as checked
    from benchmark.recommend.published import load
    from benchmark.recommend.recommend import question
    from benchmark.recommend.recommend import recommend as answered
    from benchmark.workspace import Workspace

    place = evidence or Workspace.here().results / "published"
    if check:
        if family or task or study or parameters or flops or milliseconds:
            raise UserError("--check asks about every published task in turn: leave out the problem and the limit")
        held = checked(load(place))
        print(json.dumps(words.check_record(held), indent=1) if as_json else "\n".join(words.check_lines(held)))
        return
    asked = question(
        family=family,
        length=length,
        inputs=inputs,
        outputs=outputs,
        target=target,
        embedding=embedding,
        known_depth=known_depth,
        limits={"parameters": parameters, "flops": flops, "milliseconds": milliseconds},
        task=task,
        study=study,
    )
    found = answered(asked, place)
    print(json.dumps(words.answer_record(found), indent=1) if as_json else "\n".join(words.answer_lines(found)))


# --- tasks -----------------------------------------------------------------------------------------------------------


@app.command()
def tasks(
    task: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="One task, or your own as path/to/file.py:Class. Default: a table of all."),
    ] = None,
    changes: Annotated[list[str] | None, typer.Option("--set", help="Change a parameter: delay=4")] = None,
    picture: Annotated[
        Path | None, typer.Option(help="File for the picture, .png or .svg; default results/tasks/NAME.png.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the table for the documentation.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """List every task; or show one: what is asked, its parameters and references, an example and a picture of it."""
    from benchmark import catalogue
    from benchmark.workspace import Workspace

    if task is None:
        if changes or picture:
            raise UserError(f"{'--set' if changes else '--picture'} is about one task: strata tasks NAME")
        catalogue.show_all(log_console(), as_json=as_json, as_markdown=as_markdown)
    elif as_json or as_markdown:
        raise UserError(f"--{'json' if as_json else 'markdown'} is for the table of all tasks: leave out {task}")
    else:
        folder = Workspace.here(workspace).results / "tasks"
        catalogue.show_one(task, changes or [], picture, folder, log_console())


def _more_seeds(text: str) -> int:
    if not text:
        return 0
    if not text.startswith("+") or not text[1:].isdigit() or int(text[1:]) == 0:
        raise UserError(f"--seeds is '{text}': give how many more, such as +10")
    return int(text[1:])


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# --- what the verbs share --------------------------------------------------------------------------------------------


def log_console() -> Console:
    """A console for whole sentences: as wide as the terminal, 100 columns in a log."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 100, highlight=False, soft_wrap=not sys.stdout.isatty())


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, left: Sequence[str] = ()) -> None:
    """Print right-aligned columns (those named in `left` to the left); without frames and colours when piped."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 1000, highlight=False)
    table = Table(box=SIMPLE_HEAD, pad_edge=False) if console.is_terminal else Table(box=None, padding=(0, 3, 0, 0))
    for name in header:
        table.add_column(name, justify="left" if name in left else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def refuse_shadows() -> None:
    """Refuse to start where a `tasks` of the user's folder would be imported in place of ours. Raises UserError.

    Python puts the current folder first when started with `-m`, and any folder on PYTHONPATH before what is installed.
    The foreign code is located, not run.
    """
    ours = Path(__file__).resolve().parent.parent / "tasks"
    found = importlib.util.find_spec("tasks")
    places = [Path(place).resolve() for place in (found.submodule_search_locations or [])] if found else []
    if ours in places[:1]:
        return
    what = places[0] if places else Path(found.origin or "tasks") if found else None
    if what is None:
        raise UserError("the package 'tasks' that belongs to Strata is missing: install Strata again")
    raise UserError(
        f"{what} hides Strata's own package 'tasks': rename it, or run the command 'strata' in place of"
        " 'python -m benchmark', from another folder or without that folder on PYTHONPATH"
    )


def _line_for(error: OSError) -> str | None:
    """One line for what a person can mend about a disk, else None."""
    where = f" {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"disk full while writing{where or ' results'}: free some space, then give the same command again"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"no permission for{where or ' a file'} ({error.strerror}): choose a folder you may write to"
    return None


def _complain(message: object) -> int:
    print("strata: " + " ".join(str(message).split()), file=sys.stderr)
    return 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 2 for an error of the user's, 130 after Ctrl-C."""
    try:
        refuse_shadows()
        answer = app(args=None if arguments is None else list(arguments), prog_name="strata", standalone_mode=False)
        sys.stdout.flush()
        return answer if isinstance(answer, int) else 0
    except UserError as error:
        return _complain(error)
    except _ClickException as error:
        return _complain(error.format_message())  # type: ignore[attr-defined]
    except KeyboardInterrupt:
        return 130
    except typer.Abort as error:
        return 130 if isinstance(error.__cause__, KeyboardInterrupt) else 1
    except BrokenPipeError:
        # The reader (`| head`) has left; what is still buffered has nowhere to go, at exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        line = _line_for(error)
        if line is None:
            raise
        return _complain(line)
