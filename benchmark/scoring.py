"""What a network's outputs are worth: losses of targets, of sequences, of a split."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.lstm import StackedLSTM
from benchmark.splits import Tensors
from tasks.labels import LabelSequences
from tasks.losses import elementwise, label_sequence_loss
from tasks.task import Task

EVALUATION_BATCH = 1024


def counted(batch: Tensors, losses: Tensor) -> Tensor:
    """1 where a target counts, 0 on padding; the shape of `losses`."""
    if batch.lengths is None or losses.dim() == 1:
        return torch.ones_like(losses)
    steps = torch.arange(losses.shape[1], device=losses.device)
    return (steps < batch.lengths.unsqueeze(1)).to(losses.dtype)


def target_losses(task: Task, outputs: Tensor, batch: Tensors) -> tuple[Tensor, Tensor]:
    """The loss of every target and what it weighs: 1, 0 on padding; of a label sequence, the number of its labels."""
    if task.target == "labels":
        assert batch.target_lengths is not None
        losses = label_sequence_loss(outputs, batch.lengths, batch.targets, batch.target_lengths)
        return losses, batch.target_lengths.to(losses.dtype)
    losses = elementwise(task.loss, outputs, batch.targets)
    return losses, counted(batch, losses)


def second_scores(task: Task, outputs: Tensor, batch: Tensors) -> tuple[Tensor, Tensor]:
    """The second score of every target and what it weighs, in the same way."""
    if isinstance(task, LabelSequences):
        assert batch.target_lengths is not None
        errors, labels = task.label_errors(outputs, batch.lengths, batch.targets, batch.target_lengths)
        weights = torch.from_numpy(labels)
        return torch.from_numpy(errors) / weights.clamp(min=1.0), weights
    scores = task.evaluate_second_metric(outputs, batch.targets)
    return scores, counted(batch, scores)


def mean_losses(task: Task, outputs: Tensor, batch: Tensors, replicas: int = 1) -> Tensor:
    """Mean over counted targets of the task's loss `(replicas,)`, each over its share of a batch that holds them all,
    one after another.
    """
    if batch.lengths is None and task.target != "labels":  # at every step: weights of 1 need not be made
        return elementwise(task.loss, outputs, batch.targets).reshape(replicas, -1).mean(1)
    losses, counts = target_losses(task, outputs, batch)
    losses, counts = losses.reshape(replicas, -1), counts.reshape(replicas, -1)
    return (losses * counts).sum(1) / counts.sum(1)


@torch.no_grad()
def losses_by_sequence(network: StackedLSTM, task: Task, split: Tensors, second: bool = False) -> tuple[Tensor, Tensor]:
    """(sum of the losses, number of counted targets) of every sequence, `(n,)` each, in float64."""
    sums, counts = [], []
    for start in range(0, len(split), EVALUATION_BATCH):
        batch = split.take(torch.arange(start, min(start + EVALUATION_BATCH, len(split)), device=split.inputs.device))
        outputs = network(batch.inputs, batch.lengths)
        losses, weights = (second_scores if second else target_losses)(task, outputs, batch)
        losses, weights = losses.double(), weights.double()
        sums.append((losses * weights).reshape(len(batch), -1).sum(1))
        counts.append(weights.reshape(len(batch), -1).sum(1))
    return torch.cat(sums), torch.cat(counts)


def evaluate(network: StackedLSTM, task: Task, split: Tensors, second: bool = False) -> float:
    """Mean over all counted targets of a split."""
    sums, counts = losses_by_sequence(network, task, split, second)
    return float(sums.sum() / counts.sum())
