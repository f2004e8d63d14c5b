"""The findings in short, for another program; and the limits of a verdict on evidence that does not show everything."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.analysis.equal_size import TOLERANCE, spread
from benchmark.analysis.fairness import SIZES
from benchmark.analysis.findings import Arm, Findings
from benchmark.analysis.outcome import Contrast, Pair


def limits(contrast: Contrast, arms: Sequence[Arm], tuned: bool) -> list[str]:
    """What a verdict takes for granted because the evidence does not show it. `tuned`: tuning trainings are there."""
    place = (contrast.task, contrast.budget, contrast.match, contrast.variant)
    mine = [arm for arm in arms if (arm.task, arm.budget, arm.match, arm.variant) == place]
    sizes = [getattr(arm, SIZES[contrast.match]) for arm in mine if contrast.match in SIZES]
    found = [] if tuned else ["tuning not shown"]
    if not sizes or min(sizes) <= 0:
        found.append("equal size not shown")
    elif (apart := spread(sizes)) > TOLERANCE:
        found.append(f"sizes differ by {apart:.0%}, more than {TOLERANCE:.0%}")
    return found


def with_limits(findings: Findings, tuned: bool) -> Findings:
    """The same findings, every sentence and the notes carrying its limits; unchanged where everything is shown."""
    headline, contrasts, notes = findings.headline, [], []
    for contrast in findings.contrasts:
        found = limits(contrast, findings.arms, tuned) if contrast.verdict != "no claim" else []
        said = f"{contrast.sentence}; {', '.join(found)}" if found else contrast.sentence
        headline = headline.replace(f"{contrast.sentence}.", f"{said}.")
        contrasts.append(dataclasses.replace(contrast, sentence=said))
        notes += [f"{contrast.task}: {limit}." for limit in found if limit != "tuning not shown"]
    if not tuned:
        notes.insert(0, "Tuning not shown: whether every depth had its best setting is not checked.")
    notes = list(dict.fromkeys([*notes, *findings.notes]))
    return dataclasses.replace(findings, headline=headline, contrasts=contrasts, notes=notes)


def outline(findings: Findings, absent: Sequence[str], unread: Sequence[str], tuned: bool) -> dict[str, Any]:
    """What `strata analyse --json` prints: plain JSON types, None for what is not a finite number."""
    record: Mapping[str, Any] = {
        "study": findings.study,
        "headline": findings.headline,
        "absent": list(absent),
        "unread": list(unread),
        "contrasts": [_contrast(one, limits(one, findings.arms, tuned)) for one in findings.contrasts],
        "checks": [dataclasses.asdict(check) for check in findings.checks],
        "controls": [dataclasses.asdict(control) for control in findings.controls],
        "sensitivity": [dataclasses.asdict(one) for one in findings.sensitivity],
        "notes": list(findings.notes),
    }
    return {name: _plain(value) for name, value in record.items()}


_CONTRAST = (
    *("task", "role", "budget", "match", "variant", "verdict", "reason", "sentence"),
    *("seeds", "more_seeds", "score", "margin"),
)
_PAIR = (
    *("depth", "replica", "difference", "low", "high", "p", "p_adjusted", "judged"),
    *("successes", "successes_one_layer", "p_success_adjusted"),
)


def _contrast(contrast: Contrast, found: Sequence[str]) -> dict[str, Any]:
    record = {name: getattr(contrast, name) for name in _CONTRAST}
    return record | {"limits": list(found), "pairs": [_pair(pair) for pair in contrast.pairs]}


def _pair(pair: Pair) -> dict[str, Any]:
    return {name: getattr(pair, name) for name in _PAIR}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
