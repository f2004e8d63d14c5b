"""The section on timescales: there where networks were measured, every number in verdict.json, no claim amiss."""

from __future__ import annotations

import dataclasses
import re
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmark.analysis.findings import Findings
from benchmark.analysis.timescales import timescales
from benchmark.report import timescales as section
from benchmark.report.build import verdict_json
from benchmark.report.page import page
from tests.analysis.fabricate import fabricate
from tests.analysis.measured import WINDOW, with_timescales
from tests.report.example import example
from tests.report.reading import Reader, numbers_of, strings_of


def half_life(state: str, network: str, layer: int, seed: int) -> float:
    """The second layer outlasts the window before training; the fourth hears nothing."""
    lasting = (2.0 + 0.05 * seed) * (layer + 1) if network == "trained" else (2.0 if layer == 0 else 3.0 * WINDOW)
    return 0.0 if layer == 3 else lasting


@pytest.fixture(scope="module")
def findings() -> Findings:
    measured = with_timescales(fabricate(), {"formants": half_life, "recall": half_life}, depths=(1, 2, 4))
    made = example(tasks=["formants", "recall"])
    return dataclasses.replace(made, timescales=timescales(measured))


def test_a_row_a_task_and_the_same_bytes_twice(findings: Findings) -> None:
    drawn, again = section.picture(findings), section.picture(findings)
    assert drawn is not None and drawn == again and drawn.name == "timescales"
    assert ElementTree.fromstring(drawn.svg) is not None and drawn.png.startswith(b"\x89PNG")
    assert [label for label, _ in section.placed(findings)] == ["formants", "recall"]


def test_without_measured_networks_there_is_no_section(findings: Findings) -> None:
    bare = dataclasses.replace(findings, timescales=[])
    assert section.picture(bare) is None and "timescale" not in page(bare, {})


def test_every_number_of_the_section_is_in_verdict_json(findings: Findings) -> None:
    verdict = verdict_json(findings)
    known, strings = numbers_of(verdict), strings_of(verdict)
    html = page(findings, {})
    start = html.index('<h2 id="timescales">')
    reader = Reader(f"<html><body>{html[start : html.index('<h2', start + 5)]}</body></html>")
    assert len(reader.numbers) > 100
    for value, text, derived in reader.numbers:
        assert derived or value in known, f"{value} ({text})"
    for text in reader.loose:
        for word in re.findall(r"\S*\d\S*", text):
            assert word.strip(",;:()·") in strings, f"{word} is a number of no data element"
    rows = reader.rows["layers"]
    assert len([row for row in rows if row[0].strip() == "1"]) == 2 * 2 * 3  # h and c, two tasks, three depths
    second = next(row for row in rows if row[:2] == ["2", "h"])
    assert second[4].startswith(f">\xa0{WINDOW}") and "∞)" in second[4]
    (silent, *_) = (row for row in rows if row[:2] == ["4", "h"])
    assert silent[2] == "0" and silent[3] == "–"


def test_sentences_and_limits_are_said_once_and_only_where_controls_hold(findings: Findings) -> None:
    said = page(findings, {})
    assert "it made upper layers faster" in said and said.count("stands at it") == 1
    assert all(line.endswith(".") for line in section.lines(findings) + section.limits(findings))
    failing = [dataclasses.replace(control, passed=False) for control in findings.controls]
    assert "it made upper layers" not in page(dataclasses.replace(findings, controls=failing), {})
    assert "it made upper layers" not in page(dataclasses.replace(findings, purpose="smoke"), {})


def test_networks_of_one_layer_alone_are_drawn_too(findings: Findings) -> None:
    alone = [one for one in findings.timescales if one.depth == 1]
    assert section.picture(dataclasses.replace(findings, timescales=alone)) is not None


@pytest.fixture(scope="module")
def at_many_sizes(findings: Findings) -> Findings:
    """The same at five budgets; at the largest, training made the upper layers of every stack slower."""

    def sizes(items: list[Any]) -> list[Any]:
        return [dataclasses.replace(item, budget=1000 * size) for size in range(1, 6) for item in items]

    made = dataclasses.replace(findings, contrasts=sizes(findings.contrasts), arms=sizes(findings.arms))
    measured = sizes(findings.timescales)
    for at, one in enumerate(measured):
        if one.budget == 5000:
            slower = [dataclasses.replace(each, ratio=4.5, answer="slower") for each in one.separations]
            measured[at] = dataclasses.replace(one, separations=slower, other_networks=3, other_loss=0.25)
    return dataclasses.replace(made, timescales=measured)


def test_a_large_study_is_a_row_a_task_and_draws_its_largest_size(at_many_sizes: Findings, findings: Findings) -> None:
    assert section.summary(findings) == [] and section.drawn(findings) == section.placed(findings)
    assert {several[0].budget for _, several in section.drawn(at_many_sizes)} == {5000}
    assert [several[0].task for _, several in section.drawn(at_many_sizes)] == ["formants", "recall"]
    rows = section.summary(at_many_sizes)
    assert [(row.task, row.depth, row.stacks) for row in rows] == [
        (task, depth, 5) for task in ("formants", "recall") for depth in (2, 4)
    ]
    two = rows[0]
    assert two.answers == [("faster", 4), ("slower", 1)] and two.networks == [10]
    assert two.ratios[0] == [hidden.ratio for hidden in [findings.timescales[1].separations[0]]] + [4.5]
    assert rows[1].answers == [("slower", 1), ("undecided", 4)], "its fourth layer hears nothing"


def test_the_table_of_a_large_study_reads_its_numbers_from_verdict_json(at_many_sizes: Findings) -> None:
    html = page(at_many_sizes, {})
    start = html.index('<h2 id="timescales">')
    reader = Reader(f"<html><body>{html[start : html.index('<h2', start + 5)]}</body></html>")
    known = numbers_of(verdict_json(at_many_sizes))
    assert all(derived or value in known for value, _, derived in reader.numbers)
    row = next(row for row in reader.rows["lasting"] if row[:2] == ["formants", "2"])
    assert row[-1] == "faster (4), slower (1)"
    assert "came out otherwise than the judged ones" in html and 0.25 in {value for value, _, _ in reader.numbers}
    failing = [dataclasses.replace(control, passed=False) for control in at_many_sizes.controls]
    assert 'id="lasting"' not in page(dataclasses.replace(at_many_sizes, controls=failing), {})
