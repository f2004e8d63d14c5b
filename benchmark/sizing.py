"""How big a cell is, and which width gives a depth the size that was asked (PROTOCOL 1 and 2).

Everything is counted on the real module, built on torch's meta device, which allocates nothing. Torch loads with the
first count, not with this file.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from benchmark.analysis.equal_size import TOLERANCE, spread
from benchmark.errors import UserError
from benchmark.spec import Variant

if TYPE_CHECKING:
    from benchmark.lstm import StackedLSTM
    from tasks.task import Task

Match = Literal["parameters", "state", "flops"]
Target = Literal["step", "sequence", "labels"]

NARROWEST = 8
"""Fewest cells per layer that a study accepts: below it one cell more or less moves the size by too much."""
LARGEST_BUDGET = 1_000_000_000
"""Parameters. Beyond it the exact search for the snapped budget would take minutes."""
POINTWISE_PER_CELL = 17
"""Pointwise operations of one LSTM cell in one step: 4 sums of the two products, 4 biases, 4 gate activations, 3 to
update the cell state, and its tanh and the output gate's product. An activation counts as one operation."""
NORM_PER_FEATURE = 7
"""Layer normalisation per feature: mean, centring, square, its mean, division, scale, shift."""


@dataclass(frozen=True)
class Size:
    """The size of one cell. `state` is depth x width x directions; `flops` are those of one sequence, forward only."""

    depth: int
    width: int
    parameters: int
    state: int
    flops: int


@dataclass(frozen=True)
class Solution:
    """The cells of one contrast, made equal in `match`.

    `budget_used` is the parameter budget after snapping; `spread` is (largest - smallest) / smallest of the matched
    quantity over `sizes`, which `check` holds against `tolerance`.
    """

    sizes: dict[int, Size]
    budget_asked: int
    budget_used: int
    spread: float
    match: Match = "parameters"
    tolerance: float = TOLERANCE


@dataclass(frozen=True, kw_only=True)
class _Problem:
    """What a network is besides its depth and width."""

    inputs: int
    outputs: int
    variant: Variant
    time: int
    target: Target
    embedding: int

    def __post_init__(self) -> None:
        for name, value in (("inputs", self.inputs), ("outputs", self.outputs), ("time", self.time)):
            if value < 1:
                raise UserError(f"{name} is {value}: give a whole number from 1")

    def count(self, quantity: Match, depth: int, width: int) -> int:
        return getattr(_measure(self, depth, width), quantity)

    def nearest_width(self, quantity: Match, depth: int, wanted: int) -> int:
        """Found by doubling and bisection: every count grows strictly with width."""
        above = 1
        while self.count(quantity, depth, above) < wanted:
            above *= 2
        below = above // 2  # counts less than `wanted`, or is 0: no network
        while above - below > 1:
            middle = (below + above) // 2
            if self.count(quantity, depth, middle) < wanted:
                below = middle
            else:
                above = middle
        if below == 0:
            return above
        shortfall = wanted - self.count(quantity, depth, below)
        return below if shortfall <= self.count(quantity, depth, above) - wanted else above


def network_shape(task: Task) -> dict[str, Any]:
    """What a task asks of a network besides depth and width: arguments of StackedLSTM, and of those in `sizing`."""
    return {
        "inputs": task.tokens or task.inputs,
        "outputs": task.outputs,
        "target": task.target,
        "embedding": task.embedding,
    }


def measure(
    *,
    inputs: int,
    outputs: int,
    depth: int,
    width: int,
    variant: Variant | None = None,
    time: int = 1,
    target: Target = "step",
    embedding: int = 0,
) -> Size:
    """Count one cell on the real module.

    Parameters are the trainable ones, head and table of tokens included (a lookup costs no FLOPs); torch's second bias
    per layer is not trained and not counted.
    FLOPs are of one forward pass over one sequence of `time` steps: two per multiply-add of every matrix product, plus
    `POINTWISE_PER_CELL` per LSTM cell, the additions of biases and residuals, and `NORM_PER_FEATURE`; a readout per
    sequence is applied once, a readout per step `time` times. Raises UserError on a number below 1.
    """
    problem = _Problem(
        inputs=inputs, outputs=outputs, variant=variant or Variant(), time=time, target=target, embedding=embedding
    )
    return _measure(problem, depth, width)


def nearest_width(
    *,
    inputs: int,
    outputs: int,
    depth: int,
    wanted: int,
    match: Match = "parameters",
    variant: Variant | None = None,
    time: int = 1,
    target: Target = "step",
    embedding: int = 0,
) -> int:
    """The width whose count of `match` is nearest to `wanted`; of two equally near, the smaller. At least 1."""
    problem = _Problem(
        inputs=inputs, outputs=outputs, variant=variant or Variant(), time=time, target=target, embedding=embedding
    )
    return problem.nearest_width(match, depth, wanted)


def solve(
    *,
    inputs: int,
    outputs: int,
    depths: Iterable[int],
    budget: int,
    match: Match = "parameters",
    variant: Variant | None = None,
    time: int = 1,
    target: Target = "step",
    embedding: int = 0,
    tolerance: float = TOLERANCE,
    snap: float = 0.10,
) -> Solution:
    """Widths that make all `depths` equal in `match`, by PROTOCOL 1 and 2.

    Each depth takes the width nearest to the target. `match="parameters"`: the target is the parameter budget.
    `match="state"` or `"flops"`: the parameter budget fixes the width of depth 1, and that network's total state or
    FLOPs are the target, whether or not depth 1 is among `depths`. The budget itself moves by at most the share
    `snap` to where the spread between the depths is smallest, and of equals to the one closest to what was asked.
    Nothing is refused here for its spread or its width: that is `check`.
    """
    problem = _Problem(
        inputs=inputs, outputs=outputs, variant=variant or Variant(), time=time, target=target, embedding=embedding
    )
    wanted_depths = sorted(set(depths))
    if not wanted_depths:
        raise UserError("no depths given: name at least one, such as 1,2,4")
    if not 1 <= budget <= LARGEST_BUDGET:
        raise UserError(f"the budget is {budget:,} parameters: give a whole number from 1 to {LARGEST_BUDGET:,}")

    def widths(candidate: int) -> dict[int, int]:
        reference = candidate
        if match != "parameters":
            reference = problem.count(match, 1, problem.nearest_width("parameters", 1, candidate))
        return {depth: problem.nearest_width(match, depth, reference) for depth in wanted_depths}

    def apart(candidate: int) -> float:
        return spread([problem.count(match, depth, width) for depth, width in widths(candidate).items()])

    # Only these depths' widths change directly with the budget; the others follow them.
    moving = wanted_depths if match == "parameters" else [1]
    candidates = _distinct_budgets(problem, moving, budget, snap)
    best = min(candidates, key=lambda candidate: (apart(candidate), abs(candidate - budget), candidate))
    sizes = {depth: _measure(problem, depth, width) for depth, width in widths(best).items()}
    return Solution(sizes, budget, best, apart(best), match, tolerance)


def check(solution: Solution) -> None:
    """Refuse a contrast whose arms are too narrow or not equal (PROTOCOL 1). Raises UserError with the numbers."""
    narrow = [size for size in solution.sizes.values() if size.width < NARROWEST]
    if narrow:
        listed = ", ".join(f"depth {size.depth} gets width {size.width}" for size in narrow)
        raise UserError(
            f"a budget of {solution.budget_asked:,} parameters is too small: {listed}, under {NARROWEST} cells a layer;"
            " raise the budget or leave out the deepest depths"
        )
    if solution.spread > solution.tolerance:
        listed = ", ".join(f"depth {size.depth}: {getattr(size, solution.match):,}" for size in solution.sizes.values())
        raise UserError(
            f"at a budget of {solution.budget_asked:,} parameters no widths are equal in {solution.match}:"
            f" the spread is {solution.spread:.1%} ({listed}), over the tolerance of {solution.tolerance:.1%};"
            " raise the budget or leave out a depth"
        )


def _distinct_budgets(problem: _Problem, depths: list[int], budget: int, snap: float) -> list[int]:
    """One whole budget for every different answer within the share `snap`: the one closest to `budget`.

    A depth's nearest width changes just above the midpoint of two successive counts, so between the midpoints of all
    depths nothing changes: this is exact, where sampling budgets could miss a narrow interval.
    """
    farthest = math.floor(budget * snap)
    lowest, highest = max(budget - farthest, 1), budget + farthest
    starts = {lowest}
    for depth in depths:
        for width in itertools.count(problem.nearest_width("parameters", depth, lowest)):
            total = problem.count("parameters", depth, width) + problem.count("parameters", depth, width + 1)
            if total // 2 >= highest:
                break
            starts.add(max(total // 2 + 1, lowest))
    ordered = sorted(starts)
    ends = [start - 1 for start in ordered[1:]] + [highest]
    return [min(max(budget, start), end) for start, end in zip(ordered, ends, strict=True)]


@lru_cache(maxsize=100_000)
def _measure(problem: _Problem, depth: int, width: int) -> Size:
    import torch

    from benchmark.lstm import StackedLSTM

    for name, value in (("depth", depth), ("width", width)):
        if value < 1:
            raise UserError(f"{name} is {value}: give a whole number from 1")
    with torch.device("meta"):
        network = StackedLSTM(
            inputs=problem.inputs,
            outputs=problem.outputs,
            depth=depth,
            width=width,
            variant=problem.variant,
            target=problem.target,
            embedding=problem.embedding,
        )
    parameters = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    products, pointwise = operations(network, problem.time)
    directions = 2 if problem.variant.bidirectional else 1
    return Size(depth, width, parameters, depth * width * directions, products + pointwise)


def operations(network: StackedLSTM, time: int) -> tuple[int, int]:
    """FLOPs of all matrix products, and pointwise operations, of a forward pass over one sequence of `time` steps."""
    from torch import nn

    products = pointwise = 0
    for module in network.modules():
        if isinstance(module, nn.LSTM):
            weights = (weight.numel() for name, weight in module.named_parameters() if name.startswith("weight"))
            products += 2 * time * sum(weights)
            pointwise += time * POINTWISE_PER_CELL * module.hidden_size
        elif isinstance(module, nn.LayerNorm):
            pointwise += time * NORM_PER_FEATURE * module.normalized_shape[0]
    if network.variant.residual:
        passed_up = network.width * (2 if network.variant.bidirectional else 1)
        pointwise += time * passed_up * (network.depth - 1)
    times = 1 if network.target == "sequence" else time
    products += 2 * times * network.readout.weight.numel()
    pointwise += times * network.readout.out_features
    return products, pointwise


__all__ = [
    "Match",
    "Size",
    "Solution",
    "Target",
    "check",
    "measure",
    "nearest_width",
    "network_shape",
    "operations",
    "solve",
]
