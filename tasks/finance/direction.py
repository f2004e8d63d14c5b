"""Up or down tomorrow? Of real markets, where the answer is expected to be noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.special import xlogy

from tasks.finance import forecasters, prices
from tasks.finance.equity_variance import EquityVariance
from tasks.finance.oil_variance import OilVariance
from tasks.finance.prices import Panel, Source
from tasks.finance.vix_change import VixChange
from tasks.finance.walk_forward import WalkForward
from tasks.task import Split

if TYPE_CHECKING:
    import torch

SEEN: dict[str, type[WalkForward]] = {"equities": EquityVariance, "oil": OilVariance, "vix": VixChange}
"""The task whose features are read, by market."""
RETURN = 1
"""The feature that is the day's return, in every market."""
LAGS = 5


@dataclass(frozen=True)
class Direction(WalkForward):
    """Whether the next day's return is positive, from the same windows as the task on that market's size of moves.

    Expected to be noise: daily returns of large markets hardly correlate with their past (Cont 2001, Quantitative
    Finance 1, 223-236), so no predictor should be better than the share of rises in train by more than chance. A
    network that finds much here has most likely been shown the future. Rises of the VIX may be a small exception, as
    its level returns to its mean.

    `source` "equities": S&P 500 and NASDAQ as parallel series, features of `equity_variance`, ten test years; "oil":
    WTI, of `oil_variance`, ten test years; "vix": of `vix_change`, twelve test quarters. How missing prices are
    handled, and what is scaled by what, is said there; folds and purging are theirs too, and the data are fixed: `seed`
    changes nothing.

    Inputs float32 `(n, window, 5)` for the indices, `(n, window, 3)` for the others; targets int64 `(n,)`: 1 for a
    rise, 0 for a fall or no change, which oil has on 134 of 8,320 days. Loss: cross entropy; ln 2 = 0.693 is a coin's.
    Groups are the calendar month of day t+1.
    """

    name: ClassVar[str] = "direction"
    description: ClassVar[str] = "will a market rise tomorrow? Expected to be noise"
    loss: ClassVar = "cross_entropy"
    unit: ClassVar[str] = "nats per day"
    second_metric: ClassVar[str] = "error rate"

    source: Source = "equities"
    """Which market."""

    def __post_init__(self) -> None:
        """Refuse a market that is none, and windows as elsewhere."""
        if self.source not in SEEN:
            raise ValueError(f"source is {self.source!r}: it must be one of {', '.join(SEEN)}")
        super().__post_init__()

    @property
    def market(self) -> Source:
        """The source."""
        return self.source

    @property
    def seen(self) -> WalkForward:
        """The task whose features are read."""
        return SEEN[self.source](window=self.window)

    @property
    def inputs(self) -> int:
        """Features of that task."""
        return self.seen.inputs

    @property
    def outputs(self) -> int:
        """Scores for down and up."""
        return 2

    def features(self, panel: Panel, train: np.ndarray) -> np.ndarray:
        """Features of that task."""
        return self.seen.features(panel, train)

    def answers(self, panel: Panel, train: np.ndarray) -> np.ndarray:
        """1 where the return is positive."""
        with np.errstate(invalid="ignore"):
            return (panel.returns > 0).astype(np.int64)

    def trivial_loss(self, train: Split, split: Split) -> float:
        """The share of rises in train."""
        return log_loss(np.full(len(split.targets), _share(train.targets)), split.targets)

    def baselines(self, train: Split, split: Split) -> Mapping[str, float]:
        """Cross entropies of `forecasts`."""
        return {name: log_loss(said, split.targets) for name, said in self.forecasts(train, split).items()}

    def forecasts(self, train: Split, split: Split) -> dict[str, np.ndarray]:
        """Probability of a rise `(n,)`, by predictor; each sees the same windows as the network.

        last direction  how often in train a rise followed a rise, and anything else
        logistic, 5 lags  logistic regression on the last five returns, fitted on train with a ridge
        """
        known, asked = (part.inputs[:, -LAGS:, RETURN] for part in (train, split))
        rose = known[:, -1] > 0
        after = [_share(train.targets[rose == one]) for one in (False, True)]
        return {
            "last direction": np.where(asked[:, -1] > 0, after[1], after[0]),
            f"logistic, {LAGS} lags": forecasters.logistic(known, train.targets, asked),
        }

    def evaluate_second_metric(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """1 where the likelier direction is wrong, else 0."""
        return (outputs.argmax(-1) != targets).to(outputs.dtype)

    def example(self, seed: int = 0) -> str:
        """The last days of one window of the first series, and what the predictors say of the next."""
        panel, train, split = prices.panel(self.market), self.data("train", seed), self.data("validation", seed)
        rows = self.target_days(panel.dates, None)["validation"]
        chosen = len(rows) // 2
        day = int(rows[chosen])
        title = prices.TITLES[prices.FILES[self.market][0]]
        lines = [f"Seen: {self.window} days of {title}, of which the last five are", "day         return"]
        lines += [f"{panel.dates[at]} {100 * panel.returns[at, 0]:+6.2f} %" for at in range(day - 5, day)]
        lines.append(f"Asked: will it rise on {panel.dates[day]}?")
        said = {"train": np.full(len(rows), _share(train.targets)), **self.forecasts(train, split)}
        lines += [f"  {name}: with probability {probability[chosen]:.3f}" for name, probability in said.items()]
        return "\n".join([*lines, f"  what came: {100 * panel.returns[day, 0]:+.2f} %"])

    @classmethod
    def tiny(cls) -> Direction:
        """Windows of 22 days."""
        return cls(window=22)


def log_loss(probability: np.ndarray, labels: np.ndarray) -> float:
    """Mean cross entropy in nats of probabilities of class 1."""
    return float(-(xlogy(labels, probability) + xlogy(1 - labels, 1.0 - probability)).mean())


def _share(labels: np.ndarray) -> float:
    """Of rises, with one of each added, so that nothing is impossible."""
    return float((labels.sum() + 1.0) / (len(labels) + 2.0))
