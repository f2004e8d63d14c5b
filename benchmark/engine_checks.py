"""Does the engine do what a fair comparison rests on? Asked of the running code before a study trains anything.

What the evidence shows is checked there, under the same names (`benchmark.analysis.fairness`). Dropout that does
nothing at depth 1 leaves no trace in a table, so it is looked for here: a narrow network of every depth and variant of
the study is run on noise. EVIDENCE.md lists the checks and the faults that they catch.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from benchmark.analysis.equal_size import TOLERANCE, spread
from benchmark.analysis.fairness import DATA, EFFORT, REGULARISATION, SIZE, TEST
from benchmark.analysis.replicas import TUNED
from benchmark.conduct import Request, conduct
from benchmark.errors import UserError
from benchmark.overlap import CERTAIN, overlap
from benchmark.plan import Group, seed
from benchmark.sizing import measure, network_shape
from benchmark.spec import Variant
from tasks.task import SplitName

if TYPE_CHECKING:
    from benchmark.probe import Seen

APART = "splits kept apart"
DROPOUT = 0.5
"""Rate at which dropout is tried."""
FAR = 0.1
"""A share of zeros farther than this from the rate is not it: ten standard deviations of so many numbers."""


class _Study(NamedTuple):
    """A planned study as the checks see it."""

    asked: list[tuple[Group, list[Request]]]
    """What each group asks first."""
    seen: dict[str, Seen]
    """What a network of every depth and variant does."""


def require(planned: Sequence[Group]) -> None:
    """Raises UserError, one line with the name of the check, for the first that fails."""
    from benchmark.probe import look  # imported late: torch is loaded when a study is to run
    from benchmark.recurrence import engines

    engine = os.environ.get("STRATA_ENGINE", "")
    if engine and engine not in engines():
        raise UserError(
            f"STRATA_ENGINE={engine}: this machine has {', '.join(engines())}; unset it, and the fastest known for a "
            "width is taken"
        )
    asked = [(group, next(conduct(group, 1))) for group in planned]
    order_seed = asked[0][1][0].spec.seeds.order
    shapes = {(arm.depth, group.variant) for group in planned for arm in group.arms}
    seen = {
        f"depth {depth}" + ("" if variant.name == "plain" else f" ({variant.name})"): look(
            depth, variant, dropout=DROPOUT, order_seed=order_seed
        )
        for depth, variant in sorted(shapes, key=str)
    }
    study = _Study(asked, seen)
    for name, check in CHECKS.items():
        if words := check(study):
            raise UserError(
                f"the check {name!r} failed before anything was trained: {words}; undo the change that broke it, for "
                "the comparison would not be fair"
            )


# --- the checks: each gives '' or what is wrong ----------------------------------------------------------------------


def _effort(study: _Study) -> str:
    """All arms of a group are asked the same points, at the same settings (PROTOCOL 5)."""
    for group, requests in study.asked:
        points: dict[str, set[Any]] = {arm.name: set() for arm in group.arms if arm.replica != TUNED}
        for request in requests:
            if request.arm.name in points:
                points[request.arm.name].add((request.point, request.spec.hyperparameters.learning_rate))
        (first, wanted), *others = points.items()
        for arm, its in others:
            if its != wanted:
                return f"{arm} is asked {len(its)} tuning points, of which {first} is asked {len(its & wanted)}"
    return ""


def _data(study: _Study) -> str:
    """Seeds of data and order do not know the arm, and a deeper network moves no generator (PROTOCOL 4)."""
    for group, requests in study.asked:
        seeds: dict[int, set[Any]] = {}
        for request in requests:
            spec = request.spec
            seeds.setdefault(request.point, set()).add((spec.seeds.data, spec.seeds.order, spec.fold))
        if any(len(several) > 1 for several in seeds.values()):
            return f"the arms of {group.entry.label} are given different seeds of data or order at one tuning point"
    orders = {seen.order: depth for depth, seen in study.seen.items()}
    if len(orders) > 1:
        return f"with one seed {' and '.join(list(orders.values())[:2])} receive different batches"
    if moved := [depth for depth, seen in study.seen.items() if not seen.apart]:
        return f"a training of {moved[0]} draws from torch's global generator"
    return ""


def _regularisation(study: _Study) -> str:
    """Settings know the point and not the arm; dropout acts on what every layer passes up (PROTOCOL 3)."""
    for group, requests in study.asked:
        settings: dict[int, set[Any]] = {}
        for request in requests:
            settings.setdefault(request.point, set()).add(request.spec.hyperparameters)
        if any(
            len({dataclasses.replace(one, learning_rate=1.0) for one in several}) > 1 for several in settings.values()
        ):
            return f"the arms of {group.entry.label} are regularised differently at one tuning point"
    for depth, seen in study.seen.items():
        off, on, again, other = seen.outputs
        share = max(seen.zeros, key=lambda share: abs(share - DROPOUT))
        if abs(share - DROPOUT) > FAR:
            return f"at {depth} a dropout of {DROPOUT} sets {share:.0%} of what a layer passes up to zero"
        if on.equal(off) or on.equal(other) or not on.equal(again):
            return f"at {depth} dropout does not follow the generator that it is given"
    return ""


def _test(study: _Study) -> str:
    """The test split is closed to tuning, and a training gets the task's own splits (PROTOCOL 6)."""
    from benchmark.probe import Noise
    from benchmark.splits import Splits, TestSplitLocked

    for _, requests in study.asked:
        if reading := [request.arm.name for request in requests if request.spec.reads_test]:
            return f"a tuning training of {reading[0]} may read the test split"
    task, spec = Noise(), study.asked[0][1][0].spec
    splits = Splits(task, spec)
    try:
        splits["test"]
    except TestSplitLocked:
        pass
    else:
        return "the test split opens to a training that chooses hyperparameters"
    names: tuple[SplitName, ...] = ("train", "validation")
    for name in names:
        if not np.array_equal(splits[name].inputs, task.data(name, spec.seeds.data, spec.fold).inputs):
            return f"as its {name} split a training gets other data than the task's"
    return ""


def _size(study: _Study) -> str:
    """Counted, built and by the closed form every arm has the same parameters, and arms of a group are equal."""
    import torch

    from benchmark.lstm import StackedLSTM

    built = set()
    for group, _ in study.asked:
        shape, sizes = network_shape(group.task), []
        for arm in group.arms:
            cell: dict[str, Any] = {"depth": arm.depth, "width": arm.width, "variant": group.variant, **shape}
            size, wanted = measure(**cell, time=group.task.time), closed_form(**cell)
            if size.parameters != wanted:
                return f"{size.parameters:,} parameters are counted of {arm.name}, which has {wanted:,}"
            if (arm.depth, group.variant) not in built:  # building takes its time, and is the same for every width
                with torch.device("meta"):
                    network = StackedLSTM(**cell)
                built.add((arm.depth, group.variant))
                there = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
                if there != wanted:
                    return f"{arm.name} is built with {there:,} parameters, where {wanted:,} are counted"
            sizes.append(getattr(size, group.match))
        if (apart := spread(sizes)) > TOLERANCE:
            said = f"between {min(sizes):,} and {max(sizes):,}, {apart:.1%}"
            return f"the arms of {group.entry.label} differ in {group.match} {said}, more than {TOLERANCE:.0%}"
    return ""


def closed_form(
    *,
    inputs: int,
    outputs: int,
    depth: int,
    width: int,
    variant: Variant,
    target: str = "step",
    embedding: int = 0,
) -> int:
    """Trainable parameters of a stack with one bias per layer, readout and table of tokens included, from its shape.

    A layer has four gates with weights from below, weights from itself and a bias, in each direction; `target` changes
    when the readout is applied and not how large it is.
    """
    directions = 2 if variant.bidirectional else 1
    up = directions * width
    below = [embedding or inputs, *[up] * (depth - 1)]
    layers = sum(directions * 4 * width * (fed + width + 1) for fed in below)
    norms = 2 * up * depth if variant.layer_norm else 0
    read = up * depth if variant.readout == "all" else up
    return layers + norms + (read + 1) * outputs + inputs * embedding


def _apart(study: _Study) -> str:
    """The splits of a person's own task share no more sequences than chance gives them.

    Built-in tasks are held to it by the contract tests: their data may take a while to make.
    """
    names: tuple[SplitName, ...] = ("train", "validation", "test")
    for label, task in {group.entry.label: group.task for group, _ in study.asked if ":" in group.entry.task}.items():
        fold, drawn = 0 if task.replicates == "folds" else None, seed("development", APART, label)
        try:
            splits = {name: task.data(name, drawn, fold) for name in names}
            found = {pair: overlap(splits[pair[0]], splits[pair[1]]) for pair in itertools.combinations(names, 2)}
        except Exception:  # whatever a person's code raises is told in one line where the study is priced
            continue
        for (one, other), its in found.items():
            if its.p < CERTAIN:
                said = f"{its.shared:,} sequences of task {label} stand in both {one} and {other}"
                return f"{said}, where chance gives about {its.expected:.0f}"
    return ""


CHECKS: dict[str, Callable[[_Study], str]] = {
    EFFORT: _effort,
    DATA: _data,
    REGULARISATION: _regularisation,
    TEST: _test,
    SIZE: _size,
    APART: _apart,
}
