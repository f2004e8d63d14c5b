"""The verdicts of a large study in a few lines: how many of each kind, and a line a task."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.analysis.findings import Findings
from benchmark.analysis.outcome import Contrast
from benchmark.report.groups import ORDER, Group
from benchmark.report.words import answers, count, finite, layers, matched, verdict

SENTENCES = 6
"""As many sentences are read; more are told in fewer words, and folded."""
KINDS = ("deeper", "wider", "no practical difference", "undecided")


@dataclass(frozen=True)
class Summary:
    """What was found of one task: for every match the verdicts, and the budgets at which each was reached."""

    task: str
    matches: list[tuple[str, list[tuple[str, list[int]]]]]
    """The match in words, '' where the study has one only."""
    differences: dict[str, str]
    """For every match, each depth's difference from one layer: the least and the greatest over the budgets."""


def tallies(findings: Findings) -> list[str]:
    """How many verdicts of each kind, a sentence a match; none where every answer has its own sentence in view."""
    found = answers(findings)
    if len(found) <= SENTENCES:
        return []
    said = []
    for match in dict.fromkeys(contrast.match for contrast in found):
        mine = [contrast for contrast in found if contrast.match == match]
        tasks, sizes = len({c.task for c in mine}), len({c.budget for c in mine})
        kinds = [(kind, sum(c.verdict == kind for c in mine)) for kind in KINDS]
        numbers = ", ".join(f"{number} {kind}" for kind, number in kinds if number)
        where = f"{_number(tasks, 'task')} at {_number(sizes, 'size')}"
        said.append(f"At {matched(match)}, {_number(len(mine), 'verdict')} on {where}: {numbers}.")
    return said


def summaries(findings: Findings) -> list[Summary]:
    """A line a task, in the order of the page; a verdict that names depths is one of its own."""
    found: dict[str, dict[str, dict[str, list[int]]]] = {}
    drawn: dict[str, dict[str, list[Contrast]]] = {}
    answered = answers(findings)
    several = len({contrast.variant for contrast in answered}) > 1
    matches = {contrast.match for contrast in answered}
    for contrast in sorted(answered, key=lambda contrast: contrast.budget):
        task = f"{contrast.task} · {contrast.variant}" if several else contrast.task
        match = matched(contrast.match) if len(matches) > 1 else ""
        words = found.setdefault(task, {}).setdefault(match, {})
        words.setdefault(verdict(findings, contrast), []).append(contrast.budget)
        drawn.setdefault(task, {}).setdefault(match, []).append(contrast)
    order = [f"{c.task} · {c.variant}" if several else c.task for c in answered]
    return [
        Summary(
            task,
            [(match, list(words.items())) for match, words in sorted(found[task].items())],
            {match: _differences(contrasts) for match, contrasts in drawn[task].items()},
        )
        for task in dict.fromkeys(order)
    ]


def line(one: Summary) -> str:
    """`formants: at equal parameters wider (4 worse) at 3,000 and 6,000 (2 layers -0.01 to +0.01, 4 ...); at ...`."""
    told = [
        (f"at {match} " if match else "")
        + ", ".join(f"{words} at {listed(budgets)}" for words, budgets in said)
        + f" ({one.differences[match]})"
        for match, said in one.matches
    ]
    return f"{one.task}: {'; '.join(told)}."


def _differences(contrasts: list[Contrast]) -> str:
    """`2 layers -0.015 to -0.009, 3 layers -0.041 to -0.028`: means, whose intervals the table has."""
    measured: dict[int, list[float]] = {}
    for pair in (pair for contrast in contrasts for pair in contrast.pairs):
        if finite(pair.difference):
            measured.setdefault(pair.depth, []).append(pair.difference)
    ranges = {
        depth: sorted({f"{end:+.3f}" for end in (min(them), max(them))}, key=float) for depth, them in measured.items()
    }
    return (
        ", ".join(f"{layers([depth])} {' to '.join(ends)}" for depth, ends in sorted(ranges.items())) or "not measured"
    )


def listed(numbers: list[int]) -> str:
    """`3,000, 6,000 and 12,000`; the budgets of a study."""
    *most, last = map(count, numbers)
    return f"{', '.join(most)} and {last}" if most else last


def by_task(groups: list[Group]) -> list[tuple[str, str, list[Group]]]:
    """(task, role, its groups) in the order of the page, small budgets first."""
    found: dict[str, list[Group]] = {}
    for group in groups:
        first: Contrast | None = group.contrast or group.a_a
        found.setdefault(first.task if first else group.arms[0].task, []).append(group)
    return [(task, min((one.role for one in its), key=ORDER.index), its) for task, its in found.items()]


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
