"""The claim that one layer follows the trend of a financial series and misses its season.

What the suite has: a simulated market whose yearly and daily cycles are switches. What it lacks: a real series whose
season can be taken out, so real series say nothing here.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence

from scipy import stats

from benchmark.analysis.claims.admission import LEVEL, MARGIN, shared
from benchmark.analysis.claims.claim import Reading, Ruling
from benchmark.analysis.claims.over_tasks import error, over_tasks
from benchmark.analysis.claims.sides import MATCHES, Side, against_one, by_place, limits, reading
from benchmark.analysis.findings import Findings
from benchmark.analysis.outcome import Contrast
from benchmark.spec import problem as setting

SEASONS = ("yearly", "intraday", "season")
"""Dials of financial tasks that switch a season on."""


def seasonality_needs_depth(studies: Sequence[Findings]) -> Ruling:
    """For: with the season depth pays, and by a margin more than without. Against: with the season none is better."""
    found = [one for study in studies for one in _seasonal(study, len(studies))]
    return over_tasks(found, groups=1, noun="families")


def _seasonal(study: Findings, studies: int) -> Iterator[Reading]:
    """Financial tasks with a season, each held against the same task without one."""
    places = list(by_place(study, _financial).values())
    without = {_identity(one): by_match for by_match in places if not _has_season(one := _first(by_match))}
    for by_match in places:
        first = _first(by_match)
        if not _has_season(first):
            continue
        sides = _sides(by_match, study, studies)
        name = setting(first.source, first.parameters)  # one market is all there is, so its settings count
        found = reading(first, first.family, sides, "for", limits(study, by_match.values()), name)
        if found.says == "for":
            plain = _sides(without.get(_identity(first), {}), study, studies)
            if reason := _no_more(sides, plain, studies):
                found = dataclasses.replace(found, says="neither", reason=reason)
        yield found


def _financial(study: Findings, one: Contrast) -> bool:
    return one.role == "natural" and one.family == "finance" and any(name in one.parameters for name in SEASONS)


def _first(by_match: Mapping[str, Contrast]) -> Contrast:
    return next(iter(by_match.values()))


def _has_season(one: Contrast) -> bool:
    return any(one.parameters.get(name) for name in SEASONS)


def _identity(one: Contrast) -> tuple[str, int]:
    """A task and budget, whether its seasons are on or off."""
    rest = {name: value for name, value in one.parameters.items() if name not in SEASONS}
    return f"{one.source} {json.dumps(rest, sort_keys=True)}", one.budget


def _sides(by_match: Mapping[str, Contrast], study: Findings, studies: int) -> dict[str, Side]:
    return {match: against_one(one, study, studies) for match, one in by_match.items()}


def _no_more(seasonal: Mapping[str, Side], plain: Mapping[str, Side], studies: int) -> str:
    """'' where some depth gains a margin more with the season than without, at both matches."""
    if not set(MATCHES) <= set(plain):
        return "the same task without its season was not run"
    depths = sorted(frozenset.intersection(*(seasonal[match].better for match in MATCHES)))
    p = min(max(_p_more(seasonal[match], plain[match], depth) for match in MATCHES) for depth in depths)
    if shared(p, studies * len(depths)) <= LEVEL:
        return ""
    return "depth does not gain more with the season than without it"


def _p_more(seasonal: Side, plain: Side, depth: int) -> float:
    """Two-sided p of "the gain of a depth is the same with the season and without"; 1 under a margin's difference.

    Both were trained on seeds of the same numbers, so they may go together: taking them as independent is cautious.
    """
    one, other = seasonal.at(depth), plain.at(depth)
    if one is None or other is None or one.value is None or other.value is None:
        return 1.0
    more, spread = one.value - other.value, (error(one) ** 2 + error(other) ** 2) ** 0.5
    return 1.0 if more < MARGIN or not spread else float(2 * stats.norm.sf(more / spread))
