"""The recurrence of an LSTM layer on a CPU in our own kernel, several times as fast as the library's at small widths.

`native/recurrence.c` is built with the package where there is a C compiler, and loaded here when it is first needed.
Where it is missing, `LSTMLayer` is torch's own layer and nothing else changes: the kernel is an engine, not an
identity of a run, and each result says which engine made it. Where torch's own kernels have the widest vectors they are
the faster ones from some width on, and are taken there. STRATA_ENGINE=torch asks for torch's at every width, and
STRATA_ENGINE=native for ours.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

LEVELS = {0: ("plain", 16), 1: ("avx2", 32), 2: ("avx512", 64)}
"""What the library calls the widest vectors of this processor, and their bytes."""
PRECISIONS = {torch.float32: "single", torch.float64: "double"}
WIDEST = {"avx512": 28}
"""Most cells at which our kernel is taken, by its vectors, timed once by hand on one machine each; at any width with
others. `strata speed` times the engines by width.
"""
TORCH = "torch-lstm"
AT_ONCE = ("batched", "triton")
"""Engines that compute the layers of all replicas together, on a GPU or for a test; `benchmark.at_once`."""


class Library:
    """The built kernel and the vectors it uses on this machine."""

    def __init__(self, path: Path) -> None:
        self._functions = ctypes.CDLL(str(path))
        self._functions.strata_level.restype = ctypes.c_long
        self.level = self._functions.strata_level()
        self.name, self.bytes = LEVELS[self.level]

    def lanes(self, kind: torch.dtype) -> int:
        """Sequences that are read side by side."""
        return self.bytes // kind.itemsize

    def call(self, function: str, *arguments: Tensor | int | None) -> None:
        """Sizes are passed as C longs, tensors, which must be contiguous, as addresses."""
        kind = next(argument.dtype for argument in arguments if isinstance(argument, Tensor))
        getattr(self._functions, f"strata_{function}_{PRECISIONS[kind]}")(
            ctypes.c_long(self.level),
            *(
                ctypes.c_void_p(given.data_ptr())
                if isinstance(given, Tensor)
                else (ctypes.c_void_p(None) if given is None else ctypes.c_long(given))
                for given in arguments
            ),
        )


@cache
def library() -> Library | None:
    """The kernel, or None where it was not built."""
    for suffix in EXTENSION_SUFFIXES:
        path = Path(__file__).with_name(f"_recurrence{suffix}")
        if path.exists():
            return Library(path)
    return None


def engines() -> list[str]:
    """What STRATA_ENGINE may ask for on this machine."""
    return ["torch", *(["native"] if library() else []), "batched", *(["triton"] if find_spec("triton") else [])]


def chosen(weight_hh: Any) -> Library | None:
    """What runs layers with these recurrent weights `(..., 4 width, width)`; None for torch's kernels."""
    asked = os.environ.get("STRATA_ENGINE", "")
    kernel = None if asked in ("torch", *AT_ONCE) else library()
    if kernel is None or weight_hh.device.type != "cpu" or weight_hh.dtype not in PRECISIONS:
        return None
    width = weight_hh.shape[-1]
    return kernel if asked == "native" or width <= WIDEST.get(kernel.name, width) else None


def in_kernel(below: Tensor, weight_hh: Any) -> bool:
    """Whether our kernel computes these layers on this input."""
    return below.dtype == weight_hh.dtype and not torch.is_autocast_enabled("cpu") and chosen(weight_hh) is not None


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
        weights, bias, below = torch.cat([weight_ih, weight_hh], dim=2), bias.contiguous(), below.contiguous()
        hidden, cells = below.new_empty(replicas, time, batch, width), below.new_empty(replicas, batch, width)
        steps = -(-batch // lanes) * (time + 1) if keep else 2
        kept = below.new_empty(replicas, steps * (inputs + 6 * width) * lanes)
        sizes = time, batch, inputs, width
        for one in range(replicas):
            parts = below[one], weights[one], bias[one], hidden[one], cells[one], kept[one]
            kernel.call("forward", *sizes, *parts, int(keep))
        if keep:
            ctx.save_for_backward(weights, kept)
            ctx.sizes = sizes
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
        for one in range(replicas):
            passed_down = None if to_below is None else to_below[one]
            parts = transposed[one], kept[one], up[one], to_weights[one], to_bias[one], passed_down, deltas, room
            kernel.call("backward", *ctx.sizes, *parts)
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
    kernel = chosen(layer.weight_hh_l0) if precision.endswith("true") else None  # under autocast torch computes
    return f"native-{kernel.name}" if kernel else TORCH
