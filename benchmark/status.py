"""Where a study stands, its trainings one by one, and its removal."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

from benchmark.conduct import conduct
from benchmark.errors import UserError
from benchmark.journal import Journal, study_lock
from benchmark.plan import groups
from benchmark.spec import RunSpec
from benchmark.study import Study
from benchmark.workspace import Workspace


def resolved_study(folder: Path) -> tuple[Study, int]:
    """The study a results folder belongs to, and the seeds of its current look."""
    record = yaml.safe_load((folder / "study.yaml").read_text())
    state = record.pop("state", {})
    return Study.from_dict(record, str(folder / "study.yaml")), int(state.get("look", record["confirmation"]["seeds"]))


def plain_table(*columns: str) -> Table:
    """A table that reads well in a log: no frame, first column to the left."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", no_wrap=True)
    return table


def print_status(folder: Path, console: Console) -> None:
    """Trainings done of those asked, by group and phase; replays the plan over the journal, runs nothing."""
    study, seeds = resolved_study(folder)
    with Journal.open(folder / "journal.jsonl") as journal:
        results, failures = journal.results(), journal.failures()
    known = {key: result for key, (_, result) in results.items()}
    table = plain_table("task", "budget", "match", "tune", "rerank", "confirm", "converge", "diverged", "failed")
    finished = True
    for group in groups(study):
        done, asked, statuses = Counter[str](), Counter[str](), Counter[str]()
        asks = conduct(group, seeds)
        batch = next(asks)
        while True:
            for request in batch:
                asked[request.phase] += 1
                if (result := known.get(request.spec.key)) is not None:
                    done[request.phase] += 1
                    statuses[result.status] += 1
            if any(request.spec.key not in known for request in batch):
                finished = False
                break
            try:
                batch = asks.send({request.spec.key: known[request.spec.key] for request in batch})
            except StopIteration:
                break
        phases = [
            f"{done[phase]} of {asked[phase]}" if asked[phase] else "-"
            for phase in ("tune", "rerank", "confirm", "converge")
        ]
        table.add_row(
            group.entry.label,
            f"{group.budget:,}",
            group.match,
            *phases,
            str(statuses["diverged"]),
            str(statuses["failed"]),
        )
    console.print(table)
    console.print(f"{len(results)} trainings in the journal, look at {seeds} seeds, {_running(folder)}")
    if failures:
        console.print(f"{len(failures)} trainings failed at least once: strata runs {study.name} --failed")
    if finished:
        console.print(f"finished: see {folder / 'report.html'}")
    else:
        console.print(f"not finished: `strata sweep` with {study.name}'s file goes on where it stopped")


def _running(folder: Path) -> str:
    try:
        with study_lock(folder):
            return "no sweep is running"
    except UserError as error:
        return str(error)


def print_runs(folder: Path, console: Console, *, failed_only: bool) -> None:
    """A line per training, or the tracebacks of those that failed."""
    with Journal.open(folder / "journal.jsonl") as journal:
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
    for spec, result in results.values():
        table.add_row(
            _describe(spec),
            spec.key,
            f"{spec.steps:,}",
            result.status,
            _number(result.validation_loss),
            _number(result.test_loss),
            f"{result.seconds:.1f}",
        )
    console.print(table)


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
