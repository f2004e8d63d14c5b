"""Pass rules of the controls, and what the headline makes of them (PROTOCOL 19)."""

from __future__ import annotations

import dataclasses

import pytest

from benchmark.analysis.analyse import analyse
from benchmark.analysis.controls import PASSED, controls, line, sound
from benchmark.analysis.findings import Control, Findings
from benchmark.analysis.outcome import Contrast
from tests.analysis.fabricate import fabricate, study


@pytest.fixture(scope="module")
def found() -> Findings:
    return analyse(fabricate())


def contrast(found: Findings, role: str) -> Contrast:
    return next(one for one in found.contrasts if one.role == role)


def judged(one: Contrast) -> tuple[bool, str]:
    (control,) = controls([one], study())
    return control.passed, control.reason


def with_difference(one: Contrast, depth: int, difference: float) -> Contrast:
    pairs = [dataclasses.replace(p, difference=difference) if p.depth == depth else p for p in one.pairs]
    return dataclasses.replace(one, pairs=pairs)


def test_all_pass(found: Findings) -> None:
    assert [(c.kind, c.passed) for c in found.controls] == [
        ("depth", True),
        ("width", True),
        ("null", True),
        ("A/A", True),
    ]
    assert found.controls_line == PASSED
    assert found.headline.startswith("Screening, ")


def test_the_depth_control_needs_deeper_by_two_margins(found: Findings) -> None:
    one = dataclasses.replace(contrast(found, "depth control"), depths=[2])
    assert judged(with_difference(one, 2, 0.041))[0]
    assert judged(with_difference(one, 2, 0.039)) == (
        False,
        "depth 2 is better by 0.039 only, less than two margins (0.04)",
    )
    assert not judged(dataclasses.replace(one, verdict="wider"))[0]
    assert not judged(dataclasses.replace(one, verdict="undecided", depths=[], reason="3 more seeds"))[0]


def test_the_width_control_needs_the_deepest_depth_worse_by_two_margins(found: Findings) -> None:
    one = contrast(found, "width control")
    assert judged(one)[0]
    assert not judged(with_difference(one, 4, -0.039))[0]
    lenient = [dataclasses.replace(p, judged="equivalent") if p.depth == 4 else p for p in one.pairs]
    passed, reason = judged(dataclasses.replace(one, pairs=lenient))
    assert (passed, reason) == (False, "expected the deepest depth worse, found depth 4 equivalent")


@pytest.mark.parametrize("role", ["null control", "A/A"])
def test_null_and_a_a_need_equivalence(found: Findings, role: str) -> None:
    one = contrast(found, role)
    assert judged(one)[0]
    assert not judged(dataclasses.replace(one, verdict="undecided", reason="3 more seeds"))[0]


def test_controls_are_judged_at_equal_parameters_only(found: Findings) -> None:
    at_state = dataclasses.replace(contrast(found, "depth control"), match="state", verdict="wider")
    assert controls([at_state], study(match=("parameters", "state"))) == []


def test_a_control_not_passed_is_said_first_and_withholds_the_answer() -> None:
    failing = analyse(fabricate(effects={"two_layer_teacher": {1: 0.5, 2: 0.5, 4: 0.5}}))
    assert failing.headline.startswith(
        "Controls not passed: depth control on two_layer_teacher (expected deeper, found"
    )
    assert failing.headline.endswith("The answer is withheld.")
    assert "formants" not in failing.headline and failing.controls_line.startswith("controls not passed")
    assert next(c for c in failing.contrasts if c.task == "formants").verdict == "deeper"


def test_an_unqualified_control_is_named_in_a_screen_and_fails_a_study(found: Findings) -> None:
    stand_in = dataclasses.replace(found.controls[0], qualification="stand-in: deeper at equal parameters only")
    carried = [stand_in, *found.controls[1:]]
    said = "(depth control two_layer_teacher: stand-in: deeper at equal parameters only)"
    assert line(carried, "screen") == f"{PASSED} {said}"
    assert line(carried, "study").startswith("controls not passed: depth control on two_layer_teacher (stand-in")
    assert controls([contrast(found, "depth control")], {**study(), "state": {}})[0].qualification.startswith(
        "not qual"
    )


def test_missing_controls_leave_the_instrument_unchecked(found: Findings) -> None:
    assert line(found.controls[:2], "screen") == (
        "instrument not checked at this size: the study carries no null control, no A/A"
    )
    evidence = fabricate()
    bare = {
        **evidence.study,
        "a_a": None,
        "tasks": [task for task in evidence.study["tasks"] if not task["control"]],
    }
    answer = analyse(dataclasses.replace(evidence, study=bare))
    assert (
        answer.headline.startswith("Instrument not checked at this size: ") and "on formants, deeper" in answer.headline
    )


def test_every_budget_needs_controls_within_a_factor_of_two(found: Findings) -> None:
    (at,) = {control.budget for control in found.controls}
    assert line(found.controls, "study", budgets=[at // 2, at, 2 * at]) == PASSED
    assert line(found.controls, "study", budgets=[at, 2 * at + 1]) == (
        f"instrument not checked at {2 * at + 1:,} parameters: the study carries no depth control, no width control, "
        "no null control, no A/A within a factor of 2"
    )
    low = [dataclasses.replace(c, budget=at // 4) if c.kind == "width" else c for c in found.controls]
    assert line(low, "study", budgets=[at]).endswith("carries no width control within a factor of 2")
    evidence = fabricate()
    asked_wider = {**evidence.study, "budgets": [at, 4 * at]}
    headline = analyse(dataclasses.replace(evidence, study=asked_wider)).headline
    assert "not passed" in headline  # declared contrasts without runs are undecided, of controls too
    own = [task | ({"places": {"parameters": [at]}} if task["control"] else {}) for task in evidence.study["tasks"]]
    headline = analyse(dataclasses.replace(evidence, study=asked_wider | {"tasks": own})).headline
    assert headline.startswith(f"Instrument not checked at {4 * at:,} parameters: ")


# --- a study without controls of its own ------------------------------------------------------------------------------

CITED = {"study": "laptop", "commit": "0" * 40, "why_not": ""}


def a_a(passed: bool) -> Control:
    return Control("A/A", "close", passed, "expected no practical difference, found undecided", "", gates=False)


def test_cited_controls_need_an_a_a_of_the_persons_own() -> None:
    said = f"{PASSED}, at this size, in the published study laptop, and in A/A on close"
    assert line([a_a(True)], "screen", CITED).startswith(said)
    assert line([], "screen", CITED).startswith("instrument not checked on these data: no A/A was run")
    assert line([a_a(False)], "screen", CITED).startswith("instrument not checked on these data: A/A on close")
    assert line([], "screen", CITED | {"why_not": "beyond"}) == "instrument not checked at this size: beyond"


def test_a_a_on_a_natural_task_is_printed_and_gates_nothing() -> None:
    """PROTOCOL 19; it does not stand in for A/A on the null control either."""
    assert sound(a_a(False), "study")
    assert "no A/A" in line([a_a(True)], "screen")
