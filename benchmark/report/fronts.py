"""Pareto fronts: score against parameters and against FLOPs, with the arms that no other arm beats for less."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from benchmark.analysis.findings import Findings
from benchmark.analysis.fronts import Front, fronts
from benchmark.report.groups import ORDER, depths
from benchmark.report.style import GREY, WIDTH, Picture, colour, depth_legend, draw, marker, plain_log
from benchmark.report.words import finite, large

PANELS = {"parameters": "parameters", "flops": "FLOPs per sequence, forward"}


def picture(findings: Findings) -> Picture | None:
    """A row per task and variant; None where every task has one budget and match, so that all arms cost the same."""
    roles = {arm.task: ORDER.index(arm.role) for arm in findings.arms}
    scores = {contrast.task: contrast.score for contrast in findings.contrasts}
    variants = len({arm.variant for arm in findings.arms}) > 1
    rows: dict[str, dict[str, Front]] = {}
    for front in sorted(fronts(findings.arms), key=lambda front: roles[front.task]):
        if front.quantity in PANELS and len({(point.budget, point.match) for point in front.points}) > 1:
            title = f"{front.task} · {front.variant}" if variants else front.task
            rows.setdefault(title, {})[front.quantity] = front
    if not rows:
        return None
    every = depths(findings)

    def paint(figure: Figure) -> None:
        shown = sorted({point.depth for row in rows.values() for front in row.values() for point in front.points})
        depth_legend(figure, shown, every, lines=False)
        kinds = [
            Line2D([], [], color=GREY, drawstyle="steps-post", label="front"),
            Line2D([], [], color=GREY, marker="o", markerfacecolor="white", linestyle="none", label="beaten for less"),
        ]
        figure.legend(handles=kinds, loc="outside upper right", ncols=2, handlelength=1.4)
        grid = figure.subplots(len(rows), len(PANELS), squeeze=False, sharey="row")
        for line, (title, row) in zip(grid, rows.items(), strict=True):
            for axes, quantity in zip(line, PANELS, strict=True):
                if quantity in row:
                    _panel(axes, row[quantity], every)
            line[0].set_title(title, fontweight="bold")
            skill = scores.get(next(iter(row.values())).task, "skill") == "skill"
            line[0].set_ylabel("test skill" if skill else "relative reduction\nof the test loss")
        for axes, label in zip(grid[-1], PANELS.values(), strict=True):
            axes.set_xlabel(label)

    alt = "Test score against parameters and against FLOPs, a row for every task, with the arms on the Pareto front"
    return draw("fronts", alt, (WIDTH, 1.3 + 1.9 * len(rows)), paint)


def _panel(axes: Axes, front: Front, every: Sequence[int]) -> None:
    costs = [point.cost for point in front.points]
    low, high = min(costs) / 1.25, max(costs) * 1.25
    kept = front.front
    # The best score to be had for each cost: level until the next arm on the front.
    axes.plot(
        [*(point.cost for point in kept), high], [*(point.score for point in kept), kept[-1].score],
        drawstyle="steps-post", color=GREY, linewidth=1.2, zorder=1,
    )  # fmt: skip
    for point in front.points:
        ink = colour(point.depth, list(every))
        if finite(point.low) and finite(point.high):
            axes.plot([point.cost] * 2, [point.low, point.high], color=ink, linewidth=1.5, zorder=2)
        face = ink if point.on_front else "white"
        shape = marker(point.depth, list(every))
        axes.plot([point.cost], [point.score], marker=shape, color=ink, markerfacecolor=face, markersize=8, zorder=3)
    plain_log(axes)
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(FixedLocator(ticks(low, high)))
    axes.xaxis.set_minor_locator(NullLocator())
    if front.quantity == "flops":
        axes.xaxis.set_major_formatter(lambda value, _: large(value))


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from `low` to `high`, as many as have room: the finest of three sets with at most five."""
    for steps in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1,)):
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        found = [step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high]
        if len(found) <= 5:
            break
    return found
