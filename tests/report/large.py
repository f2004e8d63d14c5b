"""A study as large as the published one: nine tasks and three controls, four budgets, four depths, two matches."""

from __future__ import annotations

import json
import math
from typing import Any
from unittest.mock import patch

import pandas as pd

from benchmark.evidence import TABLES, Evidence
from tests.analysis import fabricate as made

BUDGETS = (3000, 6000, 12_000, 24_000)
DEPTHS = (1, 2, 3, 4)
MATCHES = ("parameters", "state")
NATURAL = {"formants": "speech", "espeak": "speech", "text": "text", "digits": "image", "oil_variance": "finance"}
DIALS: dict[str, tuple[str, dict[str, Any]]] = {
    "teacher_2_layers": ("stacked_teacher", {"layers": 2, "time": 20}),
    "teacher_3_layers": ("stacked_teacher", {"layers": 3, "time": 20}),
    "recall_10": ("recall", {"delay": 10, "time": 40}),
    "recall_30": ("recall", {"delay": 30, "time": 40}),
}
SLOPE = {"formants": 0.03, "espeak": -0.03, "text": 0.0, "digits": -0.01, "oil_variance": 0.012,
         "teacher_2_layers": 0.06, "teacher_3_layers": 0.09, "recall_10": 0.0, "recall_30": 0.03}  # fmt: skip
"""What a second layer gains at the smallest budget; every doubling halves it, and every further layer costs 0.012."""


def _tasks() -> dict[str, dict[str, Any]]:
    plain: dict[str, Any] = {"control": "", "family": "synthetic", "known_depth": None, "best": 0.0, "second": ""}
    return {
        **{name: plain | {"family": family, "second": "error rate"} for name, family in NATURAL.items()},
        **{name: plain | {"known_depth": 1 + (name[-8:] == "3_layers")} for name in DIALS},
        **{name: made.TASKS[name] for name in ("two_layer_teacher", "one_layer_teacher", "recall")},
    }


def _truth(task: str, at: int) -> dict[int, float]:
    if task not in SLOPE:
        ends = made.EFFECTS[task]
        return {1: ends[1], 2: ends[2], 3: (ends[2] + ends[4]) / 2, 4: ends[4]}
    return {depth: 0.5 + 0.04 * at + (depth > 1) * SLOPE[task] / 2**at - 0.012 * max(0, depth - 2) for depth in DEPTHS}


def large(seeds: int = 12) -> Evidence:
    """The whole study's evidence, in which depth pays on some tasks and sizes and not on others."""
    tasks = _tasks()
    noise = dict.fromkeys(SLOPE, 0.008) | {name: made.NOISE[name] for name in tasks if name in made.NOISE}
    parts = []
    for at, budget in enumerate(BUDGETS):
        with (
            patch.dict(made.TASKS, tasks, clear=True),
            patch.dict(made.EFFECTS, {name: _truth(name, at) for name in tasks}, clear=True),
            patch.object(made, "DEPTHS", DEPTHS),
            patch.object(made, "WIDTHS", {1: 36, 2: 24, 3: 20, 4: 16}),
            patch.object(made, "BUDGET", budget),
        ):
            part = made.fabricate(at, seeds=seeds, noise=noise, purpose="study", looks=(seeds,), match=MATCHES)
            parts.append(part)
        parts[-1].runs["width"] = (parts[-1].runs["width"] * math.sqrt(budget / 6000)).round().astype("Int64")
    tables = {name: pd.concat([getattr(part, name) for part in parts], ignore_index=True) for name in TABLES}
    for label, (source, parameters) in DIALS.items():
        mine = tables["runs"]["task"] == label
        tables["runs"].loc[mine, ["task_source", "task_parameters"]] = [source, json.dumps(parameters)]
    study = {**parts[0].study, "budgets": list(BUDGETS)}
    for task in study["tasks"]:
        task["task"], task["parameters"] = DIALS.get(task["label"], (task["task"], {}))
    return Evidence(study=study, **tables)
