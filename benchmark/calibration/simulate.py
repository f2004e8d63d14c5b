"""One simulated study as full evidence: tuning, selection by the driver's own functions, confirmation."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from benchmark.analysis.selection import candidates, choose
from benchmark.calibration.scenarios import ALPHA, MARGIN, Scenario
from benchmark.evidence import MEMBERS, RUNS, Evidence, frame
from benchmark.spec import stream

BUDGET, STEPS = 6000, 400
WIDTHS = {1: 36, 2: 24, 4: 16}
RATES = tuple(0.001 * 10 ** (point / 2) for point in range(5))
PEAK = 2
"""Point of the truly best learning rate: inside the grid, for every depth."""
LEVEL = 0.6
"""True score of depth 1: far from too hard and from too easy."""
TRIVIAL, BEST = 11.0, 10.0
"""Losses of score 0 and 1; high above 0, so that no noise makes a negative loss."""
BLOCK = 5
"""Seeds that share a part of their noise, where `correlated` is `blocks`."""
_SETTINGS = [json.dumps({"batch_size": 32, "learning_rate": rate, "weight_decay": 0.0}) for rate in RATES]


def simulate(scenario: Scenario, index: int) -> Evidence:
    """The study with that number, whole: every seed up to the last look. A pure function of its arguments."""
    generator = np.random.default_rng(stream("calibrate", scenario.name, index))
    truth = _truth(scenario)
    tasks, depths = truth.shape
    top, repeats = scenario.rerank
    begin = len(RATES) + top * repeats
    lost = scenario.penalty * (np.arange(len(RATES)) - PEAK) ** 2
    tuned = truth[..., None] - lost + scenario.tuning_spread * generator.normal(size=(tasks, depths, len(RATES)))
    again = truth[..., None, None] - lost[:, None]
    again = again + scenario.tuning_spread * generator.normal(size=(tasks, depths, len(RATES), repeats))
    points = np.empty((tasks, depths, begin + scenario.most_seeds), dtype=int)
    scores = np.empty(points.shape)
    rates = dict(enumerate(RATES))
    for task, depth in np.ndindex(tasks, depths):
        taken = candidates(dict(enumerate(tuned[task, depth].tolist())), rates, top)
        chosen = choose({point: again[task, depth, point].tolist() for point in taken}, rates, MARGIN).point
        points[task, depth, : len(RATES)] = np.arange(len(RATES))
        points[task, depth, len(RATES) : begin] = np.repeat(taken, repeats)
        points[task, depth, begin:] = chosen
        scores[task, depth, : len(RATES)] = tuned[task, depth]
        scores[task, depth, len(RATES) : begin] = again[task, depth, taken].ravel()
        scores[task, depth, begin:] = truth[task, depth] - lost[chosen]
    scores[..., begin:] += _noise(scenario, generator)
    diverged = np.zeros(points.shape, dtype=bool)
    dice = generator.random((tasks, depths, scenario.most_seeds))
    diverged[..., begin:] = dice < np.array(scenario.failures)[:, None]
    return _evidence(scenario, points.ravel(), scores.ravel(), diverged.ravel())


def looks(scenario: Scenario, whole: Evidence) -> Iterator[Evidence]:
    """The study as the person has it at each look, in order: the seeds so far, and what the study says of looks."""
    for look in scenario.looks or (scenario.seeds,):
        kept = ((whole.members["phase"] != "confirm") | (whole.members["seed"] < look)).to_numpy()
        yield dataclasses.replace(
            whole,
            runs=whole.runs[kept].reset_index(drop=True),
            members=whole.members[kept].reset_index(drop=True),
            study=_study(scenario, look),
        )


def _truth(scenario: Scenario) -> np.ndarray:
    """`(tasks, depths)`: mean score at the best learning rate."""
    effects = [[scenario.effect(task, depth) for depth in scenario.depths] for task in scenario.tasks]
    return LEVEL + MARGIN * np.array(effects)


def _noise(scenario: Scenario, generator: np.random.Generator) -> np.ndarray:
    """`(tasks, depths, seeds)`: a part that all arms of a seed share, and each arm's own."""
    shape = (scenario.contrasts, len(scenario.depths), scenario.most_seeds)
    own = _draw(scenario, generator, shape)
    if scenario.correlated == "neighbours":
        for seed in range(1, shape[-1]):
            own[..., seed] *= np.sqrt(1 - scenario.correlation**2)
            own[..., seed] += scenario.correlation * own[..., seed - 1]
    elif scenario.correlated == "blocks":
        blocks = _draw(scenario, generator, (*shape[:2], -(-shape[-1] // BLOCK)))
        shared = np.repeat(blocks, BLOCK, axis=-1)[..., : shape[-1]]
        own = np.sqrt(1 - scenario.correlation) * own + np.sqrt(scenario.correlation) * shared
    arm = scenario.spread / np.sqrt(2)
    common = generator.normal(size=(shape[0], 1, shape[-1]))
    return arm * (common + np.array(scenario.spreads)[:, None] * own)


def _draw(scenario: Scenario, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Mean 0, variance 1."""
    if scenario.law == "t3":
        return generator.standard_t(3, size=shape) / np.sqrt(3)
    if scenario.law == "skewed":
        return 1.0 - generator.exponential(size=shape)
    return generator.normal(size=shape)


# --- tables ----------------------------------------------------------------------------------------------------------


def _evidence(scenario: Scenario, points: np.ndarray, scores: np.ndarray, diverged: np.ndarray) -> Evidence:
    runs, members, tested = _template(scenario)
    done = ~diverged
    loss = TRIVIAL - scores * (TRIVIAL - BEST)
    there, seen = np.ones(len(points), dtype=bool), done & tested
    numbers = {
        "learning_rate": (np.array(RATES)[points], there),
        "train_loss": (loss, done),
        "validation_loss": (loss, done),
        "test_loss": (loss, seen),
        "trivial_validation_loss": (np.full(len(points), TRIVIAL), done),
        "best_validation_loss": (np.full(len(points), BEST), done),
        "trivial_loss": (np.full(len(points), TRIVIAL), seen),
        "best_loss": (np.full(len(points), BEST), seen),
    }
    drawn: dict[str, Any] = {
        name: pd.arrays.FloatingArray(np.where(known, values, 1.0), ~known) for name, (values, known) in numbers.items()
    }
    drawn["hyperparameters"] = pd.array(_SETTINGS, dtype="string").take(points)
    drawn["status"] = pd.array(["done", "diverged"], dtype="string").take(diverged.astype(int))
    return Evidence(
        runs=runs.assign(**drawn)[list(RUNS)],
        members=members.assign(point=pd.array(points, dtype="Int64"))[list(MEMBERS)],
        blocks=_empty("blocks"),
        curves=_empty("curves"),
        study=_study(scenario, scenario.most_seeds),
    )


@lru_cache(maxsize=2)
def _empty(table: str) -> pd.DataFrame:
    return frame([], table)


@lru_cache(maxsize=4)
def _template(scenario: Scenario) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Rows of `runs` and `members` with all that no draw decides, and which rows are confirmed ones."""
    runs: list[dict[str, Any]] = []
    members: list[dict[str, Any]] = []
    reranked = [("rerank", seed) for _ in range(scenario.rerank[0]) for seed in range(scenario.rerank[1])]
    confirmed = [("confirm", seed) for seed in range(scenario.most_seeds)]
    for task in scenario.tasks:
        for depth in scenario.depths:
            arm = f"{task} · {BUDGET} parameters · plain · L{depth}"
            for phase, seed in [*(("tune", 0) for _ in RATES), *reranked, *confirmed]:
                key = hashlib.sha256(f"{scenario.name} {len(runs)}".encode()).hexdigest()[:16]
                runs.append(_run(scenario, key, task, depth, phase, seed))
                members.append(
                    {
                        "key": key,
                        "arm": arm,
                        "task": task,
                        "budget": BUDGET,
                        "match": "parameters",
                        "variant": "plain",
                        "depth": depth,
                        "replica": "",
                        "phase": phase,
                        "seed": seed,
                        "superseded": False,
                    }
                )
    tested = np.array([member["phase"] == "confirm" for member in members])
    return frame(runs, "runs"), frame(members, "members"), tested


def _run(scenario: Scenario, key: str, task: str, depth: int, phase: str, seed: int) -> dict[str, Any]:
    width = WIDTHS.get(depth, 8)
    return {
        "key": key,
        "study": scenario.name,
        "task": task,
        "task_source": task,
        "task_parameters": "{}",
        "task_digest": "simulated",
        "family": "simulated",
        "control": "",
        "replicates": "seeds",
        "depth": depth,
        "width": width,
        "variant": "plain",
        "replica": "",
        "parameters": BUDGET + 10 * depth,
        "state_size": depth * width,
        "flops": 1000 * BUDGET,
        "seed": seed,
        "data_seed": stream("data", task, phase, seed),
        "init_seed": stream("init", task, phase, seed),
        "order_seed": stream("order", task, phase, seed),
        "data_hash": f"data {task} {phase} {seed}",
        "order_hash": f"order {task} {phase} {seed}",
        "metric": "squared_error",
        "unit": "simulated loss",
        "second_metric_name": "",
        "baselines": "{}",
        "best_step": STEPS,
        "steps": STEPS,
        "clipped_share": 0.0,
        "seconds": 1.0,
        "precision": "32-true",
        "device_type": "cpu",
        "engine": "simulated",
        "versions": "{}",
    }


def _study(scenario: Scenario, look: int) -> dict[str, Any]:
    """The resolved study at one look."""
    numbers = list(scenario.looks) or [scenario.seeds]
    declared = {"declared": numbers, "undeclared": numbers[:1], "hidden": [look]}[scenario.looking]
    return {
        "name": scenario.name,
        "purpose": "screen",
        "tasks": [
            {"label": task, "task": task, "control": "", "parameters": {}, "steps": STEPS} for task in scenario.tasks
        ],
        "budgets": [BUDGET],
        "depths": list(scenario.depths),
        "match": ["parameters"],
        "variants": ["plain"],
        "a_a": None,
        "tuning": {
            "method": "grid",
            "points": len(RATES),
            "rerank": dict(zip(("points", "seeds"), scenario.rerank, strict=True)),
        },
        "confirmation": {"seeds": declared[0], "looks": declared, "doubled": 0},
        "training": {"divergence_multiple": 10},
        "analysis": {"margin": MARGIN, "alpha": ALPHA},
        "state": {"look": look, "exploratory": "", "qualifications": {}},
    }
