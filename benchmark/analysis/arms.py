"""One row per arm: what it cost, the setting that tuning chose, and its score on every seed."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd

from benchmark.analysis.findings import Arm
from benchmark.analysis.gates import chosen, incomplete, learning_rates, name, successes, tuning_scores
from benchmark.analysis.intervals import student
from benchmark.analysis.kinds import Role
from benchmark.analysis.units import by_unit, folds

_LEVEL = 0.05


def arms(
    rows: pd.DataFrame,
    curves: pd.DataFrame,
    roles: Mapping[str, Role],
    seeds: range,
    margin: float,
) -> list[Arm]:
    """Every arm that has a training, in the order of task (as `roles` lists them), budget, match, variant, depth."""
    order = {task: at for at, task in enumerate(roles)}
    curves = curves[(curves["metric"] == "validation/loss") & (curves["layer"] == -1)]
    curves = curves[np.isfinite(curves["value"].astype("float64"))].astype({"value": "float64"})
    found = [
        _arm(str(label), mine, curves, roles, seeds, margin)
        for label, mine in rows.groupby("arm", sort=True)
        if mine["task"].iloc[0] in order
    ]
    return sorted(found, key=lambda a: (order[a.task], a.budget, a.match, a.variant, a.depth, a.replica))


def _arm(
    label: str,
    rows: pd.DataFrame,
    curves: pd.DataFrame,
    roles: Mapping[str, Role],
    seeds: range,
    margin: float,
) -> Arm:
    first = rows.iloc[0]
    depth, replica = int(first["depth"]), str(first["replica"])
    confirmed = np.flatnonzero(rows["phase"].to_numpy() == "confirm")
    confirm = rows.take(confirmed[np.argsort(rows["seed"].to_numpy()[confirmed], kind="stable")])
    scored = confirm[confirm["score"].notna()]
    units = by_unit(scored.set_index("seed")[["score"]], folds(scored)).to_numpy()[:, 0]
    interval = student(units, _LEVEL)
    choice = chosen(rows, margin)
    rates = learning_rates(rows)
    tuning = tuning_scores(rows, "tune")
    return Arm(
        arm=label,
        task=first["task"],
        role=roles[first["task"]],
        budget=int(first["budget"]),
        match=first["match"],
        variant=first["variant"],
        depth=depth,
        replica=replica,
        width=int(first["width"]),
        # A failed training has counted nothing.
        parameters=int(rows["parameters"].max()),
        state_size=int(rows["state_size"].max()),
        flops=int(rows["flops"].max()),
        seconds=_mean(confirm.loc[confirm["status"] != "failed", "seconds"], np.median),
        hyperparameters=json.loads(confirm["hyperparameters"].iloc[0]) if len(confirm) else {},
        at_edge=bool(choice and choice.edge),
        complete=not incomplete(rows, seeds, name(depth, replica)),
        score_mean=_mean(pd.Series(units)),
        score_low=interval[0] if interval else None,
        score_high=interval[1] if interval else None,
        score_median=_mean(scored["score"], np.median),
        successes=successes(rows, depth, replica),
        runs=len(confirm),
        clipped_share=_mean(confirm["clipped_share"]),
        train_loss=_mean(confirm["train_loss"]),
        validation_loss=_mean(confirm["validation_loss"]),
        test_loss=_mean(confirm["test_loss"]),
        scores=[(int(seed), float(score)) for seed, score in zip(scored["seed"], scored["score"], strict=True)],
        curve=_curve(confirm, curves),
        tuning=sorted((rates[point], float(np.mean(scores))) for point, scores in tuning.items()),
    )


def _mean(values: pd.Series, middle: object = np.mean) -> float | None:
    numbers = values.to_numpy(dtype=float)
    finite = numbers[np.isfinite(numbers)]
    return float(middle(finite)) if len(finite) else None  # type: ignore[operator]


def _curve(confirm: pd.DataFrame, curves: pd.DataFrame) -> list[tuple[int, float, float, float]]:
    """`curves` are the finite validation losses of all runs."""
    if not len(curves):
        return []
    mine = curves[curves["key"].isin(set(confirm["key"]))]
    table = mine.sort_values(["step", "key"], kind="stable").groupby("step", sort=True)["value"]
    return [
        (int(step), float(mean), float(low), float(high))
        for step, mean, low, high in table.agg(["mean", "min", "max"]).itertuples()
    ]
