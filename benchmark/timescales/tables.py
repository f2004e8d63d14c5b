"""From what was measured on one network to rows of the evidence, with intervals over sequences.

Sites of one sequence are not independent, so sequences are resampled and never sites; where the task says which
sequences belong together (speakers, months), these groups are resampled whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from benchmark.analysis.decay import HALF, ONE_OVER_E, area, time_to
from benchmark.analysis.scores import expanded, percentiles, resamples
from benchmark.timescales.ablate import Ablation
from benchmark.timescales.perturb import STATES, Response, Sites

LEVEL = 0.05
Rows = list[dict[str, Any]]


def membership(groups: np.ndarray | None, count: int) -> np.ndarray:
    """`(units, sequences)`: 1 where a sequence belongs to a unit; a unit is a group, or a sequence without groups."""
    if groups is None or len(np.unique(groups)) < 2:
        return np.eye(count)
    return (np.unique(groups)[:, None] == groups).astype(float)


def traces(response: Response, sites: Sites, groups: np.ndarray | None, place: Mapping[str, Any]) -> tuple[Rows, Rows]:
    """Rows of `timescales` and of `layers` for one network; `place` is what they share.

    `groups` are those of the whole split, or None. The mean distance between unrelated states is resampled with the
    rest, as it is an estimate too.
    """
    curves, layers = [], []
    mine = membership(None if groups is None else groups[sites.sequences], len(sites.sequences))
    sums = np.einsum("un,slntk->sluk", mine, response.distances) / response.distances.shape[3]
    scales = np.einsum("un,sln->slu", mine, response.unrelated)
    counts = resamples(len(mine), "timescales", place["key"])
    level = expanded(LEVEL, len(mine))
    for state, name in enumerate(STATES):
        for layer in range(sums.shape[1]):
            here = {**place, "layer": layer, "state": name}
            curve = _ratio(sums[state, layer].sum(axis=0), scales[state, layer].sum())
            drawn = _ratio(counts @ sums[state, layer], (counts @ scales[state, layer])[:, None])
            for lag, value in enumerate(curve):
                low, high = percentiles(drawn[:, lag], level)
                curves.append({**here, "lag": lag, "distance": float(value), "low": low, "high": high})
            for measure, value, draws in _durations(curve, drawn):
                layers.append(
                    {
                        **here,
                        "measure": measure,
                        "sites": sites.steps.size,
                        **_row(value, draws, level, sites.window),
                    }
                )
    return curves, layers


def ablations(ablation: Ablation, groups: np.ndarray | None, place: Mapping[str, Any]) -> Rows:
    """Rows of `layers` for one network; `groups` are those of the split, or None."""
    mine = membership(groups, len(ablation.whole))
    rises, targets = mine @ (ablation.without - ablation.whole).T, mine @ ablation.targets
    counts, level = resamples(len(mine), "ablation", place["key"]), expanded(LEVEL, len(mine))
    drawn = (counts @ rises) / (counts @ targets)[:, None]
    found = []
    for layer, value in enumerate(ablation.increases()):
        low, high = percentiles(drawn[:, layer], level)
        here = {**place, "layer": layer, "state": "", "measure": "ablation"}
        found.append({**here, "value": float(value), "low": low, "high": high, "censored": False})
    return found


def _ratio(sums: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.divide(sums, scale, out=np.zeros_like(sums), where=scale > 0)


def _durations(curve: np.ndarray, drawn: np.ndarray) -> Iterator[tuple[str, float, np.ndarray]]:
    for measure, share in (("half_life", HALF), ("one_over_e", ONE_OVER_E)):
        yield measure, float(time_to(share, curve)), time_to(share, drawn)
    yield "area", float(area(curve)), area(drawn)


def _row(value: float, draws: np.ndarray, level: float, window: int) -> dict[str, Any]:
    """What outlasts the window is censored there: at least so long, and without an upper end."""
    if np.isnan(value):  # the layer hears nothing: there is no trace to time
        return {"value": None, "low": None, "high": None, "censored": False}
    low, high = percentiles(draws, level)
    return {
        "value": min(value, float(window)),
        "low": min(low, float(window)),
        "high": high if np.isfinite(high) else None,
        "censored": bool(np.isinf(value)),
    }
