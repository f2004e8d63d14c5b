"""The look of every picture, and drawing one to bytes that are the same every time."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib as mpl
import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from benchmark.report.words import layers

GREY, LIGHT, BAND = "#555555", "#c9c9c9", "#ececec"
MARKERS = "os^DvPX*"
LINES: list[Any] = ["-", (0, (5, 2)), (0, (1, 1)), (0, (5, 2, 1, 2))]

# Sizes are for pictures 9 inches wide that a page may show at half size.
SETTINGS = {
    "font.family": "DejaVu Sans",  # carried by matplotlib itself: the same letters on every machine
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.labelsize": 12,
    "axes.labelcolor": "#222222",
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": "#222222",
    "ytick.labelcolor": "#222222",
    "legend.frameon": False,
    "legend.fontsize": 12,
    "figure.constrained_layout.use": True,
    "text.parse_math": False,  # a task may be called anything, dollar signs included
    "svg.fonttype": "path",
    "svg.hashsalt": "strata",  # otherwise the ids inside an SVG are new every time
}


WIDTH = 9.8
"""Inches of every figure: at the width of the page, letters are as large as those of the text."""
NARROW = 4.9
"""Inches of a figure that is drawn anew for a telephone: there, too, its letters can be read."""


@dataclass(frozen=True)
class Picture:
    """A finished figure: file name without ending, what it shows in words, both formats, and matplotlib's own."""

    name: str
    alt: str
    svg: bytes
    png: bytes
    figure: Figure = field(repr=False, compare=False)
    narrow: bytes = b""
    """The same picture drawn anew for a narrow window, as SVG; b'' where it is only made smaller there."""

    @property
    def height(self) -> float:
        """Inches; every picture is `WIDTH` inches wide."""
        return float(self.figure.get_figheight())


class Shown(Figure):
    """A figure that a notebook shows where it is the last value of a cell, without pyplot."""

    def _repr_png_(self) -> bytes:
        png = io.BytesIO()
        self.savefig(png, format="png", metadata={"Software": None})
        return png.getvalue()


Paint = Callable[[Figure], None]


def draw(
    name: str, alt: str, size: tuple[float, float], paint: Paint, narrow: tuple[float, Paint] | None = None
) -> Picture:
    """Let `paint` fill a figure of `size` inches; the person's own matplotlib settings play no part.

    `narrow` is the height in inches and the painter of the same picture `NARROW` inches wide.
    """
    with mpl.style.context(["default", SETTINGS]):
        small = _svg(_painted((NARROW, narrow[0]), narrow[1])) if narrow else b""
        figure = _painted(size, paint)
        svg, png = _svg(figure), io.BytesIO()
        figure.set_layout_engine("none")  # the layout is solved once
        figure.savefig(png, format="png", dpi=150, metadata={"Software": None})
    return Picture(name, alt, svg, png.getvalue(), figure, small)


def _painted(size: tuple[float, float], paint: Paint) -> Figure:
    figure = Shown(figsize=size)
    FigureCanvasAgg(figure)
    paint(figure)
    return figure


def _svg(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def colour(depth: int, depths: Sequence[int]) -> str:
    """Dark to light with depth: in order for every kind of colour vision and in grey; never too light for white."""
    place = depths.index(depth) / max(1, len(depths) - 1)
    return mpl.colors.to_hex(mpl.colormaps["viridis"](0.05 + 0.63 * place))


def marker(depth: int, depths: Sequence[int]) -> str:
    """One shape per depth."""
    return MARKERS[depths.index(depth) % len(MARKERS)]


def dashes(depth: int, depths: Sequence[int]) -> Any:
    """One line style per depth."""
    return LINES[depths.index(depth) % len(LINES)]


def depth_legend(figure: Figure, shown: Sequence[int], depths: Sequence[int], *, lines: bool = True) -> None:
    """One legend for all panels of a figure, above them."""
    handles = [
        Line2D([], [], color=colour(d, depths), marker=marker(d, depths), markersize=8, label=layers([d]),
               linestyle=dashes(d, depths) if lines else "none", linewidth=2)
        for d in shown
    ]  # fmt: skip
    length = 2.6 if lines else 1.0
    figure.legend(handles=handles, loc="outside upper left", ncols=min(len(handles), 5), handlelength=length)


def plain_log(axes: Axes, which: str = "x") -> None:
    """A logarithmic axis whose ticks are written as plain numbers."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1000 else f"{value:g}"))
    axis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
