"""How wide a stack may be that answers within a time on this machine: measured, since evidence holds no latencies.

The seconds of a study are seconds of training, of batches, on the study's machine. What is measured here is one
sequence at a time through an untrained network, on one thread. The quickest of several turns counts: other work on the
machine only ever adds time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

from benchmark.errors import UserError
from benchmark.recommend.problem import Facts
from benchmark.sizing import NARROWEST

WIDEST = 8192
"""Cells a layer up to which is searched."""
FEWEST_TURNS, SECONDS = 3, 0.5
"""A cell that is not within the limit is given up after so many turns and so long: a busy machine has quick moments."""
FINE = 32
"""The search ends when the width is known to one part of this many."""

Timer = Callable[[int, int], float]
"""(depth, width) to milliseconds of one sequence."""


def widest(milliseconds: float, facts: Facts, depths: Sequence[int], timer: Timer | None = None) -> dict[int, int]:
    """Depth to the width of its widest stack that is within the limit, at least the narrowest that a study accepts.

    Raises UserError naming a depth that is too slow at its narrowest.
    """
    timed = timer or torch_timer(facts)
    return {depth: _widest(milliseconds, depth, timed) for depth in sorted(set(depths))}


def _widest(milliseconds: float, depth: int, timer: Timer) -> int:
    """By doubling and bisection: more cells never take less time."""
    timer(depth, NARROWEST)  # the first call pays for what later ones find ready
    if not _within(milliseconds, depth, NARROWEST, timer):
        raise UserError(
            f"--milliseconds is {milliseconds:g}: {depth} layer{'s' * (depth > 1)} of {NARROWEST} cells take longer on "
            "this machine; give more"
        )
    fits, over = NARROWEST, 2 * NARROWEST
    while over <= WIDEST and _within(milliseconds, depth, over, timer):
        fits, over = over, 2 * over
    while over <= WIDEST and over - fits > max(1, fits // FINE):
        middle = (fits + over) // 2
        fits, over = (middle, over) if _within(milliseconds, depth, middle, timer) else (fits, middle)
    return fits


def _within(milliseconds: float, depth: int, width: int, timer: Timer) -> bool:
    """Whether one of several turns is within the limit."""
    turns, gone = 0, 0.0
    while turns < FEWEST_TURNS or gone < 1000 * SECONDS:
        took = timer(depth, width)
        if took <= milliseconds:
            return True
        turns, gone = turns + 1, gone + took
    return False


def busy() -> str:
    """'' or what a person must know of the machine's load while it was timed."""
    cores = os.cpu_count() or 1
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return f" (its load is {load:.1f} on {cores} cores: time it again when it is idle)" if load > cores / 2 else ""


def torch_timer(facts: Facts) -> Timer:
    """Times one sequence through a freshly initialised stack, on one thread, without gradients."""
    import torch

    from benchmark.lstm import StackedLSTM

    steps, inputs = facts.length or 1, facts.inputs or 1
    sequence = torch.zeros(1, steps, dtype=torch.int64) if facts.embedding else torch.zeros(1, steps, inputs)
    networks: dict[tuple[int, int], StackedLSTM] = {}

    def timed(depth: int, width: int) -> float:
        if (depth, width) not in networks:
            networks[depth, width] = StackedLSTM(
                inputs=inputs,
                outputs=facts.outputs,
                depth=depth,
                width=width,
                target=facts.target or "step",
                embedding=facts.embedding,
            ).eval()
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with torch.inference_mode():
                started = time.perf_counter()
                networks[depth, width](sequence)
                return 1000 * (time.perf_counter() - started)
        finally:
            torch.set_num_threads(threads)

    return timed
