"""The ledger: every claim with its verdict, over the studies that count."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.analysis.claims.admission import admitted
from benchmark.analysis.claims.claim import Claim, Ruling
from benchmark.analysis.claims.table import TABLE, Row
from benchmark.analysis.findings import Findings


def ledger(studies: Sequence[Findings]) -> list[Claim]:
    """Every row of the table over all studies, each of which was analysed alone; their order does not matter.

    Screens and smoke studies never enter, nor do studies whose controls did not pass. Where none counts, every claim
    is undecided.
    """
    counted, left = admitted(studies)
    return [_claim(row, counted, left) for row in TABLE]


def _claim(row: Row, counted: Sequence[Findings], left: Sequence[str]) -> Claim:
    ruling = row.rules(counted) if counted else Ruling(outcome="undecided", why=_none(left))
    barred = "" if counted else f"{left[0].partition(': ')[2] if len(left) == 1 else 'no study counts'}; "
    return Claim(
        id=row.id, statement=row.statement, said=row.said, rule=row.rule, needs=row.needs, outcome=ruling.outcome,
        verdict=_verdict(row, ruling, barred), why=ruling.why, settle=row.settle,
        studies=[one.study for one in counted], basis=ruling.basis, limits=ruling.limits,
    )  # fmt: skip


def _none(left: Sequence[str]) -> str:
    return f"no study counts: {'; '.join(left)}" if left else "no study was given"


def _verdict(row: Row, ruling: Ruling, barred: str) -> str:
    if ruling.outcome == "depends":
        return f"depends: on {ruling.on}"
    return f"undecided: {barred}{row.settle}" if ruling.outcome == "undecided" else ruling.outcome
