"""The recurrence of stacked LSTM layers as one Triton kernel: a program holds a replica's recurrent weights.

A program takes some sequences of one replica through all time steps, its weights, hidden and cell states staying on the
multiprocessor. Widths are padded to a power of two, with zeros. Gradients of the weights are one product of matrices
after the kernel (as in FlashRNN, Poeppel et al. 2024). Single precision; products are exact to it (`ieee`).
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from benchmark.at_once import WIDEST

SEQUENCES = 32
"""Most sequences of one program."""
SMALLEST = 16
"""Least side of a product of matrices in Triton."""


@triton.jit
def _sigmoid(x):  # type: ignore[no-untyped-def]
    return 1.0 / (1.0 + tl.exp(-x))


@triton.jit
def _tanh(x):  # type: ignore[no-untyped-def]
    return 2.0 / (1.0 + tl.exp(-2.0 * x)) - 1.0


@triton.jit
def _load_gates(first, apart, inside):  # type: ignore[no-untyped-def]
    """The four gates' tiles, which lie `apart` numbers from each other: i, f, g, o."""
    return (
        tl.load(first, mask=inside, other=0.0),
        tl.load(first + apart, mask=inside, other=0.0),
        tl.load(first + 2 * apart, mask=inside, other=0.0),
        tl.load(first + 3 * apart, mask=inside, other=0.0),
    )


@triton.jit
def _store_gates(first, apart, inside, i, f, g, o):  # type: ignore[no-untyped-def]
    tl.store(first, i, mask=inside)
    tl.store(first + apart, f, mask=inside)
    tl.store(first + 2 * apart, g, mask=inside)
    tl.store(first + 3 * apart, o, mask=inside)


@triton.jit
def _forward(projected, weight, hidden, gates, cells, time, batch, width, ROWS: tl.constexpr, UNITS: tl.constexpr):  # type: ignore[no-untyped-def]
    replica = tl.program_id(0).to(tl.int64)
    rows = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    units = tl.arange(0, UNITS)
    square = (units[:, None] < width) & (units[None, :] < width)
    inside = (rows[:, None] < batch) & (units[None, :] < width)
    # Read transposed: column u of a gate's tile are the weights of its cell u.
    tile = weight + replica * 4 * width * width + units[None, :] * width + units[:, None]
    to_i, to_f, to_g, to_o = _load_gates(tile, width * width, square)
    h = tl.zeros((ROWS, UNITS), tl.float32)
    c = tl.zeros((ROWS, UNITS), tl.float32)
    for t in range(time):
        first = (replica * time + t) * batch + rows[:, None]
        at, one = first * 4 * width + units[None, :], first * width + units[None, :]
        before = one + replica * batch * width  # cells have a row more, of zeros, before the first step
        i, f, g, o = _load_gates(projected + at, width, inside)
        i += tl.dot(h, to_i, input_precision="ieee")
        f += tl.dot(h, to_f, input_precision="ieee")
        g += tl.dot(h, to_g, input_precision="ieee")
        o += tl.dot(h, to_o, input_precision="ieee")
        i, f, g, o = _sigmoid(i), _sigmoid(f), _tanh(g), _sigmoid(o)
        c = f * c + i * g
        h = tl.where(inside, o * _tanh(c), 0.0)
        _store_gates(gates + at, width, inside, i, f, g, o)
        tl.store(cells + before + batch * width, c, mask=inside)
        tl.store(hidden + one, h, mask=inside)


@triton.jit
def _backward(up, weight, gates, cells, deltas, time, batch, width, ROWS: tl.constexpr, UNITS: tl.constexpr):  # type: ignore[no-untyped-def]
    replica = tl.program_id(0).to(tl.int64)
    rows = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    units = tl.arange(0, UNITS)
    square = (units[:, None] < width) & (units[None, :] < width)
    inside = (rows[:, None] < batch) & (units[None, :] < width)
    tile = weight + replica * 4 * width * width + units[:, None] * width + units[None, :]
    of_i, of_f, of_g, of_o = _load_gates(tile, width * width, square)
    to_h = tl.zeros((ROWS, UNITS), tl.float32)
    to_c = tl.zeros((ROWS, UNITS), tl.float32)
    for back in range(time):
        t = time - 1 - back
        first = (replica * time + t) * batch + rows[:, None]
        at, one = first * 4 * width + units[None, :], first * width + units[None, :]
        before = one + replica * batch * width  # cells have a row more, of zeros, before the first step
        i, f, g, o = _load_gates(gates + at, width, inside)
        squashed = _tanh(tl.load(cells + before + batch * width, mask=inside, other=0.0))
        last = tl.load(cells + before, mask=inside, other=0.0)
        h = tl.load(up + one, mask=inside, other=0.0) + to_h
        c = to_c + h * o * (1.0 - squashed * squashed)
        d_i, d_f = c * g * i * (1.0 - i), c * last * f * (1.0 - f)
        d_g, d_o = c * i * (1.0 - g * g), h * squashed * o * (1.0 - o)
        _store_gates(deltas + at, width, inside, d_i, d_f, d_g, d_o)
        to_c = c * f
        to_h = tl.dot(d_i, of_i, input_precision="ieee") + tl.dot(d_f, of_f, input_precision="ieee")
        to_h += tl.dot(d_g, of_g, input_precision="ieee") + tl.dot(d_o, of_o, input_precision="ieee")


class Persistent(torch.autograd.Function):
    """As `benchmark.at_once.batched`, in one kernel each way."""

    @staticmethod
    def forward(ctx: Any, projected: Tensor, weight_hh: Tensor) -> Tensor:
        """Raises RuntimeError for other than single precision, and for layers of more than `WIDEST` cells."""
        replicas, time, batch, _ = projected.shape
        width = weight_hh.shape[2]
        if projected.dtype != torch.float32 or weight_hh.dtype != torch.float32 or width > WIDEST:
            raise RuntimeError(
                f"STRATA_ENGINE=triton computes single precision and up to {WIDEST} cells, not {projected.dtype} and "
                f"{width}: take STRATA_ENGINE=batched"
            )
        projected, weight_hh = projected.contiguous(), weight_hh.contiguous()
        hidden, gates = projected.new_empty(replicas, time, batch, width), torch.empty_like(projected)
        cells = projected.new_zeros(replicas, time + 1, batch, width)
        grid, sides = _launch(replicas, batch, width)
        _forward[grid](projected, weight_hh, hidden, gates, cells, time, batch, width, *sides)
        ctx.save_for_backward(weight_hh, hidden, gates, cells)
        return hidden

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, up: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of what was projected and of the recurrent weights."""
        weight_hh, hidden, gates, cells = ctx.saved_tensors
        replicas, time, batch, width = hidden.shape
        deltas = torch.empty_like(gates)
        grid, sides = _launch(replicas, batch, width)
        _backward[grid](up.contiguous(), weight_hh, gates, cells, deltas, time, batch, width, *sides)
        to_weights = torch.bmm(deltas[:, 1:].flatten(1, 2).mT, hidden[:, :-1].flatten(1, 2))
        return deltas, to_weights


def _launch(replicas: int, batch: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Programs, and the padded sides of a program's tiles."""
    rows = max(SMALLEST, min(SEQUENCES, triton.next_power_of_2(batch)))
    return (replicas, triton.cdiv(batch, rows)), (rows, max(SMALLEST, triton.next_power_of_2(width)))
