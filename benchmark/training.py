"""`train`: RunSpecs in, RunResults out; a pure function that runs anywhere.

Imports only what training needs: a compute node without mlflow, optuna or pydantic can run it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import time
import traceback
from collections.abc import Mapping, Sequence
from types import MappingProxyType

# cuBLAS reads this when CUDA starts; without it two equal trainings on a GPU may differ.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import torch

from benchmark import __version__, lightning
from benchmark.lightning import Member
from benchmark.lstm import StackedLSTM
from benchmark.recurrence import engine
from benchmark.sizing import measure, network_shape
from benchmark.spec import RunResult, RunSpec, failed
from benchmark.state import save, steps_done
from tasks import registry

lightning.quiet()


def keep_memory() -> None:
    """Ask the C library to keep what is freed: it gives large blocks back to the system at once, and every validation
    would be handed pages that must be cleared first, half of its time at 64 cells. Nothing where it is not glibc.
    """
    trim_threshold, most_maps = -1, -4  # as <malloc.h> has them
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        if hasattr(library, "gnu_get_libc_version"):
            library.mallopt(most_maps, 0)
            library.mallopt(trim_threshold, 2**31 - 1)


keep_memory()


def train(
    specs: Sequence[RunSpec], until: int | None = None, checkpoints: Mapping[str, bytes] | None = None
) -> tuple[list[RunResult], dict[str, bytes]]:
    """Train each spec to step `until` (its last step when None), starting from its checkpoint when one is given.

    Returns the results of those that finished and, by key, the checkpoints of those that did not. Specs of one arm are
    trained side by side. On one machine type a spec gives the same numbers, in whatever company, and however its
    training is cut; its `seconds` are its share of the time. Where one of several raises, each is trained
    by itself, and what raises again is a `failed` result. One alone raises whatever its training raises; the executor
    that called makes that a `failed` result.
    """
    given, results, unfinished = checkpoints or {}, [], {}
    groups: dict[str, list[RunSpec]] = {}
    for spec in specs:
        groups.setdefault(spec.together, []).append(spec)
    for group in groups.values():
        try:
            outcomes = _train(group, until, given)[1]
        except Exception:
            if len(specs) == 1:
                raise
            outcomes = []
        if not outcomes:  # out of the handler, or a traceback would tell of both tries
            outcomes = [_alone(spec, until, given) for spec in group]
        for spec, outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, RunResult):
                results.append(outcome)
            else:
                unfinished[spec.key] = outcome
    return results, unfinished


def _alone(spec: RunSpec, until: int | None, checkpoints: Mapping[str, bytes]) -> RunResult | bytes:
    """One of a group that raised, or that a device's memory did not hold: only what fails by itself has failed."""
    torch.cuda.empty_cache()  # does nothing where CUDA was not started
    try:
        return _train([spec], until, checkpoints)[1][0]
    except Exception:
        return failed(spec.key, traceback.format_exc())


def train_one(
    spec: RunSpec, until: int | None = None, checkpoint: bytes | None = None, chunk: int | None = None
) -> RunResult | bytes:
    """One training: its result, or its checkpoint when cut at `until`. `chunk` is the steps of a Lightning batch."""
    return _train([spec], until, {} if checkpoint is None else {spec.key: checkpoint}, chunk)[1][0]


def train_side_by_side(specs: Sequence[RunSpec], chunk: int | None = None) -> list[RunResult]:
    """Specs that go together, to their end."""
    return [result for result in _train(specs, chunk=chunk)[1] if isinstance(result, RunResult)]


def train_again(spec: RunSpec) -> tuple[RunResult, StackedLSTM]:
    """A finished training once more, with its network: on one machine type the same weights, bit for bit."""
    (member,), (result,) = _train([spec])
    assert isinstance(result, RunResult)
    return result, member.network


def _train(
    specs: Sequence[RunSpec],
    until: int | None = None,
    checkpoints: Mapping[str, bytes] = MappingProxyType({}),
    chunk: int | None = None,
) -> tuple[list[Member], list[RunResult | bytes]]:
    """Specs that go together, and what became of each."""
    started, first = time.perf_counter(), specs[0]
    torch.set_flush_denormal(True)  # belongs to the thread; with it off, numbers and speed could differ
    task = registry.create(first.task, {**first.task_parameters, **first.task_locations})
    module = lightning.StackedLSTMModule(specs, task, checkpoints)
    start = min(steps_done(checkpoints[spec.key]) if spec.key in checkpoints else 0 for spec in specs)
    lightning.fit(module, lightning.chunk_ends(first, start, first.steps if until is None else until, chunk))
    size = measure(depth=first.depth, width=first.width, variant=first.variant, time=task.time, **network_shape(task))
    ran, versions = engine(module.members[0].network, first.precision), lightning.versions()
    seconds = (time.perf_counter() - started) / len(specs)  # each its share of the time
    outcomes: list[RunResult | bytes] = []
    for member in module.members:
        member.state.seconds += seconds
        result = member.result
        assert result is not None
        result.parameters, result.state_size, result.flops = size.parameters, size.state, size.flops
        result.engine, result.versions = ran, {"strata": __version__, **versions}
        result.seconds = member.state.seconds
        outcomes.append(result if member.state.finished else save(member.state, result))
    return module.members, outcomes
