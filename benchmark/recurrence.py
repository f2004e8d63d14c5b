"""The recurrence of an LSTM layer on a CPU in our own kernel, several times as fast as the library's at small widths.

Where the kernel is missing, `LSTMLayer` is torch's own layer and nothing else changes: the kernel is an engine, not an
identity of a run, and each result says which engine made it. Where torch's own kernels have the widest vectors they are
the faster ones from some width on, and are taken there. STRATA_ENGINE=torch asks for torch's at every width, and
STRATA_ENGINE=native for ours.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from benchmark.kernel import Library, library

PRECISIONS = {torch.float32: "single", torch.float64: "double"}
WIDEST = {("avx512", True, kind): 28 for kind in ("single", "double", "mixed")} | {("avx512", False, "mixed"): 128}
"""Most cells at which our kernel is taken, by its vectors, whether the processor is Intel's, and precision; at any
width with others. From `strata speed` on an AMD EPYC; on an Intel Xeon timed once by hand, in bfloat16 not at all.
"""
MIXED = "mixed"
"""Products in bfloat16, all else in single precision."""
TORCH = "torch-lstm"
AT_ONCE = ("batched", "triton")
"""Engines that compute the layers of all replicas together, on a GPU or for a test; `benchmark.at_once`."""


def engines() -> list[str]:
    """What STRATA_ENGINE may ask for on this machine."""
    return ["torch", *(["native"] if library() else []), "batched", *(["triton"] if find_spec("triton") else [])]


def chosen(weight_hh: Any, precision: str) -> Library | None:
    """What runs layers with these recurrent weights `(..., 4 width, width)`; None for torch's kernels.

    `precision` is one of `PRECISIONS`' or `MIXED`.
    """
    asked = os.environ.get("STRATA_ENGINE", "")
    kernel = None if asked in ("torch", *AT_ONCE) else library()
    if kernel is None or weight_hh.device.type != "cpu" or weight_hh.dtype not in PRECISIONS:
        return None
    if precision == MIXED and not (kernel.mixed and weight_hh.dtype == torch.float32):
        return None
    width = weight_hh.shape[-1]
    widest = WIDEST.get((kernel.name, kernel.intel, precision), width)
    return kernel if asked == "native" or width <= widest else None


def in_kernel(below: Tensor, weight_hh: Any) -> bool:
    """Whether our kernel computes these layers on this input."""
    if below.dtype != weight_hh.dtype or below.dtype not in PRECISIONS:
        return False
    if torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") != torch.bfloat16:
        return False
    return chosen(weight_hh, _precision(below.dtype)) is not None


def _precision(kind: torch.dtype) -> str:
    """Of the kernel's function for layers of this type: under autocast products are in bfloat16."""
    return MIXED if torch.is_autocast_enabled("cpu") else PRECISIONS[kind]


def _pairs(weights: Tensor) -> Tensor:
    """Two neighbouring columns in one integer, as bfloat16; a column of zeros makes an odd number even."""
    even = nn.functional.pad(weights, (0, weights.shape[-1] % 2))
    return even.to(torch.bfloat16).view(torch.int32)


class Recurrence(torch.autograd.Function):
    """Layers of one shape, each with its own weights: from `(replicas, time, batch, inputs)` to hidden states
    `(replicas, time, batch, width)` and the last cell states `(replicas, batch, width)`.

    Gradients flow through the hidden states only.
    """

    @staticmethod
    def forward(ctx: Any, below: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Keeps what the backward pass needs, unless no gradient is asked for."""
        kernel = cast("Library", library())
        replicas, time, batch, inputs = below.shape
        width, lanes = weight_hh.shape[2], kernel.lanes(below.dtype)
        keep = any(ctx.needs_input_grad)
        precision = _precision(below.dtype)
        weights, bias, below = torch.cat([weight_ih, weight_hh], dim=2), bias.contiguous(), below.contiguous()
        read = _pairs(weights) if precision == MIXED else weights
        hidden, cells = below.new_empty(replicas, time, batch, width), below.new_empty(replicas, batch, width)
        steps = -(-batch // lanes) * (time + 1) if keep else 2
        kept = below.new_empty(replicas, steps * (inputs + 6 * width) * lanes)
        sizes = time, batch, inputs, width
        for one in range(replicas):
            parts = below[one], read[one], bias[one], hidden[one], cells[one], kept[one]
            kernel.call("forward", precision, *sizes, *parts, int(keep))
        if keep:
            ctx.save_for_backward(weights, kept)
            ctx.sizes, ctx.precision = sizes, precision
        ctx.mark_non_differentiable(cells)
        return hidden, cells

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, up: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of the four arguments."""
        kernel = cast("Library", library())
        weights, kept = ctx.saved_tensors
        time, batch, inputs, width = ctx.sizes
        replicas, lanes, up = len(up), kernel.lanes(up.dtype), up.contiguous()
        to_weights, to_bias = torch.zeros_like(weights), up.new_zeros(replicas, 4 * width)
        to_below = up.new_empty(replicas, time, batch, inputs) if ctx.needs_input_grad[0] else None
        deltas = up.new_empty(time * 4 * width * lanes)
        room = up.new_empty((inputs + 3 * width + (inputs + width + 4) * time) * lanes)
        transposed = weights.mT.contiguous()
        transposed = _pairs(transposed) if ctx.precision == MIXED else transposed
        for one in range(replicas):
            passed_down = None if to_below is None else to_below[one]
            parts = transposed[one], kept[one], up[one], to_weights[one], to_bias[one], passed_down, deltas, room
            kernel.call("backward", ctx.precision, *ctx.sizes, *parts)
        return to_below, to_weights[..., :inputs], to_weights[..., inputs:], to_bias


def recur(below: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor) -> Tensor:
    """Layers of one shape, each with its own weights `(replicas, 4 width, ...)` and one bias: from
    `(replicas, time, batch, inputs)` to hidden states.

    In our kernel where that is chosen, else in torch's, a replica after another. STRATA_ENGINE=batched and triton ask
    for all at once.
    """
    asked = os.environ.get("STRATA_ENGINE", "")
    if asked in AT_ONCE:
        from benchmark.at_once import recur_at_once  # imported late: triton is seldom there

        return recur_at_once(below, weight_ih, weight_hh, bias, asked)
    if in_kernel(below, weight_hh):
        return Recurrence.apply(below, weight_ih, weight_hh, bias)[0]
    state = below.new_zeros(1, below.shape[2], weight_hh.shape[2])
    hidden = [
        torch.lstm(one, (state, state), [ih, hh, b, torch.zeros_like(b)], True, 1, 0.0, True, False, False)[0]
        for one, ih, hh, b in zip(below, weight_ih, weight_hh, bias, strict=True)
    ]
    return torch.stack(hidden)


class LSTMLayer(nn.LSTM):
    """One layer of `nn.LSTM`, time first, that runs in our kernel where it can."""

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> Any:  # type: ignore[override]
        """As `nn.LSTM.forward`; through our kernel gradients flow through the outputs, not through the last state."""
        if hx is not None or not self._fits(input):
            return super().forward(input, hx)
        weight_ih, weight_hh, bias_ih, bias_hh = self._flat_weights
        stacked = (one.unsqueeze(0) for one in (input, weight_ih, weight_hh, bias_ih + bias_hh))  # type: ignore[operator, union-attr]
        hidden, cells = Recurrence.apply(*stacked)
        return hidden[0], (hidden[0, -1:], cells)

    def _fits(self, below: Tensor) -> bool:
        return (
            below.device.type == "cpu"
            and below.dim() == 3
            and below.numel() > 0
            and in_kernel(below, self.weight_hh_l0)
        )


def engine(network: nn.Module, precision: str) -> str:
    """What trained the layers of a network, all of one width: `native-avx2`, say, or `torch-lstm`."""
    if (asked := os.environ.get("STRATA_ENGINE", "")) in AT_ONCE:
        return asked
    layer = next(module for module in network.modules() if isinstance(module, LSTMLayer))
    mixed, weight_hh = precision == "bf16-mixed", cast("Tensor", layer.weight_hh_l0)
    kernel = chosen(weight_hh, MIXED if mixed else PRECISIONS.get(weight_hh.dtype, ""))
    return f"native-{'bfloat16' if mixed else kernel.name}" if kernel else TORCH
