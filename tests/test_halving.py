"""Halving: who stops at a rung, that nothing else changes for those that go on, and that a killed sweep goes on."""

from __future__ import annotations

import io
import math
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from benchmark import parts
from benchmark.analysis.analyse import analyse
from benchmark.askable import Askable
from benchmark.conduct import Request, conduct, replay
from benchmark.evidence import read
from benchmark.forecast import Cost, trainings
from benchmark.halving import count_kept, kept, loss_at, steps_of
from benchmark.journal import Journal
from benchmark.merge import combine
from benchmark.plan import Group, groups
from benchmark.planning import Plan, print_looks
from benchmark.spec import RunResult, RunSpec
from benchmark.study.changes import classify
from tests import faults
from tests.conftest import ROOT
from tests.halving import replayed
from tests.mlflow_store import search_runs
from tests.studies import NAME, journal_keys, run, run_in_process, tiny_study
from tests.test_conduct import Loss, best_at
from tests.training_specs import tiny_spec

TUNING = {
    "learning_rate": {"low": 0.003, "high": 0.3, "points": 8},
    "rerank": {"points": 2, "seeds": 1},
    "rungs": [0.34],
}
TASKS = [{"task": "recall", "parameters": {"time": 6, "train": 64}, "control": "null", "steps": 12}]
STUDY: dict[str, Any] = {"tasks": TASKS, "tuning": TUNING, "confirmation": {"seeds": 2, "looks": [2]}}
MARGIN = 0.02
LEFT_OUT = {"seconds", "versions"}


# --- the rule ---------------------------------------------------------------------------------------------------------


@given(st.dictionaries(st.integers(0, 20), st.sampled_from([0.1, 0.2, 0.3, math.inf]), min_size=1), st.integers(1, 9))
def test_the_better_half_goes_on_and_never_fewer_than_are_tried_again(losses: dict[int, float], finalists: int) -> None:
    ahead = kept(losses, finalists)
    assert len(ahead) == count_kept(len(losses), finalists) == min(len(losses), max(-(-len(losses) // 2), finalists, 3))
    behind = losses.keys() - ahead
    for point in ahead:
        assert all((losses[point], point) < (losses[other], other) for other in behind)


@given(st.lists(st.floats(0.01, 0.99), max_size=4), st.integers(1, 500), st.integers(1, 60))
def test_rungs_are_validations_before_the_end(shares: list[float], steps: int, every: int) -> None:
    spec = tiny_spec()
    found = steps_of(shares, replace(spec, steps=steps, validate_every=every))
    assert found == sorted(set(found)) and all(step % every == 0 and 0 < step < steps for step in found)


def test_what_happens_after_a_rung_does_not_count_there() -> None:
    curves = [(step, "validation/loss", -1, loss) for step, loss in ((4, 0.5), (8, 0.7), (12, 0.1))]
    late = RunResult(key="a", status="diverged", steps=12, curves=[*curves, (4, "train/loss", -1, 0.0)])
    assert [loss_at(late, rung) for rung in (4, 8, 12)] == [0.5, 0.5, math.inf]
    assert loss_at(RunResult(key="a", status="failed"), 4) == math.inf


# --- what is asked ----------------------------------------------------------------------------------------------------


def group_of(**tuning: object) -> Group:
    study = tiny_study(**STUDY | {"tuning": TUNING | {"batch": 3} | tuning, "confirmation": {"seeds": 3, "looks": [3]}})
    return groups(study)[0]


def result_of(spec: RunSpec, loss: float) -> RunResult:
    curves = [(step, "validation/loss", -1, loss) for step in range(spec.validate_every, spec.steps + 1)]
    return RunResult(
        key=spec.key, status="done", validation_loss=loss, trivial_validation_loss=1.0, best_validation_loss=0.0,
        steps=spec.steps, curves=curves,
    )  # fmt: skip


def play(group: Group, loss: Loss) -> list[list[Request]]:
    asks, batches = conduct(group, group.study.confirmation.seeds), []
    batch = next(asks)
    while True:
        batches.append(batch)
        answers = {request.spec.key: result_of(request.spec, loss(request.spec) or 0.0) for request in batch}
        try:
            batch = asks.send(answers)
        except StopIteration:
            return batches


def test_every_arm_lets_as_many_go_and_is_compared_with_itself_alone() -> None:
    batches = play(group_of(), best_at(0.02, deep=0.1))
    first, second = batches[:2]
    assert {request.rung for request in first} == {4} and not any(request.after_rung for request in first)
    assert all(request.rung is None and request.after_rung for request in second)
    stopped = defaultdict(set)
    for request in second:
        if request.after_rung == "stops":
            stopped[request.arm.depth, request.arm.replica].add(request.point)
    assert {len(points) for points in stopped.values()} == {4} and len(stopped) == 3
    assert stopped[1, ""] != stopped[2, ""]
    again = {request.point for batch in batches for request in batch if request.phase == "rerank"}
    assert again and not any(request.rung for batch in batches[2:] for request in batch)
    for request in (request for batch in batches[2:] for request in batch):
        assert request.point not in stopped[request.arm.depth, request.arm.replica]


def test_several_rungs_halve_again_down_to_the_finalists() -> None:
    batches = play(group_of(rungs=[0.34, 0.67], learning_rate={"low": 0.003, "high": 0.3, "points": 16}),
                   best_at(0.03))  # fmt: skip
    asked = [sum(request.arm.depth == 2 for request in batch) for batch in batches[:3]]
    going = [
        sum(request.arm.depth == 2 and request.after_rung == "goes on" for request in batch) for batch in batches[:3]
    ]
    assert asked == [16, 16, 8] and going == [0, 8, 4]
    assert [{request.rung for request in batch} for batch in batches[:3]] == [{4}, {8, None}, {None}]


def test_a_stopped_point_stays_out_even_where_another_study_trained_it_to_its_end() -> None:
    """So that a study gives the same with the trainings of a merged one as without them."""
    group = group_of()

    def late(spec: RunSpec) -> RunResult:
        result = result_of(spec, 0.1 * abs(math.log(spec.hyperparameters.learning_rate / 0.02)))
        if spec.hyperparameters.learning_rate > 0.2 and spec.steps == group.steps:
            result.validation_loss = 0.0  # best of all at the end, and behind at the rung
        return result

    asks = conduct(group, 3)
    batch, confirmed = next(asks), set[float]()
    while True:
        confirmed |= {r.spec.hyperparameters.learning_rate for r in batch if r.phase == "confirm"}
        try:
            batch = asks.send({request.spec.key: late(request.spec) for request in batch})
        except StopIteration:
            break
    assert confirmed and max(confirmed) < 0.2


def test_a_replay_counts_every_training_once() -> None:
    group = group_of()
    known = {
        request.spec.key: result_of(request.spec, best_at(0.03)(request.spec) or 0.0)
        for batch in play(group, best_at(0.03))
        for request in batch
    }
    requests, finished = replay(group, 3, known)
    keys = [request.spec.key for request in requests]
    assert finished and len(keys) == len(set(keys)) == len(known)
    assert replay(group, 3, {})[0] == [request for request in requests if request.phase == "tune"]


def test_the_forecast_counts_what_stops_by_its_steps() -> None:
    group = group_of()
    assert trainings(group, group.arms[0], 3) == {4: 4, 12: 4 + 2 + 3}
    assert trainings(group_of(rungs=[]), group.arms[0], 3) == {12: 8 + 2 + 3}


def test_the_plan_says_what_stops_and_counts_less_time() -> None:
    said, seconds = {}, {}
    for rungs in ([], [0.25, 0.5]):
        study = tiny_study(**STUDY | {"tuning": TUNING | {"rungs": rungs}})
        made = groups(study)
        plan = Plan(study, made, {arm.name: Cost(0.0, 1.0, 0.1) for group in made for arm in group.arms}, 1)
        file = io.StringIO()
        print_looks(plan, Console(file=file, width=200))
        said[len(rungs)], seconds[len(rungs)] = file.getvalue(), plan.looks()[2].seconds
    line = "in this, at 25% and 50% of the steps the half of an arm's tuning points that is behind stops"
    assert line in said[2] and "tuning points" not in said[0]
    assert seconds[0] - seconds[2] == 3 * (4 * 8 + 1 * 4), "12 steps, rungs at 4 and 8"


def test_rungs_may_not_change_in_a_study_that_has_runs() -> None:
    before, after = tiny_study(**STUDY), tiny_study(**STUDY | {"tuning": TUNING | {"rungs": [0.5]}})
    assert classify(before.resolved(), after.resolved()).kind == "refused"


# --- whole studies ----------------------------------------------------------------------------------------------------


def outcomes(folder: Path) -> dict[str, RunResult]:
    with Journal.open(folder / "results" / NAME / "journal.jsonl") as journal:
        return {key: result for key, (_, result) in journal.results().items()}


def measured(result: RunResult) -> dict[str, object]:
    return {name: value for name, value in result.to_dict().items() if name not in LEFT_OUT}


@pytest.fixture(scope="module")
def halved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("halved")
    run(folder, **STUDY)
    return folder


@pytest.fixture(scope="module")
def trained_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same study without rungs."""
    folder = tmp_path_factory.mktemp("trained_out")
    run(folder, **STUDY | {"tuning": TUNING | {"rungs": []}})
    return folder


def test_what_goes_on_is_trained_as_without_rungs_bit_for_bit(halved: Path, trained_out: Path) -> None:
    mine, whole = outcomes(halved), outcomes(trained_out)
    stopped = {key for key, result in mine.items() if result.status == "pruned"}
    assert len(stopped) == 3 * 4
    for key in mine.keys() & whole.keys() - stopped:
        assert measured(mine[key]) == measured(whole[key])
    for key in stopped:
        assert mine[key].curves == [row for row in whole[key].curves if row[0] <= 4]
        assert mine[key].steps == 4 and mine[key].validation_loss is None is mine[key].test_loss
        assert (mine[key].data_hash, mine[key].parameters) == (whole[key].data_hash, whole[key].parameters)
    assert not list((halved / "results" / NAME).glob("checkpoints/*"))


def test_stores_and_evidence_say_what_stopped(halved: Path) -> None:
    runs = search_runs(halved, f"{NAME}/trainings")
    stopped = runs[runs["tags.state"] == "pruned"]
    assert len(stopped) == 12 and set(stopped["status"]) == {"FINISHED"} and "RUNNING" not in set(runs["status"])
    names = optuna.get_all_study_names(f"sqlite:///{halved / 'optuna.db'}")
    for name in names:
        states = [
            t.state.name for t in optuna.load_study(study_name=name, storage=f"sqlite:///{halved / 'optuna.db'}").trials
        ]
        # Beyond an edge there are two points more, and no rung.
        assert states.count("PRUNED") == 4 and states.count("COMPLETE") == len(states) - 4 in (4, 6)
    evidence = read(halved / "results" / NAME)
    assert evidence.runs["status"].value_counts().to_dict()["pruned"] == 12
    found = analyse(evidence)
    assert {check.name: check.passed for check in found.checks}["equal tuning effort"] is True
    assert all(check.passed is not False for check in found.checks)
    assert pd.Series(evidence.members["key"]).is_unique


@pytest.mark.parametrize("segments", [None, 3])
def test_killed_among_the_rungs_and_started_again(halved: Path, tmp_path: Path, segments: int | None) -> None:
    how = STUDY | {"training": {"batch_size": 16, "validations": 3, "segment_steps": segments}}
    assert run_in_process(tmp_path, faults.among_the_rungs, **how) == -9
    assert list((tmp_path / "results" / NAME).glob("checkpoints/*"))
    assert run_in_process(tmp_path, **how) == 0
    mine, other = outcomes(halved), outcomes(tmp_path)
    assert mine.keys() == other.keys() and len(journal_keys(tmp_path)) == len(mine)
    for key, result in mine.items():
        assert measured(result) == measured(other[key])


def test_merged_parts_with_and_without_rungs(halved: Path, trained_out: Path) -> None:
    """What stopped is no result where a study trains to the end; what was trained out stands before what stopped."""
    folders = [folder / "results" / NAME for folder in (halved, trained_out)]
    whole = Askable(groups(tiny_study(**STUDY | {"tuning": TUNING | {"rungs": []}})))
    part = parts.read(folders[0], "halved", whole)
    assert part.aside.total() == 12 and "tuning.rungs" in next(iter(part.aside))
    taken = [parts.read(folder, str(folder), Askable(groups(tiny_study(**STUDY)))) for folder in folders]
    merged = combine(parts.Part("here"), taken)
    assert not merged.conflicts
    assert {pair[1].status for pair, _ in merged.chosen.values()} == {"done"}


@pytest.mark.proof
@pytest.mark.parametrize("name", ["laptop", "depth_or_width"])
def test_on_published_curves_halving_saves_steps_and_costs_no_skill(name: str) -> None:
    """Over 129 arms; EVIDENCE.md's curves are all that decides at a rung."""
    found = replayed(ROOT / "results" / "published" / name, [0.25])
    assert found.saved > 0.07 * found.steps and found.arms == sum(found.of_depth.values())
    assert len(found.changes) <= 0.03 * found.arms
    assert all(change > -MARGIN / 4 for change in found.changes)
