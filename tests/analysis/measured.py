"""Tables of timescales with a known truth, for fabricated evidence: every trace is an exponential."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from benchmark.analysis.decay import HALF, ONE_OVER_E, area, time_to
from benchmark.evidence import Evidence, frame

HalfLife = Callable[[str, str, int, int], float]
"""(state, network, layer from 0, seed) -> the half-life of that trace; 0 is a layer that hears nothing."""
WINDOW = 20
SITES = 1000


def with_timescales(
    evidence: Evidence,
    half_lives: Mapping[str, HalfLife],
    *,
    seeds: int = 10,
    depths: Collection[int] = (1, 2),
    rise: Callable[[int, int], float] = lambda layer, seed: 0.1,
    window: Callable[[int], int] = lambda seed: WINDOW,
) -> Evidence:
    """The evidence with measured networks of the tasks named, at `depths`; `rise` is the ablation's."""
    curves: list[dict[str, Any]] = []
    layers: list[dict[str, Any]] = []
    members = evidence.members
    confirmed = members[(members["phase"] == "confirm") & (members["replica"] == "") & (members["seed"] < seeds)]
    confirmed = confirmed[confirmed["task"].isin(half_lives) & confirmed["depth"].isin(depths)]
    for row in confirmed.drop_duplicates("key").itertuples():
        for layer in range(row.depth):
            place = {"key": row.key, "task": row.task, "depth": row.depth, "layer": layer}
            for network in ("trained", "untrained"):
                for state in ("h", "c"):
                    here = {**place, "state": state, "network": network}
                    found = trace(half_lives[row.task](state, network, layer, row.seed), window(row.seed))
                    curves += [
                        {**here, "lag": lag, "distance": value, "low": value, "high": value}
                        for lag, value in enumerate(found)
                    ]
                    layers += [{**here, "sites": SITES, **measure} for measure in measures(found)]
            ablated = {"state": "", "network": "trained", "measure": "ablation", "censored": False}
            layers.append({**place, **ablated, "value": rise(layer, row.seed)})
    return dataclasses.replace(evidence, timescales=frame(curves, "timescales"), layers=frame(layers, "layers"))


def trace(half_life: float, window: int) -> np.ndarray:
    """Half as far apart after every half-life, from a height of 0.4."""
    lags = np.arange(window + 1)
    return 0.4 * 0.5 ** (lags / half_life) if half_life else np.zeros(len(lags))


def measures(curve: np.ndarray) -> list[dict[str, Any]]:
    """Rows as `strata timescales` writes them."""
    found = []
    for name, value in (
        ("half_life", float(time_to(HALF, curve))),
        ("one_over_e", float(time_to(ONE_OVER_E, curve))),
        ("area", float(area(curve))),
    ):
        known = None if math.isnan(value) else min(value, float(len(curve) - 1)) if name != "area" else value
        found.append({"measure": name, "value": known, "censored": math.isinf(value)})
    return found
