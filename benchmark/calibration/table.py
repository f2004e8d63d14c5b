"""Rates beside nominal: the rows of the calibration, for a terminal, the documentation and another program."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.calibration.run import Happened
from benchmark.calibration.scenarios import COUNTED, Scenario

LIMIT = "above twice nominal: a limit"
ABOVE = "above nominal"
_NORMAL = 1.959963984540054
"""97.5 % point of the normal law."""
_WORDS = ("scenario", "what is true", "counted", "remark")
_HEADER = (*_WORDS[:2], "contrasts", "counted", "nominal", "studies", "rate", "95 % interval", "remark")


@dataclasses.dataclass(frozen=True)
class Row:
    """One event of one scenario: how often it may happen and how often it did."""

    scenario: str
    truth: str
    contrasts: int
    counted: str
    nominal: float | None
    """None where the event is what a study is for, and its rate is power."""
    studies: int
    happened: int

    @property
    def rate(self) -> float:
        """Share of the studies in which it happened."""
        return self.happened / self.studies

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the rate."""
        return wilson(self.happened, self.studies)

    @property
    def remark(self) -> str:
        """What a reader must know of the rate; '' where it is as it should be."""
        if self.nominal is None:
            return ""
        if self.rate > 2 * self.nominal:
            return LIMIT
        return ABOVE if self.interval[0] > self.nominal else ""


def wilson(happened: int, studies: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson 1927): never outside 0 to 1, never empty at 0 or 1."""
    share, square = happened / studies, _NORMAL**2
    middle = (share + square / (2 * studies)) / (1 + square / studies)
    half = _NORMAL * math.sqrt(share * (1 - share) / studies + square / (4 * studies**2)) / (1 + square / studies)
    return max(0.0, middle - half), min(1.0, middle + half)


def rows(scenarios: Sequence[Scenario], found: Mapping[str, Happened]) -> list[Row]:
    """A row for every event counted, in the order of the scenarios; those without a study are left out."""
    return [
        Row(
            scenario=scenario.name,
            truth=scenario.truth,
            contrasts=scenario.contrasts,
            counted=COUNTED[event].words,
            nominal=COUNTED[event].nominal,
            studies=len(found[scenario.name]),
            happened=sum(event in events for events in found[scenario.name].values()),
        )
        for scenario in scenarios
        if found[scenario.name]
        for event in scenario.counted
    ]


def cells(row: Row) -> list[str]:
    """Nominal rate, number of studies, rate and interval in words."""
    low, high = row.interval
    nominal = "" if row.nominal is None else f"{row.nominal:.1%}"
    return [nominal, f"{row.studies:,}", f"{row.rate:.2%}", f"{low:.2%} to {high:.2%}"]


def terminal(found: Sequence[Row]) -> str:
    """The table for a terminal: a line for each scenario, and under it one for each event."""
    lines = [f"{'rate':>9}   {'95 % interval':>17}   {'nominal':>7}   counted"]
    before = ""
    for row in found:
        nominal, studies, rate, interval = cells(row)
        if row.scenario != before:
            lines.append(f"{row.scenario}: {row.truth}; contrasts {row.contrasts}, studies {studies}")
        remark = f" ({row.remark})" if row.remark else ""
        lines.append(f"{rate:>9}   {interval:>17}   {nominal:>7}   {row.counted.replace('`', '')}{remark}")
        before = row.scenario
    return "\n".join(lines)


def markdown(found: Sequence[Row]) -> str:
    """The table for the documentation: what is true stands at the first row of a scenario."""
    lines = [list(_HEADER), ["---" if name in _WORDS else "---:" for name in _HEADER]]
    before = ""
    for row in found:
        first = [f"`{row.scenario}`", row.truth, f"{row.contrasts}"] if row.scenario != before else ["", "", ""]
        lines.append([*first, row.counted, *cells(row), row.remark])
        before = row.scenario
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def record(row: Row) -> dict[str, Any]:
    """A row for another program."""
    found = dataclasses.asdict(row)
    return found | {"rate": row.rate, "interval": list(row.interval), "remark": row.remark}
