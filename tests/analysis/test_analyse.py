"""From evidence to findings: the whole analysis on fabricated studies with a known truth."""

from __future__ import annotations

import dataclasses
import functools
import json
import random
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmark.analysis import power
from benchmark.analysis.analyse import analyse
from benchmark.analysis.findings import Arm, Findings
from benchmark.analysis.outcome import Contrast
from benchmark.evidence import Evidence
from tests.analysis.fabricate import LEARNING_RATES, PEAK, fabricate


@functools.cache
def plain() -> Findings:
    return analyse(fabricate())


def of(found: Findings, task: str, match: str = "parameters") -> Contrast:
    return next(c for c in found.contrasts if c.task == task and c.match == match and c.role != "A/A")


def arm(found: Findings, task: str, depth: int, replica: str = "") -> Arm:
    return next(a for a in found.arms if (a.task, a.depth, a.replica) == (task, depth, replica))


def text(found: Findings) -> str:
    return json.dumps(found.to_dict(), sort_keys=True, allow_nan=False)


def without(evidence: Evidence, *tasks: str) -> Evidence:
    """Only the named tasks: fewer contrasts, and faster."""
    kept = [task for task in evidence.study["tasks"] if task["label"] in tasks]
    return dataclasses.replace(evidence, study={**evidence.study, "tasks": kept, "a_a": None})


def only(task: str, **how: Any) -> Contrast:
    return of(analyse(without(fabricate(**how), task)), task)


def test_the_known_truth_is_found() -> None:
    found = plain()
    assert [(c.task, c.role, c.verdict, c.depths) for c in found.contrasts] == [
        ("two_layer_teacher", "depth control", "deeper", [2, 4]),
        ("one_layer_teacher", "width control", "wider", [2, 4]),
        ("recall", "null control", "no practical difference", []),
        ("recall", "A/A", "no practical difference", []),
        ("formants", "natural", "deeper", [2, 4]),
        ("equity_variance", "natural", "undecided", []),
    ]
    assert (found.look.seeds, found.look.alpha) == (10, 0.025)
    assert found.next_look is not None and found.next_look.seeds == 20
    assert found.trainings == 16 * 19 and found.failures == [] and found.exploratory == ""
    assert found.seconds == pytest.approx(float(fabricate().runs["seconds"].sum()))


def test_numbers_of_a_contrast_by_hand() -> None:
    formants = of(plain(), "formants")
    one, two = (dict(arm(plain(), "formants", depth).scores) for depth in (1, 2))
    differences = np.array([two[seed] - one[seed] for seed in range(10)])
    pair = formants.pairs[0]
    assert pair.differences == pytest.approx(differences)
    assert pair.difference == pytest.approx(differences.mean()) and pair.spread == pytest.approx(
        differences.std(ddof=1)
    )
    scipys = stats.ttest_1samp(differences, 0.0).confidence_interval(1 - 0.025)
    assert (pair.t_low, pair.t_high) == pytest.approx((scipys.low, scipys.high))
    assert pair.low is not None and pair.high is not None and pair.low < differences.mean() < pair.high
    assert pair.p == 2 / 2**10, "the smallest p that ten seeds can give"
    assert pair.p_adjusted == 2 * 2 / 2**10, "two primary contrasts"
    assert of(plain(), "two_layer_teacher").pairs[0].p_adjusted == 4 * 2 / 2**10, "four in the family of controls"
    assert formants.margin_in_unit == pytest.approx(0.02 * (1.6 - 0.3))
    assert pair.second_metric_difference == pytest.approx(-0.8 * differences.mean() * (1.6 - 0.3) / 1.6)
    assert not formants.flips_on_second_metric and formants.seeds == 10 and formants.steps == 400


def test_folds_are_the_units_and_blocks_widen_the_interval() -> None:
    evidence = fabricate(seeds=20)
    equity = of(analyse(without(evidence, "equity_variance")), "equity_variance")
    assert (equity.seeds, equity.replicates, equity.score) == (10, "folds", "relative reduction")
    wide = evidence.runs[(evidence.runs["task"] == "equity_variance") & evidence.runs["fold"].notna()]
    wide = wide.assign(score=(1 - wide["test_loss"] / wide["trivial_loss"]).astype(float))
    folds = wide.pivot_table(index="fold", columns="depth", values="score", aggfunc="mean")
    assert equity.pairs[0].differences == pytest.approx((folds[2] - folds[1]).tolist())
    assert equity.baselines == pytest.approx({"HAR": 0.22, "last value": 0.05})
    assert equity.more_seeds is None and "folds are fixed by the data" in equity.sentence
    without_blocks = dataclasses.replace(evidence, blocks=evidence.blocks[:0])
    alone = of(analyse(without(without_blocks, "equity_variance")), "equity_variance")
    # Months that differ more than the folds do, around the same means: now the blocks decide.
    blocks = evidence.blocks.astype({"loss": float, "count": float})
    sums = blocks.assign(loss=blocks["loss"] * blocks["count"]).groupby("key")[["loss", "count"]].transform("sum")
    mean = sums["loss"] / sums["count"]
    rough = evidence.blocks.assign(loss=(mean + 20 * (blocks["loss"] - mean)).astype("Float64"))
    wider = of(analyse(without(dataclasses.replace(evidence, blocks=rough), "equity_variance")), "equity_variance")
    for pair, narrow, wide_pair in zip(equity.pairs, alone.pairs, wider.pairs, strict=True):
        assert wide_pair.differences == narrow.differences
        low, high, p, p_equivalence = (
            [getattr(one, name) for one in (wide_pair, pair, narrow)] for name in ("low", "high", "p", "p_equivalence")
        )
        assert low[0] < low[1] <= low[2] and high[0] > high[1] >= high[2]
        assert p[0] >= p[1] >= p[2] and p_equivalence[0] > p_equivalence[1] >= p_equivalence[2]
    assert any((blocky.p or 0) > (flips.p or 0) for blocky, flips in zip(wider.pairs, alone.pairs, strict=True))


def test_two_calls_are_identical_and_row_order_does_not_matter() -> None:
    evidence = fabricate()
    shuffled = Evidence(
        study=evidence.study,
        **{
            name: getattr(evidence, name).sample(frac=1, random_state=at, ignore_index=True)
            for at, name in enumerate(("runs", "members", "blocks", "curves"))
        },
    )
    # The first of the two calls is the one that all tests share.
    assert text(analyse(shuffled)) == text(plain())


def test_global_generators_are_left_alone() -> None:
    evidence = without(fabricate(seeds=18), "equity_variance", "formants")
    np.random.seed(3)
    random.seed(3)
    before = np.random.get_state(), random.getstate()
    analyse(evidence)
    assert repr(np.random.get_state()) == repr(before[0]) and random.getstate() == before[1]


def test_importing_the_analysis_loads_no_engine() -> None:
    code = (
        "import sys, benchmark.analysis.analyse\n"
        "loaded = {'torch', 'mlflow', 'optuna', 'pydantic', 'lightning', 'matplotlib'} & set(sys.modules)\n"
        "ours = {m for m in sys.modules if m.startswith('benchmark.') and not m.startswith('benchmark.analysis')}\n"
        "assert not loaded, loaded\n"
        "assert ours <= {'benchmark.evidence', 'benchmark.errors', 'benchmark.spec'}, ours\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_antisymmetry_of_a_contrast() -> None:
    """Exchange the runs of depth 1 and depth 2: differences, intervals and the verdict turn round."""
    evidence = without(fabricate(), "formants")
    study = {**evidence.study, "depths": [1, 2]}
    swap = evidence.members["depth"].map({1: 2, 2: 1, 4: 4}).astype("Int64")
    there = of(analyse(dataclasses.replace(evidence, study=study)), "formants")
    back = of(
        analyse(dataclasses.replace(evidence, study=study, members=evidence.members.assign(depth=swap))), "formants"
    )
    (pair,), (mirrored,) = there.pairs, back.pairs
    assert pair.low is not None and mirrored.high is not None
    assert (pair.p, pair.p_equivalence) == (mirrored.p, mirrored.p_equivalence)
    assert pair.difference == pytest.approx(-mirrored.difference) and pair.low == pytest.approx(-mirrored.high)  # type: ignore[operator]
    assert (there.verdict, back.verdict) == ("deeper", "wider")


def test_from_thirty_pairs_intervals_are_bca() -> None:
    evidence = without(fabricate(seeds=30, looks=(30,)), "formants")
    found = analyse(evidence)
    pair = of(found, "formants").pairs[0]
    scipys = stats.bootstrap(
        (np.array(pair.differences),), np.mean, confidence_level=1 - 0.05 / 2, rng=np.random.default_rng(5)
    ).confidence_interval
    assert (pair.low, pair.high) == pytest.approx((scipys.low, scipys.high), abs=0.001)
    assert "formants: 30 pairs, so intervals are BCa; p is by sign flips." in found.notes


# --- gates -------------------------------------------------------------------------------------------------------


def test_incomplete_arms() -> None:
    short = only("formants", missing=[("formants", 4, "", 9)], failed=[("formants", 4, "", 3)])
    assert (short.verdict, short.reason) == (
        "undecided",
        "incomplete: depth 4 has 8 of 10 confirmed trainings, 1 failed",
    )
    assert short.seeds == 8 and short.pairs[0].difference is not None and short.pairs[0].judged == "open"
    none = only("formants", missing=[("formants", 4, "", seed) for seed in range(10)])
    assert none.reason == "incomplete: depth 4 has 0 of 10 confirmed trainings"
    assert none.pairs[1].difference is None and none.sentence.endswith("depth 4 not measured of skill")


def test_a_contrast_without_a_single_run_is_still_in_the_family() -> None:
    evidence = fabricate()
    evidence = dataclasses.replace(evidence, members=evidence.members[evidence.members["task"] != "equity_variance"])
    found = analyse(evidence)
    assert of(found, "equity_variance").reason == "incomplete: depth 1 has no trainings"
    assert of(found, "formants").pairs[0].p_adjusted == of(plain(), "formants").pairs[0].p_adjusted
    assert text(found)


def test_failed_runs_are_listed_with_the_last_line_of_their_error() -> None:
    found = analyse(without(fabricate(failed=[("formants", 2, "", 3)]), "formants"))
    (failure,) = found.failures
    assert failure["error"] == "MemoryError: no memory left" and failure["arm"].startswith("formants")
    assert not arm(found, "formants", 2).complete and arm(found, "formants", 1).complete


def test_two_settings_in_one_arm_are_refused() -> None:
    evidence = without(fabricate(), "formants")
    member = evidence.members[(evidence.members["arm"].str.endswith("formants · 6000 parameters · plain · L2"))]
    one = member.loc[member["phase"] == "confirm", "key"].iloc[0]
    runs = evidence.runs.copy()
    runs.loc[runs["key"] == one, "hyperparameters"] = '{"learning_rate": 0.5}'
    found = of(analyse(dataclasses.replace(evidence, runs=runs)), "formants")
    assert found.reason == "incomplete: depth 2 was confirmed with more than one setting"


@pytest.mark.parametrize(
    "task, effects, reason",
    [
        ("formants", {1: 0.10, 2: 0.15, 4: 0.05}, "too hard: the best median skill, 0.15, is below 0.2"),
        ("formants", {1: 0.97, 2: 0.99, 4: 0.98}, "too easy: the worst median skill, 0.97, is above 0.95"),
        ("recall", {1: 0.97, 2: 0.97, 4: 0.89}, "too hard for a null control: a median skill of 0.89 is below 0.9"),
        ("equity_variance", {1: 0.0, 2: -0.01, 4: 0.0}, "too hard: no depth beats the trivial predictor"),
    ],
)
def test_uninformative_tasks(task: str, effects: dict[int, float], reason: str) -> None:
    found = only(task, effects={task: effects}, noise={"formants": 0.002, "equity_variance": 0.02})
    assert found.verdict == "undecided" and found.reason.startswith(reason)


def test_only_the_worse_arm_makes_a_task_too_easy_and_only_the_better_one_too_hard() -> None:
    assert only("formants", effects={"formants": {1: 0.90, 2: 0.98, 4: 0.97}}).verdict == "deeper"
    assert only("formants", effects={"formants": {1: 0.10, 2: 0.30, 4: 0.05}}).verdict == "deeper"


def test_a_null_control_may_be_easy() -> None:
    assert of(plain(), "recall").verdict == "no practical difference"
    assert (arm(plain(), "recall", 4).score_median or 0) > 0.95


def test_an_optimum_at_the_edge_is_not_tuned() -> None:
    found = analyse(without(fabricate(edge=[("formants", 4)]), "formants"))
    assert of(found, "formants").reason == "not tuned: the best learning rate of depth 4 is the largest asked (0.1)"
    assert arm(found, "formants", 4).at_edge and not arm(found, "formants", 2).at_edge
    assert any("L4 was confirmed at another setting" in note for note in found.notes)


def test_convergence_is_checked_where_it_was_run() -> None:
    how = {"purpose": "study", "looks": (10,)}
    stable = only("formants", converge={"formants": {1: 0.65, 2: 0.75, 4: 0.71}}, **how)
    assert stable.verdict == "deeper" and "converged at 400 steps" in stable.sentence
    moving = only("formants", converge={"formants": {1: 0.60, 2: 0.76, 4: 0.66}}, **how)
    assert moving.reason.startswith("not converged: with twice the steps depth 2 against depth 1 moves by +0.0")
    unchecked = only("formants", **how)
    assert unchecked.verdict == "deeper" and ", at 400 steps:" in unchecked.sentence


def test_more_divergence_is_less_reliable() -> None:
    """Nine seeds so much better that a diverged tenth leaves depth 2 ahead, but not as often trained."""
    how: dict[str, Any] = {"effects": {"formants": {1: 0.25, 2: 0.9, 4: 0.25}}}
    found = only("formants", diverged=[("formants", 2, "", 0)], **how)
    assert found.pairs[0].judged == "better" and found.pairs[0].successes == 9
    assert found.verdict == "undecided" and found.reason.startswith("less reliable: depth 2 is better with 9 trainings")
    even = only("formants", diverged=[("formants", 2, "", 0), ("formants", 1, "", 1)], **how)
    assert (even.verdict, even.depths) == ("deeper", [2])


def test_smoke_claims_nothing() -> None:
    found = analyse(without(fabricate(purpose="smoke"), "recall", "formants"))
    assert {c.verdict for c in found.contrasts} == {"no claim"}
    assert all(c.sentence.startswith("No claim") for c in found.contrasts)
    assert found.headline == "No claim: a smoke study only tests the machinery."


def test_a_copy_of_depth_1_that_differs_is_never_deeper() -> None:
    evidence = without(fabricate(), "recall")
    evidence = dataclasses.replace(evidence, study={**evidence.study, "a_a": "recall"})
    members = evidence.members.copy()
    copy = (members["task"] == "recall") & (members["replica"] == "aa")
    runs = evidence.runs.copy()
    runs.loc[runs["key"].isin(members.loc[copy, "key"]), "test_loss"] -= 0.06
    found = analyse(dataclasses.replace(evidence, runs=runs))
    a_a = next(c for c in found.contrasts if c.role == "A/A")
    assert (a_a.verdict, a_a.pairs[0].judged, a_a.depths) == ("undecided", "better", [])
    assert "A/A on recall" in found.headline and found.headline.endswith("The answer is withheld.")


# --- what is said ------------------------------------------------------------------------------------------------


def test_the_sentence_of_a_screen() -> None:
    sentence = of(plain(), "formants").sentence
    opening = (
        "Screening, 6,023 parameters, 400 steps, equal parameters only: on formants, deeper (depths 2 and 4 better"
    )
    assert sentence.startswith(opening) and "equal state not tested" in sentence
    pair = of(plain(), "formants").pairs[0]
    assert f"depth 2 {pair.difference:+.3f} [{pair.low:+.3f}, {pair.high:+.3f}]" in sentence and "of skill" in sentence
    assert plain().headline.startswith(sentence) and of(plain(), "equity_variance").sentence in plain().headline


def test_deeper_is_read_against_equal_state() -> None:
    both = analyse(without(fabricate(purpose="study", match=("parameters", "state")), "formants"))
    assert "at equal state too for depths 2 and 4" in of(both, "formants").sentence
    evidence = without(fabricate(purpose="study", match=("parameters", "state")), "formants")
    members = evidence.members
    flat = members["key"][(members["match"] == "state") & (members["phase"] == "confirm")]
    runs = evidence.runs.copy()
    one = runs["key"].isin(flat)
    runs.loc[one, "test_loss"] = 0.8 + 0.01 * (runs.loc[one, "seed"] % 3).astype(float)
    memory = analyse(dataclasses.replace(evidence, runs=runs))
    assert of(memory, "formants", "state").verdict == "no practical difference"
    assert "deeper at equal parameters, not separable from more state" in of(memory, "formants").sentence
    assert "not separable from more state" in of(memory, "formants").reason


def test_undecided_asks_for_seeds_by_the_spread_and_not_the_effect() -> None:
    found = only("formants", effects={"formants": {1: 0.60, 2: 0.61, 4: 0.605}}, noise={"formants": 0.03})
    widest = max(pair.spread or 0 for pair in found.pairs)
    assert found.more_seeds == power.more_seeds(widest, 10, 0.02, 0.025, 2)
    assert found.reason == f"{found.more_seeds} more seeds"


def test_a_flip_on_the_second_metric_is_printed() -> None:
    evidence = without(fabricate(), "formants")
    runs = evidence.runs.copy()
    runs["second_metric"] = 1 - runs["second_metric"]
    found = analyse(dataclasses.replace(evidence, runs=runs))
    assert of(found, "formants").flips_on_second_metric
    assert "formants: the second metric (error rate) points the other way." in found.notes


def test_batches_that_differ_between_depths_withhold_the_answer() -> None:
    evidence = without(fabricate(), "formants")
    runs = evidence.runs.copy()
    runs.loc[runs["depth"] == 4, "order_hash"] = "other"
    found = analyse(dataclasses.replace(evidence, runs=runs))
    assert found.headline.startswith("The comparison is not fair: equal data and order: formants (budget 6,000): ")
    assert "different batches" in found.headline and found.headline.endswith("The answer is withheld.")
    assert all(check.passed is not False for check in plain().checks)


def test_exploratory_is_said_first() -> None:
    evidence = without(fabricate(), "formants")
    state = {**evidence.study["state"], "exploratory": "family changed after looking"}
    found = analyse(dataclasses.replace(evidence, study={**evidence.study, "state": state}))
    assert found.exploratory == "family changed after looking"
    assert found.headline.startswith("Exploratory: family changed after looking. Instrument not checked")


def test_an_arm_reports_its_setting_curve_tuning_and_cost() -> None:
    one = arm(plain(), "formants", 2)
    assert one.hyperparameters["learning_rate"] == LEARNING_RATES[PEAK]
    assert [rate for rate, _ in one.tuning] == LEARNING_RATES
    assert max(one.tuning, key=lambda item: item[1])[0] == LEARNING_RATES[PEAK]
    assert [step for step, *_ in one.curve] == list(range(50, 401, 50))
    assert all(low <= mean <= high for _, mean, low, high in one.curve)
    assert (one.width, one.parameters, one.state_size, one.seconds) == (24, 6020, 48, 1.2)
    scores = np.array([score for _, score in one.scores])
    t = stats.ttest_1samp(scores, 0.0).confidence_interval(0.95)
    assert one.score_mean == pytest.approx(scores.mean()) and one.score_median == pytest.approx(np.median(scores))
    assert (one.score_low, one.score_high) == pytest.approx((t.low, t.high))
    assert [a.replica for a in plain().arms if a.task == "recall"] == ["", "aa", "", ""]
