"""Tuning effort is equal by construction: same points and seeds, edges extended for all arms and once."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.conduct import Request, conduct
from benchmark.plan import Group, groups, seed
from benchmark.population import learning_rate
from benchmark.spec import RunResult, RunSpec
from tests.studies import tiny_study

Loss = Callable[[RunSpec], float | None]
TUNING = {"learning_rate": {"low": 0.003, "high": 0.3, "points": 5}, "rerank": {"points": 2, "seeds": 2}, "batch": 2}


def group_of(label: str = "recall") -> Group:
    study = tiny_study(tuning=TUNING, confirmation={"seeds": 3, "looks": [3]})
    return next(group for group in groups(study) if group.entry.label == label)


def play(group: Group, loss: Loss) -> list[list[Request]]:
    """Every batch that a group asks when trainings end with `loss`; None is a divergence."""
    asks, batches = conduct(group, group.study.confirmation.seeds), []
    batch = next(asks)
    while True:
        batches.append(batch)
        answers = {request.spec.key: answer(request.spec, loss(request.spec)) for request in batch}
        try:
            batch = asks.send(answers)
        except StopIteration:
            return batches


def answer(spec: RunSpec, loss: float | None) -> RunResult:
    if loss is None:
        return RunResult(key=spec.key, status="diverged", trivial_validation_loss=1.0)
    return RunResult(
        key=spec.key, status="done", validation_loss=loss, trivial_validation_loss=1.0, best_validation_loss=0.0
    )


def best_at(rate: float, deep: float | None = None) -> Loss:
    """A loss that grows with the distance from a best learning rate, which may be another one for deep stacks."""

    def loss(spec: RunSpec) -> float:
        wanted = deep if deep is not None and spec.depth > 1 else rate
        return 0.1 * abs(math.log(spec.hyperparameters.learning_rate / wanted))

    return loss


def asked(batches: list[list[Request]], phase: str) -> dict[str, list[tuple[int, float, int]]]:
    """(point, learning rate, data seed) by arm."""
    found = defaultdict(list)
    for request in (request for batch in batches for request in batch if request.phase == phase):
        spec = request.spec
        found[request.arm.name].append((request.point, spec.hyperparameters.learning_rate, spec.seeds.data))
    return dict(found)


def test_every_arm_is_asked_the_same_points_on_the_same_seeds() -> None:
    batches = play(group_of(), best_at(0.03, deep=0.01))
    tune = asked(batches, "tune")
    assert len(tune) == 3 and len({tuple(points) for points in tune.values()}) == 1
    (points,) = {tuple(points) for points in tune.values()}
    assert [point for point, *_ in points] == [0, 1, 2, 3, 4]
    assert len({data for *_, data in points}) == 5  # a seed of its own for each point
    chosen = {arm: {rate for _, rate, _ in runs} for arm, runs in asked(batches, "confirm").items()}
    assert {round(rate, 3) for arm, rates in chosen.items() for rate in rates if "L2" in arm} == {0.009}
    assert all(len(rates) == 1 for rates in chosen.values())
    assert max(len(batch) for batch in batches if batch[0].phase == "tune") == 2 * 3


def test_an_edge_is_extended_for_all_arms_and_once() -> None:
    """Only the deep arm's optimum lies beyond the grid; still at the edge afterwards, nothing more is asked."""
    batches = play(group_of(), best_at(0.03, deep=100.0))
    tune = asked(batches, "tune")
    assert {len(points) for points in tune.values()} == {7}
    rates = [rate for _, rate, _ in next(iter(tune.values()))]
    assert rates[4] < rates[5] < rates[6] and rates[6] / rates[5] == pytest.approx(10**0.5, rel=1e-3)
    deep = {rate for arm, runs in asked(batches, "confirm").items() if "L2" in arm for _, rate, _ in runs}
    assert deep == {rates[6]}


def test_a_gain_at_the_edge_within_half_a_margin_does_not_count() -> None:
    group = group_of()
    flat = play(group, lambda spec: 0.1 - 0.009 * (spec.hyperparameters.learning_rate > 0.2))
    assert {len(points) for points in asked(flat, "tune").values()} == {5}
    steep = play(group, lambda spec: 0.1 - 0.011 * (spec.hyperparameters.learning_rate > 0.2))
    assert {len(points) for points in asked(steep, "tune").values()} == {7}


def test_second_tries_are_equal_and_those_overtaken_are_superseded() -> None:
    batches = play(group_of(), best_at(0.03, deep=100.0))
    again = [request for batch in batches for request in batch if request.phase == "rerank"]
    standing = defaultdict(set)
    for request in again:
        if not request.member["superseded"]:
            standing[request.arm.name].add(request.point)
    assert {len(points) for points in standing.values()} == {2}
    assert any(request.member["superseded"] for request in again)
    assert len({request.spec.seeds.data for request in again}) == 2


def test_a_diverged_point_is_never_chosen_and_nothing_else_breaks() -> None:
    batches = play(group_of(), lambda spec: None if spec.hyperparameters.learning_rate > 0.02 else 0.5)
    for runs in asked(batches, "confirm").values():
        assert {rate for _, rate, _ in runs} == {0.00948683}
    assert play(group_of(), lambda spec: None)[-1][0].phase == "confirm"  # all diverged: still confirmed, and scored


def test_the_same_answers_bring_the_same_questions() -> None:
    """What makes a killed sweep resume exactly."""
    one, two = (play(group_of(), best_at(0.03, deep=100.0)) for _ in range(2))
    assert [[r.spec.key for r in batch] for batch in one] == [[r.spec.key for r in batch] for batch in two]


def test_confirmation_seeds() -> None:
    """Shared by all arms, apart from every tuning seed; the A/A copy differs in its initialisation alone."""
    batches = play(group_of(), best_at(0.03))
    confirm = [request for batch in batches for request in batch if request.phase == "confirm"]
    tuned = {request.spec.seeds.data for batch in batches for request in batch if request.phase != "confirm"}
    for replicate in range(3):
        seeds = {r.arm.name: r.spec.seeds for r in confirm if r.spec.seeds.replicate == replicate}
        assert len({s.data for s in seeds.values()}) == len({s.order for s in seeds.values()}) == 1
        one, copy = (next(s for arm, s in seeds.items() if arm.endswith(end)) for end in ("L1", "aa"))
        assert one.initialisation != copy.initialisation
        assert len({s.initialisation for s in seeds.values()}) == 2
        assert not {s.data for s in seeds.values()} & tuned
    assert all(request.spec.reads_test for request in confirm)
    assert not any(r.spec.reads_test for batch in batches for r in batch if r.phase != "confirm")


def test_the_doubling_check_repeats_confirmed_seeds_with_twice_the_steps() -> None:
    """PROTOCOL 10: the same data, initialisation and order, the chosen setting, the test split read; no A/A."""
    study = tiny_study(tuning=TUNING, confirmation={"seeds": 6, "looks": [6], "doubled": 5})
    (group,) = [group for group in groups(study) if group.entry.label == "recall"]
    *_, confirm, double = play(group, best_at(0.03, deep=0.01))
    assert {r.phase for r in confirm} == {"confirm"} and {r.phase for r in double} == {"converge"}
    once = {(r.arm.name, r.spec.seeds.replicate): r.spec for r in confirm}
    assert len(double) == 5 * 2 and not any(r.arm.replica for r in double)
    for request in double:
        before, spec = once[request.arm.name, request.spec.seeds.replicate], request.spec
        assert spec.seeds == before.seeds and spec.hyperparameters == before.hyperparameters and spec.reads_test
        assert spec.steps == 2 * before.steps and spec.key != before.key and request.member["phase"] == "converge"
        assert spec.validate_every == 2 * before.validate_every
        share = [learning_rate(one, one.steps // 2) / one.hyperparameters.learning_rate for one in (before, spec)]
        assert share[0] == pytest.approx(share[1]), "the schedule is stretched"


def test_folds_take_turns_and_tuning_has_none() -> None:
    study = tiny_study(
        tasks=[{"task": "equity_variance", "steps": 12}],
        a_a=None,
        tuning=TUNING,
        confirmation={"seeds": 12, "looks": [12]},
    )
    (group,) = groups(study)
    batches = play(group, best_at(0.03))
    folds = {r.spec.seeds.replicate: r.spec.fold for batch in batches for r in batch if r.phase == "confirm"}
    assert [folds[i] for i in range(12)] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert {r.spec.fold for batch in batches for r in batch if r.phase != "confirm"} == {None}


@given(names=st.lists(st.text(), max_size=3))
def test_seeds_of_two_domains_are_never_equal(names: list[str]) -> None:
    seeds = [seed(domain, *names) for domain in ("development", "tune", "rerank", "confirm")]
    assert [value >> 60 for value in seeds] == [1, 2, 3, 4] and max(seeds) < 2**63
