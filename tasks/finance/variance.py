"""How much will a real market move tomorrow? What the tasks on next-day variance share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tasks.finance import forecasters, prices
from tasks.finance.forecasters import qlike
from tasks.finance.prices import Panel
from tasks.finance.walk_forward import WalkForward
from tasks.task import Split

if TYPE_CHECKING:
    import torch

LOG_VARIANCE, RETURN, ABSOLUTE_RETURN = range(3)
"""The first features of each day."""


@dataclass(frozen=True)
class NextDayVariance(WalkForward):
    """Base of the tasks on tomorrow's variance, over the train mean of its own series; the output is its log.

    An output of 0 predicts the train mean, the trivial predictor (of all constants it has the least QLIKE on train).
    Variances are over the series' train mean and returns over its square root, so scaling knows train days only.
    """

    loss: ClassVar = "qlike"
    unit: ClassVar[str] = "QLIKE"
    second_metric: ClassVar[str] = "squared error of the log variance"

    @property
    def inputs(self) -> int:
        """Log variance, return, |return|."""
        return 3

    def features(self, panel: Panel, train: np.ndarray) -> np.ndarray:
        """Log variance, return and |return|."""
        scale = panel.variance[train].mean(axis=0)
        returns = panel.returns / np.sqrt(scale)
        return np.stack([np.log(panel.variance / scale), returns, np.abs(returns)], axis=-1)

    def answers(self, panel: Panel, train: np.ndarray) -> np.ndarray:
        """Variance over its train mean."""
        return panel.variance / panel.variance[train].mean(axis=0)

    def series_of(self, split: Split) -> np.ndarray:
        """Which of the parallel series each window is of `(n,)`."""
        return np.zeros(len(split.inputs), dtype=np.int64)

    def trivial_loss(self, train: Split, split: Split) -> float:
        """QLIKE of each series' train mean."""
        known, asked = self.series_of(train), self.series_of(split)
        means = np.array([train.targets[known == one].mean(dtype=np.float64) for one in np.unique(known)])
        return qlike(split.targets, means[asked])

    def baselines(self, train: Split, split: Split) -> Mapping[str, float]:
        """QLIKE of `forecasts`."""
        return {name: qlike(split.targets, variance) for name, variance in self.forecasts(train, split).items()}

    def forecasts(self, train: Split, split: Split) -> dict[str, np.ndarray]:
        """Predicted variance over the train mean, `(n,)`, by predictor; each sees the same windows as the network.

        HAR  ordinary least squares, for each series and on train alone, of ln x(t+1) on ln of the mean variance of the
             last 1, 5 and 22 days (Corsi 2009, Journal of Financial Econometrics 7, 174-196), times the factor that is
             best on train (see forecasters.log_regression)
        EWMA exponentially weighted mean of the window with decay 0.94 (RiskMetrics 1996), weights summing to 1
        GARCH(1,1)  fitted on train's returns by `arch`, run over each window of returns; left out where arch is missing
        last value  the variance of day t
        seasonal naive  the variance of the same weekday a week before the day asked for, five rows back
        """
        learned, past = (np.exp(part.inputs[:, :, LOG_VARIANCE].astype(np.float64)) for part in (train, split))
        fitted, wanted = (np.log(forecasters.window_means(part)) for part in (learned, past))
        har, garch = np.empty(len(past)), np.empty(len(past))
        of_train, of_split = self.series_of(train), self.series_of(split)
        for series in np.unique(of_split):
            known, asked = of_train == series, of_split == series
            target = train.targets[known]
            har[asked] = forecasters.log_regression(fitted[known], target, wanted[asked])
            said = forecasters.garch(train.inputs[known, :, RETURN], target, split.inputs[asked, :, RETURN])
            garch[asked] = np.nan if said is None else said
        return {
            "HAR": har,
            "EWMA 0.94": forecasters.window_ewma(past),
            **({} if np.isnan(garch).any() else {"GARCH(1,1)": garch}),
            "last value": past[:, -1],
            "seasonal naive": past[:, -forecasters.WEEK],
        }

    def evaluate_second_metric(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """(ln x - output)²: it minds calm and wild days alike."""
        return (targets.log() - outputs.squeeze(-1)).square()

    def example(self, seed: int = 0) -> str:
        """The last days of one window of the first series, the day asked for, and what the predictors say."""
        panel, train, split = prices.panel(self.market), self.data("train", seed), self.data("validation", seed)
        days = self.target_days(panel.dates, None)
        chosen = int(np.abs(panel.dates[days["validation"]] - np.datetime64("2008-09-15")).argmin())
        day, percent = int(days["validation"][chosen]), lambda variance: f"{100.0 * math.sqrt(variance):.2f} %"
        lines = [
            f"Seen: {self.window} days of {prices.TITLES[prices.FILES[self.market][0]]}, of which the last five are",
            "day         return  volatility",
        ]
        for past in range(day - 5, day):
            lines.append(
                f"{panel.dates[past]} {100 * panel.returns[past, 0]:+6.2f} %  {percent(panel.variance[past, 0])}"
            )
        mean = panel.variance[days["train"], 0].mean()
        said = {name: variance[chosen] * mean for name, variance in self.forecasts(train, split).items()}
        lines.append(f"Asked: the volatility (root of the variance) of {panel.dates[day]}")
        lines += [f"  {name}: {percent(variance)}" for name, variance in {"train mean": mean, **said}.items()]
        return "\n".join([*lines, f"  what came: {percent(panel.variance[day, 0])}"])
