"""What a study will cost: trainings by phase, and minutes from a few measured steps of each cell."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmark import halving
from benchmark.errors import UserError
from benchmark.evidence import replace_file
from benchmark.executors import Executor, Job
from benchmark.plan import Arm, Group
from benchmark.spec import RunResult, RunSpec, problem

SHORT, LONG = 10, 40
"""Steps of the two measured trainings of a cell: their difference is steps, the rest is set-up and scoring."""
COMPANY = 4
"""Trainings measured side by side, since that is how a study trains."""
MEASURED_CELLS = 24
"""Up to this many cells are all measured; beyond, the smallest and largest of each task and depth."""
SMALLEST_ERROR = 0.15
LOST_WORKERS = 3
"""So many times steps are measured again because a worker was lost, in all."""


@dataclass(frozen=True)
class Cost:
    """Seconds of a training of one cell: `fixed` + `per_step` x steps; `error` is relative."""

    fixed: float
    per_step: float
    error: float

    def seconds(self, steps: int) -> float:
        """Expected seconds of a training."""
        return self.fixed + self.per_step * steps


def trainings(group: Group, arm: Arm, seeds: int) -> dict[int, int]:
    """Trainings that one arm of the group is asked, by their steps; an edge may add a few once.

    Depth 1 that is tuned more shares the common points with depth 1, and is priced as if it then chose another one.
    """
    rerank, doubled = group.study.tuning.rerank, 0 if arm.replica else group.study.confirmation.doubled
    points = group.study.points()
    if arm == group.tuned_more:
        tuning = Counter({group.steps: len(group.study.further_points(points))})
    else:
        tuning = _tuned(group, arm, points)
    asked = tuning + Counter({group.steps: rerank.points * rerank.seeds + seeds, 2 * group.steps: doubled})
    return {steps: count for steps, count in asked.items() if count}


def _tuned(group: Group, arm: Arm, points: Sequence[Mapping[str, float]]) -> Counter[int]:
    """Tuning trainings by the step at which they stop: at a rung, or at their end."""
    tuning, asked = group.study.tuning, Counter[int]()
    rungs = halving.steps_of(tuning.rungs, group.spec(arm, points[0], "tune", 0))
    going = len(points)
    for rung in rungs:
        left = halving.count_kept(going, tuning.rerank.points)
        asked[rung] += going - left
        going = left
    return asked + Counter({group.steps: going})


def measure_costs(groups: Sequence[Group], executor: Executor, cache: Path | None = None) -> dict[str, Cost]:
    """Cost by arm name, measured side by side on the executor's workers as the study will run."""
    known = json.loads(cache.read_text()) if cache is not None and cache.exists() else {}
    costs = {name: Cost(**record) for name, record in known.items()}
    arms = [(group, arm) for group in groups for arm in group.arms if not arm.replica]
    missing = [(group, arm) for group, arm in arms if _identity(group, arm) not in costs]
    chosen = missing if len(missing) <= MEASURED_CELLS else _extremes(missing)
    costs |= _measure(chosen, executor)
    for group, arm in missing:
        if _identity(group, arm) not in costs:
            costs[_identity(group, arm)] = _interpolate(group, arm, chosen, costs)
    if cache is not None and missing:
        text = json.dumps({name: dataclasses.asdict(cost) for name, cost in sorted(costs.items())}, indent=1)
        replace_file(cache, text.encode())
    return {arm.name: costs[_identity(group, arm)] for group in groups for arm in group.arms}


def _identity(group: Group, arm: Arm) -> str:
    asked = problem(group.entry.task, group.parameters)
    return f"{asked} {group.variant.name} {arm.depth}x{arm.width}"


def _extremes(arms: Sequence[tuple[Group, Arm]]) -> list[tuple[Group, Arm]]:
    """The narrowest and the widest cell of each task, variant and depth."""
    found: dict[tuple[str, str, int], list[tuple[Group, Arm]]] = {}
    for group, arm in arms:
        found.setdefault((arm.task, arm.variant, arm.depth), []).append((group, arm))
    return [pick(cells, key=lambda cell: cell[1].width) for cells in found.values() for pick in (min, max)]


def _measure(arms: Sequence[tuple[Group, Arm]], executor: Executor) -> dict[str, Cost]:
    jobs: dict[str, list[list[RunSpec]]] = {}
    for group, arm in arms:
        asked = jobs.setdefault(_identity(group, arm), [])
        if not asked:
            asked += [_short_trainings(group, arm, steps, time) for time in (0, 1) for steps in (SHORT, LONG)]
    if not jobs:
        return {}
    # A worker's first training loads libraries and warms kernels: that is not the cell's cost.
    warm_up = next(iter(jobs.values()))[0][0]
    warm_ups = max(1, executor.capacity)  # workers of a cluster may join meanwhile
    for index in range(warm_ups):
        executor.submit(Job((dataclasses.replace(warm_up, replica=f"warm-up {index}"),)))
    for asked in jobs.values():
        for specs in asked:
            executor.submit(Job(tuple(specs)))
    results: dict[str, RunResult] = {}
    pending, lost = sum(map(len, jobs.values())) + warm_ups, 0
    while pending:
        for outcome in executor.collect():
            failures = [result.error or "" for result in outcome.results if result.status == "failed"]
            if failures:
                lost += 1
                if "Traceback" in failures[0] or lost > LOST_WORKERS:
                    raise UserError(f"a few steps were tried to price the study, and failed: {_last_line(failures[0])}")
                executor.submit(outcome.job)  # a lost worker is no fault of the task's
                continue
            pending -= 1
            results |= {result.key: result for result in outcome.results}
    return {identity: _cost([results[specs[0].key] for specs in asked]) for identity, asked in jobs.items()}


def _short_trainings(group: Group, arm: Arm, steps: int, time: int) -> list[RunSpec]:
    setting, first = group.study.points()[0], 900_000 + COMPANY * time
    validate_every = min(steps, max(1, group.steps // group.study.training.validations))
    specs = [group.spec(arm, setting, "development", first + index, steps=steps) for index in range(COMPANY)]
    return [dataclasses.replace(spec, validate_every=validate_every) for spec in specs]


def _last_line(error: str) -> str:
    """What went wrong, without the traceback before it."""
    return error.strip().splitlines()[-1]


def _cost(results: Sequence[RunResult]) -> Cost:
    """Means, not minima: a study meets the machine as it is."""
    short, long = (results[0].seconds, results[2].seconds), (results[1].seconds, results[3].seconds)
    per_step = max(1e-6, (fmean(long) - fmean(short)) / (LONG - SHORT))
    fixed = max(0.0, fmean(short) - SHORT * per_step)
    error = abs(long[0] - long[1]) / max(1e-9, *long)
    return Cost(fixed, per_step, max(SMALLEST_ERROR, error))


def _interpolate(group: Group, arm: Arm, measured: Sequence[tuple[Group, Arm]], costs: Mapping[str, Cost]) -> Cost:
    """Between the narrowest and the widest cell of the same depth, linear in parameters (width squared)."""
    ends = sorted(
        (
            (a.width, costs[_identity(g, a)])
            for g, a in measured
            if (a.task, a.variant, a.depth) == (arm.task, arm.variant, arm.depth)
        ),
        key=lambda end: end[0],
    )
    (low_width, low), (high_width, high) = ends[0], ends[-1]
    share = (arm.width**2 - low_width**2) / max(1, high_width**2 - low_width**2)
    return Cost(
        fixed=low.fixed + share * (high.fixed - low.fixed),
        per_step=low.per_step + share * (high.per_step - low.per_step),
        error=max(low.error, high.error, 0.3),
    )


@dataclass(frozen=True)
class Forecast:
    """Total of a study; `seconds` is wall time on the executor's workers, `error` relative."""

    trainings: int
    seconds: float
    error: float

    def __str__(self) -> str:
        minutes = self.seconds / 60
        shown = f"{minutes:.1f}" if minutes < 10 else f"{minutes:.0f}"
        return f"{self.trainings} trainings, about {shown} minutes (± {self.error:.0%})"


def forecast(groups: Sequence[Group], costs: Mapping[str, Cost], seeds: int, workers: int) -> Forecast:
    """The whole study on `workers` workers, without the trainings an edge may add."""
    total, seconds, weighted = 0, 0.0, 0.0
    for group in groups:
        for arm in group.arms:
            cost = costs[arm.name]
            for steps, count in trainings(group, arm, seeds).items():
                total += count
                seconds += count * cost.seconds(steps)
                weighted += count * cost.seconds(steps) * cost.error
    return Forecast(total, seconds / max(1, workers), weighted / max(seconds, 1e-9))
