"""The claim that each layer works at its own timescale, the upper ones slower: read off `analysis.timescales`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmark.analysis.claims.admission import LEVEL, shared
from benchmark.analysis.claims.claim import Basis, Reading, Ruling, Says
from benchmark.analysis.claims.over_tasks import over_tasks
from benchmark.analysis.claims.sides import asked, by_place, natural
from benchmark.analysis.findings import Findings
from benchmark.analysis.outcome import Contrast
from benchmark.analysis.traces import Timescale

LOWEST_AND_HIGHEST = "the lowest layer and the highest are compared; those between are not"


def layer_timescales(studies: Sequence[Findings]) -> Ruling:
    """For: training slowed the highest layer against the lowest. Against: it made it faster."""
    found = []
    for study in studies:
        for (task, budget), by_match in by_place(study, natural).items():
            measured = [
                one
                for one in study.timescales
                if (one.task, one.budget, one.match, one.variant) == (task, budget, "parameters", "plain")
                and one.separations
            ]
            if "parameters" in by_match:
                found.append(_reading(study, by_match["parameters"], measured, len(studies)))
    return over_tasks(found)


def _reading(study: Findings, contrast: Contrast, measured: Sequence[Timescale], studies: int) -> Reading:
    """Any depth, and either state, says for a task, where none says the opposite."""
    basis, answers = [], set()
    for arm in measured:
        for one in arm.separations:
            p = shared(one.p_adjusted, studies)
            if p <= LEVEL and one.answer != "undecided":
                answers.add(one.answer)
            value, low, high = (None if x is None or x <= 0 else math.log2(x) for x in (one.ratio, one.low, one.high))
            basis.append(
                Basis(
                    study=study.study, task=arm.task, budget=arm.budget, match=arm.match, depth=arm.depth,
                    measure=f"doublings of the highest layer's half-life over the lowest's, by training ({one.state})",
                    value=value, low=low, high=high, p=p, kind="doublings",
                )
            )  # fmt: skip
    says: Says = "for" if answers == {"slower"} else "against" if answers == {"faster"} else "neither"
    reason = "layers were not measured: run `strata timescales`" if not basis else "open"
    return Reading(
        group=contrast.family, task=contrast.task, problem=asked(contrast),
        budget=contrast.budget, says=says, reason="" if says != "neither" else reason, basis=basis,
        limits=[LOWEST_AND_HIGHEST] if basis else [],
    )  # fmt: skip
