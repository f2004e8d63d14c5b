"""One training between two steps, and its checkpoint."""

from __future__ import annotations

import io
import json
import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from benchmark.batches import BatchOrder
from benchmark.lstm import StackedLSTM
from benchmark.spec import RunResult, RunSpec
from benchmark.splits import Tensors
from tasks.task import Task


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


def validated(spec: RunSpec, step: int) -> bool:
    """Whether the network is validated after that many steps."""
    return step % spec.validate_every == 0 or step == spec.steps


def optimizer_for(network: StackedLSTM, spec: RunSpec) -> torch.optim.Optimizer:
    """AdamW; biases, norms and the readout's bias are not decayed (PROTOCOL 3)."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": spec.hyperparameters.weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=spec.hyperparameters.learning_rate, fused=True)


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


def save(state: TrainingState, result: RunResult) -> bytes:
    """A checkpoint: tensors and plain values only, loadable with `weights_only`. `result`: see `so_far`."""
    record: dict[str, Any] = {name: getattr(state, name) for name in _SAVED}
    record["so_far"] = json.dumps({name: value for name, value in result.to_dict().items() if name != "curves"})
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


def so_far(checkpoint: bytes) -> RunResult:
    """What a training gives that goes no further than its checkpoint: `pruned`, its curves, and no loss of its own."""
    record = torch.load(io.BytesIO(checkpoint), weights_only=True, map_location="cpu")
    return RunResult.from_dict({**json.loads(record["so_far"]), "curves": record["curves"]})
