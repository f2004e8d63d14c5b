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
from benchmark.analysis.matrix import matrix
from benchmark.analysis.multiplicity import holm, pair_equivalence, pair_p
from benchmark.analysis.signflip import equivalence, max_t
from benchmark.analysis.units import by_unit, folds
from benchmark.analysis.verdict import judge


def table(one: Measured, values: pd.Series) -> np.ndarray:
    """`(units, arms)` of a value of every confirmed training, depth 1 first, on the units that every arm has.

    `values` has the index of the rows that `one` was measured from.
    """
    confirm = one.confirm
    found = matrix(confirm, values.loc[confirm.index].to_numpy(dtype=float), one.declared.arms)
    return by_unit(found, folds(confirm)).to_numpy(dtype=float)


def compare(
    tables: Sequence[np.ndarray], incomplete: Sequence[bool], alpha: float, margin: float
) -> list[list[Compared]]:
    """The pairs of every contrast of one family, judged: max-T within a contrast, Holm over the family (PROTOCOL 12).

    Each table is `(units, arms)`, depth 1 first; one without units has no pairs. An incomplete contrast takes p = 1 to
    Holm, as it does in the verdict. Of fixed data the verdict also asks a bootstrap over test blocks, for which there
    is nothing here.
    """
    tests = [_tested(found, alpha) for found in tables]
    equal = [_equivalence(found, margin) for found in tables]
    lacking = [undecided or not len(test.p) for undecided, test in zip(incomplete, tests, strict=True)]
    differing = holm([1.0 if none else float(t.p.min()) for t, none in zip(tests, lacking, strict=True)])
    agreeing = holm([1.0 if none else float(own.max()) for own, none in zip(equal, lacking, strict=True)])
    return [
        [
            _compared(test, at, p, pair_equivalence(float(own[at]), holms, len(tables)), margin, alpha)
            for at in range(len(own))
        ]
        for test, own, p, holms in zip(tests, equal, differing, agreeing, strict=True)
    ]


def intervals(found: np.ndarray, alpha: float) -> list[Paired]:
    """Mean differences from depth 1 with simultaneous intervals, of one `(units, arms)` table."""
    test = _tested(found, alpha)
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


def _tested(found: np.ndarray, alpha: float) -> _Tested:
    if not len(found):
        return _Tested(*[np.empty(0)] * 4)
    differences = found[:, 1:] - found[:, :1]
    flipped = max_t(differences, alpha)
    low, high = bca(differences, alpha) if len(found) >= BCA_PAIRS else (flipped.low, flipped.high)
    return _Tested(differences.mean(axis=0), low, high, flipped.p)


def _equivalence(found: np.ndarray, margin: float) -> np.ndarray:
    """P of equivalence of every pair, `(pairs,)`."""
    return np.array([equivalence(column - found[:, 0], margin) for column in found[:, 1:].T] if len(found) else [])


def _compared(test: _Tested, at: int, p: float, agreeing: float, margin: float, alpha: float) -> Compared:
    """One pair; `p` is its contrast's, adjusted by Holm, and `agreeing` its own final p of equivalence."""
    value, low, high = float(test.values[at]), _bounded(test.low[at]), _bounded(test.high[at])
    final = pair_p(float(test.p[at]), p)
    judged = judge(
        difference=value, low=low, high=high, p_adjusted=final, p_equivalence_adjusted=agreeing,
        margin=margin, alpha=alpha,
    )  # fmt: skip
    return Compared(value=value, low=low, high=high, p_adjusted=final, p_equivalence_adjusted=agreeing, judged=judged)


def _bounded(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
