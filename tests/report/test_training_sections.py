"""The sections on training and on tuning effort: drawn where there is something to show, withheld, and claim-free."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree

import pytest

from benchmark.analysis.analyse import analyse
from benchmark.analysis.findings import Findings
from benchmark.report import effort, trainability
from benchmark.report.build import verdict_json
from benchmark.report.page import page
from tests.analysis.fabricate import fabricate
from tests.analysis.test_trainability import WORSE, with_gradients
from tests.report.reading import Reader, numbers_of


@pytest.fixture(scope="module")
def findings() -> Findings:
    evidence = fabricate(effects=WORSE)
    for layers in (1, 2, 4):
        evidence = with_gradients(evidence, layers, lambda at, step, layer: (1 + layer) * step / (1 + at))
    return analyse(evidence)


def flat(text: str) -> str:
    return " ".join(text.split())


def test_both_figures_are_drawn(findings: Findings) -> None:
    for paint in (trainability.picture, effort.picture):
        drawn = paint(findings)
        assert drawn is not None
        assert ElementTree.fromstring(drawn.svg) is not None and drawn.png.startswith(b"\x89PNG")


def test_without_gradients_or_tuning_there_is_no_figure_but_a_table(findings: Findings) -> None:
    bare = [
        dataclasses.replace(one, depths=[dataclasses.replace(d, ratios=[], ratio=None, norms=[]) for d in one.depths])
        for one in findings.trainability
    ]
    without = dataclasses.replace(findings, trainability=bare, effort=[])
    assert trainability.picture(without) is None and effort.picture(without) is None
    reader = Reader(page(without, {}))
    assert "Did the deep ones train?" in reader.text and "Would more tuning change it?" not in reader.text
    assert len([row for row in reader.rows["trained"] if len(row) == 10]) == 1 + 15


def test_the_page_tells_the_diagnosis_and_the_answer_at_less_effort(findings: Findings) -> None:
    reader = Reader(page(findings, {}))
    text, known = flat(reader.text), numbers_of(verdict_json(findings))
    assert all(derived or value in known for value, _, derived in reader.numbers)
    assert "On formants, budget 6,000, against one layer: depth 4 failed to train (" in text
    assert "No depth is worse than one layer on test, so there is nothing to diagnose, on equity_variance" in text
    assert text.count("On formants, budget 6,000, with ") == 1
    rows = [row for row in reader.rows["trained"] if row[0].startswith("4")]
    assert rows[0][-1] == "worse:failed to train" and rows[0][1] == "0/9,\n0/10"
    gradients = next(one for one in findings.trainability if one.task == "formants").depths
    assert rows[0][3] == "0.25" == f"{gradients[2].ratio:.2g}"
    assert "gradient norms were not recorded (" in trainability.limits(findings)[0].lower()  # of the other tasks
    assert "· budget" not in trainability.limits(findings)[0]  # all of a task is told by its name
    best = [row for row in reader.rows["searched"] if len(row) == 5][1:]
    assert len(best) == 15 and all(float(row[3]) >= float(row[1]) for row in best if "−" not in "".join(row))


def test_no_sentence_stands_while_a_control_does_not_hold(findings: Findings) -> None:
    failing = [dataclasses.replace(control, passed=False) for control in findings.controls]
    text = flat(Reader(page(dataclasses.replace(findings, controls=failing), {})).text)
    assert "against one layer: depth 4" not in text and "the answer on validation would be" not in text
    assert "Did the deep ones train? Withheld: a control does not hold." in text
    assert "Would more tuning change it? Withheld: a control does not hold." in text


def test_a_smoke_study_makes_no_diagnosis() -> None:
    smoke = analyse(fabricate(effects=WORSE, purpose="smoke", seeds=4, looks=(4,)))
    reader = Reader(page(smoke, {}))
    assert {row[-1] for row in reader.rows["trained"] if len(row) == 10} == {"on test", "no claim"}
    assert "No claim: a smoke study only tests the machinery" in flat(reader.text)
    assert effort.picture(smoke) is None
