"""Pareto fronts against their definition, and what does not enter them."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.analysis.findings import Arm
from benchmark.analysis.fronts import QUANTITIES, SWEEP_SECONDS, Front, fronts, undominated

points = st.lists(st.tuples(st.integers(1, 6), st.integers(-4, 4)), max_size=14)


def arm(name: str, parameters: int, score: float | None, **fields: object) -> Arm:
    made = Arm(
        arm=name, task="formants", role="natural", budget=parameters, match="parameters", variant="plain", depth=1,
        replica="", width=parameters // 100, parameters=parameters, state_size=parameters // 100, flops=parameters,
        seconds=2.0, hyperparameters={}, at_edge=False, complete=True, score_mean=score, score_low=None,
        score_high=None, score_median=score, successes=10, runs=10, clipped_share=0.0, train_loss=None,
        validation_loss=None, test_loss=None, scores=[], curve=[], tuning=[],
    )  # fmt: skip
    return dataclasses.replace(made, **fields)  # type: ignore[arg-type]


def against(found: list[Front], quantity: str = "parameters") -> Front:
    return next(front for front in found if front.quantity == quantity)


@given(points)
def test_a_point_stays_exactly_if_no_other_dominates_it(several: list[tuple[int, int]]) -> None:
    kept = undominated([float(cost) for cost, _ in several], [float(score) for _, score in several])
    for (cost, score), stays in zip(several, kept, strict=True):
        dominated = any(c <= cost and s >= score and (c, s) != (cost, score) for c, s in several)
        assert stays is not dominated


@given(points.filter(bool))
def test_the_best_and_the_cheapest_of_the_best_are_always_there(several: list[tuple[int, int]]) -> None:
    kept = undominated([float(c) for c, _ in several], [float(s) for _, s in several])
    front = {point for point, stays in zip(several, kept, strict=True) if stays}
    best = max(score for _, score in several)
    assert (min(cost for cost, score in several if score == best), best) in front
    ordered = sorted(front)
    assert [score for _, score in ordered] == sorted({score for _, score in front})  # more cost buys more score


@given(points, st.randoms(use_true_random=False))
def test_the_order_of_arms_does_not_matter(several: list[tuple[int, int]], random: object) -> None:
    arms = [arm(f"arm {at:02d}", 1000 * cost, score / 8, depth=at + 1) for at, (cost, score) in enumerate(several)]
    mixed = list(arms)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert fronts(mixed) == fronts(arms)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        undominated([1.0, bad], [0.5, 0.5])


def test_ties_are_all_kept_and_said() -> None:
    several = [arm("a", 1000, 0.5), arm("b", 1000, 0.5, depth=2), arm("c", 2000, 0.5, depth=4), arm("d", 3000, 0.7)]
    front = against(fronts(several))
    assert [point.arm for point in front.front] == ["a", "b", "d"]
    assert [point.tied for point in front.points] == [["b"], ["a"], [], []]


def test_every_cost_has_a_front_of_its_own() -> None:
    cheap = arm("small and slow", 1000, 0.5, seconds=9.0, state_size=80, flops=500)
    quick = arm("large and quick", 2000, 0.4, seconds=1.0, state_size=40, flops=900)
    found = fronts([cheap, quick])
    assert [front.quantity for front in found] == list(QUANTITIES)
    names = {front.quantity: [point.arm for point in front.front] for front in found}
    assert names == {
        "parameters": ["small and slow"],
        "state": ["large and quick", "small and slow"],
        "flops": ["small and slow"],
        "seconds": ["large and quick", "small and slow"],
    }


def test_seconds_say_where_they_come_from() -> None:
    assert against(fronts([arm("a", 1000, 0.5)]), "seconds").limits == [SWEEP_SECONDS]
    assert against(fronts([arm("a", 1000, 0.5)], timed=True), "seconds").limits == []
    assert against(fronts([arm("a", 1000, 0.5)])).limits == []


def test_replicas_stay_out_and_what_was_not_measured_is_named() -> None:
    several = [
        arm("a", 1000, 0.5),
        arm("copy", 1000, 0.9, replica="aa"),
        arm("half", 1000, 0.9, complete=False, depth=2),
        arm("unscored", 1000, None, depth=4),
        arm("untimed", 2000, 0.6, seconds=None),
    ]
    found = fronts(several)
    assert [point.arm for point in against(found).points] == ["a", "untimed"]
    assert against(found).left_out == ["half: it is incomplete", "unscored: it has no score"]
    assert against(found, "seconds").left_out[-1] == "untimed: its seconds were not measured"


def test_a_cell_that_two_matches_share_is_one_point() -> None:
    front = against(fronts([arm("a", 1000, 0.5), arm("a at equal state", 1000, 0.5, match="state")]))
    assert [point.arm for point in front.points] == ["a"] and front.points[0].tied == []


def test_tasks_and_variants_have_fronts_of_their_own() -> None:
    several = [arm("a", 1000, 0.5), arm("b", 1000, 0.1, task="digits"), arm("c", 1000, 0.1, variant="residual")]
    assert all(len(front.front) == 1 for front in fronts(several)) and len(fronts(several)) == 12
