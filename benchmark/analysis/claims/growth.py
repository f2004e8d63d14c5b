"""The claim that on some functions the width a shallow stack needs grows exponentially with their depth.

Read off exchange rates: the width that one layer needs to score what k layers score on a task of known depth k, over
the width of one layer of the same size, w(k). Tasks of one generator that differ in one dial, their depth, make a
series, from two layers on: at one layer w is 1 by definition, and nothing was measured. An exponential rises faster
than any power of k, and a width in proportion to k is no burden, so a series is

- for, where w rises at every step, by more in all than in proportion to k, and its exponent, log w over log k between
  neighbours, is larger at the end of the series than at its start;
- against, where w rises by less than in proportion to k.

Errors are off the intervals of the rates, on logarithms; tests are normal, and Bonferroni over all series read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from benchmark.analysis.claims.admission import LEVEL
from benchmark.analysis.claims.claim import Basis, Ruling, Says
from benchmark.analysis.claims.over_tasks import error
from benchmark.analysis.findings import Findings

FEWEST_DEPTHS = 3
FEWEST_GENERATORS = 2
"""So many generators must speak against a claim about some functions before it is contradicted."""
LIMIT = "of the functions that were tried: no number of them excludes others"


@dataclass(frozen=True)
class Series:
    """One generator at one budget: log2 of w(k) with its error, for every known depth k from 2 on."""

    generator: str
    budget: int
    depths: list[int]
    widths: np.ndarray
    errors: np.ndarray
    basis: list[Basis]

    def test(self, weights: np.ndarray, offset: float = 0.0) -> tuple[float, float]:
        """Value and z of a weighted sum of the log widths, less `offset`."""
        value = float(weights @ self.widths) - offset
        return value, value / float(np.sqrt(weights**2 @ self.errors**2))

    @property
    def above_proportion(self) -> tuple[float, float]:
        """The whole rise over a rise in proportion to k, in doublings, and its z."""
        weights = np.zeros(len(self.depths))
        weights[[0, -1]] = -1.0, 1.0
        return self.test(weights, math.log2(self.depths[-1] / self.depths[0]))

    @property
    def bend(self) -> tuple[float, float]:
        """The exponent at the end of the series over that at its start, and its z; 0 for every power of k."""
        steps = np.diff(np.log2(self.depths))
        weights = np.zeros(len(self.depths))
        weights[[-2, -1]] += np.array([-1.0, 1.0]) / steps[-1]
        weights[[0, 1]] -= np.array([-1.0, 1.0]) / steps[0]
        return self.test(weights)

    def says(self, times: int) -> Says:
        """One-sided tests, each at the level over `times`; all that `for` asks must hold."""
        reach = float(stats.norm.isf(LEVEL / 2 / times))
        if (np.diff(self.widths) > 0).all() and min(self.above_proportion[1], self.bend[1]) >= reach:
            return "for"
        return "against" if self.above_proportion[1] <= -reach else "neither"


def exponentially_efficient(studies: Sequence[Findings]) -> Ruling:
    """Supported by one generator that is for at some budget and against at none; contradicted by two or more, all
    against. Depends on the budget where those of one generator say opposite things, each beyond its error.
    """
    series = [one for study in studies for one in _series(study)]
    basis = [number for one in series for number in one.basis]
    told: dict[str, dict[int, set[Says]]] = {}
    for one in series:
        told.setdefault(one.generator, {}).setdefault(one.budget, set()).add(one.says(len(series)))
    sides = {name: set().union(*by_budget.values()) - {"neither"} for name, by_budget in told.items()}
    why = "; ".join(
        f"{name}: {', '.join(f'{_words(said)} at {budget:,}' for budget, said in sorted(by_budget.items()))}"
        for name, by_budget in sorted(told.items())
    )
    if any(side == {"for"} for side in sides.values()):
        return Ruling(outcome="supported", why=why, basis=basis)
    if any(_crossed(by_budget) for by_budget in told.values()):
        return Ruling(outcome="depends", on="the budget", why=why, basis=basis)
    if len(sides) >= FEWEST_GENERATORS and all(side == {"against"} for side in sides.values()):
        return Ruling(outcome="contradicted", why=why, basis=basis, limits=[LIMIT])
    wanted = f"needed is a generator with exchange rates at {FEWEST_DEPTHS} known depths from 2 on"
    return Ruling(outcome="undecided", why=f"{why or 'nothing was read'}; {wanted}", basis=basis)


def _crossed(by_budget: dict[int, set[Says]]) -> bool:
    """Budgets on opposite sides of proportion, and none on both."""
    decided = [said - {"neither"} for said in by_budget.values()]
    return {"for"} in decided and {"against"} in decided and all(len(said) < 2 for said in decided)


def _words(said: set[Says]) -> str:
    return "open" if said == {"neither"} else " and ".join(sorted(said - {"neither"}))


def _series(study: Findings) -> Iterator[Series]:
    """Dials of one generator that differ in one parameter and have at least three known depths from two on."""
    dials = {one.task: one for one in study.contrasts if one.role == "dial" and one.match == "parameters"}
    rates = {
        (rate.task, rate.budget): rate
        for rate in study.exchange
        if rate.task in dials and not rate.reason and (rate.match, rate.variant) == ("parameters", "plain")
        and rate.depth == study.known_depths.get(rate.task)
    }  # fmt: skip
    groups: dict[tuple[str, str, str, int], dict[int, Basis]] = {}
    for (task, budget), rate in sorted(rates.items()):
        contrast, found = dials[task], rate.wider
        if rate.depth < 2 or found is None or not found.value or not found.low or not found.high:
            continue
        number = Basis(
            study=study.study, task=task, budget=budget, match="parameters", depth=rate.depth,
            measure="doublings of the width that one layer needs", value=math.log2(found.value),
            low=math.log2(found.low), high=math.log2(found.high), kind="doublings",
        )  # fmt: skip
        for dial in contrast.parameters:
            rest = {name: value for name, value in contrast.parameters.items() if name != dial}
            place = (contrast.source, dial, json.dumps(rest, sort_keys=True), budget)
            groups.setdefault(place, {})[rate.depth] = number
    for (source, _, _, budget), by_depth in sorted(groups.items()):
        basis = [by_depth[depth] for depth in sorted(by_depth)]
        if len(basis) >= FEWEST_DEPTHS and all(error(one) > 0 for one in basis):
            yield Series(
                source, budget, sorted(by_depth), np.array([one.value for one in basis], dtype=float),
                np.array([error(one) for one in basis]), basis,
            )  # fmt: skip
