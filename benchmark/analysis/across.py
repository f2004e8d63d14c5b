"""Many tasks at once: the interquartile mean and the probability of improvement (Agarwal et al. 2021, `rliable`).

The intervals resample seeds within tasks, never tasks: they speak for the tasks that were run, and for no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from benchmark.analysis.estimates import Estimate, Pooled
from benchmark.analysis.scores import DRAWS, Scores, estimate, resamples, written

FEWEST_TASKS = 2
"""One task alone is no statement across tasks."""
FEWEST_UNITS = 2
_REFUSED = {
    "screen": "not estimable: a screen never gives a pooled statement (PROTOCOL 22)",
    "smoke": "not estimable: a smoke study claims nothing",
}


def refusal(purpose: str) -> str:
    """'' or why a study of this purpose gives no statement over several tasks."""
    return _REFUSED.get(purpose, "")


def interquartile_mean(values: np.ndarray) -> np.ndarray:
    """Mean of the middle half along the last axis: a quarter of the values, rounded down, is cut at each end."""
    return np.asarray(stats.trim_mean(values, 0.25, axis=-1))


def wins(deeper: np.ndarray, one_layer: np.ndarray) -> np.ndarray:
    """`(runs, runs)`: 1 where a run of the deeper depth scores higher, a half where both score the same.

    Its mean is Mann and Whitney's U over the product of the numbers of runs.
    """
    return (deeper[:, None] > one_layer) + 0.5 * (deeper[:, None] == one_layer)


def pooled(contrasts: Sequence[Scores], purpose: str, alpha: float = 0.05) -> list[Pooled]:
    """Every family x budget x match x variant x deeper depth of the natural tasks; the order given does not matter.

    Controls, A/A and dials never enter (PROTOCOL 16). Scores that are relative reductions are never pooled (PROTOCOL
    7), and a task that a gate leaves undecided is not either: both are named in `left_out`. The numbers are
    descriptive: no verdict rests on them, and they are not adjusted for how many there are.
    """
    places: dict[tuple[str, int, str, str], list[Scores]] = {}
    for one in sorted((one for one in contrasts if one.role == "natural"), key=lambda one: one.task):
        places.setdefault((one.family, one.budget, one.match, one.variant), []).append(one)
    found = []
    for (family, budget, match, variant), several in sorted(places.items()):
        untested = match == "parameters" and (family, budget, "state", variant) not in places
        for depth in sorted({depth for one in several for depth in one.depths if depth > 1}):
            mine = [one for one in several if depth in one.depths]
            found.append(_pooled(mine, depth, purpose, alpha, ["equal state not tested"] if untested else []))
    return found


def barred(one: Scores) -> str:
    """'' or why a task does not enter a statement over several tasks."""
    if one.kind != "skill":
        return "its score is a relative reduction, which is never pooled"
    if not one.gate and len(one.units) < FEWEST_UNITS:
        return f"it has {len(one.units)} of the {FEWEST_UNITS} units that a bootstrap needs"
    return one.gate


def _pooled(several: Sequence[Scores], depth: int, purpose: str, alpha: float, limits: list[str]) -> Pooled:
    first = several[0]
    usable = [one for one in several if not barred(one)]
    left_out = [f"{one.task}: {barred(one)}" for one in several if barred(one)]
    reason = refusal(purpose)
    if not reason and len(usable) < FEWEST_TASKS:
        reason = f"not estimable: {len(usable)} of the {FEWEST_TASKS} tasks that pooling needs"
        reason += f" (left out: {'; '.join(left_out)})" if left_out else ""
    place = f"{first.family}, budget {first.budget:,}, equal {_matched(first)}"
    place += "" if first.variant == "plain" else f", {first.variant}"
    common: dict[str, Any] = {
        "family": first.family,
        "budget": first.budget,
        "match": first.match,
        "variant": first.variant,
    }
    if reason:
        sentence = f"Across tasks of {place}, depth {depth}: {reason}"
        return Pooled(
            **common, depth=depth, tasks=[one.task for one in usable], left_out=left_out, reason=reason,
            limits=[], sentence=sentence,
        )  # fmt: skip
    pairs = [np.column_stack([one.of(1), one.of(depth)]) for one in usable]
    counts = [resamples(len(one.units), "across", one.task, one.budget, one.match, one.variant) for one in usable]
    one_layer, deeper, apart = _means(pairs, counts, alpha)
    improvement = _improvement(pairs, counts, alpha)
    sentence = (
        f"Across {len(usable)} tasks of {place}: the interquartile mean of skill is {written(deeper)} at depth {depth} "
        f"and {written(one_layer)} at depth 1, a difference of {written(apart, '+')}; a run at depth {depth} beats one "
        f"at depth 1 with probability {written(improvement)}"
    )
    return Pooled(
        **common, depth=depth, tasks=[one.task for one in usable], left_out=left_out, one_layer=one_layer,
        deeper=deeper, difference=apart, improvement=improvement, limits=limits + _limits(usable), sentence=sentence,
    )  # fmt: skip


def _matched(one: Scores) -> str:
    return {"flops": "FLOPs", "state": "total state"}.get(one.match, one.match)


def _means(
    pairs: Sequence[np.ndarray], counts: Sequence[np.ndarray], alpha: float
) -> tuple[Estimate, Estimate, Estimate]:
    """Interquartile means of depth 1 and of the deeper depth, and their difference."""
    observed = interquartile_mean(np.concatenate(pairs).T)
    again = np.concatenate([pair[_drawn(count)] for pair, count in zip(pairs, counts, strict=True)], axis=1)
    draws = interquartile_mean(again.swapaxes(1, 2))
    return (
        estimate(observed[0], draws[:, 0], alpha),
        estimate(observed[1], draws[:, 1], alpha),
        estimate(observed[1] - observed[0], draws[:, 1] - draws[:, 0], alpha),
    )


def _drawn(counts: np.ndarray) -> np.ndarray:
    """`(DRAWS, units)`: the units that were drawn, from how often each was."""
    return np.repeat(np.tile(np.arange(counts.shape[1]), DRAWS), counts.ravel()).reshape(counts.shape)


def _improvement(pairs: Sequence[np.ndarray], counts: Sequence[np.ndarray], alpha: float) -> Estimate:
    """The draws reuse one table of wins a task: a run drawn twice counts twice."""
    tables = [wins(pair[:, 1], pair[:, 0]) for pair in pairs]
    drawn = [((count @ table) * count).sum(axis=1) / table.size for table, count in zip(tables, counts, strict=True)]
    return estimate(float(np.mean([table.mean() for table in tables])), np.mean(drawn, axis=0), alpha)


def _limits(usable: Sequence[Scores]) -> list[str]:
    said = []
    units = sorted({len(one.units) for one in usable})
    if len(units) > 1:
        said.append(f"tasks have {units[0]} to {units[-1]} units: one with more weighs more in the interquartile mean")
    if fixed := [one.task for one in usable if one.replicates != "seeds"]:
        said.append(f"{', '.join(fixed)}: fixed data, whose test blocks are not resampled here")
    return said
