"""MLflow and Optuna as the driver tells them. Either may be away: the journal goes on, and what they missed is kept and
told in order once they answer again, within the same sweep or, when that ends first, by the next.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmark.conduct import Request
from benchmark.rows import run_row
from benchmark.spec import RunResult, RunSpec
from benchmark.tracking import Tracker, TrackingUnavailable
from benchmark.trials import Trials, TrialsUnavailable

FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0
"""Seconds from a failure to the next try, doubling: a try on a server that is away holds the driver up for seconds."""


@dataclass
class Told:
    """One store, and what it was not yet told. Telling may be repeated without harm, so nothing is told halfway."""

    name: str
    say: Callable[[str], None]
    now: Callable[[], float] = time.monotonic
    _waiting: deque[Callable[[], object]] = field(default_factory=deque)
    _pause: float = 0.0
    """0 while the store answers."""
    _again: float = 0.0

    def tell(self, action: Callable[[], object]) -> None:
        """Do what `action` does, now or, in order, when the store answers again."""
        self._waiting.append(action)
        if not self._pause or self.now() >= self._again:
            self.catch_up()

    def catch_up(self) -> bool:
        """Try at once to tell all that waits; whether the store now knows everything."""
        while self._waiting:
            try:
                self._waiting[0]()
            except (TrackingUnavailable, TrialsUnavailable) as error:
                if not self._pause:
                    self.say(
                        f"{self.name} does not answer ({error}); the study goes on, and fills it in when it answers "
                        "again, by the same command later if need be"
                    )
                self._pause = min(LONGEST_PAUSE, 2 * self._pause) or FIRST_PAUSE
                self._again = self.now() + self._pause
                return False
            self._waiting.popleft()
        if self._pause:
            self.say(f"{self.name} answers again, and knows what it missed")
        self._pause = 0.0
        return True


class Projections:
    """What the driver tells of every batch and result, to MLflow and to Optuna."""

    def __init__(self, tracker: Tracker, trials: Trials, say: Callable[[str], None]) -> None:
        self.tracker, self.trials = tracker, trials
        self.mlflow, self.optuna = Told("MLflow", say), Told("Optuna's storage", say)

    def reconcile(self) -> None:
        """Repair what a kill or Ctrl-C left half written."""
        self.mlflow.tell(self.tracker.reconcile)

    def record(self, requests: list[Request], spec: RunSpec, result: RunResult) -> None:
        """One run per key, however often it is told."""
        row, members = run_row(requests[0].group, spec, result), [request.member for request in requests]
        self.mlflow.tell(lambda: self.tracker.record(spec, result, row, members))

    def advanced(self, requests: list[Request], spec: RunSpec, checkpoint: bytes) -> None:
        """The curves of a training that goes on, as far as they are."""
        from benchmark.state import so_far

        row = run_row(requests[0].group, spec, RunResult(key=spec.key, status="done"))
        members, curves = [request.member for request in requests], so_far(checkpoint).curves
        self.mlflow.tell(lambda: self.tracker.advance(spec, row, members, curves))

    def asked(self, batch: list[Request], results: Mapping[str, RunResult]) -> None:
        """Tuning points become trials."""
        self.optuna.tell(lambda: self.trials.ask(batch, results))

    def answered(self, batch: list[Request], results: Mapping[str, RunResult]) -> None:
        """Trials are told in point order."""
        self.optuna.tell(lambda: self.trials.tell(batch, results))

    def finish(self) -> None:
        """All trainings are in: a last try for a store that is behind."""
        self.optuna.catch_up()
        self.mlflow.catch_up()
