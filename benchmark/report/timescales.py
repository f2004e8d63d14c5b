"""At what timescale does each layer work? The trace of one changed input, layer by layer, and the words around it."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.analysis.findings import Findings
from benchmark.analysis.separation import UNTESTED
from benchmark.analysis.traces import STATES, LayerTrace, State, Timescale
from benchmark.report.groups import groups
from benchmark.report.places import whole_tasks
from benchmark.report.style import GREY, WIDTH, Picture, colour, draw, marker
from benchmark.report.words import finite, layers, sentence

MOST_ROWS = 8
"""More tasks and sizes than this are not all drawn, and not all read."""
SHOWN: State = "h"
"""The state in the picture: what a layer passes up. The table has both."""


def placed(findings: Findings) -> list[tuple[str, list[Timescale]]]:
    """(label, its depths), natural tasks first, shallow first."""
    found = []
    for group in groups(findings):
        first = group.contrast or next(iter(group.arms), None)
        if first is not None:
            place = (first.task, first.budget, first.match, first.variant)
            mine = [one for one in findings.timescales if (one.task, one.budget, one.match, one.variant) == place]
            if mine:
                found.append((group.label, sorted(mine, key=lambda one: one.depth)))
    return found


def drawn(findings: Findings) -> list[tuple[str, list[Timescale]]]:
    """What the picture shows: all, or of a task at many sizes the largest at equal parameters."""
    found = placed(findings)
    if len(found) <= MOST_ROWS:
        return found
    largest: dict[tuple[str, str], tuple[str, list[Timescale]]] = {}
    for label, several in found:
        one = several[0]
        kept = largest.setdefault((one.task, one.variant), (label, several))[1][0]
        if (one.match == "parameters", one.budget) > (kept.match == "parameters", kept.budget):
            largest[one.task, one.variant] = label, several
    return list(largest.values())


@dataclass(frozen=True)
class Told:
    """What training did to the half-lives of one task at one depth, over all its sizes."""

    task: str
    depth: int
    stacks: int
    networks: list[int]
    """Fewest and most of a stack."""
    ratios: list[list[float]]
    """Of h and of c: the smallest and the largest factor by which training multiplied the highest over the lowest; one
    where they are the same, none where a layer hears nothing."""
    answers: list[tuple[str, int]]
    """How many stacks got each answer, in either state."""


def summary(findings: Findings) -> list[Told]:
    """A row a task and depth from two layers on; empty where so little was measured that every line is read."""
    found = placed(findings)
    if len(found) <= MOST_ROWS:
        return []
    rows: dict[tuple[str, int], list[Timescale]] = {}
    for _, several in found:
        for one in several:
            if one.separations:
                rows.setdefault((one.task, one.depth), []).append(one)
    return [_told(task, depth, stacks) for (task, depth), stacks in rows.items()]


def _told(task: str, depth: int, stacks: list[Timescale]) -> Told:
    networks = [len(one.seeds) for one in stacks]
    ratios = [[each.ratio for one in stacks for each in one.separations if each.state == state] for state in STATES]
    counts: dict[str, int] = {}
    for one in stacks:
        decided = {each.answer for each in one.separations} - {"undecided"}
        tested = any(not each.reason.endswith(UNTESTED) for each in one.separations)
        answer = " and ".join(sorted(decided)) or ("undecided" if tested else "not tested")
        counts[answer] = counts.get(answer, 0) + 1
    return Told(
        task=task,
        depth=depth,
        stacks=len(stacks),
        networks=sorted({min(networks), max(networks)}),
        ratios=[sorted({min(known), max(known)}) if (known := _known(several)) else [] for several in ratios],
        answers=sorted(counts.items()),
    )


def _known(several: list[float | None]) -> list[float]:
    return [value for value in several if value is not None]


def others(findings: Findings) -> tuple[int, int, float] | None:
    """Networks that are not the judged ones, of how many, and how far their loss is off at most; None without any."""
    found = [one for one in findings.timescales if one.other_loss is not None]
    if not found:
        return None
    networks = sum(len(one.seeds) for one in findings.timescales)
    return sum(one.other_networks for one in found), networks, max(one.other_loss or 0.0 for one in found)


def picture(findings: Findings) -> Picture | None:
    """A row for every task, a column for every depth; None where nothing was measured.

    Every trace is drawn as a share of its own peak, so that all are read at one height: where a line crosses the half
    is the half-life of its layer.
    """
    rows = drawn(findings)
    if not rows:
        return None
    depths = sorted({one.depth for _, several in rows for one in several})
    every = list(range(1, depths[-1] + 1))

    def paint(figure: Figure) -> None:
        handles = [
            Line2D([], [], color=colour(layer, every), marker=marker(layer, every), markersize=8, linewidth=2,
                   label=_layer_named(layer, depths[-1]))
            for layer in every
        ]  # fmt: skip
        figure.legend(handles=handles, loc="outside upper left", ncols=4)
        kinds = [
            Line2D([], [], color=GREY, linewidth=2, label="trained"),
            Line2D([], [], color=GREY, linewidth=1.2, alpha=0.5, linestyle=(0, (4, 2)), label="untrained"),
        ]
        figure.legend(handles=kinds, loc="outside upper right", ncols=2)
        grid = figure.subplots(len(rows), len(depths), squeeze=False, sharey=True, sharex="row")
        for line, (label, several) in zip(grid, rows, strict=True):
            for axes, depth in zip(line, depths, strict=True):
                one = next((each for each in several if each.depth == depth), None)
                _panel(axes, one, every)
                axes.set_title(layers([depth]))
            place = {"xy": (0, 1), "xycoords": "axes fraction", "xytext": (0, 25), "textcoords": "offset points"}
            # The heading runs over the row and is to make no column wider: only a blank of its height takes room.
            line[0].annotate(" ", **place, fontweight="bold")
            line[0].annotate(label, **place, fontweight="bold").set_in_layout(False)
            line[0].set_ylabel("trace of the change\n(share of its peak)")
        figure.supxlabel("steps since one input was changed", fontsize=12)

    alt = "Trace that one changed input leaves in every layer, against the steps since, trained and untrained"
    return draw("timescales", alt, (WIDTH, 1.0 + 2.6 * len(rows)), paint)


def _layer_named(layer: int, deepest: int) -> str:
    if deepest == 1:
        return "layer 1"
    return f"layer {layer}{' (reads the input)' if layer == 1 else ''}"


def _panel(axes: Axes, one: Timescale | None, every: list[int]) -> None:
    axes.set_ylim(0, 1.05)
    axes.set_yticks([0, 0.5, 1], ["0", "half", "1"])
    axes.axhline(0.5, color=GREY, linewidth=1, zorder=0)
    if one is None:
        axes.text(0.5, 0.6, "not measured", transform=axes.transAxes, ha="center", color=GREY)
        return
    for trace in sorted(one.traces, key=lambda trace: trace.network, reverse=True):
        if trace.state == SHOWN:
            _trace(axes, trace, every)
    axes.set_xlim(0, one.window)


def _trace(axes: Axes, trace: LayerTrace, every: list[int]) -> None:
    peak = trace.peak
    if not peak > 0:
        return
    ink, trained = colour(trace.layer, every), trace.network == "trained"
    lags = [lag for lag, _, _, _ in trace.curve]
    shares = [distance / peak for _, distance, _, _ in trace.curve]
    if not trained:
        axes.plot(lags, shares, color=ink, linewidth=1.2, alpha=0.5, linestyle=(0, (4, 2)), zorder=2)
        return
    axes.plot(lags, shares, color=ink, linewidth=2, zorder=3)
    bounded = [(lag, low / peak, high / peak) for lag, _, low, high in trace.curve if finite(low) and finite(high)]
    if bounded:
        at, low, high = zip(*bounded, strict=True)
        axes.fill_between(at, low, high, color=ink, alpha=0.14, linewidth=0, zorder=1)
    if finite(trace.half_life.value) and not trace.half_life.outlasts:
        axes.plot([trace.half_life.value], [0.5], marker=marker(trace.layer, every), color=ink, markersize=8, zorder=4)


def lines(findings: Findings) -> list[str]:
    """A sentence for every depth of every task."""
    return [sentence(one.sentence) for _, several in placed(findings) for one in several]


def limits(findings: Findings) -> list[str]:
    """What limits them, once for all that it is true of: tasks by name where it is true of all that was measured."""
    found = [(f"{label}, {layers([one.depth])}", one) for label, several in placed(findings) for one in several]
    where: dict[str, list[tuple[str, Timescale]]] = {}
    for label, one in found:
        for limit in one.limits:
            where.setdefault(limit, []).append((label, one))
    return [
        sentence(limit if len(held) == len(found) else f"{limit} ({_named(found, held)})")
        for limit, held in where.items()
    ]


def _named(found: list[tuple[str, Timescale]], held: list[tuple[str, Timescale]]) -> str:
    whole = whole_tasks(found, [one for _, one in held])
    rest = [label for label, one in held if one.task not in whole]
    if len(rest) > MOST_ROWS:
        tasks = dict.fromkeys(one.task for _, one in held if one.task not in whole)
        rest = [f"{', '.join(tasks)}: not in all stacks"]
    return "; ".join([*whole, *rest])
