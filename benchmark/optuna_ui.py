"""Optuna's own dashboard on the storage of the studies: how every arm was tuned, trial by trial."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmark import addresses
from benchmark.errors import UserError
from benchmark.servers import HOST, choose_port, interrupts_end_here, started
from benchmark.ui import show
from benchmark.workspace import Workspace

PORTS = range(8080, 8180)
"""Tried in order when no port is asked for; 8080 is the dashboard's own."""
PROGRAM = (
    "import os, sys; from importlib.metadata import entry_points as e; sys.argv.insert(1, os.environ['STORAGE']); "
    "next(iter(e(name='optuna-dashboard'))).load()()"
)
"""The dashboard's own program, wherever its script was put. The storage, which may carry a password, is not given on
the command line, which every user of the machine can read.
"""


def serve(workspace: Workspace, study: str | None, port: int | None, open_browser: bool | None = None) -> None:
    """Serve Optuna's dashboard on this machine until Ctrl-C, and print a link for every arm of `study`, or of all.

    Raises UserError when nothing was tuned here yet, when the study is not there, when no port is free, and when the
    server does not start.
    """
    url = workspace.optuna_url
    port = choose_port(port, PORTS)
    arms = find(url, study)
    # Without gunicorn, which would start further processes: one person looks.
    settings = ["--host", HOST, "--port", str(port), "--server", "wsgiref"]
    command = [sys.executable, "-c", PROGRAM, *settings]
    storage = {"STORAGE": addresses.with_driver(url)}
    with interrupts_end_here():
        print(f"Starting Optuna's dashboard on port {port} ...", flush=True)
        with started("Optuna's dashboard", command, port, workspace.root, storage, "/dashboard") as server:
            print(f"\nAll arms: {server.address}/dashboard")
            width = max(map(len, arms))
            for name, number in arms.items():
                print(f"  {name:<{width}}  {server.address}/dashboard/studies/{number}")
            print("\nTrials choose the setting that is confirmed, and no verdict. Ctrl-C ends it.", flush=True)
            show(f"{server.address}/dashboard", open_browser)
            server.wait()


def find(url: str, study: str | None) -> dict[str, int]:
    """Name -> number of every arm's Optuna study. Raises UserError when there is none, or no storage."""
    import optuna

    from benchmark.trials import Trials

    database = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:///") and not database.exists():
        raise UserError(f"there is no {database.name} in {database.parent}: run a sweep first (`strata sweep laptop`)")
    storage = Trials(url, study or "").storage  # says in one line why it cannot be opened
    found = {s.study_name: s._study_id for s in optuna.get_all_study_summaries(storage, include_best_trial=False)}
    arms = {name: number for name, number in found.items() if study is None or name.startswith(f"{study}/")}
    if not arms:
        there = ", ".join(sorted({name.split("/")[0] for name in found})) or "none"
        raise UserError(
            f"the Optuna storage {addresses.shown(url)} holds no trials of {study!r} (there are: {there}): "
            f"run `strata sweep {study}` first"
            if study
            else f"the Optuna storage {addresses.shown(url)} holds no study: run a sweep first (`strata sweep laptop`)"
        )
    return arms
