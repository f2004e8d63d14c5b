"""What the learning curves of one depth's confirmed trainings say: steps to a threshold, and gradients by layer."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from benchmark.analysis.skill import SUCCESS

VALIDATION, TRAINING, GRADIENT = "validation/loss", "train/loss", "gradient/norm"
"""Names of the curves that are read here, in the column `metric`."""


def of(curves: pd.DataFrame, metric: str, rows: pd.DataFrame) -> pd.DataFrame:
    """One curve of the trainings in `rows`: plain columns `key`, `step`, `layer`, `value`; what is missing is NaN."""
    mine = curves[(curves["metric"] == metric).to_numpy() & curves["key"].isin(set(rows["key"])).to_numpy()]
    return pd.DataFrame(
        {
            "key": mine["key"].to_numpy(dtype=object),
            "step": mine["step"].to_numpy(dtype="int64"),
            "layer": mine["layer"].to_numpy(dtype="int64"),
            "value": mine["value"].to_numpy(dtype="float64", na_value=np.nan),
        }
    )


def final_score(rows: pd.DataFrame) -> float:
    """Median over trainings of the validation score of the kept weights; one that diverged is below all others."""
    scale = _scale(rows)
    scores = ((rows["trivial_validation_loss"] - rows["validation_loss"]) / scale).to_numpy(dtype=float)
    scores = np.where((rows["status"] == SUCCESS).to_numpy(), scores, -np.inf)
    return float(np.median(scores)) if len(scores) else float("nan")


def first_steps(rows: pd.DataFrame, curves: pd.DataFrame, score: float) -> list[float]:
    """For each training, the first validated step at which its validation loss stands for at least `score`.

    The threshold is a loss of each training's own: its trivial loss minus `score` times the span from there to the
    best possible one, which differ from seed to seed. `inf` where it was never reached: such a training is censored at
    its end, and kept. `curves` as `of` gives them.
    """
    losses = rows["trivial_validation_loss"] - score * _scale(rows)
    threshold = dict(zip(rows["key"], losses, strict=True))
    low = curves[curves["value"].to_numpy() <= curves["key"].map(threshold).to_numpy(dtype=float)]
    first = low.groupby("key")["step"].min().to_dict()
    return [float(first.get(key, math.inf)) for key in rows["key"]]


def restricted_median(steps: list[float]) -> int | None:
    """The step by which half of the trainings had reached the threshold; None where fewer than half ever did.

    All are censored at the same step, their last, so this is the median of Kaplan and Meier's estimate (1958): the
    first step after which at most half are left.
    """
    middle = sorted(steps)[(len(steps) - 1) // 2] if steps else math.inf
    return int(middle) if math.isfinite(middle) else None


def norms(gradients: pd.DataFrame) -> list[tuple[int, list[float]]]:
    """(step, median over trainings of the gradient's length in each layer); `gradients` as `of` gives them."""
    if not len(gradients):
        return []
    table = _by_layer(gradients).groupby(level="step").median()
    return [(int(step), row.tolist()) for step, row in zip(table.index, table.to_numpy(), strict=True)]


def ratios(gradients: pd.DataFrame) -> tuple[list[tuple[int, float, float, float]], float | None]:
    """The lowest layer's gradient over the top layer's: (step, median, lowest, highest), and the median of all.

    The last is the median over trainings of each one's median over its validations, so that no early step and no one
    training decides it. Steps at which the ratio is no finite number are left out. Empty and None for one layer.
    """
    if gradients["layer"].nunique() < 2:
        return [], None
    table = _by_layer(gradients)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = table.iloc[:, 0] / table.iloc[:, -1]
    ratio = ratio[np.isfinite(ratio)]
    if not len(ratio):
        return [], None
    by_step = ratio.groupby(level="step").agg(["median", "min", "max"])
    course = [(int(step), float(m), float(low), float(high)) for step, m, low, high in by_step.itertuples()]
    return course, float(ratio.groupby(level="key").median().median())


def _by_layer(gradients: pd.DataFrame) -> pd.DataFrame:
    """`(trainings x steps, layers)`, the lowest layer first."""
    return gradients.pivot_table(index=["key", "step"], columns="layer", values="value", aggfunc="first", sort=True)


def _scale(rows: pd.DataFrame) -> pd.Series:
    """Loss on validation that one unit of score stands for; the best possible loss counts as 0 where it is unknown."""
    return rows["trivial_validation_loss"] - rows["best_validation_loss"].fillna(0.0)
