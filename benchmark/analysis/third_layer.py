"""Does a third layer add anything to two? A contrast's deeper depths against depth 2 in place of depth 1.

The test is the verdict's (PROTOCOL 11 to 14): joint sign flips of the paired differences, max-T over the depths beyond
two, Holm over the primary contrasts that have them, two one-sided tests for equivalence, and for fixed data the wider
interval and the larger p of a bootstrap over test blocks. The same seeds pair all depths, so depth 3 minus depth 2 is
the difference of their differences from depth 1.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmark.analysis import gates
from benchmark.analysis.beyond import BeyondTwo
from benchmark.analysis.blocks import block_differences
from benchmark.analysis.contrasts import Measured
from benchmark.analysis.intervals import BCA_PAIRS, bca, block_bootstrap
from benchmark.analysis.multiplicity import holm, pair_equivalence, pair_p
from benchmark.analysis.scores import scores
from benchmark.analysis.signflip import equivalence, max_t
from benchmark.analysis.verdict import judge


def beyond_two(
    measured: Sequence[Measured], blocks: pd.DataFrame, study: Mapping[str, Any], alpha: float
) -> list[BeyondTwo]:
    """Every depth beyond two of every primary contrast that has two layers, in the order declared.

    `alpha` is the error of the look. A contrast without all its runs takes p = 1 to Holm, as in the verdict.
    """
    margin = study["analysis"]["margin"]
    families = [_tested(one, blocks, study, alpha, margin) for one in measured if _asks(one)]
    differing = holm([min(_p(one.p_adjusted) for one in several) for several in families])
    agreeing = holm([max(_p(one.p_equivalence_adjusted) for one in several) for several in families])
    return [
        _judged(one, p, p_equivalence, len(families), margin, alpha)
        for several, p, p_equivalence in zip(families, differing, agreeing, strict=True)
        for one in several
    ]


def _asks(one: Measured) -> bool:
    depths = [depth for depth, replica in one.declared.others if not replica]
    return one.declared.family == "primary" and 2 in depths and max(depths) > 2 and len(one.rows) > 0


def _p(value: float | None) -> float:
    return 1.0 if value is None else value


def _tested(
    measured: Measured, blocks: pd.DataFrame, study: Mapping[str, Any], alpha: float, margin: float
) -> list[BeyondTwo]:
    """One contrast before its family is known: the p-values are its own still."""
    declared, (one,) = measured.declared, scores([measured], study)
    deeper = [depth for depth in one.depths if depth > 2]
    counted = {depth: gates.successes(measured.confirm, depth, "") for depth in (2, *deeper)}
    rows = [
        BeyondTwo(
            task=one.task, role=one.role, budget=one.budget, match=one.match, variant=one.variant, kind=one.kind,
            depth=depth, units=len(one.units), difference=None, low=None, high=None, p_adjusted=None,
            p_equivalence_adjusted=None, judged="open", successes=counted[depth], successes_two_layers=counted[2],
            reason=one.gate,
        )
        for depth in deeper
    ]  # fmt: skip
    if one.incomplete or not one.units:
        return rows
    differences = np.column_stack([one.of(depth) - one.of(2) for depth in deeper])
    flipped = max_t(differences, alpha)
    low, high, p = flipped.low, flipped.high, flipped.p
    p_equivalence = np.array([equivalence(column, margin) for column in differences.T])
    if len(differences) >= BCA_PAIRS:
        low, high = bca(differences, alpha)
    if one.replicates in ("folds", "groups"):
        found = block_differences(measured.confirm, blocks, declared.others, one.replicates == "folds")
        if found is not None:
            values, weights = found
            place = {depth: at for at, (depth, _) in enumerate(declared.others)}
            against_two = np.column_stack([values[:, place[depth]] - values[:, place[2]] for depth in deeper])
            again = block_bootstrap(against_two, weights, alpha, margin)
            low, high = np.minimum(low, again.low), np.maximum(high, again.high)
            p, p_equivalence = np.maximum(p, again.p), np.maximum(p_equivalence, again.p_equivalence)
    return [
        dataclasses.replace(
            row, difference=float(differences[:, at].mean()), low=_bounded(low[at]), high=_bounded(high[at]),
            p_adjusted=float(p[at]), p_equivalence_adjusted=float(p_equivalence[at]),
        )
        for at, row in enumerate(rows)
    ]  # fmt: skip


def _bounded(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _judged(one: BeyondTwo, p: float, p_equivalence: float, contrasts: int, margin: float, alpha: float) -> BeyondTwo:
    if one.difference is None or one.p_adjusted is None or one.p_equivalence_adjusted is None:
        return one
    final = pair_p(one.p_adjusted, p)
    final_equivalence = pair_equivalence(one.p_equivalence_adjusted, p_equivalence, contrasts)
    judged = judge(
        difference=one.difference, low=one.low, high=one.high, p_adjusted=final,
        p_equivalence_adjusted=final_equivalence, margin=margin, alpha=alpha,
    )  # fmt: skip
    return dataclasses.replace(one, p_adjusted=final, p_equivalence_adjusted=final_equivalence, judged=judged)
