"""Would the answer change? The variations of every primary verdict, for the page and for the terminal."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.analysis.findings import Findings, Sensitivity
from benchmark.analysis.outcome import Contrast
from benchmark.report.groups import ordered
from benchmark.report.words import ABSENT, smoke, withheld

STANDS = {True: "stands", False: "does not stand", None: "cannot tell"}
NAMES = {
    "second metric": "on the second metric",
    "best seed dropped": "without its best seed",
    "one layer tuned more": "one layer tuned more",
}


@dataclass(frozen=True)
class Varied:
    """One contrast and its variations."""

    contrast: Contrast
    variations: list[Sensitivity]


def varied(findings: Findings) -> list[Varied]:
    """Every contrast that was judged anew, in the order of the page."""
    found: dict[tuple[str, int, str, str], list[Sensitivity]] = {}
    for one in findings.sensitivity:
        found.setdefault((one.task, one.budget, one.match, one.variant), []).append(one)
    pages = [contrast for contrast in ordered(findings) if contrast.role in ("natural", "dial")]
    placed = [(contrast, (contrast.task, contrast.budget, contrast.match, contrast.variant)) for contrast in pages]
    return [Varied(contrast, found[place]) for contrast, place in placed if place in found]


def fallen(findings: Findings) -> list[tuple[Contrast, Sensitivity]]:
    """The verdicts that do not stand; none where no verdict is given."""
    if smoke(findings) or withheld(findings):
        return []
    return [(one.contrast, item) for one in varied(findings) for item in one.variations if item.stands is False]


def kind(one: Sensitivity, contrast: Contrast) -> str:
    """What was varied; fixed data have folds for seeds."""
    name = NAMES[one.kind]
    return name.replace("seed", "fold") if contrast.replicates == "folds" else name


def stands(one: Sensitivity, contrast: Contrast) -> str:
    """Whether the verdict stands, in a word or two; what is undecided has none that could."""
    return ABSENT if one.stands is None and contrast.verdict == "undecided" else STANDS[one.stands]
