"""The exchange rate of depth for width: how much larger one layer must be to score what L layers do (PROTOCOL 17)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from benchmark.analysis.curves import Curves, curves, place, reach, rising
from benchmark.analysis.estimates import Rate, Ratio, Reached
from benchmark.analysis.scores import Scores, expanded, percentiles


def rates(contrasts: Sequence[Scores], purpose: str, alpha: float = 0.05) -> list[Rate]:
    """The exchange rate of every task, match, variant, deeper depth and budget; the order given does not matter.

    The interval is an expanded percentile bootstrap over seeds, the same seeds for both depths and all budgets. Where
    there are too few tuned budgets, one `Rate` a depth says what is needed.
    """
    return [rate for found in curves(contrasts, purpose) for rate in _rates(found, alpha)]


def _rates(found: Curves, alpha: float) -> list[Rate]:
    first, depth = found.first, found.depth
    sizes, widths = found.costs("parameters", 1), found.costs("width", 1)
    deeper_sizes = found.costs("parameters", depth)
    reason = found.reason
    if not reason and not np.isfinite([*sizes, *widths, *deeper_sizes]).all():
        reason = "needs study: parameters and widths were not recorded at every budget"
    elif not reason and not (np.diff(sizes) > 0).all():
        reason = "needs study: a larger budget gave depth 1 no larger network"
    if reason:
        sentence = f"{place(first)}, exchange rate of depth {depth}: {reason}"
        return [_rate(first, depth, limits=found.limits, reason=reason, sentence=sentence)]
    means, wanted = found.one_layer.mean(axis=0), found.deeper.mean(axis=0)
    limits = found.limits + _falls(found, means)
    drawn, drawn_wanted = rising(found.drawn(found.one_layer)), found.drawn(found.deeper)
    level = expanded(alpha, found.counts.shape[1])
    rates = []
    for at, one in enumerate(found.budgets):
        point = float(reach(sizes, rising(means)[None], wanted[at : at + 1])[0])
        ends = [point, *percentiles(reach(sizes, drawn, drawn_wanted[:, at]), level)]
        needed = [math.exp(end) if math.isfinite(end) else None for end in ends]
        # A width between two tested ones, by the same rule as the curve: straight on logarithms.
        width = [
            None if n is None else float(np.exp(np.interp(np.log(n), np.log(sizes), np.log(widths)))) for n in needed
        ]
        rates.append(
            _rate(
                one, depth, budget=one.budget,
                reached="inside" if math.isfinite(point) else "above" if point > 0 else "below",
                parameters=_ratio(needed, float(deeper_sizes[at])), wider=_ratio(width, float(widths[at])),
                width=width[0], smallest=float(sizes[0] / deeper_sizes[at]),
                largest=float(sizes[-1] / deeper_sizes[at]), limits=limits,
            )
        )  # fmt: skip
    return [dataclasses.replace(rate, sentence=_sentence(rate, sizes)) for rate in rates]


def _rate(
    one: Scores,
    depth: int,
    *,
    limits: list[str],
    budget: int = 0,
    reached: Reached = "",
    parameters: Ratio | None = None,
    wider: Ratio | None = None,
    width: float | None = None,
    smallest: float | None = None,
    largest: float | None = None,
    reason: str = "",
    sentence: str = "",
) -> Rate:
    return Rate(
        task=one.task, role=one.role, match=one.match, variant=one.variant, kind=one.kind, depth=depth, budget=budget,
        reached=reached, parameters=parameters, wider=wider, width=width, smallest=smallest, largest=largest,
        reason=reason, limits=limits, sentence=sentence or place(one),
    )  # fmt: skip


def _ratio(values: Sequence[float | None], over: float) -> Ratio:
    value, low, high = (None if value is None else value / over for value in values)
    return Ratio(value=value, low=low, high=high)


def _falls(found: Curves, means: np.ndarray) -> list[str]:
    budgets = [f"{one.budget:,}" for one in found.budgets]
    falls = [f"{budgets[at]} and {budgets[at + 1]}" for at in np.flatnonzero(np.diff(means) < 0)]
    if not falls:
        return []
    return [f"the score of depth 1 falls between budgets {', '.join(falls)}: the nearest rising curve is read"]


def _sentence(rate: Rate, sizes: np.ndarray) -> str:
    opening = f"{rate.sentence}, budget {rate.budget:,}: one layer"
    parameters, wider = rate.parameters, rate.wider
    if parameters is None or wider is None:
        return opening
    if rate.reached == "inside":
        return (
            f"{opening} scores what {rate.depth} layers score with {_times(parameters)} their parameters, "
            f"{_times(wider)} as wide as one layer of this budget"
        )
    if rate.reached == "above":
        low = "" if parameters.low is None else f", interval from {parameters.low:.2f}"
        return (
            f"{opening} does not score what {rate.depth} layers score: not reached, > largest tested "
            f"({sizes[-1]:,.0f} parameters, {rate.largest:.2f} times theirs{low})"
        )
    high = "" if parameters.high is None else f", interval up to {parameters.high:.2f}"
    return (
        f"{opening} scores more than {rate.depth} layers at every tested size: < smallest tested "
        f"({sizes[0]:,.0f} parameters, {rate.smallest:.2f} times theirs{high})"
    )


def _times(found: Ratio) -> str:
    low = "< smallest tested" if found.low is None else f"{found.low:.2f}"
    high = "> largest tested" if found.high is None else f"{found.high:.2f}"
    return f"{found.value:.2f} [{low}, {high}] times"
