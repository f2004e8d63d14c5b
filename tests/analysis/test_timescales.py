"""The timescales of layers: known half-lives come back, SciPy agrees, and a censored one makes no claim."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from benchmark.analysis.analyse import analyse
from benchmark.analysis.separation import separations
from benchmark.analysis.timescales import timescales
from benchmark.analysis.traces import Separation, Timescale
from benchmark.evidence import Evidence
from tests.analysis.fabricate import fabricate
from tests.analysis.measured import SITES, WINDOW, HalfLife, with_timescales

FORMANTS = fabricate()


def slower(times: float, noise: float = 0.0) -> HalfLife:
    """Untrained, every layer's half-life is 1.5 times that of the one below; training multiplies that by `times`."""

    def half_life(state: str, network: str, layer: int, seed: int) -> float:
        own = np.random.default_rng([seed, layer, state == "h", network == "trained"]).normal(0, noise)
        learned = times**layer if network == "trained" else 1.0
        return float(2.0 * 1.5**layer * learned * np.exp(own))

    return half_life


def of(evidence: Evidence, depth: int, task: str = "formants") -> Timescale:
    (found,) = (one for one in timescales(evidence) if (one.task, one.depth) == (task, depth))
    return found


def hidden(one: Timescale) -> Separation:
    return one.separations[0]


def test_evidence_without_measured_networks_is_analysed_as_before() -> None:
    assert timescales(FORMANTS) == [] and timescales(with_timescales(FORMANTS, {})) == []


def test_known_half_lives_come_back_layer_by_layer() -> None:
    found = timescales(with_timescales(FORMANTS, {"formants": slower(1.3)}, depths=(1, 2, 4)))
    assert [one.depth for one in found] == [1, 2, 4]
    for one in found:
        assert one.window == WINDOW and one.seeds == list(range(10)) and one.sites == 10 * SITES
        assert len(one.traces) == 4 * one.depth and len(one.ablations) == one.depth
        for trace in one.traces:
            truth = slower(1.3)(trace.state, trace.network, trace.layer - 1, 0)
            if truth < WINDOW:
                assert trace.half_life.value == pytest.approx(truth) and not trace.half_life.outlasts
                assert trace.half_life.low == pytest.approx(truth) and trace.half_life.high == pytest.approx(truth)
            else:
                assert trace.half_life.outlasts and trace.half_life.value == WINDOW and trace.censored == 10
            keep = 0.5 ** (1 / truth)
            assert trace.area.value == pytest.approx((1 - keep ** (WINDOW + 1)) / (1 - keep))
            assert trace.curve[0][:2] == (0, pytest.approx(0.4)) and trace.curve[-1][0] == WINDOW
    assert found[0].separations == []


@settings(max_examples=15)
@given(arrays(float, (2, 2, 2, 9, 2), elements=st.integers(1, 40).map(lambda step: step / 2)))
def test_the_separation_is_scipys_sign_flip_of_log_ratios(values: np.ndarray) -> None:
    """`(networks, states, layers, keys, measures)`; h and c the same, so that max-T over them is each one's own."""
    values[:, 1] = values[:, 0]
    ratios = values[:, 0, 1] / values[:, 0, 0]
    half_lives, areas = np.log(ratios[0] / ratios[1]).T
    for each in separations(values, np.zeros(values.shape[:4], dtype=bool), 0.05):
        assert each.ratio == pytest.approx(math.exp(half_lives.mean()))
        assert each.area_ratio == pytest.approx(math.exp(areas.mean()))
        for p, learned in ((each.p, half_lives), (each.area_p, areas)):
            flipped = stats.permutation_test((learned,), np.mean, permutation_type="samples", n_resamples=np.inf)
            assert p == pytest.approx(flipped.pvalue, abs=2 / 2**9)  # SciPy's ties are not ours to the last bit
        assert each.low and each.high and each.ratio and each.p is not None
        assert each.low <= each.ratio * (1 + 1e-9) and each.ratio <= each.high * (1 + 1e-9)
        assert (each.low > 1 or each.high < 1) == (each.p <= 0.05)


def test_training_that_changes_nothing_is_exactly_nothing() -> None:
    def same(state: str, network: str, layer: int, seed: int) -> float:
        return slower(1.0, noise=0.3)(state, "trained", layer, seed)

    for each in of(with_timescales(FORMANTS, {"formants": same}), 2).separations:
        assert (each.ratio, each.low, each.high, each.p) == (1.0, 1.0, 1.0, 1.0)
        assert (each.area_ratio, each.area_p) == (1.0, 1.0)
        assert each.answer == "undecided" and each.reason == "within what chance gives"


@pytest.mark.parametrize(("times", "answer"), [(1.5, "slower"), (0.6, "faster")])
def test_upper_layers_are_called_slower_only_against_the_untrained(times: float, answer: str) -> None:
    """Untrained upper layers are slower already; trained ones are too, in both cases."""
    one = of(with_timescales(FORMANTS, {"formants": slower(times, noise=0.05)}), 2)
    assert [each.answer for each in one.separations] == [answer, answer]
    assert f"it made upper layers {answer}" in one.sentence and "a screen: it supports no claim" in one.limits


@pytest.mark.parametrize(
    ("layer", "network", "times", "answer"),
    [
        (1, "trained", 4.0, "slower"),  # longer than its number: the ratio is understated
        (0, "trained", 4.0, "undecided"),  # the lowest may be the slower one
        (1, "untrained", 4.0, "undecided"),
        (0, "untrained", 4.0, "slower"),
        (1, "trained", 0.25, "undecided"),
        (0, "trained", 0.25, "faster"),
    ],
)
def test_a_half_life_that_outlasts_the_window_claims_nothing_it_could_undo(
    layer: int, network: str, times: float, answer: str
) -> None:
    def half_life(state: str, of: str, at: int, seed: int) -> float:
        if seed == 3 and (at, of) == (layer, network):
            return 5.0 * WINDOW
        return slower(times, noise=0.02)(state, of, at, seed)

    one = of(with_timescales(FORMANTS, {"formants": half_life}), 2)
    for each in one.separations:
        assert each.p_adjusted is not None and each.p_adjusted <= 0.05 and each.censored == 1
        assert each.answer == answer and each.overstated == (answer == "undecided")
        assert answer != "undecided" or "in 1 of 10 networks a half-life outlasts the window" in each.reason
    assert one.trace(layer + 1, "h", network).censored == 1  # type: ignore[arg-type]


def test_a_layer_that_hears_nothing_has_no_half_life() -> None:
    def half_life(state: str, network: str, layer: int, seed: int) -> float:
        return 0.0 if layer == 1 and network == "trained" else 3.0

    one = of(with_timescales(FORMANTS, {"formants": half_life}), 2)
    trace = one.trace(2, "h", "trained")
    assert trace.half_life.value is None and not trace.half_life.outlasts and trace.area.value is None
    for each in one.separations:
        assert each.ratio is None and each.answer == "undecided" and "hears nothing" in each.reason
    assert "an unknown factor" in one.sentence and "none" in one.sentence


def test_arms_share_the_error_of_the_study() -> None:
    alone = with_timescales(FORMANTS, {"formants": slower(1.5, noise=0.05)})
    several = with_timescales(FORMANTS, {task: slower(1.5, noise=0.05) for task in ("formants", "equity_variance")})
    own, shared = hidden(of(alone, 2)), hidden(of(several, 2))
    assert own.p and own.p == shared.p and own.p_adjusted and shared.p_adjusted
    assert own.p_adjusted == pytest.approx(own.p) and shared.p_adjusted == pytest.approx(2 * own.p)
    assert any("fixed data" in limit for limit in of(several, 2, "equity_variance").limits)


def test_arms_with_too_few_networks_take_no_share_of_the_error() -> None:
    several = with_timescales(FORMANTS, {task: slower(1.5, noise=0.05) for task in ("formants", "equity_variance")})
    assert several.timescales is not None and several.layers is not None
    members = several.members
    dropped = set(members.loc[(members["task"] == "equity_variance") & (members["seed"] >= 5), "key"])
    fewer = dataclasses.replace(
        several,
        timescales=several.timescales[~several.timescales["key"].isin(dropped)],
        layers=several.layers[~several.layers["key"].isin(dropped)],
    )
    tested, shown = hidden(of(fewer, 2)), hidden(of(fewer, 2, "equity_variance"))
    assert tested.p_adjusted == pytest.approx(tested.p) and tested.answer == "slower"
    assert shown.answer == "undecided" and "5 networks cannot reach significance" in shown.reason
    assert shown.ratio == pytest.approx(hidden(of(several, 2, "equity_variance")).ratio, rel=0.2)


def test_few_networks_claim_nothing_and_one_has_no_interval() -> None:
    five = of(with_timescales(FORMANTS, {"formants": slower(3.0)}, seeds=5), 2)
    assert hidden(five).answer == "undecided" and "5 networks cannot reach significance" in hidden(five).reason
    one = of(with_timescales(FORMANTS, {"formants": slower(3.0)}, seeds=1), 2)
    assert "one network only: no interval over networks" in one.limits
    assert one.traces[0].half_life.value and one.traces[0].half_life.low is None and one.ablations[0].low is None
    assert hidden(one).low is None and hidden(one).high is None


def test_ablation_is_told_in_the_unit_and_in_what_was_learned() -> None:
    rises = {(layer, seed): 0.1 * (layer + 1) + 0.01 * seed for layer in range(2) for seed in range(10)}
    evidence = with_timescales(
        FORMANTS, {"formants": slower(1.0)}, rise=lambda layer, seed: rises.get((layer, seed), 1.0)
    )
    keys = evidence.members[
        (evidence.members["task"] == "formants")
        & (evidence.members["depth"] == 2)
        & (evidence.members["phase"] == "confirm")
    ]["key"]
    runs = evidence.runs[evidence.runs["key"].isin(keys)]
    gain = (runs["trivial_validation_loss"] - runs["validation_loss"]).mean()
    for one in of(evidence, 2).ablations:
        values = np.array([rises[one.layer - 1, seed] for seed in range(10)])
        assert one.increase == pytest.approx(values.mean()) and one.share == pytest.approx(values.mean() / gain)
        low, high = stats.t.interval(0.95, 9, values.mean(), stats.sem(values))
        assert (one.low, one.high) == (pytest.approx(low), pytest.approx(high))


def test_the_shortest_window_is_read_and_the_order_of_rows_is_not() -> None:
    made = with_timescales(FORMANTS, {"formants": slower(1.2, noise=0.1)}, window=lambda seed: WINDOW - 2 * (seed == 4))
    assert made.timescales is not None and made.layers is not None
    assert of(made, 2).window == WINDOW - 2
    mixed = dataclasses.replace(
        made,
        timescales=made.timescales.sample(frac=1, random_state=0),
        layers=made.layers.sample(frac=1, random_state=1),
    )
    assert timescales(mixed) == timescales(made)


def test_only_confirmed_networks_in_use_count() -> None:
    made = with_timescales(FORMANTS, {"formants": slower(1.2)})
    members = made.members.copy()
    confirmed = (members["task"] == "formants") & (members["phase"] == "confirm")
    members.loc[confirmed & (members["seed"] == 2), "superseded"] = True
    found = of(dataclasses.replace(made, members=members), 2)
    assert found.seeds == [0, 1, 3, 4, 5, 6, 7, 8, 9]
    assert timescales(dataclasses.replace(made, members=members[~confirmed])) == []


def test_a_smoke_study_claims_nothing_and_findings_hold_plain_data() -> None:
    smoke = dataclasses.replace(FORMANTS, study={**FORMANTS.study, "purpose": "smoke"})
    made = with_timescales(smoke, {"formants": slower(2.0)})
    assert all("no claim" in one.sentence for one in timescales(made))
    record = analyse(with_timescales(FORMANTS, {"formants": slower(2.0)})).to_dict()["timescales"]
    assert [one["depth"] for one in record] == [1, 2] and isinstance(record[0]["traces"][0]["half_life"], dict)
