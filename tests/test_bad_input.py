"""What a person can get wrong, and the one clear line each gets: exit code 2, no traceback, nothing half-written."""

from __future__ import annotations

import errno
import json
import os
import socket
from pathlib import Path

import pytest
import yaml

from benchmark.cli import main
from tasks.speech import voice
from tests.conftest import ROOT
from tests.studies import NAME, tiny_study


def write_study(folder: Path, **changes: object) -> str:
    """The tiny study as a file, with some keys changed; returns its path."""
    record = tiny_study().resolved() | changes
    path = folder / f"{NAME}.yaml"
    path.write_text(yaml.safe_dump(record))
    return str(path)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a command is refused with."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("strata: ") and "Traceback" not in captured.out
    return lines[0]


SCREEN = {"purpose": "screen", "tuning": {"learning_rate": {"low": 0.003, "high": 0.3, "points": 5}}}
WRONG = [
    ({"budgetz": [3000]}, ["budgetz", "did you mean", "budgets"]),
    ({"depths": "two"}, ["depths"]),
    ({"tasks": []}, ["tasks"]),
    ({"depths": [0, 1]}, ["depths", "0"]),
    ({"budgets": [100]}, ["budget", "too small", "8 cells"]),
    ({"cells": [[2, 16]], "budgets": [], "depths": [], "a_a": None}, ["cells", "budgets and depths"]),
    (SCREEN | {"confirmation": {"seeds": 3, "looks": [3]}}, ["seeds", "3"]),
    ({"tasks": [{"task": "nowhere/at_all.py:Task", "steps": 12}], "a_a": None}, ["nowhere/at_all.py"]),
    ({"tasks": [{"task": "recal", "steps": 12}], "a_a": None}, ["recal", "recall"]),
    ({"tasks": [{"task": "recall", "parameters": {"delai": 2}, "steps": 12}], "a_a": None}, ["delai", "delay"]),
    ({"training": {"batch_size": 16, "validations": 3, "dropout": 0.5}}, ["dropout"]),
]


@pytest.mark.parametrize(
    ("changes", "words"), WRONG, ids=lambda value: "-".join(value) if isinstance(value, dict) else ""
)
def test_a_wrong_study_file(
    changes: dict[str, object], words: list[str], workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(capsys, "sweep", write_study(workspace, **changes), "--workers", "0")
    assert all(word in line for word in words), line
    assert sorted(p.name for p in workspace.iterdir()) == [f"{NAME}.yaml"]


def test_a_study_that_does_not_exist(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "laptop" in refused(capsys, "sweep", "labtop")
    assert "strata sweep never" in refused(capsys, "status", "never")
    assert "strata sweep never" in refused(capsys, "report", "never")
    assert list(workspace.iterdir()) == []


def test_a_results_folder_that_cannot_be_written(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_study(workspace)
    (workspace / "results").write_text("a file where the folder should be")
    line = refused(capsys, "sweep", path, "--workers", "0")
    assert "cannot write in" in line and "--workspace" in line
    assert not (workspace / "mlflow.db").exists()


def test_an_mlflow_database_that_is_none(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "mlflow.db").write_text("not a database, but long enough to look like a file with something in it")
    assert "mlflow.db" in refused(capsys, "sweep", write_study(workspace), "--workers", "0")
    assert not (workspace / "results" / NAME / "study.yaml").exists()


def test_an_optuna_database_that_is_none(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "optuna.db").write_text("not a database, but long enough to look like a file with something in it")
    assert "optuna.db" in refused(capsys, "sweep", write_study(workspace), "--workers", "0")
    assert not (workspace / "results" / NAME / "study.yaml").exists()


def test_flags(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_study(workspace)
    assert "+10" in refused(capsys, "sweep", path, "--seeds", "10")
    for verb in (["sweep", path], ["plan", path], ["reproduce", str(ROOT / "results" / "published" / "laptop")]):
        assert "--workers is -1: give 0 or more" in refused(capsys, *verb, "--workers", "-1")
    assert "margin" in refused(capsys, "sweep", path, "--set", "analysis.margin=wide")
    assert "margim" in refused(capsys, "sweep", path, "--set", "analysis.margim=0.1")


def test_no_free_port_and_nothing_to_show(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "strata sweep" in refused(capsys, "ui")
    from benchmark.tracking import store

    store.connect(f"sqlite:///{workspace / 'mlflow.db'}")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert port in refused(capsys, "ui", "--port", port)


def test_the_disk_is_full(workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing finished is lost: with space again the same command ends the study."""
    path, calls, original = write_study(workspace), [0], os.fsync

    def full(file: int) -> None:
        calls[0] += 1
        if calls[0] == 12:
            raise OSError(errno.ENOSPC, "No space left on device")
        original(file)

    monkeypatch.setattr(os, "fsync", full)
    line = refused(capsys, "sweep", path, "--workers", "0")
    assert "disk full" in line and "same command" in line
    monkeypatch.setattr(os, "fsync", original)
    assert main(["sweep", path, "--workers", "0"]) == 0
    assert (workspace / "results" / NAME / "verdict.json").exists()


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("timit", "'timit': its data cannot be made here: timit needs the folder of your own copy"),
        ("espeak", "'espeak': its data cannot be made here: espeak needs the synthesiser: pip install"),
    ],
)
@pytest.mark.parametrize("verb", ["plan", "sweep"])
def test_data_that_are_not_here_are_told_before_anything_is_written(
    task: str, words: str, verb: str, workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(voice, "package", no_synthesiser)
    monkeypatch.setattr(voice, "digest", no_synthesiser)
    study = {"purpose": "smoke", "tasks": [{"task": task, "steps": 20}], "budgets": [8000], "depths": [1, 2]}
    (workspace / "s.yaml").write_text(json.dumps(study))
    assert main([verb, "s.yaml"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert words in line
    assert [path.name for path in workspace.iterdir()] == ["s.yaml"]


def no_synthesiser() -> None:
    """What is kept of an installed one is passed by: an earlier test of this process may have asked for it."""
    raise ModuleNotFoundError(voice.MISSING)
