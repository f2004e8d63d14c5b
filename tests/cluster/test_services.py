"""An MLflow server and Optuna on PostgreSQL: first use, restarts in the middle of a study, and no secret anywhere."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from benchmark.cli import main
from tests.cluster.processes import Program, wait_until
from tests.cluster.services import MLflowServer, Postgres
from tests.cluster.studies import STUDY, check_mlflow, check_optuna, finish, results, sweep, write_study
from tests.studies import scores

pytestmark = pytest.mark.cluster


def test_programs_that_open_an_empty_database_at_once_all_find_its_tables(opened_at_once):
    """MLflow and Optuna alone break here: each program makes the tables that the others are making."""
    for process in opened_at_once[1]:
        assert process.returncode == 0, process.stderr
        assert (process.stdout, process.stderr) == ("", "")


def test_a_restart_of_each_service_loses_nothing_and_doubles_nothing(
    postgres: Postgres, mlflow_server: MLflowServer, tmp_path: Path
) -> None:
    """PostgreSQL goes away, then the MLflow server, and each comes back while the same sweep is going on."""
    for folder in (tmp_path, alone := tmp_path / "alone"):
        write_study(folder, steps=900)  # a sweep that still goes on when the second service is gone
    storage = postgres.create("optuna_restarts")
    processes = Processes()
    with processes.watched():
        sweeping = sweep(
            tmp_path, "--workers", "1", "--side-by-side", "1", STRATA_OPTUNA_URL=storage, **mlflow_server.settings
        )
        wait_until(lambda: results(tmp_path) >= 1, "a first training is done")
        postgres.stop()
        wait_for(sweeping, "Optuna's storage does not answer")
        with resting(sweeping):
            postgres.start()
        wait_for(sweeping, "MLflow answers again")  # its server had lost its database
        mlflow_server.stop()
        wait_for(sweeping, "MLflow does not answer", times=2)
        before = results(tmp_path)
        wait_until(lambda: results(tmp_path) > before or not sweeping.running, "the journal goes on")
        with resting(sweeping):
            mlflow_server.start()
        said = finish(sweeping)
    assert "Optuna's storage answers again" in said
    assert said.count("MLflow answers again") == 2
    finish(sweep(alone, "--workers", "2"))
    assert scores(tmp_path) == scores(alone)
    check_mlflow(tmp_path, mlflow_server.url)
    check_optuna(tmp_path, storage)
    for secret in (postgres.password, mlflow_server.password):
        assert_nowhere(secret, tmp_path, processes)


def test_errors_name_the_service_and_not_its_password(
    postgres: Postgres,
    mlflow_server: MLflowServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A database that is not there, wrong passwords, and a certificate that nobody vouches for."""
    write_study(tmp_path)
    monkeypatch.chdir(tmp_path)
    wrong, database, server = "n0t-the-password", postgres.url("nowhere"), mlflow_server.settings
    refused = database.replace(quote(postgres.password, safe=""), wrong)
    stranger = f"https://admin:{wrong}@127.0.0.1:{mlflow_server.port}"
    for settings, place in (
        ({"STRATA_OPTUNA_URL": database}, "the Optuna storage postgresql://strata:***@127.0.0.1"),
        ({"STRATA_OPTUNA_URL": refused}, "the Optuna storage postgresql://strata:***@127.0.0.1"),
        ({"MLFLOW_TRACKING_URI": database}, "MLflow at postgresql+psycopg://strata:***@127.0.0.1"),
        ({"MLFLOW_TRACKING_URI": mlflow_server.url}, "MLflow at https://admin:***@127.0.0.1"),
        ({**server, "MLFLOW_TRACKING_URI": stranger}, "MLflow at https://admin:***@127.0.0.1"),
    ):
        with monkeypatch.context() as patch:
            patch.delenv("MLFLOW_TRACKING_SERVER_CERT_PATH")
            # As Strata sets it where MLflow is imported, which was before this test's environment was cleaned.
            patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
            for name, value in settings.items():
                patch.setenv(name, value)
            assert main(["sweep", STUDY, "--workers", "0"]) == 2
        out, said = capfd.readouterr()
        assert place in said and said.count("\n") == 1 and not out, said
        for secret in (postgres.password, mlflow_server.password, wrong):
            assert secret not in said and quote(secret, safe="") not in said
    assert not (tmp_path / "results" / "tiny" / "environment.json").exists()


# --- what the tests need ----------------------------------------------------------------------------------------------


class Processes:
    """Every command line that `ps` shows to anyone, looked at again and again."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    @contextmanager
    def watched(self) -> Iterator[None]:
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(0.3):
                lines = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
                self.seen |= set(lines.splitlines())

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


@contextmanager
def resting(sweeping: Program) -> Iterator[None]:
    """The sweep's workers stand still, so that a service that starts, slowly or not, is there before the sweep ends."""
    assert sweeping.running, sweeping.said()
    workers = sweeping.children()
    for number in workers:
        os.kill(number, signal.SIGSTOP)
    try:
        yield
    finally:
        for number in workers:
            os.kill(number, signal.SIGCONT)


def wait_for(sweeping: Program, text: str, times: int = 1) -> None:
    wait_until(lambda: sweeping.said().count(text) >= times or not sweeping.running, f"the sweep says {text!r}")
    assert sweeping.said().count(text) >= times, sweeping.said()


def assert_nowhere(secret: str, folder: Path, processes: Processes) -> None:
    """Not in a file that the sweep wrote, nor on a command line: as it is, as URLs and as HTTP write it."""
    user = base64.b64encode(f"admin:{secret}".encode()).decode()
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert len(written) > 10 and any("strata" in line or "benchmark" in line for line in processes.seen)
    for text in (secret, quote(secret, safe=""), quote(secret), user):
        assert [path for path in written if text.encode() in path.read_bytes()] == []
        assert [line for line in processes.seen if text in line] == []
