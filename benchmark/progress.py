"""The sweep's progress: one bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType

import rich.progress
from rich.console import Console

from benchmark.forecast import Cost, trainings
from benchmark.plan import Group
from benchmark.spec import RunResult, RunSpec, problem

LOG_EVERY = 30.0
"""Seconds between lines when the output is not a terminal."""


class Progress:
    """Counts trainings, weighs them by their expected seconds, and says how long is left."""

    def __init__(
        self, console: Console, groups: Sequence[Group], costs: Mapping[str, Cost], seeds: int, workers: int
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
        self.done, self.done_seconds, self.failed = 0, 0.0, 0
        self.counted: set[str] = set()
        self._started, self._said = time.monotonic(), time.monotonic()
        self._before = 0.0
        self._bar = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.TextColumn("{task.fields[trainings]}"),
            rich.progress.TextColumn("{task.fields[left]}"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("trainings", total=self.expected_seconds, trainings="", left="")

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def expected(self, spec: RunSpec) -> float:
        """Expected seconds of one training."""
        return self._seconds.get((problem(spec.task, spec.task_parameters), spec.steps, spec.depth, spec.width), 60.0)

    def already_done(self, results: Mapping[str, tuple[RunSpec, RunResult]]) -> None:
        """Count what an earlier start of the same sweep left in the journal."""
        for spec, result in results.values():
            self._count(spec, result)
        self._before = self.done_seconds
        self._show()

    def result(self, spec: RunSpec, result: RunResult) -> None:
        """Count one finished training."""
        self._count(spec, result)
        self._show()
        if not self.console.is_terminal and time.monotonic() - self._said > LOG_EVERY:
            self._said = time.monotonic()
            self.console.print(f"{self._trainings()}, {self._left()}", highlight=False)

    def _count(self, spec: RunSpec, result: RunResult) -> None:
        if spec.key in self.counted:
            return
        self.counted.add(spec.key)
        self.done += 1
        self.done_seconds += self.expected(spec)
        self.failed += result.status == "failed"

    def _show(self) -> None:
        self._bar.update(self._task, completed=self.done_seconds, trainings=self._trainings(), left=self._left())

    def _trainings(self) -> str:
        failures = f", {self.failed} failed" if self.failed else ""
        return f"{self.done} of {max(self.trainings, self.done)} trainings{failures}"

    def _left(self) -> str:
        elapsed, progressed = time.monotonic() - self._started, self.done_seconds - self._before
        # Until a good part is done, the forecast says more about the speed than the clock does.
        pace = elapsed / progressed if progressed > 0.05 * self.expected_seconds else 1.0 / self.workers
        left = max(0.0, self.expected_seconds - self.done_seconds) * pace
        return f"about {left / 60:.0f} min left" if left >= 60 else "less than a minute left"
