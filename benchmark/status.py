"""Where a study stands, its trainings one by one, and its removal."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from benchmark.conduct import replay
from benchmark.errors import UserError
from benchmark.journal import Journal, study_lock
from benchmark.plan import Group, groups
from benchmark.spec import RunResult, RunSpec
from benchmark.study import Study
from benchmark.terminal import plain_table, print_plain, say
from benchmark.workspace import Workspace

ROOM_FOR_KEYS = 110
"""Columns of a terminal below which the keys of trainings are left out; a log has them always."""


def resolved_study(folder: Path) -> tuple[Study, int]:
    """The study a results folder belongs to, and the seeds of its current look."""
    record = yaml.safe_load((folder / "study.yaml").read_text())
    state = record.pop("state", {})
    return Study.from_dict(record, str(folder / "study.yaml")), int(state.get("look", record["confirmation"]["seeds"]))


PHASES = ("tune", "rerank", "confirm", "converge")
"""Of a group's trainings, in the order in which they are asked. `converge` trains again with twice the steps."""


@dataclass(frozen=True)
class GroupStatus:
    """How far one group of arms has come: phase -> (done, asked so far), and how many trainings ended badly."""

    task: str
    budget: int
    match: str
    variant: str
    phases: dict[str, tuple[int, int]]
    diverged: int
    failed: int
    finished: bool


@dataclass(frozen=True)
class Status:
    """Where a study stands."""

    study: str
    folder: Path
    groups: list[GroupStatus]
    trainings: int
    look: int
    """Seeds of the current look."""
    failed_at_least_once: int
    running: str
    """'no sweep is running', or which process is."""

    @property
    def finished(self) -> bool:
        """Nothing is left to train up to the current look."""
        return all(group.finished for group in self.groups)

    @classmethod
    def of(cls, folder: Path) -> Status:
        """Replay the plan over the journal; nothing is run."""
        study, seeds = resolved_study(folder)
        journal = Journal.read(folder / "journal.jsonl")
        results, failures = journal.results(), journal.failures()
        known = {key: result for key, (_, result) in results.items()}
        found = [_group_status(group, seeds, known) for group in groups(study)]
        return cls(study.name, folder, found, len(results), seeds, len(failures), _running(folder))

    def record(self) -> dict[str, Any]:
        """`strata status --json`: plain JSON types."""
        return {
            "study": self.study,
            "folder": str(self.folder),
            "finished": self.finished,
            "running": self.running,
            "look": self.look,
            "trainings": self.trainings,
            "failed_at_least_once": self.failed_at_least_once,
            "groups": [
                asdict(group)
                | {"phases": {name: {"done": done, "asked": asked} for name, (done, asked) in group.phases.items()}}
                for group in self.groups
            ],
        }


def _group_status(group: Group, seeds: int, known: Mapping[str, RunResult]) -> GroupStatus:
    """Ask for the group's trainings as a sweep would, until one is not there."""
    done, asked, statuses = Counter[str](), Counter[str](), Counter[str]()
    requests, finished = replay(group, seeds, known)
    for request in requests:
        asked[request.phase] += 1
        if (result := known.get(request.spec.key)) is not None:
            done[request.phase] += 1
            statuses[result.status] += 1
    return GroupStatus(
        group.entry.label,
        group.budget,
        group.match,
        group.variant.name,
        {phase: (done[phase], asked[phase]) for phase in PHASES},
        statuses["diverged"],
        statuses["failed"],
        finished,
    )


def print_status(status: Status, console: Console) -> None:
    """Trainings done of those asked so far, by group and phase; what failed; how to go on."""
    table = plain_table("task, budget, equal in", *PHASES, "diverged", "failed")
    for group in status.groups:
        variant = "" if group.variant == "plain" else f", {group.variant}"
        table.add_row(
            f"{group.task}, {group.budget:,}, {group.match}{variant}",
            *(f"{done} of {asked}" if asked else "-" for done, asked in group.phases.values()),
            str(group.diverged),
            str(group.failed),
        )
    print_plain(table, console)
    console.print()
    say(console, f"{status.trainings} trainings in the journal, look at {status.look} seeds, {status.running}")
    if failures := status.failed_at_least_once:
        say(console, f"{failures} trainings failed at least once: strata runs {status.study} --failed")
    if status.finished:
        console.print(f"finished: see {status.folder / 'report.html'}", markup=False)
    else:
        say(console, f"not finished: `strata sweep` with {status.study}'s file goes on where it stopped")


def _running(folder: Path) -> str:
    try:
        with study_lock(folder):
            return "no sweep is running"
    except UserError as error:
        return str(error)


def print_runs(folder: Path, console: Console, *, failed_only: bool) -> None:
    """A line per training, or the tracebacks of those that failed."""
    journal = Journal.read(folder / "journal.jsonl")
    results = journal.results()
    records = [r for r in journal.records() if r["kind"] == "result" and r["result"]["status"] == "failed"]
    if failed_only:
        for record in records:
            spec = RunSpec.from_dict(record["spec"])
            healed = " (done at a later try)" if results[spec.key][1].status != "failed" else ""
            console.print(f"{_describe(spec)}{healed}\n{record['result']['error']}", markup=False)
        console.print(f"{len(records)} failed attempts")
        return
    table = plain_table("training", "key", "steps", "status", "validation", "test", "seconds")
    if console.is_terminal and console.width < ROOM_FOR_KEYS:
        table = plain_table("training", "steps", "status", "validation", "test", "seconds")
    for spec, result in results.values():
        cells = [
            _describe(spec),
            spec.key,
            f"{spec.steps:,}",
            result.status,
            _number(result.validation_loss),
            _number(result.test_loss),
            f"{result.seconds:.1f}",
        ]
        table.add_row(*(cells if len(table.columns) == len(cells) else [cells[0], *cells[2:]]))
    print_plain(table, console)


def _describe(spec: RunSpec) -> str:
    replica = f" {spec.replica}" if spec.replica else ""
    phase = "confirm" if spec.reads_test else "tuning"
    rate = spec.hyperparameters.learning_rate
    return f"{spec.task} L{spec.depth}x{spec.width}{replica} {phase} seed {spec.seeds.replicate:02d} lr {rate:.3g}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def clean(workspace: Workspace, study: str, console: Console, *, ask: bool) -> int:
    """Remove a study from results, MLflow and Optuna, after asking. Returns the exit code."""
    from benchmark import tracking
    from benchmark.trials import Trials

    folder = workspace.existing_folder(study)
    with Journal.open(folder / "journal.jsonl") as journal:
        count = len(journal.results())
    if ask:
        if not sys.stdin.isatty():
            raise UserError(f"clean would remove {count} trainings of {study!r}: add --yes where nobody can answer")
        answer = console.input(f"Remove {count} trainings of {study!r} from results, MLflow and Optuna? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            console.print("nothing was removed")
            return 1
    with study_lock(folder):
        runs = tracking.clean(study, workspace.root)
        trials = Trials(workspace.optuna_url, study).clean()
        shutil.rmtree(folder)
    console.print(f"removed {folder}, {runs} MLflow runs and {trials} Optuna studies")
    return 0
