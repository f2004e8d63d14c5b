"""Did training make upper layers slower? Half-lives of the highest layer over the lowest, against no training at all.

The units are networks: each is compared with itself at initialisation, which takes away what stacking alone does, and
signs are flipped as in a contrast. A half-life that outlasts the window stands at the window, and where it could be
what makes the difference, nothing is claimed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from benchmark.analysis.multiplicity import holm, pair_p
from benchmark.analysis.signflip import max_t
from benchmark.analysis.traces import STATES, Answer, Separation, State, Timescale

UNTESTED = "cannot reach significance"
"""What the reason of an arm says that has too few networks to be tested."""


def separations(values: np.ndarray, censored: np.ndarray, alpha: float) -> list[Separation]:
    """Of h and of c, before the other arms are known; `values` `(networks, states, layers, keys, 2)`."""
    logs = np.log(values)
    highest_over_lowest = logs[:, :, -1] - logs[:, :, 0]
    learned = (highest_over_lowest[0] - highest_over_lowest[1]).transpose(2, 1, 0)  # trained minus untrained
    half_lives, areas = learned
    # What outlasts the window is longer than its number says, which moves the difference up or down.
    may_be_more = censored[0, :, -1] | censored[1, :, 0]
    may_be_less = censored[0, :, 0] | censored[1, :, -1]
    if not np.isfinite(learned).all():
        silent = "a layer hears nothing of its input"
        return [_separation(state, (may_be_more | may_be_less)[at], reason=silent) for at, state in enumerate(STATES)]
    tested, tested_areas = max_t(half_lives, alpha), max_t(areas, alpha)
    found = []
    for at, state in enumerate(STATES):
        mean = float(half_lives[:, at].mean())
        one = _separation(state, (may_be_more | may_be_less)[at])
        found.append(
            dataclasses.replace(
                one,
                ratio=math.exp(mean),
                low=_bounded(tested.low[at]),
                high=_bounded(tested.high[at]),
                p=float(tested.p[at]),
                area_ratio=math.exp(areas[:, at].mean()),
                area_p=float(tested_areas.p[at]),
                overstated=int((may_be_less if mean > 0 else may_be_more)[at].sum()),
            )
        )
    return found


def _separation(state: State, censored: np.ndarray, reason: str = "") -> Separation:
    return Separation(
        state=state, ratio=None, low=None, high=None, p=None, p_adjusted=None, area_ratio=None, area_p=None,
        censored=int(censored.sum()), overstated=0, answer="undecided", reason=reason,
    )  # fmt: skip


def _bounded(end: float) -> float | None:
    return math.exp(end) if math.isfinite(end) else None


def adjusted(found: Sequence[Timescale], alpha: float) -> list[Timescale]:
    """Holm over the deeper arms of the study, on the smaller p of each; then every state is judged.

    An arm with so few networks that no result could reach significance is shown and not tested, so it takes no share of
    the error from the others (Tarone 1990); which these are depends on the number of networks alone.
    """
    deeper = [one for one in found if one.separations and _testable(len(one.seeds), alpha)]
    smallest = [min((each.p for each in one.separations if each.p is not None), default=1.0) for one in deeper]
    by_arm = dict(zip(map(id, deeper), holm(smallest), strict=True)) if deeper else {}
    return [
        dataclasses.replace(
            one,
            separations=[_judged(each, by_arm.get(id(one), 1.0), len(one.seeds), alpha) for each in one.separations],
        )
        for one in found
    ]


def _testable(networks: int, alpha: float) -> bool:
    """Whether flipping the signs of so many networks can give a p of `alpha`."""
    return 2.0 ** (1 - networks) <= alpha


def _judged(one: Separation, arm_p: float, networks: int, alpha: float) -> Separation:
    if one.ratio is None or one.p is None:
        return one
    p = pair_p(one.p, arm_p)
    answer: Answer = "undecided"
    if not _testable(networks, alpha):
        reason = f"{networks} network{'s' * (networks != 1)} {UNTESTED}"
    elif p > alpha:
        reason = "within what chance gives"
    elif one.overstated:
        reason = f"in {one.overstated} of {networks} networks a half-life outlasts the window, so it may be overstated"
    else:
        answer, reason = "slower" if one.ratio > 1 else "faster", ""
    return dataclasses.replace(one, p_adjusted=p, answer=answer, reason=reason)
