"""`strata merge A B --into STUDY`: evidence of several machines or sessions becomes one study's journal here.

`strata sweep STUDY` then finds these trainings done, runs what is missing and ends in a verdict. One key has one set of
numbers: where two parts have different ones, nothing is written until the person says which side is to be believed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from benchmark import evidence, tracking
from benchmark.askable import Askable
from benchmark.conduct import replay
from benchmark.errors import UserError
from benchmark.family import firsts
from benchmark.parts import Part, differences, read
from benchmark.plan import groups
from benchmark.rows import gather
from benchmark.session import Session, open_session, write_study
from benchmark.spec import RunResult, RunSpec
from benchmark.study import Study
from benchmark.sweep import settled
from benchmark.terminal import plain_table, print_plain, say
from benchmark.workspace import Workspace

Pair = tuple[RunSpec, RunResult]


@dataclass(frozen=True)
class Conflict:
    """One key with different numbers in two parts."""

    spec: RunSpec
    sides: tuple[str, str]
    differences: list[tuple[str, Any, Any]]
    """(what, in the one, in the other)."""


@dataclass
class Merged:
    """What the parts give together, before anything is written. `here` is what the study already holds."""

    parts: list[Part]
    here: Part
    chosen: dict[str, tuple[Pair, Part]] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    identical: Counter[str] = field(default_factory=Counter)
    """Part -> results that an earlier part, or the study itself, holds already."""

    @property
    def new(self) -> dict[str, tuple[Pair, Part]]:
        """What the study's journal does not hold yet."""
        return {key: chosen for key, chosen in self.chosen.items() if chosen[1] is not self.here}

    @property
    def replaced(self) -> list[str]:
        """Keys whose numbers here give way to others; a failed training that was done elsewhere is none."""
        held = {key for key, (_, result) in self.here.taken.items() if result.status != "failed"}
        return sorted(held & self.new.keys())


def combine(here: Part, parts: Sequence[Part], prefer: str = "") -> Merged:
    """One result for every key: done before failed, the preferred part's before another's, else the first given."""
    merged = Merged(list(parts), here)
    for key in dict.fromkeys(key for part in (here, *parts) for key in part.taken):
        holders = [part for part in (here, *parts) if key in part.taken]
        ended = [part for part in holders if part.taken[key][1].status != "failed"]
        if not ended:
            most = max(holders, key=lambda part: len(part.attempts.get(key, [])))
            merged.chosen[key] = most.taken[key], most
            continue
        ended = [part for part in ended if part.taken[key][1].status != "pruned"] or ended  # trained out says more
        first = next((part for part in ended if part.name == prefer), ended[0])
        merged.chosen[key] = first.taken[key], first
        kinds = [first]
        for part in ended:
            same = next((one for one in kinds if not differences(one.taken[key][1], part.taken[key][1])), None)
            if same is None:
                kinds.append(part)
            elif part is not first:
                merged.identical[part.name] += 1
        if first.name != prefer:
            merged.conflicts += [_conflict(key, *two) for two in combinations(kinds, 2)]
    return merged


def _conflict(key: str, one: Part, other: Part) -> Conflict:
    spec, result = one.taken[key]
    return Conflict(spec, (one.name, other.name), differences(result, other.taken[key][1]))


@dataclass(frozen=True)
class Report:
    """What a merge did, or why it was refused."""

    merged: Merged
    study: Study
    folder: Path
    waiting: int = 0
    """Trainings that the study asks for next and nobody has done."""
    finished: bool = False
    exploratory: str = ""

    def record(self) -> dict[str, Any]:
        """`strata merge --json`: plain JSON types."""
        merged = self.merged
        return {
            "study": self.study.name,
            "folder": str(self.folder),
            "parts": [
                {
                    "part": part.name,
                    "trainings": part.trainings,
                    "taken": taken,
                    "identical": merged.identical[part.name],
                    "failed": len(part.attempts),
                    "aside": dict(part.aside),
                }
                for part, taken in self.taken()
            ],
            "conflicts": [
                {
                    "key": conflict.spec.key,
                    "sides": list(conflict.sides),
                    "differences": [
                        {"what": what, "values": [one, other]} for what, one, other in conflict.differences
                    ],
                }
                for conflict in merged.conflicts
            ],
            "replaced": merged.replaced,
            "trainings": len(merged.chosen),
            "waiting": self.waiting,
            "finished": self.finished,
            "exploratory": self.exploratory,
        }

    def taken(self) -> list[tuple[Part, int]]:
        """Every part, and how many of its results the study has now that it had not."""
        return [(part, sum(holder is part for _, holder in self.merged.new.values())) for part in self.merged.parts]


def merge(
    folders: Sequence[Path], study: Study, workspace: Workspace, console: Console, prefer: Path | None = None
) -> Report:
    """Bring `folders` into the study's journal and write its evidence; a report with conflicts has written nothing.

    Raises UserError before anything is written: a folder that cannot be read, a study that cannot take them.
    """
    planned = groups(study)
    own = workspace.folder(study.name)
    names = _names(folders, study, own)
    askable = Askable(planned)
    parts = [read(folder, name, askable) for folder, name in zip(folders, names, strict=True)]
    here = Part(str(own))
    with ExitStack() as stack:
        session = None
        if (own / "journal.jsonl").is_file():
            session = open_session(study, workspace, console, stack)
            here = read(own, here.name, askable)
        merged = combine(here, parts, _preferred(prefer, folders, names, study.name, own))
        if merged.conflicts:
            return Report(merged, study, own)
        if not merged.chosen:
            _refuse_empty(parts, study)
        if session is None:
            session = open_session(study, workspace, console, stack)
        return _write(session, merged, workspace)


def _names(folders: Sequence[Path], study: Study, own: Path) -> list[str]:
    resolved = [folder.resolve() for folder in folders]
    if own.resolve() in resolved:
        raise UserError(f"{own} is where {study.name!r} itself is kept: name the other folders only")
    if len(set(resolved)) < len(resolved):
        raise UserError("a folder was given twice: give each once")
    return [str(folder) for folder in folders]


def _preferred(prefer: Path | None, folders: Sequence[Path], names: Sequence[str], study: str, own: Path) -> str:
    """The name of the part that wins; the study's own name stands for what is here already."""
    if prefer is None:
        return ""
    places = {folder.resolve(): name for folder, name in zip(folders, names, strict=True)} | {own.resolve(): str(own)}
    if prefer.resolve() in places:
        return places[prefer.resolve()]
    if str(prefer) == study:
        return str(own)
    raise UserError(f"--prefer {prefer} is none of the parts: give {', '.join(names)} or {study}, what is here")


def _refuse_empty(parts: Sequence[Part], study: Study) -> None:
    reasons = sum((part.aside for part in parts), Counter[str]())
    why = f" ({reasons.most_common(1)[0][0]})" if reasons else ""
    raise UserError(f"no training of {', '.join(part.name for part in parts)} is one that {study.name!r} asks for{why}")


def _write(session: Session, merged: Merged, workspace: Workspace) -> Report:
    """Everything into the journal in one piece, then the tables that follow from it."""
    if merged.replaced:  # they tell a number once; the next sweep fills them anew from the journal
        from benchmark.trials import Trials

        tracking.clean(session.study.name, workspace.root)
        Trials(workspace.optuna_url, session.study.name).clean()
    session.journal.extend(_records(session, merged))
    session.take_over()
    write_study(session)
    results, failures = session.journal.results(), session.journal.failures()
    known = {key: result for key, (_, result) in results.items()}
    replayed = [replay(group, session.seeds, known) for group in session.groups]
    requests = [request for asked, _ in replayed for request in asked]
    record = yaml.safe_load((session.folder / "study.yaml").read_text())
    evidence.write(session.folder, gather(requests, results, record))
    waiting = {key for key in (request.spec.key for request in requests) if not settled(key, known, failures)}
    finished = not waiting and all(ended for _, ended in replayed)
    return Report(merged, session.study, session.folder, len(waiting), finished, session.exploratory)


def _records(session: Session, merged: Merged) -> list[dict[str, Any]]:
    """The records that the journal lacks; families first, so that no results stand there without them."""
    journal, study = session.journal, session.study
    counted = firsts(journal.of_kind("frozen"))
    records: list[dict[str, Any]] = []
    for part in merged.parts:
        for one in part.families:
            if one not in counted:
                counted.append(one)
                records.append({"kind": "frozen", "family": one, "first": True, "part": part.name})
    for kind, asked in (("look", "looks"), ("concluded", "concluded")):
        held = {record["seeds"] for record in journal.of_kind(kind)}
        seeds = {look for part in merged.parts for look in getattr(part, asked)}
        records += [{"kind": kind, "seeds": look} for look in sorted(seeds & set(study.confirmation.looks) - held)]
    machines = journal.of_kind("merged")
    for part in merged.parts:
        for machine in part.machines:
            if machine not in machines:
                machines.append(machine)
                records.append(machine)
    for key, ((spec, result), part) in merged.new.items():
        for given in part.attempts.get(key) or [result]:
            records.append({"kind": "result", "spec": spec.to_dict(), "result": given.to_dict(), "part": part.name})
    return records


def print_report(report: Report, console: Console) -> None:
    """What every part gave, what was left aside and why, conflicts with both values, and what comes next."""
    if report.merged.conflicts:
        _print_conflicts(report.merged.conflicts, console)
        return
    table = plain_table("part", "trainings", "taken", "identical", "failed", "left aside")
    for part, taken in report.taken():
        counts = (part.trainings, taken, report.merged.identical[part.name], len(part.attempts), part.aside.total())
        table.add_row(part.name, *map(str, counts))
    print_plain(table, console)
    console.print()
    for reason, count in sum((part.aside for part in report.merged.parts), Counter[str]()).most_common():
        say(console, f"{count} left aside: {reason}", mark="- ")
    if report.merged.replaced:
        count = len(report.merged.replaced)
        say(console, f"{count} results held here gave way; MLflow and Optuna are filled anew by the next sweep", "- ")
    if report.exploratory:
        say(console, f"a part was looked at under another family; {report.exploratory}", mark="- ")
    say(console, f"{report.study.name} holds {len(report.merged.chosen)} trainings; evidence is in {report.folder}")
    nothing = "nothing is left to train; this ends in the verdict"
    rest = "runs what is missing and ends in the verdict"
    say(console, f"strata sweep with {report.study.name}'s file: {nothing if report.finished else rest}")


SHOWN = 20
"""Conflicts that a person is shown; `--json` has all."""


def _print_conflicts(conflicts: Sequence[Conflict], console: Console) -> None:
    for conflict in conflicts[:SHOWN]:
        spec = conflict.spec
        seed = f"seed {spec.seeds.replicate:02d}, lr {spec.hyperparameters.learning_rate:.3g}"
        console.print(f"{spec.key}  {spec.task} L{spec.depth}x{spec.width}, {seed}", markup=False)
        what, *values = conflict.differences[0]
        for side, value in zip(conflict.sides, values, strict=True):
            console.print(f"    {what} {value!r} in {side}", markup=False)
        if more := len(conflict.differences) - 1:
            console.print(f"    and {more} other numbers", markup=False)
    if len(conflicts) > SHOWN:
        console.print(f"and {len(conflicts) - SHOWN} more: --json has all")


def refusal(report: Report) -> UserError:
    """The line that ends a merge with conflicts."""
    conflicts = report.merged.conflicts
    sides = dict.fromkeys(side for conflict in conflicts for side in conflict.sides)
    return UserError(
        f"{len({conflict.spec.key for conflict in conflicts})} trainings have different numbers in "
        f"{' and '.join(sides)}: nothing was written; say which side is to be believed: --prefer {next(iter(sides))}"
    )
