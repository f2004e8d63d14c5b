"""Evidence from anywhere, judged by Strata's rules: what `strata analyse` prints and a calibration is held to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.analysis.analyse import analyse
from benchmark.analysis.findings import Findings
from benchmark.analysis.outline import outline, with_limits
from benchmark.flat import load


@dataclass(frozen=True)
class Judged:
    """Findings with their limits, the same in short as plain JSON types, and what the files lacked."""

    findings: Findings
    outline: dict[str, Any]
    absent: list[str]
    unread: list[str]


def judge(path: Path, margin: float | None = None, alpha: float | None = None) -> Judged:
    """A folder of the schema, or one flat table. Raises UserError: file, column, row, and what to do."""
    loaded = load(path, margin, alpha)
    tuned = bool(loaded.evidence.study.get("tuning"))
    findings = with_limits(analyse(loaded.evidence), tuned)
    short = outline(findings, loaded.absent, loaded.unread, tuned)
    return Judged(findings, short, loaded.absent, loaded.unread)
