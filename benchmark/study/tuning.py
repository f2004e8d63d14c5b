"""How a study tunes: the ranges, and the points that every arm is asked, the same for all of them (PROTOCOL 5)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from benchmark.spec import stream
from benchmark.study.yaml import given

Edge = Literal["low", "high"]

DECADES = {"study": 2.5, "screen": 2.0}
"""Fewest decades of learning rate a purpose may search (PROTOCOL 5 and 22)."""
GRID_POINTS = {"study": 8, "screen": 5}
"""Fewest learning rates a purpose may ask over those decades."""
RERANK = {"study": {"points": 3, "seeds": 3}, "screen": {"points": 2, "seeds": 2}}
"""Best points that are trained again, and on how many tuning seeds, at least."""
SOBOL_POINTS = 16
"""Fewest points once a second dimension is tuned."""
ZERO_SHARE = 0.25
"""Share of the points at which a tuned weight decay or dropout is exactly 0."""
_DEFAULT_RATIO = 10 ** (2.5 / 7)


class Strict(BaseModel):
    """Part of a study: unknown keys, wrong types, infinities and NaN are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class LearningRate(Strict):
    """Range of AdamW's learning rate, searched on a log scale. `points` counts a grid's points; None under sobol."""

    low: Annotated[float, Field(gt=0)]
    high: Annotated[float, Field(gt=0)]
    points: Annotated[int, Field(ge=2, le=1000)] | None = None

    @model_validator(mode="after")
    def _ascends(self) -> LearningRate:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low}) must be below high ({self.high})")
        # Points are rounded to six digits; nearer ones than this would be told apart by nothing that matters.
        if self.points and self.ratio < 1.01:
            raise ValueError(f"{self.points} points from {self.low} to {self.high} lie closer than 1 %")
        return self

    @property
    def decades(self) -> float:
        """log10(high / low)."""
        return math.log10(self.high / self.low)

    @property
    def ratio(self) -> float:
        """From one grid point to the next; without a grid, that of 8 points over 2.5 decades."""
        return (self.high / self.low) ** (1 / (self.points - 1)) if self.points else _DEFAULT_RATIO


class Range(Strict):
    """Range of a second tuned dimension. A quarter of the points are exactly 0 (`zero`), the rest cover low to high."""

    low: Annotated[float, Field(ge=0)]
    high: Annotated[float, Field(gt=0)]
    zero: bool = True

    @model_validator(mode="after")
    def _holds_zero(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low}) must be below high ({self.high})")
        if not self.zero and self.low > 0:
            raise ValueError("zero: false leaves 0 out of the range: a tuned rate must be free to be 0 (PROTOCOL 3)")
        return self


class WeightDecayRange(Range):
    """Range of AdamW's weight decay, log-uniform above 0."""

    low: Annotated[float, Field(gt=0)]


class DropoutRange(Range):
    """Range of the dropout probability, uniform."""

    high: Annotated[float, Field(gt=0, lt=1)]


class Rerank(Strict):
    """The best `points` of an arm are each trained again on `seeds` tuning seeds, and the best mean is chosen."""

    points: Annotated[int, Field(ge=1)]
    seeds: Annotated[int, Field(ge=1)]


def _not_fixed(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value == 0:
            return None
        raise ValueError(
            f"a fixed rate ({given(value)}) acts differently at every depth (PROTOCOL 3): "
            "tune it, {low: ..., high: ...}, or leave it out"
        )
    return value


class Tuning(Strict):
    """Which points every arm is asked. `points` counts Sobol points and is None for a grid."""

    method: Literal["grid", "sobol"] = "grid"
    learning_rate: LearningRate
    weight_decay: Annotated[WeightDecayRange | None, BeforeValidator(_not_fixed)] = None
    dropout: Annotated[DropoutRange | None, BeforeValidator(_not_fixed)] = None
    points: Annotated[int, Field(ge=2, le=4096)] | None = None
    batch: Annotated[int, Field(ge=1)] = 8
    rungs: list[Annotated[float, Field(gt=0, lt=1)]] = Field(default_factory=list)
    """Shares of a training's steps at which the worse half of an arm's points stops; none: all are trained out."""
    rerank: Rerank

    @model_validator(mode="after")
    def _agrees(self) -> Tuning:
        second = [name for name in ("weight_decay", "dropout") if getattr(self, name)]
        if self.method == "grid":
            if second:
                raise ValueError(f"{second[0]} is tuned as a second dimension, which needs method: sobol (PROTOCOL 5)")
            if self.points is not None:
                raise ValueError("points is for method: sobol; a grid's points are learning_rate.points")
            if self.learning_rate.points is None:
                raise ValueError("learning_rate.points is required by method: grid")
        else:
            if self.points is None:
                raise ValueError("points is required by method: sobol")
            if self.learning_rate.points is not None:
                raise ValueError("learning_rate.points is for method: grid; under sobol write points")
        if sorted(set(self.rungs)) != self.rungs:
            raise ValueError(
                f"rungs ({', '.join(map(str, self.rungs))}) must ascend: each is a later share of the steps"
            )
        if self.rerank.points > self.count:
            raise ValueError(f"rerank.points ({self.rerank.points}) is more than the {self.count} points asked")
        return self

    @property
    def count(self) -> int:
        """Points that every arm is asked."""
        count = self.learning_rate.points if self.method == "grid" else self.points
        assert count is not None
        return count

    @property
    def tuned(self) -> list[str]:
        """Names of the tuned hyperparameters, the learning rate first."""
        return ["learning_rate"] + [name for name in ("weight_decay", "dropout") if getattr(self, name)]

    def ask(self, seed: int) -> list[dict[str, float]]:
        """The points in order: hyperparameter name -> value, to six significant digits.

        A grid ascends from low to high. Sobol points are scrambled by the seed alone, so that asking for more leaves
        the first ones as they were.
        """
        rate = self.learning_rate
        if self.method == "grid":
            return [{"learning_rate": _round(rate.low * rate.ratio**k)} for k in range(self.count)]
        return self._sobol(seed, self.count)

    def beyond(self, edge: Edge, seed: int) -> list[dict[str, float]]:
        """Two more points past that edge of the learning rate, nearest first, for all arms of a contrast.

        They step on by the grid's ratio. Under sobol, other dimensions take the values of points 0 and 1, which the
        number of points cannot move.
        """
        rate = self.learning_rate
        others: list[dict[str, float]] = [{}, {}] if self.method == "grid" else self._sobol(seed, 2)
        start, ratio = (rate.high, rate.ratio) if edge == "high" else (rate.low, 1 / rate.ratio)
        return [{**other, "learning_rate": _round(start * ratio ** (k + 1))} for k, other in enumerate(others)]

    def further(self, points: Sequence[Mapping[str, float]], count: int, seed: int) -> list[dict[str, float]]:
        """Points that bring the `points` every arm was asked, an edge's included, up to `count`; none twice.

        The range stays what it was, and no result decides where they lie. A grid of n rates has n - 1 gaps, so that
        no even grid of 2n rates holds the first one: the gaps of the grid, all equal on a log scale, are halved one by
        one, those in the middle of the range first, and when all are halved the halves are. So every gap is halved
        as often as another or once more, and the count is exact. Sobol points go on in their sequence, over the range
        to which an edge may have stretched the first ones.
        """
        rates = sorted(point["learning_rate"] for point in points)
        if self.method == "grid":
            low, high, steps = rates[0], rates[-1], len(rates) - 1
            places = islice(_halvings(steps), max(0, count - len(rates)))
            return [{"learning_rate": _round(_log_between(low, high, place / steps))} for place in places]
        between = min(self.learning_rate.low, rates[0]), max(self.learning_rate.high, rates[-1])
        return self._sobol(seed, self.count + max(0, count - len(points)), between)[self.count :]

    def _sobol(self, seed: int, count: int, between: tuple[float, float] | None = None) -> list[dict[str, float]]:
        import numpy as np  # imported late: reading a study must stay cheap
        from scipy.stats import qmc

        sampler = qmc.Sobol(d=len(self.tuned), scramble=True, rng=np.random.default_rng(stream("tuning points", seed)))
        units = sampler.random_base2(max(1, math.ceil(math.log2(count))))[:count]
        low, high = between or (self.learning_rate.low, self.learning_rate.high)
        asked = []
        for row in units.tolist():
            unit = dict(zip(self.tuned, row, strict=True))
            point = {"learning_rate": _round(_log_between(low, high, unit["learning_rate"]))}
            if decay := self.weight_decay:
                point["weight_decay"] = _or_zero(decay, unit["weight_decay"], _log_between)
            if dropout := self.dropout:
                point["dropout"] = _or_zero(dropout, unit["dropout"], _between)
            asked.append(point)
        return asked


def _halvings(steps: int) -> Iterator[float]:
    """The middles of `steps` gaps of length 1 from 0 on, then the middles of the halves, and so on; inner ones first.

    Exact: every place is a whole number over a power of two.
    """
    gaps = steps
    while True:
        middles = [(number + 0.5) * steps / gaps for number in range(gaps)]
        yield from sorted(middles, key=lambda place: (abs(place - steps / 2), place))
        gaps *= 2


def _round(value: float) -> float:
    """Six significant digits: what a person reads is what was run, on every machine's `pow`."""
    return float(f"{value:.6g}")


def _log_between(low: float, high: float, unit: float) -> float:
    return low * math.pow(high / low, unit)


def _between(low: float, high: float, unit: float) -> float:
    return low + (high - low) * unit


def _or_zero(between: Range, unit: float, scale: Callable[[float, float, float], float]) -> float:
    if not between.zero:
        return _round(scale(between.low, between.high, unit))
    if unit < ZERO_SHARE:
        return 0.0
    return _round(scale(between.low, between.high, (unit - ZERO_SHARE) / (1 - ZERO_SHARE)))
