"""Statements across tasks against SciPy, closed forms and a bootstrap by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from benchmark.analysis.across import interquartile_mean, pooled, wins
from benchmark.analysis.contrasts import measure
from benchmark.analysis.estimates import Pooled
from benchmark.analysis.family import declared
from benchmark.analysis.looks import looking
from benchmark.analysis.scores import DRAWS, Scores, percentiles, resamples
from benchmark.analysis.skill import joined
from tests.analysis import scored
from tests.analysis.fabricate import BUDGET, fabricate

# Eighths give exact ties in plenty.
eighths = st.integers(2, 12).flatmap(
    lambda size: arrays(float, (2, size), elements=st.integers(-16, 16).map(lambda value: value / 8))
)


def tasks(count: int = 3, units: int = 10, gain: float = 0.05, **fields: Any) -> list[Scores]:
    generator = np.random.default_rng(4)
    found = []
    for task in range(count):
        shared = 0.5 + 0.1 * task + 0.03 * generator.normal(size=units)
        columns = {d: shared + gain * (d > 1) + 0.02 * generator.normal(size=units) for d in (1, 2, 4)}
        found.append(scored.contrast(f"task {task}", columns, **fields))
    return found


def one(found: list[Pooled], depth: int = 2) -> Pooled:
    return next(item for item in found if item.depth == depth)


@given(eighths)
def test_the_interquartile_mean_is_the_mean_of_the_middle_half(table: np.ndarray) -> None:
    values = np.sort(table.ravel())
    cut = len(values) // 4
    assert interquartile_mean(table.ravel()) == pytest.approx(values[cut : len(values) - cut].mean(), abs=1e-12)
    assert interquartile_mean(table.ravel()) == stats.trim_mean(table, 0.25, axis=None)


@given(eighths)
def test_a_share_of_wins_is_mann_whitneys_u_over_the_number_of_pairs(table: np.ndarray) -> None:
    deeper, shallow = table
    u = stats.mannwhitneyu(deeper, shallow, alternative="greater").statistic
    assert wins(deeper, shallow).mean() == pytest.approx(u / len(deeper) ** 2, abs=1e-12)


def test_what_is_pooled_is_the_textbook_statistic_of_all_runs() -> None:
    several = tasks()
    found = one(pooled(several, "study"), 4)
    assert found.deeper and found.one_layer and found.difference and found.improvement
    flat = {depth: np.concatenate([task.of(depth) for task in several]) for depth in (1, 4)}
    assert found.deeper.value == pytest.approx(stats.trim_mean(flat[4], 0.25))
    assert found.one_layer.value == pytest.approx(stats.trim_mean(flat[1], 0.25))
    assert found.difference.value == pytest.approx(found.deeper.value - found.one_layer.value)
    u = [stats.mannwhitneyu(task.of(4), task.of(1)).statistic / 100 for task in several]
    assert found.improvement.value == pytest.approx(np.mean(u))


def test_the_intervals_are_those_of_a_bootstrap_by_hand_on_the_same_draws() -> None:
    several = tasks()
    found = one(pooled(several, "study"))
    means, improved = [], []
    drawn = [resamples(10, "across", task.task, 6000, "parameters", "plain") for task in several]
    for draw in range(DRAWS):
        runs = [
            (np.repeat(task.of(1), counts[draw]), np.repeat(task.of(2), counts[draw]))
            for task, counts in zip(several, drawn, strict=True)
        ]
        shallow, deeper = (np.concatenate(column) for column in zip(*runs, strict=True))
        means.append(stats.trim_mean(deeper, 0.25) - stats.trim_mean(shallow, 0.25))
        improved.append(np.mean([(y[:, None] > x).mean() + 0.5 * (y[:, None] == x).mean() for x, y in runs]))
    assert found.difference and found.improvement
    assert [found.difference.low, found.difference.high] == pytest.approx(percentiles(np.array(means), 0.05))
    assert [found.improvement.low, found.improvement.high] == pytest.approx(percentiles(np.array(improved), 0.05))


def test_the_bootstrap_of_a_mean_has_the_standard_error_of_a_mean() -> None:
    values = np.random.default_rng(0).normal(size=40)
    drawn = resamples(40, "a name") @ values / 40
    assert drawn.std() == pytest.approx(values.std() / np.sqrt(40), rel=0.06)
    assert drawn.mean() == pytest.approx(values.mean(), abs=0.02)


def test_percentiles_are_draws_and_may_be_infinite() -> None:
    draws = np.concatenate([[-np.inf] * 60, np.arange(1880.0), [np.inf] * 60])
    assert percentiles(draws, 0.05) == (-np.inf, np.inf)
    assert percentiles(draws, 0.10) == (40.0, 1839.0)


def test_paired_noise_cancels_in_the_difference() -> None:
    shared = np.random.default_rng(1).normal(size=12)
    several = [scored.contrast(f"task {at}", {1: shared, 2: shared + 0.25}) for at in range(2)]
    found = one(pooled(several, "study"))
    assert found.difference and found.one_layer
    assert (found.difference.low, found.difference.high) == pytest.approx((0.25, 0.25))
    assert found.one_layer.high - found.one_layer.low > 0.3


def test_no_difference_is_even_odds_and_a_certain_one_is_certain() -> None:
    same = [scored.contrast(f"task {at}", {1: [0.1, 0.2, 0.3], 2: [0.1, 0.2, 0.3]}) for at in range(3)]
    above = [scored.contrast(f"task {at}", {1: [0.1, 0.2, 0.3], 2: [0.4, 0.5, 0.6]}) for at in range(3)]
    even, certain = one(pooled(same, "study")).improvement, one(pooled(above, "study")).improvement
    assert even and even.value == 0.5
    assert certain and (certain.value, certain.low, certain.high) == (1.0, 1.0, 1.0)


@settings(max_examples=10)
@given(st.permutations(range(4)))
def test_the_order_of_tasks_does_not_matter(order: list[int]) -> None:
    several = tasks(4)
    assert pooled([several[at] for at in order], "study") == pooled(several, "study")


def test_the_draws_of_a_task_do_not_depend_on_its_company() -> None:
    assert np.array_equal(resamples(10, "across", "a"), resamples(10, "across", "a"))
    assert not np.array_equal(resamples(10, "across", "a"), resamples(10, "across", "b"))


@pytest.mark.parametrize("role", ["dial", "depth control", "width control", "null control", "A/A"])
def test_only_natural_tasks_enter(role: str) -> None:
    other = scored.contrast("another", {1: [0.0, 0.1], 2: [0.9, 1.0]}, role=role)
    assert pooled([*tasks(), other], "study") == pooled(tasks(), "study")
    assert pooled([other], "study") == []


def test_relative_reductions_and_undecided_tasks_are_left_out_and_named() -> None:
    several = tasks(5)
    several[1] = dataclasses.replace(several[1], kind="relative reduction")
    several[3] = dataclasses.replace(several[3], untuned="the best learning rate of depth 2 is the largest asked")
    found = one(pooled(several, "study"))
    assert found.tasks == ["task 0", "task 2", "task 4"]
    assert [said.split(":")[0] for said in found.left_out] == ["task 1", "task 3"]
    assert "relative reduction" in found.left_out[0] and "not tuned" in found.left_out[1]


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_tasks_are_not_estimable(count: int) -> None:
    several = [dataclasses.replace(task, incomplete="depth 2 has no trainings") for task in tasks(3)]
    found = one(pooled([*tasks(count), *several[count:]], "study"))
    assert found.reason.startswith(f"not estimable: {count} of the 2 tasks") and "incomplete" in found.reason
    assert found.improvement is None and found.sentence.endswith(found.reason)


@pytest.mark.parametrize("purpose", ["screen", "smoke"])
def test_a_screen_and_a_smoke_study_give_no_pooled_statement(purpose: str) -> None:
    for found in pooled(tasks(), purpose):
        assert found.reason.startswith("not estimable") and purpose in found.reason
        assert (found.one_layer, found.deeper, found.difference, found.improvement) == (None,) * 4


def test_families_budgets_and_matches_are_never_mixed() -> None:
    several = [*tasks(2), *tasks(2, family="finance"), *tasks(2, budget=12_000), *tasks(2, match="state")]
    found = pooled(several, "study")
    assert [(item.family, item.budget, item.match, item.depth) for item in found] == [
        ("finance", 6000, "parameters", 2),
        ("finance", 6000, "parameters", 4),
        ("speech", 6000, "parameters", 2),
        ("speech", 6000, "parameters", 4),
        ("speech", 6000, "state", 2),
        ("speech", 6000, "state", 4),
        ("speech", 12_000, "parameters", 2),
        ("speech", 12_000, "parameters", 4),
    ]
    assert ["equal state not tested" in item.limits for item in found] == [True] * 2 + [False] * 4 + [True] * 2


def test_unequal_units_and_fixed_data_are_said() -> None:
    several = [*tasks(2), *tasks(1, units=6, replicates="groups")]
    several[2] = dataclasses.replace(several[2], task="digits")
    limits = one(pooled(several, "study")).limits
    assert any("6 to 10 units" in said for said in limits) and any(said.startswith("digits") for said in limits)


def test_a_study_gives_the_scores_that_its_contrasts_compare() -> None:
    evidence = fabricate(purpose="study", match=("parameters", "state"))
    found = {(one.task, one.match): one for one in scored.of(evidence)}
    assert len(found) == 10  # five tasks at two matches; A/A is none of them
    at = looking(evidence.study)
    rows = joined(evidence, at.seeds, 10)
    for contrast in declared(evidence.study, evidence.runs):
        if contrast.role != "A/A":
            measured = measure(contrast, contrast.rows(rows), evidence.blocks, evidence.study, at)
            mine = found[contrast.task, contrast.match]
            for pair in measured.pairs:
                assert (mine.of(pair.depth) - mine.of(1)).tolist() == pytest.approx(pair.differences)
    assert found["equity_variance", "state"].kind == "relative reduction"
    assert found["formants", "state"].cost("parameters", 4) == BUDGET + 40
    assert found["formants", "state"].cost("seconds", 4) == pytest.approx(1.4)
    assert found["one_layer_teacher", "parameters"].known_depth == 1 and found["formants", "state"].known_depth is None


def test_the_order_of_rows_does_not_matter() -> None:
    evidence = fabricate(purpose="study", match=("parameters", "state"))
    for left, right in zip(scored.of(evidence), scored.of(scored.shuffled(evidence)), strict=True):
        assert np.array_equal(left.values, right.values) and left.values.size
        assert (left.units, left.costs, left.gate) == (right.units, right.costs, right.gate)


def test_a_study_without_tuning_is_not_tuned() -> None:
    evidence = fabricate(purpose="study")
    bare = dataclasses.replace(evidence, study={**evidence.study, "tuning": None})
    assert {one.gate for one in scored.of(bare)} == {"not tuned: the study has no tuning"}
