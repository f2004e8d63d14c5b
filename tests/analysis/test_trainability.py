"""Trainability: the verdict's own test on training scores, steps and gradients by closed form, planted diagnoses."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmark.analysis import learning, paired
from benchmark.analysis.decisions import Decisions, decisions
from benchmark.analysis.diagnoses import Compared, Trainability, Trained
from benchmark.analysis.kinds import Judged
from benchmark.analysis.trainability import diagnose, trainability
from benchmark.evidence import Evidence, frame, read
from tests.analysis.fabricate import fabricate
from tests.analysis.scored import shuffled

PUBLISHED = Path(__file__).parents[2] / "results/published"
JUDGED = get_args(Judged)
WORSE = {"formants": {1: 0.70, 2: 0.70, 4: 0.60}}
"""Depth 4 is worse on `formants` by a tenth; its unit of score is 1.3 of loss."""


def found(evidence: Evidence, task: str = "formants") -> Trainability:
    """The contrast of one task, in a study of that task alone."""
    runs, members = (table[table["task"] == task] for table in (evidence.runs, evidence.members))
    study = {**evidence.study, "tasks": [one for one in evidence.study["tasks"] if one["label"] == task]}
    alone = dataclasses.replace(evidence, runs=runs, members=members, study=study)
    (one,) = trainability(decisions(alone), alone)
    return one


def depth(one: Trainability, layers: int) -> Trained:
    return next(trained for trained in one.depths if trained.depth == layers)


def confirmed(evidence: Evidence, task: str, layers: int) -> list[str]:
    """Keys of an arm's confirmed trainings, by seed."""
    rows = evidence.members
    rows = rows[(rows["task"] == task) & (rows["depth"] == layers) & (rows["phase"] == "confirm")]
    return rows.sort_values("seed")["key"].tolist()


def with_curves(evidence: Evidence, rows: list[dict[str, object]]) -> Evidence:
    return dataclasses.replace(
        evidence,
        curves=pd.concat([evidence.curves, frame(rows, "curves")], ignore_index=True).astype(evidence.curves.dtypes),
    )


# The test.


def judged_as_scores(made: Decisions) -> list[list[Compared]]:
    mine = [one for one in made.measured if one.declared.family == "controls"]
    tables = [paired.table(one, made.rows["score"]) for one in mine]
    return paired.compare(tables, [bool(one.case.incomplete) for one in mine], made.at.look.alpha, 0.02)


@pytest.mark.parametrize("seeds", [5, 10])
def test_scores_on_test_are_judged_as_the_verdict_judges_them(seeds: int) -> None:
    made = decisions(fabricate(seeds=seeds, looks=(seeds,), missing={("two_layer_teacher", 2, "", 0)}))
    controls = [contrast for contrast in made.contrasts if contrast.role.endswith("control") or contrast.role == "A/A"]
    assert len(controls) == 4
    for contrast, pairs in zip(controls, judged_as_scores(made), strict=True):
        for pair, compared in zip(contrast.pairs, pairs, strict=True):
            assert pair.difference == pytest.approx(compared.value)
            assert [pair.low, pair.high, pair.p_adjusted] == pytest.approx(
                [compared.low, compared.high, compared.p_adjusted]
            )
            assert pair.p_equivalence_adjusted == pytest.approx(compared.p_equivalence_adjusted)
            assert pair.judged == compared.judged


def test_intervals_of_one_pair_are_sign_flips_inverted_and_shift_with_the_data() -> None:
    values = np.random.default_rng(0).normal(size=(10, 2))
    (one,) = paired.intervals(values, 0.05)
    (moved,) = paired.intervals(values + [0.0, 0.3], 0.05)
    assert one.low is not None and moved.low is not None and one.high is not None and moved.high is not None
    assert [moved.value, moved.low, moved.high] == pytest.approx([one.value + 0.3, one.low + 0.3, one.high + 0.3])
    student = stats.ttest_rel(values[:, 1], values[:, 0]).confidence_interval(0.95)
    assert (one.low, one.high) == pytest.approx(tuple(student), abs=0.35 * (student.high - student.low))
    assert paired.intervals(np.empty((0, 2)), 0.05) == []


# The rules.


def judged(word: Judged) -> Compared:
    return Compared(value=0.0, low=0.0, high=0.0, p_adjusted=1.0, p_equivalence_adjusted=1.0, judged=word)


def test_only_a_worse_depth_is_diagnosed() -> None:
    for test, one, two in itertools.product([*JUDGED, None], JUDGED, JUDGED):
        said = diagnose(test, judged(one), judged(two))
        assert (said == "") == (test != "worse")


@pytest.mark.parametrize(
    ("training", "said"),
    [
        (("worse",), "failed to train"),
        (("worse", "worse"), "failed to train"),
        (("equivalent",), "trains as well and generalises worse"),
        (("worse", "equivalent"), "trains as well and generalises worse"),
        (("worse", "better"), "trains as well and generalises worse"),
        (("open", "equivalent"), "trains as well and generalises worse"),
        (("worse", "open"), "not separable"),
        (("open",), "not separable"),
        ((), "not separable"),
    ],
)
def test_the_diagnosis_is_that_of_its_training_losses(training: tuple[Judged, ...], said: str) -> None:
    for order in itertools.permutations(training):
        losses = [judged(word) for word in order]
        assert diagnose("worse", *losses) == said
        assert diagnose("worse", None, *losses) == said, "what was not recorded decides nothing"


# Planted truths.


def planted(train: Callable[[np.ndarray], np.ndarray], lowest: Callable[[np.ndarray], np.ndarray] | None) -> Evidence:
    """Depth 4 worse on test; `train` and `lowest` make its training losses out of depth 1's, seed by seed."""
    evidence = fabricate(effects=WORSE)
    runs, curves = evidence.runs.set_index("key"), []
    losses = np.linspace(0.5, 0.6, 10)
    for layers in (1, 2, 4):
        keys = confirmed(evidence, "formants", layers)
        runs.loc[keys, "train_loss"] = train(losses) if layers == 4 else losses
        if lowest:
            low = lowest(losses) if layers == 4 else losses
            for key, loss in zip(keys, low, strict=True):
                curves += [
                    {"key": key, "step": step, "metric": "train/loss", "layer": -1, "value": value}
                    for step, value in ((100, 1.2), (200, loss), (300, loss + 0.2), (400, float("nan")))
                ]
    return with_curves(dataclasses.replace(evidence, runs=runs.reset_index()), curves)


def same(losses: np.ndarray) -> np.ndarray:
    return losses


def higher(losses: np.ndarray) -> np.ndarray:
    return losses + 0.13 * (1 + 0.1 * np.sin(np.arange(10)))


def scattered(losses: np.ndarray) -> np.ndarray:
    return losses + 0.2 * np.cos(np.pi * np.arange(10))


@pytest.mark.parametrize(
    ("train", "lowest", "said"),
    [
        (higher, None, "failed to train"),
        (higher, higher, "failed to train"),
        (same, None, "trains as well and generalises worse"),
        (higher, same, "trains as well and generalises worse"),  # it was stopped early, and could fit
        (same, higher, "trains as well and generalises worse"),  # dropout
        (scattered, None, "not separable"),
        (higher, scattered, "not separable"),
    ],
)
def test_a_planted_cause_is_found(train: Callable, lowest: Callable | None, said: str) -> None:
    one = found(planted(train, lowest))
    assert [depth(one, layers).diagnosis for layers in (1, 2, 4)] == ["", "", said]
    deep = depth(one, 4)
    assert deep.judged == "worse" and deep.train
    assert deep.train.value == pytest.approx(-np.mean(train(np.zeros(10))) / 1.3)
    assert (deep.lowest is None) == (lowest is None)
    if lowest and deep.lowest:
        assert deep.lowest.value == pytest.approx(-np.mean(lowest(np.zeros(10))) / 1.3)
    assert one.sentence.startswith("On formants, budget 6,000, against one layer: depth 4 ")
    assert f"{deep.train.value:+.3f} on the training data" in one.sentence


def test_a_gap_is_test_loss_minus_training_loss_and_both_differences_add_up() -> None:
    evidence = planted(higher, None)
    evidence = dataclasses.replace(evidence, runs=evidence.runs.assign(validation_loss=lambda r: r["test_loss"] - 0.05))
    one = found(evidence)
    (contrast,) = (one for one in decisions(evidence).contrasts if one.task == "formants")
    runs = evidence.runs.set_index("key")
    for layers in (1, 2, 4):
        mine = runs.loc[confirmed(evidence, "formants", layers)]
        for name in ("validation", "test"):
            gap = (mine[f"{name}_loss"] - mine["train_loss"]).mean() / 1.3
            assert getattr(depth(one, layers), f"{name}_gap") == pytest.approx(gap)
    for pair in contrast.pairs:
        deep = depth(one, pair.depth)
        assert deep.train and deep.test_gap_widened and pair.difference is not None
        assert deep.train.value - deep.test_gap_widened.value == pytest.approx(pair.difference)
        assert deep.test_gap_widened.value == pytest.approx((deep.test_gap or 0) - (depth(one, 1).test_gap or 0))


def test_diverged_trainings_are_counted_scored_as_on_test_and_have_no_gap() -> None:
    lost = {("formants", 4, "", seed) for seed in (0, 3)}
    evidence = fabricate(effects=WORSE, diverged=lost)
    one, whole = found(evidence), found(fabricate(effects=WORSE))
    deep, before = depth(one, 4), depth(whole, 4)
    assert (deep.confirmed, deep.confirmed_diverged) == (10, 2) and (deep.tuned, deep.tuned_diverged) == (9, 0)
    assert deep.train and before.train
    # All completed scores are above 0, so a diverged one scores 0 where it would have scored about 0.6.
    runs = fabricate(effects=WORSE).runs.set_index("key")
    keys = [confirmed(fabricate(effects=WORSE), "formants", 4)[seed] for seed in (0, 3)]
    given_up = ((1.6 - runs.loc[keys, "train_loss"]) / 1.3).sum() / 10
    assert deep.train.value == pytest.approx(before.train.value - given_up)
    assert deep.test_gap == pytest.approx(before.test_gap), "the fabricated gap is 0.01 of loss everywhere"
    assert deep.test_gap_widened and deep.test_gap_widened.value == pytest.approx(0.0, abs=1e-12)


def test_folds_are_averaged_first_and_the_missing_bootstrap_is_said() -> None:
    one = found(fabricate(), "equity_variance")
    assert any("without a bootstrap over blocks" in limit for limit in one.limits)
    assert not any("bootstrap" in limit for limit in found(fabricate()).limits)


def test_the_order_of_rows_does_not_matter_and_a_a_is_left_out() -> None:
    evidence = planted(higher, higher)
    several = trainability(decisions(evidence), evidence)
    mixed = shuffled(evidence)
    assert several == trainability(decisions(mixed), mixed)
    assert [one.role for one in several].count("A/A") == 0 and len(several) == 5
    assert [[one.depth for one in contrast.depths] for contrast in several] == [[1, 2, 4]] * 5


def test_a_smoke_study_diagnoses_nothing() -> None:
    one = found(fabricate(effects=WORSE, purpose="smoke"))
    assert one.sentence == "" and {trained.diagnosis for trained in one.depths} == {""}
    assert {trained.judged for trained in one.depths} == {None}


def test_an_incomplete_contrast_and_missing_losses_are_no_trouble() -> None:
    gone = {("formants", 4, "", seed) for seed in range(10)}
    one = found(fabricate(missing=gone))
    assert depth(one, 4).confirmed == 0 and depth(one, 4).train is None and depth(one, 4).diagnosis == ""
    evidence = fabricate()
    members = evidence.members[(evidence.members["depth"] != 4) | (evidence.members["task"] != "formants")]
    assert [(d.depth, d.tuned, d.confirmed) for d in found(dataclasses.replace(evidence, members=members)).depths] == [
        (1, 9, 10),
        (2, 9, 10),
        (4, 0, 0),
    ]
    evidence = fabricate(effects=WORSE)
    evidence = dataclasses.replace(
        evidence, runs=evidence.runs.assign(train_loss=pd.NA).astype({"train_loss": "Float64"})
    )
    bare = found(evidence)
    assert "training losses were not recorded for every depth" in bare.limits
    assert depth(bare, 4).diagnosis == "not separable" and depth(bare, 4).test_gap is None


def test_published_evidence_without_gradients_says_so_and_shows_the_rest() -> None:
    evidence = read(PUBLISHED / "laptop")
    several = trainability(decisions(evidence), evidence)
    assert len(several) == 5
    for one in several:
        assert "gradient norms were not recorded" in one.limits
        for trained in one.depths:
            assert (trained.norms, trained.ratios, trained.ratio) == ([], [], None)
            assert trained.steps is not None or (trained.reached or 0) < 5
            assert (trained.train is None) == (trained.depth == 1)
    teacher = next(one for one in several if one.task == "one_layer_teacher")
    assert [trained.diagnosis for trained in teacher.depths] == ["", "failed to train", "failed to train"]
    assert json.dumps([dataclasses.asdict(one) for one in several], allow_nan=False)


# Steps to a threshold.


def trainings(
    losses: list[list[float]], trivial: list[float], best: float | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows and curves of trainings validated every 10 steps."""
    rows = pd.DataFrame(
        {
            "key": [str(at) for at in range(len(losses))],
            "trivial_validation_loss": trivial,
            "best_validation_loss": [np.nan if best is None else best] * len(losses),
            "validation_loss": [min(one) for one in losses],
            "status": "done",
        }
    )
    curves = [
        {"key": str(at), "step": 10 * (place + 1), "metric": "validation/loss", "layer": -1, "value": loss}
        for at, one in enumerate(losses)
        for place, loss in enumerate(one)
    ]
    return rows, learning.of(frame(curves, "curves"), learning.VALIDATION, rows)


def test_the_first_validated_step_at_the_score_of_its_own_training() -> None:
    rows, curves = trainings(
        [[0.9, 0.5, 0.7, 0.4], [1.8, 1.2, 1.0, 1.0], [0.9, 0.8, 0.7, float("nan")]], [1.0, 2.0, 1.0]
    )
    assert learning.first_steps(rows, curves, 0.5) == [20, 30, math.inf]
    assert learning.first_steps(rows, curves, 0.6) == [40, math.inf, math.inf]
    rows, curves = trainings([[0.9, 0.5, 0.7, 0.4]], [1.0], best=0.3)
    assert learning.first_steps(rows, curves, 0.5) == [20]  # 0.65
    assert learning.final_score(rows) == pytest.approx(0.6 / 0.7)


@settings(max_examples=25)
@given(
    st.lists(st.lists(st.integers(1, 9).map(lambda tenth: tenth / 10), min_size=4, max_size=4), min_size=1, max_size=5)
)
def test_the_first_step_is_the_first_of_all_that_reach_it(losses: list[list[float]]) -> None:
    rows, curves = trainings(losses, [1.0] * len(losses))
    wanted = [next((10.0 * (at + 1) for at, loss in enumerate(one) if loss <= 0.45), math.inf) for one in losses]
    assert learning.first_steps(rows, curves, 0.55) == wanted


@given(st.lists(st.sampled_from([10.0, 20.0, 30.0, 40.0, math.inf]), min_size=1, max_size=12))
def test_the_restricted_median_is_that_of_kaplan_and_meier(steps: list[float]) -> None:
    reached = [step for step in steps if math.isfinite(step)]
    data = stats.CensoredData(uncensored=reached, right=[50.0] * (len(steps) - len(reached)))
    left = stats.ecdf(data).sf
    at_most_half = [
        step for step, share in zip(left.quantiles, left.probabilities, strict=True) if share <= 0.5 + 1e-12
    ]
    expected = min((step for step in at_most_half if step < 50), default=None)
    assert learning.restricted_median(steps) == expected


def test_a_training_that_never_reaches_the_threshold_is_kept_as_later_than_all() -> None:
    evidence = fabricate(effects=WORSE)
    one = found(evidence)
    assert one.validation_score == pytest.approx(0.7, abs=0.02) and one.share == 0.9
    # The fabricated loss nears its end as exp(-step / 80): it has 0.9 of the way at 80 log 10 = 184 steps.
    assert (depth(one, 1).reached, depth(one, 1).steps) == (10, 200)
    # Depth 4 ends at 0.6, below the threshold of 0.63 but for its noise.
    assert (depth(one, 4).reached or 0) < 5 and depth(one, 4).steps is None and depth(one, 4).confirmed == 10


def test_without_anything_learnt_or_recorded_there_is_no_threshold() -> None:
    one = found(fabricate(effects={"formants": {1: -0.1, 2: 0.1, 4: 0.1}}))
    assert one.validation_score is None and depth(one, 2).reached is None
    assert any("no threshold to reach" in limit for limit in one.limits)
    evidence = fabricate()
    bare = found(dataclasses.replace(evidence, curves=evidence.curves[:0]))
    assert "validation curves were not recorded, so no steps to a threshold" in bare.limits
    # Of ten trainings of one layer six diverge: the median has learnt nothing.
    lost = [("formants", 1, "", seed) for seed in range(6)]
    assert found(fabricate(diverged=lost)).validation_score is None
    assert found(fabricate(diverged=lost[:3])).validation_score is not None


# Gradients.


def with_gradients(evidence: Evidence, layers: int, norm: Callable[[int, int, int], float]) -> Evidence:
    """`norm(training, step, layer)` of every confirmed training of an arm."""
    rows: list[dict[str, object]] = [
        {"key": key, "step": step, "metric": "gradient/norm", "layer": layer, "value": norm(at, step, layer)}
        for at, key in enumerate(confirmed(evidence, "formants", layers))
        for step in (100, 200, 300)
        for layer in range(layers)
    ]
    return with_curves(evidence, rows)


def test_gradients_by_layer_and_their_ratio_are_what_was_planted() -> None:
    evidence = with_gradients(fabricate(), 4, lambda at, step, layer: (1 + at) * step * 0.5 ** (3 - layer))
    evidence = with_gradients(evidence, 1, lambda at, step, layer: 1.0)
    one = found(evidence)
    deep, single = depth(one, 4), depth(one, 1)
    assert "gradient norms were not recorded" not in one.limits
    assert [step for step, _ in deep.norms] == [100, 200, 300]
    for step, norms in deep.norms:
        assert norms == pytest.approx([5.5 * step * 0.5 ** (3 - layer) for layer in range(4)])
    assert deep.ratio == pytest.approx(1 / 8) and [row[0] for row in deep.ratios] == [100, 200, 300]
    assert all(row[1:] == pytest.approx((1 / 8,) * 3) for row in deep.ratios)
    assert single.norms == [(step, [1.0]) for step in (100, 200, 300)] and single.ratio is None and not single.ratios


def test_no_one_step_and_no_one_training_decides_the_ratio() -> None:
    def norm(at: int, step: int, layer: int) -> float:
        if layer:
            return 0.0 if (at, step) == (1, 100) else 1.0
        return float("inf") if at == 2 and step == 200 else 1e9 if at == 0 else 0.25

    deep = depth(found(with_gradients(fabricate(), 2, norm)), 2)
    assert deep.ratio == 0.25
    assert {row[0]: row[1] for row in deep.ratios} == {100: 0.25, 200: 0.25, 300: 0.25}
    assert max(row[3] for row in deep.ratios) == 1e9


@settings(max_examples=25)
@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=6), st.floats(0.1, 10))
def test_a_ratio_does_not_change_with_the_size_of_the_loss(norms: list[float], times: float) -> None:
    def curve(scale: float) -> pd.DataFrame:
        return pd.DataFrame(
            {"key": "a", "step": 10, "layer": range(len(norms)), "value": [scale * norm for norm in norms]}
        )

    course, ratio = learning.ratios(curve(1.0))
    assert ratio == pytest.approx(norms[0] / norms[-1]) == course[0][1]
    assert learning.ratios(curve(times))[1] == pytest.approx(ratio)
