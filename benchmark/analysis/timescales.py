"""At what timescale does each layer work, and did training make the upper ones slower?

Stacking alone spreads the timescales of layers: an upper layer of an untrained stack reacts later and longer than a
lower one. So only the trained network minus the same network at initialisation speaks of what was learned, and the
networks of an arm, not the sites in them, are the units.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from benchmark.analysis.decay import HALF, ONE_OVER_E, area, time_to
from benchmark.analysis.intervals import student
from benchmark.analysis.scores import expanded, percentiles, resamples
from benchmark.analysis.separation import adjusted, separations
from benchmark.analysis.traces import (
    NETWORKS,
    STATES,
    Duration,
    LayerAblation,
    LayerTrace,
    Network,
    Separation,
    State,
    Timescale,
)
from benchmark.evidence import Evidence
from benchmark.spec import same_loss

PLACE = ["task", "budget", "match", "variant", "depth"]
POINTS = 41
"""A curve keeps about so many of its lags, its peak among them: more than a picture can show."""


def timescales(evidence: Evidence) -> list[Timescale]:
    """One `Timescale` for every arm with measured networks, in order; empty where none were measured."""
    if evidence.timescales is None or evidence.layers is None:
        return []
    measured = set(evidence.timescales["key"]) & set(evidence.layers["key"])
    members = evidence.members[~evidence.members["superseded"].fillna(False).astype(bool)]
    members = members[(members["phase"] == "confirm") & (members["replica"].fillna("") == "")]
    members = members[members["key"].isin(measured)].sort_values([*PLACE, "seed"], kind="stable")
    alpha, purpose = evidence.study["analysis"]["alpha"], evidence.study["purpose"]
    found = [_arm(arm, evidence, alpha) for _, arm in members.groupby(PLACE, sort=False)]
    replicates = dict(zip(evidence.runs["task"], evidence.runs["replicates"], strict=True))
    return [_said(one, purpose, replicates[one.task]) for one in adjusted(found, alpha)]


def _arm(members: pd.DataFrame, evidence: Evidence, alpha: float) -> Timescale:
    assert evidence.timescales is not None and evidence.layers is not None
    first, keys = members.iloc[0], list(dict.fromkeys(members["key"]))
    runs = evidence.runs.set_index("key").loc[keys]
    curves = evidence.timescales[evidence.timescales["key"].isin(keys)]
    layers = evidence.layers[evidence.layers["key"].isin(keys)]
    window = int(curves.groupby("key")["lag"].max().min())
    others, apart = _other_networks(layers, runs)
    distances = _table(curves[curves["lag"] <= window], keys, "distance", list(range(window + 1)), "lag")
    values, censored = (
        _table(layers, keys, column, ["half_life", "area"], "measure") for column in ("value", "censored")
    )
    return Timescale(
        task=str(first["task"]),
        budget=int(first["budget"]),
        match=str(first["match"]),
        variant=str(first["variant"]),
        depth=int(first["depth"]),
        width=int(runs["width"].iloc[0]),
        seeds=[int(seed) for seed in members.drop_duplicates("key")["seed"]],
        window=window,
        sites=int(layers.groupby("key")["sites"].max().sum()),
        metric=str(runs["metric"].iloc[0]),
        unit=str(runs["unit"].iloc[0]),
        traces=_traces(distances, censored[..., 0] > 0, alpha),
        ablations=_ablations(layers, runs, alpha),
        separations=[] if first["depth"] == 1 else separations(values, censored[..., 0] > 0, alpha),
        other_networks=others,
        other_loss=apart,
        limits=[],
        sentence="",
    )


def _other_networks(layers: pd.DataFrame, runs: pd.DataFrame) -> tuple[int, float | None]:
    """Another processor computes other last digits, and after some thousand steps that is another network."""
    made = layers[layers["measure"] == "validation_loss"].set_index("key")["value"].astype(float)
    judged = runs["validation_loss"].astype(float).reindex(made.index)
    others = sum(not same_loss(*pair) for pair in zip(made, judged, strict=True))
    gain = _gain(runs)
    return others, float((made - judged).abs().max()) / gain if others and gain > 0 else None


def _gain(runs: pd.DataFrame) -> float:
    """What is learned, in the task's unit: validation loss below that of the trivial predictor."""
    return float((runs["trivial_validation_loss"] - runs["validation_loss"]).astype(float).mean())


def _table(table: pd.DataFrame, keys: Sequence[str], column: str, names: Sequence[object], by: str) -> np.ndarray:
    """`(networks, states, layers, keys, names)` of one column, NaN where there is no number."""
    layers = sorted(set(table["layer"]))
    rows = table[table[by].isin(names)].astype({column: "Float64"})
    wide = rows.pivot(index=["network", "state", "layer", "key"], columns=by, values=column)
    order = pd.MultiIndex.from_product([NETWORKS, STATES, layers, keys])
    values = wide.reindex(index=order, columns=names).to_numpy(dtype=float, na_value=np.nan)
    return values.reshape(len(NETWORKS), len(STATES), len(layers), len(keys), len(names))


def _traces(distances: np.ndarray, censored: np.ndarray, alpha: float) -> list[LayerTrace]:
    """`distances` `(networks, states, layers, keys, lags)`; `censored` the same of half-lives, without lags."""
    keys, window = distances.shape[3], distances.shape[4] - 1
    counts = resamples(keys, "timescales") / keys
    even = np.linspace(0, window, min(POINTS, window + 1)).round().astype(int)
    found = []
    for network, state, layer in np.ndindex(*distances.shape[:3]):
        mean = distances[network, state, layer].mean(axis=0)
        drawn = counts @ distances[network, state, layer]
        shown = np.union1d(even, mean.argmax())
        found.append(
            LayerTrace(
                layer=layer + 1,
                state=STATES[state],
                network=NETWORKS[network],
                half_life=_duration(time_to(HALF, mean), time_to(HALF, drawn), keys, window, alpha),
                one_over_e=_duration(time_to(ONE_OVER_E, mean), time_to(ONE_OVER_E, drawn), keys, window, alpha),
                area=_duration(area(mean), area(drawn), keys, window + 1, alpha),
                censored=int(censored[network, state, layer].sum()),
                curve=[(int(lag), float(mean[lag]), *_ends(drawn[:, lag], keys, alpha)) for lag in shown],
            )
        )
    return found


def _ends(draws: np.ndarray, networks: int, alpha: float) -> tuple[float | None, float | None]:
    """The interval over networks: one network has none, nor has a layer that hears nothing in some draws."""
    if networks < 2 or np.isnan(draws).any():
        return None, None
    low, high = percentiles(draws, expanded(alpha, networks))
    return low, _finite(high)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _duration(value: np.ndarray, draws: np.ndarray, networks: int, window: int, alpha: float) -> Duration:
    if np.isnan(value):
        return Duration(value=None, low=None, high=None)
    low, high = _ends(draws, networks, alpha)
    low = None if low is None else min(low, float(window))
    return Duration(value=float(np.minimum(value, window)), low=low, high=high, outlasts=bool(np.isinf(value)))


def _ablations(layers: pd.DataFrame, runs: pd.DataFrame, alpha: float) -> list[LayerAblation]:
    gain = _gain(runs)
    found = []
    ablated = layers[layers["measure"] == "ablation"].sort_values("key")
    for layer in sorted(set(ablated["layer"])):
        values = ablated.loc[ablated["layer"] == layer, "value"].to_numpy(dtype=float)
        low, high = student(values, alpha) or (None, None)
        rise = float(values.mean())
        share = rise / gain if gain > 0 else None
        found.append(LayerAblation(layer=int(layer) + 1, increase=rise, low=low, high=high, share=share))
    return found


def _said(one: Timescale, purpose: str, replicates: str) -> Timescale:
    limits = []
    if purpose == "screen":
        limits.append("a screen: it supports no claim")
    if one.other_networks:
        limits.append("networks of the same recipe, trained again on another machine, stand for the judged ones")
    if len(one.seeds) == 1:
        limits.append("one network only: no interval over networks")
    if lasting := max((each.censored for each in one.separations), default=0):
        limits.append(
            f"in {lasting} of {len(one.seeds)} networks a half-life of the top or lowest layer outlasts the window of "
            f"{one.window} steps, and stands at it"
        )
    if replicates != "seeds":
        limits.append("fixed data: the networks differ in initial weights, order of batches and fold alone")
    return dataclasses.replace(one, limits=limits, sentence=_sentence(one, purpose))


def _sentence(one: Timescale, purpose: str) -> str:
    networks = f"{len(one.seeds)} network{'s' * (len(one.seeds) != 1)}"
    layers = f"{one.depth} layer{'s' * (one.depth > 1)}"
    place = f"{one.task}{'' if one.variant == 'plain' else f' ({one.variant})'}, budget {one.budget:,}"
    if one.match != "parameters":
        place += f", equal {'FLOPs' if one.match == 'flops' else one.match}"
    opening = f"On {place}, {networks} of {layers}"
    if purpose == "smoke":
        return f"{opening}: no claim, a smoke study only tests the machinery"
    if one.depth == 1:
        lasting = [f"{_half_lives(one, state, 'trained')} in {state}" for state in STATES]
        return f"{opening}: the half-life is {' and '.join(lasting)}"
    told = [
        f"in {each.state}, layers have half-lives of {_half_lives(one, each.state, 'trained')}, "
        f"and of {_half_lives(one, each.state, 'untrained')} untrained, so that training multiplied the highest over "
        f"the lowest by {_ratio(each)}: {_answer(each)}"
        for each in one.separations
    ]
    return f"{opening}: {'; '.join(told)}"


def _half_lives(one: Timescale, state: State, network: Network) -> str:
    found = [one.trace(layer + 1, state, network).half_life for layer in range(one.depth)]
    return f"{', '.join(_written(each) for each in found)} steps"


def _written(found: Duration) -> str:
    if found.value is None:
        return "none"
    return f"{'> ' * found.outlasts}{found.value:.1f}"


def _ratio(one: Separation) -> str:
    if one.ratio is None or one.p_adjusted is None:
        return "an unknown factor"
    low = "(0" if one.low is None else f"[{one.low:.2f}"
    high = "∞)" if one.high is None else f"{one.high:.2f}]"
    return f"{one.ratio:.2f} {low}, {high} (p {one.p_adjusted:.3f})"


def _answer(one: Separation) -> str:
    if one.answer == "undecided":
        return f"undecided, {one.reason}"
    return f"against the lowest, it made upper layers {one.answer}"
