"""How much will the stock market move tomorrow? Next-day variance of two indices, from real daily prices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tasks.finance.forecasters import qlike
from tasks.finance.prices import Panel, Source
from tasks.finance.variance import NextDayVariance
from tasks.task import Split

__all__ = ["EquityVariance", "qlike"]

INDEX = 4
"""The feature that tells the two indices apart."""


@dataclass(frozen=True)
class EquityVariance(NextDayVariance):
    """Tomorrow's variance of the S&P 500 and the NASDAQ, from the last `window` days of open, high, low and close.

    Prices: 1999-01-04 to 2018-12-31, 5,031 days an index, carried by the `arch` package (read, not imported). Neither
    file has a missing value; were there one, or a price that is not positive or lies outside its day's low and high,
    the day would be dropped for both indices, so that they stay parallel, and the next return would span it.

    Target: the Garman-Klass variance of day t+1 (Garman & Klass 1980, Journal of Business 53, 67-78),
    ½ ln(H/L)² - (2 ln 2 - 1) ln(C/O)², floored at 1e-6, divided by the train mean of its own index. It measures the
    session, open to close: mean squared close-to-close returns are 1.7 (S&P 500) and 1.9 (NASDAQ) times as large.
    Loss: QLIKE (Patton 2011), the network's output being the log of the predicted variance over that same train mean.
    An output of 0 predicts the train mean, the trivial predictor (of all constants it has the least QLIKE on train).

    Inputs float32 `(n, window, 5)`, days t-window+1 to t: log variance, return, |return|, log range (Parkinson 1980)
    variance, and -1 for the S&P 500, +1 for the NASDAQ. Variances are over the index's train mean and returns over its
    square root, so scaling knows train days only. The overnight gap is left out: until 2005 the S&P 500 file opens at
    the previous close on 95 to 98 % of days, so the feature would change its meaning in mid-sample.
    Targets float32 `(n,)`; groups are the calendar month of day t+1 (`2011-03`), the same for both indices, so that
    correlated days stay in one block.

    Folds are walk-forward origins with an expanding window: fold k tests the year 2009 + k, validates on the year
    before, and trains on all earlier years. `fold=None` is for tuning: train 1999 to 2006, validation 2007 and 2008,
    and no test (ValueError). Between splits `window` + 1 target days are purged (window overlap plus horizon): no day
    of a split's windows or targets is in another split of that fold. The data are fixed: `seed` changes nothing.

    Seen elsewhere: HAR is hard to beat here (Corsi 2009), and 20 years of two correlated indices are few.
    """

    name: ClassVar[str] = "equity_variance"
    description: ClassVar[str] = "next-day variance of the S&P 500 and the NASDAQ from daily prices"

    @property
    def market(self) -> Source:
        """Both indices."""
        return "equities"

    @property
    def inputs(self) -> int:
        """Five features."""
        return 5

    def features(self, panel: Panel, train: np.ndarray) -> np.ndarray:
        """Log variance, return, |return|, log range variance, and which index it is."""
        scale = panel.variance[train].mean(axis=0)
        ranges = np.log(panel.range_variance / scale)
        sign = np.broadcast_to(np.array([-1.0, 1.0]), ranges.shape)
        return np.concatenate([super().features(panel, train), np.stack([ranges, sign], axis=-1)], axis=-1)

    def series_of(self, split: Split) -> np.ndarray:
        """0 for the S&P 500, 1 for the NASDAQ."""
        return (split.inputs[:, 0, INDEX] > 0).astype(np.int64)

    @classmethod
    def tiny(cls) -> EquityVariance:
        """Windows of 22 days."""
        return cls(window=22)
