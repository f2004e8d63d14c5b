"""`strata plan`: what a study would run, cost, and be able to decide; nothing is trained to its end."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmark import qualification
from benchmark.analysis.power import equivalence_spread
from benchmark.analysis.signflip import equivalence, max_t
from benchmark.executors.cluster import Cluster
from benchmark.forecast import Cost, Forecast, forecast, measure_costs, trainings
from benchmark.plan import Group, groups
from benchmark.study import Study
from benchmark.sweep import make_executor
from benchmark.terminal import make_console, plain_table, print_plain, say, warn, workers_said
from benchmark.workspace import Workspace

CHANCE_DRAWS = 300


@dataclass(frozen=True)
class Price:
    """A row of the plan: an arm of the first look. `width` in cells of a layer."""

    arm: str
    width: int
    trainings: int
    seconds_each: float
    minutes: float


@dataclass(frozen=True)
class Plan:
    """What a study would run, cost, and be able to decide."""

    study: Study
    groups: list[Group]
    costs: Mapping[str, Cost]
    workers: int

    @classmethod
    def make(
        cls,
        study: Study,
        workspace: Workspace,
        workers: int,
        cluster: Cluster | None = None,
        console: Console | None = None,
    ) -> Plan:
        """Solve the widths and train a few steps of each cell to price it; nothing is trained to its end."""
        planned = groups(study)
        cache = workspace.folder(study.name) / "timing.json"
        with (
            tempfile.TemporaryDirectory() as scratch,
            make_executor(
                workers, Path(scratch), cluster, planned, partial(warn, console or make_console())
            ) as executor,
        ):
            costs = measure_costs(planned, executor, cache if cache.exists() else None)
            workers = executor.capacity if cluster else workers
        return cls(study, planned, costs, workers)

    def prices(self) -> list[Price]:
        """A row an arm, at the first look."""
        rows = []
        for group in self.groups:
            for arm in group.arms:
                asked, cost = trainings(group, arm, self.study.confirmation.seeds), self.costs[arm.name]
                minutes = sum(count * cost.seconds(steps) for steps, count in asked.items()) / 60
                rows.append(Price(arm.name, arm.width, sum(asked.values()), cost.seconds(group.steps), minutes))
        return rows

    def looks(self) -> dict[int, Forecast]:
        """Seeds of each declared look -> all that is trained up to it."""
        asked = self.study.confirmation.looks
        return {look: forecast(self.groups, self.costs, look, max(1, self.workers)) for look in asked}

    def spreads(self) -> dict[int, float]:
        """Pairs -> the spread between paired runs up to which equivalence is found with 80 % power."""
        study, contrasts = self.study, max(1, max(self.study.families()))
        units = sorted({_units(study, group) for group in self.groups})
        return {n: equivalence_spread(n, study.analysis.margin, study.look_alpha, contrasts) for n in units}

    def record(self) -> dict[str, Any]:
        """`strata plan --json`: plain JSON types. Minutes are of the wall clock on `workers` workers, but of an arm."""
        controls = [group for group in self.groups if group.entry.control]
        return {
            "study": self.study.name,
            "purpose": self.study.purpose,
            "workers": max(1, self.workers),
            "arms": [asdict(price) for price in self.prices()],
            "looks": [
                {"seeds": seeds, "trainings": one.trainings, "minutes": one.seconds / 60, "relative_error": one.error}
                for seeds, one in self.looks().items()
            ],
            "controls": [
                {
                    "task": group.entry.label,
                    "budget": group.budget,
                    "match": group.match,
                    "kind": group.entry.control,
                    "qualification": qualification.cite(group),
                    "chance_of_passing_at_least": chance_of_passing(group),
                }
                for group in controls
            ],
            "margin": self.study.analysis.margin,
            "equivalence_up_to_spread": [{"pairs": n, "spread": spread} for n, spread in self.spreads().items()],
            "missing": natural_copy_missing(self.study, self.groups) or None,
        }


def print_plan(plan: Plan, console: Console) -> None:
    """Arms with their sizes, trainings, expected minutes, the controls' chances, and what the seeds can decide."""
    table = plain_table("arm", "width", "trainings", "s each", "minutes")
    for price in plan.prices():
        each, minutes = f"{price.seconds_each:.1f}", f"{price.minutes:.1f}"
        table.add_row(price.arm, str(price.width), str(price.trainings), each, minutes)
    print_plain(table, console)
    console.print()
    print_looks(plan, console)
    for group in plan.groups:
        if group.entry.control:
            cited = qualification.cite(group)
            qualified = cited if cited.startswith("qualified") else f"NOT qualified: {cited}"
            say(console, f"control {group.entry.label}: {qualified}{chance(group)}", mark="- ")
    if missing := natural_copy_missing(plan.study, plan.groups):
        say(console, missing, mark="- ")
    for units, spread in plan.spreads().items():
        say(
            console,
            f"with {units} pairs, no practical difference is found with 80 % power up to a spread of {spread:.4f} "
            f"between paired runs (margin {plan.study.analysis.margin})",
            mark="- ",
        )


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


def print_looks(plan: Plan, console: Console) -> None:
    """The first look, and each later one."""
    study, before = plan.study, None
    for look, expected in plan.looks().items():
        if before is None:
            say(console, f"{study.name}: {expected} on {workers_said(plan.workers)} to the look at {look} seeds")
            say(console, "an arm whose best learning rate lies at an edge asks a few trainings more, once", mark="- ")
        else:
            more = Forecast(expected.trainings - before.trainings, expected.seconds - before.seconds, expected.error)
            say(console, f"the look at {look} seeds: {more} more", mark="- ")
        before = expected
    if rungs := study.tuning.rungs:
        shares = " and ".join(f"{rung:.0%}" for rung in rungs)
        stops = f"at {shares} of the steps the half of an arm's tuning points that is behind stops"
        say(console, f"in this, {stops}", mark="- ")
    if study.confirmation.doubled:
        doubled = f"{study.confirmation.doubled} seeds of every arm are trained again with twice the steps"
        say(console, f"in this, {doubled}", mark="- ")
    if tasks := sorted({group.entry.label for group in plan.groups if group.tuned_more}):
        points = study.points()
        say(
            console,
            f"on {', '.join(tasks)} one layer is tuned once more, with {len(study.further_points(points))} points "
            f"beside the {len(points)} of every depth: fewer trainings where it chooses the same setting",
            mark="- ",
        )


def chance(group: Group) -> str:
    """The chance that the control passes, as `strata plan` says it; '' without a table."""
    found = chance_of_passing(group)
    return "" if found is None else f", chance of passing at least about {found:.0%}"


def chance_of_passing(group: Group) -> float | None:
    """Chance that the control passes, by resampling its table's development seeds; None without a table.

    A lower bound: every p-value is taken times the whole family, as if Holm came to this control first.
    """
    found, _ = qualification.find(group)
    if found is None:
        return None
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
    return passed / CHANCE_DRAWS


def _units(study: Study, group: Group) -> int:
    seeds = study.confirmation.seeds
    return min(seeds, group.task.folds) if group.task.replicates == "folds" else seeds
