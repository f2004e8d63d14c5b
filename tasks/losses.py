"""Per-target losses on tensors. The only file of `tasks` that needs torch; only the engine imports it."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

LOG_VARIANCE_BOUND = 10.0
"""QLIKE clamps the network's log-variance to ±10: a daily standard deviation between 1/148 and 148 times the train
mean's. No predictor worth reading goes there; an untrained net in trouble gets a large finite loss, not an infinity."""


def elementwise(name: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """Loss of every target, not averaged over targets: `(...)`, in the unit of the task's loss.

    outputs  `(..., outputs)` as the network gives them
    targets  `(...)`, or `(..., outputs)` for the two regressions

    squared_error  mean over the output dimensions of (output - target)²
    cross_entropy  outputs are logits over classes, targets int64 classes: -log softmax(outputs)[target], in nats
    cross_entropy_bits  the same in bits: nats / ln 2
    qlike          mean over the output dimensions of x/h - ln(x/h) - 1 (Patton 2011, Journal of Econometrics 160,
                   246-256, up to its constant), where the target x > 0 is the variance proxy divided by the train mean
                   of the proxy, and the output is ln h: the log of the predicted variance divided by that same mean.
                   An output of 0 predicts the train mean. It is 0 where h = x and positive elsewhere

    Raises ValueError for an unknown name, and for shapes that do not fit (nothing is broadcast).
    """
    if name in ("cross_entropy", "cross_entropy_bits"):
        if outputs.shape[:-1] != targets.shape:
            raise ValueError(f"{name}: targets {tuple(targets.shape)} do not fit outputs {tuple(outputs.shape)}")
        flat = functional.cross_entropy(outputs.reshape(-1, outputs.shape[-1]), targets.reshape(-1), reduction="none")
        return (flat / math.log(2.0) if name == "cross_entropy_bits" else flat).reshape(targets.shape)
    if name not in ("squared_error", "qlike"):
        raise ValueError(
            f"no loss of single targets is named {name!r}; there are squared_error, cross_entropy, cross_entropy_bits "
            "and qlike"
        )
    if targets.dim() == outputs.dim() - 1:
        targets = targets.unsqueeze(-1)
    if outputs.shape != targets.shape:
        raise ValueError(f"{name}: targets {tuple(targets.shape)} do not fit outputs {tuple(outputs.shape)}")
    if name == "squared_error":
        return (outputs - targets).square().mean(-1)
    # With d = ln(x/h) the loss is exp(d) - 1 - d; expm1 keeps its digits where the prediction is good and d is small.
    difference = torch.log(targets) - outputs.clamp(-LOG_VARIANCE_BOUND, LOG_VARIANCE_BOUND)
    return (torch.expm1(difference) - difference).mean(-1)


def label_sequence_loss(outputs: Tensor, lengths: Tensor | None, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """Nats per label of every sequence `(batch,)`: -log P(labels) over all alignments, over the number of labels.

    outputs         `(batch, time, outputs)` scores before softmax; the last output is blank (`tasks/labels.py`)
    lengths         `(batch,)` steps that count, or None when all do
    targets         int64 `(batch, longest)`, of which `target_lengths` `(batch,)` count, each at least 1

    torch.nn.CTCLoss (Graves et al. 2006); the sum over the sequences of a split of (value x labels) over all its labels
    is the task's loss. Infinite where there are too few steps for the labels.
    """
    batch, time, classes = outputs.shape
    if lengths is None:
        lengths = torch.full((batch,), time, device=outputs.device)
    scores = (outputs if outputs.dtype == torch.float64 else outputs.float()).log_softmax(-1).transpose(0, 1)
    # Labels one after another, and not padded rows: torch reads padding when it looks for repeats, and it need not be.
    flat = targets[torch.arange(targets.shape[1], device=targets.device) < target_lengths.unsqueeze(1)]
    losses = functional.ctc_loss(scores, flat, lengths, target_lengths, blank=classes - 1, reduction="none")
    return losses / target_lengths
