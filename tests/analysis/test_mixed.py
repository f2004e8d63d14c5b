"""The mixed model: statsmodels called plainly, coefficients put in by hand, and what it refuses."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as formulas  # type: ignore[import-untyped]
from scipy import stats

from benchmark.analysis.estimates import Mixed
from benchmark.analysis.mixed import BUDGET, DOUBLING, KNOWN, mixed
from benchmark.analysis.scores import Scores
from tests.analysis import scored

TRUTH = {DOUBLING: 0.03, KNOWN: 0.02, BUDGET: -0.01}


def study(
    seed: int = 0,
    tasks: int = 12,
    known: Sequence[int] = (1, 2, 3, 4),
    budgets: Sequence[int] = (3000, 6000, 12_000),
    spread: float = 0.01,
    noise: float = 0.01,
) -> list[Scores]:
    """Skills that follow `TRUTH`, with a slope of its own for every task."""
    generator = np.random.default_rng(seed)
    depths = [known[task % len(known)] for task in range(tasks)]
    middle, budget_middle = np.mean(depths), np.mean(np.log2(budgets))
    found = []
    for task, known_depth in enumerate(depths):
        own = spread * generator.normal()
        for budget in budgets:
            slope = TRUTH[DOUBLING] + TRUTH[KNOWN] * (known_depth - middle) + own
            slope += TRUTH[BUDGET] * (math.log2(budget) - budget_middle)
            values = {d: 0.5 + slope * math.log2(d) + noise * generator.normal(size=10) for d in (1, 2, 4)}
            fields: dict[str, Any] = {
                "known_depth": known_depth,
                "role": "dial",
                "family": "synthetic",
                "budget": budget,
            }
            found.append(scored.contrast(f"task {task:02d}", values, **fields))
    return found


def fitted(contrasts: Sequence[Scores], purpose: str = "study") -> Mixed:
    found = mixed(contrasts, purpose)
    assert len(found) == 1
    return found[0]


def test_it_is_statsmodels_called_plainly() -> None:
    contrasts = study()
    found = fitted(contrasts)
    rows = [
        {"task": one.task, "gain": (one.of(d) - one.of(1)).mean(), "x": math.log2(d), "k": one.known_depth,
         "b": math.log2(one.budget)}
        for one in contrasts for d in (2, 4)
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    table["k"] -= table["k"].mean()
    table["b"] -= table["b"].mean()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a variance under 0.01, whatever its unit
        plain = formulas.mixedlm("gain ~ 0 + x + x:k + x:b", table, groups="task", re_formula="0 + x").fit()
    assert found.limits == []
    assert found.observations == len(table) == 72
    assert [one.value for one in found.coefficients] == pytest.approx(list(plain.fe_params), rel=1e-6)
    assert [one.error for one in found.coefficients] == pytest.approx(list(plain.bse_fe), rel=1e-4)
    assert found.task_spread == pytest.approx(math.sqrt(plain.cov_re.iloc[0, 0]), rel=1e-3)


def test_intervals_and_p_are_students_with_two_tasks_spent() -> None:
    for one in fitted(study()).coefficients:
        law = stats.t(df=10, loc=one.value, scale=one.error)
        assert (one.low, one.high) == pytest.approx(law.interval(0.95))
        assert one.p == pytest.approx(2 * stats.t.sf(abs(one.value) / one.error, 10))


def test_without_noise_it_gives_back_what_was_put_in() -> None:
    found = fitted(study(spread=1e-3, noise=1e-4, tasks=16))
    assert {one.name: one.value for one in found.coefficients} == pytest.approx(TRUTH, abs=1e-3)
    assert found.task_spread == pytest.approx(1e-3, rel=0.5)


def test_the_truth_lies_in_the_intervals_about_as_often_as_they_say() -> None:
    held = np.array(
        [[one.low <= TRUTH[one.name] <= one.high for one in fitted(study(seed)).coefficients] for seed in range(30)]
    )
    # Of 30 at 95 %, fewer than 25 is one chance in 1,800.
    assert (held.sum(axis=0) >= 25).all()


def test_the_order_of_contrasts_does_not_matter() -> None:
    contrasts = study()
    order = np.random.default_rng(0).permutation(len(contrasts))
    assert mixed([contrasts[at] for at in order], "study") == mixed(contrasts, "study")


def test_at_one_budget_there_is_no_term_of_size_and_it_says_so() -> None:
    found = fitted(study(budgets=(6000,)))
    assert [one.name for one in found.coefficients] == [DOUBLING, KNOWN] and found.budgets == [6000]
    assert "collinear" in found.limits[0]
    assert not any("collinear" in said for said in fitted(study()).limits)


@pytest.mark.parametrize(
    ("tasks", "known", "said"),
    [
        (7, (1, 2, 3), "7 of at least 8 tasks of known depth"),
        (12, (1, 2), "2 of at least 3 known depths"),
        (4, (1, 2), "4 of at least 8 tasks of known depth and 2 of at least 3 known depths"),
    ],
)
def test_too_few_tasks_or_known_depths_are_not_estimable(tasks: int, known: tuple[int, ...], said: str) -> None:
    found = fitted(study(tasks=tasks, known=known))
    assert found.reason == f"not estimable: {said}" and found.coefficients == [] and found.task_spread is None


def test_a_task_that_a_gate_stops_does_not_count() -> None:
    contrasts = [
        dataclasses.replace(one, untuned="the best rate is the largest asked") if one.task == "task 03" else one
        for one in study(tasks=8)
    ]
    found = fitted(contrasts)
    assert found.reason.startswith("not estimable: 7 of at least 8") and len(found.left_out) == 3


def test_one_gain_a_task_is_not_estimable() -> None:
    contrasts = [dataclasses.replace(one, depths=[1, 2], values=one.values[:, :2]) for one in study(budgets=(6000,))]
    assert "add a depth or a budget" in fitted(contrasts).reason


def test_terms_that_cannot_be_told_apart_are_not_estimable() -> None:
    # Every task at one budget of its own, which rises with its known depth.
    contrasts = [one for one in study(known=(1, 2, 3), budgets=(3000, 6000, 12_000))
                 if math.log2(one.budget / 3000) + 1 == one.known_depth]  # fmt: skip
    assert "cannot be told apart" in fitted(contrasts).reason


@pytest.mark.parametrize("role", ["depth control", "width control", "null control"])
def test_controls_and_tasks_of_unknown_depth_never_enter(role: str) -> None:
    steep = {1: [0.0, 0.1], 2: [0.8, 0.9]}
    others = [
        scored.contrast("control", steep, role=role, known_depth=2),
        scored.contrast("natural", steep),
    ]
    assert mixed([*study(), *others], "study") == mixed(study(), "study")


@pytest.mark.parametrize("purpose", ["screen", "smoke"])
def test_a_screen_and_a_smoke_study_fit_nothing(purpose: str) -> None:
    found = fitted(study(), purpose)
    assert purpose in found.reason and found.coefficients == []


def test_warnings_of_the_fit_become_limits() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # No task has a slope of its own: its variance lies on the edge of what is allowed, where the fit converges for
        # some data and not for others, as the processor rounds.
        found = [one for seed in range(8) if (one := fitted(study(spread=0.0, noise=0.02, seed=seed))).coefficients]
    assert any("can hardly be told from none" in said for one in found for said in one.limits)


def test_a_fit_that_fails_is_not_estimable() -> None:
    flat = [dataclasses.replace(one, values=np.zeros_like(one.values)) for one in study()]
    assert fitted(flat).reason == "not estimable: every gain is the same"
    # Gains that lie on the plane exactly leave no error to estimate.
    exact = fitted(study(spread=0.0, noise=0.0))
    assert exact.reason.startswith("not estimable") or exact.limits


def test_settings_of_one_generator_are_said_to_be_so() -> None:
    contrasts = [dataclasses.replace(one, source="grammar") for one in study()]
    assert "the 12 tasks are settings of one generator, taken as independent" in fitted(contrasts).limits
