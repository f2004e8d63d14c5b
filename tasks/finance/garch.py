"""GARCH(1,1): the whole past of a market in one number. The least that a memory can be asked to do."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tasks.finance import forecasters
from tasks.finance.drawing import BLUE, GREY, RED, SHADE, finish, title
from tasks.finance.forecasters import qlike
from tasks.task import Split, SplitName, Task

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

SIZES = {"train": 4096, "validation": 512, "test": 1024}


@dataclass(frozen=True)
class Garch(Task):
    """Tomorrow's realised variance where today's return and one hidden number say all that can be known of it.

    The variance of day t is h_t (Bollerslev 1986, Journal of Econometrics 31, 307-327):

        h_(t+1) = (1 - alpha - beta) + alpha r_t² + beta h_t,   h_0 = 1, its long-run mean.

    The return r_t is the sum of `bars` independent normal returns of variance h_t / bars. The network sees r_t alone;
    it is asked for the sum of their squares on day t+1, which has mean h_(t+1) and little noise (a squared return has
    as much noise as one bar would). The network's output is the log of its forecast; loss: QLIKE (Patton 2011).

    h_(t+1) follows from the returns read so far, so the best possible loss is that of h itself, and the recursion has
    one state: one LSTM layer is enough, and a stack has nothing to add. That makes it a candidate for the null control.
    Seen on one data seed after 1,000 steps: one layer of 16 cells reached 0.998 of skill, two of 11 and four of 8 cells
    0.997; a model without memory 0.39.
    Daily data give alpha of 0.05 to 0.1 and beta of 0.85 to 0.95; the defaults forget faster, so that 32 days hold
    many rises and falls of the variance. It lacks leverage, jumps and long memory: those are in `market`.

    Inputs float32 `(n, time, 1)`, targets float32 `(n, time)`, in units of the long-run variance.
    """

    name: ClassVar[str] = "garch"
    family: ClassVar[str] = "finance"
    description: ClassVar[str] = "next-day variance of a GARCH(1,1) market: one state says all"
    target: ClassVar = "step"
    loss: ClassVar = "qlike"
    unit: ClassVar[str] = "QLIKE"
    second_metric: ClassVar[str] = "squared error of the log variance"
    dials: ClassVar = ("alpha", "beta", "bars")
    control: ClassVar = "null"

    alpha: float = 0.2
    """Share of yesterday's squared return in the variance."""
    beta: float = 0.7
    """Share of yesterday's variance."""
    bars: int = 16
    """Returns within a day, from which the target is measured."""
    time: int = 32
    """Days of a sequence."""
    train: int = SIZES["train"]
    """Training sequences."""

    def __post_init__(self) -> None:
        """Refuse dials that make no data, and variances without a variance, whose sample means mean little."""
        if not (self.alpha > 0.0 and self.beta >= 0.0):
            raise ValueError(f"alpha is {self.alpha} and beta {self.beta}: alpha must be above 0, beta at least 0")
        second = 3.0 * self.alpha**2 + 2.0 * self.alpha * self.beta + self.beta**2
        if second >= 1.0:
            raise ValueError(
                f"alpha is {self.alpha} and beta {self.beta}: 3 alpha² + 2 alpha beta + beta² is {second:.3f} and must "
                f"be below 1, or the variance has no variance; lower one of them"
            )
        if self.bars < 1 or self.time < 2:
            raise ValueError(f"bars is {self.bars} and time {self.time}: at least 1 and 2 are needed")
        if self.train < 32:
            raise ValueError(f"train is {self.train} sequences: at least 32 are needed")

    @property
    def inputs(self) -> int:
        """The day's return."""
        return 1

    @property
    def outputs(self) -> int:
        """One log-variance."""
        return 1

    # --- data ---------------------------------------------------------------------------------------------------------

    def data(self, split: SplitName, seed: int, fold: int | None = None) -> Split:
        """New markets for every split and seed."""
        returns, realised, _ = self._draw(
            split, seed, self.train if split == "train" else min(SIZES[split], self.train)
        )
        return Split(returns[:, :-1, None].astype(np.float32), realised[:, 1:].astype(np.float32))

    def _draw(self, split: str, seed: int, markets: int, days: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns, realised variance and variance of `time` + 1 days, or of as many as asked: `(markets, days)`."""
        digest = hashlib.sha256(f"{self.name} {split} {seed}".encode()).digest()
        generator = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        days = days or self.time + 1
        # The sum of the bars and the sum of their squares about it are independent: two draws instead of `bars`.
        normal = generator.standard_normal((markets, days))
        spread = generator.chisquare(self.bars - 1, (markets, days)) if self.bars > 1 else np.zeros((markets, days))
        variance = self.variance(np.square(normal), relative=True)
        realised = variance * (np.square(normal) + spread) / self.bars
        return np.sqrt(variance) * normal, realised, variance

    def variance(self, squares: np.ndarray, relative: bool = False) -> np.ndarray:
        """h_0, h_1, ... `(n, days)` for squared returns `(n, days)`, or `relative` ones, which are over h."""
        found, now = np.empty(squares.shape), np.ones(len(squares))
        for day in range(squares.shape[1]):
            found[:, day] = now
            shock = squares[:, day] * now if relative else squares[:, day]
            now = (1.0 - self.alpha - self.beta) + self.alpha * shock + self.beta * now
        return found

    def amount(self, split: Split) -> tuple[float, str]:
        """Days of market."""
        return split.inputs.shape[0] * split.inputs.shape[1], "days of market"

    # --- references ---------------------------------------------------------------------------------------------------

    def oracle(self, inputs: np.ndarray) -> np.ndarray:
        """H of the day after each day read `(n, time)`."""
        squares = np.square(inputs[:, :, 0].astype(np.float64))
        return self.variance(np.concatenate([squares, squares[:, -1:]], axis=1))[:, 1:]

    def trivial_loss(self, train: Split, split: Split) -> float:
        """The train mean."""
        return qlike(split.targets, np.full_like(split.targets, train.targets.mean(dtype=np.float64)))

    def best_loss(self, split: Split, seed: int) -> float:
        """QLIKE of h itself."""
        return qlike(split.targets, self.oracle(split.inputs))

    def baselines(self, train: Split, split: Split) -> Mapping[str, float]:
        """QLIKE of the same mean of squared returns that RiskMetrics takes, and of HAR on them, fitted on train."""
        known, asked = (np.square(part.inputs[:, :, 0].astype(np.float64)) for part in (train, split))
        fitted, wanted = (np.log(np.maximum(forecasters.trailing_means(past), 1e-6)) for past in (known, asked))
        spans = fitted.shape[-1]
        har = forecasters.log_regression(
            fitted.reshape(-1, spans), train.targets.reshape(-1), wanted.reshape(-1, spans)
        )
        return {
            "HAR": qlike(split.targets, har.reshape(asked.shape)),
            "EWMA 0.94": qlike(split.targets, forecasters.running_ewma(asked)),
        }

    def evaluate_second_metric(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """(ln x - output)²: it minds calm and wild days alike."""
        return (targets.log() - outputs.squeeze(-1)).square()

    # --- for people ---------------------------------------------------------------------------------------------------

    def example(self, seed: int = 0) -> str:
        """The first days of one market."""
        split = self.data("validation", seed)
        best = self.oracle(split.inputs[:1])[0]
        lines = ["day   return   best forecast of tomorrow's variance   what came"]
        for day in range(min(self.time, 12)):
            seen, came = split.inputs[0, day, 0], split.targets[0, day]
            lines.append(f"{day:3d}   {seen:+6.2f}   {best[day]:36.2f}   {came:9.2f}")
        return "\n".join([*lines, "(1 is the long-run variance)"])

    def illustrate(self, figure: Figure, seed: int = 0) -> None:
        """Returns of 250 days with the band of two standard deviations, and the variance with its measurements."""
        returns, realised, variance = (series[0] for series in self._draw("picture", seed, 1, 250))
        above, below = figure.subplots(2, 1, sharex=True)
        days, band = np.arange(len(returns)), 2.0 * np.sqrt(variance)
        above.fill_between(days, -band, band, color=SHADE, linewidth=0, label="two standard deviations")
        above.plot(days, returns, color=BLUE, linewidth=0.8, label="return: what is seen")
        below.plot(days, realised, ".", color=GREY, markersize=4, label="realised variance: what is asked, a day ahead")
        below.plot(days, variance, color=RED, linewidth=1.2, label="variance: the best forecast")
        finish(above, "Return of each day", "", "long-run standard deviations")
        finish(below, "Variance", "days", "long-run variances")
        for axes in (above, below):
            axes.legend(frameon=False, fontsize=8, loc="upper left", ncols=2)
            axes.margins(x=0.0)
        above.set_ylim(-1.5 * band.max(), 1.5 * band.max())
        below.set_ylim(0.0, 1.25 * realised.max())
        title(figure, "A GARCH(1,1) market: one number, the variance, remembers all of it")

    @classmethod
    def tiny(cls) -> Garch:
        """16 days of 256 markets."""
        return cls(time=16, train=256)
