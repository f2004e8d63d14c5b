"""From raw losses to scores: skill or relative reduction, and what a diverged run is worth (PROTOCOL 7 and 8)."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from benchmark.analysis.selection import tuning_score
from benchmark.errors import UserError
from benchmark.evidence import RUNS, Evidence

Score = Literal["skill", "relative reduction"]
SUCCESS = "done"
"""A success is a training that did not diverge; failed ones are not results at all."""

_FROM_RUNS = [column for column in RUNS if column not in ("task", "depth", "variant", "replica", "seed", "versions")]
_IDENTITY = ["arm", "phase", "point", "seed", "key"]


def joined(evidence: Evidence, seeds: range, divergence_multiple: float) -> pd.DataFrame:
    """Every use of a run that is not superseded, with the run it uses and its `score`, sorted; missing numbers are NaN.

    Confirmed runs of seeds outside `seeds` are left out: they belong to another look. `score` is set for confirmed
    and converged runs that are done or diverged, `tuning_score` for tuning runs. Adds `scale`, the loss that one unit
    of score stands for, and `scored_as`. Raises UserError where the trivial loss leaves nothing to be better than.
    """
    members = evidence.members[~evidence.members["superseded"].fillna(False).astype(bool)].drop_duplicates()
    members = members[(members["phase"] != "confirm") | members["seed"].isin(seeds)]
    place = pd.Index(evidence.runs["key"].array, dtype=object).get_indexer(members["key"].astype(object))
    if (place < 0).any():
        lost = members["key"].iloc[int(np.argmax(place < 0))]
        raise UserError(f"members names the key {lost}, which runs does not hold: write the evidence again")
    uses = {str(name): _plain(column.array) for name, column in members.items()}
    uses |= {name: _plain(evidence.runs[name].array.take(place)) for name in _FROM_RUNS if name != "key"}
    order = np.lexsort([uses[name] for name in reversed(_IDENTITY)])
    # The type is said, or pandas would make Arrow strings of words.
    rows = pd.DataFrame({name: pd.Series(values[order], dtype=values.dtype) for name, values in uses.items()})
    tuned = rows["phase"].isin(["tune", "rerank"])
    rows["tuning_score"] = np.nan
    rows.loc[tuned, "tuning_score"] = [
        # The references of a run that could not be done were not measured, and are not needed.
        tuning_score(_known(loss), 1.0 if np.isnan(trivial) else trivial, _known(best), status, divergence_multiple)
        for loss, trivial, best, status in zip(
            *(rows.loc[tuned, f"{which}validation_loss"] for which in ("", "trivial_", "best_")),
            rows.loc[tuned, "status"],
            strict=True,
        )
    ]
    found = _scored(rows).copy()  # one block per type: a frame grown column by column is slow to select from
    return found.set_axis(found.columns.astype(object), axis=1)  # and so are columns named by Arrow strings


def _plain(values: Any) -> np.ndarray:
    """Of a column: missing numbers are NaN, missing words '', and what is never missing stays a whole number."""
    kind, missing = str(values.dtype), np.asarray(values.isna())
    if kind == "Int64" and not missing.any():
        return np.asarray(values.to_numpy("int64"))
    if kind in ("Float64", "Int64"):
        return np.asarray(values.to_numpy("float64", na_value=np.nan))
    plain = np.asarray(values, dtype=object)
    return np.where(missing, "", plain) if missing.any() else plain


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _scored(rows: pd.DataFrame) -> pd.DataFrame:
    rows["score"], rows["scale"] = np.nan, np.nan
    rows["scored_as"] = "skill"
    tested = rows["phase"].isin(["confirm", "converge"])
    done = tested & (rows["status"] == SUCCESS) & np.isfinite(rows["test_loss"])
    for task in sorted(set(rows["task"])):
        mine = rows["task"] == task
        oracle = rows.loc[mine & done, "best_loss"]
        skill = bool(len(oracle)) and not oracle.isna().any()
        best = rows["best_loss"] if skill else 0.0
        scale = rows["trivial_loss"] - best
        if (bad := mine & done & ~(scale > 0)).any():
            first = rows[bad].iloc[0]
            raise UserError(
                f"task {task}, run {first['key']}: the trivial loss ({first['trivial_loss']:g}) is not above "
                f"{'the best possible loss' if skill else '0'}, so no score can be made: correct the task's references"
            )
        rows.loc[mine & done, "score"] = ((rows["trivial_loss"] - rows["test_loss"]) / scale)[mine & done]
        rows.loc[mine & done, "scale"] = scale[mine & done]
        if not skill:
            rows.loc[mine, "scored_as"] = "relative reduction"
    for _, group in rows[tested].groupby(["task", "budget"], sort=True):
        completed = group.loc[(group["phase"] == "confirm") & (group["status"] == SUCCESS), "score"]
        rows.loc[group.index[group["status"] == "diverged"], "score"] = diverged_score(completed.dropna())
    return rows


def diverged_score(completed: pd.Series) -> float:
    """min(0, the worst completed score of the task and budget): a diverged run never beats knowing nothing."""
    return min(0.0, float(completed.min())) if len(completed) else 0.0


def score_kind(rows: pd.DataFrame) -> Score:
    """How the runs of one task were scored: `skill` needs a best possible loss for every one of them."""
    return "skill" if len(rows) and bool((rows["scored_as"] == "skill").all()) else "relative reduction"
