"""The verbs about sizes, tasks and layers: size, tasks, timescales."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from benchmark.cli.app import NameArgument, WorkersOption, WorkspaceOption, app, worker_processes
from benchmark.errors import UserError


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
    from benchmark.terminal import print_table

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
    from benchmark.terminal import make_console
    from benchmark.workspace import Workspace

    if task is None:
        if changes or picture:
            raise UserError(f"{'--set' if changes else '--picture'} is about one task: strata tasks NAME")
        catalogue.show_all(make_console(), as_json=as_json, as_markdown=as_markdown)
    elif as_json or as_markdown:
        raise UserError(f"--{'json' if as_json else 'markdown'} is for the table of all tasks: leave out {task}")
    else:
        folder = Workspace.here(workspace).results / "tasks"
        catalogue.show_one(task, changes or [], picture, folder, make_console())


@app.command()
def timescales(
    study: NameArgument,
    task: Annotated[str | None, typer.Option(help="Label of one task; default all.")] = None,
    depth: Annotated[int | None, typer.Option(help="Layers, with one layer beside them; default all.")] = None,
    seeds: Annotated[int, typer.Option(help="Confirmed networks of every arm, at most.")] = 10,
    other_machine: Annotated[
        bool,
        typer.Option(
            "--other-machine",
            help="Measure what comes out here, where the study's processor computed other last digits.",
        ),
    ] = False,
    workers: WorkersOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Measure how long each layer remembers: train confirmed networks once more, change one input, follow the change.

    Adds timescales.parquet and layers.parquet to the study's folder, and a section to its report. Goes on where it
    was stopped.
    """
    from benchmark.report.words import withheld
    from benchmark.terminal import make_console
    from benchmark.timescales.run import timescales as measure
    from benchmark.workspace import Workspace

    folder = (
        Path(study) if (Path(study) / "runs.parquet").exists() else Workspace.here(workspace).existing_folder(study)
    )
    console = make_console()
    findings = measure(
        *(folder, console, task, depth, seeds),
        workers=worker_processes(workers),
        other_machine=other_machine,
    )
    said = [findings.headline] if withheld(findings) else [f"{one.sentence}." for one in findings.timescales]
    for line in said:
        console.print(line, markup=False)
    console.print(f"report: {folder / 'report.html'}")


def _whole_numbers(text: str, option: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UserError(f"{option} is '{text}': give whole numbers separated by commas, such as 1,2,4") from None
