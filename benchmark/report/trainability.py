"""Did the deep ones train? The lowest layer's gradient over the top layer's, and the words around the table."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.analysis.diagnoses import Trainability, Trained
from benchmark.analysis.findings import Findings
from benchmark.report.groups import depths
from benchmark.report.places import named, placed
from benchmark.report.style import GREY, WIDTH, Picture, colour, dashes, depth_legend, draw, marker, plain_log
from benchmark.report.words import finite, sentence


def picture(findings: Findings) -> Picture | None:
    """A panel for every contrast whose gradients were recorded, two beside each other; None where there is none."""
    shown = [(label, one) for label, one in placed(findings, findings.trainability) if _drawn(one)]
    if not shown:
        return None
    every = depths(findings)
    rows = math.ceil(len(shown) / 2)

    def paint(figure: Figure) -> None:
        depth_legend(figure, sorted({depth.depth for _, one in shown for depth in _drawn(one)}), every)
        grid = figure.subplots(rows, 2, squeeze=False, sharey=True)
        for axes, (label, one) in zip(grid.flat, shown, strict=False):
            _panel(axes, label, one, every)
        for axes in grid.flat[len(shown) :]:
            axes.set_visible(False)
        for axes in grid[:, 0]:
            axes.set_ylabel("gradient,\nlowest / top layer")

    alt = "Gradient of the lowest layer over that of the top layer while the confirmed trainings ran, by depth"
    return draw("trainability", alt, (WIDTH, 1.0 + 2.5 * rows), paint)


def _drawn(one: Trainability) -> list[Trained]:
    return [depth for depth in one.depths if any(_positive(row) for row in depth.ratios)]


def _positive(row: tuple[int, float, float, float]) -> bool:
    """A ratio of 0 has no place on a logarithmic axis; the table has it."""
    return all(finite(value) and value > 0 for value in row[1:])


def _panel(axes: Axes, label: str, one: Trainability, every: list[int]) -> None:
    plain_log(axes, "y")
    axes.axhline(1, color=GREY, linewidth=1, zorder=0)
    for depth in _drawn(one):
        ink = colour(depth.depth, every)
        step, middle, low, high = zip(*(row for row in depth.ratios if _positive(row)), strict=True)
        axes.fill_between(step, low, high, color=ink, alpha=0.14, linewidth=0)
        axes.plot(
            step, middle, color=ink, linestyle=dashes(depth.depth, every), linewidth=2,
            marker=marker(depth.depth, every), markersize=7, markevery=[len(step) - 1],
        )  # fmt: skip
    axes.set_title(label, fontweight="bold")
    axes.set_xlabel("training step")


def lines(findings: Findings) -> list[str]:
    """A sentence for every contrast with a worse depth; where no depth is worse, one for all of them."""
    found = placed(findings, findings.trainability)
    said = [sentence(one.sentence) for _, one in found if one.sentence]
    fine = [one for _, one in found if not one.sentence]
    if fine:
        others = "No depth is worse than one layer on test, so there is nothing to diagnose, on"
        said.append(f"{others} {named(found, fine)}.")
    return said


def limits(findings: Findings) -> list[str]:
    """What was not recorded, once for all the contrasts that it is true of."""
    found = placed(findings, findings.trainability)
    limited: dict[str, list[Trainability]] = {}
    for _, one in found:
        for limit in one.limits:
            limited.setdefault(limit, []).append(one)
    return [
        sentence(limit if len(several) == len(found) else f"{limit} ({named(found, several)})")
        for limit, several in limited.items()
    ]
