"""One layer tuned with as many points as all deeper depths together: what it is asked, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from benchmark import evidence
from benchmark.analysis.analyse import analyse
from benchmark.analysis.family import REPLICA
from benchmark.analysis.replicas import A_A, NAMES, TUNED
from benchmark.conduct import Request
from benchmark.errors import UserError
from benchmark.evidence import Evidence
from benchmark.executors import SerialExecutor
from benchmark.forecast import trainings
from benchmark.journal import Journal
from benchmark.judging import judge
from benchmark.plan import Group, groups
from benchmark.rows import gather
from benchmark.spec import RunResult, RunSpec
from benchmark.study import Study
from benchmark.study.tuning import Tuning
from benchmark.sweep import Driver
from benchmark.tracking.projection import run_name
from tests.studies import NAME, run, tiny_study
from tests.test_conduct import Loss, best_at, play

ON: dict[str, Any] = {"sensitivity": {"one_layer_trials": True}}
POINTS: dict[str, Any] = {
    "learning_rate": {"low": 0.003, "high": 0.3, "points": 5},
    "rerank": {"points": 2, "seeds": 2},
    "batch": 2,
}
TEACHER: dict[str, Any] = {"task": "stacked_teacher", "parameters": {"time": 5, "cells": 3, "train": 64}, "steps": 12}


def study(**changes: Any) -> Study:
    """Depths 1, 2 and 4: two deeper ones, so that one layer is asked twice the points."""
    return tiny_study(**({"budgets": [3000], "depths": [1, 2, 4], "tuning": POINTS} | ON | changes))


def group_of(label: str = "stacked_teacher", **changes: Any) -> Group:
    return next(group for group in groups(study(**changes)) if group.entry.label == label)


def flat(batches: Sequence[Sequence[Request]]) -> list[Request]:
    return [request for batch in batches for request in batch]


def of(requests: Sequence[Request], phase: str, replica: str = "", depth: int = 1) -> list[Request]:
    return [r for r in requests if r.phase == phase and (r.arm.replica, r.arm.depth) == (replica, depth)]


def keys(requests: Sequence[Request]) -> list[str]:
    return [request.spec.key for request in requests]


# --- the points ------------------------------------------------------------------------------------------------------


def grid(points: int, low: float, decades: float) -> Tuning:
    return Tuning.model_validate(
        {
            "learning_rate": {"low": low, "high": low * 10**decades, "points": points},
            "rerank": {"points": 1, "seeds": 1},
        }
    )


@given(
    points=st.integers(3, 12),
    deeper=st.integers(1, 6),
    decades=st.floats(1.0, 3.0),
    edges=st.sampled_from([(), ("high",), ("low",), ("high", "low")]),
)
def test_a_grid_is_refined_to_the_exact_count_over_the_same_range(
    points: int, deeper: int, decades: float, edges: tuple[Any, ...]
) -> None:
    tuning = grid(points, 1e-3, decades)
    common = [*tuning.ask(0), *(point for edge in edges for point in tuning.beyond(edge, 0))]
    more = tuning.further(common, deeper * len(common), 0)
    assert len(common) + len(more) == deeper * len(common)
    rates = sorted(point["learning_rate"] for point in [*common, *more])
    assert len(set(rates)) == len(rates)
    asked = [point["learning_rate"] for point in common]
    assert (rates[0], rates[-1]) == (min(asked), max(asked)), "the range is not stretched"
    gaps = np.diff(np.log(rates))
    assert gaps.max() / gaps.min() < 2.01, "every gap was halved as often as another, or once more"
    assert tuning.further(common, (deeper + 1) * len(common), 0)[: len(more)] == more, "asking for more moves nothing"


@given(count=st.integers(2, 40), deeper=st.integers(1, 5), seed=st.integers(0, 100))
def test_sobol_points_go_on_in_their_sequence(count: int, deeper: int, seed: int) -> None:
    raw = {
        "method": "sobol",
        "learning_rate": {"low": 1e-3, "high": 0.1},
        "weight_decay": {"low": 1e-4, "high": 0.1},
        "rerank": {"points": 1, "seeds": 1},
    }
    tuning = Tuning.model_validate(raw | {"points": count})
    common = tuning.ask(seed)
    together = [*common, *tuning.further(common, deeper * count, seed)]
    assert together == Tuning.model_validate(raw | {"points": max(2, deeper * count)}).ask(seed)
    stretched = [*common, *tuning.beyond("high", seed)]
    more = tuning.further(stretched, 2 * len(stretched), seed)
    assert len(more) == len(stretched)
    highest = max(point["learning_rate"] for point in stretched)
    assert all(1e-3 <= point["learning_rate"] <= highest for point in more)


# --- what is asked ---------------------------------------------------------------------------------------------------

PEAKS: dict[str, Loss] = {
    "where a common point lies": best_at(0.03),
    "between two points": best_at(0.0168702),
    "beyond the grid": best_at(100.0),
    "beyond it for the deep ones": best_at(0.03, deep=100.0),
}


@pytest.mark.parametrize("peak", PEAKS)
def test_nothing_else_is_asked_otherwise(peak: str) -> None:
    """Of all other arms the same trainings in the same order, wherever the best learning rate lies."""
    off = flat(play(group_of(sensitivity={}), PEAKS[peak]))
    on = flat(play(group_of(), PEAKS[peak]))
    others = [request for request in on if request.arm.replica != TUNED]
    assert [(r.spec, r.member) for r in others] == [(r.spec, r.member) for r in off]


@pytest.mark.parametrize("peak", PEAKS)
def test_one_layer_is_asked_as_many_points_as_all_deeper_depths_together(peak: str) -> None:
    asked = flat(play(group_of(), PEAKS[peak]))
    mine, one = of(asked, "tune", TUNED), of(asked, "tune")
    assert len(mine) == sum(len(of(asked, "tune", depth=depth)) for depth in (2, 4)) == 2 * len(one)
    assert keys(mine)[: len(one)] == keys(one), "the common points are the same trainings"
    assert [r.point for r in mine] == list(range(len(mine)))
    assert len(of(asked, "rerank", TUNED)) == 2 * 2
    assert len(of(asked, "confirm", TUNED)) == len(of(asked, "confirm"))
    assert {r.spec.seeds.data for r in mine}.isdisjoint(r.spec.seeds.data for r in of(asked, "confirm", TUNED))


def test_the_same_setting_costs_nothing_more_and_another_keeps_the_weights() -> None:
    same = flat(play(group_of(), PEAKS["where a common point lies"]))
    assert keys(of(same, "confirm", TUNED)) == keys(of(same, "confirm"))
    other = flat(play(group_of(), PEAKS["between two points"]))
    pairs = list(zip(of(other, "confirm"), of(other, "confirm", TUNED), strict=True))
    assert {r.spec.hyperparameters.learning_rate for _, r in pairs} == {0.0168702}
    for one, mine in pairs:
        assert one.spec.key != mine.spec.key and one.spec.seeds == mine.spec.seeds
        assert (one.spec.replica, mine.spec.replica, mine.member["replica"]) == ("", "", TUNED)


def test_it_is_not_trained_with_twice_the_steps() -> None:
    group = group_of(confirmation={"seeds": 6, "looks": [6], "doubled": 5})
    asked = flat(play(group, best_at(0.03)))
    assert {r.arm.replica for r in asked if r.phase == "converge"} == {""}


def test_which_groups_have_it() -> None:
    """Tasks that are no control, at equal parameters, with at least two deeper depths."""
    made = groups(study(match=["parameters", "state"], budgets=[6000]))
    assert {(g.entry.label, g.match) for g in made if g.tuned_more} == {("stacked_teacher", "parameters")}
    assert not any(group.tuned_more for group in groups(study(depths=[1, 2])))
    assert not any(group.tuned_more for group in groups(study(sensitivity={})))
    group = group_of(a_a="stacked_teacher")
    assert [arm.replica for arm in group.arms] == ["", "", "", A_A, TUNED]
    assert group.tuned_more is not None and [arm.replica for arm in group.alike] == ["", "", "", A_A]
    assert group.tuned_more.name == "stacked_teacher/3000/parameters/plain/L1/tuned"
    assert REPLICA == A_A


def test_the_plan_prices_what_is_not_shared() -> None:
    for depths, further in ([1, 2, 4], 5), ([1, 2, 3, 4], 10):
        group = group_of(tasks=[TEACHER], a_a=None, depths=depths, budgets=[12000])
        assert group.tuned_more is not None
        assert trainings(group, group.arms[0], 2) == {12: 5 + 4 + 2}
        assert trainings(group, group.tuned_more, 2) == {12: further + 4 + 2}, "5 of its points are depth 1's"


# --- the key of the study file ---------------------------------------------------------------------------------------


def load(tmp_path: Path, text: str) -> Study:
    path = tmp_path / "mine.yaml"
    path.write_text("tasks: [{task: recall, steps: 100}]\n" + text)
    return Study.load(path)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("budgets: [3000]", True),
        ("budgets: [3000]\npurpose: study\nsensitivity: {one_layer_trials: false}", False),
        ("budgets: [3000]\npurpose: screen", False),
        ("budgets: [3000]\npurpose: screen\nsensitivity: {one_layer_trials: true}", True),
        ("budgets: [3000]\npurpose: smoke", False),
        ("cells: [[1, 20], [2, 14]]", False),
    ],
)
def test_the_purpose_sets_the_default(tmp_path: Path, text: str, wanted: bool) -> None:
    found = load(tmp_path, text)
    assert found.sensitivity.one_layer_trials is wanted
    assert Study.from_dict(found.resolved()) == found


def test_a_study_that_ran_before_has_none() -> None:
    old = study(purpose="study", sensitivity={}).resolved()
    del old["sensitivity"]
    assert not Study.from_dict(old).sensitivity.one_layer_trials
    for path in Path("results/published").glob("*/study.yaml"):
        record = yaml.safe_load(path.read_text())
        record.pop("state", None)
        assert Study.from_dict(record).sensitivity.one_layer_trials == (record["purpose"] == "study")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cells: [[1, 20]]\nsensitivity: {one_layer_trials: true}", "explicit cells exclude it"),
        ("budgets: [3000]\nsensitivity: {one_layer_trails: true}", "one_layer_trials"),
        ("budgets: [3000]\nsensitivity: {one_layer_trials: 3}", "sensitivity.one_layer_trials"),
        ("budgets: [3000]\nsensitivity: true", "sensitivity"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError) as error:
        load(tmp_path, text)
    assert words in str(error.value) and "\n" not in str(error.value)


# --- real trainings --------------------------------------------------------------------------------------------------

REAL: dict[str, Any] = {
    "tasks": [TEACHER],
    "a_a": None,
    "budgets": [1600],
    "depths": [1, 2, 3],
    "tuning": {"learning_rate": {"low": 0.003, "high": 0.1, "points": 3}, "rerank": {"points": 1, "seeds": 1}},
}


def sweep(folder: Path, stop_after: int | None = None, **changes: Any) -> tuple[Evidence, int]:
    """The driver over a journal, trained for real; stopped as by Ctrl-C after some trainings. Evidence, and how many.

    No MLflow and no Optuna: they are projections, and the whole sweep is among the proofs.
    """
    from benchmark.training import train

    folder.mkdir(exist_ok=True)
    made, done = study(**(REAL | changes)), 0

    def count(spec: RunSpec, result: RunResult) -> None:
        nonlocal done
        done += 1
        if done == stop_after:
            raise KeyboardInterrupt

    with Journal.open(folder / "journal.jsonl") as journal:
        driver = Driver(journal=journal, executor=SerialExecutor(train), folder=folder, on_result=count)
        driver.run(groups(made), made.confirmation.seeds)
        record = made.resolved() | {"state": {"look": made.confirmation.seeds}}
        return gather(driver.requests, journal.results(), record), done


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Evidence, int]:
    return sweep(tmp_path_factory.mktemp("swept"), purpose="screen")


def test_a_stopped_sweep_goes_on_to_the_same_numbers(swept: tuple[Evidence, int], tmp_path: Path) -> None:
    whole, count = swept
    stop = 3 * (3 + 1) + 2  # every other arm is tuned, and two of the three further points are done
    with pytest.raises(KeyboardInterrupt):
        sweep(tmp_path, stop, purpose="screen")
    kept = len(Journal.read(tmp_path / "journal.jsonl").results())  # those beside the last one came in with it
    again, rest = sweep(tmp_path, purpose="screen")
    assert kept >= stop and kept + rest == count, "nothing is trained twice"
    for table in ("runs", "members"):
        one, two = (
            getattr(found, table).drop(columns=["seconds", "versions"], errors="ignore") for found in (whole, again)
        )
        assert one.equals(two)


def test_evidence_and_findings_know_it_for_what_it_is(swept: tuple[Evidence, int], tmp_path: Path) -> None:
    """Trainings are shared under depth 1's keys; no contrast holds it; the folder can be judged from outside too."""
    whole, count = swept
    assert len(whole.runs) == count == whole.runs["key"].nunique()
    members = whole.members.set_index("key")["replica"]
    assert set(members) == {"", TUNED} and set(whole.runs["replica"]) == {""}
    shared = set(members[members == TUNED].index) & set(members[members == ""].index)
    assert len(shared) >= 3, "the common points at least"
    findings = analyse(whole)
    (contrast,) = findings.contrasts
    assert [(pair.depth, pair.replica) for pair in contrast.pairs] == [(2, ""), (3, "")]
    (mine,) = (arm for arm in findings.arms if arm.replica == TUNED)
    assert mine.complete and mine.depth == 1 and len(mine.tuning) == 6
    assert "one layer tuned more" in {one.kind for one in findings.sensitivity}
    evidence.write(tmp_path, whole)
    judged = judge(tmp_path)
    assert judged.outline["sensitivity"] and not judged.outline["controls"]
    (outside,) = judged.findings.contrasts  # of a study read off the rows
    assert [pair.differences for pair in outside.pairs] == [pair.differences for pair in contrast.pairs]


def test_mlflow_names_its_own_trainings_by_their_arm() -> None:
    asked = flat(play(group_of(), best_at(0.0168702)))
    request = of(asked, "tune", TUNED)[-1]
    name = run_name(request.spec, {"task": "stacked_teacher"}, request.member)
    assert f" · {NAMES[TUNED]} · seed" in name and "A/A" not in name


@pytest.mark.proof
def test_a_whole_sweep_with_every_store(workspace: Path) -> None:
    """MLflow has one run per key under the first of its arms, Optuna a study of six points, the report its arm."""
    run(workspace, **(REAL | ON))
    folder = workspace / "results" / NAME
    found = evidence.read(folder)
    storage = f"sqlite:///{workspace / 'optuna.db'}"
    asked = {
        name.rpartition("/")[2]: len(optuna.load_study(study_name=name, storage=storage).get_trials())
        for name in optuna.get_all_study_names(storage)
    }
    assert asked == {"L1": 3, "L2": 3, "L3": 3, TUNED: 6}
    from tests.mlflow_store import search_runs

    runs = search_runs(workspace, f"{NAME}/trainings")
    finished = runs[(runs["status"] == "FINISHED") & (runs["tags.kind"] == "training")]
    assert sorted(finished["tags.key"]) == sorted(found.runs["key"])
    arms = search_runs(workspace, NAME)
    tuned = arms[arms["tags.replica"] == TUNED]
    assert len(tuned) == 1 and "more tuning" in tuned["tags.mlflow.runName"].iloc[0]
    page = (folder / "report.html").read_text()
    costs = page.partition('<table id="arms">')[2].partition("</table>")[0]
    assert "more tuning" in costs and "A/A" not in costs
