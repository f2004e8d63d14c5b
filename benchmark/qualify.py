"""The verb `strata qualify`: train a study's controls on development seeds and write their tables."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmark import engine_checks, forecast, qualification
from benchmark.errors import UserError
from benchmark.executors.cluster import Cluster
from benchmark.journal import Journal, study_lock
from benchmark.plan import Group, groups
from benchmark.progress import Progress
from benchmark.study import Study
from benchmark.sweep import Driver, make_executor
from benchmark.terminal import warn
from benchmark.workspace import Workspace


def qualify_study(
    study: Study,
    workspace: Workspace,
    console: Console,
    *,
    only: str | None,
    seeds: int,
    out: Path,
    workers: int,
    cluster: Cluster | None = None,
) -> int:
    """One table a control and budget, in `out`; returns 0 when all qualify, else 1. Resumes like a sweep."""
    if seeds < 2:
        raise UserError(f"--seeds is {seeds}: a spread needs at least 2, a table that counts {qualification.SEEDS}")
    mains = [g for g in groups(study) if g.entry.control and g.match == "parameters" and only in (None, g.entry.label)]
    if not mains:
        labels = ", ".join(entry.label for entry in study.tasks if entry.control) or "none"
        raise UserError(f"study {study.name!r} has no control to qualify by that label; its controls: {labels}")
    engine_checks.require(mains)
    folder = workspace.make_folder(f"qualify-{study.name}")
    good = True
    with (
        study_lock(folder),
        Journal.open(folder / "journal.jsonl") as journal,
        make_executor(workers, folder, cluster, mains, partial(warn, console)) as executor,
    ):
        workers = executor.capacity if cluster else workers
        for main in mains:
            kind = main.entry.control
            asked = qualification.qualifying_groups(main, kind)
            costs = forecast.measure_costs(asked, executor, folder / "timing.json")
            expected = forecast.forecast(asked, costs, seeds, max(1, workers))
            console.print(f"{main.entry.label} as a {kind} control: {expected}")
            with Progress(console, asked, costs, seeds, max(1, workers)) as progress:
                driver = Driver(
                    journal=journal,
                    executor=executor,
                    folder=folder,
                    on_result=progress.result,
                    on_retry=progress.retry,
                    expected_seconds=progress.expected,
                )
                driver.run(asked, seeds, "development")
            found = qualification.table(main, kind, driver.requests, journal.results())
            qualification.write(found, out / f"{main.entry.label}_{main.budget}.json")
            _print(main, found, console)
            good &= found["qualified"]
    return 0 if good else 1


def _print(main: Group, found: dict[str, Any], console: Console) -> None:
    for arm in found["arms"]:
        console.print(
            f"  {arm['arm']:>6} x {arm['width']:<4} {arm['parameters']:>7,} parameters, learning rate "
            f"{arm['learning_rate']:.3g}: skill {arm['skill_mean']:.3f} (spread {arm['skill_spread']:.3f})"
        )
    for criterion in found["criteria"]:
        console.print(f"  {'met ' if criterion['met'] else 'MISSED'} {criterion['rule']}: {criterion['measured']}")
    verdict = "qualifies" if found["qualified"] else "does not qualify"
    console.print(f"{main.entry.label} {verdict} as a {found['kind']} control")
