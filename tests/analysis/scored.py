"""Scores of contrasts made by hand, and whole studies turned into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmark.analysis.contrasts import measure
from benchmark.analysis.family import PLACE, declared
from benchmark.analysis.looks import looking
from benchmark.analysis.scores import Scores, scores
from benchmark.analysis.skill import joined
from benchmark.evidence import Evidence


def contrast(
    task: str,
    values: Mapping[int, Sequence[float] | np.ndarray],
    *,
    parameters: Mapping[int, float] | None = None,
    seconds: Mapping[int, float] | None = None,
    **fields: Any,
) -> Scores:
    """A contrast whose depths scored `values`; one layer has as many parameters as the budget says."""
    table = np.column_stack([np.asarray(column, dtype=float) for column in values.values()])
    depths = list(values)
    budget = fields.get("budget", 6000)
    size = [float((parameters or {}).get(depth, budget)) for depth in depths]
    costs = {
        "parameters": size,
        "width": [float(np.sqrt(one / (4 * (2 * depth - 1)))) for depth, one in zip(depths, size, strict=True)],
        "state": [depth * float(np.sqrt(one)) for depth, one in zip(depths, size, strict=True)],
        "flops": [100 * one for one in size],
        "seconds": [(seconds or {}).get(depth, depth * one / 1000) for depth, one in zip(depths, size, strict=True)],
    }
    known: dict[str, Any] = {
        "source": task,
        "family": "speech",
        "role": "natural",
        "known_depth": None,
        "budget": budget,
        "match": "parameters",
        "variant": "plain",
        "kind": "skill",
        "replicates": "seeds",
    }
    return Scores(task=task, depths=depths, units=list(range(len(table))), values=table, costs=costs, **known | fields)


def of(evidence: Evidence) -> list[Scores]:
    """The scores of a study's contrasts, by the steps that `analyse` takes."""
    study, at = evidence.study, looking(evidence.study)
    rows = joined(evidence, at.seeds, study["training"]["divergence_multiple"])
    places: dict[Any, pd.DataFrame] = dict(iter(rows.groupby(list(PLACE), sort=False)))
    return scores(
        [
            measure(one, places.get(one.place, rows[:0]), evidence.blocks, study, at)
            for one in declared(study, evidence.runs)
        ],
        study,
    )


def shuffled(evidence: Evidence, seed: int = 1) -> Evidence:
    """The same tables in another order of rows."""
    generator = np.random.default_rng(seed)

    def mixed(table: pd.DataFrame) -> pd.DataFrame:
        return table.iloc[generator.permutation(len(table))].reset_index(drop=True)

    return Evidence(
        runs=mixed(evidence.runs),
        members=mixed(evidence.members),
        blocks=mixed(evidence.blocks),
        curves=mixed(evidence.curves),
        study=evidence.study,
    )
