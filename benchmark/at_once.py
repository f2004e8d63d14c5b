"""LSTM layers of many replicas computed together, for devices that one small layer leaves idle.

What reads the layer below is one product of matrices over all time steps. What goes from step to step is `batched`, a
few calls of torch a step, on any device and in any precision; or `triton`, one kernel for the whole sequence.
"""

from __future__ import annotations

import torch
from torch import Tensor

WIDEST = 128
"""Cells that Triton's kernel computes: beyond it the weights of four gates are far more than the registers hold."""


def recur_at_once(below: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor, engine: str) -> Tensor:
    """As `benchmark.recurrence.recur`. Raises RuntimeError where the engine cannot compute these tensors."""
    replicas, time, batch, inputs = below.shape
    projected = torch.baddbmm(bias.unsqueeze(1), below.reshape(replicas, time * batch, inputs), weight_ih.mT)
    projected = projected.view(replicas, time, batch, -1)
    if engine == "batched":
        return batched(projected, weight_hh)
    from benchmark.persistent import Persistent

    return Persistent.apply(projected, weight_hh)


def batched(projected: Tensor, weight_hh: Tensor) -> Tensor:
    """From what the gates read of the layer below `(replicas, time, batch, 4 width)` and recurrent weights
    `(replicas, 4 width, width)` to hidden states, from a state of zero.
    """
    hidden, weights = [], weight_hh.mT
    state = cell = projected.new_zeros(*projected[:, 0].shape[:-1], weight_hh.shape[2])
    for read in projected.unbind(1):
        i, f, g, o = torch.baddbmm(read, state, weights).chunk(4, dim=-1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        state = o.sigmoid() * cell.tanh()
        hidden.append(state)
    return torch.stack(hidden, dim=1)
