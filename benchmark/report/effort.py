"""Would more tuning change it? The best validation score to be expected after n points, by depth."""

from __future__ import annotations

import math
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from benchmark.analysis.diagnoses import Effort, Searched
from benchmark.analysis.findings import Findings
from benchmark.report.groups import depths
from benchmark.report.places import named, placed
from benchmark.report.style import WIDTH, Picture, colour, dashes, depth_legend, draw, marker
from benchmark.report.tuning import FLOOR
from benchmark.report.words import sentence


def picture(findings: Findings) -> Picture | None:
    """A panel for every contrast that was tuned, two beside each other; None where there is none."""
    shown = [(label, one) for label, one in placed(findings, findings.effort) if one.depths]
    if not shown:
        return None
    every = depths(findings)
    rows = math.ceil(len(shown) / 2)

    def paint(figure: Figure) -> None:
        depth_legend(figure, sorted({depth.depth for _, one in shown for depth in one.depths}), every)
        grid = figure.subplots(rows, 2, squeeze=False)
        for axes, (label, one) in zip(grid.flat, shown, strict=False):
            _panel(axes, label, one, every)
        for axes in grid.flat[len(shown) :]:
            axes.set_visible(False)

    alt = "Expected best validation score against the number of tuning points, by depth"
    return draw("effort", alt, (WIDTH, 1.0 + 2.5 * rows), paint)


def _panel(axes: Axes, label: str, one: Effort, every: list[int]) -> None:
    best = max(value for depth in one.depths for value in depth.expected)
    lowest = min(value for depth in one.depths for value in depth.expected)
    floor = max(lowest, best - FLOOR)
    for depth in one.depths:
        heights = [max(value, floor) for value in depth.expected]
        axes.plot(
            range(1, len(heights) + 1), heights, color=colour(depth.depth, every),
            linestyle=dashes(depth.depth, every), linewidth=1.6, marker=marker(depth.depth, every), markersize=6,
        )  # fmt: skip
    axes.margins(y=0.1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(label, fontweight="bold")
    axes.set_xlabel("tuning points" + ("\n(lower scores are drawn at the bottom)" if lowest < floor else ""))
    axes.set_ylabel("expected best\n" + ("tuning skill" if one.kind == "skill" else "relative reduction"))


@dataclass(frozen=True)
class Row:
    """One depth's line in the table: its expected best after one point, half of the points and all of them."""

    depth: Searched
    points: list[int]
    best: list[float]


def rows(one: Effort) -> list[Row]:
    """The lines of one contrast."""
    points = [1, max(one.points // 2, 1), one.points]
    return [Row(depth, points, [depth.expected[at - 1] for at in points]) for depth in one.depths]


def lines(findings: Findings) -> list[str]:
    """One sentence a contrast; what was refused for one reason is one line."""
    found = placed(findings, findings.effort)
    said = [sentence(one.sentence) for _, one in found if not one.reason]
    refused: dict[str, list[Effort]] = {}
    for _, one in found:
        if one.reason:
            refused.setdefault(one.reason, []).append(one)
    return said + [sentence(f"{reason} ({named(found, several)})") for reason, several in refused.items()]


def diverged(findings: Findings) -> bool:
    """Whether any point has no score of its own."""
    return any(depth.diverged for one in findings.effort for depth in one.depths)
