"""Ablation: how much worse is a network whose layer says the same thing at every step?"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from benchmark.errors import UserError
from benchmark.lstm import StackedLSTM
from benchmark.scoring import EVALUATION_BATCH, losses_by_sequence
from benchmark.splits import Tensors
from tasks.task import Task


@dataclass(frozen=True, eq=False)
class Ablation:
    """Sums of losses by sequence, whole and with one layer held still; counted targets of each sequence."""

    whole: np.ndarray
    """`(sequences,)`; `targets` likewise."""
    without: np.ndarray
    """`(layers, sequences)`, the lowest layer first."""
    targets: np.ndarray

    def increases(self) -> np.ndarray:
        """`(layers,)`: how much the mean loss rises, in the task's unit."""
        return (self.without - self.whole).sum(axis=1) / self.targets.sum()


@torch.no_grad()
def mean_outputs(network: StackedLSTM, split: Tensors) -> Tensor:
    """Mean hidden state of every layer over sequences and counted steps, `(layers, width)`."""
    sums = [torch.zeros(network.width, dtype=network.readout.weight.dtype) for _ in range(network.depth)]
    steps = 0.0
    for start in range(0, len(split), EVALUATION_BATCH):
        batch = split.take(torch.arange(start, min(start + EVALUATION_BATCH, len(split))))
        time = torch.arange(batch.inputs.shape[1])[:, None]
        counts = (time < (len(time) if batch.lengths is None else batch.lengths)).expand(-1, len(batch))
        steps += float(counts.sum())
        with ExitStack() as hooks:
            for index, layer in enumerate(network.lstms):

                def add(
                    _: nn.Module, __: object, answer: tuple[Tensor, object], index: int = index, counts: Tensor = counts
                ) -> None:
                    sums[index] += answer[0][counts].sum(dim=0)

                hooks.callback(layer[0].register_forward_hook(add).remove)
            network(batch.inputs, batch.lengths)
    return torch.stack(sums) / steps


def ablate(network: StackedLSTM, task: Task, split: Tensors) -> Ablation:
    """Losses on `split` with each layer's output replaced by its mean there, one layer at a time.

    The output is the layer's own: what a residual connection carries past it stays. Raises UserError for a
    bidirectional network.
    """
    if network.variant.bidirectional:
        raise UserError("a layer of a bidirectional network has two outputs: ablation is of stacks that read one way")
    whole, targets = losses_by_sequence(network, task, split)
    without = []
    for layer, mean in zip(network.lstms, mean_outputs(network, split), strict=True):

        def still(
            _: nn.Module, __: object, answer: tuple[Tensor, object], mean: Tensor = mean
        ) -> tuple[Tensor, object]:
            return mean.expand_as(answer[0]), answer[1]

        with ExitStack() as hook:
            hook.callback(layer[0].register_forward_hook(still).remove)
            without.append(losses_by_sequence(network, task, split)[0])
    return Ablation(whole.numpy(), torch.stack(without).numpy(), targets.numpy())
