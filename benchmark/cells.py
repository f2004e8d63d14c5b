"""One cell without a study, as for a notebook: how large it is, and one training of it.

    from benchmark import size, train_cell

    size(3_000, task="formants")                                    # a table of widths and costs
    result = train_cell("formants", depth=2, width=13, steps=150)   # one training, of some seconds

Nothing here writes a file or reaches a store. Every error that a person can mend is a `UserError` of one line.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from benchmark.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.sizing import Match, Target
    from benchmark.spec import Hyperparameters, RunResult, RunSpec, Variant
    from tasks.task import Task

VALIDATIONS = 20
"""Validations of one training, at fixed steps: as many as a study's."""


def size(
    budget: int | None = None,
    *,
    width: int | None = None,
    task: str | None = None,
    task_parameters: Mapping[str, Any] | None = None,
    inputs: int | None = None,
    outputs: int | None = None,
    time: int | None = None,
    target: Target | None = None,
    depths: Iterable[int] = (1, 2, 4),
    match: Match = "parameters",
    variant: Variant | None = None,
) -> pd.DataFrame:
    """Widths that make all depths equally large, and what they cost: `strata size` as a table.

    Either `task`, a name or `path/to/file.py:Class`, gives the shape of the problem, or `inputs` and `outputs` do, with
    `time` (steps of a sequence, default 1) and `target` (`step`, the default, or `sequence`). `budget` is in
    parameters; with `match` `state` or `flops` it is that of depth 1, whose total state or FLOPs the others get. With
    `width` in place of a budget every depth has layers of that many cells, and nothing is made equal.

    Returns one row a depth, indexed by `depth`: `width` (cells in each layer), `parameters`, `state` (cells of all
    layers) and `flops` (one sequence, forward). It only counts and refuses nothing: a study also refuses layers of
    fewer than 8 cells and sizes more than 5 % apart. Raises UserError.

    Example: `size(6_000, inputs=8, outputs=1).loc[2, "width"]`.
    """
    import pandas as pd

    from benchmark.sizing import measure, solve

    if (budget is None) == (width is None):
        raise UserError("give either a budget, in parameters, or one width for all depths")
    shape = _shape(task, task_parameters, inputs=inputs, outputs=outputs, time=time, target=target)
    wanted = sorted({_whole("depth", depth) for depth in depths})
    if not wanted:
        raise UserError("no depths given: name at least one, such as [1, 2, 4]")
    if width is not None:
        width = _whole("width", width)
        counted = [measure(depth=depth, width=width, variant=variant, **shape) for depth in wanted]
    else:
        solution = solve(budget=_whole("budget", budget), depths=wanted, match=match, variant=variant, **shape)
        counted = list(solution.sizes.values())
    return pd.DataFrame([vars(cell) for cell in counted]).set_index("depth")


def _shape(task: str | None, task_parameters: Mapping[str, Any] | None, **given: Any) -> dict[str, Any]:
    """What `sizing` must know of a problem, from a task or from what a person said of it."""
    from benchmark.sizing import network_shape

    said = {name: value for name, value in given.items() if value is not None}
    if task is not None:
        if said:
            raise UserError(f"task {task!r} and {next(iter(said))} were given: a task has its own shape; give one")
        made = _task(task, task_parameters)
        return {"time": made.time, **network_shape(made)}
    if not {"inputs", "outputs"} <= said.keys():
        raise UserError('nothing says what the network is for: give task="formants", or inputs and outputs')
    if task_parameters:
        raise UserError("task_parameters were given without a task: name the task that they belong to")
    return said


def train_cell(
    task: str,
    depth: int,
    width: int,
    *,
    steps: int = 500,
    learning_rate: float = 0.01,
    weight_decay: float = 0.0,
    dropout: float = 0.0,
    batch_size: int = 32,
    task_parameters: Mapping[str, Any] | None = None,
    variant: Variant | None = None,
    seed: int = 0,
    test: bool = False,
) -> RunResult:
    """Train one network of `depth` layers of `width` cells in this process: the numbers of `training.train_one`.

    `task` is a name (`strata tasks` lists them) or `path/to/file.py:Class`, and `task_parameters` are its dials;
    `steps` are optimiser steps, `variant` is plain unless given, and `seed` sets data, initial weights and order: give
    two cells that are to be compared the same one.

    The test split stays closed unless `test` is true: look at it once, after all choices are made. With a task whose
    replicates are folds, `seed` is then also the fold, counted modulo their number; else the data are those for tuning.
    One training of each of two cells compares nothing: that takes equal tuning and paired seeds, which is a study.

    Returns a `RunResult`: losses (means per target, in the task's unit), `curves` as rows (step, metric, layer, value),
    `parameters`, `state_size`, `flops`, `seconds`, and `status`: `done`, or `diverged`, and then there are no losses.
    Runs on one thread, as a study's trainings do, and on the GPU where there is one. Raises UserError, and whatever the
    training itself raises.

    Example: `train_cell("recall", depth=2, width=10, steps=200).validation_loss`.
    """
    from benchmark.spec import Hyperparameters, RunResult

    depth, width, steps = _whole("depth", depth), _whole("width", width), _whole("steps", steps)
    batch_size, seed = _whole("batch_size", batch_size), _whole("seed", seed, 0)
    if not 0 < learning_rate < math.inf:
        raise UserError(f"learning_rate is {learning_rate}: give a number above 0, such as 0.01")
    if not 0 <= weight_decay < math.inf:
        raise UserError(f"weight_decay is {weight_decay}: give a number from 0")
    if not 0 <= dropout < 1:
        raise UserError(f"dropout is {dropout}: give a number from 0 to less than 1")
    setting = Hyperparameters(
        learning_rate=float(learning_rate),
        weight_decay=float(weight_decay),
        dropout=float(dropout),
        batch_size=batch_size,
    )
    spec = _spec(task, task_parameters, depth, width, variant, setting, steps=steps, seed=seed, test=test)
    from benchmark.training import train_one

    with _as_a_worker():
        result = train_one(spec)
    assert isinstance(result, RunResult)  # only a training that was cut is a checkpoint
    return result


def _spec(
    task: str,
    task_parameters: Mapping[str, Any] | None,
    depth: int,
    width: int,
    variant: Variant | None,
    setting: Hyperparameters,
    *,
    steps: int,
    seed: int,
    test: bool,
) -> RunSpec:
    from benchmark import plan
    from benchmark.spec import RunSpec, Seeds, Variant
    from tasks import registry

    made, variant = _task(task, task_parameters), variant or Variant()
    try:
        data_digest = made.data_digest()
    except (OSError, ImportError, ValueError) as error:
        raise UserError(f"task {task}: its data cannot be made here: {error}") from None
    # Of the domain of development and streams of their own: no study chooses or judges on these seeds (PROTOCOL 6, 20).
    # As in a study they do not depend on the cell, so that one seed gives two cells the same data in the same order.
    streams = {
        name: plan.seed("development", name, "notebook", task, seed)
        for name in ("data", "initialisation", "order", "dropout")
    }
    dials = made.parameters()
    return RunSpec(
        task=task,
        task_parameters={name: value for name, value in dials.items() if name not in made.locations},
        task_locations={name: dials[name] for name in made.locations},
        task_digest=registry.digest(task),
        data_digest=data_digest,
        depth=depth,
        width=width,
        variant=variant,
        hyperparameters=setting,
        seeds=Seeds(replicate=seed, **streams),
        fold=seed % made.folds if test and made.replicates == "folds" else None,
        steps=steps,
        validate_every=max(1, steps // VALIDATIONS),
        reads_test=test,
    )


def _whole(name: str, value: Any, least: int = 1) -> int:
    """A plain int, also of a cell of a table, which is NumPy's: a training's identity is JSON."""
    try:
        if (whole := operator.index(value)) >= least:
            return whole
    except TypeError:
        pass
    raise UserError(f"{name} is {value}: give a whole number from {least}")


def _task(reference: str, parameters: Mapping[str, Any] | None) -> Task:
    from tasks import registry

    try:
        return registry.create(reference, parameters)
    except (registry.TaskNotFound, registry.TaskParameterError, registry.TaskNameClash) as error:
        raise UserError(str(error)) from None


@contextmanager
def _as_a_worker() -> Iterator[None]:
    """One thread and flushed denormals, as wherever a study trains; afterwards both are as they were.

    Left flushed, the smallest numbers would be 0 in all that the notebook computes later, an analysis included.
    """
    import torch

    from benchmark.executors.worker import settle_torch

    threads = torch.get_num_threads()
    flushed = float(torch.tensor(2.0**-1074, dtype=torch.float64) * 1) == 0
    settle_torch()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(flushed)
