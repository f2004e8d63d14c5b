"""Exchange rates and scores at equal cost: closed forms, SciPy, and never a number outside the tested range."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import optimize, stats

from benchmark.analysis.curves import reach, rising, weights
from benchmark.analysis.equal_cost import QUANTITIES, equal_costs
from benchmark.analysis.estimates import EqualCost, Rate
from benchmark.analysis.exchange import rates
from benchmark.analysis.fronts import SWEEP_SECONDS
from benchmark.analysis.scores import Scores, expanded
from benchmark.evidence import Evidence, read
from benchmark.sizing import measure, nearest_width
from tests.analysis import scored
from tests.analysis.fabricate import fabricate

PUBLISHED = Path(__file__).parents[2] / "results/published"
BUDGETS = (2000, 4000, 8000, 16_000)


def straight(size: float) -> float:
    """A score that rises by 0.1 with every doubling of the size."""
    return 0.1 * math.log2(size / 1000)


def study(
    times: Mapping[int, float] | None = None,
    *,
    budgets: tuple[int, ...] = BUDGETS,
    noise: float = 0.0,
    shared: float = 0.0,
    seed: int = 0,
) -> list[Scores]:
    """Depth L scores what depth 1 would score with `times[L]` as many parameters."""
    generator = np.random.default_rng(seed)
    found = []
    for budget in budgets:
        common = shared * np.random.default_rng(7).normal(size=10)
        values = {1: straight(budget) + common + noise * generator.normal(size=10)}
        for depth, more in (times or {2: 2.0}).items():
            values[depth] = straight(more * budget) + common + noise * generator.normal(size=10)
        found.append(scored.contrast("formants", values, budget=budget))
    return found


@given(arrays(float, st.integers(1, 6), elements=st.integers(-8, 8).map(float)))
def test_the_rising_curve_is_scipys_isotonic_regression(means: np.ndarray) -> None:
    assert rising(means) == pytest.approx(optimize.isotonic_regression(means).x)


def test_many_curves_rise_as_each_does_alone() -> None:
    several = np.random.default_rng(0).normal(size=(50, 4))
    assert np.array_equal(rising(several), np.array([rising(one) for one in several]))


@given(
    arrays(float, 4, elements=st.integers(-8, 8).map(lambda value: value / 4)),
    st.integers(-10, 10).map(lambda value: value / 8),
)
def test_the_size_that_is_reached_has_the_score_and_lies_inside(means: np.ndarray, wanted: float) -> None:
    sizes, risen = np.array([1000.0, 2000.0, 5000.0, 9000.0]), rising(means)
    found = float(reach(sizes, risen[None], np.array([wanted]))[0])
    if wanted < risen[0] - 1e-9:
        assert found == -math.inf
    elif wanted > risen[-1] + 1e-9:
        assert found == math.inf
    else:
        assert math.log(1000) <= found <= math.log(9000)
        assert np.interp(found, np.log(sizes), risen) == pytest.approx(wanted, abs=1e-9)
        # Nothing smaller has it.
        assert np.interp(found - 1e-6, np.log(sizes), risen) < wanted or found == math.log(1000)


@pytest.mark.parametrize("more", [0.5, 1.0, 1.3, 2.0])
def test_a_depth_worth_so_many_times_the_parameters_is_found_so(more: float) -> None:
    for rate in rates(study({4: more}), "study")[1:-1]:
        assert rate.reached == "inside" and rate.parameters and rate.wider
        assert rate.parameters.value == pytest.approx(more)
        assert rate.wider.value == pytest.approx(math.sqrt(more))  # here parameters are four squares of the width
        assert rate.width == pytest.approx(math.sqrt(more * rate.budget / 4))


def test_nothing_is_read_beyond_the_largest_size() -> None:
    rate = rates(study({2: 1.5}), "study")[-1]
    assert rate.reached == "above" and rate.parameters and rate.largest == 1.0
    assert (rate.parameters.value, rate.parameters.high, rate.width) == (None, None, None)
    assert "not reached, > largest tested (16,000 parameters" in rate.sentence


def test_nothing_is_read_below_the_smallest_size() -> None:
    rate = rates(study({2: 0.5}), "study")[0]
    assert rate.reached == "below" and rate.parameters and (rate.parameters.value, rate.parameters.low) == (None, None)
    assert "< smallest tested (2,000 parameters" in rate.sentence


def test_equal_depths_exchange_at_one_at_every_budget() -> None:
    for seed in range(3):
        same = [
            dataclasses.replace(one, values=np.column_stack([one.of(1)] * 2)) for one in study(noise=0.01, seed=seed)
        ]
        for rate in rates(same, "study"):
            assert rate.parameters and rate.parameters.value == pytest.approx(1.0)


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.sampled_from([0.02, 0.1, 0.5]))
def test_no_number_ever_lies_outside_the_tested_range(seed: int, noise: float) -> None:
    for rate in rates(study({2: 1.2, 4: 0.8}, noise=noise, seed=seed), "study"):
        assert rate.parameters and rate.smallest and rate.largest
        for value in dataclasses.astuple(rate.parameters):
            assert value is None or rate.smallest * (1 - 1e-9) <= value <= rate.largest * (1 + 1e-9)
        inside = [value for value in (rate.parameters.low, rate.parameters.value, rate.parameters.high) if value]
        assert inside == sorted(inside)


def test_noise_that_all_depths_and_budgets_share_gives_no_width() -> None:
    rate = rates(study({2: 1.5}, shared=0.2), "study")[1]
    assert rate.parameters and dataclasses.astuple(rate.parameters) == pytest.approx((1.5,) * 3)


def test_the_interval_has_the_width_that_the_noise_gives_it() -> None:
    # Near a doubling the curve is straight: log2 of the rate errs by the difference of two means over 0.1.
    rate = rates(study({2: 1.3}, noise=0.01, budgets=(1000, 4000, 16_000, 64_000), seed=5), "study")[1]
    assert rate.parameters and rate.parameters.low and rate.parameters.high
    width = math.log2(rate.parameters.high / rate.parameters.low)
    expected = 2 * stats.t.ppf(0.975, 9) * math.sqrt(2 * 0.01**2 / 10) / 0.1
    assert 0.5 * expected < width < 1.5 * expected


def test_a_width_between_tested_ones_is_the_one_that_sizing_gives() -> None:
    shape = {"inputs": 8, "outputs": 3, "depth": 1}
    tested = [measure(width=nearest_width(wanted=budget, **shape), **shape) for budget in BUDGETS]  # type: ignore[arg-type]
    several = []
    for one, size in zip(study({2: 1.4}), tested, strict=True):
        costs = {**one.costs, "parameters": [float(size.parameters)] * 2, "width": [float(size.width)] * 2}
        several.append(dataclasses.replace(one, costs=costs))
    for rate in rates(several, "study")[:-1]:
        assert rate.parameters and rate.parameters.value and rate.width
        size = next(one for one, budget in zip(tested, BUDGETS, strict=True) if budget == rate.budget)
        wanted = round(rate.parameters.value * size.parameters)
        assert abs(rate.width - nearest_width(wanted=wanted, **shape)) < 1  # type: ignore[arg-type]


def test_a_score_that_falls_with_size_is_said() -> None:
    several = study()
    several[2] = dataclasses.replace(several[2], values=several[2].values - 0.3)
    assert any("falls between budgets 4,000 and 8,000" in said for said in rates(several, "study")[0].limits)


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_tuned_budgets_need_a_study(count: int) -> None:
    untuned = [dataclasses.replace(one, untuned="the best rate is the largest asked") for one in study()]
    for several in (study(budgets=BUDGETS[:count]), [*study()[:count], *untuned[count:]]):
        found = rates(several, "study")
        assert [rate.reason for rate in found] == [f"needs study: at least 3 tuned budgets per depth, here {count}"]
        assert found[0].parameters is None
        assert all(equal.difference is None and equal.reason for equal in equal_costs(several, "study"))
    assert "budget 16,000 left out: not tuned" in found[0].limits[-1]


def test_the_published_phase_study_needs_a_third_budget() -> None:
    found = rates(scored.of(read(PUBLISHED / "phase")), "screen")
    assert len(found) == 16  # eight tasks, two deeper depths
    assert {rate.reason for rate in found} == {"needs study: at least 3 tuned budgets per depth, here 2"}
    assert all("a screen: coarse grid; it supports no claim" in rate.limits for rate in found)


def test_a_smoke_study_claims_nothing_and_missing_sizes_are_said() -> None:
    assert rates(study(), "smoke")[0].reason.startswith("no claim")
    lost = [dataclasses.replace(one, costs={**one.costs, "width": [math.nan, math.nan]}) for one in study()]
    assert "were not recorded" in rates(lost, "study")[0].reason
    flat = [dataclasses.replace(one, costs={**one.costs, "parameters": [10.0, 10.0]}) for one in study()]
    assert "no larger network" in rates(flat, "study")[0].reason


def test_only_the_seeds_that_all_budgets_share_are_read() -> None:
    several = study(noise=0.01)
    several[0] = dataclasses.replace(several[0], units=list(range(4, 10)), values=several[0].values[4:])
    cut = [dataclasses.replace(one, units=list(range(4, 10)), values=one.values[-6:]) for one in several]
    found, expected = rates(several, "study"), rates(cut, "study")
    assert [rate.parameters for rate in found] == [rate.parameters for rate in expected]
    assert "only the 6 units that all budgets share are read" in found[0].limits


def test_the_order_of_contrasts_does_not_matter() -> None:
    several = [*study({2: 1.4, 4: 0.9}, noise=0.02)]
    several += [dataclasses.replace(one, task="another") for one in several]
    order = np.random.default_rng(0).permutation(len(several))
    assert rates([several[at] for at in order], "study") == rates(several, "study")
    assert equal_costs([several[at] for at in order], "study") == equal_costs(several, "study")


# Equal cost.


@given(st.floats(1000, 9000))
def test_weights_are_numpys_straight_line_on_logarithms(cost: float) -> None:
    costs, scores = np.array([4000.0, 1000.0, 9000.0]), np.array([0.3, 0.1, 0.9])
    expected = np.interp(math.log(cost), np.log([1000, 4000, 9000]), [0.1, 0.3, 0.9])
    assert weights(costs, cost) @ scores == pytest.approx(expected)
    assert weights(costs, cost).sum() == pytest.approx(1.0)


def at(found: list[EqualCost], quantity: str) -> list[EqualCost]:
    return [one for one in found if one.quantity == quantity]


def test_scores_at_equal_cost_are_read_off_both_curves() -> None:
    found = equal_costs(study({4: 2.0}, noise=0.01), "study")
    means = {d: [one.of(d).mean() for one in study({4: 2.0}, noise=0.01)] for d in (1, 4)}
    sizes = {d: [one.cost("seconds", d) for one in study({4: 2.0})] for d in (1, 4)}
    seconds = at(found, "seconds")
    assert [one.cost for one in seconds] == pytest.approx([8.0, math.sqrt(8 * 16), 16.0])  # 2 to 16, and 8 to 64
    for one in seconds:
        assert one.cost and one.one_layer and one.deeper and one.difference
        read_off = {d: np.interp(math.log(one.cost), np.log(sizes[d]), means[d]) for d in (1, 4)}
        assert (one.one_layer.value, one.deeper.value) == pytest.approx((read_off[1], read_off[4]))
        assert one.difference.value == pytest.approx(read_off[4] - read_off[1])
        assert one.difference.low <= one.difference.value <= one.difference.high


def test_at_the_tested_sizes_it_is_the_paired_difference() -> None:
    several = study({2: 1.5}, noise=0.02)
    first = at(equal_costs(several, "study"), "parameters")[0]
    assert first.cost == 2000 and first.difference
    assert first.difference.value == pytest.approx((several[0].of(2) - several[0].of(1)).mean())


@pytest.mark.parametrize("seed", range(3))
def test_the_interval_at_equal_cost_is_about_students(seed: int) -> None:
    several = study({2: 1.5}, noise=0.02, seed=seed)
    found = at(equal_costs(several, "study"), "parameters")[0].difference
    differences = several[0].of(2) - several[0].of(1)
    student = stats.t(df=9, loc=differences.mean(), scale=stats.sem(differences)).interval(0.95)
    assert found and (found.low, found.high) == pytest.approx(student, abs=0.15 * (student[1] - student[0]))


def test_the_level_of_few_units_is_wider_and_that_of_many_is_what_was_asked() -> None:
    levels = [expanded(0.05, units) for units in (3, 5, 10, 30, 10_000)]
    assert levels == sorted(levels) and levels[-1] == pytest.approx(0.05, rel=1e-3)
    assert levels[2] == pytest.approx(2 * stats.norm.cdf(-2.262157 * math.sqrt(10 / 9)), rel=1e-5)


def test_paired_noise_cancels_at_equal_cost() -> None:
    for one in at(equal_costs(study({2: 2.0}, shared=0.3), "study"), "flops"):
        assert one.difference and (one.difference.low, one.difference.high) == pytest.approx((0.1, 0.1))


def test_seconds_of_a_sweep_are_called_so() -> None:
    for timed, limits in ((False, [SWEEP_SECONDS]), (True, [])):
        found = equal_costs(study(), "study", timed=timed)
        assert {tuple(one.limits) for one in at(found, "seconds")} == {tuple(limits)}
        assert all(not one.limits for one in found if one.quantity != "seconds")
        assert {one.quantity for one in found} == set(QUANTITIES)


def test_ranges_that_do_not_meet_are_not_estimable() -> None:
    apart = [
        dataclasses.replace(one, costs={**one.costs, "seconds": [one.budget / 1000, one.budget]}) for one in study()
    ]
    unknown = [dataclasses.replace(one, costs={**one.costs, "seconds": [math.nan, 1.0]}) for one in study()]
    same = [dataclasses.replace(one, costs={**one.costs, "seconds": [3.0, one.budget]}) for one in study()]
    for several, said in ((apart, "share no"), (unknown, "not recorded"), (same, "have the same")):
        found = at(equal_costs(several, "study"), "seconds")
        assert len(found) == 1 and said in found[0].reason and found[0].difference is None


# From the tables of a whole study.


def three_budgets(purpose: str = "study") -> Evidence:
    """`formants` over three budgets: one layer gains 0.1 of skill a doubling; two layers are 0.05 above it."""
    parts = []
    for at_budget, budget in enumerate((3000, 6000, 12_000)):
        truth = {"formants": {1: 0.4 + 0.1 * at_budget, 2: 0.45 + 0.1 * at_budget, 4: 0.4 + 0.1 * at_budget}}
        part = fabricate(at_budget, truth, noise={"formants": 0.002}, purpose=purpose)
        part.members["budget"] = budget
        part.runs["parameters"] = part.runs["parameters"] - 6000 + budget
        part.runs["width"] = (part.runs["width"] * math.sqrt(budget / 6000)).round().astype("Int64")
        parts.append(part)
    study = {**parts[0].study, "budgets": [3000, 6000, 12_000]}
    tables = {
        name: pd.concat([getattr(part, name) for part in parts], ignore_index=True)
        for name in ("runs", "members", "blocks", "curves")
    }
    tables["members"]["arm"] = tables["members"]["arm"] + " " + tables["members"]["budget"].astype("string")
    return Evidence(study=study, **tables)


def formants(found: list[Rate]) -> list[Rate]:
    return [rate for rate in found if rate.task == "formants" and rate.depth == 2]


def test_a_study_of_three_budgets_has_a_rate_and_the_order_of_rows_does_not_matter() -> None:
    evidence = three_budgets()
    found = rates(scored.of(evidence), "study")
    assert found == rates(scored.of(scored.shuffled(evidence)), "study")
    smallest, middle, largest = formants(found)
    for rate in (smallest, middle):
        # Half a doubling: the square root of two.
        assert rate.parameters and rate.parameters.value and rate.parameters.low and rate.parameters.high
        assert rate.parameters.value == pytest.approx(math.sqrt(2), rel=0.03)
        assert rate.parameters.low < rate.parameters.value < rate.parameters.high
    assert largest.reached == "above"
