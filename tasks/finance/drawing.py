"""How the pictures of markets look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, RED, GREY, SHADE, DARKER_SHADE = "#1f5f99", "#c1440e", "#8a8a8a", "#e8eef4", "#d3e0ec"
TRADING_DAYS = 252


def title(figure: Figure, text: str) -> None:
    """The one above everything."""
    figure.suptitle(text, x=0.01, ha="left", fontsize=13, fontweight="bold")


def finish(axes: Axes, text: str, across: str, up: str) -> None:
    """Title and labels of one panel, without a box."""
    axes.set_title(text, loc="left", fontsize=10)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def percent_a_year(variance: np.ndarray) -> np.ndarray:
    """Volatility as it is quoted, from daily variance."""
    return 100.0 * np.sqrt(TRADING_DAYS * variance)
