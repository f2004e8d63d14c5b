"""How much will the price of oil move tomorrow? Next-day variance of WTI crude, from real daily closes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tasks.finance.prices import Source
from tasks.finance.variance import NextDayVariance


@dataclass(frozen=True)
class OilVariance(NextDayVariance):
    """Tomorrow's variance of West Texas Intermediate crude oil, from the last `window` daily closes.

    Prices: 1986-01-02 to 2019-01-03, 8,611 rows of which 290 have no price (holidays), carried by the `arch` package
    (read, not imported). Those days are dropped, not filled, and the next return spans the gap: 8,321 days are left.

    Only closes exist, so the target is the squared return of day t+1, floored at 1e-5 (a move of 0.3 %) and divided by
    its train mean. A single squared return is a poor measure of a day's variance: were returns normal given the
    variance, the QLIKE of the best possible forecast would be 1.27. Forecasts are still ranked rightly (Patton 2011,
    Journal of Econometrics 160, 246-256), but it takes more days to tell them apart. The floor binds on 15 % of
    days. It changes the level of the loss, which all forecasts share, and hardly the differences between them.
    Loss: QLIKE, the network's output being the log of the predicted variance over that same train mean.

    Inputs float32 `(n, window, 3)`, days t-window+1 to t: log floored squared return, return, |return|, in units of
    the train mean or its square root. Targets float32 `(n,)`; groups are the calendar month of day t+1.

    Folds are walk-forward origins as in `equity_variance`: fold k tests the year 2009 + k, validates on the year before
    and trains on all earlier years; `fold=None` is for tuning, with 2007 and 2008 to validate on and no test
    (ValueError). Splits are purged, and the data are fixed: `seed` changes nothing.
    """

    name: ClassVar[str] = "oil_variance"
    description: ClassVar[str] = "next-day variance of WTI crude oil from daily closes"

    @property
    def market(self) -> Source:
        """WTI crude oil."""
        return "oil"

    @classmethod
    def tiny(cls) -> OilVariance:
        """Windows of 22 days."""
        return cls(window=22)
