"""From evidence to verdicts: the part of the analysis that decides, and all that a calibration simulates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from benchmark.analysis import sentences
from benchmark.analysis.contrasts import Measured, decide, measure
from benchmark.analysis.family import PLACE, Declared, declared
from benchmark.analysis.looks import Looking, looking
from benchmark.analysis.outcome import Contrast
from benchmark.analysis.skill import joined
from benchmark.evidence import Evidence


@dataclass(frozen=True, eq=False)
class Decisions:
    """Every contrast that a study declares with its verdict, in the order declared, and what it was decided from."""

    at: Looking
    rows: pd.DataFrame
    """Every use of a run at this look, scored: see `skill.joined`."""
    declared: Sequence[Declared]
    measured: Sequence[Measured]
    contrasts: Sequence[Contrast]


def decisions(evidence: Evidence) -> Decisions:
    """Measure every declared contrast, adjust within the two families, judge.

    Raises UserError where a task's reference losses leave nothing to be better than, or the tables do not fit.
    """
    study, at = evidence.study, looking(evidence.study)
    rows = joined(evidence, at.seeds, study["training"]["divergence_multiple"])
    asked = declared(study, evidence.runs)
    places = dict(iter(rows.groupby(list(PLACE), sort=False)))
    measured = [measure(one, places.get(one.place, rows[:0]), evidence.blocks, study, at) for one in asked]
    return Decisions(at, rows, asked, measured, decided(measured, study, at))


def decided(measured: Sequence[Measured], study: Mapping[str, Any], at: Looking) -> list[Contrast]:
    """Holm within each family; the contrasts come back in the order declared."""
    found: dict[int, Contrast] = {}
    for family in ("primary", "controls"):
        mine = [(place, one) for place, one in enumerate(measured) if one.declared.family == family]
        judged = decide([one for _, one in mine], study, at)
        found |= dict(zip((place for place, _ in mine), judged, strict=True))
    return sentences.with_state([found[place] for place in range(len(measured))])
