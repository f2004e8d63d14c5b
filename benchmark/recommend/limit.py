"""What a person can afford, and the cell of every depth that fits it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from benchmark.analysis.equal_size import TOLERANCE, spread
from benchmark.errors import UserError
from benchmark.recommend.problem import Facts
from benchmark.sizing import LARGEST_BUDGET, NARROWEST, Size, measure, nearest_width

Quantity = Literal["parameters", "flops", "milliseconds"]
ALIKE = 2 * TOLERANCE
"""Spread of parameters up to which cells of equal FLOPs or time are read by verdicts at equal parameters: in a small
network one cell more or less moves the size by more than the tolerance of a contrast."""


@dataclass(frozen=True)
class Limit:
    """An amount of parameters, of FLOPs per sequence, or of milliseconds per sequence on this machine."""

    quantity: Quantity
    amount: float

    def __post_init__(self) -> None:
        if not self.amount > 0:
            raise UserError(f"--{self.quantity} is {self.amount:g}: give a number above 0")
        if self.quantity == "parameters" and self.amount > LARGEST_BUDGET:
            raise UserError(f"--parameters is {self.amount:,.0f}: give at most {LARGEST_BUDGET:,}")


@dataclass(frozen=True)
class Cells:
    """A cell for every depth, alike in what the limit counts."""

    limit: Limit
    sizes: Mapping[int, Size]

    @property
    def size(self) -> float:
        """Parameters by which the budgets of verdicts are told near or far: the budget, else those of one layer."""
        return self.limit.amount if self.limit.quantity == "parameters" else float(self.sizes[1].parameters)

    @property
    def alike(self) -> bool:
        """Whether verdicts at equal parameters are taken to speak of these cells."""
        return self.limit.quantity == "parameters" or self.spread <= ALIKE

    @property
    def spread(self) -> float:
        """(largest - smallest) / smallest of the parameters."""
        counts = [size.parameters for size in self.sizes.values()]
        return spread(counts)

    def notes(self) -> list[str]:
        """What a person must know of these cells."""
        found = []
        if self.limit.quantity != "parameters" and TOLERANCE < self.spread <= ALIKE:
            found.append(f"The cells differ by {self.spread:.0%} in parameters, and are read as if they did not")
        return found + [
            f"{_layers(size.depth)} would have {size.width} cells each, under the {NARROWEST} that a study accepts"
            for size in self.sizes.values()
            if size.width < NARROWEST
        ]


def cells(limit: Limit, facts: Facts, depths: Iterable[int]) -> Cells:
    """The cell of each depth that is nearest to the limit in parameters or FLOPs; in milliseconds the largest within.

    Counted on the real module (`sizing`); milliseconds are measured here and now (`latency`). Raises UserError where
    the facts do not suffice.
    """
    if facts.inputs is None:
        raise UserError("give --inputs N, the features of one step: without them no width can be counted")
    if facts.length is None and limit.quantity != "parameters":
        raise UserError(f"--{limit.quantity} is an amount per sequence: give --length N, its steps")
    asked = sorted(set(depths))
    if limit.quantity == "milliseconds":
        from benchmark.recommend.latency import widest

        widths = widest(limit.amount, facts, asked)
    else:
        wanted, counted = round(limit.amount), limit.quantity
        widths = {depth: nearest_width(depth=depth, wanted=wanted, match=counted, **_network(facts)) for depth in asked}
    return Cells(limit, {depth: measure(depth=depth, width=widths[depth], **_network(facts)) for depth in asked})


def _network(facts: Facts) -> dict[str, Any]:
    """What the problem asks of a network besides depth and width."""
    return {
        "inputs": facts.inputs,
        "outputs": facts.outputs,
        "target": facts.target or "step",
        "time": facts.length or 1,
        "embedding": facts.embedding,
    }


def _layers(depth: int) -> str:
    return "1 layer" if depth == 1 else f"{depth} layers"
