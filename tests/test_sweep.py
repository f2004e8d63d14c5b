"""Whole tiny studies: what they leave in every store, and that neither kills, workers nor cuts change a bit of it."""

from __future__ import annotations

import dataclasses
import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest

from benchmark import sweep
from benchmark.analysis import gates
from benchmark.analysis.analyse import analyse
from benchmark.analysis.skill import joined
from benchmark.errors import UserError
from benchmark.evidence import read
from benchmark.executors import Job
from benchmark.journal import Journal
from benchmark.study import Study
from tests import faults
from tests.mlflow_store import search_runs
from tests.studies import NAME, journal_keys, run, run_in_process, scores, tiny_study
from tests.training_specs import tiny_spec

TRAININGS = 5 * (3 + 1 + 2)


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose MLflow database has its tables: making them is most of a tiny study's time."""
    from benchmark.tracking import store

    folder = tmp_path_factory.mktemp("store")
    store.connect(f"sqlite:///{folder / 'mlflow.db'}")
    return folder


@pytest.fixture
def workspace(tmp_path: Path, empty_store: Path) -> Path:
    for file in empty_store.iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Path:
    """A study that nothing interrupted, trained in one process: what every other way must equal."""
    folder = tmp_path_factory.mktemp("undisturbed")
    for file in empty_store.iterdir():
        shutil.copy(file, folder)
    assert run_in_process(folder) == 0
    return folder


def mlflow_trainings(folder: Path) -> pd.DataFrame:
    return search_runs(folder, f"{NAME}/trainings")


def check_stores(folder: Path) -> None:
    """MLflow has one FINISHED run per key, none RUNNING, with the evidence's numbers; Optuna every point once."""
    evidence = read(folder / "results" / NAME)
    runs = mlflow_trainings(folder)
    assert "RUNNING" not in set(runs["status"])
    finished = runs[(runs["status"] == "FINISHED") & (runs["tags.kind"] == "training")]
    assert sorted(finished["tags.key"]) == sorted(evidence.runs["key"])
    both = evidence.runs.merge(finished, left_on="key", right_on="tags.key", suffixes=("", "_mlflow"))
    tested = both["test_loss"].notna()
    assert (both.loc[tested, "metrics.test/loss"] == both.loc[tested, "test_loss"]).all() and tested.sum() >= 10
    assert (both["metrics.cost/parameters"] == both["parameters"]).all()

    names = optuna.get_all_study_names(f"sqlite:///{folder / 'optuna.db'}")
    assert len(names) == 5
    asked = set()
    for name in names:
        study = optuna.load_study(study_name=name, storage=f"sqlite:///{folder / 'optuna.db'}")
        trials = [t for t in study.get_trials() if t.state != optuna.trial.TrialState.FAIL]
        assert [t.state.name for t in trials] == ["COMPLETE"] * 3
        asked.add(tuple(sorted((t.user_attrs["point"], t.params["learning_rate"]) for t in trials)))
    assert len(asked) == 1  # every arm was asked the same points


def test_an_undisturbed_study(undisturbed: Path) -> None:
    check_stores(undisturbed)
    folder = undisturbed / "results" / NAME
    assert len(journal_keys(undisturbed)) == TRAININGS == len(set(journal_keys(undisturbed)))
    left = {path.name for path in folder.iterdir()}
    assert {"study.yaml", "environment.json", "journal.jsonl", "verdict.json", "report.html", "runs.csv"} <= left
    assert not any(name.endswith(".part") for name in left)
    evidence = read(folder)
    confirmed = evidence.members[evidence.members["phase"] == "confirm"].merge(
        evidence.runs, on="key", suffixes=("", "_run")
    )
    for _, seeds in confirmed.groupby(["task", "seed"]):
        assert seeds["order_hash"].nunique() == 1  # every arm received the same batches
        assert seeds["init_seed"].nunique() == seeds["replica"].nunique()
    tuning = evidence.members[evidence.members["phase"] != "confirm"].merge(
        evidence.runs, on="key", suffixes=("", "_run")
    )
    assert tuning["test_loss"].isna().all()
    assert not set(tuning["data_seed"]) & set(confirmed["data_seed"])


# Two here, all the others among the proofs: each starts a process twice.
QUICK = faults.PLACES[:2]


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(place, id=place.__name__, marks=() if place in QUICK else pytest.mark.proof)
        for place in faults.PLACES
    ],
)
def test_killed_at_a_named_point_and_started_again(place: Any, workspace: Path, undisturbed: Path) -> None:
    assert run_in_process(workspace, place) == -9
    assert run_in_process(workspace) == 0
    assert scores(workspace) == scores(undisturbed)
    check_stores(workspace)
    assert max(Counter(journal_keys(workspace)).values()) == 1


@pytest.mark.proof
def test_killed_at_random_moments(workspace: Path, undisturbed: Path) -> None:
    generator, killed = random.Random(7), 0
    for _ in range(4):
        killed += run_in_process(workspace, after=generator.uniform(0.3, 3.0)) == -9
    assert run_in_process(workspace) == 0
    assert killed > 0
    assert scores(workspace) == scores(undisturbed)
    check_stores(workspace)


@pytest.mark.proof
def test_segments_change_nothing(workspace: Path, undisturbed: Path) -> None:
    """Also through a kill in the middle: checkpoints are continued, and gone at the end."""
    training = {"batch_size": 16, "validations": 3, "segment_steps": 5}
    assert run_in_process(workspace, faults.in_the_middle_of_a_training, training=training) == -9
    assert list((workspace / "results" / NAME / "checkpoints").glob("*.pt"))
    assert run_in_process(workspace, training=training) == 0
    assert scores(workspace) == scores(undisturbed)
    assert not list((workspace / "results" / NAME / "checkpoints").glob("*.pt"))


def test_trained_one_by_one_or_side_by_side(
    workspace: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same evidence bit for bit: company is a matter of speed."""
    monkeypatch.setattr(sweep, "POPULATION", 1)
    run(workspace)
    assert scores(workspace) == scores(undisturbed)


@pytest.mark.parametrize(
    ("workers", "asked", "sizes"),
    [
        (1, None, [4, 4, 1]),
        (2, None, [4, 4, 1]),
        (4, None, [3, 3, 2, 1]),
        (100, None, [1] * 9),
        (1, 1, [1] * 9),
        (1, 64, [8, 1]),
    ],
    ids=str,
)
def test_jobs_are_populations_as_long_as_every_worker_has_one(
    workers: int, asked: int | None, sizes: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted: list[tuple[str, ...]] = []

    class Recorder:
        capacity = workers

        def submit(self, job: Job) -> None:
            submitted.append(tuple(spec.key for spec in job.specs))
            assert len({spec.together for spec in job.specs}) == 1

    monkeypatch.setattr(sweep.Driver, "_segment", lambda self, spec: sweep._Segment(spec))
    specs = [*(tiny_spec(seed=seed) for seed in range(8)), tiny_spec(depth=2)]
    with Journal.open(tmp_path / "journal.jsonl") as journal:
        driver = sweep.Driver(journal, Recorder(), tmp_path, side_by_side=asked)  # type: ignore[arg-type]
        for spec in specs:
            driver._wait_for(spec)
        driver._dispatch()
        driver._dispatch()
    assert sorted(map(len, submitted), reverse=True) == sizes
    assert sorted(key for job in submitted for key in job) == sorted(spec.key for spec in specs)


def test_two_workers_one_of_them_killed(workspace: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores do not depend on the number of workers, and a killed worker costs only its own training."""
    from benchmark.executors import local

    original = local.LocalExecutor.collect
    killed: list[int] = []

    def kill_one(executor: Any, timeout: float | None = None) -> Any:
        outcomes = original(executor, timeout)
        if outcomes and not killed:
            process = executor._workers[0].process
            killed.append(process.pid)
            process.kill()
        return outcomes

    monkeypatch.setattr(local.LocalExecutor, "collect", kill_one)
    run(workspace, workers=2)
    assert killed
    assert scores(workspace) == scores(undisturbed)
    check_stores(workspace)


# --- growing a study -------------------------------------------------------------------------------------------------


def test_the_doubling_check_is_run_and_read(workspace: Path) -> None:
    one = {"task": "recall", "parameters": {"time": 6, "train": 64}, "control": "null", "steps": 12}
    run(workspace, tasks=[one], a_a=None, confirmation={"seeds": 5, "looks": [5], "doubled": 5})
    evidence = read(workspace / "results" / NAME)
    phases = evidence.members.merge(evidence.runs[["key", "steps"]], on="key").groupby("phase")["steps"]
    assert phases.size()["converge"] == 2 * 5 and set(phases.get_group("converge")) == {24}
    assert set(phases.get_group("confirm")) == {12}
    (found,) = analyse(dataclasses.replace(evidence, study={**evidence.study, "purpose": "screen"})).contrasts
    assert found.steps == 12 and "not converged" not in (found.reason if "converged at 12" in found.sentence else "")
    rows = joined(evidence, range(5), 10.0)
    moved = gates.unconverged(rows, [(2, "")], 0.02)
    score = rows.pivot_table(index="seed", columns=["phase", "depth"], values="score")
    move = ((score["converge"][2] - score["converge"][1]) - (score["confirm"][2] - score["confirm"][1])).mean()
    assert moved == ("" if abs(move) <= 0.02 else f"with twice the steps depth 2 against depth 1 moves by {move:+.3f}")


@pytest.mark.proof
def test_a_declared_look_adds_seeds_and_an_undeclared_one_is_refused(workspace: Path) -> None:
    run(workspace)
    with pytest.raises(UserError, match=r"declared looks at \[2, 3\]: use --seeds \+1"):
        run(workspace, more_seeds=5)
    run(workspace, more_seeds=1)
    assert len(journal_keys(workspace)) == TRAININGS + 5
    run(workspace)  # the look stays: the same command asks for nothing new
    assert len(journal_keys(workspace)) == TRAININGS + 5
    check_stores(workspace)
    with pytest.raises(UserError, match="all declared looks are done"):
        run(workspace, more_seeds=1)


@pytest.mark.proof
def test_a_look_that_was_killed_is_asked_for_again_with_the_same_command(workspace: Path) -> None:
    run(workspace)
    assert run_in_process(workspace, faults.while_evidence_is_written, more_seeds=1) == -9
    assert run_in_process(workspace, more_seeds=1) == 0
    assert len(journal_keys(workspace)) == TRAININGS + 5
    assert read(workspace / "results" / NAME).study["state"]["look"] == 3


def test_a_change_that_would_alter_finished_runs_is_refused(workspace: Path) -> None:
    run(workspace)
    before = (workspace / "results" / NAME / "study.yaml").read_text()
    with pytest.raises(UserError, match="batch_size") as error:
        run(workspace, training={"batch_size": 8, "validations": 3})
    assert "\n" not in str(error.value) and "strata clean tiny" in str(error.value)
    assert (workspace / "results" / NAME / "study.yaml").read_text() == before


def test_another_source_of_a_task_is_refused(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks import registry

    run(workspace)
    monkeypatch.setattr(registry, "digest", lambda reference: "0123456789abcdef")
    with pytest.raises(UserError, match="the source of task 'recall' has changed"):
        run(workspace)


@pytest.mark.proof
def test_a_change_of_the_family_after_looking_is_exploratory(workspace: Path) -> None:
    run(workspace)
    run(workspace, analysis={"margin": 0.05})
    state = read(workspace / "results" / NAME).study["state"]
    assert "exploratory" in state["exploratory"]
    assert (workspace / "results" / NAME / "verdict-1.json").exists()


def test_an_engine_that_is_not_there_is_said_before_anything_is_written(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATA_ENGINE", "cudnn")
    with pytest.raises(UserError, match=r"STRATA_ENGINE=cudnn: this machine has torch, .*batched"):
        run(workspace)
    assert not (workspace / "results").exists()


def test_a_second_sweep_of_a_running_study_is_refused(workspace: Path) -> None:
    from benchmark.journal import study_lock
    from benchmark.workspace import Workspace

    with study_lock(Workspace(workspace).make_folder(NAME)), pytest.raises(UserError, match="another sweep"):
        run(workspace)


def test_the_study_is_what_it_was() -> None:
    """The shape that the numbers above count on."""
    study = tiny_study()
    assert isinstance(study, Study) and len(study.points()) == 3
