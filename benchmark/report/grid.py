"""The figure that carries the answer of a large study: a table of task by budget whose cells are pictures.

Every cell shows each depth's difference from one layer with its interval, and the verdict in words. What a depth was
judged is a shape as well as a colour, so it reads in grey.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import CARETDOWN, CARETUP
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from benchmark.analysis.findings import Findings
from benchmark.analysis.outcome import Contrast, Pair
from benchmark.report.groups import ordered
from benchmark.report.style import BAND, GREY, WIDTH, Picture, draw
from benchmark.report.words import ABSENT, finite, judged, matched, smoke, withheld

MARKS = {"better": "^", "worse": "v", "equivalent": "s", "open": "o"}
INKS = {"better": "#14507a", "worse": "#b4480a", "equivalent": "#333333", "open": "#333333"}
SHORT = {
    "no practical difference": ("no diff.", "no diff."),
    "undecided": ("undecided", "undec."),
}
"""Verdicts that are too long for a cell, at the width of a page and of a telephone."""
GAP = 0.7
"""Between the depths of two matches, in depths."""


@dataclass(frozen=True)
class Row:
    """One task and variant: its contrasts by budget and match."""

    title: str
    contrasts: dict[tuple[int, str], Contrast]


def is_large(findings: Findings) -> bool:
    """Whether tasks were asked at several budgets or matches, so that a list of contrasts would hide the pattern."""
    primary = _primary(findings)
    return len({(contrast.budget, contrast.match) for contrast in primary}) > 1


def grid(findings: Findings) -> Picture:
    """A row a task, natural ones first, and a column a budget; matches stand beside each other in a cell."""
    alt = "Difference in score of every depth from one layer, a row a task and a column a budget, with verdicts"
    return _table(findings, "differences", alt, _primary(findings), withheld(findings))


def controls_grid(findings: Findings, controls: Sequence[Contrast]) -> Picture:
    """The same of the controls, which are shown whether they passed or not."""
    alt = "Difference in score of every depth from one layer, a row a control and a column a budget, with verdicts"
    return _table(findings, "controls", alt, controls, "")


def _table(findings: Findings, name: str, alt: str, contrasts: Sequence[Contrast], held: str) -> Picture:
    rows = _rows(contrasts)
    budgets = sorted({budget for row in rows for budget, _ in row.contrasts})
    matches = list(dict.fromkeys(match for row in rows for _, match in row.contrasts))
    compared = {pair.depth for row in rows for c in row.contrasts.values() for pair in c.pairs if not pair.replica}
    every = sorted(compared) or [1]  # A/A alone, as on a person's own series, compares one layer with its copy
    foot = _foot(contrasts, matches)

    def paint(figure: Figure, narrow: bool) -> None:
        _legend(figure, narrow, f"withheld: {held}" if held else "")
        panels = figure.subplots(len(rows), len(budgets), squeeze=False, sharey="row", sharex=True)
        figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.03, wspace=0.01, hspace=0.02)
        for row, line in zip(rows, panels, strict=True):
            _limits(line[0], row)
            for budget, axes in zip(budgets, line, strict=True):
                _cell(axes, findings, [(m, row.contrasts.get((budget, m))) for m in matches], every, narrow)
            _title(line[0], row.title, narrow)
        for budget, axes in zip(budgets, panels[0], strict=True):
            unit = "" if narrow or budget != budgets[0] else " parameters"
            axes.annotate(
                f"{budget:,}{unit}", (0.5, 1), xycoords="axes fraction", xytext=(0, 34 if narrow else 18),
                textcoords="offset points", ha="center", fontweight="bold",
            )  # fmt: skip
        figure.supxlabel("\n".join(foot) if narrow else _wide(foot), fontsize=10 if narrow else 12)

    size = (WIDTH, 1.6 + 0.95 * len(rows))
    small = (2.1 + 1.12 * len(rows), lambda figure: paint(figure, True))
    return draw(name, alt, size, lambda figure: paint(figure, False), small)


def _primary(findings: Findings) -> list[Contrast]:
    return [contrast for contrast in ordered(findings) if contrast.role in ("natural", "dial") and contrast.pairs]


def _rows(contrasts: Sequence[Contrast]) -> list[Row]:
    several = len({contrast.variant for contrast in contrasts}) > 1
    found: dict[str, Row] = {}
    for contrast in contrasts:
        title = f"A/A on {contrast.task}" if contrast.role == "A/A" else contrast.task
        title += f" · {contrast.variant}" if several else ""
        title += "" if contrast.score == "skill" else "*"
        found.setdefault(title, Row(title, {})).contrasts[contrast.budget, contrast.match] = contrast
    return list(found.values())


def _legend(figure: Figure, narrow: bool, title: str) -> None:
    handles: list[Line2D | Patch] = [
        Line2D([], [], linestyle="none", marker=shape, color=INKS[name], label=name, markersize=8,
               markerfacecolor="white" if name == "open" else INKS[name])
        for name, shape in MARKS.items()
    ]  # fmt: skip
    handles.append(Patch(color=BAND, label="± margin"))
    figure.legend(handles=handles, loc="outside upper left", ncols=3 if narrow else 5, handlelength=1.0,
                  columnspacing=1.2, fontsize=10 if narrow else 12, title=title, alignment="left",
                  title_fontproperties={"weight": "bold", "size": 11 if narrow else 12})  # fmt: skip


def _foot(contrasts: Sequence[Contrast], matches: Sequence[str]) -> list[str]:
    """What the marks compare, line by line; only what is in the picture is explained."""
    lines = ["layers, each compared with one layer"]
    if len(matches) == 2:
        lines.append(f"left at {matched(matches[0])}, right at {matched(matches[1])}")
    if any(contrast.role == "A/A" for contrast in contrasts):
        lines.append("A/A: one layer against its own copy")
    if any(contrast.score != "skill" for contrast in contrasts):
        lines.append("* in relative reduction of the trivial loss, else skill")
    return lines


def _wide(lines: Sequence[str]) -> str:
    """Two lines of the foot beside each other where there is the width."""
    return "\n".join(", ".join(lines[at : at + 2]) for at in range(0, len(lines), 2))


def _title(axes: Axes, title: str, narrow: bool) -> None:
    if narrow:
        axes.annotate(
            title, (0, 1), xycoords="axes fraction", xytext=(-20, 16), textcoords="offset points", fontweight="bold",
            fontsize=11, annotation_clip=False,
        )  # fmt: skip
        return
    lines = textwrap.wrap(title.replace("_", "_ ").replace("/", "/ "), 15, break_long_words=True)
    name = "\n".join(line.replace("_ ", "_").replace("/ ", "/") for line in lines)
    axes.annotate(
        name, (0, 0.5), xycoords="axes fraction", xytext=(-150, 0), textcoords="offset points", va="center",
        fontweight="bold", annotation_clip=False,
    )  # fmt: skip


def _limits(axes: Axes, row: Row) -> None:
    pairs = [pair for contrast in row.contrasts.values() for pair in contrast.pairs]
    reach = 2.2 * max(contrast.margin for contrast in row.contrasts.values())
    numbers = [end for pair in pairs for end in (pair.difference, pair.low, pair.high) if finite(end)]
    low, high = min([*numbers, -reach]), max([*numbers, reach])
    axes.set_ylim(low - 0.08 * (high - low), high + 0.08 * (high - low))
    axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))


def _cell(
    axes: Axes, findings: Findings, sides: list[tuple[str, Contrast | None]], every: list[int], narrow: bool
) -> None:
    span = len(every) + GAP
    axes.set_xlim(-0.6, len(sides) * span - GAP - 0.4)
    axes.set_xticks(
        [side * span + place for side in range(len(sides)) for place in range(len(every))],
        [str(depth) for _ in sides for depth in every], fontsize=9 if narrow else 11,
    )  # fmt: skip
    axes.tick_params(axis="x", length=0)
    axes.tick_params(axis="y", labelsize=8 if narrow else 10, length=2)
    axes.axhline(0, color=GREY, linewidth=0.8, zorder=1)
    for side, (_, contrast) in enumerate(sides):
        left = side * span
        middle = left + (len(every) - 1) / 2
        if side:
            axes.axvline(left - GAP / 2 - 0.5, color=GREY, linewidth=0.8, linestyle=":", zorder=1)
        if contrast is None:
            axes.text(middle, 0, ABSENT, ha="center", va="center", color=GREY)
            continue
        edges = [left - 0.5, left + len(every) - 0.5]
        axes.fill_between(edges, -contrast.margin, contrast.margin, color=BAND, linewidth=0, zorder=0)
        for pair in contrast.pairs:
            _pair(axes, findings, pair, middle if pair.replica else left + every.index(pair.depth), narrow)
        said = "no claim" if smoke(findings) else SHORT.get(contrast.verdict, (contrast.verdict,) * 2)[narrow]
        strong = contrast.verdict in ("deeper", "wider") and not smoke(findings)
        axes.annotate(
            said, (middle, 1), xycoords=axes.get_xaxis_transform(), xytext=(0, 2), textcoords="offset points",
            ha="center", fontsize=7.5 if narrow else 10, color="#222222", fontweight="bold" if strong else "normal",
            annotation_clip=False,
        )  # fmt: skip


def _pair(axes: Axes, findings: Findings, pair: Pair, x: float, narrow: bool) -> None:
    """Mark and interval; an unbounded side ends in an arrow at the edge."""
    if not finite(pair.difference):
        axes.text(x, 0, ABSENT, ha="center", va="center", color=GREY)
        return
    said = judged(findings, pair)
    shape, ink = MARKS.get(said, "o"), INKS.get(said, GREY)
    bottom, top = axes.get_ylim()
    ends = [pair.low if finite(pair.low) else bottom, pair.high if finite(pair.high) else top]
    axes.plot([x, x], ends, color=ink, linewidth=1.4 if narrow else 1.8, solid_capstyle="butt", zorder=2)
    for end, known, arrow in ((bottom, pair.low, CARETDOWN), (top, pair.high, CARETUP)):
        if not finite(known):
            axes.plot([x], [end], marker=arrow, color=ink, markersize=7, clip_on=False, zorder=2)
    face = ink if said in ("better", "worse", "equivalent") else "white"
    axes.plot([x], [pair.difference], marker=shape, color=ink, markerfacecolor=face,
              markersize=4.5 if narrow else 6.5, zorder=3)  # fmt: skip
