"""A value of every confirmed training as a table, seed by seed: what every paired comparison starts from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def matrix(confirm: pd.DataFrame, values: np.ndarray, arms: Sequence[tuple[int, str]]) -> pd.DataFrame:
    """`(seeds, arms)`, on the seeds that every arm has; `values` `(rows,)` belong to the rows of `confirm`.

    Columns are numbered as `arms`, each (depth, replica). Of two trainings of one seed the first counts.
    """
    seeds, at = np.unique(confirm["seed"].to_numpy(dtype=int), return_inverse=True)
    depths, replicas = confirm["depth"].to_numpy(), confirm["replica"].to_numpy()
    table = np.full((len(seeds), len(arms)), np.nan)
    for place, (depth, replica) in enumerate(arms):
        mine = np.flatnonzero((depths == depth) & (replicas == replica))[::-1]
        table[at[mine], place] = values[mine]
    return pd.DataFrame(table, index=pd.Index(seeds, name="seed")).dropna()
