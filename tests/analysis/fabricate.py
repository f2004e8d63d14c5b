"""Fabricated evidence: whole tables with a known truth, so that the analysis and the report can be tested on them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from benchmark.evidence import Evidence, frame
from benchmark.spec import stream

BUDGET = 6000
DEPTHS = (1, 2, 4)
FOLDS = 10
LEARNING_RATES = [0.001 * 10 ** (k / 2) for k in range(5)]
PEAK = 2
"""Index of the best learning rate: interior of the grid."""
WIDTHS = {1: 36, 2: 24, 4: 16}

TASKS: dict[str, dict[str, Any]] = {
    "two_layer_teacher": {"control": "depth", "family": "synthetic", "known_depth": 2, "best": 0.0, "second": ""},
    "one_layer_teacher": {"control": "width", "family": "synthetic", "known_depth": 1, "best": 0.0, "second": ""},
    "recall": {"control": "null", "family": "synthetic", "known_depth": 1, "best": 0.0, "second": "error rate"},
    "formants": {"control": "", "family": "speech", "known_depth": None, "best": 0.3, "second": "error rate"},
    "equity_variance": {"control": "", "family": "finance", "known_depth": None, "best": None, "second": ""},
}

EFFECTS: dict[str, dict[int, float]] = {
    "two_layer_teacher": {1: 0.50, 2: 0.75, 4: 0.55},
    "one_layer_teacher": {1: 0.90, 2: 0.80, 4: 0.60},
    "recall": {1: 0.98, 2: 0.98, 4: 0.98},
    "formants": {1: 0.60, 2: 0.70, 4: 0.66},
    "equity_variance": {1: 0.20, 2: 0.20, 4: 0.20},
}
"""True mean score of every task and depth: all controls pass, `formants` is deeper, `equity_variance` stays open."""

NOISE: dict[str, float] = {
    "two_layer_teacher": 0.01,
    "one_layer_teacher": 0.01,
    "recall": 0.003,
    "formants": 0.01,
    "equity_variance": 0.04,
}
"""Standard deviation of an arm's own noise; the noise that all arms of a seed share is as large again."""

Where = Collection[tuple[str, int, str, int]]
"""(task, depth, replica, seed) of confirmed runs."""


def study(
    *,
    purpose: str = "screen",
    look: int = 10,
    looks: Collection[int] = (10, 20),
    match: Collection[str] = ("parameters",),
) -> dict[str, Any]:
    """The resolved study that the fabricated tables belong to."""
    return {
        "name": "fabricated",
        "purpose": purpose,
        "tasks": [
            {"label": label, "task": label, "control": task["control"], "parameters": {}, "steps": 400}
            for label, task in TASKS.items()
        ],
        "budgets": [BUDGET],
        "depths": list(DEPTHS),
        "match": list(match),
        "variants": ["plain"],
        "a_a": "recall",
        "tuning": {"method": "grid", "points": len(LEARNING_RATES), "rerank": {"points": 2, "seeds": 2}},
        "confirmation": {"seeds": look, "looks": list(looks)},
        "training": {"divergence_multiple": 10},
        "analysis": {"margin": 0.02, "alpha": 0.05},
        "state": {
            "look": look,
            "exploratory": "",
            "qualifications": {
                label: "qualified (table of fabricated seeds)" for label, task in TASKS.items() if task["control"]
            },
            "commit": "0" * 40,
        },
    }


def fabricate(
    seed: int = 0,
    effects: Mapping[str, Mapping[int, float]] | None = None,
    seeds: int = 10,
    *,
    noise: Mapping[str, float] | None = None,
    purpose: str = "screen",
    looks: Collection[int] = (10, 20),
    match: Collection[str] = ("parameters",),
    diverged: Where = (),
    failed: Where = (),
    missing: Where = (),
    edge: Collection[tuple[str, int]] = (),
    converge: Mapping[str, Mapping[int, float]] | None = None,
) -> Evidence:
    """Evidence of five tasks at one budget and three depths, A/A on `recall`, with `seeds` confirmed seeds an arm.

    effects   task -> depth -> true mean score; tasks and depths not named keep `EFFECTS`
    noise     task -> standard deviation of an arm's own noise
    edge      (task, depth) of arms whose best learning rate is the largest one asked
    converge  task -> depth -> true score at twice the steps; five seeds are run again for the tasks named
    """
    tables = _Tables(seed, {**NOISE, **(noise or {})})
    for label in TASKS:
        truth = {**EFFECTS[label], **((effects or {}).get(label, {}))}
        arms = [(depth, "") for depth in DEPTHS] + ([(1, "aa")] if label == "recall" else [])
        for chosen_match in match:
            for depth, replica in arms:
                arm = _Arm(label, chosen_match, depth, replica)
                tables.tune(arm, truth[depth], at_edge=(label, depth) in edge)
                for replicate in range(seeds):
                    where = (label, depth, replica, replicate)
                    if where in missing:
                        continue
                    status = "diverged" if where in diverged else "failed" if where in failed else "done"
                    tables.confirm(arm, truth[depth], replicate, status)
                for replicate in range(5 if label in (converge or {}) else 0):
                    tables.confirm(arm, (converge or {})[label][depth], replicate, "done", phase="converge")
    return Evidence(
        runs=frame(tables.runs, "runs"),
        members=frame(tables.members, "members"),
        blocks=frame(tables.blocks, "blocks"),
        curves=frame(tables.curves, "curves"),
        study=study(purpose=purpose, look=seeds, looks=looks, match=match),
    )


class _Arm:
    def __init__(self, label: str, match: str, depth: int, replica: str) -> None:
        self.label, self.match, self.depth, self.replica = label, match, depth, replica
        self.task = TASKS[label]
        name = f"{label} · {BUDGET} {match} · plain · L{depth}"
        self.name = f"{name} · {replica}" if replica else name


class _Tables:
    """Rows of the four tables, grown run by run; every draw comes from a stream named by what it is for."""

    def __init__(self, seed: int, noise: Mapping[str, float]) -> None:
        self.seed, self.noise = seed, noise
        self.runs: list[dict[str, Any]] = []
        self.members: list[dict[str, Any]] = []
        self.blocks: list[dict[str, Any]] = []
        self.curves: list[dict[str, Any]] = []

    def normal(self, *names: object) -> float:
        return float(np.random.default_rng(stream(self.seed, *names)).normal())

    def tune(self, arm: _Arm, truth: float, *, at_edge: bool) -> None:
        peak = len(LEARNING_RATES) - 1 if at_edge else PEAK
        for point, rate in enumerate(LEARNING_RATES):
            skill = truth - 0.08 * abs(point - peak) + 0.002 * self.normal(arm.name, "tune", point)
            self.add(arm, "tune", point, 0, rate, skill, "done", steps=400)
        for point in (peak, peak - 1):
            for again in range(2):
                skill = truth - 0.08 * abs(point - peak) + 0.002 * self.normal(arm.name, "rerank", point, again)
                self.add(arm, "rerank", point, again, LEARNING_RATES[point], skill, "done", steps=400)

    def confirm(self, arm: _Arm, truth: float, replicate: int, status: str, phase: str = "confirm") -> None:
        spread = self.noise[arm.label]
        skill = truth + spread * (
            self.normal(arm.label, replicate) + self.normal(arm.label, arm.match, arm.depth, arm.replica, replicate)
        )
        steps = 800 if phase == "converge" else 400
        self.add(arm, phase, PEAK, replicate, LEARNING_RATES[PEAK], skill, status, steps)

    def add(
        self, arm: _Arm, phase: str, point: int, replicate: int, rate: float, skill: float, status: str, steps: int
    ) -> None:
        task, tested = arm.task, phase in ("confirm", "converge")
        folds = arm.label == "equity_variance"
        width = 36 // arm.depth if arm.match == "state" else WIDTHS[arm.depth]
        fold = replicate % FOLDS if folds and tested else None
        trivial = 0.5 + 0.1 * fold if fold is not None else 1.6 if arm.label == "formants" else 1.0
        best = task["best"]
        loss = trivial - skill * (trivial - best if best is not None else trivial)
        done = status == "done"
        identity = (self.seed, arm.name, phase, point, replicate, steps)
        key = hashlib.sha256(repr(identity).encode()).hexdigest()[:16]
        run = {
            "key": key,
            "study": "fabricated",
            "task": arm.label,
            "task_source": arm.label,
            "task_parameters": "{}",
            "task_digest": "digest",
            "family": task["family"],
            "known_depth": task["known_depth"],
            "control": task["control"],
            "replicates": "folds" if folds else "seeds",
            "depth": arm.depth,
            "width": width,
            "variant": "plain",
            "replica": arm.replica,
            "fold": fold,
            "parameters": BUDGET + 10 * arm.depth,
            "state_size": arm.depth * width,
            "flops": 1000 * BUDGET,
            "seed": replicate,
            "data_seed": stream("data", arm.label, phase, replicate),
            "init_seed": stream("init", arm.label, arm.replica, phase, replicate),
            "order_seed": stream("order", arm.label, phase, replicate),
            "data_hash": f"data {arm.label} {phase} {replicate}",
            "order_hash": f"order {arm.label} {phase} {replicate}",
            "hyperparameters": json.dumps({"batch_size": 32, "learning_rate": rate, "weight_decay": 0.0}),
            "learning_rate": rate,
            "status": status,
            "metric": "qlike" if folds else "squared_error",
            "unit": "QLIKE" if folds else "variance of the target",
            "second_metric_name": task["second"],
            "steps": steps if done else steps // 2,
            "clipped_share": 0.05 if status != "failed" else None,
            "seconds": 1.0 + 0.1 * arm.depth,
            "precision": "32-true",
            "device_type": "cpu",
            "engine": "torch-lstm",
            "versions": "{}",
            "baselines": "{}",
            "error": "Traceback (most recent call last):\nMemoryError: no memory left" if status == "failed" else None,
        }
        if done:
            run |= {
                "train_loss": loss - 0.01,
                "validation_loss": loss,
                "trivial_validation_loss": trivial,
                "best_validation_loss": best,
                "best_step": steps - 50,
            }
        if done and tested:
            run |= {"test_loss": loss, "trivial_loss": trivial, "best_loss": best}
            if task["second"]:
                run["second_metric"] = 0.8 * loss / trivial
            if folds:
                run["baselines"] = json.dumps({"HAR": 0.78 * trivial, "last value": 0.95 * trivial})
                self.months(key, int(fold or 0), loss)
        self.runs.append(run)
        self.members.append(
            {
                "key": key,
                "arm": arm.name,
                "task": arm.label,
                "budget": BUDGET,
                "match": arm.match,
                "variant": "plain",
                "depth": arm.depth,
                "replica": arm.replica,
                "phase": phase,
                "point": point,
                "seed": replicate,
                "superseded": False,
            }
        )
        for step in range(50, run["steps"] + 1, 50):
            value = loss + (trivial - loss) * np.exp(-step / 80)
            self.curves.append({"key": key, "step": step, "metric": "validation/loss", "layer": -1, "value": value})

    def months(self, key: str, fold: int, loss: float) -> None:
        """Twelve test months whose counted mean is the run's loss."""
        counts = np.array([19 + month % 4 for month in range(12)])
        wobble = np.array([0.05 * self.normal("months", fold, month) for month in range(12)])
        wobble += np.array([0.01 * self.normal("months", key, month) for month in range(12)])
        losses = loss + wobble - np.average(wobble, weights=counts)
        for month in range(12):
            self.blocks.append(
                {
                    "key": key,
                    "block": f"{2010 + fold}-{month + 1:02d}",
                    "loss": losses[month],
                    "count": int(counts[month]),
                }
            )
