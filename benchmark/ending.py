"""How a sweep ends: the verdict, the report's place, and the three commands that make sense next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmark.analysis.findings import Findings
from benchmark.analysis.outline import outline
from benchmark.report.terminal import print_findings
from benchmark.report.words import smoke
from benchmark.terminal import say, workers_said

NEXT = 3
"""Commands that a person is offered: more would not be read."""


@dataclass(frozen=True)
class Step:
    """A command as it is typed, and what it gives."""

    command: str
    purpose: str


@dataclass(frozen=True)
class Ending:
    """What the next commands depend on beside the findings."""

    findings: Findings
    folder: Path
    asked_as: str
    """What the person typed for the study."""
    workers: int
    workspace: Sequence[str] = ()
    """`--workspace FOLDER` where the person gave it, so that the next command finds the study."""
    cluster: Sequence[str] = ()
    """`--scheduler ADDRESS` or the like, where a cluster trained."""

    def steps(self) -> list[Step]:
        """The three commands that come next, most pressing first."""
        findings, study = self.findings, shlex.quote(self.findings.study)
        there = f" {shlex.join(self.workspace)}" if self.workspace else ""
        folder = shlex.quote(str(self.folder))
        found = []
        if findings.failures:
            count = len(findings.failures)
            found.append(
                Step(f"strata runs {study} --failed{there}", f"why {count} training{'s' * (count > 1)} failed")
            )
        if findings.next_look is not None:
            found.append(self._next_look(findings.next_look.seeds - findings.look.seeds, there))
        if findings.advice:
            found.append(Step(f"strata export {study}{there}", "the chosen network as files that predict new rows"))
        found.append(Step(f"strata ui {study}{there}", "the dashboard, with every training"))
        if smoke(findings):
            found.append(Step("strata plan laptop", "what the default study would run: this one claims nothing"))
        elif findings.purpose == "study":
            found.append(Step(f"strata publish {study}{there}", "keep it, so that `strata recommend` can use it"))
        if not smoke(findings):
            found.append(Step(f"strata timescales {study}{there}", "how long each layer remembers"))
        found.append(Step(f"strata claims {folder}", "what people say about depth, held against this study"))
        return found[:NEXT]

    def _next_look(self, more: int, there: str) -> Step:
        arms = self.findings.arms
        seconds = sum(more * (arm.seconds or 0.0) for arm in arms) / max(1, self.workers)
        on = f" {shlex.join(self.cluster)}" if self.cluster else ""
        return Step(
            f"strata sweep {self.asked_as} --seeds +{more}{there}{on}",
            f"the next look: {more * len(arms)} trainings, about {max(1.0, seconds / 60):.0f} min "
            f"on {workers_said(self.workers)}",
        )

    def show(self, console: Console) -> None:
        """Print verdict, report and next commands."""
        print_findings(self.findings, console)
        console.print(f"\nreport: {self.folder / 'report.html'}", markup=False)
        console.print("next:")
        for step in self.steps():
            console.print(f"  {step.command}", style="bold", markup=False)
            say(console, step.purpose, mark="      ")

    def record(self) -> dict[str, Any]:
        """The same for another program, in plain JSON types."""
        judged = outline(self.findings, (), (), True)
        return {name: judged[name] for name in judged if name not in ("absent", "unread")} | {
            "purpose": self.findings.purpose,
            "trainings": self.findings.trainings,
            "failures": len(self.findings.failures),
            "folder": str(self.folder),
            "report": str(self.folder / "report.html"),
            "next": [{"command": step.command, "purpose": step.purpose} for step in self.steps()],
        }
