"""The section on timescales: there where networks were measured, every number in verdict.json, no claim amiss."""

from __future__ import annotations

import dataclasses
import re
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
