"""Defaults of a study that depend on its other keys: its purpose, its tuning method, its declared looks."""

from __future__ import annotations

import copy
import re
from typing import Any

from benchmark.analysis.selection import CONVERGED_SEEDS
from benchmark.study.tuning import GRID_POINTS, RERANK, SOBOL_POINTS

_LEARNING_RATE = {"study": {"low": 10**-3.5, "high": 0.1}, "screen": {"low": 0.001, "high": 0.1}}


def with_defaults(raw: Any) -> Any:
    """Fill in what depends on other keys. Whatever has a wrong type is left for the model to refuse."""
    if not isinstance(raw, dict):
        return raw
    raw = copy.deepcopy(raw)
    purpose = raw.get("purpose") if raw.get("purpose") in ("study", None) else "screen"  # smoke tunes like a screen
    purpose = purpose or "study"
    raw.setdefault("variants", ["plain"])
    if not raw.get("cells"):
        raw.setdefault("depths", [1, 2, 4])
    training = raw.get("training")
    steps = training.get("steps") if isinstance(training, dict) else None
    for entry in raw["tasks"] if isinstance(raw.get("tasks"), list) else []:
        if isinstance(entry, dict):
            if entry.get("steps") is None and steps is not None:
                entry["steps"] = steps
            if isinstance(entry.get("task"), str):
                entry.setdefault("label", _label(entry["task"]))
    if isinstance(tuning := raw.setdefault("tuning", {}), dict):
        sobol = tuning.get("method") == "sobol"
        if isinstance(rate := tuning.setdefault("learning_rate", {}), dict):
            for key, value in _LEARNING_RATE[purpose].items():
                rate.setdefault(key, float(f"{value:.6g}"))
            rate.setdefault("points", None if sobol else GRID_POINTS[purpose])
        tuning.setdefault("points", SOBOL_POINTS if sobol else None)
        if isinstance(rerank := tuning.setdefault("rerank", {}), dict):
            for key, value in RERANK[purpose].items():
                rerank.setdefault(key, value)
    if isinstance(confirmation := raw.setdefault("confirmation", {}), dict):
        looks = confirmation.get("looks")
        confirmation.setdefault("seeds", looks[0] if isinstance(looks, list) and looks else 10)
        confirmation.setdefault("looks", [confirmation["seeds"]])
        enough = isinstance(confirmation["seeds"], int) and confirmation["seeds"] >= CONVERGED_SEEDS
        confirmation.setdefault("doubled", CONVERGED_SEEDS if purpose == "study" and enough else 0)
    return raw


def with_checks(raw: dict[str, Any]) -> dict[str, Any]:
    """Fill in what a study that is asked for today carries beside its contrasts, by its purpose.

    Apart from `with_defaults`, since a study that ran before there was such a thing must not take it on when its
    folder is read again.
    """
    raw = copy.deepcopy(raw)
    if isinstance(checks := raw.setdefault("sensitivity", {}), dict):
        checks.setdefault("one_layer_trials", raw.get("purpose", "study") == "study" and not raw.get("cells"))
    return raw


def _label(reference: str) -> str:
    """`recall` of `recall`; `my_task` of `path/to/file.py:MyTask`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", reference.rpartition(":")[2])
    return words.lower()
