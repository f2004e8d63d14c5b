"""The sweep's one display: trainings, arms, failures, time left, best of every depth; in a log a line now and then."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType

import rich.progress
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from benchmark.forecast import Cost, trainings
from benchmark.plan import Group as Arms
from benchmark.spec import RunResult, RunSpec, problem
from benchmark.standing import Standing
from benchmark.sweep import ATTEMPTS
from benchmark.terminal import say

LOG_EVERY = 30.0
"""Seconds between lines when the output is not a terminal."""
OTHER_LINES = 6
"""Lines of the display that are not rows of the table, with the line that a shell leaves at the bottom."""


class Progress:
    """Counts trainings, weighs them by their expected seconds, and says how long is left."""

    def __init__(
        self, console: Console, groups: Sequence[Arms], costs: Mapping[str, Cost], seeds: int, workers: int
    ) -> None:
        self.console, self.workers = console, workers
        self._seconds: dict[tuple[str, int, int, int], float] = {}
        self.trainings, self.expected_seconds = 0, 0.0
        for group in groups:
            asked = problem(group.entry.task, group.parameters)
            for arm in group.arms:
                for steps, count in trainings(group, arm, seeds).items():
                    seconds = costs[arm.name].seconds(steps)
                    self._seconds[asked, steps, arm.depth, arm.width] = seconds
                    self.trainings += count
                    self.expected_seconds += count * seconds
        self.standing = Standing(groups, seeds)
        self.done, self.done_seconds, self.failed, self.retried = 0, 0.0, 0, 0
        self.counted: set[str] = set()
        self._started, self._said = time.monotonic(), time.monotonic()
        self._before = 0.0
        column = rich.progress.BarColumn(bar_width=None, complete_style="cyan", finished_style="green")
        self._bar = rich.progress.Progress(column, expand=True, console=console)
        self._task = self._bar.add_task("", total=self.expected_seconds or None)
        self._live: Live | None = None
        if console.is_interactive and not console.quiet:
            self._live = Live(self._display(), console=console, transient=True, refresh_per_second=2)

    def __enter__(self) -> Progress:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def expected(self, spec: RunSpec) -> float:
        """Expected seconds of one training."""
        return self._seconds.get((problem(spec.task, spec.task_parameters), spec.steps, spec.depth, spec.width), 60.0)

    def already_done(self, results: Mapping[str, tuple[RunSpec, RunResult]], failures: Mapping[str, int]) -> None:
        """Count what an earlier start of the same sweep left in the journal: `results`, and failed tries by key."""
        for key, (spec, result) in results.items():
            if result.status != "failed" or failures.get(key, 0) >= ATTEMPTS:  # else it is tried again
                self._count(spec, result)
        self._before = self.done_seconds
        self._show()

    def result(self, spec: RunSpec, result: RunResult) -> None:
        """Count one finished training."""
        self._count(spec, result)
        self._show()
        if self._live is None and time.monotonic() - self._said > LOG_EVERY:
            self._said = time.monotonic()
            self.log()

    def retry(self, spec: RunSpec, result: RunResult) -> None:
        """Count a try that failed and is made again."""
        self.retried += 1
        self._show()

    def log(self) -> None:
        """The line of a log: where the sweep is, and the best scores of the task that a training ended on last."""
        said, latest = self.said(), self.standing.latest
        if latest and latest.best:
            scores = ", ".join(
                f"{score} ({depth} layer{'s' * (depth > 1)})"
                for depth, score in zip(latest.group.study.depths, latest.scores(), strict=True)
            )
            said += f"; best on validation so far, {latest.name}: {scores}"
        say(self.console, said)

    def _count(self, spec: RunSpec, result: RunResult) -> None:
        if spec.key in self.counted:
            return
        self.counted.add(spec.key)
        self.done += 1
        self.done_seconds += self.expected(replace(spec, steps=result.steps) if result.status == "pruned" else spec)
        self.failed += result.status == "failed"
        self.standing.take(spec, result)

    def said(self) -> str:
        """How many trainings and arms are done, what failed, and how long is left."""
        return f"{self.counts()}, {self._left()}"

    def counts(self) -> str:
        """The same without the time."""
        parts = [
            f"{self.done} of {max(self.trainings, self.done)} trainings",
            f"{self.standing.arms_confirmed} of {self.standing.arms} arms confirmed",
        ]
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"{self.retried} failed and tried again"] if self.retried else []
        return ", ".join(parts)

    def _left(self) -> str:
        elapsed, progressed = time.monotonic() - self._started, self.done_seconds - self._before
        # Until a good part is done, the forecast says more about the speed than the clock does.
        pace = elapsed / progressed if progressed > 0.05 * self.expected_seconds else 1.0 / self.workers
        left = max(0.0, self.expected_seconds - self.done_seconds) * pace
        if not left:
            return "nearly done"
        return f"about {left / 60:.0f} min left" if left >= 60 else "less than a minute left"

    # --- on a terminal --------------------------------------------------------------------------------------------

    def _show(self) -> None:
        if self._live:
            self._live.update(self._display())

    def _display(self) -> RenderableType:
        self._bar.update(self._task, completed=self.done_seconds)
        return Group(self._bar, Text(self.said()), *self._table())

    def _table(self) -> list[RenderableType]:
        """A row for every task, as many as fit on the terminal, those with the latest news before all others."""
        rows = [standing for standing in self.standing.groups if standing.best]
        if not rows:
            return []
        fits = max(1, self.console.height - OTHER_LINES)
        if len(rows) > fits and (latest := self.standing.latest) in rows:
            start = max(0, min(rows.index(latest), len(rows) - fits)) if latest else 0
            shown = rows[start : start + fits]
        else:
            shown = rows[:fits]
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("best on validation so far", overflow="ellipsis", no_wrap=True)
        for depth in rows[0].group.study.depths:
            table.add_column(f"{depth} layer{'s' * (depth > 1)}", justify="right", no_wrap=True)
        for standing in shown:
            table.add_row(standing.name, *standing.scores())
        more = len(rows) - len(shown)
        return [table, *([Text(f"and {more} more")] if more else [])]
