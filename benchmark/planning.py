"""`strata plan`: what a study would run, cost, and be able to decide; nothing is trained to its end."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmark import qualification
from benchmark.analysis.power import equivalence_spread
from benchmark.analysis.signflip import equivalence, max_t
from benchmark.forecast import Cost, Forecast, forecast, measure_costs, trainings
from benchmark.plan import Group, groups
from benchmark.status import plain_table
from benchmark.study import Study
from benchmark.sweep import make_executor
from benchmark.workspace import Workspace

CHANCE_DRAWS = 300


def print_plan(study: Study, workspace: Workspace, console: Console, workers: int) -> None:
    """Arms with their sizes, trainings, expected minutes, the controls' chances, and what the seeds can decide."""
    planned = groups(study)
    cache = workspace.folder(study.name) / "timing.json"
    with tempfile.TemporaryDirectory() as scratch, make_executor(workers, Path(scratch)) as executor:
        costs = measure_costs(planned, executor, cache if cache.exists() else None)
    table = plain_table("arm", "width", "trainings", "seconds each", "minutes")
    for group in planned:
        for arm in group.arms:
            asked, cost = trainings(group, arm, study.confirmation.seeds), costs[arm.name]
            minutes = sum(count * cost.seconds(steps) for steps, count in asked.items()) / 60
            each = f"{cost.seconds(group.steps):.1f}"
            table.add_row(arm.name, str(arm.width), str(sum(asked.values())), each, f"{minutes:.1f}")
    console.print(table)
    print_forecasts(study, planned, costs, max(1, workers), console)
    for group in planned:
        if group.entry.control:
            cited = qualification.cite(group)
            qualified = cited if cited.startswith("qualified") else f"NOT qualified: {cited}"
            console.print(f"control {group.entry.label}: {qualified}{chance(group)}")
    if missing := natural_copy_missing(study, planned):
        console.print(missing)
    _print_power(study, planned, console)


def natural_copy_missing(study: Study, planned: list[Group]) -> str:
    """'' or what a full study lacks: A/A on one natural task, where noise is what it is in the data (PROTOCOL 19)."""
    natural = [
        group.entry.label
        for group in planned
        if not group.entry.control and group.task.known_depth is None and group.task.family != "synthetic"
    ]
    if study.purpose != "study" or not natural or set(natural) & set(study.a_a):
        return ""
    return f"no A/A on a natural task: name one in a_a beside the null control, such as {natural[0]}"


def print_forecasts(
    study: Study, planned: list[Group], costs: Mapping[str, Cost], workers: int, console: Console
) -> None:
    """The first look, and each later one."""
    before: Forecast | None = None
    for look in study.confirmation.looks:
        expected = forecast(planned, costs, look, workers)
        if before is None:
            console.print(f"{study.name}: {expected} on {workers} workers to the look at {look} seeds")
            console.print("  (an arm whose best learning rate lies at an edge asks a few trainings more, once)")
        else:
            more = Forecast(expected.trainings - before.trainings, expected.seconds - before.seconds, expected.error)
            console.print(f"  the look at {look} seeds: {more} more")
        before = expected
    if study.confirmation.doubled:
        console.print(f"  (with {study.confirmation.doubled} seeds of every arm trained again with twice the steps)")
    if tasks := sorted({group.entry.label for group in planned if group.tuned_more}):
        points = study.points()
        console.print(
            f"  (on {', '.join(tasks)} one layer is tuned once more, with {len(study.further_points(points))} points "
            f"beside the {len(points)} of every depth: fewer trainings where it chooses the same setting)"
        )


def chance(group: Group) -> str:
    """Chance that the control passes, by resampling its table's development seeds; '' without a table.

    A lower bound: every p-value is taken times the whole family, as if Holm came to this control first.
    """
    found, _ = qualification.find(group)
    if found is None:
        return ""
    skill = {arm["arm"]: np.array(arm["skills"]) for arm in found["arms"]}
    units, margin, alpha = group.study.confirmation.seeds, group.study.analysis.margin, group.study.look_alpha
    columns = [f"L{depth}" for depth in group.study.depths if depth != 1]
    generator = np.random.default_rng(0)
    differences = np.column_stack([skill[name] - skill["L1"] for name in columns if name in skill])
    family = max(group.study.families())
    passed = 0
    for _ in range(CHANCE_DRAWS):
        sample = differences[generator.integers(0, len(differences), units)]
        means = sample.mean(axis=0)
        if found["kind"] == "null":
            passed += max(equivalence(column, margin) for column in sample.T) * family < alpha
        else:
            significant = max_t(sample, alpha).p * family < alpha
            if found["kind"] == "depth":
                passed += bool(np.any(significant & (means >= 2 * margin)))
            else:
                passed += bool(significant[-1] and means[-1] <= -2 * margin)
    return f", chance of passing at least about {passed / CHANCE_DRAWS:.0%}"


def _print_power(study: Study, planned: list[Group], console: Console) -> None:
    contrasts = max(study.families())
    for units in sorted({_units(study, group) for group in planned}):
        spread = equivalence_spread(units, study.analysis.margin, study.look_alpha, max(1, contrasts))
        console.print(
            f"with {units} pairs, no practical difference is found with 80 % power up to a spread of {spread:.4f} "
            f"between paired runs (margin {study.analysis.margin})"
        )


def _units(study: Study, group: Group) -> int:
    seeds = study.confirmation.seeds
    return min(seeds, group.task.folds) if group.task.replicates == "folds" else seeds
