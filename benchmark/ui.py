"""MLflow's server, lean, and the links that open on a study."""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark import addresses
from benchmark.errors import UserError
from benchmark.servers import Server, choose_port, interrupts_end_here, started

if TYPE_CHECKING:
    from benchmark.tracking import StudyLinks

PORTS = range(5001, 5100)
"""Tried in order when no port is asked for. 5000, MLflow's own, belongs to AirPlay on a Mac."""
LEAN = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
"""Neither job runners, which serve only language models, nor reports of usage."""


def serve(workspace: Path, study: str | None, port: int | None, open_browser: bool | None = None) -> None:
    """Serve the workspace's MLflow on this machine until Ctrl-C, and print the links of `study`, or of every study.

    The first page, and a browser that is opened (None: where a person sits before a screen), show the verdict. With
    MLFLOW_TRACKING_URI naming a server, that server is linked to and none is started. Raises UserError when nothing
    was tracked here yet, when the study is not there, when no port is free, and when the server does not start.
    """
    from benchmark.tracking import resolve_uri
    from benchmark.tracking.store import local_database

    uri = resolve_uri(workspace)
    if uri.startswith(("http://", "https://")):
        address = addresses.without_user(uri).rstrip("/")
        show(print_links(address, find(workspace, study, uri)), open_browser)
        return
    database = local_database(uri)
    if database is not None and not database.exists():
        raise UserError(f"there is no mlflow.db in {database.parent}: run a sweep first (`strata sweep laptop`)")
    port = choose_port(port, PORTS)
    with interrupts_end_here():
        found = find(workspace, study, uri)
        print(f"Starting MLflow on port {port} ...", flush=True)
        with mlflow_server(uri, workspace, port, opens_at=next(iter(found[0].paths.values()))) as server:
            first = print_links(server.address, found)
            print(f"\n{server.address} opens on the verdict of {found[0].study}. Ctrl-C ends it.", flush=True)
            show(first, open_browser)
            server.wait()


@contextmanager
def mlflow_server(uri: str, workspace: Path, port: int, *, opens_at: str = "", lean: bool = True) -> Iterator[Server]:
    """MLflow's server until the block is left: one worker without job runners, or as MLflow itself would start it.

    `opens_at`, a path with its fragment, is where a visit to the bare address is sent.
    """
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port)]
    settings = {"MLFLOW_BACKEND_STORE_URI": uri}  # not on the command line, which every user of the machine can read
    if lean:
        command += ["--workers", "1", "--app-name", "strata"]
        settings |= {**LEAN, "STRATA_OPENS_AT": opens_at}
    with started("MLflow's server", command, port, workspace, settings, "/health") as server:
        yield server


def find(workspace: Path, study: str | None, uri: str) -> list[StudyLinks]:
    """The studies to link to. Raises UserError when there is none, or MLflow cannot be read."""
    from benchmark.tracking import TrackingUnavailable, links

    try:
        found = links(workspace, study, uri)
    except TrackingUnavailable as error:
        raise UserError(str(error)) from error
    if not found:
        what = f"no study {study!r}" if study else "no study"
        raise UserError(f"MLflow at {addresses.shown(uri)} holds {what}: run `strata sweep {study or 'laptop'}` first")
    return found


def print_links(address: str, studies: list[StudyLinks]) -> str:
    """Print the links of every study, and return the first."""
    for found in studies:
        print(f"\n{found.study}: {found.headline}")
        width = max(map(len, found.paths))
        for name, path in found.paths.items():
            print(f"  {name:<{width}}  {address}{path}")
    sys.stdout.flush()
    return address + next(iter(studies[0].paths.values()))


def show(link: str, wanted: bool | None) -> None:
    """Open a browser on the link, if that is wanted or, without a word on it, where a person would see it."""
    if wanted is None:
        wanted = sys.stdout.isatty() and "SSH_CONNECTION" not in os.environ and _has_screen()
    if wanted:
        webbrowser.open(link)


def _has_screen() -> bool:
    """Without one, `webbrowser` may start a browser of the terminal."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
