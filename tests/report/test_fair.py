"""Checks of fairness on the page and on the terminal: a failed one comes first, what held is one line."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from benchmark.analysis.findings import Check, Findings
from benchmark.report import words
from benchmark.report.page import page
from benchmark.report.terminal import print_findings
from tests.report.example import example
from tests.report.reading import Reader

GOOD = Check("equal data and order", True, "on every seed all arms received the same batches")
BAD = Check("equal tuning effort", False, "formants: depth 4 was asked 4 tuning points and depth 1 5")
UNTOLD = Check("equal size", None, "no sizes")
SAID = "The comparison is not fair: equal tuning effort: formants: depth 4 was asked 4 tuning points and depth 1 5"


def checked(*checks: Check, purpose: str = "screen") -> Findings:
    """The headline as the analysis makes it."""
    findings = dataclasses.replace(example(purpose=purpose), checks=list(checks))
    unfair = BAD in checks and purpose != "smoke"
    return dataclasses.replace(findings, headline=f"{SAID}. The answer is withheld.") if unfair else findings


def seen(findings: Findings) -> str:
    return " ".join(Reader(page(findings, {})).text.split())


def shown(findings: Findings) -> str:
    console = Console(file=io.StringIO(), width=300)
    print_findings(findings, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_failed_check_comes_first_and_withholds_the_answer() -> None:
    findings = checked(GOOD, BAD)
    text = seen(findings)
    assert text.index(SAID) < text.index("until every check of fairness") < text.index("Every pair of depths")
    assert "Withheld: the comparison is not fair." in text and "a control does not hold" not in text
    assert words.withheld(findings) == "the comparison is not fair" and words.answers(findings) == []
    assert shown(findings).startswith(f"{SAID}. The answer is withheld.\n")
    for contrast in words.answers(dataclasses.replace(findings, checks=[])):
        above = text.split("Every pair of depths")[0]
        assert contrast.sentence not in above and f"- {contrast.sentence}" not in shown(findings)


def test_checks_that_passed_are_one_line() -> None:
    text = seen(checked(GOOD, dataclasses.replace(BAD, passed=True)))
    assert text.count("Checks of fairness: equal data and order, equal tuning effort passed.") == 1
    assert "fair" not in shown(checked(GOOD))
    assert "Checks of fairness" not in seen(example())


def test_what_the_evidence_does_not_show_is_said() -> None:
    line = "Checks of fairness: equal data and order passed; not shown by this evidence: equal size (no sizes)."
    assert line in seen(checked(GOOD, UNTOLD)) and f"- {line}" in shown(checked(GOOD, UNTOLD))
    assert words.withheld(checked(GOOD, UNTOLD)) == ""


@pytest.mark.parametrize("show", [seen, shown])
def test_a_smoke_study_says_it_too(show: object) -> None:
    text = show(checked(BAD, purpose="smoke"))  # type: ignore[operator]
    assert f"{SAID}." in text and "Smoke test: no claim." in text
