"""The verbs that read what a study gave: report, analyse, claims, recommend, ui, optuna-dashboard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from benchmark import complete
from benchmark.cli.app import JsonOption, NameArgument, QuietOption, WorkspaceOption, app
from benchmark.errors import UserError

PROBLEM = "Your problem"


@app.command()
def report(study: NameArgument = "laptop", workspace: WorkspaceOption = None, quiet: QuietOption = False) -> None:
    """Rebuild verdict, figures and report from the evidence alone; a folder may be given in place of a name."""
    from benchmark.report.terminal import print_findings, print_verdict
    from benchmark.session import report as rebuild
    from benchmark.terminal import make_console
    from benchmark.workspace import Workspace

    folder = (
        Path(study) if (Path(study) / "runs.parquet").exists() else Workspace.here(workspace).existing_folder(study)
    )
    console, findings = make_console(), rebuild(folder)
    if quiet:
        print_verdict(findings, console)
        return
    print_findings(findings, console)
    console.print(f"\nreport: {folder / 'report.html'}", markup=False)


SomeArgument = Annotated[
    str | None,
    typer.Argument(metavar="STUDY", help="The study to link to; default all.", autocompletion=complete.started),
]
OpenOption = Annotated[
    bool | None,
    typer.Option("--open/--no-open", help="Open a browser; default where you sit before a screen.", show_default=False),
]


@app.command()
def ui(
    study: SomeArgument = None,
    port: Annotated[int | None, typer.Option(help="Default: the first free one from 5001.")] = None,
    workspace: WorkspaceOption = None,
    open_browser: OpenOption = None,
) -> None:
    """Start the MLflow server on this workspace and print links that open on the study, the verdict first.

    Where MLFLOW_TRACKING_URI names a server, the links are to that one. Works while a sweep runs: its pages show how
    far it is.
    """
    from benchmark.ui import serve
    from benchmark.workspace import Workspace

    serve(Workspace.here(workspace).root, study, port, open_browser)


@app.command(name="optuna-dashboard")
def optuna_dashboard(
    study: SomeArgument = None,
    port: Annotated[int | None, typer.Option(help="Default: the first free one from 8080.")] = None,
    workspace: WorkspaceOption = None,
    open_browser: OpenOption = None,
) -> None:
    """Start Optuna's own dashboard on this workspace: how every arm was tuned, trial by trial."""
    from benchmark.optuna_ui import serve
    from benchmark.workspace import Workspace

    serve(Workspace.here(workspace), study, port, open_browser)


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
    as_json: JsonOption = False,
) -> None:
    """Layers and cells for a problem like yours, from published verdicts or your own study.

    "Not known" is an answer.
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


@app.command()
def analyse(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A folder of evidence, or one flat table (.csv or .parquet).")
    ],
    as_json: JsonOption = False,
    quiet: QuietOption = False,
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
    from benchmark.report.terminal import print_findings, print_verdict
    from benchmark.terminal import make_console

    judged = judge(path, margin, alpha)
    if as_json:
        print(json.dumps(judged.outline, indent=1, allow_nan=False))
        return
    console = make_console()
    if quiet:
        print_verdict(judged.findings, console)
        return
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
    as_json: JsonOption = False,
) -> None:
    """What people say about depth, each claim with its verdict over these studies; a screen supports none."""
    from benchmark.claims import print_ledger, read
    from benchmark.terminal import make_console

    found = read(studies or [])
    if as_json:
        print(json.dumps(found.record(), indent=1, allow_nan=False))
        return
    print_ledger(found, make_console())
