"""How a study grows: `python -m tests.scale --runs 10000` drives that many made-up trainings through the real stores.

The driver, the journal, Optuna and MLflow are the real ones; only the trainings take no time. Printed for each size:
results a second (over the whole, and over the last tenth), what a result costs the processor, memory, what the stores
weigh, and the seconds of `status`, of starting the finished study again, and of the report. Numbers of a machine are in
docs/scale.md.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from benchmark import evidence
from benchmark.analysis.analyse import analyse
from benchmark.executors import Job, Outcome
from benchmark.journal import Journal
from benchmark.plan import Group, groups
from benchmark.report.build import build
from benchmark.rows import gather
from benchmark.session import Projections, Session, write_study
from benchmark.spec import RunResult, RunSpec
from benchmark.status import Status
from benchmark.study import Study
from benchmark.sweep import Driver
from benchmark.terminal import plain_table, print_plain
from benchmark.tracking import Tracker
from benchmark.trials import Trials
from benchmark.workspace import Workspace
from tests.fake_study import made_up

SEEDS, DEPTHS, POINTS = 100, 3, 8
EACH = DEPTHS * (POINTS + 2 * 2 + SEEDS)
"""Trainings of a group of three arms that finds no edge."""
STORES = ("journal", "optuna", "mlflow")


def study_of(runs: int) -> Study:
    """A study of about that many trainings: tasks of three depths, on 100 seeds, no training shared by two arms."""
    raw = {
        "name": "scale",
        "purpose": "smoke",
        "tasks": [
            {"task": "recall", "label": f"recall_{number}", "parameters": {"time": 6, "train": 64}, "steps": 20}
            for number in range(max(1, round(runs / EACH)))
        ],
        "budgets": [3000],
        "depths": [1, 2, 4],
        "tuning": {"learning_rate": {"low": 0.001, "high": 0.3, "points": POINTS}, "rerank": {"points": 2, "seeds": 2}},
        "confirmation": {"seeds": SEEDS},
    }
    return Study.from_dict(raw)


class Instant:
    """An executor whose trainings are done as soon as they are collected, `at_once` of them at a time."""

    capacity = 32

    def __init__(self) -> None:
        self._jobs: list[Job] = []

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def collect(self, timeout: float | None = None) -> list[Outcome]:
        taken = self._jobs[-self.capacity :]
        del self._jobs[-self.capacity :]
        return [Outcome(job, [best_inside(spec) for spec in job.specs], {}) for job in taken]

    def close(self) -> None:
        self._jobs.clear()

    def __enter__(self) -> Instant:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def best_inside(spec: RunSpec) -> RunResult:
    """A made-up result with the curves of 20 validations, best at a rate in the middle of the grid."""
    result = made_up(spec, validations=20)
    result.validation_loss = 0.5 + abs(spec.hyperparameters.learning_rate - 0.02)
    return result


def measure(runs: int, stores: str, folder: Path, judged: bool) -> dict[str, Any]:
    """Drive one study in `folder` and measure it. `stores` is the last of STORES written; `judged`: the report too."""
    study, workspace, console = study_of(runs), Workspace(folder), Console(quiet=True)
    made, solving = timed(lambda: groups(study))
    found: dict[str, Any] = {"stores": stores, "groups": len(made), "seconds_to_solve": solving}
    place = workspace.make_folder(study.name)
    before = memory()
    found |= first_time(study, made, workspace, stores, before)
    files = {"journal": place / "journal.jsonl", "optuna": folder / "optuna.db", "mlflow": folder / "mlflow.db"}
    for name, file in files.items():
        found[f"{name}_megabytes"] = file.stat().st_size / 2**20 if file.exists() else 0.0
    found["artifacts_megabytes"] = weight(folder / "mlartifacts")
    _, found["seconds_of_status"] = timed(lambda: Status.of(place))
    _, found["seconds_of_resume"] = timed(lambda: resume(study, workspace, console, stores))
    found["peak_megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if not judged:
        return found
    findings, found["seconds_to_analyse"] = timed(lambda: analyse(evidence.read(place)))
    _, found["seconds_to_draw"] = timed(lambda: build(findings, place))
    return found


def first_time(study: Study, made: list[Group], workspace: Workspace, stores: str, before: float) -> dict[str, Any]:
    """From nothing to evidence; `before` is the memory of a process that holds no results."""
    place = workspace.folder(study.name)
    ends: list[float] = []
    with Journal.open(place / "journal.jsonl") as journal:
        session = Session(study, Console(quiet=True), made, place, journal, SEEDS)
        started, computing = time.perf_counter(), time.process_time()
        driver = drive(session, workspace, stores, lambda spec, result: ends.append(time.perf_counter()))
        tenth = len(ends) // 10
        found: dict[str, Any] = {
            "trainings": len(ends),
            "results_a_second": len(ends) / (ends[-1] - started),
            "results_a_second_last_tenth": tenth / (ends[-1] - ends[-1 - tenth]),
            "cpu_milliseconds_a_result": 1000 * (time.process_time() - computing) / len(ends),
            "driver_megabytes": memory() - before,
        }
        write_study(session)
        record = yaml.safe_load((place / "study.yaml").read_text())
        tables, found["seconds_to_gather"] = timed(lambda: gather(driver.requests, journal.results(), record))
        _, found["seconds_to_write_evidence"] = timed(lambda: evidence.write(place, tables))
    return found


def drive(
    session: Session, workspace: Workspace, stores: str, on_result: Callable[[RunSpec, RunResult], None]
) -> Driver:
    """The real driver over the stores asked for, to its end."""
    written = STORES.index(stores)
    projections: list[Projections] = []
    if written >= STORES.index("optuna"):
        trials = Trials(workspace.optuna_url, session.study.name)
        if written >= STORES.index("mlflow"):
            tracker = Tracker.open(session.study.name, workspace.root)
            projections = [Projections(tracker, trials, print)]
            projections[0].reconcile()
        else:
            projections = [OnlyTrials(trials)]
    driver = Driver(
        session.journal,
        Instant(),
        session.folder,
        projections=[*projections],
        on_result=on_result,
        before_confirmation=session.freeze,
    )
    driver.run(session.groups, session.seeds)
    return driver


class OnlyTrials(Projections):
    """Optuna alone is told."""

    def __init__(self, trials: Trials) -> None:
        self.trials, self.behind = trials, True


def resume(study: Study, workspace: Workspace, console: Console, stores: str) -> None:
    """Start the finished study again, as a sweep after a kill would: everything is found done."""
    place = workspace.folder(study.name)
    with Journal.open(place / "journal.jsonl") as journal:
        drive(Session(study, console, groups(study), place, journal, SEEDS), workspace, stores, refuse)


def refuse(spec: RunSpec, result: RunResult) -> None:
    """Called when something is trained again."""
    raise AssertionError(f"{spec.key} was trained twice")


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call gives, and its seconds."""
    started = time.perf_counter()
    given = call()
    return given, time.perf_counter() - started


def memory() -> float:
    """Megabytes of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def weight(folder: Path) -> float:
    """Megabytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


def show(found: list[dict[str, Any]]) -> None:
    """A row a measure, a column a size."""
    table = plain_table("", *(f"{one['trainings']:,}" for one in found))
    for name in found[0]:
        values = [one[name] for one in found]
        table.add_row(name.replace("_", " "), *(f"{v:,.1f}" if isinstance(v, float) else str(v) for v in values))
    print_plain(table, Console(highlight=False))


def main() -> None:
    """Each size in a folder, and with `--json` as one line of JSON, of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[1000], help="sizes; default 1000")
    parser.add_argument("--stores", choices=STORES, default="mlflow", help="the last store that is written")
    parser.add_argument("--no-report", action="store_true", help="leave out the analysis and the report")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = []
    for runs in asked.runs:
        with tempfile.TemporaryDirectory() as folder:
            found.append(measure(runs, asked.stores, Path(folder), not asked.no_report))
        if asked.json:
            print(json.dumps(found[-1]), flush=True)
    if not asked.json:
        show(found)


if __name__ == "__main__":
    main()
