"""The phase diagram: how the gain of depth moves when one dial of a task is turned, at every budget."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from benchmark.analysis.findings import Findings
from benchmark.analysis.outcome import Contrast, Pair
from benchmark.report.groups import depths
from benchmark.report.style import BAND, GREY, WIDTH, Picture, colour, dashes, depth_legend, draw, marker
from benchmark.report.words import finite, withheld

Value = int | float | str


@dataclass(frozen=True)
class Dial:
    """One parameter of one task that a study turns while every other stays: its values, and the contrasts at each."""

    source: str
    name: str
    values: list[Value]
    contrasts: dict[Value, list[Contrast]]

    @property
    def budgets(self) -> list[int]:
        """Budgets at which the dial was turned."""
        return sorted({contrast.budget for several in self.contrasts.values() for contrast in several})


def dials(findings: Findings) -> list[Dial]:
    """Every dial with at least two values, in the order of the study; at equal parameters and plain stacks first."""
    usable = [c for c in findings.contrasts if c.role != "A/A" and c.pairs and c.source and c.match == "parameters"]
    found: dict[tuple[str, str, str], dict[Value, list[Contrast]]] = {}
    for contrast in usable:
        for name, value in contrast.parameters.items():
            others = {key: other for key, other in contrast.parameters.items() if key != name}
            others["steps of training"] = contrast.steps  # all else is kept
            place = (contrast.source, name, f"{contrast.variant} {json.dumps(others, sort_keys=True)}")
            if isinstance(value, int | float | str):
                found.setdefault(place, {}).setdefault(value, []).append(contrast)
    return [
        Dial(source, name, sorted(turned, key=lambda value: (isinstance(value, str), value)), turned)
        for (source, name, _), turned in found.items()
        if len(turned) > 1
    ]


def phase(findings: Findings) -> Picture | None:
    """One row of panels a dial, one column a budget; None where the study turns no dial."""
    rows = dials(findings)
    if not rows:
        return None
    budgets = sorted({budget for dial in rows for budget in dial.budgets})
    every = depths(findings)

    def paint(figure: Figure) -> None:
        depth_legend(figure, [depth for depth in every if depth > 1], every)
        band = Patch(color=BAND, label="± margin")
        figure.legend(handles=[band], loc="outside upper right")
        axes = figure.subplots(len(rows), len(budgets), squeeze=False, sharey="row")
        for dial, panels in zip(rows, axes, strict=True):
            for budget, panel in zip(budgets, panels, strict=True):
                _panel(panel, dial, budget, every)
            panels[0].annotate(
                dial.source, (0, 1), xycoords="axes fraction", xytext=(0, 23), textcoords="offset points",
                fontweight="bold",
            )  # fmt: skip
            panels[0].set_ylabel("gain of depth\n(skill, deeper\nminus one layer)")
        if held := withheld(findings):
            figure.suptitle(f"withheld: {held}", fontweight="bold")

    alt = "Gain of every depth over one layer against the value of each dial, a panel a budget, with intervals"
    return draw("phase", alt, (WIDTH, 0.8 + 2.7 * len(rows)), paint)


def _panel(axes: Axes, dial: Dial, budget: int, every: list[int]) -> None:
    axes.set_title(f"{budget:,} parameters")
    axes.set_xlabel(dial.name)
    axes.set_xticks(
        range(len(dial.values)), [f"{value:g}" if not isinstance(value, str) else value for value in dial.values]
    )
    axes.set_xlim(-0.5, len(dial.values) - 0.5)
    axes.axhline(0, color=GREY, linewidth=1)
    here = [c for several in dial.contrasts.values() for c in several if c.budget == budget]
    if not here:
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", color=GREY)
        return
    margin = here[0].margin
    axes.axhspan(-margin, margin, color=BAND, linewidth=0, zorder=0)
    deeper = [depth for depth in every if depth > 1]
    for place, depth in enumerate(deeper):
        # Depths stand beside each other, so that no interval hides another.
        shift = 0.22 * (place - (len(deeper) - 1) / 2)
        points = list(_points(dial, budget, depth))
        xs, ys = [x + shift for x, _ in points], [pair.difference or 0.0 for _, pair in points]
        ink = colour(depth, every)
        axes.plot(xs, ys, color=ink, linestyle=dashes(depth, every), linewidth=1.5, zorder=2)
        for x, (_, pair) in zip(xs, points, strict=True):
            _mark(axes, x, pair, ink, marker(depth, every))


def _points(dial: Dial, budget: int, depth: int) -> Iterator[tuple[int, Pair]]:
    for x, value in enumerate(dial.values):
        for contrast in dial.contrasts[value]:
            for pair in contrast.pairs:
                if contrast.budget == budget and pair.depth == depth and finite(pair.difference):
                    yield x, pair


def _mark(axes: Axes, x: float, pair: Pair, ink: str, shape: str) -> None:
    decided = pair.judged in ("better", "worse")
    if finite(pair.low) and finite(pair.high):
        axes.plot([x, x], [pair.low, pair.high], color=ink, linewidth=2, solid_capstyle="butt", zorder=3)
    face = ink if decided else "white"
    axes.plot([x], [pair.difference or 0.0], marker=shape, color=ink, markerfacecolor=face, markersize=8, zorder=4)
