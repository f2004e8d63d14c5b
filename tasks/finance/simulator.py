"""A market made of known parts, and the exact expectation of what it does next given all that was seen of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

BARS = 8
"""Intraday returns of a day."""
DAYS_OF_YEAR = 252
SPANS = (1, 5, 22, 250)
"""Days over which each component averages: day, week, month and year of trading."""
WEIGHTS = (0.2, 0.2, 0.2, 0.25)
"""Share of tomorrow's variance that each component carries. They sum to less than 1, so the variance has a mean."""
SWITCHING = 1.0 - sum(WEIGHTS)
"""Share that is set by the regime. That of a component left out is constant."""
DEGREES = 8.0
"""Degrees of freedom of Student's t where tails are fat: the fourth moment of a day's return is finite."""
JUMP_PROBABILITY, JUMP_VARIANCE = 0.05, 20.0
"""Share of days with a jump, and its variance over that of the bar in which it happens."""
STAY = (0.995, 0.98)
"""Daily probability to stay calm, and to stay wild: 200 and 50 days on average, so a fifth of all days are wild."""
REGIMES = (0.3, 3.8)
"""What the switching share of the variance is multiplied with in a calm and a wild regime; its mean is 1."""
SMILE = 1.5
"""First and last bars have exp(SMILE) = 4.5 times the variance of the middle of the day."""
YEARLY = 0.4
"""The variance is 40 % above its mean at the height of the year and 40 % below half a year later."""


class Path(NamedTuple):
    """Markets day by day. `bars` `(n, days, 8)` are returns; the others are `(n, days)`.

    `variance` is the true variance of the day, `wild` the regime (0 or 1), and `position` the place in the year from 0
    to 1. Variances are in units of the long-run mean variance of a day.
    """

    bars: np.ndarray
    variance: np.ndarray
    wild: np.ndarray
    position: np.ndarray

    @property
    def returns(self) -> np.ndarray:
        """Return of each day `(n, days)`."""
        return self.bars.sum(-1)

    @property
    def realised(self) -> np.ndarray:
        """Realised variance of each day `(n, days)`."""
        return np.square(self.bars).sum(-1)


@dataclass(frozen=True)
class Simulator:
    """The market of `tasks/finance/market.py`, whose docstring defines it; every part can be switched off."""

    components: int
    leverage: float
    fat_tails: bool
    jumps: bool
    regimes: bool
    intraday: bool
    yearly: bool

    START: ClassVar[float] = 1.0
    """What every component is before the first day: the long-run mean."""

    # --- the parts ----------------------------------------------------------------------------------------------------

    @property
    def weights(self) -> np.ndarray:
        """Of the components in use, fastest first."""
        return np.array(WEIGHTS[: self.components])

    @property
    def renewal(self) -> np.ndarray:
        """Share of each component that a day replaces."""
        return 1.0 / np.array(SPANS[: self.components], dtype=np.float64)

    @property
    def constants(self) -> np.ndarray:
        """The part of the variance that no component carries, in each regime."""
        switching = SWITCHING * (np.array(REGIMES) if self.regimes else np.ones(1))
        return switching + 1.0 - SWITCHING - self.weights.sum()

    @property
    def transition(self) -> np.ndarray:
        """Probability `(regime today, regime tomorrow)`."""
        if not self.regimes:
            return np.ones((1, 1))
        return np.array([[STAY[0], 1.0 - STAY[0]], [1.0 - STAY[1], STAY[1]]])

    @property
    def stationary(self) -> np.ndarray:
        """Long-run probability of each regime, and that of the first day."""
        if not self.regimes:
            return np.ones(1)
        return np.array([1.0 - STAY[1], 1.0 - STAY[0]]) / (2.0 - STAY[0] - STAY[1])

    @property
    def jump_probability(self) -> float:
        """Of a day; 0 without jumps."""
        return JUMP_PROBABILITY if self.jumps else 0.0

    @property
    def shape(self) -> np.ndarray:
        """Share of the day's expected variance in each bar, before jumps `(8,)`, times what jumps leave of it."""
        middle = np.linspace(-1.0, 1.0, BARS)
        smile = np.exp(SMILE * np.square(middle)) if self.intraday else np.ones(BARS)
        return smile / smile.sum() / (1.0 + self.jump_probability * JUMP_VARIANCE / BARS)

    def season(self, position: np.ndarray) -> np.ndarray:
        """What the variance is multiplied with at a place of the year; its mean over a year is 1."""
        return 1.0 + (YEARLY if self.yearly else 0.0) * np.cos(2.0 * math.pi * position)

    # --- making it ----------------------------------------------------------------------------------------------------

    def draw(self, generator: np.random.Generator, markets: int, days: int) -> Path:
        """Independent markets from their first day on, on which all components are at their long-run mean."""
        shocks = generator.standard_normal((markets, days, BARS)) * np.sqrt(self.shape)
        # All parts are drawn whether they are used or not, so that a switch changes nothing but its own part.
        gamma = generator.gamma(DEGREES / 2.0, 1.0 / (DEGREES / 2.0 - 1.0), (markets, days))
        jumping = generator.random((markets, days)) < self.jump_probability
        where = generator.integers(BARS, size=(markets, days))
        wild = self._regimes(generator.random((markets, days)))
        start = generator.integers(DAYS_OF_YEAR, size=(markets, 1))
        jumping_bar = jumping[:, :, None] & (where[:, :, None] == np.arange(BARS))
        shocks *= np.where(jumping_bar, math.sqrt(1.0 + JUMP_VARIANCE), 1.0)
        if self.fat_tails:
            shocks /= np.sqrt(gamma)[:, :, None]
        position = (start + np.arange(days)) % DAYS_OF_YEAR / DAYS_OF_YEAR
        news = self.news(shocks)
        variance = np.empty((markets, days))
        components = np.full((markets, self.components), self.START)
        for day in range(days):
            variance[:, day] = self.constants[wild[:, day]] + components @ self.weights
            components += self.renewal * ((variance[:, day] * news[:, day])[:, None] - components)
        variance *= self.season(position)
        return Path(shocks * np.sqrt(variance)[:, :, None], variance, wild, position)

    def news(self, bars: np.ndarray) -> np.ndarray:
        """What a day adds to every component `(...)`: its bipower variation, more of it after a fall.

        Products of neighbouring bars hardly notice a jump, and that little is divided out: the expectation of the news
        is the day's variance.
        """
        size = np.abs(bars) / np.sqrt(self.shape)
        bipower = 0.5 * math.pi * (size[..., 1:] * size[..., :-1]).mean(-1)
        # A bar, on average, is in 2 / BARS of the products.
        noticed = 1.0 + self.jump_probability * 2.0 / BARS * (math.sqrt(1.0 + JUMP_VARIANCE) - 1.0)
        return bipower / noticed * (1.0 - self.leverage * np.sign(bars.sum(-1)))

    def _regimes(self, draws: np.ndarray) -> np.ndarray:
        wild = np.zeros(draws.shape, dtype=np.int64)
        if not self.regimes:
            return wild
        wild[:, 0] = draws[:, 0] < self.stationary[1]
        for day in range(1, draws.shape[1]):
            wild[:, day] = draws[:, day] < self.transition[wild[:, day - 1], 1]
        return wild

    # --- the best possible forecast -----------------------------------------------------------------------------------

    def expect(self, bars: np.ndarray, position: np.ndarray) -> np.ndarray:
        """Expected realised variance of days 1 to `days`, each given all days before it: `(n, days)`.

        bars      `(n, days, 8)`, from the first day of each market
        position  place in the year of the first day `(n,)`

        Components are functions of what was seen. The regime is not seen: its probabilities are filtered exactly
        (Hamilton 1989), with the density of a day's bars in each regime.
        """
        components, belief = self._first_day(len(bars))
        expected = np.empty(bars.shape[:2])
        for day in range(bars.shape[1]):
            seen = bars[:, day] / np.sqrt(self._season_of(position, day))[:, None]
            variance = components @ self.weights
            belief = self._tomorrow(self._posterior(seen, variance, belief, BARS).sum(2))
            components = components + self.renewal * (self.news(seen)[:, None] - components)
            tomorrow = components @ self.weights + belief @ self.constants
            expected[:, day] = tomorrow * self._season_of(position, day + 1)
        return expected

    def expect_bars(self, bars: np.ndarray, position: np.ndarray) -> np.ndarray:
        """Expected square of every bar but the very first, given all bars before it: `(n, days * 8)`.

        As `expect`, and within a day both the day's own multiplier (fat tails) and whether a jump has been are learned
        from the bars that have passed. The last one is the first bar of the day after the last.
        """
        components, belief = self._first_day(len(bars))
        expected = np.empty((len(bars), bars.shape[1] * BARS + 1))
        for day in range(bars.shape[1]):
            season = self._season_of(position, day)
            seen, variance = bars[:, day] / np.sqrt(season)[:, None], components @ self.weights
            for passed in range(BARS):
                expected[:, day * BARS + passed] = season * self._next_bar(seen, variance, belief, passed)
            belief = self._tomorrow(self._posterior(seen, variance, belief, BARS).sum(2))
            components = components + self.renewal * (self.news(seen)[:, None] - components)
        season = self._season_of(position, bars.shape[1])
        expected[:, -1] = season * self._next_bar(bars[:, -1], components @ self.weights, belief, 0)
        return expected[:, 1:]

    def _first_day(self, markets: int) -> tuple[np.ndarray, np.ndarray]:
        return np.full((markets, self.components), self.START), np.tile(self.stationary, (markets, 1))

    def _season_of(self, position: np.ndarray, day: int) -> np.ndarray:
        return self.season(position + day / DAYS_OF_YEAR)

    def _tomorrow(self, belief: np.ndarray) -> np.ndarray:
        return belief @ self.transition

    def _squares(self, seen: np.ndarray, passed: int) -> tuple[np.ndarray, np.ndarray]:
        """Standardised squares of the bars that have passed, summed `(n, places)`, and prior log weights `(places,)`.

        A place is where the day's jump is: nowhere, or in one of the bars, passed or to come.
        """
        squares = np.square(seen[:, :passed]) / self.shape[:passed]
        total = squares.sum(1, keepdims=True)
        if not self.jumps:
            return total, np.zeros(1)
        damped = np.tile(total, BARS)
        damped[:, :passed] -= squares * (JUMP_VARIANCE / (1.0 + JUMP_VARIANCE))
        weights = np.full(BARS + 1, math.log(self.jump_probability / BARS))
        weights[0] = math.log(1.0 - self.jump_probability)
        weights[1 : passed + 1] -= 0.5 * math.log(1.0 + JUMP_VARIANCE)
        return np.concatenate([total, damped], axis=1), weights

    def _posterior(self, seen: np.ndarray, variance: np.ndarray, belief: np.ndarray, passed: int) -> np.ndarray:
        """Probability `(n, regimes, places)` of regime and place of the jump, given the first `passed` bars."""
        squares, weights = self._squares(seen, passed)
        level = (variance[:, None] + self.constants)[:, :, None]
        ratio = squares[:, None] / level
        # The bars of a day share one inverse-gamma multiplier: together they are a multivariate Student's t.
        fat = -0.5 * (DEGREES + passed) * np.log1p(ratio / (DEGREES - 2.0))
        fit = fat if self.fat_tails else -0.5 * ratio
        score = np.log(belief)[:, :, None] + weights - 0.5 * passed * np.log(level) + fit
        found = np.exp(score - score.max(axis=(1, 2), keepdims=True))
        return found / found.sum(axis=(1, 2), keepdims=True)

    def _next_bar(self, seen: np.ndarray, variance: np.ndarray, belief: np.ndarray, passed: int) -> np.ndarray:
        """Expected square `(n,)` of bar number `passed`, given those before it on that day and all earlier days."""
        squares, _ = self._squares(seen, passed)
        level = (variance[:, None] + self.constants)[:, :, None]
        multiplier = np.ones_like(squares[:, None] / level)
        if self.fat_tails:
            multiplier = (DEGREES - 2.0 + squares[:, None] / level) / (DEGREES - 2.0 + passed)
        if self.jumps:
            multiplier[:, :, passed + 1] *= 1.0 + JUMP_VARIANCE
        weight = self._posterior(seen, variance, belief, passed)
        return self.shape[passed] * (weight * level * multiplier).sum(axis=(1, 2))
