"""Arms and contrasts that belong together on the page, in the order in which they are shown."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.analysis.findings import Arm, Findings
from benchmark.analysis.outcome import Contrast
from benchmark.report.words import matched

ORDER = ["natural", "dial", "depth control", "width control", "null control", "A/A"]


@dataclass(frozen=True)
class Group:
    """All depths of one task at one budget, match and variant; the A/A replica stands with its task."""

    label: str
    role: str
    contrast: Contrast | None
    a_a: Contrast | None
    arms: list[Arm]

    @property
    def score(self) -> str:
        """`skill` or `relative reduction`."""
        known = self.contrast or self.a_a
        return known.score if known else "skill"


def label(findings: Findings, item: Arm | Contrast) -> str:
    """The task, with whatever else is needed to tell the item from the study's others."""
    items: list[Arm | Contrast] = [*findings.contrasts, *findings.arms]
    parts = [item.task]
    if len({other.budget for other in items}) > 1:
        parts.append(f"budget {item.budget:,}")
    if len({other.match for other in items}) > 1:
        parts.append(matched(item.match))
    if len({other.variant for other in items}) > 1:
        parts.append(item.variant)
    return " · ".join(parts)


def name(findings: Findings, contrast: Contrast) -> str:
    """A contrast's name in tables."""
    return f"A/A on {label(findings, contrast)}" if contrast.role == "A/A" else label(findings, contrast)


def ordered(findings: Findings) -> list[Contrast]:
    """Natural tasks, dials, controls, A/A; inside a role as the study lists them."""
    return sorted(findings.contrasts, key=lambda contrast: ORDER.index(contrast.role))


def groups(findings: Findings) -> list[Group]:
    """One group for every task x budget x match x variant that has arms or a contrast."""
    found: dict[tuple[str, int, str, str], list[Arm | Contrast]] = {}
    every: list[Arm | Contrast] = [*ordered(findings), *findings.arms]
    for item in every:
        found.setdefault((item.task, item.budget, item.match, item.variant), []).append(item)
    result = []
    for items in found.values():
        contrasts = [item for item in items if isinstance(item, Contrast)]
        arms = sorted((item for item in items if isinstance(item, Arm)), key=lambda arm: (arm.depth, arm.replica))
        main = next((contrast for contrast in contrasts if contrast.role != "A/A"), None)
        a_a = next((contrast for contrast in contrasts if contrast.role == "A/A"), None)
        role = min((item.role for item in items), key=ORDER.index)
        result.append(Group(label(findings, items[0]), role, main, a_a, arms))
    return sorted(result, key=lambda group: ORDER.index(group.role))


def depths(findings: Findings) -> list[int]:
    """Every depth of the study, shallow first: the place in this list is its colour and marker everywhere."""
    return sorted({arm.depth for arm in findings.arms} | {p.depth for c in findings.contrasts for p in c.pairs} | {1})
