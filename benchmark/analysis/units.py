"""Units of sign flips: seeds, or the folds of fixed data (PROTOCOL 11)."""

from __future__ import annotations

import pandas as pd


def folds(rows: pd.DataFrame) -> pd.Series | None:
    """Fold of every seed, for a task whose replicates are folds; else None."""
    if not len(rows) or rows["replicates"].iloc[0] != "folds":
        return None
    return rows.drop_duplicates("seed").set_index("seed")["fold"]


def by_unit(table: pd.DataFrame, fold: pd.Series | None) -> pd.DataFrame:
    """One row per unit of sign flips: a seed, or a fold over whose seeds the table is averaged first."""
    table = table.sort_index()
    return table if fold is None else table.groupby(fold.reindex(table.index), sort=True).mean()
