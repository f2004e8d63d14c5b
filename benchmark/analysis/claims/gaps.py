"""Claims on the gap between training and test loss: does depth widen it, does it narrow it, does regularisation help?

Gaps are paired by seed and on the scale of the test score (see `analysis.trainability`), at equal parameters. Their
intervals are simultaneous over the depths of a task; here they are widened for the number of tasks and budgets read.
"""

from __future__ import annotations

from collections.abc import Sequence

from scipy import stats

from benchmark.analysis.claims.admission import LEVEL, MARGIN
from benchmark.analysis.claims.claim import Basis, Reading, Ruling, Says
from benchmark.analysis.claims.over_tasks import every_part, over_tasks
from benchmark.analysis.claims.sides import against_one, arms, asked, briefly, by_place, natural, unchecked
from benchmark.analysis.diagnoses import Trainability
from benchmark.analysis.findings import Arm, Findings
from benchmark.analysis.outcome import Contrast

_GATES = ("incomplete", "not tuned", "not converged")
"""A contrast that is too hard or too easy on test still has a gap; these leave nothing to read."""
Place = tuple[Findings, Contrast, Trainability]


def deeper_overfits(studies: Sequence[Findings]) -> Ruling:
    """Without regularisation every deeper depth's gap is wider by a margin; with it none is."""
    places = _places(studies)
    bare = [_widening(place, len(places), False) for place in places if _regularised(place) is False]
    regularised = [_widening(place, len(places), True) for place in places if _regularised(place)]
    return every_part(
        {"each layer widens the gap": over_tasks(bare), "regularisation closes it": over_tasks(regularised)}
    )


def deeper_generalises(studies: Sequence[Findings]) -> Ruling:
    """For: a depth whose gap is narrower by a margin, and whose test score is no worse. Against: no gap narrower."""
    places = _places(studies)
    return over_tasks([_narrowing(place, len(places), len(studies)) for place in places])


def widened(
    value: float, low: float | None, high: float | None, units: int, times: int
) -> tuple[float | None, float | None]:
    """An interval of `units` values at 1 - 0.05, widened to 1 - 0.05 / `times` (Bonferroni, on Student's t)."""
    if units < 2:
        return None, None
    reach, wider = (float(stats.t.ppf(1 - LEVEL / 2 / several, units - 1)) for several in (1, times))
    ends = [None if end is None else value + (end - value) * wider / reach for end in (low, high)]
    return ends[0], ends[1]


def _places(studies: Sequence[Findings]) -> list[Place]:
    found = []
    for study in studies:
        told = {(one.task, one.budget, one.match, one.variant): one for one in study.trainability}
        for (task, budget), by_match in by_place(study, natural).items():
            trained = told.get((task, budget, "parameters", "plain"))
            if trained is not None and "parameters" in by_match:
                found.append((study, by_match["parameters"], trained))
    return found


def _regularised(place: Place) -> bool | None:
    """Whether every deeper depth was tuned to dropout or weight decay; None where only some were."""
    study, contrast, _ = place
    used = {_decayed(arm) for arm in arms(study, contrast) if arm.depth > 1}
    return used.pop() if len(used) == 1 else None


def _decayed(arm: Arm) -> bool:
    return any(arm.hyperparameters.get(name, 0.0) > 0 for name in ("dropout", "weight_decay"))


def _basis(place: Place, times: int) -> list[Basis]:
    """How much wider the gap of each deeper depth is than one layer's."""
    study, contrast, trained = place
    found = []
    for one in trained.depths:
        if (gap := one.test_gap_widened) is not None:
            low, high = widened(gap.value, gap.low, gap.high, contrast.seeds, times)
            found.append(
                Basis(
                    study=study.study, task=contrast.task, budget=contrast.budget, match=contrast.match,
                    depth=one.depth, measure="gap from training to test, over one layer's", value=gap.value, low=low,
                    high=high, kind=contrast.score,
                )
            )  # fmt: skip
    return found


def _reading(place: Place, basis: list[Basis], says: Says, reason: str) -> Reading:
    _, contrast, trained = place
    if not basis:
        says, reason = "neither", next(iter(trained.limits), "training losses were not recorded")
    elif contrast.reason.startswith(_GATES):
        says, reason = "neither", briefly(contrast.reason)
    return Reading(
        group=contrast.family,
        task=contrast.task,
        problem=asked(contrast),
        budget=contrast.budget,
        says=says,
        reason=reason,
        basis=basis,
        limits=unchecked([contrast]),
    )


def _above(one: Basis) -> bool:
    return one.value is not None and one.low is not None and one.value >= MARGIN and one.low > 0


def _below(one: Basis) -> bool:
    return one.value is not None and one.high is not None and one.value <= -MARGIN and one.high < 0


def _widening(place: Place, times: int, regularised: bool) -> Reading:
    basis = _basis(place, times)
    every, any_wider = all(map(_above, basis)), any(map(_above, basis))
    none = all(one.high is not None and one.high < MARGIN for one in basis)
    if regularised:
        says: Says = "for" if none else "against" if any_wider else "neither"
    else:
        says = "for" if every else "against" if none else "neither"
    return _reading(place, basis, says, "open")


def _narrowing(place: Place, times: int, studies: int) -> Reading:
    study, contrast, _ = place
    basis = _basis(place, times)
    side = against_one(contrast, study, studies)
    narrower = {one.depth for one in basis if _below(one)}
    none = all(one.low is not None and one.low > -MARGIN for one in basis)
    if narrower & (side.better | side.equivalent):
        return _reading(place, basis, "for", "")
    reason = "its test score is not settled" if narrower else "open"
    return _reading(place, basis, "against" if none else "neither", reason)
