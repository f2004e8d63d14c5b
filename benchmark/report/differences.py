"""The figure that carries the answer: the difference in score of every pair, with its interval and the margin."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from benchmark.analysis.findings import Findings
from benchmark.analysis.outcome import Contrast, Pair
from benchmark.report.grid import controls_grid, grid, is_large
from benchmark.report.groups import depths, name, ordered
from benchmark.report.style import BAND, GREY, WIDTH, Picture, colour, depth_legend, draw, marker
from benchmark.report.words import finite, verdict, withheld

ROW = 0.34
"""Inches for one pair."""


def differences(findings: Findings) -> Picture:
    """Natural tasks and dials above, controls set apart below on a scale of their own; a large study is a grid."""
    if is_large(findings):
        return grid(findings)
    alt = "Difference in test score of every depth from one layer, with interval and margin, controls set apart"
    tasks, controls = _split(findings)
    return _forest(findings, alt, {"Tasks": tasks, "Controls (own scale)": controls})


def controls(findings: Findings) -> Picture | None:
    """The controls of a large study; None where they stand below its tasks, or there are none."""
    _, held = _split(findings)
    if not held or not is_large(findings):
        return None
    return controls_grid(findings, held)


def _split(findings: Findings) -> tuple[list[Contrast], list[Contrast]]:
    contrasts = [contrast for contrast in ordered(findings) if contrast.pairs]
    tasks = [contrast for contrast in contrasts if contrast.role in ("natural", "dial")]
    return tasks, [contrast for contrast in contrasts if contrast not in tasks]


def _forest(findings: Findings, alt: str, parts: dict[str, list[Contrast]]) -> Picture:
    """A panel for each part that has contrasts, every one on a scale of its own."""
    panels = [(title, rows) for title, rows in parts.items() if rows]
    contrasts = [contrast for _, rows in panels for contrast in rows]

    def paint(figure: Figure, narrow: bool) -> None:
        if not panels:
            figure.text(0.5, 0.5, "no pair of depths was compared", ha="center", va="center", color=GREY)
            return
        every = depths(findings)
        shown = sorted({pair.depth for contrast in contrasts for pair in contrast.pairs if not pair.replica})
        depth_legend(figure, shown, every, lines=False)
        band = Patch(color=BAND, label="± margin" if narrow else "± margin: no practical difference")
        figure.legend(handles=[band], loc="outside upper right")
        ratios = _heights(panels, narrow)
        axes = figure.subplots(len(panels), 1, height_ratios=ratios, squeeze=False)[:, 0]
        for panel, (title, rows) in zip(axes, panels, strict=True):
            _panel(panel, findings, rows, every, narrow)
            held = withheld(findings) if title == "Tasks" else ""
            panel.set_title(f"{title}: withheld, {held}" if held else title, fontweight="bold")
        marked = any(contrast.score != "skill" for contrast in contrasts)
        label = "difference in skill, deeper minus one layer"
        axes[-1].set_xlabel(f"{label}\n(* in relative reduction of the trivial loss)" if marked else label)

    size = (WIDTH, 1.4 + sum(_heights(panels, False)))
    small = (1.4 + sum(_heights(panels, True)), lambda figure: paint(figure, True))
    return draw("differences", alt, size, lambda figure: paint(figure, False), small)


def _heights(panels: list[tuple[str, list[Contrast]]], narrow: bool) -> list[float]:
    return [ROW * sum(len(contrast.pairs) + _room(narrow) for contrast in rows) + 0.3 for _, rows in panels]


def _room(narrow: bool) -> float:
    """Rows that a contrast takes beside those of its pairs: where there is little width, its name stands above them."""
    return 1.6 if narrow else 0.6


def _panel(axes: Axes, findings: Findings, contrasts: list[Contrast], every: list[int], narrow: bool) -> None:
    top, names, places, verdicts = 0.0, [], [], []
    numbers = [x for c in contrasts for p in c.pairs for x in (p.difference, p.low, p.high) if finite(x)]
    reach = 2 * max(contrast.margin for contrast in contrasts)
    low, high = min([*numbers, -reach]), max([*numbers, reach])
    room = 0.06 * (high - low)
    axes.set_xlim(low - room, high + room)
    axes.xaxis.set_major_locator(MaxNLocator(4 if narrow else 6))
    axes.axvline(0, color=GREY, linewidth=1)
    for contrast in contrasts:
        rows = len(contrast.pairs)
        if narrow:
            said = f"{name(findings, contrast)}{_star(contrast)}: {verdict(findings, contrast)}"
            axes.annotate(said, (0, top - 0.85), xycoords=axes.get_yaxis_transform(), fontsize=10, fontweight="bold")
            top -= 1.0
        bottom = top - rows - 0.6
        axes.fill_betweenx([bottom + 0.1, top - 0.1], -contrast.margin, contrast.margin, color=BAND, linewidth=0)
        for row, pair in enumerate(contrast.pairs):
            _pair(axes, pair, top - 0.8 - row, every)
        places.append((top + bottom) / 2)
        names.append(name(findings, contrast) + _star(contrast))
        verdicts.append(verdict(findings, contrast).replace(" (", "\n(").replace("practical ", "practical\n"))
        top = bottom
    axes.set_ylim(top, 0)
    axes.set_yticks([] if narrow else places, [] if narrow else names)
    axes.spines["left"].set_visible(False)
    if narrow:
        return
    beside = axes.twinx()
    beside.set_ylim(top, 0)
    beside.set_yticks(places, verdicts)
    for side in (axes, beside):
        side.tick_params(axis="y", length=0, pad=9)  # leaves room for arrows
        side.spines[["left", "right", "top"]].set_visible(False)
    for text in beside.get_yticklabels():
        text.set_fontweight("bold")


def _star(contrast: Contrast) -> str:
    return "" if contrast.score == "skill" else "*"


def _pair(axes: Axes, pair: Pair, y: float, every: list[int]) -> None:
    """Mark and interval; an unbounded side ends in an arrow at the edge."""
    if not finite(pair.difference):
        axes.text(0, y, " no estimate", va="center", color=GREY, fontsize=11)
        return
    left, right = axes.get_xlim()
    ink = colour(pair.depth, every)
    low = pair.low if finite(pair.low) else left
    high = pair.high if finite(pair.high) else right
    axes.plot([low, high], [y, y], color=ink, linewidth=2, solid_capstyle="butt", zorder=3)
    for end, known, arrow in ((left, pair.low, "<"), (right, pair.high, ">")):
        if not finite(known):
            axes.plot([end], [y], marker=arrow, color=ink, markersize=8, clip_on=False, zorder=3)
    shape, face = marker(pair.depth, every), "white" if pair.replica else ink
    axes.plot([pair.difference], [y], marker=shape, color=ink, markerfacecolor=face, markersize=8, zorder=4)
