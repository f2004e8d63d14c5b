"""`train`: RunSpecs in, RunResults out; a pure function that runs anywhere.

Imports only what training needs: a compute node without mlflow, optuna or pydantic can run it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

# cuBLAS reads this when CUDA starts; without it two equal trainings on a GPU may differ.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import torch

from benchmark import __version__, lightning
from benchmark.advance import save, steps_done
from benchmark.lstm import StackedLSTM
from benchmark.recurrence import engine
from benchmark.sizing import measure, network_shape
from benchmark.spec import RunResult, RunSpec
from tasks import registry

lightning.quiet()


def train(
    specs: Sequence[RunSpec], until: int | None = None, checkpoints: Mapping[str, bytes] | None = None
) -> tuple[list[RunResult], dict[str, bytes]]:
    """Train each spec to step `until` (its last step when None), starting from its checkpoint when one is given.

    Returns the results of those that finished and, by key, the checkpoints of those that did not. The same specs on
    the same machine type give the same numbers, however the training is cut. Raises whatever a training raises; the
    executor that called makes that a `failed` result.
    """
    results, unfinished = [], {}
    for spec in specs:
        outcome = train_one(spec, until, (checkpoints or {}).get(spec.key))
        if isinstance(outcome, RunResult):
            results.append(outcome)
        else:
            unfinished[spec.key] = outcome
    return results, unfinished


def train_one(
    spec: RunSpec, until: int | None = None, checkpoint: bytes | None = None, chunk: int | None = None
) -> RunResult | bytes:
    """One training: its result, or its checkpoint when cut at `until`. `chunk` is the steps of a Lightning batch."""
    return _train(spec, until, checkpoint, chunk)[0]


def train_again(spec: RunSpec) -> tuple[RunResult, StackedLSTM]:
    """A finished training once more, with its network: on one machine type the same weights, bit for bit."""
    result, network = _train(spec)
    assert isinstance(result, RunResult)
    return result, network


def _train(
    spec: RunSpec, until: int | None = None, checkpoint: bytes | None = None, chunk: int | None = None
) -> tuple[RunResult | bytes, StackedLSTM]:
    started = time.perf_counter()
    torch.set_flush_denormal(True)  # belongs to the thread; with it off, numbers and speed could differ
    task = registry.create(spec.task, {**spec.task_parameters, **spec.task_locations})
    module = lightning.StackedLSTMModule(spec, task, checkpoint)
    start = 0 if checkpoint is None else steps_done(checkpoint)
    lightning.fit(module, lightning.chunk_ends(spec, start, spec.steps if until is None else until, chunk))
    if module.result is None:
        module.run.seconds += time.perf_counter() - started
        return save(module.run), module.network
    result = module.result
    size = measure(
        depth=spec.depth,
        width=spec.width,
        variant=spec.variant,
        time=task.time,
        **network_shape(task),
    )
    result.parameters, result.state_size, result.flops = size.parameters, size.state, size.flops
    result.engine = engine(module.network, spec.precision)
    result.versions = {"strata": __version__, **lightning.versions()}
    result.seconds = module.run.seconds + time.perf_counter() - started
    return result, module.network
