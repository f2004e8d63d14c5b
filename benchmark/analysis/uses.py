"""The uses of trainings by the arms that a study compares, one by one, as the checks of fairness read them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmark.analysis.family import Declared
from benchmark.analysis.gates import name
from benchmark.evidence import Evidence
from benchmark.spec import Hyperparameters

Place = tuple[str, int, str, str]
"""Task, budget, match, variant: what makes a contrast."""
TUNING = ("tune", "rerank")


class Use(NamedTuple):
    """One use of a training; None where the evidence does not hold a value, an empty digest among them."""

    task: str
    budget: int
    match: str
    variant: str
    depth: int
    replica: str
    phase: str
    point: int | None
    seed: int
    superseded: bool
    key: str
    status: str
    replicates: str
    width: int | None
    parameters: int | None
    state_size: int | None
    flops: int | None
    data_seed: int | None
    init_seed: int | None
    fold: int | None
    data_hash: str | None
    order_hash: str | None
    hyperparameters: Mapping[str, Any]
    test_loss: float | None
    versions: str | None

    @property
    def place(self) -> Place:
        """Its contrast."""
        return self[:4]

    @property
    def arm(self) -> tuple[int, str]:
        """Depth and replica: its arm within the contrast."""
        return self.depth, self.replica

    @property
    def tunes(self) -> bool:
        """It chooses a setting, and does not test one."""
        return self.phase in TUNING


_KNOWN = {field.name for field in dataclasses.fields(Hyperparameters)}
_MEMBERS, _RUNS = Use._fields[:10], Use._fields[11:]


def uses(declared: Sequence[Declared], evidence: Evidence) -> list[Use]:
    """Every use by an arm that is compared, superseded ones too; the order of the tables does not matter.

    `hyperparameters` are read from their JSON, the learning rate from its own column where it is there.
    """
    compared = {(*one.place, *arm) for one in declared for arm in one.arms}
    members = evidence.members.assign(
        replica=evidence.members["replica"].fillna(""), superseded=evidence.members["superseded"].fillna(False)
    )
    runs = evidence.runs.assign(hyperparameters=_settings(evidence.runs))
    trained = dict(zip(runs["key"], zip(*(_values(runs, column) for column in _RUNS), strict=True), strict=True))
    used = zip(members["key"], zip(*(_values(members, column) for column in _MEMBERS), strict=True), strict=True)
    asked = {(key, use) for key, use in used if use[:6] in compared}
    return [Use._make((*use, key, *trained[key])) for key, use in sorted(asked, key=str)]


def _values(table: pd.DataFrame, column: str) -> list[Any]:
    """A column as plain values, None for a missing one and for an empty digest."""
    values = np.asarray(table[column].array, dtype=object)
    values[np.asarray(table[column].isna())] = None
    return [None if value == "" else value for value in values] if column.endswith("_hash") else values.tolist()


def _settings(runs: pd.DataFrame) -> list[Mapping[str, Any]]:
    """What each training was set to. Of other programs only the settings that Strata knows: they may note anything."""
    columns = zip(*(_values(runs, column) for column in ("hyperparameters", "learning_rate", "versions")), strict=True)
    return [_setting(text or "{}", rate, trained_here(versions)) for text, rate, versions in columns]


def trained_here(versions: str | None) -> bool:
    """Strata trained it: it writes its own version beside those of the libraries."""
    return '"strata"' in (versions or "")


@lru_cache(maxsize=10_000)
def _setting(text: str, rate: float | None, ours: bool) -> Mapping[str, Any]:
    found = {
        key: value if isinstance(value, (int, float, str)) else json.dumps(value, sort_keys=True)
        for key, value in json.loads(text).items()
        if value is not None and (ours or key in _KNOWN)
    }
    return found if rate is None else found | {"learning_rate": rate}


def contrasts(found: Iterable[Use]) -> Iterator[tuple[str, dict[str, list[Use]]]]:
    """Of each contrast the name that tells it from the others, and the uses of its arms by name, depth 1 first."""
    for (task, budget, match, variant), several in grouped(found, lambda use: use.place):
        parts = [f"budget {budget:,}"] if budget else []
        parts += [f"equal {match}"] if match != "parameters" else []
        parts += [variant] if variant != "plain" else []
        arms = {name(*arm): mine for arm, mine in grouped(several, lambda use: use.arm)}
        yield f"{task} ({', '.join(parts)})" if parts else task, arms


def grouped(found: Iterable[Use], by: Callable[[Use], Any]) -> list[tuple[Any, list[Use]]]:
    """Uses that agree in what `by` makes of them, in the order of that."""
    return [(value, list(several)) for value, several in groupby(sorted(found, key=by), by)]
