"""The interaction: does the gain of depth grow with the known depth of a task (PROTOCOL 16 and 21)?

A mixed model, fitted by statsmodels, of the gain over depth 1, which is 0 at depth 1 by definition:

    gain = log2(depth) x (a + b x known depth + c x log2(budget) + task's own) + error

so that `a` is the gain of one doubling of depth, and each task has a slope of its own. Widths do not appear: at one
matched budget log depth and log width are collinear. Known depth and log budget are centred at their means.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from benchmark.analysis.across import barred, refusal
from benchmark.analysis.estimates import Coefficient, Mixed
from benchmark.analysis.scores import Scores
from benchmark.errors import UserError

FEWEST_TASKS, FEWEST_KNOWN = 8, 3
ROLES = ("natural", "dial")
"""Controls were chosen for their direction, so they would bias the slope that is sought."""
DOUBLING = "one doubling of depth"
KNOWN = "one more layer of known depth, per doubling of depth"
BUDGET = "one doubling of the budget, per doubling of depth"


@dataclass(frozen=True)
class _Table:
    """The observations: gain, log2 of depth, known depth, log2 of budget, and the task of each."""

    gain: np.ndarray
    doublings: np.ndarray
    known: np.ndarray
    budget: np.ndarray
    task: np.ndarray

    def design(self) -> dict[str, np.ndarray]:
        """Name of every term and its column. Budgets enter where there are several."""
        columns = {DOUBLING: self.doublings, KNOWN: self.doublings * self.known}
        if np.ptp(self.budget) > 0:
            columns[BUDGET] = self.doublings * self.budget
        return columns


def mixed(contrasts: Sequence[Scores], purpose: str, alpha: float = 0.05) -> list[Mixed]:
    """One model per match and variant, over all budgets; the order given does not matter.

    Raises UserError where statsmodels is not installed.
    """
    groups: dict[tuple[str, str], list[Scores]] = {}
    for one in sorted(contrasts, key=lambda one: (one.task, one.budget)):
        if one.role in ROLES and one.known_depth is not None:
            groups.setdefault((one.match, one.variant), []).append(one)
    return [_mixed(place, several, purpose, alpha) for place, several in sorted(groups.items())]


def _mixed(place: tuple[str, str], several: Sequence[Scores], purpose: str, alpha: float) -> Mixed:
    usable = [one for one in several if not barred(one)]
    left_out = [f"{one.task} at budget {one.budget:,}: {barred(one)}" for one in several if barred(one)]
    tasks = sorted({one.task for one in usable})
    known = sorted({one.known_depth for one in usable if one.known_depth is not None})
    budgets = sorted({one.budget for one in usable})
    table = _observations(usable)
    reason = refusal(purpose) or _missing(tasks, known)
    if not reason and len(table.gain) <= len(tasks):
        reason = "not estimable: one gain per task cannot tell the tasks apart from noise: add a depth or a budget"
    coefficients: list[Coefficient] = []
    spread: float | None = None
    limits: list[str] = []
    if not reason:
        coefficients, spread, limits, reason = _fitted(table, len(tasks), alpha)
        limits = _limits(usable, budgets) + limits if not reason else []
    where = f"the gain of depth against known depth, equal {place[0]}"
    return Mixed(
        match=place[0], variant=place[1], tasks=tasks, left_out=left_out, known_depths=known, budgets=budgets,
        observations=len(table.gain), coefficients=coefficients, task_spread=spread, reason=reason, limits=limits,
        sentence=f"Mixed model of {where}: {reason or _said(coefficients, len(tasks))}",
    )  # fmt: skip


def _missing(tasks: Sequence[str], known: Sequence[int]) -> str:
    wanted = []
    if len(tasks) < FEWEST_TASKS:
        wanted.append(f"{len(tasks)} of at least {FEWEST_TASKS} tasks of known depth")
    if len(known) < FEWEST_KNOWN:
        wanted.append(f"{len(known)} of at least {FEWEST_KNOWN} known depths")
    return f"not estimable: {' and '.join(wanted)}" if wanted else ""


def _observations(usable: Sequence[Scores]) -> _Table:
    rows = [
        (float(np.mean(one.of(depth) - one.of(1))), math.log2(depth), one.known_depth, math.log2(one.budget))
        for one in usable
        for depth in sorted(one.depths)
        if depth > 1
    ]
    task = np.array([one.task for one in usable for depth in one.depths if depth > 1], dtype=object)
    gain, doublings, known, budget = np.array(rows, dtype=float).reshape(-1, 4).T
    if len(rows):
        known, budget = known - known.mean(), budget - budget.mean()
    return _Table(gain, doublings, known, budget, task)


def _fitted(table: _Table, tasks: int, alpha: float) -> tuple[list[Coefficient], float | None, list[str], str]:
    """Coefficients, spread of the tasks' slopes, limits, and '' or why there is no estimate."""
    try:
        from statsmodels.regression.mixed_linear_model import MixedLM  # type: ignore[import-untyped]
    except ModuleNotFoundError:
        raise UserError("the mixed model needs statsmodels: run `pip install statsmodels` and analyse again") from None
    columns = table.design()
    design = np.column_stack(list(columns.values()))
    if np.linalg.matrix_rank(design) < design.shape[1] or len(table.gain) <= design.shape[1]:
        return [], None, [], f"not estimable: {' and '.join(columns)} cannot be told apart with these tasks"
    unit = float(np.std(table.gain))
    if unit == 0:
        return [], None, [], "not estimable: every gain is the same"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            # In units of their own spread: what statsmodels warns of is measured against fixed numbers.
            model = MixedLM(table.gain / unit, design, groups=table.task, exog_re=table.doublings[:, None])
            fit = model.fit(reml=True)
            values, errors = unit * np.asarray(fit.fe_params, dtype=float), unit * np.asarray(fit.bse_fe, dtype=float)
        except (np.linalg.LinAlgError, ValueError) as error:
            return [], None, [], f"not estimable: the fit failed ({error})"
    if not fit.converged or not np.isfinite([*values, *errors]).all() or (errors <= 0).any():
        return [], None, [], "not estimable: the fit did not converge"
    # Slopes on what differs between tasks have as many degrees of freedom as tasks, less the two coefficients that
    # tasks carry; the normal law of statsmodels would be too sure of 8 tasks.
    freedom = tasks - 2
    reach = float(stats.t.ppf(1 - alpha / 2, freedom))
    coefficients = [
        Coefficient(
            name=name, value=float(value), error=float(error), low=float(value - reach * error),
            high=float(value + reach * error), p=float(2 * stats.t.sf(abs(value / error), freedom)),
        )
        for name, value, error in zip(columns, values, errors, strict=True)
    ]  # fmt: skip
    spread = unit * math.sqrt(max(0.0, float(fit.cov_re[0, 0])))
    return coefficients, spread, sorted({_plainly(str(said.message)) for said in caught}), ""


def _plainly(warning: str) -> str:
    """A warning of the fit as a limit that a reader can weigh."""
    if "boundary" in warning:
        return "the tasks' own slopes can hardly be told from none: what they differ by may be underestimated"
    return f"the fit warns: {' '.join(warning.split()).rstrip('.')}"


def _limits(usable: Sequence[Scores], budgets: Sequence[int]) -> list[str]:
    said = []
    if len(budgets) == 1:
        said.append(
            "one budget: there log depth and log width are collinear, so depth cannot be told from fewer cells a layer"
        )
    tasks, sources = {one.task for one in usable}, {one.source for one in usable}
    if len(sources) < len(tasks):
        generators = "one generator" if len(sources) == 1 else f"{len(sources)} generators"
        said.append(f"the {len(tasks)} tasks are settings of {generators}, taken as independent")
    return said


def _said(coefficients: Sequence[Coefficient], tasks: int) -> str:
    parts = [f"{found.name} adds {found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]" for found in coefficients]
    return f"over {tasks} tasks, in skill, {'; '.join(parts)}"
