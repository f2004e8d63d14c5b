"""One PostgreSQL, one MLflow server and one SLURM for a process of tests, stopped when it ends, however it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tests.cluster.services import MLflowServer, Postgres
from tests.cluster.studies import environment, finish, sweep, write_study
from tests.studies import NAME

OPEN_AT_ONCE = 3


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def opened_at_once(postgres: Postgres) -> tuple[str, list[subprocess.CompletedProcess[str]]]:
    """An empty database, and what became of the programs that all opened MLflow and Optuna in it at the same time."""
    url = postgres.create("fresh")
    script = (
        "import os, sys; from pathlib import Path; from benchmark.trials import Trials;"
        "from benchmark.tracking.store import connect, resolve_uri; sys.stdin.readline();"
        "Trials(os.environ['STRATA_OPTUNA_URL'], 's'); connect(resolve_uri(Path()))"
    )
    settings = environment(MLFLOW_TRACKING_URI=url, STRATA_OPTUNA_URL=postgres.create("fresh_optuna"))
    pipe = subprocess.PIPE
    started = [
        subprocess.Popen([sys.executable, "-c", script], stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=settings)
        for _ in range(OPEN_AT_ONCE)
    ]
    said = []
    for process in started:  # all are told to go before the first is waited for
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        out, err = process.communicate(timeout=600)
        said.append(subprocess.CompletedProcess(process.args, process.returncode, out, err))
    return url, said


@pytest.fixture(scope="session")
def mlflow_server(
    opened_at_once: tuple[str, list[subprocess.CompletedProcess[str]]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MLflowServer]:
    """On the database that the test of a first use has made."""
    server = MLflowServer(opened_at_once[0], tmp_path_factory.mktemp("mlflow") / "server")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The study as one machine ran it, undisturbed, with files as stores: what everything is compared with.

    Run once for all processes of the tests (pytest-xdist), the first of which makes it.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "alone"
    with FileLock(f"{folder}.lock"):
        if not (folder / "results" / NAME / "report.html").exists():
            write_study(folder)
            finish(sweep(folder, "--workers", "1"))
    return folder


@pytest.fixture(autouse=True)
def _what_a_server_needs(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The tests read the MLflow server with the certificate it has."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    if "mlflow_server" in request.fixturenames:
        server: MLflowServer = request.getfixturevalue("mlflow_server")
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", os.fspath(server.certificate))
