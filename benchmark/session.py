"""One sweep from its study file to its verdict: opens the stores, runs the driver, writes evidence and report."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from benchmark import engine_checks, environment, evidence, forecast, instrument, qualification
from benchmark.analysis.analyse import analyse
from benchmark.analysis.findings import Findings
from benchmark.behind import behind
from benchmark.conduct import Request
from benchmark.ending import Ending
from benchmark.errors import UserError
from benchmark.executors.cluster import Cluster
from benchmark.family import CHANGED, changed, family, firsts
from benchmark.journal import Journal, study_lock
from benchmark.live import Live
from benchmark.plan import Group, groups
from benchmark.progress import Progress
from benchmark.projections import Projections
from benchmark.report.build import build
from benchmark.rows import gather
from benchmark.spec import RunResult, RunSpec, problem
from benchmark.study import Study
from benchmark.study.changes import classify
from benchmark.sweep import Driver, make_executor
from benchmark.terminal import warn, workers_said
from benchmark.tracking import Tracker, TrackingUnavailable
from benchmark.trials import Trials
from benchmark.workspace import Workspace
from tasks import registry


@dataclass
class Session:
    """What a sweep holds while it runs."""

    study: Study
    console: Console
    groups: list[Group]
    folder: Path
    journal: Journal
    seeds: int
    exploratory: str = ""

    def state(self) -> dict[str, Any]:
        """What the analysis must know beside the study's own settings."""
        return {
            "look": self.seeds,
            "exploratory": self.exploratory,
            "qualifications": qualification.citations(self.groups),
            "instrument": instrument.cite(self.study),
            "commit": environment.git_state()[0],
            "frozen": firsts(self.journal.of_kind("frozen")),
        }

    def family(self) -> dict[str, Any]:
        """What must not change after the first confirmation run (PROTOCOL 12)."""
        return family(self.study, (arm.name for group in self.groups for arm in group.arms))

    def freeze(self) -> None:
        """Commit the family to the journal before the first confirmation run."""
        now, frozen = self.family(), self.journal.of_kind("frozen")
        if now not in [*firsts(frozen), *(record["family"] for record in frozen[-1:])]:
            self.journal.append({"kind": "frozen", "family": now, "commit": self.state()["commit"]})

    def check_family(self) -> None:
        """After a change of the family the old verdict is kept and the new one is exploratory."""
        frozen = self.journal.of_kind("frozen")
        if not changed(frozen, self.family()):
            return
        self.exploratory = CHANGED
        verdict = self.folder / "verdict.json"
        kept = self.folder / f"verdict-{len(frozen)}.json"
        if verdict.exists() and not kept.exists() and frozen[-1]["family"] != self.family():
            shutil.copy2(verdict, kept)

    def take_over(self) -> None:
        """Look and family anew, after a merge gave the journal more."""
        self.seeds = _target_seeds(self.study, self.journal, 0)
        self.check_family()


def sweep(
    study: Study,
    workspace: Workspace,
    console: Console,
    *,
    workers: int,
    more_seeds: int = 0,
    asked_as: str = "",
    options: Sequence[str] = (),
    cluster: Cluster | None = None,
    side_by_side: int | None = None,
    show: bool = True,
) -> Ending:
    """Run the study to its verdict, or continue it, and print the verdict and what comes next (unless not to `show`).

    Raises UserError before anything is written where it must refuse. `asked_as` is what the person typed for the
    study, `options` the workspace as they typed it. A `cluster` trains in place of `workers` of this machine.
    A worker steps at most `side_by_side` trainings at once.
    """
    with ExitStack() as stack:
        session = open_session(study, workspace, console, stack, more_seeds)
        tracker = Tracker.open(study.name, workspace.root)
        trials = Trials(workspace.optuna_url, study.name)
        projections = Projections(tracker, trials, partial(warn, console))
        write_study(session)  # the last that could refuse has not
        projections.reconcile()
        say = partial(warn, console)
        executor = stack.enter_context(make_executor(workers, session.folder, cluster, session.groups, say))
        workers = executor.capacity if cluster else workers
        with console.status("timing a few steps of every cell"):
            costs = forecast.measure_costs(session.groups, executor, session.folder / "timing.json")
        expected = forecast.forecast(session.groups, costs, session.seeds, max(1, workers))
        done = len(session.journal.results())
        console.print(f"{study.name}: {expected} on {workers_said(workers)}; {done} trainings are already done")
        with Progress(console, session.groups, costs, session.seeds, max(1, workers)) as progress:
            driver = Driver(
                journal=session.journal,
                executor=executor,
                folder=session.folder,
                projections=[projections],
                on_retry=progress.retry,
                expected_seconds=progress.expected,
                before_confirmation=session.freeze,
                side_by_side=side_by_side,
                say=say,
            )
            progress.already_done(session.journal.results(), session.journal.failures())
            concluded = bool(session.journal.of_kind("concluded"))
            live = Live(tracker, progress, session.journal, driver.requests, session.folder, concluded)

            def result(spec: RunSpec, result: RunResult) -> None:
                progress.result(spec, result)
                live.tell()

            driver.on_result = result
            try:
                driver.run(session.groups, session.seeds)
            except KeyboardInterrupt:
                projections.reconcile()  # a run that Ctrl-C found half written must not stay RUNNING
                live.stopped()
                raise
        projections.finish()
        with console.status("all trainings are in: judging them, and drawing the report"):
            findings = conclude(session, driver.requests, tracker)
        there = cluster.words if cluster else ()
        ending = Ending(findings, session.folder, asked_as or study.name, workers, options, there)
        if show:
            ending.show(console)
        return ending


def open_session(
    study: Study, workspace: Workspace, console: Console, stack: ExitStack, more_seeds: int = 0
) -> Session:
    """Everything that can refuse does so here, before the first store is touched."""
    planned = groups(study)
    engine_checks.require(planned)
    folder = workspace.make_folder(study.name)
    stack.enter_context(study_lock(folder))
    journal = stack.enter_context(Journal.open(folder / "journal.jsonl"))
    _refuse_altered(study, folder, journal)
    _refuse_other_sources(study, planned, journal)
    session = Session(study, console, planned, folder, journal, _target_seeds(study, journal, more_seeds))
    session.check_family()
    return session


def write_study(session: Session) -> None:
    """`study.yaml`, the resolved study and its state, and `environment.json`, what it and merged parts ran on."""
    record = session.study.resolved() | {"state": session.state()}
    evidence.replace_file(session.folder / "study.yaml", yaml.safe_dump(record, sort_keys=False).encode())
    parts = [{"part": record["part"]} | record["environment"] for record in session.journal.of_kind("merged")]
    text = json.dumps(environment.describe() | ({"parts": parts} if parts else {}), indent=1, sort_keys=True)
    evidence.replace_file(session.folder / "environment.json", text.encode())


def _refuse_altered(study: Study, folder: Path, journal: Journal) -> None:
    path = folder / "study.yaml"
    if not path.exists() or not journal.results():
        return
    old = yaml.safe_load(path.read_text())
    old.pop("state", None)
    _take_over_locations(study, old)
    change = classify(old, study.resolved())
    if change.kind == "refused":
        raise UserError(
            f"study {study.name!r} has finished runs that this configuration would alter ({change.differences[0]}): "
            f"give the study another name, or remove the old one with `strata clean {study.name}`"
        )


def _take_over_locations(study: Study, old: dict[str, Any]) -> None:
    """A data file that was moved is the same data: its content is in the keys, its place in nothing."""
    before = {entry.get("label"): entry for entry in old["tasks"]}
    for entry in study.tasks:
        for name in registry.load(entry.task).locations:
            if entry.label in before and name in before[entry.label]["parameters"]:
                before[entry.label]["parameters"][name] = entry.parameters[name]


def _refuse_other_sources(study: Study, planned: list[Group], journal: Journal) -> None:
    """Runs of another source, other data files or other rules have other keys: they would be trained all over again."""
    now = {}
    for group in planned:
        spec = group.spec(group.arms[0], group.study.points()[0], "tune", 0)
        now[problem(spec.task, spec.task_parameters)] = (group.entry.label, spec)
    for spec, _ in journal.results().values():
        label, current = now.get(problem(spec.task, spec.task_parameters), ("", spec))
        for what, name in (("source", "task_digest"), ("data", "data_digest"), ("protocol", "protocol")):
            if getattr(spec, name) != getattr(current, name):
                raise UserError(
                    f"the {what} of task {label!r} has changed since runs of study {study.name!r} finished "
                    f"({getattr(spec, name)}, now {getattr(current, name)}): undo that, give the study another name, "
                    f"or remove the old one with `strata clean {study.name}`"
                )


def _target_seeds(study: Study, journal: Journal, more: int) -> int:
    """Seeds of the current look. Looks are declared in the study: the error they may spend is fixed before the data.

    More seeds count from the last look that came to its verdict, so that a killed command can be given again as it was.
    """
    looks, first = list(study.confirmation.looks), study.confirmation.seeds
    asked = max([first, *(record["seeds"] for record in journal.of_kind("look"))])
    if not more:
        return asked
    concluded = max([first, *(record["seeds"] for record in journal.of_kind("concluded"))])
    wanted = concluded + more
    if wanted not in looks:
        later = [look for look in looks if look > concluded]
        hint = f"use --seeds +{later[0] - concluded}" if later else "all declared looks are done; start a new study"
        raise UserError(
            f"--seeds +{more} would look at {wanted} seeds, but {study.name!r} declared looks at {looks}: {hint}"
        )
    if wanted > asked:
        journal.append({"kind": "look", "seeds": wanted})
    return max(wanted, asked)


def conclude(session: Session, requests: list[Request], tracker: Tracker) -> Findings:
    """Evidence, findings, report, and MLflow's pages; each can be made again from the one before."""
    write_study(session)
    record = yaml.safe_load((session.folder / "study.yaml").read_text())
    evidence.write(session.folder, gather(requests, session.journal.results(), record))
    findings = report(session.folder)
    try:
        tracker.publish(findings, session.folder)
    except TrackingUnavailable as error:
        warn(session.console, f"MLflow does not answer ({error}); `strata sweep` again will publish the verdict")
    if all(record["seeds"] != session.seeds for record in session.journal.of_kind("concluded")):
        session.journal.append({"kind": "concluded", "seeds": session.seeds})
    return findings


def report(folder: Path) -> Findings:
    """Everything a person reads, rebuilt from the evidence in the folder alone."""
    found = evidence.read(folder)
    findings = analyse(found)
    build(findings, folder, behind(found))
    return findings
