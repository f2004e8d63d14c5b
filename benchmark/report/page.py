"""The report as one HTML page that opens offline."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from benchmark.analysis import fairness, replicas
from benchmark.analysis.findings import Arm, Findings
from benchmark.analysis.outcome import Contrast
from benchmark.behind import Behind
from benchmark.report import across, links, sensitivity, summary, words
from benchmark.report import effort as searched
from benchmark.report import groups as grouping
from benchmark.report import timescales as lasting
from benchmark.report import trainability as trained
from benchmark.report.figures import name_of
from benchmark.report.grid import is_large
from benchmark.report.groups import Group
from benchmark.report.places import placed
from benchmark.report.style import Picture

MANY = 8
"""Contrasts that a page shows in full. Of more, the long tables and the tasks are folded: one click opens each."""
TALL = 14.0
"""Inches of a picture that is folded: more than two windows of a laptop."""
HEAVY = 24
"""Pictures that a page carries as lines; one with more carries most of them as pixels, and stays a few megabytes."""
CARRYING = ("differences", "phase", "across")
"""Pictures that stay lines on every page."""
PIXELS, SHADES = 760, 16
"""Width of such a picture, and its colours."""


def data(value: float | None, style: str, derived: bool = False) -> Markup:
    """A number as text, with all its digits in the element: what the eye reads and what verdict.json holds are one.

    `style` is a function of `words`; `derived` marks the few numbers that are differences of two in verdict.json.
    """
    if value is None or not words.finite(value):
        return Markup('<span title="not measured">{}</span>').format(words.ABSENT)
    text = getattr(words, style)(value)
    kind = Markup(' class="derived"') if derived else ""
    return Markup('<data{} value="{}">{}</data>').format(kind, repr(value), text)


def interval(item: Any, low: str, high: str) -> Markup:
    """An interval whose ends are two fields of `item`; an end that is not a number is infinite, two are no interval."""
    ends = [getattr(item, low), getattr(item, high)]
    if not any(map(words.finite, ends)) and getattr(item, "difference", None) is None:
        return data(None, "signed")
    style = "plain" if low == "score_low" else "signed"
    left = Markup("[{}").format(data(ends[0], style)) if words.finite(ends[0]) else Markup("(−∞")
    right = Markup("{}]").format(data(ends[1], style)) if words.finite(ends[1]) else Markup("+∞)")
    return Markup("{}, {}").format(left, right)


def inline(svg: bytes) -> Markup:
    """An SVG as an address that carries it whole, so that the ids of two pictures cannot meet."""
    return Markup("data:image/svg+xml;base64," + base64.b64encode(svg).decode())


def pixels(picture: Picture) -> Markup:
    """The picture in few colours, as an address: a third of its lines and letters as SVG."""
    image = Image.open(io.BytesIO(picture.png)).convert("RGB")
    image = image.resize((PIXELS, round(image.height * PIXELS / image.width)), Image.Resampling.BOX)
    file = io.BytesIO()
    image.quantize(SHADES, dither=Image.Dither.NONE).save(file, format="png", optimize=True)
    return Markup("data:image/png;base64," + base64.b64encode(file.getvalue()).decode())


@dataclass(frozen=True)
class Baseline:
    """A strong baseline's score, and every depth's mean score minus it."""

    name: str
    score: float
    gaps: list[tuple[Arm, float | None]]


def gaps(group: Group) -> list[Baseline]:
    """The strong baselines of a task, best first."""
    if group.contrast is None:
        return []
    arms = [arm for arm in group.arms if not arm.replica]
    known = [(name, score) for name, score in group.contrast.baselines.items() if words.finite(score)]
    return [
        Baseline(name, score, [(arm, arm.score_mean - score if words.finite(arm.score_mean) else None) for arm in arms])
        for name, score in sorted(known, key=lambda item: -item[1])
    ]


@dataclass(frozen=True)
class Size:
    """How equal the arms of one match and budget are: the largest spread inside a task."""

    what: str
    budget: int
    spread: float


def methods(findings: Findings) -> dict[str, Any]:
    """What the lines on methods quote, taken from the arms as they are."""
    plain = [arm for arm in findings.arms if not arm.replica]
    measures = {"parameters": "parameters", "state": "state_size", "flops": "flops"}
    sizes: dict[tuple[str, int], float] = {}
    for group in grouping.groups(findings):
        by_match = [getattr(arm, measures.get(arm.match, "parameters")) for arm in group.arms if not arm.replica]
        if by_match and min(by_match) > 0:
            place = (group.arms[0].match, group.arms[0].budget)
            sizes[place] = max(sizes.get(place, 0.0), (max(by_match) - min(by_match)) / min(by_match))
    rates = [rate for arm in plain for rate, _ in arm.tuning]
    asked = [
        {tuple(sorted(rate for rate, _ in arm.tuning)) for arm in group.arms if not arm.replica}
        for group in grouping.groups(findings)
    ]
    return {
        "depths": sorted({arm.depth for arm in plain}),
        "variants": sorted({arm.variant for arm in plain}),
        "sizes": [Size(words.SIZES.get(match, match), budget, spread) for (match, budget), spread in sizes.items()],
        "points": sorted({len(arm.tuning) for arm in plain if arm.tuning}),
        "same_points": all(len(points) <= 1 for points in asked),
        "lowest": min(rates, default=None),
        "highest": max(rates, default=None),
    }


def page(findings: Findings, pictures: Mapping[str, Picture], behind: Sequence[Behind] = ()) -> str:
    """The whole page. `pictures` by name, as `figures.pictures` gives them; `behind` are the runs of its numbers."""
    environment = Environment(
        loader=PackageLoader("benchmark.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "data": data,
        "inline": inline,
        "listed": summary.listed,
        "shown": lambda picture: shown(picture),
        "interval": interval,
        "layers": words.layers,
        "replica": replicas.name,
        "sentence": words.sentence,
        "stands": sensitivity.stands,
        "spaced": lambda text: text.replace("_", " "),
    }
    groups = grouping.groups(findings)
    by_contrast = {id(group.contrast): group for group in groups if group.contrast}
    style = resources.files("benchmark.report").joinpath("style.css").read_text(encoding="utf-8")

    runs = links.runs(findings, behind)
    light = len(pictures) > HEAVY

    def shown(picture: Picture) -> Markup:
        return pixels(picture) if light and picture.name not in CARRYING else inline(picture.svg)

    def gaps_of(contrast: Contrast) -> list[Baseline]:
        return gaps(by_contrast[id(contrast)]) if id(contrast) in by_contrast else []

    return environment.get_template("report.html.j2").render(
        f=findings,
        m=methods(findings),
        style=Markup(style),
        pictures=pictures,
        behind=runs,
        anchor=runs.anchor if runs else lambda item: "",
        large=is_large(findings),
        many=len(groups) > MANY,
        TALL=TALL,
        MANY=MANY,
        tallies=summary.tallies(findings),
        summaries=summary.summaries(findings),
        by_task=summary.by_task(groups),
        groups=groups,
        contrasts=grouping.ordered(findings),
        advice=words.advice(findings),
        answers=words.answers(findings),
        across=across.sections(findings.pooled, findings.interaction, findings.exchange, findings.equal_costs),
        opening=words.opening(findings),
        smoke=words.smoke(findings),
        withheld=words.withheld(findings),
        unfair=fairness.unfair(findings.checks),
        checks=fairness.line(findings.checks),
        gaps=gaps_of,
        placed=placed,
        lasting=lasting,
        trained=trained,
        searched=searched,
        name=lambda contrast: grouping.name(findings, contrast),
        verdict=lambda contrast: words.verdict(findings, contrast),
        varied=sensitivity.varied(findings),
        variation_of=sensitivity.kind,
        judged=lambda pair: words.judged(findings, pair),
        picture_of=lambda group: name_of(groups.index(group), group),
    )
