"""The verbs for studies that ran elsewhere too: merge, reproduce."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from benchmark import complete
from benchmark.cli.app import JsonOption, SetOption, WorkersOption, WorkspaceOption, app, worker_processes


@app.command()
def merge(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="Results folders: a journal, or published evidence.")
    ],
    into: Annotated[
        str,
        typer.Option(
            metavar="STUDY",
            help="The study that they become: a file, or the name of one that comes with Strata.",
            autocompletion=complete.studies,
        ),
    ],
    prefer: Annotated[
        Path | None,
        typer.Option(help="The part to be believed where numbers differ; STUDY's name for what is here already."),
    ] = None,
    overrides: SetOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring evidence from other machines or sessions into one study here; sweep then runs only what is missing.

    The same training with different numbers in two parts is shown, and refused until --prefer says which side wins.
    """
    from benchmark import merge as merging
    from benchmark.study import Study
    from benchmark.terminal import make_console
    from benchmark.workspace import Workspace

    console = make_console(stderr=as_json)
    report = merging.merge(folders, Study.load(into, overrides or []), Workspace.here(workspace), console, prefer)
    if as_json:
        print(json.dumps(report.record(), indent=1))
    else:
        merging.print_report(report, console)
    if report.merged.conflicts:
        raise merging.refusal(report)


@app.command()
def reproduce(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A published study.")],
    tasks: Annotated[str, typer.Option(help="Only these tasks: labels, separated by commas.")] = "",
    seeds: Annotated[int | None, typer.Option(help="Fewer confirmation seeds than were published.")] = None,
    workers: WorkersOption = None,
    workspace: Annotated[
        Path | None, typer.Option(help="Folder of its own for results and stores; default `reproduced`, here.")
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Run a published study again, here, and say of each finding: reproduced, not reproduced, or within noise.

    Reproduced: the same verdict. Within noise: another one, but each side's differences lie inside the other side's
    intervals. Equal bits are asked only of the same machine type and versions. Exit code 1: something was not
    reproduced.
    """
    from benchmark import reproduce as repeating
    from benchmark.terminal import make_console
    from benchmark.workspace import Workspace

    console = make_console(stderr=as_json)
    found = repeating.reproduce(
        folder,
        Workspace((workspace or Workspace.here().root / "reproduced").resolve()),
        console,
        workers=worker_processes(workers),
        tasks=[label.strip() for label in tasks.split(",") if label.strip()],
        seeds=seeds,
    )
    if as_json:
        print(json.dumps(found.record(), indent=1, allow_nan=False))
    else:
        repeating.print_comparison(found, console)
    return 0 if found.holds else 1
