"""`strata ui` and `strata optuna-dashboard`: real servers on free ports, and nothing left behind. What a browser shows
of them is in tests/browser.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest

from benchmark import optuna_ui, servers, ui
from benchmark.errors import UserError
from benchmark.tracking import Tracker, clean, first_page
from benchmark.workspace import Workspace
from tests import tracking_samples as samples
from tests.conftest import heed_ctrl_c
from tests.tracking_samples import sample


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ui") / "my wörk"
    tracker = Tracker.open("screen", folder, f"sqlite:///{folder / 'mlflow.db'}")
    given = [sample("formants", depth, seed) for depth in (1, 2, 4) for seed in (0, 1)]
    for one in given:
        tracker.record(*one.given)
    (folder / "report.html").write_text("<p>the report</p>")
    tracker.publish(samples.findings(given), folder)
    # Must not be imported in a library's place by the server, which runs here.
    (folder / "uvicorn.py").write_text("raise SystemExit('shadowed')")
    return folder


def group_of(process: subprocess.Popen[str]) -> list[int]:
    """Every process whose command names the database that `process` serves."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        if f"STRATA_TEST={os.getpid()}".encode() in environment and int(folder.name) != process.pid:
            found.append(int(folder.name))
    return found


@pytest.fixture(scope="module")
def served(workspace: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`serve` in a process of its own, and what it printed once the server answered."""
    script = (
        "from pathlib import Path; from benchmark.ui import serve; "
        f"serve(Path({str(workspace)!r}), 'screen', None, False)"
    )
    environment = {**os.environ, "STRATA_TEST": str(os.getpid())}
    environment.pop("MLFLOW_TRACKING_URI", None)
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        preexec_fn=heed_ctrl_c,
    )
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if "Ctrl-C ends it" in line:
            break
    yield process, printed
    process.kill()
    for number in group_of(process):
        os.kill(number, signal.SIGKILL)


@pytest.mark.slow
def test_the_links_are_printed_when_the_server_answers(served):
    process, printed = served
    assert "The instrument sees depth" in printed, printed
    found = dict(re.findall(r"^  (.+?)  +(http://127\.0\.0\.1:\d+/#/\S+)$", printed, re.M))
    assert list(found) == [
        "1 Verdict by task",
        "2 Leaderboard of arms",
        "3 Score by depth",
        "4 Skill against parameters",
        "5 Cost",
        "6 Leaderboard of trainings",
        "7 Learning curves by depth",
        "8 Learning rate against loss",
        "9 Parallel coordinates",
        "Report",
    ]
    assert servers.healthy(port_of(printed))


@pytest.mark.slow
def test_the_bare_address_leads_to_the_verdict_and_keeps_no_copy(served):
    _, printed = served
    connection = http.client.HTTPConnection(servers.HOST, port_of(printed), timeout=60)
    for _ in range(2):  # a browser that was here before must not be sent where an older server sent it
        connection.request("GET", "/", headers={"If-Modified-Since": "Tue, 01 Jan 2999 00:00:00 GMT"})
        answer = connection.getresponse()
        page = answer.read().decode()
        assert (answer.status, answer.getheader("Cache-Control")) == (200, "no-store")
    connection.close()
    verdict = re.search(r"^  1 Verdict by task +\S+?/(#\S+)$", printed, re.M)
    assert verdict is not None and f'location.replace("{verdict[1]}")' in page
    assert page.index("location.replace") < page.index("<script defer")  # before MLflow's own


def test_a_page_without_a_head_is_left_as_it_is():
    assert first_page.with_script("<p>another MLflow</p>", "/#/x") == "<p>another MLflow</p>"
    assert "</script><b>" not in first_page.with_script("<head></head>", "/#</script><b>")


def port_of(printed: str) -> int:
    match = re.search(r"127\.0\.0\.1:(\d+)", printed)
    assert match is not None
    return int(match[1])


@pytest.mark.slow
def test_a_server_keeps_a_study_as_a_database_does_and_cleans_it(served, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port_of(served[1])}")
    one = sample()
    tracker = Tracker.open("remote", tmp_path)
    tracker.record(*one.given)
    tracker.record(*one.given)
    tracker.publish(samples.findings([sample(depth=1), one]), tmp_path)
    again = Tracker.open("remote", tmp_path)
    assert again.reconcile() == {one.spec.key}
    (run,) = again.client.search_runs([again.trainings.experiment_id], "tags.kind = 'training'")
    assert run.data.metrics["test/loss"] == one.result.test_loss
    assert [file.path for file in again.client.list_artifacts(run.info.run_id)] == ["spec.yaml"]
    ui.serve(tmp_path, "remote", None, False)  # links to the server that there is
    assert f"{again.uri}/#/experiments/{again.study.experiment_id}/runs?" in capsys.readouterr().out
    assert clean("remote", tmp_path) == 2 + 4
    assert clean("remote", tmp_path) == 0
    assert Tracker.open("remote", tmp_path).reconcile() == set()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_ctrl_c_ends_the_server_and_its_children(served):
    process, _ = served
    deadline = time.monotonic() + 20  # on a busy machine a child may be between its fork and its own program
    while len(group_of(process)) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(group_of(process)) >= 2
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0
    assert "Traceback" not in process.stdout.read()
    deadline = time.monotonic() + 20
    while group_of(process) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert group_of(process) == []  # the port itself may by now be another test's


# --- bad input --------------------------------------------------------------------------------------------------------


def test_a_workspace_without_a_database_is_sent_to_the_sweep(tmp_path):
    with pytest.raises(UserError, match=r"no mlflow.db in .*: run a sweep first"):
        ui.serve(tmp_path, None, None)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_study_is_named_before_a_server_starts(workspace):
    with pytest.raises(UserError, match="no study 'nope'"):
        ui.serve(workspace, "nope", None)


def test_a_port_that_is_taken_is_refused_and_stepped_over():
    with socket.socket() as taken:
        taken.bind((servers.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} cannot be used .another program uses it.: choose another"):
            servers.choose_port(port, ui.PORTS)
        with pytest.raises(UserError, match="no port from .* is free"):
            servers.choose_port(None, range(port, port + 1))
    assert servers.choose_port(port, ui.PORTS) == port


@pytest.mark.parametrize("port", [-1, 70000])
def test_a_number_that_is_no_port_is_refused(port):
    with pytest.raises(UserError, match="from 1 to 65535"):
        servers.choose_port(port, ui.PORTS)


def test_a_server_that_cannot_start_is_told_by_its_last_line(workspace, monkeypatch):
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(UserError, match="server did not start: it said nothing"):
        ui.serve(workspace, None, None)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"DISPLAY": ":0"}, ["link"]),
        ({"WAYLAND_DISPLAY": "wayland-0"}, ["link"]),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "far away"}, []),
        ({}, []),
    ],
)
def test_a_browser_is_opened_where_a_person_would_see_it(monkeypatch, environment, expected):
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    ui.show("link", None)
    assert opened == []  # no terminal: a script
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    ui.show("link", None)
    assert opened == expected
    ui.show("link", False)
    ui.show("link", True)
    assert opened == [*expected, "link"]


# --- Optuna's dashboard -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Two studies in one Optuna storage, whose arms have the names that a sweep gives them."""
    place = Workspace(tmp_path_factory.mktemp("tuned"))
    for name in ("screen/recall/6000/parameters/plain/L1", "screen/recall/6000/parameters/plain/L2", "other/x/L1"):
        optuna.create_study(storage=place.optuna_url, study_name=name)
    return place


@pytest.mark.slow
def test_optunas_dashboard_is_linked_arm_by_arm_and_ends_on_ctrl_c(tuned):
    command = [sys.executable, "-m", "benchmark", "optuna-dashboard", "screen", "--workspace", str(tuned.root)]
    environment = {**os.environ, "STRATA_TEST": str(os.getpid())}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, preexec_fn=heed_ctrl_c
    )
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if "Ctrl-C ends it" in line:
            break
    try:
        links = re.findall(r"^  (\S+) +http://127\.0\.0\.1:\d+(/dashboard/studies/\d+)$", printed, re.M)
        assert [name for name, _ in links] == [f"screen/recall/6000/parameters/plain/L{depth}" for depth in (1, 2)]
        assert servers.healthy(port_of(printed), links[1][1])
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    assert not servers.healthy(port_of(printed), "/dashboard")


def test_a_workspace_that_tuned_nothing_is_sent_to_the_sweep(tmp_path):
    with pytest.raises(UserError, match=r"no optuna.db in .*: run a sweep first"):
        optuna_ui.serve(Workspace(tmp_path), None, None)
    assert list(tmp_path.iterdir()) == []


def test_a_study_without_trials_is_named_with_those_that_there_are(tuned, tmp_path):
    with pytest.raises(UserError, match=r"no trials of 'nope' \(there are: other, screen\): run `strata sweep nope`"):
        optuna_ui.serve(tuned, "nope", None)
    (tmp_path / "optuna.db").write_text("not a database, " * 100)
    with pytest.raises(UserError, match="cannot be opened") as told:
        optuna_ui.serve(Workspace(tmp_path), None, None)
    assert "\n" not in str(told.value)


# --- signals ----------------------------------------------------------------------------------------------------------


def test_signals_that_were_ignored_stay_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with servers.interrupts_end_here():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
            pytest.fail("the block went on")
    finally:
        signal.signal(signal.SIGHUP, before)
