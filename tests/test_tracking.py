"""MLflow as a projection of the journal, read back through MLflow's own API."""

from __future__ import annotations

import dataclasses
import math
import random
import shutil
import sqlite3
import struct
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from benchmark.analysis.findings import Findings
from benchmark.environment import git_state
from benchmark.errors import UserError
from benchmark.tracking import Tracker, TrackingUnavailable, clean, links, store, views
from benchmark.tracking import projection as project
from benchmark.tracking.entries import ARMS_ON_A_PAGE
from benchmark.tracking.mlflow_api import MlflowException
from tests import tracking_samples as samples
from tests.mlflow_store import pointed_at, uri
from tests.tracking_samples import Sample, sample


def search(tracker: Tracker, experiment: str = "trainings", filter_string: str = "") -> pd.DataFrame:
    """`mlflow.search_runs`, the way a person reads it."""
    import mlflow

    with pointed_at(tracker.uri):
        number = getattr(tracker, experiment).experiment_id
        return mlflow.search_runs(experiment_ids=[number], filter_string=filter_string)


def trainings(tracker: Tracker) -> pd.DataFrame:
    return search(tracker, filter_string="tags.kind = 'training'")


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database, made by a process of its own: what a person's first sweep prints is nothing."""
    workspace = tmp_path_factory.mktemp("first start")
    script = f"from pathlib import Path; from benchmark.tracking import store; store.connect({str(uri(workspace))!r})"
    made = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (made.stdout, made.stderr) == ("", "")
    assert [path.name for path in workspace.iterdir()] == ["mlflow.db"]
    return workspace / "mlflow.db"


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def workspace(database: Path, tmp_path: Path) -> Path:
    """A workspace whose name has a space and an umlaut, with an empty database."""
    folder = tmp_path / "my wörk"
    folder.mkdir()
    shutil.copy(database, folder)
    return folder


@pytest.fixture(scope="module")
def recorded(database: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Tracker, list[Sample], Findings]:
    """A study recorded and published once, for the tests that only read it."""
    workspace = tmp_path_factory.mktemp("recorded")
    shutil.copy(database, workspace)
    tracker = Tracker.open("screen", workspace, uri(workspace))
    given = [s for s in samples.study(seeds=2) if s.spec.task in ("recall", "formants")]
    given += [
        sample(seed=7, status="diverged"),
        sample(seed=8, status="failed"),
        sample("formants", seed=9, status="pruned"),
    ]
    for one in given:
        tracker.record(*one.given)
    findings = samples.findings([s for s in given if s.result.status == "done"])
    results = workspace / "results"
    (results / "figures").mkdir(parents=True)
    for name in ("report.html", "verdict.json", "runs.csv", "runs.parquet", "figures/skill_by_depth.png"):
        (results / name).write_text(name)
    tracker.publish(findings, results)
    return tracker, given, findings


# --- one run per key, equal to the evidence ---------------------------------------------------------------------------


def test_every_key_has_one_finished_run_and_none_is_left_running(recorded):
    tracker, given, _ = recorded
    runs = search(tracker)
    assert set(runs.status) == {"FINISHED", "FAILED"}
    finished = runs[(runs.status == "FINISHED") & (runs["tags.kind"] == "training")]
    assert sorted(finished["tags.key"]) == sorted(s.spec.key for s in given if s.result.status != "failed")


def test_losses_equal_the_evidence_bit_for_bit(recorded):
    tracker, given, _ = recorded
    runs = trainings(tracker).set_index("tags.key")
    names = {
        "test/loss": "test_loss",
        "test/second_metric": "second_metric",
        "final/train_loss": "train_loss",
        "final/validation_loss": "validation_loss",
        "reference/trivial_loss": "trivial_loss",
        "cost/seconds": "seconds",
        "cost/parameters": "parameters",
    }
    for one in given:
        for metric, field in names.items():
            expected, found = getattr(one.result, field), runs.loc[one.spec.key, f"metrics.{metric}"]
            assert math.isnan(found) if expected is None else bits(found) == bits(float(expected)), (metric, one.spec)


def test_curves_keep_every_bit_past_the_limit_of_a_batch(workspace):
    numbers = random.Random(5)  # but for the sign of zero, which SQLite does not keep
    values = [5e-324, 1.7976931348623157e308, 0.1 + 0.2, *(numbers.gauss(0, 10**k) for k in range(-9, 9))]
    values += [numbers.random() for _ in range(1100)]
    one = sample()
    one.result.curves = [(step, "validation/loss", -1, value) for step, value in enumerate(values)]
    one.result.curves += [
        (3, "gradient/norm", 1, 0.5),
        (4, "validation/loss_of_ä%", -1, 2.0),
        (5, "train/loss", -1, math.nan),
    ]
    tracker = Tracker.open("s", workspace)
    tracker.record(*one.given)
    run_id = trainings(tracker).run_id.item()
    history = tracker.client.get_metric_history(run_id, "validation/loss")
    assert [(m.step, bits(m.value)) for m in history] == [(step, bits(v)) for step, v in enumerate(values)]
    assert [m.step for m in tracker.client.get_metric_history(run_id, "gradient/norm_layer1")] == [3]
    assert math.isnan(tracker.client.get_metric_history(run_id, "train/loss")[0].value)


def test_a_training_is_named_tagged_and_nested_as_a_person_reads_it(recorded):
    tracker, given, _ = recorded
    runs = search(tracker).set_index("tags.mlflow.runName")
    confirmed = runs.loc["recall · L2×24 · seed 01"]
    facets = {
        name: confirmed[f"tags.{name}"] for name in ("task", "family", "depth", "width", "budget", "phase", "state")
    }
    assert facets == {
        "task": "recall",
        "family": "synthetic",
        "depth": "2",
        "width": "24",
        "budget": "6000",
        "phase": "confirm",
        "state": "done",
    }
    parent = runs[runs.run_id == confirmed["tags.mlflow.parentRunId"]]
    assert list(parent.index) == ["recall · L2×24 · budget 6000"]
    assert parent["tags.kind"].item() == "arm"
    assert {
        "recall · L1×36 · A/A · seed 00",
        "recall · L4×16 · seed 03 · tune p3",
        "formants · L2×24 · seed 01 · rerank p2",
    } <= set(runs.index)
    assert (confirmed["params.learning_rate"], confirmed["params.log10_lr"], confirmed["params.steps"]) == (
        "0.01",
        "-2",
        "1200",
    )
    assert runs.loc["formants · L2×24 · seed 09", "tags.state"] == "pruned"
    diverged = runs.loc["recall · L2×24 · seed 07"]
    assert (diverged.status, diverged["tags.state"]) == ("FINISHED", "diverged")


def test_the_spec_the_data_and_the_traceback_are_kept(recorded):
    tracker, given, _ = recorded
    failed = next(s for s in given if s.result.status == "failed")
    runs = trainings(tracker).set_index("tags.key")
    run = tracker.client.get_run(runs.loc[failed.spec.key, "run_id"])
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", "MemoryError: x")
    folder = Path(run.info.artifact_uri)
    assert (folder / "traceback.txt").read_text() == failed.result.error
    assert run.inputs.dataset_inputs == []
    done = given[0]
    run = tracker.client.get_run(runs.loc[done.spec.key, "run_id"])
    asked = yaml.safe_load((Path(run.info.artifact_uri) / "spec.yaml").read_text())
    assert asked.pop("key") == done.spec.key
    assert type(done.spec).from_dict(asked).key == done.spec.key
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == (done.spec.task, done.result.data_hash[:36])


# --- idempotent, and whole after a kill -------------------------------------------------------------------------------


def test_recording_again_changes_nothing_but_arms_that_joined(workspace):
    tracker = Tracker.open("s", workspace)
    one = sample()
    tracker.record(*one.given)
    before = search(tracker)
    tracker.record(*one.given)
    assert Tracker.open("s", workspace).reconcile() == {one.spec.key}
    pd.testing.assert_frame_equal(search(tracker), before)
    again = Tracker.open("s", workspace)
    again.record(*samples.shared_by(one, "another arm").given)
    run = trainings(tracker).iloc[0]
    assert run["tags.arms"] == f"{one.members[0]['arm']}, another arm"
    assert run["tags.arm"] == one.members[0]["arm"]
    assert len(search(tracker)) == len(before)


@pytest.mark.parametrize("call", ["log_batch", "log_inputs", "set_terminated"])
def test_a_kill_between_creation_and_finish_is_repaired(workspace, monkeypatch, call):
    tracker, first, one = Tracker.open("s", workspace), sample(seed=1), sample(seed=2)
    tracker.record(*first.given)  # its arm's parent is there

    def kill(*_, **__):
        raise SystemExit

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(tracker.client, call, kill)
        tracker.record(*one.given)
    assert trainings(tracker).set_index("tags.key").loc[one.spec.key, "status"] == "RUNNING"
    resumed = Tracker.open("s", workspace)
    assert resumed.reconcile() == {first.spec.key}
    lost = trainings(tracker).set_index("tags.key").loc[one.spec.key]
    assert (lost.status, lost["tags.state"]) == ("KILLED", "lost")
    resumed.record(*one.given)
    runs = trainings(tracker)
    assert sorted(runs[runs.status == "FINISHED"]["tags.key"]) == sorted([first.spec.key, one.spec.key])
    assert "RUNNING" not in set(search(tracker).status)
    assert resumed.reconcile() == {first.spec.key, one.spec.key}


def test_a_kill_while_the_parent_is_made_leaves_one_parent(workspace, monkeypatch):
    tracker, one = Tracker.open("s", workspace), sample()
    tracker.reconcile()
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(tracker.client, "set_terminated", lambda *_, **__: sys.exit())
        tracker.record(*one.given)
    Tracker.open("s", workspace).record(*one.given)
    assert [(r.status, r["tags.kind"]) for _, r in search(tracker).sort_values("tags.kind").iterrows()] == [
        ("FINISHED", "arm"),
        ("FINISHED", "training"),
    ]


def test_a_finished_retry_replaces_the_failure_and_nothing_replaces_a_finished_run(workspace):
    tracker = Tracker.open("s", workspace)
    done, failed = sample(), sample(status="failed")
    assert done.spec.key == failed.spec.key
    tracker.record(*failed.given)
    assert Tracker.open("s", workspace).reconcile() == {done.spec.key}
    for one in (failed, done, failed):
        tracker.record(*one.given)
    assert list(trainings(tracker).status) == ["FINISHED"]


def test_a_training_made_again_on_other_data_replaces_the_finished_run(workspace):
    one = sample()
    other = dataclasses.replace(one, result=dataclasses.replace(one.result, data_hash="other data", test_loss=0.123))
    Tracker.open("s", workspace).record(*one.given)
    tracker = Tracker.open("s", workspace)
    tracker.record(*other.given)
    kept = trainings(tracker)
    assert list(kept.status) == ["FINISHED"] and kept["metrics.test/loss"].item() == 0.123
    tracker.record(*other.given)
    Tracker.open("s", workspace).record(*other.given)
    assert trainings(tracker).run_id.tolist() == kept.run_id.tolist()


def test_of_several_finished_runs_of_a_key_the_first_stays(workspace):
    tracker, one = Tracker.open("s", workspace), sample()
    tracker.record(*one.given)
    kept = trainings(tracker).run_id.item()
    tags = {"kind": "training", "key": one.spec.key}
    for later in (10, 20):
        run = tracker.client.create_run(tracker.trainings.experiment_id, project.milliseconds() + later, tags)
        tracker.client.set_terminated(run.info.run_id)
    assert tracker.reconcile() == {one.spec.key}
    assert trainings(tracker).run_id.tolist() == [kept]


@pytest.mark.parametrize("error", [MlflowException("server gone"), OSError(28, "No space left on device")])
def test_an_outage_is_told_once_clearly_and_made_good_by_the_same_call(workspace, monkeypatch, error):
    tracker, one = Tracker.open("s", workspace), sample()

    def fail(*_, **__):
        raise error

    with monkeypatch.context() as patch, pytest.raises(TrackingUnavailable, match="server gone|No space left") as told:
        patch.setattr(tracker.client, "log_inputs", fail)
        tracker.record(*one.given)
    assert "\n" not in str(told.value)
    tracker.record(*one.given)
    assert sorted(trainings(tracker).status) == ["FINISHED", "KILLED"]


# --- while it runs ----------------------------------------------------------------------------------------------------


def going_on(one: Sample, points: int) -> tuple[Any, ...]:
    return one.spec, one.row, one.members, one.result.curves[:points]


def test_a_training_that_goes_on_is_shown_and_ends_with_every_point_once(workspace):
    tracker, one = Tracker.open("s", workspace), sample()
    for points in (6, 6, 14):
        tracker.advance(*going_on(one, points))
        run = trainings(tracker).iloc[0]
        assert (run.status, run["tags.state"], run["params.depth"]) == ("RUNNING", "running", "2")
        history = tracker.client.get_metric_history(run.run_id, "validation/loss")
        assert len(history) == points // 2
    assert "metrics.cost/seconds" not in trainings(tracker)
    tracker.record(*one.given)
    (run,) = [row for _, row in trainings(tracker).iterrows()]
    assert (run.status, run["tags.state"], run["tags.order_hash"]) == ("FINISHED", "done", one.result.order_hash)
    history = tracker.client.get_metric_history(run.run_id, "validation/loss")
    expected = [(step, bits(value)) for step, name, _, value in one.result.curves if name == "validation/loss"]
    assert [(m.step, bits(m.value)) for m in history] == expected
    tracker.advance(*going_on(one, 2))  # of another start of the sweep: what is finished stays
    assert list(trainings(tracker).status) == ["FINISHED"]


def test_a_training_that_was_shown_when_the_driver_died_is_lost_and_shown_again(workspace):
    tracker, one = Tracker.open("s", workspace), sample()
    tracker.advance(*going_on(one, 6))
    again = Tracker.open("s", workspace)
    assert again.reconcile() == set()
    again.advance(*going_on(one, 8))
    assert sorted(trainings(again).status) == ["KILLED", "RUNNING"]
    again.record(*one.given)
    assert sorted(trainings(again).status) == ["FINISHED", "KILLED"]
    assert again.reconcile() == {one.spec.key}


# --- what a person sees -----------------------------------------------------------------------------------------------


def test_the_study_shows_its_verdict_first_and_then_its_arms_in_order(recorded):
    tracker, _, findings = recorded
    runs = search(tracker, "study")
    assert list(runs["tags.mlflow.runName"])[:5] == [
        "verdict",
        "formants",
        "recall",
        "A/A on recall",
        "recall · L1×36",
    ]
    assert len(runs) == 1 + len(findings.contrasts) + len(findings.arms)
    assert set(runs.status) == {"FINISHED"}
    judged = runs.set_index("tags.mlflow.runName").loc["formants"]
    (pair,) = [p for c in findings.contrasts if c.task == "formants" for p in c.pairs if p.depth == 2]
    assert (judged["tags.verdict"], judged["tags.role"]) == ("deeper (2, 4)", "natural")
    assert (judged["metrics.difference/depth"], judged["metrics.difference/mean"]) == (2, pair.difference)
    assert judged["tags.mlflow.note.content"].startswith("on formants: deeper.\n\n| depth |")
    by_arm = runs[runs["tags.kind"] == "arm"].set_index("tags.arm")
    for arm in findings.arms:
        assert arm.score_mean is not None
        assert bits(by_arm.loc[arm.arm, "metrics.score/mean"]) == bits(arm.score_mean)
        assert by_arm.loc[arm.arm, "tags.role"] == arm.role
    formants = by_arm.loc[samples.arm_label("formants", 2)]
    assert (formants["tags.verdict"], formants["tags.against_depth_1"]) == ("deeper", "better")
    assert formants["tags.mlflow.note.content"].startswith("2 layers of 24 cells: 5,980 parameters")
    assert by_arm.loc[samples.arm_label("recall", 1, "aa"), "tags.verdict"] == "no practical difference"
    note = runs["tags.mlflow.note.content"].iloc[0].splitlines()
    assert note[0] == findings.headline
    assert sum(line.startswith("|") for line in note) == 2 + sum(len(c.pairs) for c in findings.contrasts)
    for name in ("screen", "screen/trainings"):
        tags = tracker.client.get_experiment_by_name(name).tags
        assert tags["mlflow.note.content"].splitlines()[0] == findings.headline
        assert tags["mlflow.experimentKind"] == "custom_model_development"
    artifacts = Path(runs.artifact_uri.iloc[0])
    assert {str(p.relative_to(artifacts)) for p in artifacts.rglob("*.*")} == {
        "report.html",
        "verdict.json",
        "runs.csv",
        "figures/skill_by_depth.png",
    }


def test_confirmed_trainings_get_the_score_that_the_analysis_gave_them(recorded):
    tracker, _, findings = recorded
    runs = trainings(tracker)
    for arm in findings.arms:
        of_arm = runs[(runs["tags.arm"] == arm.arm) & (runs["tags.phase"] == "confirm")].set_index("tags.seed")
        for seed, score in arm.scores:
            assert bits(of_arm.loc[str(seed), "metrics.test/score"]) == bits(score)
    assert runs[runs["tags.phase"] == "tune"]["metrics.test/score"].isna().all()


def test_publishing_again_changes_nothing_and_new_findings_replace_the_old(workspace):
    tracker = Tracker.open("s", workspace)
    given = [sample("formants", depth, seed) for depth in (1, 2) for seed in (0, 1)]
    findings = samples.findings(given)
    tracker.publish(findings, workspace)
    before = search(tracker, "study")
    Tracker.open("s", workspace).publish(findings, workspace)
    pd.testing.assert_frame_equal(search(tracker, "study"), before)
    changed = dataclasses.replace(findings.arms[1], score_mean=0.125)
    tracker.publish(dataclasses.replace(findings, headline="News.", arms=[findings.arms[0], changed]), workspace)
    after = search(tracker, "study")
    assert list(after["tags.mlflow.runName"]) == list(before["tags.mlflow.runName"])
    assert after["metrics.score/mean"].iloc[3] == 0.125
    assert list(after.run_id[:3]) == list(before.run_id[:3])
    assert after["tags.mlflow.note.content"].iloc[0].startswith("News.\n")
    tracker.publish(dataclasses.replace(findings, arms=findings.arms[:1]), workspace)
    assert len(search(tracker, "study")) == 3
    note = tracker.client.get_experiment(tracker.study.experiment_id).tags["mlflow.note.content"]
    assert note.splitlines()[0] == findings.headline


def test_a_kill_while_publishing_leaves_nothing_half_done(workspace, monkeypatch):
    tracker = Tracker.open("s", workspace)
    findings = samples.findings([sample("formants", depth) for depth in (1, 2)])
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(tracker.client, "set_terminated", lambda *_, **__: sys.exit())
        tracker.publish(findings, workspace)
    assert "RUNNING" in set(search(tracker, "study").status)
    Tracker.open("s", workspace).publish(findings, workspace)
    runs = search(tracker, "study")
    assert (len(runs), set(runs.status)) == (4, {"FINISHED"})


def test_with_more_arms_than_a_page_there_is_a_run_per_task_and_budget(workspace):
    tracker = Tracker.open("s", workspace)
    findings = samples.findings([sample("formants", depth) for depth in (1, 2)])
    arms = [
        dataclasses.replace(arm, budget=budget, arm=f"{arm.arm} {budget}", score_mean=arm.depth / 4)
        for arm in findings.arms
        for budget in range(1000, 1000 + ARMS_ON_A_PAGE)
    ]
    few = [arm for arm in arms if arm.budget < 1003]
    tracker.publish(dataclasses.replace(findings, arms=few), workspace)
    assert len(search(tracker, "study", "tags.kind = 'arm'")) == 6
    few += [dataclasses.replace(few[0], arm=f"copy {i}", variant=f"v{i}") for i in range(ARMS_ON_A_PAGE)]
    tracker.publish(dataclasses.replace(findings, arms=few), workspace)
    groups = search(tracker, "study", "tags.kind = 'group'")
    assert list(groups["tags.mlflow.runName"]) == [f"formants · budget {b}" for b in (1000, 1001, 1002)]
    assert len(search(tracker, "study")) == 5
    history = tracker.client.get_metric_history(groups.run_id.iloc[1], "depth/score")
    assert [(m.step, m.value) for m in history] == [(1, 0.25), (2, 0.5)]


def test_a_long_note_is_cut_between_lines(recorded):
    from benchmark.tracking import note

    findings = dataclasses.replace(recorded[2], notes=[f"limit {i} " + "x" * 100 for i in range(200)])
    text = note.note(findings)
    assert len(text) < 8000
    assert text.startswith(findings.headline)
    assert text.splitlines()[-1].startswith("(Cut here")


def test_saved_views_are_short_enough_and_name_only_what_is_logged(recorded):
    tracker, _, findings = recorded
    for name, experiment, expected in (
        ("screen", "study", views.study_views(findings)),
        ("screen/trainings", "trainings", views.training_views()),
    ):
        tags = tracker.client.get_experiment_by_name(name).tags
        saved = {key: text for key, text in tags.items() if key.startswith(views.TAG)}
        assert all(len(text) < 5000 for text in saved.values())
        records = {key.removeprefix(views.TAG): views.read(text) for key, text in saved.items()}
        assert {key: record["name"] for key, record in records.items()} == {view.key: view.name for view in expected}
        for view in expected:
            state = records[view.key]["state"]
            assert state == view.state()
            logged = set(search(tracker, experiment, view.filter).dropna(axis="columns", how="all").columns)
            named = {c.replace("`", "") for c in [*state["selectedColumns"], view.order_by] if "attributes." not in c}
            named |= {f"tags.{tag}" for tag in view.group_by}
            for chart in view.charts:
                named |= {f"metrics.{m}" for m in chart.get("selectedMetricKeys", chart.get("selectedMetrics", []))}
                named |= {f"params.{p}" for p in chart.get("selectedParams", [])}
                named |= {
                    f"{axis['type'].lower()}s.{axis['key']}" for a, axis in chart.items() if a in ("xaxis", "yaxis")
                }
            assert named <= logged, (view.name, named - logged)


def test_a_resumed_study_keeps_the_views_that_were_published(workspace):
    tracker = Tracker.open("s", workspace)
    findings = samples.findings([sample("formants", depth) for depth in (1, 2)])
    arms = [findings.arms[0], dataclasses.replace(findings.arms[1], budget=9)]
    tracker.publish(dataclasses.replace(findings, arms=arms), workspace)
    Tracker.open("s", workspace)
    tags = tracker.client.get_experiment(tracker.study.experiment_id).tags
    groups = [views.read(t)["state"]["groupBy"] for key, t in tags.items() if key.startswith(views.TAG)]
    assert [[k["groupByData"] for k in g["groupByKeys"]] for g in groups if g] == [["task", "budget"]]


def test_links_open_on_the_views_in_model_training_mode(recorded):
    tracker = recorded[0]
    (found,) = links(Path("unused"), "screen", tracker.uri)
    assert found.headline == recorded[2].headline
    assert list(found.paths) == [v.name for v in (*views.study_views(), *views.training_views())] + ["Report"]
    assert all("workflowType=machine_learning" in path for path in found.paths.values())
    assert links(Path("unused"), "no such study", tracker.uri) == []


# --- bad stores -------------------------------------------------------------------------------------------------------


def test_a_file_that_is_no_database_is_named_and_left_as_it_is(tmp_path):
    (tmp_path / "mlflow.db").write_text("not a database, " * 100)
    with pytest.raises(UserError, match="mlflow.db is not a database .*: move it away") as told:
        Tracker.open("s", tmp_path)
    assert "\n" not in str(told.value)
    assert (tmp_path / "mlflow.db").read_text().startswith("not a database")


def test_another_programs_database_is_not_touched(tmp_path):
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        connection.execute("CREATE TABLE studies (name TEXT)")
    before = (tmp_path / "mlflow.db").read_bytes()
    with pytest.raises(UserError, match="not an MLflow database"):
        Tracker.open("s", tmp_path)
    assert (tmp_path / "mlflow.db").read_bytes() == before


def test_a_database_of_another_mlflow_is_told_with_the_command(workspace):
    with closing(sqlite3.connect(workspace / "mlflow.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    with pytest.raises(UserError, match="another version of MLflow.*mlflow db upgrade sqlite:///"):
        Tracker.open("s", workspace)


def test_an_experiment_deleted_in_the_ui_is_told_with_the_command_that_restores_it(workspace, monkeypatch):
    from click.testing import CliRunner
    from mlflow.experiments import commands

    tracker = Tracker.open("s", workspace)
    tracker.record(*sample().given)
    tracker.client.delete_experiment(tracker.trainings.experiment_id)
    with pytest.raises(UserError, match="'s/trainings' was deleted in the UI: restore it with") as told:
        Tracker.open("s", workspace)
    assert "\n" not in str(told.value)
    command = str(told.value).split("`")[1].split(" -m mlflow ")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracker.uri)
    done = CliRunner().invoke(commands, command[1].split()[1:])
    assert done.exit_code == 0, done.output
    assert len(Tracker.open("s", workspace).reconcile()) == 1


def test_a_server_that_does_not_answer_is_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(
        UserError, match="MLflow at http://127.0.0.1:9 cannot be used .*start the server, or unset"
    ) as told:
        Tracker.open("s", tmp_path)
    assert "\n" not in str(told.value)


def test_a_database_that_cannot_be_written_is_told_in_one_line(workspace, monkeypatch):
    def full(*_, **__):
        raise MlflowException("(sqlite3.OperationalError) database or disk is full\n[SQL: INSERT INTO ...]")

    monkeypatch.setattr("mlflow.MlflowClient.create_experiment", full)
    with pytest.raises(UserError, match="cannot be used now .*disk is full") as told:
        Tracker.open("s", workspace)
    assert "\n" not in str(told.value) and "SQL:" not in str(told.value)


def test_clean_removes_one_study_for_good_and_nothing_else(workspace):
    kept, gone = Tracker.open("kept", workspace), Tracker.open("gone", workspace)
    for tracker in (kept, gone):
        for seed in (0, 1):
            tracker.record(*sample(seed=seed).given)
        tracker.publish(samples.findings([sample(depth=1)]), workspace)
    kept.client.delete_run(trainings(kept).run_id.iloc[0])  # in MLflow's bin: `mlflow gc` would take it
    gone.client.delete_experiment(gone.study.experiment_id)
    before = [search(kept), search(kept, "study")]
    assert clean("gone", workspace) == 2 + 1 + 3
    assert clean("gone", workspace) == 0
    pd.testing.assert_frame_equal(search(kept), before[0])
    pd.testing.assert_frame_equal(search(kept, "study"), before[1])
    with closing(sqlite3.connect(workspace / "mlflow.db")) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM experiments")}
        (runs,) = connection.execute("SELECT count(*) FROM runs").fetchone()
    assert names == {"Default", "kept", "kept/trainings"}
    assert runs == 2 + 1 + 3
    assert [path.name for path in (workspace / "mlartifacts").iterdir()] == ["kept"]
    assert Tracker.open("gone", workspace).reconcile() == set()


def test_clean_makes_no_database(tmp_path):
    assert clean("s", tmp_path) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_workspace_that_was_moved_goes_on_in_its_new_place(workspace):
    Tracker.open("s", workspace).record(*sample(seed=0).given)
    moved = workspace.rename(workspace.with_name("moved"))
    tracker = Tracker.open("s", moved)
    tracker.record(*sample(seed=1).given)
    assert not workspace.exists()
    for folder in trainings(tracker).artifact_uri:
        assert (moved in Path(folder).parents) and (Path(folder) / "spec.yaml").exists()


def test_the_store_is_the_one_given_else_the_environments_else_the_workspaces(tmp_path, monkeypatch):
    assert store.resolve_uri(tmp_path) == uri(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking:5000")
    assert store.resolve_uri(tmp_path) == "http://tracking:5000"
    assert store.resolve_uri(tmp_path, "sqlite:////x.db") == "sqlite:////x.db"


# --- small things -----------------------------------------------------------------------------------------------------


@given(st.text(min_size=1, max_size=40))
def test_any_name_can_be_a_metric(name):
    from mlflow.utils.validation import _validate_metric_name

    _validate_metric_name(f"baseline/x{project.allowed(name)}")


@given(st.floats(min_value=1e-12, max_value=1e12))
def test_a_param_is_a_number_to_four_digits(value):
    assert float(project.number(value)) == pytest.approx(value, rel=1e-3)
    assert project.number(int(value)) == str(int(value))


def test_the_commit_is_the_sources_own(tmp_path):
    assert git_state(tmp_path) == ("", None)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "__init__.py").write_text("")
    subprocess.run([*git, "init", "-q"], check=True)
    assert git_state(tmp_path) == ("", None)  # an installed copy inside some other checkout
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    commit, dirty = git_state(tmp_path)
    assert (len(commit), dirty) == (40, False)
    (tmp_path / "__init__.py").write_text("x = 1")
    assert git_state(tmp_path) == (commit, True)
