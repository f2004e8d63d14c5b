"""A narrow network on noise: what the engine does with order and dropout, seen in a few milliseconds.

Nothing is optimised: that alone would load for seconds what only workers need.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmark.batches import BatchOrder, chain
from benchmark.lstm import StackedLSTM
from benchmark.sizing import network_shape
from benchmark.spec import Variant
from benchmark.stacked import Dropout, StackedNetworks
from tasks.task import Split, SplitName, Task

WIDTH, SEQUENCES, TIME, BATCH = 8, 32, 16, 8
_DRAWN = {"train": 0, "validation": 1, "test": 2}


@dataclass(frozen=True)
class Noise(Task):
    """Sequences of noise `(n, time, features)` with targets of noise: nothing to learn, and made at once."""

    name = "noise"
    family = "synthetic"
    description = "Noise to be predicted from noise."
    target = "step"
    loss = "squared_error"
    unit = "variance of the target"

    @property
    def inputs(self) -> int:
        """Features per step."""
        return 3

    @property
    def outputs(self) -> int:
        """Numbers to be predicted per step."""
        return 2

    @property
    def time(self) -> int:
        """Steps in a sequence."""
        return TIME

    def data(self, split: SplitName, seed: int, fold: int | None = None) -> Split:
        """Normal numbers that depend on the seed and the split."""
        generator = np.random.default_rng((seed, _DRAWN[split]))
        drawn = generator.normal(size=(SEQUENCES, TIME, self.inputs + self.outputs)).astype(np.float32)
        return Split(drawn[..., : self.inputs].copy(), drawn[..., self.inputs :].copy())

    def trivial_loss(self, train: Split, split: Split) -> float:
        """Loss of the true mean, 0."""
        return float((split.targets**2).mean())

    def example(self, seed: int = 0) -> str:
        """The first two steps of a sequence."""
        return str(self.data("train", seed).inputs[0, :2])


class Seen(NamedTuple):
    """What one network showed."""

    outputs: list[Tensor]
    """Without dropout, twice with it by one generator, and with it by another."""
    zeros: list[float]
    """Share of zeros in what every layer passes up, each time with dropout."""
    order: str
    """Digest of the batches of a pass and of the beginning of the next."""
    apart: bool
    """Drawing the batches left torch's global generator as it was."""


def look(depth: int, variant: Variant, *, dropout: float, order_seed: int) -> Seen:
    """Build a network, run it forward as a training does, and draw the batches that `order_seed` gives."""
    task, zeros = Noise(), list[float]()
    with _one_thread(), torch.random.fork_rng(devices=[]), torch.no_grad():
        # In another state for every depth, as building a deeper network may leave it.
        torch.default_generator.manual_seed(depth)
        network = StackedNetworks([StackedLSTM(depth=depth, width=WIDTH, variant=variant, **network_shape(task))])
        inputs = torch.from_numpy(task.data("train", 0).inputs)
        named, outputs = network.named(network.values), [network.forward(network.values, inputs)]
        for seed in (0, 0, 1):
            draws = [Dropout(dropout, torch.Generator().manual_seed(seed))]
            passed = network.passed_up(named, inputs, None, draws)
            outputs.append(network.read_out(named, passed))
            zeros += [float((layer == 0).float().mean()) for layer in passed]
        before = torch.get_rng_state()
        batches, order = BatchOrder(seed=order_seed, sequences=SEQUENCES, batch_size=BATCH), ""
        for step in range(SEQUENCES // BATCH + 1):
            order = chain(order, batches.indices(step))
        apart = torch.equal(before, torch.get_rng_state())
    return Seen(outputs, zeros, order, apart)


@contextmanager
def _one_thread() -> Iterator[None]:
    """On a busy machine threads that wait for each other take seconds over what one does at once."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
