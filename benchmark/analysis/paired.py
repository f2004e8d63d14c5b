"""The paired test that judges scores on test, for other scores of the same trainings, such as those of training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.analysis.contrasts import Measured
from benchmark.analysis.diagnoses import Compared, Paired
from benchmark.analysis.intervals import BCA_PAIRS, bca
from benchmark.analysis.multiplicity import holm, pair_equivalence, pair_p
from benchmark.analysis.signflip import equivalence, max_t
from benchmark.analysis.units import by_unit, folds
from benchmark.analysis.verdict import judge


def table(one: Measured, values: pd.Series) -> np.ndarray:
    """`(units, arms)` of a value of every confirmed training, depth 1 first, on the units that every arm has.

    `values` has the index of the rows that `one` was measured from.
    """
    confirm = one.confirm.assign(value=values.loc[one.confirm.index])
    once = confirm.drop_duplicates(["seed", "depth", "replica"])
    found = once.pivot(index="seed", columns=["depth", "replica"], values="value")
    found = found.reindex(columns=pd.MultiIndex.from_tuples(one.declared.arms)).dropna()
    return by_unit(found, folds(confirm)).to_numpy(dtype=float)


def compare(
    tables: Sequence[np.ndarray], incomplete: Sequence[bool], alpha: float, margin: float
) -> list[list[Compared]]:
    """The pairs of every contrast of one family, judged: max-T within a contrast, Holm over the family (PROTOCOL 12).

    Each table is `(units, arms)`, depth 1 first; one without units has no pairs. An incomplete contrast takes p = 1 to
    Holm, as it does in the verdict. Of fixed data the verdict also asks a bootstrap over test blocks, for which there
    is nothing here.
    """
    tests = [_tested(found, alpha, margin) for found in tables]
    lacking = [undecided or not len(test.p) for undecided, test in zip(incomplete, tests, strict=True)]
    differing = holm([1.0 if none else float(t.p.min()) for t, none in zip(tests, lacking, strict=True)])
    agreeing = holm([1.0 if none else float(t.p_equivalence.max()) for t, none in zip(tests, lacking, strict=True)])
    return [
        [_compared(test, at, p, p_equivalence, len(tables), alpha, margin) for at in range(len(test.p))]
        for test, p, p_equivalence in zip(tests, differing, agreeing, strict=True)
    ]


def intervals(found: np.ndarray, alpha: float) -> list[Paired]:
    """Mean differences from depth 1 with simultaneous intervals, of one `(units, arms)` table."""
    test = _tested(found, alpha, margin=0.0)
    return [
        Paired(value=float(value), low=_bounded(low), high=_bounded(high))
        for value, low, high in zip(test.values, test.low, test.high, strict=True)
    ]


@dataclass(frozen=True)
class _Tested:
    """Each `(pairs,)`; no pairs where no unit has every arm."""

    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray
    p_equivalence: np.ndarray


def _tested(found: np.ndarray, alpha: float, margin: float) -> _Tested:
    if not len(found):
        return _Tested(*[np.empty(0)] * 5)
    differences = found[:, 1:] - found[:, :1]
    flipped = max_t(differences, alpha)
    low, high = bca(differences, alpha) if len(found) >= BCA_PAIRS else (flipped.low, flipped.high)
    agreeing = np.array([equivalence(column, margin) for column in differences.T])
    return _Tested(differences.mean(axis=0), low, high, flipped.p, agreeing)


def _compared(
    test: _Tested, at: int, p: float, p_equivalence: float, contrasts: int, alpha: float, margin: float
) -> Compared:
    """One pair; `p` and `p_equivalence` are its contrast's, adjusted by Holm."""
    value, low, high = float(test.values[at]), _bounded(test.low[at]), _bounded(test.high[at])
    final = pair_p(float(test.p[at]), p)
    agreeing = pair_equivalence(float(test.p_equivalence[at]), p_equivalence, contrasts)
    judged = judge(
        difference=value, low=low, high=high, p_adjusted=final, p_equivalence_adjusted=agreeing,
        margin=margin, alpha=alpha,
    )  # fmt: skip
    return Compared(value=value, low=low, high=high, p_adjusted=final, p_equivalence_adjusted=agreeing, judged=judged)


def _bounded(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
