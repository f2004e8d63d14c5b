"""The end of a sweep reads well in 80 columns and in a log file."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from benchmark.analysis.analyse import analyse
from benchmark.analysis.findings import Findings
from benchmark.report.terminal import print_findings
from tests.analysis.fabricate import fabricate
from tests.report.example import example
from tests.report.test_grid import enlarged


def shown(findings: Findings, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_findings(findings, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_order_headline_controls_table_needs_notes() -> None:
    findings = example()
    text = shown(findings)
    places = [
        text.index(part)
        for part in ("The instrument sees", "on formants", "p adj.", "- Undecided on", "- Every verdict is")
    ]
    assert places == sorted(places)
    assert "15 more seeds" in text
    row = next(line for line in text.splitlines() if line.startswith("formants "))
    pair = findings.contrasts[0].pairs[0]
    assert row.split() == [
        "formants", "deeper", "(2)", "2", f"{pair.difference:+.3f}", f"[{pair.low:+.3f},", f"{pair.high:+.3f}]",
        f"{pair.p_adjusted:.3f}", "10",
    ]  # fmt: skip


@pytest.mark.parametrize("match", [("parameters",), ("parameters", "state")])
def test_nothing_is_wider_than_80_columns_or_cut(match: tuple[str, ...]) -> None:
    findings = analyse(fabricate(match=match))
    long = dataclasses.replace(findings.contrasts[0], task="some/folder/a_long_name.py:AnUnusualClass[bold]")
    for case in (findings, dataclasses.replace(findings, contrasts=[*findings.contrasts, long]), example(seeds=120)):
        text = shown(case)
        assert max(map(len, text.splitlines())) <= 80
        assert "…" not in text
        assert "\x1b" not in text
        for contrast in case.contrasts:
            assert contrast.task in text.replace("\n", "") or contrast is long
    assert "[bold]" in shown(dataclasses.replace(findings, contrasts=[long]), width=200)


def test_of_a_large_study_a_task_is_a_line_and_its_intervals_stand_in_the_table() -> None:
    findings = enlarged(example())
    text = shown(findings, width=200)
    assert "At equal state, 8 verdicts on 2 tasks at 4 sizes: 4 deeper, 4 undecided." in text
    assert "\n- formants: at equal parameters deeper (2 layers) at 3,000, 6,000, 12,000 and 24,000 (2 layers" in text
    assert not any(contrast.sentence in text for contrast in findings.contrasts)
    assert text.count("+0.") >= 8


def test_a_failed_control_is_the_first_line_and_no_task_is_answered() -> None:
    findings = example(failed=("depth",))
    text = shown(findings)
    assert text.startswith("Controls not passed: depth. The answer is withheld.")
    assert "Screening" not in text


def test_smoke_claims_nothing() -> None:
    text = shown(analyse(fabricate(purpose="smoke", seeds=2)))
    assert text.startswith("No claim")
    assert text.count("no claim") == 6
    assert not any(word in text for word in ("deeper (", "wider (", "undecided", "no practical"))


def test_an_unbounded_interval_and_a_missing_difference() -> None:
    findings = example(tasks=["equity_variance"])
    contrast = findings.contrasts[0]
    unbounded = dataclasses.replace(contrast, pairs=[dataclasses.replace(contrast.pairs[0], low=None)])
    assert "(-inf, +" in shown(dataclasses.replace(findings, contrasts=[unbounded]))
    nothing = dataclasses.replace(contrast, pairs=[dataclasses.replace(p, difference=None) for p in contrast.pairs])
    assert "not measured" in shown(dataclasses.replace(findings, contrasts=[nothing]))


def test_a_score_that_is_no_skill_is_starred() -> None:
    text = shown(example())
    assert "equity_variance*" in text
    assert "*: in relative reduction" in text
    assert "*" not in shown(example(tasks=["formants"]))
