"""Expected best after n points: brute force over all subsets, unbiasedness, and crossings that were planted."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmark.analysis.decisions import decisions
from benchmark.analysis.diagnoses import Answer, Effort, Searched
from benchmark.analysis.effort import answers, effort, expected_best
from benchmark.evidence import Evidence, read
from tests.analysis.fabricate import fabricate
from tests.analysis.scored import shuffled

PUBLISHED = Path(__file__).parents[2] / "results/published"
scores = st.lists(st.floats(-10, 1), min_size=1, max_size=7)


def by_subsets(values: Sequence[float], points: int) -> float:
    return float(np.mean([max(several) for several in itertools.combinations(values, points)]))


@given(scores)
def test_the_estimator_is_tangs(values: list[float]) -> None:
    size, ordered = len(values), sorted(values)
    formula = [
        sum(value * math.comb(at, n - 1) for at, value in enumerate(ordered)) / math.comb(size, n)
        for n in range(1, size + 1)
    ]
    assert expected_best(values) == pytest.approx(formula)


@given(scores)
def test_the_estimator_is_the_mean_over_all_subsets(values: list[float]) -> None:
    expected = [by_subsets(values, points) for points in range(1, len(values) + 1)]
    assert expected_best(values) == pytest.approx(expected)


@given(scores)
def test_it_starts_at_the_mean_ends_at_the_best_and_never_falls(values: list[float]) -> None:
    found = expected_best(values)
    assert found[0] == pytest.approx(np.mean(values)) and found[-1] == pytest.approx(max(values))
    assert (np.diff(found) >= -1e-9).all()


@given(st.lists(st.integers(-5, 5).map(float), min_size=4, max_size=6))
def test_the_estimator_is_unbiased(population: list[float]) -> None:
    """Over all samples of N from a population, its mean is the expected best of n from the population itself."""
    size = len(population) - 1
    samples = [expected_best(several) for several in itertools.combinations(population, size)]
    assert np.mean(samples, axis=0) == pytest.approx(expected_best(population)[:size])


def test_of_many_independent_draws_it_is_the_mean_of_the_largest_order_statistic() -> None:
    draws = stats.norm.ppf((np.arange(2000) + 0.5) / 2000)
    # The largest of n standard normal draws: 0, 1/sqrt(pi), 3/(2 sqrt(pi)) for n = 1, 2, 3 (David and Nagaraja 2003).
    assert expected_best(draws)[:3] == pytest.approx([0.0, np.pi**-0.5, 1.5 * np.pi**-0.5], abs=2e-3)


# Planted.


def tuned(points: Mapping[int, Sequence[float | str]], task: str = "formants", purpose: str = "screen") -> Evidence:
    """A study of one task whose tuning scores are `points`, by depth; a word in their place is the run's status."""
    evidence = fabricate(purpose=purpose)
    runs, members = (table[table["task"] == task] for table in (evidence.runs, evidence.members))
    runs = runs.set_index("key")
    for depth, several in points.items():
        uses = members[(members["depth"] == depth) & (members["phase"] == "tune")].sort_values("point")
        for use, value in zip(uses.itertuples(), several, strict=True):
            if isinstance(value, str):
                runs.loc[use.key, "status"] = value
                runs.loc[use.key, "validation_loss"] = pd.NA
            else:
                run = runs.loc[use.key]
                best = 0.0 if pd.isna(run["best_validation_loss"]) else run["best_validation_loss"]
                trivial = run["trivial_validation_loss"]
                runs.loc[use.key, "validation_loss"] = trivial - value * (trivial - best)
    study = {**evidence.study, "tasks": [one for one in evidence.study["tasks"] if one["label"] == task]}
    return dataclasses.replace(evidence, runs=runs.reset_index(), members=members, study=study)


def of(evidence: Evidence) -> list[Effort]:
    made = decisions(evidence)
    return effort(made.measured, made.contrasts, evidence.study["purpose"])


FLAT, PEAKED, POOR = [0.60] * 5, [0.3, 0.5, 0.7, 0.5, 0.3], [0.4] * 5
PLANTED = {1: FLAT, 2: PEAKED, 4: POOR}


def test_depths_whose_order_depends_on_the_effort_are_found_to_cross() -> None:
    (one,) = of(tuned(PLANTED))
    assert one.points == 5 and [searched.depth for searched in one.depths] == [1, 2, 4]
    assert [searched.expected for searched in one.depths] == [
        pytest.approx([by_subsets(values, points) for points in range(1, 6)]) for values in PLANTED.values()
    ]
    # The peaked one expects 0.46, 0.56, 0.62, 0.66, 0.7: behind, behind, and then ahead.
    assert one.answers == [
        Answer(first=1, last=2, standings=[(2, "behind"), (4, "behind")]),
        Answer(first=3, last=5, standings=[(2, "ahead"), (4, "behind")]),
    ]
    assert one.sentence == (
        "On formants, budget 6,000, with 1 or 2 of 5 points the answer on validation would be depths 2 and 4 behind "
        "one layer; with 3 to 5, depth 2 ahead of one layer, depth 4 behind it"
    )


@given(st.floats(-0.05, 0.05), st.integers(1, 6))
def test_answers_cover_all_points_once_and_neighbours_differ(shift: float, points: int) -> None:
    generator = np.random.default_rng(points)
    curves = {depth: np.sort(shift * depth + 0.1 * generator.normal(size=points)) for depth in (1, 2, 4)}
    found = [Searched(depth=depth, expected=curve.tolist(), diverged=0, rise=0) for depth, curve in curves.items()]
    several = answers(found, 0.02)
    covered = [n for answer in several for n in range(answer.first, answer.last + 1)]
    assert covered == list(range(1, points + 1))
    assert all(a.standings != b.standings for a, b in itertools.pairwise(several))


def test_a_lead_of_less_than_the_margin_is_level() -> None:
    (one,) = of(tuned({1: FLAT, 2: [0.615] * 5, 4: [0.585] * 5}))
    assert one.answers == [Answer(first=1, last=5, standings=[(2, "level"), (4, "level")])]
    assert one.sentence.endswith(
        "with any number of the 5 points the answer on validation would be the same: "
        "depths 2 and 4 level with one layer"
    )


def test_what_still_rises_is_said_where_it_could_change_the_answer() -> None:
    rising, best = [0.1, 0.1, 0.1, 0.1, 0.59], [0.1, 0.1, 0.1, 0.1, 0.9]
    (one,) = of(tuned({1: FLAT, 2: rising, 4: best}))
    by_depth = {searched.depth: searched for searched in one.depths}
    assert by_depth[1].rise == pytest.approx(0.0)
    assert by_depth[2].rise == pytest.approx(max(rising) - by_subsets(rising, 2))
    # Depth 2 draws level; depth 4 is ahead already, and only draws further ahead.
    assert "From 2 to 5 points depth 2 moves by +0.294 against one layer: more points may change" in one.sentence
    assert "depth 4 moves" not in one.sentence


def test_a_point_that_diverged_counts_as_asked_and_as_worth_nothing() -> None:
    (one,) = of(tuned({1: FLAT, 2: [0.7, "diverged", 0.7, 0.7, "diverged"], 4: POOR}))
    searched = one.depths[1]
    assert searched.diverged == 2 and searched.expected == pytest.approx(
        [by_subsets([0.7, 0.0, 0.7, 0.7, 0.0], points) for points in range(1, 6)]
    )
    (worse,) = of(tuned({1: FLAT, 2: [0.7, "diverged", 0.7, 0.7, 0.7], 4: [-0.5] * 5}))
    assert worse.depths[1].expected[0] == pytest.approx((4 * 0.7 - 0.5) / 5), "no better than the worst that ended"


def test_what_cannot_be_compared_at_equal_effort_says_why() -> None:
    (failed,) = of(tuned({1: FLAT, 2: ["failed", 0.5, 0.5, 0.5, 0.5]}))
    assert failed.reason.startswith("a tuning training failed") and failed.depths == [] and failed.points == 0
    (stopped,) = of(tuned({1: FLAT, 2: [0.5, 0.5, 0.5, 0.5, "pruned"]}))
    assert stopped.reason == "points that were behind at a rung were not trained to their end" and stopped.depths == []
    evidence = tuned(PLANTED)
    members = evidence.members
    cut = members[~((members["depth"] == 4) & (members["phase"] == "tune") & (members["point"] == 0))]
    (unequal,) = of(dataclasses.replace(evidence, members=cut))
    assert unequal.reason == "not every depth was asked the same points"
    (smoke,) = of(tuned(PLANTED, purpose="smoke"))
    assert smoke.reason.startswith("no claim")
    untuned = members[members["phase"] == "confirm"]
    assert of(dataclasses.replace(evidence, members=untuned)) == []


def test_every_contrast_of_depths_is_there_and_the_order_of_rows_does_not_matter() -> None:
    evidence = fabricate()
    several = of(evidence)
    assert [one.task for one in several] == [task["label"] for task in evidence.study["tasks"]]
    assert of(shuffled(evidence)) == several
    assert json.dumps([dataclasses.asdict(one) for one in several], allow_nan=False)


def test_the_points_of_a_published_study_are_those_of_its_tuning_figure() -> None:
    evidence = read(PUBLISHED / "text")
    several = {one.task: one for one in of(evidence)}
    assert several["text"].points == 5 and several["one_layer_teacher"].points == 7  # two more beyond an edge
    rows = decisions(evidence).rows
    tune = rows[(rows["phase"] == "tune") & (rows["task"] == "digits")]
    for searched in several["digits"].depths:
        own = tune.loc[tune["depth"] == searched.depth, "tuning_score"]
        assert searched.expected == pytest.approx([by_subsets(own.tolist(), points) for points in range(1, 6)])
