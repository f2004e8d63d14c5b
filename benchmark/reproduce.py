"""`strata reproduce FOLDER`: a published study is run again here, and every finding of it is held against the new one.

The rule, fixed before any comparison. Both sides are judged by one study: the published one, or the part of it that was
asked for (tasks, seeds). Where machine type and versions are the same, every shared training must have the same numbers
to the bit; one that has not makes its contrast *not reproduced*. Else, for each contrast:

reproduced        the same verdict, naming the same depths; where it decides nothing (`undecided`, and `no claim` of a
                  smoke study), the numbers must agree too
within noise      another verdict, but the numbers agree
not reproduced    anything else

Numbers agree when, for every pair of depths, each side's difference lies inside the other side's interval, widened by
the standard error of the difference that is looked up in it: an interval says where the truth lies, not where another
estimate of it falls. An unbounded interval (too few seeds) is replaced by the paired-t interval.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmark import environment, evidence
from benchmark.analysis.analyse import analyse
from benchmark.analysis.outcome import Contrast, Pair
from benchmark.errors import UserError
from benchmark.evidence import Evidence
from benchmark.parts import differences
from benchmark.report.groups import name
from benchmark.report.words import bounds, decisive, finite, signed
from benchmark.rows import results
from benchmark.session import sweep
from benchmark.study import Study
from benchmark.terminal import say
from benchmark.workspace import Workspace

Answer = Literal["reproduced", "within noise", "not reproduced"]
NUMERIC = ("torch", "pytorch-lightning", "numpy", "scipy", "pandas", "arch")
"""Packages that numbers can depend on; the stores' versions move none."""
DECIDED = ("deeper", "wider", "no practical difference")
COLOURS: dict[Answer, str] = {"reproduced": "green", "within noise": "yellow", "not reproduced": "red"}


@dataclass(frozen=True)
class Finding:
    """One contrast there and here."""

    name: str
    there: Contrast
    here: Contrast
    answer: Answer
    reason: str


@dataclass(frozen=True)
class Comparison:
    """A published study against its repetition."""

    study: str
    findings: list[Finding]
    shared: int
    """Trainings with the same key on both sides."""
    differing: list[str]
    """Keys of those whose numbers are not the same to the bit."""
    promised: str
    """'' where the same bits are promised, else why they are not."""

    @property
    def holds(self) -> bool:
        """Every finding is reproduced, or within noise."""
        return all(finding.answer != "not reproduced" for finding in self.findings)

    def record(self) -> dict[str, Any]:
        """`strata reproduce --json`: plain JSON types."""
        return {
            "study": self.study,
            "reproduced": self.holds,
            "bits_promised": not self.promised,
            "bits_not_promised_because": self.promised or None,
            "trainings_shared": self.shared,
            "trainings_identical": self.shared - len(self.differing),
            "differing": self.differing,
            "findings": [
                {
                    "task": one.there.task,
                    "budget": one.there.budget,
                    "match": one.there.match,
                    "variant": one.there.variant,
                    "role": one.there.role,
                    "answer": one.answer,
                    "reason": one.reason,
                    "published": _side(one.there),
                    "here": _side(one.here),
                }
                for one in self.findings
            ],
        }


def _side(contrast: Contrast) -> dict[str, Any]:
    pairs = [
        {
            "depth": pair.depth,
            "replica": pair.replica,
            "difference": pair.difference,
            "low": pair.low if finite(pair.low) else None,
            "high": pair.high if finite(pair.high) else None,
        }
        for pair in contrast.pairs
    ]
    return {"verdict": contrast.verdict, "depths": contrast.depths, "pairs": pairs}


# --- what is asked ----------------------------------------------------------------------------------------------------


def published(folder: Path) -> Evidence:
    """The evidence of a published study. Raises UserError."""
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: give a published study, such as results/published/laptop")
    return evidence.read(folder)


def again(there: Evidence, folder: Path, tasks: Sequence[str] = (), seeds: int | None = None) -> Study:
    """The study to run here: the published one as far as it had come, or the part that is asked for.

    Raises UserError for a task that is not in it, for seeds that it did not have, and where it cannot be run here.
    """
    raw = {key: value for key, value in there.study.items() if key != "state"}
    raw.setdefault("sensitivity", {"one_layer_trials": False})  # a study from before there was such a check
    labels = [task["label"] for task in raw["tasks"]]
    if unknown := [label for label in tasks if label not in labels]:
        raise UserError(f"--tasks: {folder} has no task {unknown[0]!r} (tasks: {', '.join(labels)})")
    confirmation = dict(raw["confirmation"])
    look = int(there.study.get("state", {}).get("look") or confirmation["seeds"])
    if seeds is not None and not 2 <= seeds <= look:
        raise UserError(f"--seeds is {seeds}: {folder} has {look}; give 2 to {look}")
    parts = []
    if tasks:
        raw["tasks"] = [task for task in raw["tasks"] if task["label"] in tasks]
        copied = [raw["a_a"]] if isinstance(raw.get("a_a"), str) else raw.get("a_a") or []
        raw["a_a"] = [label for label in copied if label in tasks]
        parts.append("-".join(tasks)[:40])
    wanted = look if seeds is None else seeds
    if wanted != confirmation["seeds"]:
        doubled = confirmation.get("doubled", 0)
        raw["confirmation"] = {"seeds": wanted, "looks": [wanted], "doubled": doubled if doubled <= wanted else 0}
        parts.append(f"{wanted}-seeds")
    raw["name"] = "-".join([raw["name"], *parts])
    return Study.complete(raw, folder, str(folder / "study.yaml"))


def reproduce(
    folder: Path, workspace: Workspace, console: Console, *, workers: int, tasks: Sequence[str], seeds: int | None
) -> Comparison:
    """Run the study, or the part that is asked for, in `workspace`, and compare; started again it goes on.

    Raises UserError: what is no published study, or cannot be run here.
    """
    there = published(folder)
    study = again(there, folder, tasks, seeds)
    ending = sweep(study, workspace, console, workers=workers, show=False)
    return compare(study, there, evidence.read(ending.folder), environments(folder))


# --- the comparison ---------------------------------------------------------------------------------------------------


def compare(study: Study, there: Evidence, here: Evidence, ran: Sequence[Mapping[str, Any]]) -> Comparison:
    """Judge both sides by `study` and hold them against each other; `ran` is `environment.json` of there and here."""
    wanted = {**study.resolved(), "state": {"look": study.confirmation.seeds}}
    before, after = (analyse(dataclasses.replace(side, study=wanted)) for side in (there, here))
    promised = why_not_bits(*ran)
    one, other = ({result.key: result for _, result in results(side)} for side in (there, here))
    shared = [key for key in one if key in other]
    differing = [key for key in shared if differences(one[key], other[key])]
    found = []
    for mine, theirs in zip(before.contrasts, after.contrasts, strict=True):
        bits = len(_of(mine, there, differing)) if not promised else 0
        answer, reason = judge(mine, theirs, bits)
        found.append(Finding(name(before, mine), mine, theirs, answer, reason))
    return Comparison(study.name, found, len(shared), differing, promised)


def _of(contrast: Contrast, side: Evidence, keys: Sequence[str]) -> set[str]:
    """Those of `keys` that the contrast's arms use."""
    rows = side.members
    mine = (rows["task"] == contrast.task) & (rows["budget"] == contrast.budget)
    mine &= (rows["match"] == contrast.match) & (rows["variant"] == contrast.variant)
    return set(rows.loc[mine, "key"]) & set(keys)


def judge(there: Contrast, here: Contrast, differing: int = 0) -> tuple[Answer, str]:
    """The rule of this module for one contrast; `differing` trainings broke a promise of equal bits."""
    if differing:
        return "not reproduced", f"{differing} trainings differ where the same machine promises the same bits"
    apart = [pair for pair, other in _pairs(there, here) if not agree(pair, other)]
    same = (there.verdict, there.depths) == (here.verdict, here.depths)
    if same and (there.verdict in DECIDED or not apart):
        return "reproduced", ""
    if not apart:
        return "within noise", "another verdict, numbers that agree"
    return "not reproduced", f"the difference of {_depth(apart[0])} layers lies outside what both intervals allow"


def _pairs(there: Contrast, here: Contrast) -> list[tuple[Pair, Pair]]:
    found = {(pair.depth, pair.replica): pair for pair in here.pairs}
    return [(pair, found[pair.depth, pair.replica]) for pair in there.pairs if (pair.depth, pair.replica) in found]


def _depth(pair: Pair) -> str:
    return f"{pair.depth} (A/A)" if pair.replica else str(pair.depth)


def agree(one: Pair, other: Pair) -> bool:
    """Whether each difference lies inside the other's interval, widened by its own standard error."""
    if one.difference is None or other.difference is None:
        return one.difference is other.difference
    return _inside(one, other) and _inside(other, one)


def _inside(estimate: Pair, of: Pair) -> bool:
    assert estimate.difference is not None
    low, high = (of.low, of.high) if finite(of.low) and finite(of.high) else (of.t_low, of.t_high)
    error = (estimate.spread or 0.0) / math.sqrt(max(1, len(estimate.differences)))
    if low is None or high is None or of.difference is None:
        return False
    return low - error <= estimate.difference <= high + error


def why_not_bits(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """'' where machine type and versions are the same, else the first thing that differs."""
    machines = [there, *there.get("parts", [])]
    for machine in machines:
        for what in ("machine", "processor", "kernel", "system", "python"):
            if not machine.get(what) or machine.get(what) != here.get(what):
                return f"{what} {machine.get(what, 'unknown')} there, {here.get(what, 'unknown')} here"
        for package in NUMERIC:
            old, new = (side.get("packages", {}).get(package) for side in (machine, here))
            if old != new:
                return f"{package} {old or 'absent'} there, {new or 'absent'} here"
    return ""


def environments(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """`environment.json` of a published study ({} without one), and this machine now."""
    path = folder / "environment.json"
    return (json.loads(path.read_text()) if path.is_file() else {}), environment.describe()


# --- what is printed --------------------------------------------------------------------------------------------------


def print_comparison(found: Comparison, console: Console) -> None:
    """A row a finding, in 80 columns, what was promised of the bits, and the sum."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for column in ("finding", "published", "here", "answer"):
        table.add_column(column, overflow="fold", max_width={"finding": 16, "answer": 14}.get(column, 24))
    for one in found.findings:
        colour = COLOURS[one.answer]
        table.add_row(one.name, _said(one.there), _said(one.here, like=one.there), f"[{colour}]{one.answer}[/]")
    console.print(table)
    console.print()
    for one in found.findings:
        if one.reason:
            say(console, f"{one.name}: {one.reason}", mark="- ")
    identical = found.shared - len(found.differing)
    bits = f"{identical} of {found.shared} trainings are the same to the bit"
    say(console, f"{bits}, which is promised here" if not found.promised else f"{bits}; not promised: {found.promised}")
    counts = [f"{sum(one.answer == answer for one in found.findings)} {answer}" for answer in COLOURS]
    say(console, f"{found.study}: {', '.join(counts)}", style="bold")


def _said(contrast: Contrast, like: Contrast | None = None) -> str:
    """The verdict, and the pair of depths that the published one rests on."""
    leading = decisive(like or contrast)
    pair = next((one for one in contrast.pairs if leading and one.depth == leading.depth), None)
    if pair is None or pair.difference is None:
        return contrast.verdict
    return f"{contrast.verdict}\n{signed(pair.difference)} {bounds(pair.low, pair.high)}"
