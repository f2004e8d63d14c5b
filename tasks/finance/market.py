"""A simulated stock market with the stylised facts of real ones: how much will it move tomorrow? The best is known."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from tasks.finance import forecasters, market_charts
from tasks.finance.forecasters import qlike
from tasks.finance.simulator import BARS, DAYS_OF_YEAR, SPANS, Path, Simulator
from tasks.task import Split, SplitName, Task

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

SIZES = {"train": 4096, "validation": 512, "test": 1024}
FLOOR = 1e-6
"""Smallest square of a bar's return, over its long-run mean: QLIKE takes the logarithm of the target."""


@dataclass(frozen=True)
class Market(Task):
    """Tomorrow's realised variance in a market made of known parts, each with a switch; the oracle is exact.

    Day t has 8 bars. The variance of the day, h(t), is season(t) times a share of 0.15 set by the regime, plus a part
    for each component, w_k c_k(t), with w = 0.2, 0.2, 0.2, 0.25 for means over tau = 1, 5, 22 and 250 days:

        c_k(t+1) = c_k(t) + (v(t) (1 - leverage sign r(t)) - c_k(t)) / tau_k,   c_k(0) = 1,

    r being the day's return and v its bipower variation, the sum of products of neighbouring bars' sizes without the
    smile and the season (Barndorff-Nielsen & Shephard 2004, Journal of Financial Econometrics 2, 1-37). So a component
    is what was seen of the market, averaged (Müller et al. 1997, Journal of Empirical Finance 4, 213-239; Corsi 2009,
    Journal of Financial Econometrics 7, 174-196), falls add more than rises (Glosten, Jagannathan & Runkle 1993,
    Journal of Finance 48, 1779-1801), and jumps do not last (Andersen, Bollerslev & Diebold 2007, Review of Economics
    and Statistics 89, 701-720). The share of a component left out is constant. Further parts:

    fat_tails  all bars of a day share an inverse-gamma multiplier: Student's t with 8 degrees of freedom
    jumps      on 5 % of days one bar has 21 times its variance (after Merton 1976, J. Financial Economics 3, 125-144)
    regimes    calm (0.3 times the share) or wild (3.8 times), Markov, 200 and 50 days on average; never observed
               (Hamilton 1989, Econometrica 57, 357-384; in the constant as in Cai 1994, J. Business & Economic
               Statistics 12, 309-316)
    intraday   first and last bars have 4.5 times the variance of midday (Wood, McInish & Ord 1985, Journal of Finance
               40, 723-739)
    yearly     season: 40 % up and down over 252 days, known from the calendar

    What is asked: with `step` "day", at step t, the realised variance of day t+1, the sum of its squared bars, season
    included; with "bar", the square of the next bar, times 8. Both are in units of their long-run mean, which is 1; the
    network's output is the log of its forecast. Loss: QLIKE (Patton 2011, Journal of Econometrics 160, 246-256), for
    which the conditional mean is best whatever the noise of the target.

    Every sequence is a market from its first day on, when all averages are at their long-run level. So the oracle's
    state is a function of what the network has read: `best_loss` is computed from the inputs alone. It knows the
    components exactly and runs the exact Hamilton filter over what is hidden (regime; within a day also the jump's
    place and the multiplier). Skill below 1 is regret to that oracle. `path` gives one long series of the same market;
    its stylised facts (Cont 2001, Quantitative Finance 1, 223-236) are tested with intervals, and that each is gone
    when its part is off. Sizes and shares of the parts are ours.

    Seen on one data seed after 1,000 steps at the default: one layer of 8 cells reached 0.89 of skill, one of 24 cells
    0.92, two of 16 cells 0.93; HAR 0.75 and a model without memory 0.02. With bars all of these nets reached 0.95 to
    0.96, so that setting is too easy to tell them apart.

    Inputs float32 `(n, time, 10)` for days: asinh of the 8 bars (times √8), sine and cosine of the place in the year;
    `(n, time, 5)` for bars: asinh of the bar (times √8), sine and cosine of the place in the day and in the year. No
    square is given: what is to be remembered has first to be made of what is seen. Targets float32 `(n, time)`.
    """

    name: ClassVar[str] = "market"
    family: ClassVar[str] = "finance"
    description: ClassVar[str] = "next-day variance of a simulated market; its volatility components are a dial"
    target: ClassVar = "step"
    loss: ClassVar = "qlike"
    unit: ClassVar[str] = "QLIKE"
    second_metric: ClassVar[str] = "squared error of the log variance"
    dials: ClassVar = ("components", "leverage", "fat_tails", "jumps", "regimes", "intraday", "yearly", "step")

    components: int = 4
    """Volatility components, fastest first: 1, 5, 22 and 250 days."""
    leverage: float = 0.8
    """How much more a fall adds to the components than it would without its sign, and a rise less; 0 is none."""
    fat_tails: bool = True
    """Student's t in place of the normal distribution."""
    jumps: bool = True
    """Days on which one bar moves far more than the others."""
    regimes: bool = True
    """Calm and wild times, hidden."""
    intraday: bool = True
    """More variance at the open and the close than at midday."""
    yearly: bool = True
    """A cycle of the variance over the year."""
    step: Literal["day", "bar"] = "day"
    """What a step is."""
    time: int = 64
    """Steps of a sequence; with bars, whole days of 8."""
    train: int = SIZES["train"]
    """Training sequences."""

    def __post_init__(self) -> None:
        """Refuse dials that make no data."""
        if not 1 <= self.components <= len(SPANS):
            raise ValueError(f"components is {self.components}: it must be from 1 to {len(SPANS)}")
        if not 0.0 <= self.leverage <= 1.0:
            raise ValueError(f"leverage is {self.leverage}: it must be from 0 (none) to 1 (rises add nothing)")
        if self.step not in ("day", "bar"):
            raise ValueError(f"step is {self.step!r}: it must be day or bar")
        if self.time < 2 or (self.step == "bar" and self.time % BARS):
            raise ValueError(f"time is {self.time}: it must be at least 2, and with bars a multiple of {BARS}")
        if self.train < 32:
            raise ValueError(f"train is {self.train} sequences: at least 32 are needed")

    @property
    def inputs(self) -> int:
        """Ten features of a day, or five of a bar."""
        return BARS + 2 if self.step == "day" else 5

    @property
    def outputs(self) -> int:
        """One log-variance."""
        return 1

    @property
    def days(self) -> int:
        """Days of a sequence."""
        return self.time if self.step == "day" else self.time // BARS

    @property
    def simulator(self) -> Simulator:
        """The market itself."""
        return Simulator(
            self.components, self.leverage, self.fat_tails, self.jumps, self.regimes, self.intraday, self.yearly
        )

    # --- data ---------------------------------------------------------------------------------------------------------

    def data(self, split: SplitName, seed: int, fold: int | None = None) -> Split:
        """New markets for every split and seed."""
        markets = self.train if split == "train" else min(SIZES[split], self.train)
        drawn = self._draw(split, seed, markets, self.days + 1)
        seen = drawn.bars[:, :-1]
        year = _circle(drawn.position[:, :-1])
        if self.step == "day":
            inputs = np.concatenate([np.arcsinh(seen * math.sqrt(BARS)), year], axis=-1)
            targets = drawn.realised[:, 1:]
        else:
            bar = np.arcsinh(seen.reshape(markets, -1, 1) * math.sqrt(BARS))
            place = np.broadcast_to(_circle(np.arange(self.time) % BARS / BARS), (markets, self.time, 2))
            inputs = np.concatenate([bar, place, np.repeat(year, BARS, axis=1)], axis=-1)
            squares = np.square(drawn.bars).reshape(markets, -1)[:, 1 : self.time + 1]
            targets = np.maximum(squares * BARS, FLOOR)
        return Split(inputs.astype(np.float32), targets.astype(np.float32))

    def path(self, days: int, seed: int, markets: int = 1) -> Path:
        """Long series of this market, `(markets, days)`; the first years still remember the start."""
        return self._draw("path", seed, markets, days)

    def _draw(self, stream: str, seed: int, markets: int, days: int) -> Path:
        digest = hashlib.sha256(f"{self.name} {stream} {seed}".encode()).digest()
        return self.simulator.draw(np.random.default_rng(int.from_bytes(digest[:8], "big")), markets, days)

    def amount(self, split: Split) -> tuple[float, str]:
        """Days of market."""
        return len(split.inputs) * self.days, "days of market"

    # --- references ---------------------------------------------------------------------------------------------------

    def oracle(self, inputs: np.ndarray) -> np.ndarray:
        """The conditional mean of every target `(n, time)`, from the inputs and the definition of the market."""
        inputs = inputs.astype(np.float64)
        position = np.arctan2(inputs[:, 0, -2], inputs[:, 0, -1]) / (2.0 * math.pi)
        seen = inputs[:, :, :BARS] if self.step == "day" else inputs[:, :, 0].reshape(len(inputs), self.days, BARS)
        bars = np.sinh(seen) / math.sqrt(BARS)
        if self.step == "day":
            return self.simulator.expect(bars, position)
        return BARS * self.simulator.expect_bars(bars, position)

    def trivial_loss(self, train: Split, split: Split) -> float:
        """The train mean."""
        return qlike(split.targets, np.full_like(split.targets, train.targets.mean(dtype=np.float64)))

    def best_loss(self, split: Split, seed: int) -> float:
        """QLIKE of the oracle."""
        return qlike(split.targets, self.oracle(split.inputs))

    def baselines(self, train: Split, split: Split) -> Mapping[str, float]:
        """QLIKE of `forecasts`."""
        return {name: qlike(split.targets, said) for name, said in self.forecasts(train, split).items()}

    def forecasts(self, train: Split, split: Split) -> dict[str, np.ndarray]:
        """Forecasts `(n, time)`: HAR fitted on train, EWMA 0.94 of the steps and the last one, all of the variance.

        HAR is in logs, over 1, 5 and 22 days (with bars: also one bar); before the start all have the long-run mean.
        The square of one bar is a poor forecast of the next: with bars the last value is that of the last 8.
        """
        known, asked = self._realised(train.inputs), self._realised(split.inputs)
        unit = 1 if self.step == "day" else BARS
        spans = tuple(sorted({1, *(unit * span for span in (1, 5, 22))}))
        fitted, wanted = (np.log(forecasters.trailing_means(past, spans)) for past in (known, asked))
        har = forecasters.log_regression(
            fitted.reshape(-1, len(spans)), train.targets.reshape(-1), wanted.reshape(-1, len(spans))
        )
        return {
            "HAR": har.reshape(asked.shape),
            "EWMA 0.94": forecasters.running_ewma(asked),
            "last value": forecasters.trailing_means(asked, (unit,))[..., 0],
        }

    def _realised(self, inputs: np.ndarray) -> np.ndarray:
        """What the target is, of the steps seen `(n, time)`."""
        if self.step == "day":
            return np.square(np.sinh(inputs[:, :, :BARS].astype(np.float64))).mean(-1)
        return np.maximum(np.square(np.sinh(inputs[:, :, 0].astype(np.float64))), FLOOR)

    def evaluate_second_metric(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """(ln x - output)²: it minds calm and wild days alike."""
        return (targets.log() - outputs.squeeze(-1)).square()

    # --- for people ---------------------------------------------------------------------------------------------------

    def example(self, seed: int = 0) -> str:
        """The last steps of one market: what is seen, what is asked and what the best possible forecast says."""
        split = self.data("validation", seed)
        best, seen = self.oracle(split.inputs[:1])[0], self._realised(split.inputs[:1])[0]
        lines = [f"{self.step}   realised variance   best forecast of the next   what came"]
        for step in range(max(0, self.time - 10), self.time):
            lines.append(f"{step:3d}   {seen[step]:17.2f}   {best[step]:25.2f}   {split.targets[0, step]:9.2f}")
        return "\n".join([*lines, "(1 is the long-run mean)"])

    def illustrate(self, figure: Figure, seed: int = 0) -> None:
        """Four years of price, returns and volatility, and two of the facts over forty years."""
        market_charts.draw_market(figure, self.path(40 * DAYS_OF_YEAR, seed), self.simulator)

    @classmethod
    def tiny(cls) -> Market:
        """16 days of 256 markets."""
        return cls(time=16, train=256)


def _circle(share: np.ndarray) -> np.ndarray:
    """Sine and cosine of a place in a cycle, from 0 to 1: `(..., 2)`."""
    return np.stack([np.sin(2.0 * math.pi * share), np.cos(2.0 * math.pi * share)], axis=-1)
