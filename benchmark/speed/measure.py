"""All that `strata speed` measures, in one run: contenders are asked in turns, and every repeat is kept."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from benchmark import environment
from benchmark.company import POPULATION
from benchmark.kernel import in_bfloat16
from benchmark.speed import whole
from benchmark.speed.cell import Cell
from benchmark.speed.contenders import BARE, PLAIN, STRATA, Contender, running
from benchmark.speed.engines import engines

CONTENDERS = (Contender(PLAIN, "plain"), Contender(BARE, "bare"), Contender(STRATA, "strata"))
TORCH = "torch's layers in place of our kernel"
LEVERS = (Contender(STRATA, "strata"), Contender(TORCH, "strata", {"STRATA_ENGINE": "torch"}))
DEPTHS, WIDTHS = (1, 2, 4), (8, 24, 64)
VARIED: tuple[dict[str, int], ...] = (
    *({"time": time} for time in (25, 50, 100, 200)),
    *({"width": width} for width in (8, 16, 32, 64, 128)),
    *({"depth": depth} for depth in (1, 2, 4, 8)),
)
USUAL = Cell(2, 24)
"""The training that is varied one setting at a time."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    repeats: int = 5
    depths: Sequence[int] = DEPTHS
    widths: Sequence[int] = WIDTHS
    steps: int = 300
    varied: Sequence[Mapping[str, int]] = VARIED
    engines: Sequence[int] = (8, 16, 24, 32, 48, 64, 96, 128)
    """Widths at which engines are compared."""
    whole: bool = True


def measure(plan: Plan, say: Say) -> dict[str, Any]:
    """The record that `table` reads: plain JSON types, every time in seconds, lists in the order of the repeats."""
    found: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": environment.describe(),
        "repeats": plan.repeats,
        "steps": plan.steps,
        "company": POPULATION,
    }
    grid = [Cell(depth, width, steps=plan.steps) for depth in plan.depths for width in plan.widths]
    found["cells"], found["megabytes"] = _in_turns(CONTENDERS, grid, plan.repeats, say)
    found["workers"] = _workers(plan, say)
    found["levers"] = _levers(plan, say)
    found["growth"] = _growth(plan, say)
    found["engines"] = engines(plan.engines, plan.repeats, say)
    if plan.whole:
        found["whole"] = _whole(plan, say)
    from benchmark.speed.profile import shares

    say("profile")
    found["profile"] = shares(_usual(plan))
    return found


def _usual(plan: Plan, **changed: Any) -> Cell:
    return Cell(**{**vars(USUAL), "steps": plan.steps, **changed})


def _in_turns(
    contenders: Sequence[Contender], cells: Sequence[Cell], repeats: int, say: Say
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Rows of a cell with its seconds by contender, and the most memory of each process. A first round is not kept."""
    rows = [{**_told(cell), "seconds": {one.name: [] for one in contenders}} for cell in cells]
    memory: dict[str, float] = {}
    with ExitStack() as stack:
        asked = {one.name: stack.enter_context(running(one)) for one in contenders}
        for name, ask in asked.items():
            say(f"{name}: starting")
            ask(Cell(1, 8, steps=20))
        for repeat in range(repeats):
            for row, cell in zip(rows, cells, strict=True):
                say(f"repeat {repeat + 1} of {repeats}: {_words(cell)}")
                for name, ask in asked.items():
                    seconds, memory[name] = ask(cell)
                    row["seconds"][name].append(seconds)
    return rows, memory


def _told(cell: Cell) -> dict[str, Any]:
    return {"depth": cell.depth, "width": cell.width, "steps": cell.steps, "time": cell.time}


def _words(cell: Cell) -> str:
    said = f"depth {cell.depth}, width {cell.width}, {cell.steps} steps of {cell.time}"
    return (
        said
        + (f", chunks of {cell.chunk}" if cell.chunk else "")
        + (f", {cell.threads} threads" * (cell.threads > 1))
        + (", one by one" * (cell.company == 1))
        + (", bfloat16" * (cell.precision == "bf16-mixed"))
    )


def _levers(plan: Plan, say: Say) -> dict[str, list[float]]:
    """Seconds of the usual training as Strata makes it, and with one thing otherwise at a time."""
    other: list[dict[str, Any]] = [{}, {"company": 1}, {"chunk": 1}, {"threads": 2}]
    if mixed := in_bfloat16():
        other.append({"precision": "bf16-mixed"})
    rows, _ = _in_turns(LEVERS, [_usual(plan, **one) for one in other], plan.repeats, say)
    everything, alone, chunks, threads = (row["seconds"] for row in rows[:4])
    return {
        "everything": everything[STRATA],
        f"one training after another in place of {POPULATION} side by side": alone[STRATA],
        TORCH: everything[TORCH],
        "both": alone[TORCH],
        "every step a Lightning step": chunks[STRATA],
        "two threads in place of one": threads[STRATA],
    } | ({"products in bfloat16": rows[4]["seconds"][STRATA]} if mixed else {})


def _workers(plan: Plan, say: Say) -> list[dict[str, Any]]:
    """Seconds of one training by one worker and by one for each core, all at work at the same time: their rate is what
    counts, so that of two workers each takes twice these seconds.
    """
    cores = os.cpu_count() or 1
    rows: list[dict[str, Any]] = [{"workers": count, "seconds": []} for count in sorted({1, cores})]
    with ExitStack() as stack, ThreadPoolExecutor(cores) as threads:
        asked = [stack.enter_context(running(Contender(STRATA, "strata"))) for _ in range(cores)]
        for ask in asked:
            ask(Cell(1, 8, steps=20))
        for repeat in range(plan.repeats):
            for row in rows:
                say(f"repeat {repeat + 1} of {plan.repeats}: {row['workers']} at work")
                began = time.perf_counter()
                list(threads.map(lambda ask: ask(_usual(plan)), asked[: row["workers"]]))
                row["seconds"].append((time.perf_counter() - began) / (row["workers"] * USUAL.company))
    return rows


def _growth(plan: Plan, say: Say) -> list[dict[str, Any]]:
    """Steps (what a training costs beside them is where the line meets 0), length, width and depth, one at a time."""
    varied = [{"steps": plan.steps // 10}, {"steps": plan.steps}, *plan.varied]
    rows, _ = _in_turns(CONTENDERS[1:], [_usual(plan, **one) for one in varied], plan.repeats, say)
    return [row | {"varied": next(iter(one))} for row, one in zip(rows, varied, strict=True)]


def _whole(plan: Plan, say: Say) -> list[dict[str, Any]]:
    """The small study from the command to its end; Strata with one worker and with two."""
    ways: list[tuple[str, str, int, Sequence[str]]] = [
        (PLAIN, "plain", 1, ()),
        (BARE, "bare", 1, ()),
        (STRATA, "strata", 1, ()),
        (STRATA, "strata", 2, ()),
    ]
    if in_bfloat16():
        ways.append((f"{STRATA}, bfloat16 and halving", "strata", 2, whole.FASTER))
    rows: list[dict[str, Any]] = [
        {"name": name, "workers": workers, "seconds": [], "trainings": 0} for name, _, workers, _ in ways
    ]
    for repeat in range(plan.repeats):
        for row, (name, way, workers, changes) in zip(rows, ways, strict=True):
            say(f"whole study, repeat {repeat + 1}: {name}, {workers} worker{'s' * (workers > 1)}")
            took, row["trainings"] = whole.seconds(way, workers, changes)
            row["seconds"].append(took)
    return rows
