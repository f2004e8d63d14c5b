"""Over several tasks or budgets: the pooled answer of a family, the exchange rate of depth for width, and the words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, NullLocator

from benchmark.analysis.estimates import EqualCost, Estimate, Mixed, Pooled, Rate
from benchmark.report.style import BAND, GREY, WIDTH, Picture, colour, depth_legend, draw, marker, plain_log
from benchmark.report.words import finite, matched, sentence

Item = TypeVar("Item", Pooled, Mixed, Rate, EqualCost)
ROW = 0.34
"""Inches for one interval."""


def exchange(rates: Sequence[Rate]) -> Picture | None:
    """The parameters that one layer needs, over those of the deeper network; None where no rate could be read.

    An end outside the tested sizes is an arrow at the edge of what was tested: nothing is drawn beyond it.
    """
    known = [rate for rate in rates if not rate.reason]
    if not known:
        return None
    rows: dict[str, list[Rate]] = {}
    for rate in known:
        rows.setdefault(_title(rate, known), []).append(rate)
    every = sorted({1, *(rate.depth for rate in known)})
    height = ROW * (len(known) + 0.6 * len(rows))

    def paint(figure: Figure) -> None:
        depth_legend(figure, every[1:], every, lines=False)
        band = Patch(color=BAND, label="sizes of one layer that were tested")
        figure.legend(handles=[band], loc="outside upper right")
        axes = figure.subplots()
        plain_log(axes)
        low, high = _limits(known)
        axes.set_xlim(low, high)
        doublings = range(math.ceil(math.log2(low)), math.floor(math.log2(high)) + 1)
        axes.xaxis.set_major_locator(FixedLocator([2.0**power for power in doublings]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.axvline(1, color=GREY, linewidth=1)
        top, places = 0.0, []
        for several in rows.values():
            for row, rate in enumerate(several):
                _rate(axes, rate, top - 0.8 - row, every)
            bottom = top - len(several) - 0.6
            places.append((top + bottom) / 2)
            top = bottom
        _named(axes, top, places, list(rows))
        axes.set_xlabel("parameters that one layer needs for the same score,\nin times those of the deeper network")

    alt = "How many times the parameters of a deeper network one layer needs for its score, with intervals"
    return draw("exchange", alt, (WIDTH, 1.5 + height), paint)


def pooled(found: Sequence[Pooled]) -> Picture | None:
    """Difference of interquartile means and probability of improvement of every family; None where there is none."""
    known = [one for one in found if not one.reason]
    if not known:
        return None
    rows: dict[str, list[Pooled]] = {}
    for one in known:
        rows.setdefault(_family(one, known), []).append(one)
    every = sorted({1, *(one.depth for one in known)})
    height = ROW * (len(known) + 0.6 * len(rows))

    def paint(figure: Figure) -> None:
        depth_legend(figure, every[1:], every, lines=False)
        left, right = figure.subplots(1, 2, sharey=True)
        left.axvline(0, color=GREY, linewidth=1)
        right.axvline(0.5, color=GREY, linewidth=1)
        right.set_xlim(-0.02, 1.02)
        top, places = 0.0, []
        for several in rows.values():
            for row, one in enumerate(several):
                _interval(left, one.difference, one.depth, top - 0.8 - row, every)
                _interval(right, one.improvement, one.depth, top - 0.8 - row, every)
            bottom = top - len(several) - 0.6
            places.append((top + bottom) / 2)
            top = bottom
        _named(left, top, places, list(rows))
        right.tick_params(axis="y", length=0)
        right.spines["left"].set_visible(False)
        left.set_xlabel("difference in the interquartile\nmean of skill, deeper minus one layer")
        right.set_xlabel("probability that a run of the deeper\nnetwork beats one of one layer")

    alt = "Difference of interquartile means and probability of improvement of every depth over one layer, by family"
    return draw("across", alt, (WIDTH, 1.5 + height), paint)


def _title(rate: Rate, known: Sequence[Rate]) -> str:
    parts = [rate.task, f"budget {rate.budget:,}"]
    if len({other.match for other in known}) > 1:
        parts.append(matched(rate.match))
    if len({other.variant for other in known}) > 1:
        parts.append(rate.variant)
    return f"{parts[0]}\n{' · '.join(parts[1:])}"


def _family(one: Pooled, known: Sequence[Pooled]) -> str:
    parts = [f"{len(one.tasks)} tasks, budget {one.budget:,}"]
    if len({other.match for other in known}) > 1:
        parts.append(matched(one.match))
    if len({other.variant for other in known}) > 1:
        parts.append(one.variant)
    return f"{one.family}\n{' · '.join(parts)}"


def _limits(known: Sequence[Rate]) -> tuple[float, float]:
    smallest = min(rate.smallest for rate in known if rate.smallest)
    largest = max(rate.largest for rate in known if rate.largest)
    return smallest / 1.15, largest * 1.15


def _rate(axes: Axes, rate: Rate, y: float, every: list[int]) -> None:
    if rate.parameters is None or rate.smallest is None or rate.largest is None:
        return
    ink, shape = colour(rate.depth, every), marker(rate.depth, every)
    axes.fill_betweenx([y - 0.36, y + 0.36], rate.smallest, rate.largest, color=BAND, linewidth=0, zorder=0)
    found = rate.parameters
    # Where the estimate itself is not reached, an end that is not known lies on the same side.
    low_edge = rate.largest if rate.reached == "above" and not finite(found.low) else rate.smallest
    high_edge = rate.smallest if rate.reached == "below" and not finite(found.high) else rate.largest
    ends = [found.low if finite(found.low) else low_edge, found.high if finite(found.high) else high_edge]
    axes.plot(ends, [y, y], color=ink, linewidth=2, solid_capstyle="butt", zorder=3)
    if rate.reached == "above" or not finite(found.high) and rate.reached != "below":
        axes.plot([rate.largest], [y], marker=">", color=ink, markersize=8, clip_on=False, zorder=3)
    if rate.reached == "below" or not finite(found.low) and rate.reached != "above":
        axes.plot([rate.smallest], [y], marker="<", color=ink, markersize=8, clip_on=False, zorder=3)
    if finite(found.value):
        axes.plot([found.value], [y], marker=shape, color=ink, markersize=8, zorder=4)


def _interval(axes: Axes, found: Estimate | None, depth: int, y: float, every: list[int]) -> None:
    if found is None:
        return
    ink = colour(depth, every)
    axes.plot([found.low, found.high], [y, y], color=ink, linewidth=2, solid_capstyle="butt", zorder=3)
    axes.plot([found.value], [y], marker=marker(depth, every), color=ink, markersize=8, zorder=4)


def _named(axes: Axes, bottom: float, places: list[float], names: list[str]) -> None:
    axes.set_ylim(bottom, 0)
    axes.set_yticks(places, names)
    axes.tick_params(axis="y", length=0, pad=9)
    axes.spines["left"].set_visible(False)


@dataclass(frozen=True)
class Section:
    """One heading of the page with its sentences; `picture` is a figure's name or ''."""

    title: str
    picture: str
    lines: list[str]


def sections(
    pooled: Sequence[Pooled], interaction: Sequence[Mixed], rates: Sequence[Rate], equal: Sequence[EqualCost]
) -> list[Section]:
    """What there is to say across tasks, sizes and costs; what was refused for one reason is one line."""
    said = [
        Section("Across the tasks of a family", "across", _lines(pooled, lambda one: one.family)),
        Section("Gain of depth against known depth", "", _lines(interaction, lambda one: matched(one.match))),
        Section("Exchange rate: how much larger one layer must be", "exchange", _lines(rates, lambda one: one.task)),
        Section("At equal cost, between the budgets", "", _lines(equal, lambda one: one.task)),
    ]
    return [section for section in said if section.lines]


def _lines(items: Sequence[Item], name: Callable[[Item], str]) -> list[str]:
    lines = []
    refused: dict[str, list[str]] = {}
    for item in items:
        if item.reason:
            refused.setdefault(item.reason, []).append(name(item))
        else:
            lines.append(sentence(item.sentence + (f" ({'; '.join(item.limits)})" if item.limits else "")))
    return lines + [sentence(f"{reason} ({', '.join(dict.fromkeys(names))})") for reason, names in refused.items()]
