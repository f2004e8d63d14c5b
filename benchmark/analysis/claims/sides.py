"""From contrasts to readings: what one task at one budget says of a claim about test scores.

A claim needs equal parameters and equal total state (PROTOCOL 2): a task says something where both say the same. Only
plain stacks are read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from benchmark.analysis.beyond import BeyondTwo
from benchmark.analysis.claims.admission import MARGIN, judged_again, shared
from benchmark.analysis.claims.claim import Basis, Reading, Says
from benchmark.analysis.fairness import listed
from benchmark.analysis.findings import Arm, Findings
from benchmark.analysis.outcome import Contrast
from benchmark.spec import problem as setting

MATCHES = ("parameters", "state")
_OTHER: dict[Says, Says] = {"for": "against", "against": "for"}
_SEVERAL = "open once its error is shared by several studies"


@dataclass(frozen=True)
class Side:
    """What one contrast says at one match: which depths are better, or that all are equivalent or worse."""

    better: frozenset[int] = frozenset()
    equivalent: frozenset[int] = frozenset()
    settled: bool = False
    reason: str = ""
    basis: list[Basis] = field(default_factory=list)

    def at(self, depth: int) -> Basis | None:
        """The number of one depth."""
        return next((one for one in self.basis if one.depth == depth), None)


def natural(study: Findings, one: Contrast) -> bool:
    """Natural tasks alone answer for sequences at large: no control and no dial (PROTOCOL 16)."""
    return one.role == "natural"


def asked(one: Contrast) -> str:
    """What counts as one task: a natural task in whatever setting, since two settings are no two kinds of data; of a
    dial each setting.
    """
    return one.source if one.role == "natural" else setting(one.source, one.parameters)


def by_place(study: Findings, keep: Callable[[Findings, Contrast], bool]) -> dict[tuple[str, int], dict[str, Contrast]]:
    """(task, budget) -> match -> contrast, of plain stacks, sorted."""
    places: dict[tuple[str, int], dict[str, Contrast]] = {}
    for one in sorted(study.contrasts, key=lambda one: (one.task, one.budget, one.match)):
        if one.variant == "plain" and keep(study, one):
            places.setdefault((one.task, one.budget), {})[one.match] = one
    return places


def readings(
    study: Findings,
    studies: int,
    keep: Callable[[Findings, Contrast], bool],
    group: Callable[[Contrast], str],
    better: Says,
) -> Iterator[Reading]:
    """One reading per task and budget; `better` is what a depth that beats one layer at both matches says."""
    for by_match in by_place(study, keep).values():
        sides = {match: against_one(one, study, studies) for match, one in by_match.items()}
        first = next(iter(by_match.values()))
        yield reading(first, group(first), sides, better, limits(study, by_match.values()))


def reading(
    first: Contrast,
    group: str,
    sides: Mapping[str, Side],
    better: Says,
    said: Sequence[str] = (),
    problem: str = "",
) -> Reading:
    """`better` where some depth is better at both matches, its opposite where all are settled at both.

    `problem` is what counts as one task, by default as `asked` says.
    """
    says, reason = _both(sides, better)
    return Reading(
        group=group,
        task=first.task,
        problem=problem or asked(first),
        budget=first.budget,
        says=says,
        reason=reason,
        basis=[number for one in sides.values() for number in one.basis],
        limits=list(said),
    )


def _both(sides: Mapping[str, Side], better: Says) -> tuple[Says, str]:
    if missing := [match for match in MATCHES if match not in sides]:
        return "neither", f"equal {missing[0]} not tested"
    several = [sides[match] for match in MATCHES]
    if frozenset.intersection(*(one.better for one in several)):
        return better, ""
    if all(one.settled for one in several):
        return _OTHER[better], ""
    if several[0].better:
        return "neither", "better at equal parameters, not separable from more state"
    return "neither", next((one.reason for one in several if one.reason), "equal parameters and equal state differ")


def against_one(contrast: Contrast, study: Findings, studies: int) -> Side:
    """A contrast against one layer: its verdict stands, and its pairs are judged again for several studies."""
    judged = {
        pair.depth: judged_again(
            pair.difference, pair.low, pair.high, pair.p_adjusted, pair.p_equivalence_adjusted,
            margin=contrast.margin, alpha=study.look.alpha, studies=studies,
        )
        for pair in contrast.pairs
    }  # fmt: skip
    basis = [
        Basis(
            study=study.study, task=contrast.task, budget=contrast.budget, match=contrast.match, depth=pair.depth,
            measure=f"{contrast.score} over one layer", value=pair.difference, low=pair.low, high=pair.high,
            p=shared(pair.p_adjusted, studies), kind=contrast.score,
        )
        for pair in contrast.pairs
    ]  # fmt: skip
    equivalent = frozenset(depth for depth, one in judged.items() if one == "equivalent")
    if contrast.verdict == "deeper":
        better = frozenset(depth for depth in contrast.depths if judged.get(depth) == "better")
        return Side(better, equivalent, reason="" if better else _SEVERAL, basis=basis)
    if contrast.verdict in ("wider", "no practical difference"):
        settled = all(one in ("equivalent", "worse") for one in judged.values())
        return Side(frozenset(), equivalent, settled, "" if settled else _SEVERAL, basis)
    return Side(reason=briefly(contrast.reason), basis=basis)


def briefly(reason: str) -> str:
    """Why a contrast is undecided, without its numbers: these are the report's to tell, task by task."""
    return "open" if re.match(r"\d+ more ", reason) else reason.partition(":")[0]


def against_two(rows: Sequence[BeyondTwo], study: Findings, studies: int) -> Side:
    """The depths beyond two of one contrast against two layers; as in a verdict, the better must train as reliably."""
    judged, basis = {}, []
    for one in rows:
        found = judged_again(
            one.difference, one.low, one.high, one.p_adjusted, one.p_equivalence_adjusted,
            margin=MARGIN, alpha=study.look.alpha, studies=studies,
        )  # fmt: skip
        more = one.successes - one.successes_two_layers
        unreliable = (found == "better" and more < 0) or (found == "worse" and more > 0)
        judged[one.depth] = "open" if unreliable else found
        basis.append(
            Basis(
                study=study.study, task=one.task, budget=one.budget, match=one.match, depth=one.depth,
                measure=f"{one.kind} over two layers", value=one.difference, low=one.low, high=one.high,
                p=shared(one.p_adjusted, studies), kind=one.kind,
            )
        )  # fmt: skip
    if reason := next((one.reason for one in rows if one.reason), ""):
        return Side(reason=briefly(reason), basis=basis)
    better = frozenset(depth for depth, found in judged.items() if found == "better")
    settled = all(found in ("equivalent", "worse") for found in judged.values())
    return Side(better, frozenset(), settled, "" if better or settled else "open", basis)


def arms(study: Findings, contrast: Contrast) -> list[Arm]:
    """The arms of a contrast, shallow first, without the copies of depth 1."""
    place = (contrast.task, contrast.budget, contrast.match, contrast.variant)
    mine = [one for one in study.arms if (one.task, one.budget, one.match, one.variant) == place and not one.replica]
    return sorted(mine, key=lambda one: one.depth)


def unchecked(contrasts: Iterable[Contrast]) -> list[str]:
    """A verdict that was not checked with twice the steps says so in its sentence (PROTOCOL 10)."""
    open_ended = [one for one in contrasts if one.verdict != "undecided" and "converged at" not in one.sentence]
    return [f"{one.task}: at {one.steps:,} steps, not checked with twice as many" for one in open_ended[:1]]


def limits(study: Findings, contrasts: Iterable[Contrast]) -> list[str]:
    """What a verdict that decides must be read with: its steps, and any variation under which it does not stand."""
    several = list(contrasts)
    places = {(one.task, one.budget, one.match, one.variant) for one in several}
    fallen: dict[tuple[str, str], set[int]] = {}
    for one in study.sensitivity:
        if one.stands is False and (one.task, one.budget, one.match, one.variant) in places:
            fallen.setdefault((one.task, one.kind), set()).add(one.budget)
    return unchecked(several) + [
        f"{task} at {listed([f'{budget:,}' for budget in sorted(budgets)])}: would not stand in one variation ({kind})"
        for (task, kind), budgets in fallen.items()
    ]
