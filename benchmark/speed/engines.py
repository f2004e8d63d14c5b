"""Which engine is the fastest for a layer, by its width: what `benchmark.recurrence` should take."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from benchmark.at_once import WIDEST
from benchmark.company import POPULATION

DEPTH, TIME, BATCH = 2, 50, 32
MIXED = " bfloat16"
CALLS = 10
"""Forward and backward passes of one timing."""


def engines(widths: Sequence[int], repeats: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Seconds of a forward and backward pass of one stack of two layers, by width and engine, in turns.

    A population is as large as in a sweep; on a GPU also 64 at once, and there Triton is asked too, where it is.
    """
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    before = os.environ.get("STRATA_ENGINE")
    rows = []
    try:
        for replicas in (POPULATION, 64) if device == "cuda" else (POPULATION,):
            for width in widths:
                say(f"engines: {replicas} stacks of width {width}")
                run = _pass(replicas, width, device)
                seconds: dict[str, list[float]] = {name: [] for name in asked(device, width)}
                for repeat in range(repeats + 1):
                    for name in seconds:
                        os.environ["STRATA_ENGINE"] = name.removesuffix(MIXED)
                        took = _timed(partial(run, name.endswith(MIXED)), device) / replicas
                        if repeat:  # a first round warms
                            seconds[name].append(took)
                rows.append({"width": width, "replicas": replicas, "seconds": seconds})
    finally:
        os.environ.pop("STRATA_ENGINE", None)
        if before is not None:
            os.environ["STRATA_ENGINE"] = before
    return {"device": torch.cuda.get_device_name() if device == "cuda" else "cpu", "rows": rows}


def asked(device: str, width: int) -> list[str]:
    """Engines that can compute such a layer here."""
    from benchmark.kernel import in_bfloat16
    from benchmark.recurrence import engines as here

    fit = {"native": device == "cpu", "triton": device == "cuda" and width <= WIDEST}
    names = [name for name in here() if fit.get(name, True)]
    return names + [f"{name}{MIXED}" for name in ("torch", "native") if device == "cpu" and in_bfloat16()]


def _pass(replicas: int, width: int, device: str) -> Callable[[bool], None]:
    import torch

    from benchmark.lstm import build
    from benchmark.stacked import StackedNetworks

    nets = [build(seed=seed, inputs=8, outputs=1, depth=DEPTH, width=width).to(device) for seed in range(replicas)]
    stacked, inputs = StackedNetworks(nets), torch.randn(replicas * BATCH, TIME, 8, device=device)

    def run(mixed: bool) -> None:
        values = stacked.values.detach().requires_grad_()
        with torch.autocast(device, torch.bfloat16, enabled=mixed):
            outputs = stacked.forward(values, inputs)
        torch.autograd.grad(outputs.float().square().mean(), values)

    return run


def _timed(run: Callable[[], None], device: str) -> float:
    import torch

    settle = torch.cuda.synchronize if device == "cuda" else lambda: None
    settle()
    began = time.perf_counter()
    for _ in range(CALLS):
        run()
    settle()
    return (time.perf_counter() - began) / CALLS
