"""Run simulated studies on all cores and keep what happened in each, so that a killed run goes on."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import TextIO

from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from benchmark.calibration.scenarios import Scenario
from benchmark.calibration.study import happened, sources
from benchmark.errors import UserError
from benchmark.processes import processes

FILE = "calibration.csv"
_HEADER = ["scenario", "identity", "study", "happened"]
_BATCH = 12
"""Contrasts of a batch, the unit of work of a process: a second or two, so that Ctrl-C is soon answered and
little is lost when a run is killed."""
_LOG_EVERY = 30.0
"""Seconds between lines when the output is not a terminal."""

Happened = dict[int, list[str]]
"""Number of a study -> names of the events that happened in it."""


def identity(scenario: Scenario) -> str:
    """Short hash of whatever decides what happens in a scenario's studies; results under another are not counted."""
    settings = {name: value for name, value in dataclasses.asdict(scenario).items() if name != "truth"}
    text = "\x1f".join([json.dumps(settings, sort_keys=True), *sources(scenario)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def stored(folder: Path, scenarios: Sequence[Scenario]) -> dict[str, Happened]:
    """What the file in `folder` holds of each scenario as it is today."""
    known = {(scenario.name, identity(scenario)): scenario.name for scenario in scenarios}
    found: dict[str, Happened] = {scenario.name: {} for scenario in scenarios}
    path = folder / FILE
    if not path.exists():
        return found
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        # A killed run may leave half a line behind.
        table = csv.DictReader(line for line in lines if line.endswith("\n"))
        if table.fieldnames not in (None, _HEADER):
            raise ValueError("other columns")
        for row in table:
            if name := known.get((row["scenario"], row["identity"])):
                found[name][int(row["study"])] = row["happened"].split(";") if row["happened"] else []
    except (KeyError, TypeError, ValueError, AttributeError, csv.Error):
        raise UserError(f"{path} is not as `strata calibrate` writes it: move it away, and a new one is made") from None
    return found


def calibrate(
    scenarios: Sequence[Scenario], studies: int, workers: int, folder: Path, console: Console
) -> dict[str, Happened]:
    """Simulate what is missing of `studies` (times the scenario's own number) in each scenario; return all there is.

    `workers` processes, 0 for this one. Each batch is kept as soon as it is done.
    """
    if studies < 0:
        raise UserError(f"--studies is {studies}: give 1 or more, or 0 to print only what is kept")
    if not studies:
        return stored(folder, scenarios)
    with _alone(folder):
        found = stored(folder, scenarios)
        batches = [batch for one in scenarios for batch in _missing(one, studies * one.times, found[one.name])]
        identities = {scenario.name: identity(scenario) for scenario in scenarios}
        with _progress(console, batches) as told, _kept(folder / FILE) as file:
            keep = csv.writer(file, lineterminator="\n")
            for scenario, new in _done(batches, workers):
                found[scenario.name] |= new
                keep.writerows(
                    [scenario.name, identities[scenario.name], number, ";".join(events)]
                    for number, events in new.items()
                )
                file.flush()
                told(scenario, len(new))
    return found


def _missing(scenario: Scenario, studies: int, there: Happened) -> Iterator[tuple[Scenario, list[int]]]:
    numbers = [number for number in range(studies) if number not in there]
    size = max(1, _BATCH // _work(scenario))
    for start in range(0, len(numbers), size):
        yield scenario, numbers[start : start + size]


def _work(scenario: Scenario) -> int:
    """Contrasts that a study analyses, over all its looks: what its time goes with."""
    return scenario.contrasts * max(1, len(scenario.looks))


def _batch(scenario: Scenario, numbers: Sequence[int]) -> Happened:
    return {number: happened(scenario, number) for number in numbers}


def _done(batches: Sequence[tuple[Scenario, list[int]]], workers: int) -> Iterator[tuple[Scenario, Happened]]:
    if not batches:
        return
    if not workers:
        for scenario, numbers in batches:
            yield scenario, _batch(scenario, numbers)
        return
    with processes(min(workers, len(batches))) as pool:
        waiting = {pool.submit(_batch, scenario, numbers): scenario for scenario, numbers in batches}
        for future in as_completed(waiting):
            yield waiting.pop(future), future.result()


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the file against a second run. Raises UserError when another process holds it, or it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{FILE}.lock", timeout=0)
        lock.acquire()
    except Timeout:
        raise UserError(f"another `strata calibrate` writes to {folder / FILE}: wait until it ends") from None
    except OSError as error:
        raise UserError(
            f"cannot write in {folder} ({error.strerror}): make it writable, or choose another with --workspace"
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _kept(path: Path) -> Iterator[TextIO]:
    """The file, open at its end, after cutting off half a line."""
    whole = path.read_bytes() if path.exists() else b""
    with path.open("r+b" if path.exists() else "wb") as file:
        file.truncate(whole.rfind(b"\n") + 1)
    with path.open("a", encoding="utf-8", newline="") as text:
        if b"\n" not in whole:
            csv.writer(text, lineterminator="\n").writerow(_HEADER)
        yield text


@contextlib.contextmanager
def _progress(
    console: Console, batches: Sequence[tuple[Scenario, list[int]]]
) -> Iterator[Callable[[Scenario, int], None]]:
    """One bar on a terminal, a line now and then in a log. Time goes with the contrasts analysed, not the studies."""
    studies = sum(len(numbers) for _, numbers in batches)
    work = sum(len(numbers) * _work(scenario) for scenario, numbers in batches)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"))
    bar = Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
    task = bar.add_task("studies", total=work, said="")
    done, worked, began, before = 0, 0, time.monotonic(), time.monotonic()

    def told(scenario: Scenario, more: int) -> None:
        nonlocal done, worked, before
        done, worked = done + more, worked + more * _work(scenario)
        now = time.monotonic()
        left = (now - began) / worked * (work - worked) / 60
        said = f"{done:,} of {studies:,} studies, about {left:.0f} min left"
        bar.update(task, completed=worked, description=scenario.name, said=said)
        if not console.is_terminal and (now - before > _LOG_EVERY or done == studies):
            before = now
            console.print(f"{scenario.name}: {said}")

    with bar:
        yield told
