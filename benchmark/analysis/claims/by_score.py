"""Claims that test scores decide: depth over width, two layers, one layer for simple tasks."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.analysis import mixed
from benchmark.analysis.beyond import BeyondTwo
from benchmark.analysis.claims.admission import LEVEL, shared
from benchmark.analysis.claims.claim import Basis, Ruling
from benchmark.analysis.claims.over_tasks import over_tasks
from benchmark.analysis.claims.sides import MATCHES, against_two, by_place, natural, reading, readings
from benchmark.analysis.findings import Findings
from benchmark.analysis.outcome import Contrast

SIMPLE = 1
"""Known depth of a simple task."""


def depth_over_width(studies: Sequence[Findings]) -> Ruling:
    """For: a depth better than one layer at both matches. Against: none better at either."""
    found = over_tasks(
        [one for study in studies for one in readings(study, len(studies), natural, lambda one: one.family, "for")]
    )
    return found if found.outcome != "undecided" else _with_known_depth(studies) or found


def two_layers_suffice(studies: Sequence[Findings]) -> Ruling:
    """For: every depth beyond two equivalent to two layers or worse. Against: one better than them at both matches."""
    found = []
    for study in studies:
        rows: dict[tuple[str, int], dict[str, list[BeyondTwo]]] = {}
        for row in study.beyond_two:
            if row.variant == "plain":
                rows.setdefault((row.task, row.budget), {}).setdefault(row.match, []).append(row)
        for place, by_match in by_place(study, natural).items():
            if place in rows:
                sides = {match: against_two(several, study, len(studies)) for match, several in rows[place].items()}
                first = next(iter(by_match.values()))
                limits = ["twice the steps were checked of every depth against one layer, not against two"]
                found.append(reading(first, first.family, sides, "against", limits))
    return over_tasks(found)


def one_layer_for_simple(studies: Sequence[Findings]) -> Ruling:
    """For: on a dial of known depth 1, no depth better than one layer at either match."""

    def simple(study: Findings, one: Contrast) -> bool:
        return one.role == "dial" and study.known_depths.get(one.task) == SIMPLE

    return over_tasks(
        [one for study in studies for one in readings(study, len(studies), simple, lambda one: one.source, "against")],
        noun="generators",
    )


def _with_known_depth(studies: Sequence[Findings]) -> Ruling | None:
    """`depends` where the gain of depth changes with the known depth of a task, at both matches (PROTOCOL 16, 21)."""
    for study in studies:
        models = {one.match: one for one in study.interaction if one.variant == "plain" and not one.reason}
        if not set(MATCHES) <= set(models):
            continue
        terms = [term for match in MATCHES for term in models[match].coefficients if term.name == mixed.KNOWN]
        p = shared(max(term.p for term in terms), len(studies))
        if p > LEVEL or len({term.value > 0 for term in terms}) > 1:
            continue
        basis = [
            Basis(
                study=study.study, task=f"{len(models[match].tasks)} tasks of known depth", budget=0, match=match,
                depth=0, measure=term.name, value=term.value, low=term.low, high=term.high, p=p, kind="skill",
            )
            for match, term in zip(MATCHES, terms, strict=True)
        ]  # fmt: skip
        limits = ["natural tasks decide nothing yet: this rests on tasks that were made for a known depth"]
        limits += [limit for match in MATCHES for limit in models[match].limits]
        return Ruling(
            outcome="depends", on="the known depth of the task", why=models[MATCHES[0]].sentence, basis=basis,
            limits=list(dict.fromkeys(limits)),
        )  # fmt: skip
    return None
