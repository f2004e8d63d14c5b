"""Journal records to rows of evidence, and rows of evidence back to the results that they were made of."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from benchmark.conduct import Request
from benchmark.evidence import CURVES, RUNS, Evidence, frame
from benchmark.plan import Group
from benchmark.spec import RunResult, RunSpec


def run_row(group: Group, spec: RunSpec, result: RunResult) -> dict[str, Any]:
    """The row of `runs` for one training."""
    task, entry = group.task, group.entry
    measured = {name: value for name, value in vars(result).items() if name in RUNS}
    return measured | {
        "study": group.study.name,
        "task": entry.label,
        "task_source": spec.task,
        "task_parameters": _json(spec.task_parameters),
        "task_digest": spec.task_digest,
        "family": task.family,
        "known_depth": task.known_depth,
        "control": entry.control,
        "replicates": task.replicates,
        "depth": spec.depth,
        "width": spec.width,
        "variant": spec.variant.name,
        "replica": spec.replica,
        "fold": spec.fold,
        "seed": spec.seeds.replicate,
        "data_seed": spec.seeds.data,
        "init_seed": spec.seeds.initialisation,
        "order_seed": spec.seeds.order,
        "hyperparameters": _json(vars(spec.hyperparameters)),
        "learning_rate": spec.hyperparameters.learning_rate,
        "second_metric_name": task.second_metric,
        "baselines": _json(result.baselines),
        "metric": task.loss,
        "unit": task.unit,
        "precision": spec.precision,
        "versions": _json(result.versions),
    }


def gather(
    requests: Iterable[Request], results: Mapping[str, tuple[RunSpec, RunResult]], study: Mapping[str, Any]
) -> Evidence:
    """The evidence of everything asked that has a result; a run asked for twice is one row and two members."""
    runs: dict[str, dict[str, Any]] = {}
    members, blocks, curves = [], [], []
    for request in requests:
        key = request.spec.key
        if key not in results:
            continue
        members.append(request.member)
        if key in runs:
            continue
        spec, result = results[key]
        runs[key] = run_row(request.group, spec, result)
        blocks += [{"key": key, "block": b, "loss": loss, "count": count} for b, loss, count in result.blocks]
        curves += [dict(zip(CURVES, (key, *row), strict=True)) for row in result.curves]
    return Evidence(
        runs=frame(list(runs.values()), "runs"),
        members=frame(members, "members"),
        blocks=frame(blocks, "blocks"),
        curves=frame(curves, "curves"),
        study=study,
    )


def results(evidence: Evidence) -> Iterator[tuple[dict[str, Any], RunResult]]:
    """Every row of `runs` with the result it was made of: `run_row` and `gather` give the same rows again.

    Of what a result holds the tables lose two things that are no numbers: the order of curve points and blocks, which
    is the tables' own, and whether an absent loss was None or NaN. Raises ValueError for a row that is damaged.
    """
    curves = _by_key(evidence.curves, ("step", "metric", "layer", "value"))
    blocks = _by_key(evidence.blocks, ("block", "loss", "count"))
    fields = [field.name for field in dataclasses.fields(RunResult) if field.name in RUNS]
    for row in evidence.runs.astype(object).to_dict("records"):
        row = {str(name): None if value is pd.NA else value for name, value in row.items()}
        measured = {name: row[name] for name in fields if row[name] is not None}
        measured |= {name: json.loads(row[name] or "{}") for name in ("baselines", "versions")}
        key = row["key"]
        yield row, RunResult(**measured, curves=curves.get(key, []), blocks=blocks.get(key, []))


def _by_key(table: pd.DataFrame, columns: tuple[str, ...]) -> dict[str, list[Any]]:
    """The rows of every key, as plain tuples; a number that is not there was none (NaN)."""
    found: dict[str, list[Any]] = {}
    lists = [table[column].astype(object).where(table[column].notna(), math.nan).tolist() for column in columns]
    for key, *values in zip(table["key"].tolist(), *lists, strict=True):
        found.setdefault(key, []).append(tuple(values))
    return found


def _json(record: Mapping[str, Any]) -> str:
    return json.dumps(dict(record), sort_keys=True, default=_plain)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)
