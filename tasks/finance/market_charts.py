"""The picture of the simulated market."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tasks.finance.drawing import BLUE, GREY, RED, SHADE, finish, percent_a_year, title
from tasks.finance.simulator import DAYS_OF_YEAR, Path, Simulator

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DAILY = 0.01
"""Standard deviation of a simulated day, for its picture alone: 1 %, as of a stock index."""
SHOWN = 4 * DAYS_OF_YEAR
SETTLED = 4 * DAYS_OF_YEAR
"""First days left out, as they remember the start."""


def draw_market(figure: Figure, path: Path, simulator: Simulator) -> None:
    """Four years of a market, and two of its facts: clusters of volatility, and tails."""
    years = np.arange(SHOWN) / DAYS_OF_YEAR
    shown = slice(SETTLED, SETTLED + SHOWN)
    returns, variance = path.returns[0], path.variance[0] * DAILY**2
    expected = simulator.expect(path.bars[:1, : shown.stop], path.position[:1, 0])[0][shown.start - 1 : -1] * DAILY**2
    axes = figure.subplot_mosaic(
        [["price", "memory"], ["return", "memory"], ["volatility", "tail"]], width_ratios=[2.0, 1.0]
    )
    axes["price"].plot(years, 100.0 * np.exp(DAILY * returns[shown].cumsum()), color=BLUE, linewidth=0.9)
    axes["return"].plot(years, 100.0 * DAILY * returns[shown], color=BLUE, linewidth=0.5)
    axes["volatility"].plot(years, percent_a_year(variance[shown]), color=GREY, linewidth=1.2, label="true")
    axes["volatility"].plot(
        years, percent_a_year(expected), color=RED, linewidth=0.7, label="the best forecast from the day before"
    )
    axes["volatility"].legend(frameon=False, fontsize=8, loc="upper left")
    axes["volatility"].set_ylim(0.0, 1.3 * percent_a_year(variance[shown]).max())
    finish(axes["price"], "Price, starting at 100", "", "points")
    finish(axes["return"], "Return of each day", "", "%")
    finish(axes["volatility"], "Volatility", "years", "% a year")
    for name in ("price", "return", "volatility"):
        axes[name].margins(x=0.0)
    _draw_memory(axes["memory"], returns[SETTLED:])
    _draw_tail(axes["tail"], returns[SETTLED:])
    title(figure, "A simulated market: four years of it, and two facts over forty")


def _draw_memory(axes: Axes, returns: np.ndarray) -> None:
    lags = np.unique(np.geomspace(1, 250, 24).astype(int))
    for series, colour, label in ((np.abs(returns), RED, "size of returns"), (returns, BLUE, "returns")):
        axes.plot(lags, [correlation(series, lag) for lag in lags], ".-", color=colour, linewidth=0.9, label=label)
    chance = 2.0 / math.sqrt(len(returns))
    axes.axhspan(-chance, chance, color=SHADE, linewidth=0, zorder=0, label="expected of noise")
    axes.set_xscale("log")
    axes.set_xticks([1, 5, 22, 250], ["1", "5", "22", "250"])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=8)
    finish(axes, "Wild days follow wild days", "days apart", "autocorrelation")


def _draw_tail(axes: Axes, returns: np.ndarray) -> None:
    from scipy.special import erfc

    size = np.sort(np.abs(returns) / returns.std())
    beyond = 1.0 - np.arange(len(size)) / len(size)
    grid = np.linspace(0.5, size[-1], 200)
    axes.plot(size, beyond, color=RED, linewidth=1.2, label="this market")
    axes.plot(grid, erfc(grid / math.sqrt(2.0)), color=GREY, linewidth=1.2, label="normal")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(0.5, size[-1])
    axes.set_ylim(0.5 / len(size), 1.0)
    axes.set_xticks([0.5, 1, 2, 5, 10], ["0.5", "1", "2", "5", "10"])
    axes.set_yticks([1.0, 0.1, 0.01, 0.001, 0.0001], ["all", "1 in 10", "1 in 100", "1 in 1,000", "1 in 10,000"])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=8, loc="lower left")
    finish(axes, "Large moves are not rare", "size of a return, deviations", "share of days beyond")


def correlation(series: np.ndarray, lag: int) -> float:
    """Autocorrelation of one series at a lag."""
    centred = series - series.mean()
    return float((centred[lag:] * centred[:-lag]).sum() / np.square(centred).sum())
