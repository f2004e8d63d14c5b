"""The one owner of optimiser steps: batches, schedule, clipping, validation, divergence, best weights."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from benchmark.batches import BatchOrder, chain
from benchmark.lstm import StackedLSTM
from benchmark.spec import RunSpec, stream
from benchmark.splits import Tensors
from tasks.labels import LabelSequences
from tasks.losses import elementwise, label_sequence_loss
from tasks.task import Task

EVALUATION_BATCH = 1024


@dataclass
class TrainingState:
    """One training between two steps: everything that `advance` reads and moves on."""

    spec: RunSpec
    task: Task
    network: StackedLSTM
    optimizer: torch.optim.Optimizer
    train: Tensors
    validation: Tensors
    order: BatchOrder
    trivial_loss: float
    """Loss of the trivial predictor on the validation split: what divergence is measured by."""
    order_hash: str
    step: int = 0
    diverged: bool = False
    best_step: int = 0
    best_loss: float = math.inf
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    window_loss: Tensor = field(default_factory=lambda: torch.zeros(()))
    """Sum of the batch losses since the last validation."""
    clipped: Tensor = field(default_factory=lambda: torch.zeros(()))
    curves: list[tuple[int, str, int, float]] = field(default_factory=list)
    seconds: float = 0.0
    """Time spent by earlier segments of this training."""

    @property
    def finished(self) -> bool:
        """Trained to its last step, or diverged: nothing is left to advance."""
        return self.diverged or self.step >= self.spec.steps


def optimizer_for(network: StackedLSTM, spec: RunSpec) -> torch.optim.Optimizer:
    """AdamW; biases, norms and the readout's bias are not decayed (PROTOCOL 3)."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": spec.hyperparameters.weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=spec.hyperparameters.learning_rate, fused=True)


def learning_rate(spec: RunSpec, step: int) -> float:
    """Linear warm-up over the stated share of the steps, then a cosine to zero; a function of the step alone."""
    warmup = max(1.0, spec.hyperparameters.warmup_share * spec.steps)
    if step < warmup:
        share = (step + 1) / warmup
    else:
        share = 0.5 * (1.0 + math.cos(math.pi * (step - warmup) / max(1.0, spec.steps - warmup)))
    return spec.hyperparameters.learning_rate * min(1.0, share)


def advance(state: TrainingState, until: int) -> None:
    """Take optimiser steps up to step `until` (or the last); any cut into calls gives the same numbers bit for bit."""
    spec, setting = state.spec, state.spec.hyperparameters
    parameters = [p for group in state.optimizer.param_groups for p in group["params"]]
    while state.step < min(until, spec.steps) and not state.diverged:
        indices = state.order.indices(state.step)
        state.order_hash = chain(state.order_hash, indices)
        batch = state.train.take(indices.to(state.train.inputs.device))
        generator = None
        if setting.dropout > 0.0:
            generator = torch.Generator(batch.inputs.device)
            generator.manual_seed(stream("dropout", spec.seeds.dropout, state.step))
        outputs = state.network(batch.inputs, batch.lengths, setting.dropout, generator)
        loss = mean_loss(state.task, outputs, batch)
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if _checked(spec, state.step + 1):  # as they are before clipping
            norms = enumerate(state.network.gradient_norms())
            state.curves += [(state.step + 1, "gradient/norm", layer, norm) for layer, norm in norms]
        norm = torch.nn.utils.clip_grad_norm_(parameters, setting.clip_norm)
        for group in state.optimizer.param_groups:
            group["lr"] = learning_rate(spec, state.step)
        state.optimizer.step()
        # Sums stay on the device: reading them at every step would make a GPU wait for the host.
        state.window_loss += loss.detach()
        state.clipped += (norm > setting.clip_norm).to(state.clipped.dtype)
        state.step += 1
        if _checked(spec, state.step):
            _validate(state)


def _checked(spec: RunSpec, step: int) -> bool:
    """Whether the network is validated after that many steps."""
    return step % spec.validate_every == 0 or step == spec.steps


def _validate(state: TrainingState) -> None:
    steps = state.step % state.spec.validate_every or state.spec.validate_every
    train_loss = float(state.window_loss) / steps
    state.window_loss.zero_()
    loss = evaluate(state.network, state.task, state.validation)
    state.curves += [(state.step, "train/loss", -1, train_loss), (state.step, "validation/loss", -1, loss)]
    bound = state.spec.divergence_multiple * state.trivial_loss
    if not (math.isfinite(train_loss) and math.isfinite(loss)) or max(train_loss, loss) > bound:
        state.diverged = True
        return
    if loss < state.best_loss:
        state.best_loss, state.best_step = loss, state.step
        state.best_weights = {name: value.clone() for name, value in state.network.state_dict().items()}


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


def mean_loss(task: Task, outputs: Tensor, batch: Tensors) -> Tensor:
    """Mean over counted targets of the task's loss."""
    if batch.lengths is None and task.target != "labels":
        return elementwise(task.loss, outputs, batch.targets).mean()  # at every step: weights of 1 need not be made
    losses, counts = target_losses(task, outputs, batch)
    return (losses * counts).sum() / counts.sum()


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


_SAVED = (
    "step",
    "diverged",
    "best_step",
    "best_loss",
    "best_weights",
    "window_loss",
    "clipped",
    "curves",
    "order_hash",
    "seconds",
)


def save(state: TrainingState) -> bytes:
    """A checkpoint: tensors and plain values only, loadable with `weights_only`."""
    record: dict[str, Any] = {name: getattr(state, name) for name in _SAVED}
    record["key"] = state.spec.key
    record["network"] = state.network.state_dict()
    record["optimizer"] = state.optimizer.state_dict()
    file = io.BytesIO()
    torch.save(record, file)
    return file.getvalue()


def restore(state: TrainingState, checkpoint: bytes) -> None:
    """Continue from `checkpoint`. Raises ValueError when it belongs to another training."""
    device = state.train.inputs.device
    record = torch.load(io.BytesIO(checkpoint), map_location=device, weights_only=True)
    if record["key"] != state.spec.key:
        raise ValueError(f"checkpoint of training {record['key']} was given to training {state.spec.key}")
    state.network.load_state_dict(record["network"])
    state.optimizer.load_state_dict(record["optimizer"])
    for name in _SAVED:
        setattr(state, name, record[name])
    state.curves = [tuple(row) for row in record["curves"]]


def steps_done(checkpoint: bytes) -> int:
    """The optimiser steps that a checkpoint has behind it."""
    return int(torch.load(io.BytesIO(checkpoint), weights_only=True, map_location="cpu")["step"])


def curves_so_far(checkpoint: bytes) -> list[tuple[int, str, int, float]]:
    """The rows of `RunResult.curves` that a checkpoint has behind it."""
    record = torch.load(io.BytesIO(checkpoint), weights_only=True, map_location="cpu")
    return [tuple(row) for row in record["curves"]]
