"""What a person with their own series should do, in plain words: layers and cells, what they gain, or no network."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from benchmark.analysis.findings import Advice, Arm
from benchmark.analysis.outcome import Contrast, Pair
from benchmark.analysis.signflip import max_t
from benchmark.analysis.units import by_unit, folds

FAMILY = "own"
"""Tasks that a person brought: these alone are answered with advice; a screen of ours advises nobody (PROTOCOL 22)."""


def advise(contrast: Contrast, arms: Sequence[Arm], confirm: pd.DataFrame, alpha: float) -> Advice | None:
    """The advice that follows from one contrast's verdict; None where depth 1 was not measured.

    `confirm` are the contrast's confirmed rows. The fewest layers are taken that the verdict does not speak against:
    more layers must earn their place.
    """
    depth = contrast.depths[0] if contrast.verdict == "deeper" else 1
    chosen = next((arm for arm in arms if arm.depth == depth and not arm.replica), None)
    if chosen is None or chosen.score_mean is None:
        return None
    found = _over_baselines(confirm, depth, alpha)
    baseline, over, low, high = min(found, key=lambda one: one[1]) if found else ("", None, None, None)
    use = _layers(contrast, chosen)
    if over is None:
        words = [use]
    elif needless := high is not None and high < contrast.margin:
        words = [_baseline(baseline, over, low, high, needless), f"If you use one all the same, {_uncapital(use)}"]
    else:
        words = [use, _baseline(baseline, over, low, high, needless)]
    return Advice(
        task=contrast.task,
        depth=depth,
        width=chosen.width,
        parameters=chosen.parameters,
        learning_rate=chosen.hyperparameters.get("learning_rate"),
        baseline=baseline,
        over_baseline=over,
        low=low,
        high=high,
        words=words,
    )


def _over_baselines(
    confirm: pd.DataFrame, depth: int, alpha: float
) -> list[tuple[str, float, float | None, float | None]]:
    """(baseline, mean score of the network minus it, interval) over folds or seeds, for every strong baseline.

    The intervals are simultaneous: the strongest baseline is picked by the same numbers, and must not gain by it.
    """
    rows = confirm[(confirm["depth"] == depth) & (confirm["replica"] == "") & confirm["scale"].notna()]
    differences: dict[str, dict[int, float]] = {}
    for row in rows.itertuples():
        for name, loss in json.loads(row.baselines or "{}").items():
            differences.setdefault(name, {})[row.seed] = row.score - (row.trivial_loss - loss) / row.scale
    if not differences:
        return []
    units = by_unit(pd.DataFrame(differences), folds(rows))
    flipped = max_t(units.to_numpy(), alpha)
    ends = [[float(end) if np.isfinite(end) else None for end in side] for side in (flipped.low, flipped.high)]
    return [(str(name), float(units[name].mean()), *sides) for name, *sides in zip(units, *ends, strict=True)]


def _layers(contrast: Contrast, chosen: Arm) -> str:
    cells = f"{chosen.depth} layer{'s' * (chosen.depth > 1)}" + (f" of {chosen.width} cells" if chosen.width else "")
    pairs = ", ".join(f"{_words(pair)}" for pair in contrast.pairs)
    if contrast.verdict == "deeper":
        named = next(pair for pair in contrast.pairs if pair.depth == chosen.depth)
        return f"Use {cells}: over one layer of the same size they gain {_gain(named)} of the loss"
    if contrast.verdict == "no practical difference":
        return f"Use {cells}: more layers of the same size make no practical difference ({pairs})"
    if contrast.verdict == "wider":
        return f"Use {cells}: more layers of the same size do not help, and some are worse ({pairs})"
    return f"Use {cells} for now: it is not shown that more layers help or hurt ({pairs}; {contrast.reason})"


def _baseline(name: str, over: float, low: float | None, high: float | None, needless: bool) -> str:
    interval = f"{over:+.3f} [{_end(low)}, {_end(high)}]"
    if needless:
        return f"No LSTM is needed: over the simple predictor '{name}' it gains {interval}, less than the margin"
    if low is None or low <= 0:
        return f"It is not shown that an LSTM is needed: over the simple predictor '{name}' it gains {interval}"
    return f"Over the best simple predictor, '{name}', the network gains {interval} of the loss"


def _words(pair: Pair) -> str:
    return f"{pair.depth} layers {_gain(pair)}"


def _gain(pair: Pair) -> str:
    if pair.difference is None:
        return "not measured"
    return f"{pair.difference:+.3f} [{_end(pair.low)}, {_end(pair.high)}]"


def _uncapital(text: str) -> str:
    return text[:1].lower() + text[1:]


def _end(value: float | None) -> str:
    return "unbounded" if value is None else f"{value:+.3f}"
