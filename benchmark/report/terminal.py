"""The verdicts at the end of a sweep: readable in 80 columns and, without colour, in a log file."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmark.analysis import fairness
from benchmark.analysis.findings import Findings
from benchmark.analysis.outcome import Contrast
from benchmark.report import summary
from benchmark.report.groups import name, ordered
from benchmark.report.sensitivity import fallen
from benchmark.report.words import (
    advice,
    answers,
    bounds,
    decisive,
    finite,
    opening,
    p_value,
    sentence,
    signed,
    smoke,
    verdict,
    withheld,
)

TASK_WIDTH = 18
"""Columns for the task that leave 80 enough for everything else."""

COLOURS = {"deeper": "cyan", "wider": "magenta", "no practical difference": "green"}


def verdict_table(findings: Findings) -> Table:
    """One row a contrast, tasks before controls: its verdict, and the pair of depths that the verdict rests on."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("task", no_wrap=True)
    table.add_column("verdict")
    table.add_column("layers", no_wrap=True, justify="right")
    table.add_column("difference, interval", no_wrap=True)
    table.add_column("p adj.", no_wrap=True, justify="right")
    table.add_column("seeds", no_wrap=True, justify="right")
    tasks = [contrast for contrast in ordered(findings) if contrast.role in ("natural", "dial")]
    controls = [contrast for contrast in ordered(findings) if contrast not in tasks]
    for contrast in tasks:
        table.add_row(*_row(findings, contrast))
    if tasks and controls:
        table.add_section()
    for contrast in controls:
        table.add_row(*_row(findings, contrast))
    return table


def _task(findings: Findings, contrast: Contrast) -> str:
    """The contrast's name, starred where its score is no skill, on several lines where one would be too long."""
    task, *rest = name(findings, contrast).split(" · ")
    parts = [task + ("" if contrast.score == "skill" else "*"), *rest]
    one_line = " · ".join(parts)
    if len(one_line) <= TASK_WIDTH:
        return one_line
    lines = [parts[0], *(f"· {part}" for part in parts[1:])]
    return "\n".join(textwrap.fill(line, TASK_WIDTH, subsequent_indent="  ") for line in lines)


def _row(findings: Findings, contrast: Contrast) -> Iterator[Text]:
    pair = decisive(contrast)
    yield Text(_task(findings, contrast))
    said = verdict(findings, contrast).replace(" layers", "").replace(" layer", "").replace(", ", ",")
    yield Text(said, style="" if smoke(findings) else COLOURS.get(contrast.verdict, "yellow"))
    if pair is None or not finite(pair.difference):
        yield from (Text("-"), Text("not measured"), Text("-"))
    else:
        yield Text("A/A" if pair.replica else str(pair.depth))
        yield Text(_ascii(f"{signed(pair.difference)} {bounds(pair.low, pair.high)}"))
        yield Text("-" if pair.p_adjusted is None else p_value(pair.p_adjusted))
    yield Text(str(contrast.seeds))


def _ascii(text: str) -> str:
    """A log file may know no typographic minus."""
    return text.replace("−", "-").replace("∞", "inf")


def print_verdict(findings: Findings, console: Console) -> None:
    """The answer alone: headline and controls, then each task that was asked about.

    A verdict is a sentence with its intervals; of a large study a task is a line, and its intervals stand in the table.
    """
    bad = withheld(findings) or smoke(findings)
    unfair = fairness.unfair(findings.checks) if smoke(findings) else ""  # else the headline opens with it
    lines = [unfair, findings.headline] if bad else [*advice(findings), findings.controls_line, opening(findings)]
    for line in dict.fromkeys(sentence(line) for line in lines if line):
        _print(console, line, style="bold red" if bad else "bold")
    counted = summary.tallies(findings)
    for line in counted:
        _print(console, line)
    told = (summary.line(one) for one in summary.summaries(findings))
    for line in told if counted else (sentence(contrast.sentence) for contrast in answers(findings)):
        _print(console, line, mark="- ")


def print_findings(findings: Findings, console: Console) -> None:
    """The verdict, the table, what the undecided ones need, and the limits, in that order."""
    print_verdict(findings, console)
    console.print()
    console.print(verdict_table(findings))
    console.print()
    _print(console, "layers: the depth compared with one layer; difference: in skill, deeper minus one layer.")
    if any(contrast.score != "skill" for contrast in findings.contrasts):
        _print(console, "*: in relative reduction of the trivial loss.")
    for contrast in ordered(findings):
        if contrast.verdict == "undecided" and not smoke(findings):
            _print(console, _needs(findings, contrast), mark="- ")
    for contrast, found in fallen(findings):
        _print(console, sentence(f"Does not stand on {name(findings, contrast)}: {found.words}"), mark="- ")
    for note in findings.notes:
        _print(console, note, mark="- ")
    if any(check.passed is None for check in findings.checks):
        _print(console, sentence(fairness.line(findings.checks)), mark="- ")


def _needs(findings: Findings, contrast: Contrast) -> str:
    """`Undecided on formants: 14 more seeds.`"""
    unit = "folds" if contrast.replicates == "folds" else "seeds"
    said = f"Undecided on {name(findings, contrast)}: {contrast.reason}"
    if contrast.more_seeds and f"{contrast.more_seeds} more" not in contrast.reason:
        said += f"; {contrast.more_seeds} more {unit} would decide a difference of one margin"
    return sentence(said)


def _print(console: Console, text: str, style: str = "", mark: str = "") -> None:
    """A paragraph, or with a `mark` a list item whose further lines stand under its first word."""
    lines = textwrap.fill(
        text, console.width, initial_indent=mark, subsequent_indent=" " * len(mark), break_on_hyphens=False
    )
    console.print(Text(lines, style=style))
