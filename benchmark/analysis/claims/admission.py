"""Which studies the ledger counts, and how several of them share one error."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.analysis import controls, fairness
from benchmark.analysis.findings import Findings
from benchmark.analysis.kinds import Judged
from benchmark.analysis.verdict import judge

LEVEL, MARGIN = 0.05, 0.02
"""The protocol's error and margin: a study may tighten them, and with looser ones it supports no claim."""


def barred(findings: Findings) -> str:
    """'' or why a study supports no claim (PROTOCOL 14, 15, 19, 20 and 22)."""
    if findings.purpose != "study":
        return f"a {findings.purpose} supports no claim"
    if said := fairness.unfair(findings.checks):
        return said
    if any(not controls.sound(control, findings.purpose) for control in findings.controls):
        return "its controls did not pass"
    if findings.controls_line.startswith("instrument not checked"):
        return findings.controls_line
    if findings.exploratory:
        return f"exploratory: {findings.exploratory}"
    if (error := sum(look.alpha for look in findings.looks)) > LEVEL * (1 + 1e-9):
        return f"its error of {error:.3g} is looser than {LEVEL}"
    if (margin := max((contrast.margin for contrast in findings.contrasts), default=0.0)) > MARGIN:
        return f"its margin of {margin:g} is looser than {MARGIN}"
    return ""


def admitted(studies: Sequence[Findings]) -> tuple[list[Findings], list[str]]:
    """The studies that count, by name, and those that do not, each with its reason."""
    ordered = sorted(studies, key=lambda findings: findings.study)
    left = [f"{findings.study}: {reason}" for findings in ordered if (reason := barred(findings))]
    return [findings for findings in ordered if not barred(findings)], left


def shared(p: float | None, studies: int) -> float:
    """An adjusted p of one study, for all of them together: each is adjusted within itself, so Bonferroni remains."""
    return 1.0 if p is None else min(1.0, studies * p)


def judged_again(
    difference: float | None,
    low: float | None,
    high: float | None,
    p_adjusted: float | None,
    p_equivalence_adjusted: float | None,
    *,
    margin: float,
    alpha: float,
    studies: int,
) -> Judged:
    """A pair's judgement by the verdict's own function, its error shared with the other studies; of one, the same."""
    if difference is None:
        return "open"
    return judge(
        difference=difference,
        low=low,
        high=high,
        p_adjusted=shared(p_adjusted, studies),
        p_equivalence_adjusted=shared(p_equivalence_adjusted, studies),
        margin=margin,
        alpha=alpha,
    )
