"""The verbs on a finished tiny study, as a person uses them one after the other."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import mlflow
import optuna
import pytest

from benchmark.cli import main
from tests.mlflow_store import pointed_at, uri
from tests.studies import NAME, run

TRAININGS = 30


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished tiny study."""
    folder = tmp_path_factory.mktemp("finished")
    run(folder)
    return folder


@pytest.fixture
def there(finished: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The finished study's workspace as the current folder."""
    monkeypatch.chdir(finished)
    return finished


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command printed."""
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_the_sweep_ends_in_a_verdict_and_says_where_to_look(finished: Path) -> None:
    text = (finished / "output.txt").read_text()
    for words in ("no claim", "report.html", f"strata ui {NAME}", "--seeds +1", f"{TRAININGS} trainings"):
        assert words in text
    assert max(len(line) for line in text.splitlines() if "/" not in line) <= 100


def test_status(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "status", NAME)
    assert "9 of 9" in text and "finished" in text and "no sweep is running" in text


def test_runs(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(said(capsys, "runs", NAME).strip().splitlines()) == TRAININGS + 1
    assert "0 failed" in said(capsys, "runs", NAME, "--failed")


def test_status_as_json_says_the_same(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = json.loads(said(capsys, "status", NAME, "--json"))
    assert record["finished"] and record["running"] == "no sweep is running" and record["trainings"] == TRAININGS
    text = said(capsys, "status", NAME)
    for phase in (phase for group in record["groups"] for phase in group["phases"].values() if phase["asked"]):
        assert f"{phase['done']} of {phase['asked']}" in text


def test_plan(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "plan", "smoke", "--workers", "0")
    assert "recall/2500/parameters/plain/L1/aa" in text and "35 trainings" in text and "80 % power" in text
    assert not (there / "results" / "smoke").exists()


def test_report_rebuilds_every_number_from_the_evidence(
    there: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In an empty folder with nothing but the tables and the study: byte for byte the same."""
    folder, copy = there / "results" / NAME, tmp_path / "copy"
    copy.mkdir()
    for name in ("runs.parquet", "members.parquet", "blocks.parquet", "curves.parquet", "study.yaml"):
        shutil.copy(folder / name, copy)
    said(capsys, "report", str(copy))
    for name in ("verdict.json", "report.html"):
        assert (copy / name).read_bytes() == (folder / name).read_bytes()
    assert {p.name for p in (copy / "figures").iterdir()} == {p.name for p in (folder / "figures").iterdir()}
    assert json.loads((copy / "verdict.json").read_text())["trainings"] == TRAININGS


def test_failed_trainings_show_their_tracebacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tried three times, then the arm is incomplete and the study still ends."""
    from benchmark import training

    original = training._train

    def breaks(specs, *arguments, **how):
        for spec in specs:
            if spec.depth == 2 and spec.reads_test and spec.task == "recall" and spec.seeds.replicate == 1:
                raise RuntimeError("planted in a test")
        return original(specs, *arguments, **how)

    monkeypatch.setattr(training, "_train", breaks)
    monkeypatch.chdir(tmp_path)
    run(tmp_path)
    text = said(capsys, "runs", NAME, "--failed")
    assert text.count("RuntimeError: planted in a test") == 3 and "Traceback" in text and "3 failed attempts" in text
    assert "failed at least once" in said(capsys, "status", NAME)
    findings = json.loads((tmp_path / "results" / NAME / "verdict.json").read_text())
    assert [failure["status"] for failure in findings["failures"]] == ["failed"]


@pytest.mark.proof
def test_clean_removes_one_study_and_no_other(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = tmp_path / "copy"
    shutil.copytree(finished, workspace)
    monkeypatch.chdir(workspace)
    run(workspace, name="other")
    assert main(["clean", NAME]) == 2  # nobody can answer here
    assert "--yes" in capsys.readouterr().err
    assert f"{TRAININGS} MLflow runs" not in said(capsys, "clean", NAME, "--yes")
    assert [p.name for p in (workspace / "results").iterdir()] == ["other"]
    with pointed_at(uri(workspace)):
        names = {experiment.name for experiment in mlflow.search_experiments(view_type=mlflow.entities.ViewType.ALL)}
    assert names & {NAME, f"{NAME}/trainings"} == set() and {"other", "other/trainings"} <= names
    studies = optuna.get_all_study_names(f"sqlite:///{workspace / 'optuna.db'}")
    assert studies and all(name.startswith("other/") for name in studies)
    run(workspace)  # the name can be used again


def test_a_task_that_cannot_be_trained_is_told_by_plan(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its few measured steps fail, and no price is made of them."""
    (workspace / "broken.py").write_text(
        "from dataclasses import dataclass\nfrom tasks.synthetic.recall import Recall\n\n@dataclass(frozen=True)\n"
        "class Broken(Recall):\n    name = 'broken'\n    def trivial_loss(self, train, split):\n"
        "        raise ValueError('no constant is known')\n"
    )
    (workspace / "broken.yaml").write_text(
        "purpose: smoke\ntasks: [{task: 'broken.py:Broken', parameters: {time: 5, train: 64}, steps: 12}]\n"
        "budgets: [1200]\ndepths: [1, 2]\n"
        "tuning: {learning_rate: {low: 0.01, high: 0.1, points: 3}, rerank: {points: 1, seeds: 1}}\n"
        "confirmation: {seeds: 2}\ntraining: {batch_size: 16, validations: 3}\n"
    )
    assert main(["plan", "broken.yaml", "--workers", "0"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "were tried to price the study" in line and line.endswith("ValueError: no constant is known")
