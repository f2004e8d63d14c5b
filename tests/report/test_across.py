"""Figures across tasks and budgets: drawn where there is something to show, the same bytes twice, nothing beyond."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree

import pytest

from benchmark.analysis.across import pooled
from benchmark.analysis.analyse import analyse
from benchmark.analysis.equal_cost import equal_costs
from benchmark.analysis.exchange import rates
from benchmark.analysis.findings import Findings
from benchmark.report import across, fronts
from benchmark.report.figures import pictures
from benchmark.report.page import page
from tests.analysis import scored
from tests.analysis.test_exchange import three_budgets
from tests.report.example import example


def contrasts(budgets: tuple[int, ...] = (2000, 4000, 8000)) -> list[scored.Scores]:
    rising = {budget: 0.1 * at for at, budget in enumerate(budgets)}
    return [
        scored.contrast(
            task,
            {1: [0.40 + gain, 0.42 + gain, 0.45 + gain], 2: [0.45 + gain, 0.46 + gain, 0.49 + gain]},
            budget=budget,
        )
        for task in ("formants", "path/to/a file.py:Class$x_<&>")
        for budget, gain in rising.items()
    ]


def two_budgets() -> Findings:
    """The example with every arm again at twice the size."""
    one = example(tasks=["formants", "recall"])
    larger = [
        dataclasses.replace(arm, arm=f"{arm.arm} larger", budget=2 * arm.budget, parameters=2 * arm.parameters,
                            flops=2 * arm.flops, width=arm.width + 9, score_mean=(arm.score_mean or 0.0) + 0.01)
        for arm in one.arms
    ]  # fmt: skip
    return dataclasses.replace(one, arms=[*one.arms, *larger])


def test_what_can_be_shown_is_drawn_the_same_every_time() -> None:
    found, read_off = pooled(contrasts(), "study"), rates(contrasts(), "study")
    for paint in (
        lambda: across.pooled(found),
        lambda: across.exchange(read_off),
        lambda: fronts.picture(two_budgets()),
    ):
        drawn, again = paint(), paint()
        assert drawn is not None and drawn == again
        assert ElementTree.fromstring(drawn.svg) is not None and drawn.png.startswith(b"\x89PNG")


def test_where_nothing_was_estimated_nothing_is_drawn() -> None:
    assert across.pooled(pooled(contrasts(), "screen")) is None and across.pooled([]) is None
    assert across.exchange(rates(contrasts((2000, 4000)), "study")) is None and across.exchange([]) is None
    assert fronts.picture(example()) is None  # one budget: every arm costs the same
    assert fronts.picture(dataclasses.replace(two_budgets(), arms=[])) is None


def test_unfinished_arms_are_no_trouble() -> None:
    findings = two_budgets()
    arms = [dataclasses.replace(arm, score_mean=None, score_low=None) for arm in findings.arms[:3]]
    assert fronts.picture(dataclasses.replace(findings, arms=[*arms, *findings.arms[3:]])) is not None
    assert fronts.picture(dataclasses.replace(findings, arms=arms)) is None


@pytest.mark.parametrize(("low", "high"), [(2400, 7400), (900, 1100), (1000, 1e6), (3e9, 4e12), (0.2, 5)])
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    found = fronts.ticks(low, high)
    assert found == sorted(found) and all(low <= tick <= high for tick in found) and 1 <= len(found) <= 5


def test_what_was_refused_for_one_reason_is_one_line() -> None:
    refused = contrasts((2000, 4000))
    found = across.sections(pooled(contrasts(), "study"), [], rates(refused, "study"), equal_costs(refused, "study"))
    assert [section.picture for section in found] == ["across", "exchange", ""]
    assert len(found[0].lines) == 3 and all("equal state not tested" in line for line in found[0].lines)
    for section in found[1:]:
        (line,) = section.lines
        assert line.startswith("Needs study: at least 3 tuned budgets") and line.count("formants") == 1


@pytest.mark.proof  # draws every picture of a large study twice
def test_a_study_of_three_budgets_shows_its_exchange_rate_on_the_page() -> None:
    findings = analyse(three_budgets())
    drawn = pictures(findings)
    assert {"exchange", "fronts"} <= set(drawn) and "across" not in drawn  # one natural task scored as skill
    html = page(findings, drawn)
    assert "one layer scores what 2 layers score with 1.4" in html and "not reached, &gt; largest tested" in html
    assert "1 of the 2 tasks that pooling needs" in html
    failing = [dataclasses.replace(control, passed=False) for control in findings.controls]
    withheld = dataclasses.replace(findings, controls=failing)
    assert "exchange" not in pictures(withheld) and "one layer scores what" not in page(withheld, pictures(withheld))
