"""How numbers and verdicts are written, the same in the page, in the pictures and on the terminal."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import TypeGuard

from benchmark.analysis import fairness
from benchmark.analysis.controls import sound
from benchmark.analysis.findings import Control, Findings
from benchmark.analysis.outcome import Contrast, Pair

ABSENT = "–"


def finite(value: float | None) -> TypeGuard[float]:
    """True for a number that can be drawn or printed."""
    return value is not None and math.isfinite(value)


def minus(text: str) -> str:
    """A typographic minus, which is as wide as the plus it stands under."""
    return text.replace("-", "−")


def signed(value: float) -> str:
    """A difference in score, `+0.123`; the sign stays on what rounds to nothing, as an interval's end may."""
    return minus(f"{value:+.3f}")


def plain(value: float) -> str:
    """A score, `0.123`."""
    return minus(f"{value:.3f}")


def p_value(value: float) -> str:
    """Three decimals; smaller ones are only said to be smaller."""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def count(value: float) -> str:
    """A whole number with its thousands apart, `6,000`."""
    return minus(f"{value:,.0f}")


def significant(value: float) -> str:
    """Four significant digits: losses, whose scale differs from task to task."""
    return minus(f"{value:.4g}")


def rate(value: float) -> str:
    """A learning rate or another hyperparameter, two significant digits."""
    return minus(f"{value:.2g}")


def share(value: float) -> str:
    """A share as per cent; the smallest are not rounded to none."""
    return "<1 %" if 0 < value < 0.01 else f"{100 * value:.0f} %"


def fine_share(value: float) -> str:
    """A small share as per cent, `1.3 %`."""
    return f"{100 * value:.1f} %"


def seconds(value: float) -> str:
    """A duration in the unit a person would use."""
    if value < 120:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def large(value: float) -> str:
    """Operations, `12.3 M`."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:.0f}"


def bounds(low: float | None, high: float | None) -> str:
    """An interval; a side that no number of these seeds can bound is infinite (PROTOCOL 13)."""
    left = f"[{signed(low)}" if finite(low) else "(−∞"
    right = f"{signed(high)}]" if finite(high) else "+∞)"
    return f"{left}, {right}"


def layers(depths: Iterable[int]) -> str:
    """`1 layer`, `2, 4 layers`."""
    several = list(depths)
    return f"{', '.join(map(str, several))} layer{'' if several == [1] else 's'}"


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) or not text else ".")


def smoke(findings: Findings) -> bool:
    """A smoke study is for tests: `no claim` stands in place of every verdict (PROTOCOL, head)."""
    return findings.purpose == "smoke"


def verdict(findings: Findings, contrast: Contrast) -> str:
    """The verdict with the depths that it names."""
    if smoke(findings):
        return "no claim"
    if contrast.role == "A/A":
        return contrast.verdict
    if contrast.verdict == "deeper" and contrast.depths:
        return f"deeper ({layers(contrast.depths)})"
    if contrast.verdict == "wider" and contrast.depths:
        return f"wider ({layers(contrast.depths)} worse)"
    return contrast.verdict


def judged(findings: Findings, pair: Pair) -> str:
    """How one depth was judged against one layer."""
    return "no claim" if smoke(findings) else pair.judged


def withheld(findings: Findings) -> str:
    """'' or why there is no answer: a failed check of fairness, or a control that does not hold, one is enough."""
    if smoke(findings):
        return ""
    if fairness.unfair(findings.checks):
        return "the comparison is not fair"
    sees = all(sound(control, findings.purpose) for control in findings.controls)
    return "" if sees else "a control does not hold"


def answers(findings: Findings) -> list[Contrast]:
    """The contrasts whose sentences are the answer; none while it is withheld or nothing is claimed."""
    if smoke(findings) or withheld(findings):
        return []
    natural = [contrast for contrast in findings.contrasts if contrast.role == "natural"]
    return natural or [contrast for contrast in findings.contrasts if contrast.role == "dial"]


def advice(findings: Findings) -> list[str]:
    """The plain words for a person with their own series, sentence by sentence; none while the answer is withheld."""
    return [] if smoke(findings) or withheld(findings) else [words for one in findings.advice for words in one.words]


def opening(findings: Findings) -> str:
    """The headline without the controls' line, shown above it, and the tasks' sentences, shown below; may be ''."""
    text = findings.headline.replace(sentence(findings.controls_line), "")
    for said in [*(contrast.sentence for contrast in answers(findings)), *advice(findings)]:
        text = text.replace(said, "")
    return re.sub(r"\s+", " ", re.sub(r"(?<![^\s.])\.(?=\s|$)", "", text)).strip()


def control_name(control: Control) -> str:
    """`depth control on two_layer_teacher`."""
    return f"{'A/A' if control.kind == 'A/A' else f'{control.kind} control'} on {control.task}"


def decisive(contrast: Contrast) -> Pair | None:
    """The pair that a short table shows: the one the verdict rests on.

    `deeper` and `wider`: the named depth that differs most; equivalence: the pair hardest to call equivalent; else the
    pair that came closest to being told apart. None when nothing was estimated.
    """
    pairs = [pair for pair in contrast.pairs if pair.difference is not None]
    named = [pair for pair in pairs if pair.depth in contrast.depths]
    if contrast.verdict in ("deeper", "wider") and named:
        return max(named, key=lambda pair: abs(pair.difference or 0.0))
    if contrast.verdict == "no practical difference":
        return max(pairs, key=lambda pair: pair.p_equivalence or 0.0, default=None)
    return min(pairs, key=lambda pair: 1.0 if pair.p_adjusted is None else pair.p_adjusted, default=None)


def score_axis(score: str) -> str:
    """Axis label of a score: what 0 and 1 mean."""
    if score == "skill":
        return "test skill\n(0 trivial, 1 best possible)"
    return "relative reduction\nof the trivial test loss"


SIZES = {"parameters": "parameters", "state": "cells of total state", "flops": "FLOPs per sequence"}
"""What a `match` holds equal, with its unit."""


def matched(match: str) -> str:
    """What `match` held equal, for a label."""
    return f"equal {'FLOPs' if match == 'flops' else match}"
