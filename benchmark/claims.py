"""The verb `strata claims`: what people say about depth, over one or several studies."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

import benchmark
from benchmark.analysis.claims.admission import admitted
from benchmark.analysis.claims.claim import Claim
from benchmark.analysis.claims.ledger import ledger
from benchmark.analysis.findings import Findings
from benchmark.errors import UserError
from benchmark.judging import judge
from benchmark.workspace import Workspace

_STYLES = {"supported": "green", "contradicted": "magenta", "depends": "cyan", "undecided": "yellow"}


@dataclass(frozen=True)
class Ledger:
    """Every claim over the studies that count, and those that do not with the reason."""

    studies: list[str]
    not_counted: list[str]
    claims: list[Claim]

    def record(self) -> dict[str, Any]:
        """Plain JSON types."""
        return dataclasses.asdict(self)


def read(paths: Sequence[Path]) -> Ledger:
    """The ledger of the studies in these folders, each analysed alone; of none, of all published ones that are here.

    Raises UserError for a path without evidence, for two folders of one study, and where nothing is published.
    """
    folders = list(paths) or published()
    studies: dict[str, tuple[Path, Findings]] = {}
    for folder in folders:
        found = judge(folder).findings
        if found.study in studies:
            raise UserError(
                f"{studies[found.study][0]} and {folder} are both the study {found.study!r}, which would count twice: "
                "give one of them"
            )
        studies[found.study] = folder, found
    several = [found for _, found in studies.values()]
    counted, left = admitted(several)
    return Ledger([one.study for one in counted], left, ledger(several))


def published() -> list[Path]:
    """Folders of the published studies: in the current folder's results, else beside a checkout of Strata."""
    checkout = Path(benchmark.__file__).resolve().parent.parent / "results"
    for results in (Workspace.here().results, checkout):
        folders = sorted(path.parent for path in (results / "published").glob("*/runs.parquet"))
        if folders:
            return folders
    raise UserError(
        "no published study is here: give the folders of studies, such as results/NAME, or run it where "
        "results/published of Strata's repository is"
    )


def print_ledger(found: Ledger, console: Console) -> None:
    """What counts, then every claim: its verdict, why, where it is said, and the limits."""
    counted = ", ".join(found.studies) if found.studies else "none"
    _print(console, f"Studies that count: {counted}.", style="bold")
    for reason in found.not_counted:
        _print(console, f"not counted: {reason}", mark="- ")
    for claim in found.claims:
        console.print()
        _print(console, f"{claim.statement} ({claim.id})", style="bold")
        _print(console, claim.verdict, style=_STYLES[claim.outcome], indent="  ")
        if found.studies:
            _print(console, f"why: {claim.why}", indent="  ")
        _print(console, f"said: {claim.said}", indent="  ")
        for limit in claim.limits:
            _print(console, limit, mark="- ", indent="  ")


def _print(console: Console, text: str, style: str = "", mark: str = "", indent: str = "") -> None:
    further = indent + " " * (len(mark) or len(indent) * 2)
    lines = textwrap.fill(
        text, console.width, initial_indent=indent + mark, subsequent_indent=further, break_on_hyphens=False
    )
    console.print(Text(lines, style=style))
