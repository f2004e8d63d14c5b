"""The scores of one contrast as a plain matrix, with what each depth cost: what pooling and interpolation read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from benchmark.analysis.contrasts import Measured
from benchmark.analysis.estimates import Estimate
from benchmark.analysis.kinds import Role
from benchmark.analysis.matrix import matrix
from benchmark.analysis.skill import Score, score_kind
from benchmark.analysis.units import by_unit, folds
from benchmark.spec import stream

DRAWS = 2_000
"""Bootstrap draws of every interval here: rliable's default."""
COSTS = {"parameters": "parameters", "state": "state_size", "flops": "flops", "seconds": "seconds", "width": "width"}
"""What a depth may cost, and the column of the evidence that holds it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """The confirmed scores of one contrast, unit by unit: a row per seed (or fold), a column per depth."""

    task: str
    source: str
    family: str
    role: Role
    known_depth: int | None
    budget: int
    match: str
    variant: str
    kind: Score
    replicates: str
    depths: list[int]
    """Depth 1 first."""
    units: list[int]
    """Numbers of the seeds, or of the folds, that every depth has."""
    values: np.ndarray
    """`(units, depths)`."""
    costs: Mapping[str, list[float]]
    """Name in `COSTS` -> one number per depth; NaN where it was not measured."""
    incomplete: str = ""
    uninformative: str = ""
    untuned: str = ""
    unconverged: str = ""

    @property
    def gate(self) -> str:
        """'' or the first reason why this contrast stays undecided (PROTOCOL 14)."""
        named = {"incomplete": self.incomplete, "not tuned": self.untuned, "not converged": self.unconverged}
        said = {name: f"{name}: {reason}" for name, reason in named.items() if reason}
        order = [said.get("incomplete"), self.uninformative, said.get("not tuned"), said.get("not converged")]
        return next(filter(None, order), "")

    def of(self, depth: int) -> np.ndarray:
        """The scores of one depth, unit by unit."""
        return self.values[:, self.depths.index(depth)]

    def cost(self, name: str, depth: int) -> float:
        """What one depth cost."""
        return float(self.costs[name][self.depths.index(depth)])


def scores(measured: Sequence[Measured], study: Mapping[str, Any]) -> list[Scores]:
    """Every contrast of a study in its order; A/A compares no depths and is left out."""
    return [_scores(one, study) for one in measured if one.declared.role != "A/A" and len(one.rows)]


def _scores(measured: Measured, study: Mapping[str, Any]) -> Scores:
    declared, rows, confirm = measured.declared, measured.rows, measured.confirm
    first = rows.iloc[0]
    depths = [depth for depth, _ in declared.arms]
    units = by_unit(matrix(confirm, confirm["score"].to_numpy(dtype=float), declared.arms), folds(confirm))
    known = first["known_depth"]
    return Scores(
        task=declared.task,
        source=str(first["task_source"]),
        family=str(first["family"]),
        role=declared.role,
        known_depth=None if pd.isna(known) else int(known),
        budget=declared.budget,
        match=declared.match,
        variant=declared.variant,
        kind=score_kind(confirm),
        replicates=measured.replicates,
        depths=depths,
        units=[int(unit) for unit in units.index],
        values=units.to_numpy(dtype=float),
        costs={name: _costs(rows, confirm, column, depths) for name, column in sorted(COSTS.items())},
        incomplete=measured.case.incomplete,
        uninformative=measured.case.uninformative,
        untuned=measured.case.untuned if study.get("tuning") else "the study has no tuning",
        unconverged=measured.case.unconverged,
    )


def _costs(rows: pd.DataFrame, confirm: pd.DataFrame, column: str, depths: Sequence[int]) -> list[float]:
    """Of every depth: median seconds of its confirmed trainings; the rest is alike in all, 0 where one failed."""
    table = confirm if column == "seconds" else rows
    at, values = table["depth"].to_numpy(), table[column].to_numpy(dtype=float)
    measured = np.isfinite(values) & (values > 0)
    middle = np.median if column == "seconds" else np.max
    known = [values[measured & (at == depth)] for depth in depths]
    return [float(middle(found)) if len(found) else float("nan") for found in known]


def resamples(units: int, *names: object) -> np.ndarray:
    """`(DRAWS, units)`: how often each unit is drawn; only the names decide it, so no task moves another.

    rliable draws from NumPy's global generator, which its `random_state` does not reach; here the stream has a name.
    """
    generator = np.random.default_rng(stream("bootstrap", *names))
    return generator.multinomial(units, np.full(units, 1 / units), size=DRAWS)


def percentiles(draws: np.ndarray, alpha: float) -> tuple[float, float]:
    """The percentile interval at 1 - `alpha`. Its ends are draws themselves, so a draw may be infinite."""
    ordered = np.sort(draws)
    tail = int(np.floor(len(ordered) * alpha / 2))
    return float(ordered[tail]), float(ordered[len(ordered) - 1 - tail])


def expanded(alpha: float, units: int) -> float:
    """The level at which a percentile interval of a mean over few units is as wide as Student's t at `alpha`.

    Hesterberg 2015 (The American Statistician 69, 371-386, "expanded percentile"): the plain one of 10 units is too
    narrow by the share of t over normal and of 9 over 10.
    """
    return float(2 * stats.norm.cdf(-math.sqrt(units / (units - 1)) * stats.t.ppf(1 - alpha / 2, units - 1)))


def estimate(value: float, draws: np.ndarray, alpha: float) -> Estimate:
    """A number with the percentile interval of its draws."""
    low, high = percentiles(draws, alpha)
    return Estimate(value=float(value), low=low, high=high)


def written(found: Estimate, sign: str = "") -> str:
    """An estimate in words of numbers; `sign="+"` for differences."""
    return f"{found.value:{sign}.3f} [{found.low:{sign}.3f}, {found.high:{sign}.3f}]"
