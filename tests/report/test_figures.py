"""Pictures: every seed is there, nothing odd breaks them, and depths can be told apart without colour."""

from __future__ import annotations

import dataclasses
import re
from xml.etree import ElementTree

import matplotlib as mpl

from benchmark.analysis.findings import Findings
from benchmark.analysis.outcome import Pair
from benchmark.report.differences import differences
from benchmark.report.figures import name_of, pictures
from benchmark.report.groups import groups
from benchmark.report.phase import dials, phase
from benchmark.report.seeds import seeds
from benchmark.report.style import colour, marker
from tests.report.example import example


def paths(svg: bytes) -> int:
    """Marks drawn from a shared shape: dots, ticks, markers, and letters."""
    return sum(1 for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("}use"))


def test_every_seed_is_a_dot() -> None:
    few, many = (seeds("x", groups(example(tasks=["formants"], seeds=count))[0], [1, 2, 4]).svg for count in (40, 160))
    # The axes may have other ticks and tick labels, so the count may differ by a few letters.
    assert abs(paths(many) - paths(few) - 3 * 120) < 25


def odd(findings: Findings) -> Findings:
    """Everything that may be missing is missing somewhere; a name that is no file name, no HTML and no mathematics."""
    contrast = findings.contrasts[0]
    nothing: Pair = dataclasses.replace(
        contrast.pairs[0], difference=None, low=None, high=None, p=None, p_adjusted=None
    )
    unbounded = dataclasses.replace(contrast.pairs[1], low=None, high=float("inf"))
    name = "path/to/a file.py:Class$x_<&>"
    arms = [dataclasses.replace(arm, task=name) for arm in findings.arms]
    arms[0] = dataclasses.replace(arms[0], scores=[], score_mean=None, score_low=None, curve=[], tuning=[])
    arms[1] = dataclasses.replace(
        arms[1],
        tuning=[(0.01, float("nan")), (0.1, -50.0), (1.0, 0.5)],
        curve=[(1, float("inf"), 1.0, 2.0), (2, 0.0, 0.0, 0.0)],
    )
    return dataclasses.replace(
        findings, contrasts=[dataclasses.replace(contrast, task=name, pairs=[nothing, unbounded])], arms=arms
    )


def test_odd_findings_are_drawn() -> None:
    drawn = pictures(odd(example(tasks=["formants"], seeds=1)))
    assert list(drawn) == ["differences", "task-01-path-to-a-file-py-class-x", "sizes", "tuning"]
    for picture in drawn.values():
        ElementTree.fromstring(picture.svg)
        assert picture.png.startswith(b"\x89PNG")


def test_without_arms_and_contrasts_there_is_one_figure() -> None:
    empty = dataclasses.replace(example(tasks=["formants"]), contrasts=[], arms=[])
    assert list(pictures(empty)) == ["differences"]


def test_labels_that_differ_only_in_signs_keep_their_own_figures() -> None:
    findings = example(tasks=["formants"])
    twin = [dataclasses.replace(arm, task="formants!") for arm in findings.arms]
    both = dataclasses.replace(findings, arms=[*findings.arms, *twin], contrasts=[])
    names = [name_of(place, group) for place, group in enumerate(groups(both))]
    assert names == ["task-01-formants", "task-02-formants"]


def test_depths_are_told_apart_in_grey_and_by_shape() -> None:
    every = [1, 2, 3, 4, 6, 8]
    greys = []
    for depth in every:
        red, green, blue = mpl.colors.to_rgb(colour(depth, every))
        greys.append(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    assert greys == sorted(greys)
    assert min(b - a for a, b in zip(greys, greys[1:], strict=False)) > 0.04
    assert max(greys) < 0.65
    assert len({marker(depth, every) for depth in every}) == len(every)


def test_svg_tells_no_time_and_carries_its_letters() -> None:
    svg = differences(example(tasks=["formants"])).svg.decode()
    assert not re.search(r"<dc:date>|20\d\d-\d\d-\d\d", svg)
    assert "<text" not in svg


def turned(findings: Findings) -> Findings:
    """The same contrasts as if they were one task with its dial `delay` at 1, 2, 3, ..., at two budgets."""
    contrasts = [
        dataclasses.replace(
            contrast, task=f"delay_{place}", source="recall", budget=budget, parameters={"delay": place, "time": 20}
        )
        for place, contrast in enumerate(c for c in findings.contrasts if c.role != "A/A")
        for budget in (2000, 6000)
    ]
    return dataclasses.replace(findings, contrasts=contrasts)


def test_a_dial_that_was_turned_becomes_a_phase_diagram() -> None:
    findings = turned(example())
    (dial,) = dials(findings)
    assert (dial.source, dial.name, dial.values) == ("recall", "delay", [0, 1, 2, 3, 4])
    assert dial.budgets == [2000, 6000]
    drawn = phase(findings)
    assert drawn is not None and drawn.png.startswith(b"\x89PNG")
    assert "phase" in pictures(findings)


def test_tasks_that_differ_in_two_parameters_are_no_dial() -> None:
    findings = turned(example())
    several = [
        dataclasses.replace(contrast, parameters={"delay": place, "time": 20 + place})
        for place, contrast in enumerate(findings.contrasts)
    ]
    assert dials(dataclasses.replace(findings, contrasts=several)) == []
    assert phase(example()) is None
