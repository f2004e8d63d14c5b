"""The picture of a real market."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tasks.finance import prices
from tasks.finance.drawing import BLUE, DARKER_SHADE, RED, SHADE, finish, percent_a_year, title
from tasks.finance.prices import Panel, Source

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_real(figure: Figure, source: Source, panel: Panel, tested: list[np.ndarray]) -> None:
    """The price, and its volatility over the last 22 days, by year; test folds are shaded in turn."""
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    above, below = figure.subplots(2, 1, sharex=True)
    names = [prices.TITLES[name] for name in prices.FILES[source]]
    volatility = percent_a_year(_monthly(panel.variance))
    for column, (name, colour) in enumerate(zip(names, (BLUE, RED), strict=False)):
        above.plot(panel.dates, panel.close[:, column], color=colour, linewidth=0.9, label=name)
        below.plot(panel.dates, volatility[:, column], color=colour, linewidth=0.9, label=name)
    for axes in (above, below):
        for fold, days in enumerate(tested):
            axes.axvspan(days[0], days[-1], color=DARKER_SHADE if fold % 2 else SHADE, linewidth=0, zorder=0)
        axes.margins(x=0.0)
    first, last = str(tested[0][0])[:4], str(tested[-1][-1])[:4]
    above.set_yscale("log")
    dollars = "US dollars per barrel" if source == "oil" else "index points"
    finish(above, f"Daily close (shaded: the {len(tested)} test folds, {first} to {last})", "", f"{dollars}, log scale")
    measured = "from open, high, low and close" if source == "equities" else "from squared returns"
    finish(below, f"Volatility of the last 22 days, {measured}", "", "% a year")
    below.set_ylim(bottom=0.0)
    above.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    above.yaxis.set_major_formatter(ScalarFormatter())
    above.yaxis.set_minor_formatter(NullFormatter())
    if len(names) > 1:
        above.legend(frameon=False, fontsize=9, loc="upper left")
    title(figure, f"{' and '.join(names)}, {str(panel.dates[0])[:4]} to {str(panel.dates[-1])[:4]}")


def _monthly(variance: np.ndarray) -> np.ndarray:
    """Mean of the last 22 days of each series, nan before there are as many."""
    total = np.cumsum(np.nan_to_num(variance), axis=0)
    found = np.full(variance.shape, np.nan)
    found[22:] = (total[22:] - total[:-22]) / 22.0
    return found
