"""Real markets, walked through year by year: what all of them share, from folds and purging to pictures."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tasks.finance import prices, real_charts
from tasks.finance.prices import Panel, Source
from tasks.task import Split, SplitName, Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHORTEST = 22
"""Days in a window: at least a trading month, which HAR needs."""


class Origins(NamedTuple):
    """Walk-forward folds: fold k tests `test_months` from `first_test` + k of them, and validates on those before.

    `tuning_months` is the length of the validation part of tuning (fold None), which ends at `first_test`. `longest` is
    the longest window, in days, that purging leaves enough to validate on.
    """

    first_test: str
    test_months: int
    folds: int
    validation_months: int
    tuning_months: int
    longest: int


ORIGINS: dict[str, Origins] = {
    "equities": Origins("2009-01", 12, 10, 12, 24, 128),
    "oil": Origins("2009-01", 12, 10, 12, 24, 128),
    "vix": Origins("2016-01", 3, 12, 6, 6, 64),
}
"""Ten test years, 2009 to 2018; for the VIX, of which there are five years, twelve test quarters, 2016 to 2018."""


def target_days(
    dates: np.ndarray, origins: Origins, window: int, fold: int | None, name: str = "this task"
) -> dict[SplitName, np.ndarray]:
    """Rows of `dates` that are predicted, by split; fold None is tuning, which has no test.

    Train is all that comes before, so it grows from fold to fold. Between splits `window` + 1 target days are purged
    (window overlap plus horizon): no day of a split's windows or targets is in another split of that fold.
    """
    if fold is not None and not 0 <= fold < origins.folds:
        raise ValueError(f"{name} has folds 0 to {origins.folds - 1}, not {fold}")
    first = np.datetime64(origins.first_test, "M") + (fold or 0) * origins.test_months
    before = origins.tuning_months if fold is None else origins.validation_months
    validation, test, end = (
        int(np.searchsorted(dates, month.astype("datetime64[D]")))
        for month in (first - before, first, first + origins.test_months)
    )
    days: dict[SplitName, np.ndarray] = {
        "train": np.arange(window + 1, validation - window),  # the first day has no return
        "validation": np.arange(validation, test - window),
    }
    return days if fold is None else {**days, "test": np.arange(test, end)}


@dataclass(frozen=True)
class WalkForward(Task):
    """Base of the tasks on real markets: windows of daily features, one target for the day after each.

    One target per sequence, not one per step: every scored day then has a whole window behind it and is scored once,
    while targets per step would score days with little history, or throw the washout's targets away. Windows overlap,
    which costs compute, not honesty: the baselines see exactly the same `window` days. Parallel series come one after
    the other, each in order of time. Groups are the calendar month of the target's day, the same for parallel series,
    so that correlated days stay in one block. The data are fixed: `seed` changes nothing.
    """

    family: ClassVar[str] = "finance"
    target: ClassVar = "sequence"
    replicates: ClassVar = "folds"

    window: int = 32
    """Days that the network sees; at least 22, which HAR needs."""

    def __post_init__(self) -> None:
        """Refuse windows too short for HAR, or so long that purging leaves nothing to validate on."""
        longest = self.origins.longest
        if not SHORTEST <= self.window <= longest:
            raise ValueError(f"window is {self.window} days: it must be from {SHORTEST} (a trading month) to {longest}")

    @property
    @abc.abstractmethod
    def market(self) -> Source:
        """Which prices."""

    @abc.abstractmethod
    def features(self, panel: Panel, train: np.ndarray) -> np.ndarray:
        """What is seen of each day `(days, series, features)`; scaling knows the rows `train` only."""

    @abc.abstractmethod
    def answers(self, panel: Panel, train: np.ndarray) -> np.ndarray:
        """The target of each day `(days, series)`, likewise; int64 for classes."""

    @property
    def origins(self) -> Origins:
        """The folds of this market."""
        return ORIGINS[self.market]

    @property
    def folds(self) -> int:  # type: ignore[override]
        """Number of test years, or quarters."""
        return self.origins.folds

    @property
    def outputs(self) -> int:
        """One number."""
        return 1

    @property
    def time(self) -> int:
        """Days in a window."""
        return self.window

    def target_days(self, dates: np.ndarray, fold: int | None) -> dict[SplitName, np.ndarray]:
        """Rows of `dates` that are predicted, by split."""
        return target_days(dates, self.origins, self.window, fold, self.name)

    def data(self, split: SplitName, seed: int, fold: int | None = None) -> Split:
        """Windows, and the day after each. Raises ValueError for a fold that is none."""
        panel = prices.panel(self.market)
        days = self.target_days(panel.dates, fold)
        if split not in days:
            raise ValueError(
                f"{self.name} has no test split while tuning (fold=None): choose a fold from 0 to {self.folds - 1}"
            )
        asked = days[split]
        features, answers = self.features(panel, days["train"]), self.answers(panel, days["train"])[asked]
        months = panel.dates[asked].astype("datetime64[M]").astype(str)
        # Window w of the view is days w .. w+window-1; the one before target day i starts at i - window.
        windows = sliding_window_view(features, self.window, axis=0)[asked - self.window]
        return Split(
            inputs=np.concatenate([part.transpose(0, 2, 1) for part in windows.swapaxes(0, 1)]).astype(np.float32),
            targets=answers.T.reshape(-1).astype(np.int64 if answers.dtype == np.int64 else np.float32),
            groups=np.tile(months, answers.shape[1]),
        )

    def data_digest(self) -> str:
        """SHA-256 of the price files, uncompressed."""
        return prices.digest(self.market)

    def amount(self, split: Split) -> tuple[float, str]:
        """Days of market that are predicted."""
        return len(split.targets) / len(prices.FILES[self.market]), "days of market"

    def illustrate(self, figure: Figure, seed: int = 0) -> None:
        """The price and its volatility over the years, with the test folds shaded."""
        panel = prices.panel(self.market)
        tested = [panel.dates[self.target_days(panel.dates, fold)["test"]] for fold in range(self.folds)]
        real_charts.draw_real(figure, self.market, panel, tested)
