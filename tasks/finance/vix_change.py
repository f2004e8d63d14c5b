"""Will the market's fear rise tomorrow, and by how much? The next change of the VIX, from real daily closes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tasks.finance import forecasters, prices
from tasks.finance.prices import Panel, Source
from tasks.finance.walk_forward import WalkForward
from tasks.task import Split

if TYPE_CHECKING:
    import torch

LEVEL, CHANGE = range(2)


@dataclass(frozen=True)
class VixChange(WalkForward):
    """Tomorrow's change of the log of the VIX, the volatility that option prices imply, from the last `window` closes.

    Closes: 2014-01-03 to 2019-01-03, 1,305 rows of which 46 have no value (holidays), carried by the `arch` package
    (read, not imported). Those days are dropped, not filled, and the next change spans the gap: 1,259 days are left.
    That is little: the shortest real series here.

    Target: ln VIX(t+1) - ln VIX(t), over the root mean square of such changes in train. Loss: squared error. The level
    is known to return to its mean (Fernandes, Medeiros & Scharth 2014, Journal of Banking & Finance 40, 1-10, with
    HAR), which forecasts a small part of its changes; most of a day's change is news.

    Inputs float32 `(n, window, 3)`, days t-window+1 to t: ln VIX less its train mean, over its train standard
    deviation; change; |change|, both in the target's unit. Targets float32 `(n,)`; groups are the calendar month of day
    t+1.

    Folds are walk-forward origins with an expanding window: fold k tests the k-th quarter from 2016 on (12 of them),
    validates on the half-year before, and trains on all that is earlier. `fold=None` is for tuning: the train and
    validation parts of fold 0, and no test (ValueError). Splits are purged, and the data are fixed: `seed` changes
    nothing.
    """

    name: ClassVar[str] = "vix_change"
    description: ClassVar[str] = "next-day change of the VIX from daily closes"
    loss: ClassVar = "squared_error"
    unit: ClassVar[str] = "variance of the change in train"
    second_metric: ClassVar[str] = "absolute error"

    @property
    def market(self) -> Source:
        """The VIX."""
        return "vix"

    @property
    def inputs(self) -> int:
        """Level, change, |change|."""
        return 3

    def features(self, panel: Panel, train: np.ndarray) -> np.ndarray:
        """Level, change, |change|."""
        return level_features(panel, train)

    def answers(self, panel: Panel, train: np.ndarray) -> np.ndarray:
        """Change from the day before."""
        return panel.returns / _root_mean_square(panel.returns[train])

    def trivial_loss(self, train: Split, split: Split) -> float:
        """The train mean of the change."""
        return float(np.square(split.targets - train.targets.mean(dtype=np.float64)).mean())

    def baselines(self, train: Split, split: Split) -> Mapping[str, float]:
        """Mean squared errors of `forecasts`."""
        return {
            name: float(np.square(split.targets - said).mean()) for name, said in self.forecasts(train, split).items()
        }

    def forecasts(self, train: Split, split: Split) -> dict[str, np.ndarray]:
        """Predicted change `(n,)`, by predictor; each sees the same windows as the network.

        HAR  least squares on train of the change on the mean level of the last 1, 5 and 22 days
        last value  tomorrow's level is today's: no change
        seasonal naive  tomorrow's level is that of the same weekday a week before, five rows back
        """
        fitted, asked = (
            forecasters.window_means(part.inputs[:, :, LEVEL].astype(np.float64)) for part in (train, split)
        )
        since = split.inputs[:, 1 - forecasters.WEEK :, CHANGE].sum(axis=1, dtype=np.float64)
        return {
            "HAR": forecasters.linear(fitted, train.targets, asked),
            "last value": np.zeros(len(asked)),
            "seasonal naive": -since,
        }

    def evaluate_second_metric(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """|output - target|."""
        return (outputs.squeeze(-1) - targets).abs()

    def example(self, seed: int = 0) -> str:
        """The last days of one window, the day asked for, and what the predictors say."""
        panel, train, split = prices.panel(self.market), self.data("train", seed), self.data("validation", seed)
        days = self.target_days(panel.dates, None)
        chosen = int(np.abs(split.targets).argmax())
        day, unit = int(days["validation"][chosen]), _root_mean_square(panel.returns[days["train"]])[0]
        lines = [
            f"Seen: {self.window} days of the VIX, of which the last five are",
            "day          VIX   change of the log",
        ]
        lines += [
            f"{panel.dates[at]} {panel.close[at, 0]:6.2f}   {panel.returns[at, 0]:+.3f}" for at in range(day - 5, day)
        ]
        lines.append(f"Asked: the change on {panel.dates[day]}")
        lines += [f"  {name}: {said[chosen] * unit:+.3f}" for name, said in self.forecasts(train, split).items()]
        return "\n".join([*lines, f"  what came: {panel.returns[day, 0]:+.3f}, to {panel.close[day, 0]:.2f}"])

    @classmethod
    def tiny(cls) -> VixChange:
        """Windows of 22 days."""
        return cls(window=22)


def level_features(panel: Panel, train: np.ndarray) -> np.ndarray:
    """Log level in train standard deviations from the train mean, change and |change| over their root mean square."""
    level = np.log(panel.close)
    level = (level - level[train].mean(axis=0)) / level[train].std(axis=0)
    change = panel.returns / _root_mean_square(panel.returns[train])
    return np.stack([level, change, np.abs(change)], axis=-1)


def _root_mean_square(values: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(values).mean(axis=0))
