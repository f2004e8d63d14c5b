"""The application, and the arguments and options that several verbs share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from benchmark import __version__, complete, guide
from benchmark.errors import UserError

app = typer.Typer(
    name="strata",
    help=guide.opening(),
    cls=guide.FrontPage,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

StudyArgument = Annotated[
    str,
    typer.Argument(
        metavar="STUDY",
        help="A study file, or the name of one that comes with Strata.",
        autocompletion=complete.studies,
    ),
]
NameArgument = Annotated[
    str,
    typer.Argument(metavar="STUDY", help="The name of a study that has been started.", autocompletion=complete.started),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print the verdict and errors, and nothing else.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="Override a key: analysis.margin=0.03")]
WorkersOption = Annotated[
    int | None, typer.Option(help="Worker processes; default one a core. 0 trains in this process.")
]
WorkspaceOption = Annotated[
    Path | None, typer.Option(help="Folder of results/, mlflow.db and optuna.db; default the current one.")
]
CLUSTER = "A Dask cluster"
SchedulerOption = Annotated[
    str | None,
    typer.Option(help="Train on its workers: tls://HOST:PORT. [STRATA_SCHEDULER]", rich_help_panel=CLUSTER),
]
SchedulerFileOption = Annotated[
    Path | None,
    typer.Option(
        help="The same by the file that strata scheduler writes. [STRATA_SCHEDULER_FILE]", rich_help_panel=CLUSTER
    ),
]
TlsOption = Annotated[
    Path | None,
    typer.Option(
        help="Folder of its keys; default tls beside the scheduler file. [STRATA_TLS]", rich_help_panel=CLUSTER
    ),
]
InsecureOption = Annotated[
    bool,
    typer.Option("--insecure", help="Plain TCP: whoever reaches it may run code as you.", rich_help_panel=CLUSTER),
]


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


def worker_processes(asked: int | None) -> int:
    """What --workers asks for, by default one a core. Raises UserError."""
    if asked is not None and asked < 0:
        raise UserError(f"--workers is {asked}: give 0 or more")
    return cores() if asked is None else asked


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
