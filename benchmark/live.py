"""What MLflow shows while a sweep runs: one line on how far it is, and the comparisons that are complete.

A comparison's test scores are shown when all its depths have all their seeds, and not before: nobody is to judge, or to
stop, by a lead that half of the seeds give. What is complete is judged by the analysis of the whole study and is marked
as partial, since what is still missing may change its p-values.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from benchmark.analysis.analyse import analyse
from benchmark.analysis.findings import Arm, Findings
from benchmark.analysis.outcome import Contrast
from benchmark.conduct import Request
from benchmark.errors import UserError
from benchmark.journal import Journal
from benchmark.progress import Progress
from benchmark.rows import gather
from benchmark.tracking import Tracker, TrackingUnavailable

EVERY = 10.0
"""Seconds between two lines on how far the sweep is."""
SHARE = 0.02
"""Of the sweep's time may go into partial verdicts: the driver trains nothing meanwhile."""


@dataclass
class Live:
    """Called by the driver after every training. MLflow that is away is told about by the projections, once."""

    tracker: Tracker
    progress: Progress
    journal: Journal
    requests: Sequence[Request]
    """All that was asked so far; the driver's own list."""
    folder: Path
    """Of the study, whose study.yaml says what it is."""
    concluded: bool
    """The study has a verdict, of an earlier look: it stays until the next one."""
    _away: bool = False
    _told: float = field(default_factory=lambda: time.monotonic() - EVERY)
    _not_before: float = 0.0
    _arms_judged: int = 0

    def tell(self) -> None:
        """Bring MLflow up to date, where that is due."""
        if self._away or time.monotonic() - self._told < EVERY:
            return
        self._say(f"{self.progress.said()}. {self._verdict()}")

    def stopped(self) -> None:
        """The sweep ends before its verdict."""
        self._say(f"Stopped: {self.progress.counts()}. The same command goes on. {self._verdict()}")

    def _verdict(self) -> str:
        return "Below is the verdict of the look before." if self.concluded else "No verdict yet."

    def _say(self, line: str) -> None:
        try:
            if not self.concluded:
                self._judge()
            self.tracker.tell_status(f"PARTIAL at {time.strftime('%d %b %H:%M %Z')}: {line}")
        except TrackingUnavailable:
            self._away = True  # asking again would hold up the driver
        self._told = time.monotonic()

    def _judge(self) -> None:
        """Publish what is complete, if more is than before and the time for it is there."""
        confirmed, started = self.progress.standing.arms_confirmed, time.monotonic()
        if confirmed == self._arms_judged or started < self._not_before:
            return
        record = yaml.safe_load((self.folder / "study.yaml").read_text())
        try:
            findings = analyse(gather(self.requests, self.journal.results(), record))
        except UserError:  # what the references leave nothing to be better than is said at the end
            return
        self.tracker.publish_partial(veiled(findings), self._standing())
        self._arms_judged = confirmed
        self._not_before = time.monotonic() + (time.monotonic() - started) / SHARE

    def _standing(self) -> list[list[str]]:
        """A header, and for every task the best score of each depth in tuning so far."""
        rows = [standing for standing in self.progress.standing.groups if standing.best]
        depths = rows[0].group.study.depths if rows else ()
        header = ["task", *(f"{depth} layer{'s' * (depth > 1)}" for depth in depths)]
        return [header, *([standing.name, *standing.scores()] for standing in rows)]


def veiled(findings: Findings) -> Findings:
    """The findings without test scores of comparisons that are not complete; those are undecided."""
    incomplete = {_place(arm) for arm in findings.arms if not arm.complete}
    there = {_place(arm) for arm in findings.arms} - incomplete
    return replace(
        findings,
        contrasts=[one if _place(one) in there else _undecided(one) for one in findings.contrasts],
        arms=[arm if _place(arm) in there else _unscored(arm) for arm in findings.arms],
    )


def _place(item: Arm | Contrast) -> tuple[str, int, str, str]:
    return item.task, item.budget, item.match, item.variant


def _undecided(contrast: Contrast) -> Contrast:
    reason = "trainings are missing: the study is not finished"
    sentence = f"On {contrast.task}: undecided, {reason}"
    return replace(
        contrast, verdict="undecided", depths=[], reason=reason, sentence=sentence, more_seeds=None, pairs=[]
    )


def _unscored(arm: Arm) -> Arm:
    return replace(arm, score_mean=None, score_low=None, score_high=None, score_median=None, test_loss=None, scores=[])
