"""The study of the cluster tests, what it gave, and what the stores say of it."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
import yaml

from benchmark.tracking import Tracker
from tests.cluster.processes import Program
from tests.studies import NAME, journal_keys, tiny_study

STUDY = "tiny.yaml"


def write_study(folder: Path, steps: int = 150) -> Path:
    """The tiny study as a file; more `steps` make trainings that can be met in the middle."""
    record = tiny_study().resolved()
    for task in record["tasks"]:
        task["steps"] = steps
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / STUDY
    path.write_text(yaml.safe_dump(record))
    return path


def environment(**settings: str) -> dict[str, str]:
    """This process's environment without the stores of whoever runs the tests, and with `settings`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "OPTUNA_", "STRATA_", "SLURM_"))}
    source = str(Path(__file__).resolve().parents[2])
    return kept | {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": source} | settings


def sweep(folder: Path, *options: str, **settings: str) -> Program:
    """`strata sweep` of the study in `folder`, as a process; what it says is appended to `said.txt`."""
    command = [sys.executable, "-m", "benchmark", "sweep", STUDY, *options]
    return Program(command, folder / "said.txt", environment(**settings), cwd=folder)


def finish(program: Program, patience: float = 900.0) -> str:
    """Wait for a sweep's good end; what it said."""
    code = program.process.wait(patience)
    assert code == 0, program.said()
    return program.said()


def results(folder: Path) -> int:
    """How many trainings the journal holds so far."""
    path = folder / "results" / NAME / "journal.jsonl"
    return path.read_bytes().count(b'"kind":"result"') if path.exists() else 0


def check_journal(folder: Path) -> set[str]:
    """Every key was committed once; returns the keys."""
    counted = Counter(journal_keys(folder))
    assert set(counted.values()) == {1}, counted
    return set(counted)


def check_mlflow(folder: Path, uri: str | None = None) -> None:
    """Exactly one FINISHED run per key, with its loss bit for bit; nothing RUNNING; the verdict is there."""
    keys, losses = check_journal(folder), _losses(folder)
    tracker = Tracker.open(NAME, folder, uri)
    runs: list[Any] = list(tracker.client.search_runs([tracker.trainings.experiment_id], max_results=5000))
    assert {run.info.status for run in runs} <= {"FINISHED", "KILLED"}
    finished = [run for run in runs if run.info.status == "FINISHED" and run.data.tags["kind"] == "training"]
    assert Counter(run.data.tags["key"] for run in finished) == Counter(keys)
    for run in finished:
        assert run.data.metrics.get("test/loss") == losses[run.data.tags["key"]]
    (verdict,) = tracker.client.search_runs([tracker.study.experiment_id], "tags.kind = 'verdict'")
    assert verdict.info.status == "FINISHED"
    assert "report.html" in [file.path for file in tracker.client.list_artifacts(verdict.info.run_id)]


def check_optuna(folder: Path, url: str) -> None:
    """Every tuning point is one complete trial of its key; none is left running or waiting."""
    tuned = [record["key"] for record in _members(folder) if record["phase"] == "tune"]
    complete: Counter[str] = Counter()
    for name in optuna.get_all_study_names(url):
        for trial in optuna.load_study(study_name=name, storage=url).get_trials():
            assert trial.state.name in ("COMPLETE", "FAIL"), trial
            complete[trial.user_attrs["key"]] += trial.state.name == "COMPLETE"
    assert set(complete.values()) == {1} and set(complete) == set(tuned)


def _members(folder: Path) -> list[Mapping[str, Any]]:
    from benchmark.evidence import read

    return read(folder / "results" / NAME).members.to_dict("records")


def _losses(folder: Path) -> dict[str, float | None]:
    lines = (folder / "results" / NAME / "journal.jsonl").read_text().splitlines()
    found = [json.loads(line)["result"] for line in lines if '"kind":"result"' in line]
    return {result["key"]: result["test_loss"] for result in found}
