"""Networks of one shape, stacked: their parameters in one tensor, and what `StackedLSTM` computes on all at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.lstm import StackedLSTM, reverse
from benchmark.recurrence import recur


def parameters_by_name(network: StackedLSTM) -> dict[str, nn.Parameter]:
    """What is trained, in the network's own order."""
    return {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}


class Dropout(NamedTuple):
    """A rate, and where the draws come from."""

    rate: float
    generator: torch.Generator


class StackedNetworks:
    """`values` `(replicas, parameters)`: each network's parameters in a row, in the order of `parameters_by_name`."""

    def __init__(self, networks: Sequence[StackedLSTM]) -> None:
        self.networks, self.first = networks, networks[0]
        named = parameters_by_name(self.first)
        self.shapes = {name: tuple(parameter.shape) for name, parameter in named.items()}
        self.sizes = [math.prod(shape) for shape in self.shapes.values()]
        rows = [[p.detach().reshape(-1) for p in parameters_by_name(network).values()] for network in networks]
        self.values = torch.stack([torch.cat(row) for row in rows])
        device = self.values.device
        self.decayed = torch.cat(
            [torch.full((p.numel(),), float(p.dim() > 1), device=device) for p in named.values()]
        ).to(self.values.dtype)

    def split(self, flat: Tensor) -> tuple[Tensor, ...]:
        """A row, or `(replicas, parameters)`, by parameter."""
        return torch.split(flat, self.sizes, dim=-1)

    def hand_back(self, values: Tensor) -> None:
        """Rows of `values` into the networks."""
        for network, row in zip(self.networks, values, strict=True):
            for parameter, part in zip(parameters_by_name(network).values(), self.split(row), strict=True):
                parameter.copy_(part.view(parameter.shape))

    def layer_norms(self, gradients: Tensor) -> list[list[float]]:
        """By replica: the length of the gradient in the weights of every layer, the lowest first."""
        parts = dict(zip(self.shapes, self.split(gradients), strict=True))
        layers = [
            torch.cat([part for name, part in parts.items() if name.startswith(f"layers.{layer}.")], dim=1).norm(dim=1)
            for layer in range(self.first.depth)
        ]
        return torch.stack(layers, dim=1).tolist()

    def forward(
        self, values: Tensor, inputs: Tensor, lengths: Tensor | None = None, dropout: Sequence[Dropout] = ()
    ) -> Tensor:
        """`StackedLSTM.forward` of every replica, whose batches follow one another: `(replicas * batch, ...)`.

        `dropout` has one for every replica, or none where nothing is dropped.
        """
        named = self.named(values)
        return self.read_out(named, self.passed_up(named, inputs, lengths, dropout), lengths)

    def read_out(self, named: dict[str, Tensor], outputs: list[Tensor], lengths: Tensor | None = None) -> Tensor:
        """What `forward` gives, from what the layers pass up."""
        top = torch.cat(outputs, dim=-1) if self.first.variant.readout == "all" else outputs[-1]
        weight, bias = named["readout.weight"], named["readout.bias"]
        if self.first.target == "sequence":
            return _linear(self._summary(top, lengths), weight, bias).flatten(0, 1)
        replicas, time, batch, _ = top.shape
        read = _linear(top.reshape(replicas, time * batch, -1), weight, bias)
        return read.view(replicas, time, batch, -1).transpose(1, 2).flatten(0, 1)

    def named(self, values: Tensor) -> dict[str, Tensor]:
        """`(replicas, ...)` by the name of the parameter."""
        parts = zip(self.shapes.items(), self.split(values), strict=True)
        return {name: part.view(len(values), *shape) for (name, shape), part in parts}

    def passed_up(
        self, named: dict[str, Tensor], inputs: Tensor, lengths: Tensor | None, dropout: Sequence[Dropout]
    ) -> list[Tensor]:
        """What every layer passes up, `(replicas, time, batch, features)`, the lowest first."""
        variant, outputs = self.first.variant, list[Tensor]()
        below = self._looked_up(named, inputs).transpose(1, 2)
        for layer in range(self.first.depth):
            passed = self._directions(named, layer, below, lengths)
            if variant.residual and layer > 0:
                passed = passed + below
            if variant.layer_norm:
                weight, bias = (named[f"norms.{layer}.{part}"][:, None, None] for part in ("weight", "bias"))
                passed = functional.layer_norm(passed, passed.shape[-1:]) * weight + bias
            below = self.drop(layer, passed, dropout)
            outputs.append(below)
        return outputs

    def drop(self, layer: int, passed: Tensor, dropout: Sequence[Dropout]) -> Tensor:
        """What a layer passes up with some of it set to zero, at every depth alike; each replica draws as it would
        alone.
        """
        if not dropout:
            return passed
        kept = [1.0 - one.rate for one in dropout]
        drawn = [
            torch.bernoulli(torch.full_like(part, share), generator=one.generator) / share
            for part, share, one in zip(passed, kept, dropout, strict=True)
        ]
        return passed * torch.stack(drawn)

    def _looked_up(self, named: dict[str, Tensor], inputs: Tensor) -> Tensor:
        """Inputs `(replicas, batch, time, features)`, tokens looked up in each replica's own table."""
        replicas = len(named["readout.bias"])
        below = inputs.view(replicas, -1, *inputs.shape[1:])
        if self.first.table is None:
            return below
        table = named["table.weight"]
        offsets = torch.arange(replicas, device=below.device).view(-1, 1, 1) * table.shape[1]
        return functional.embedding(below + offsets, table.reshape(-1, table.shape[2]))

    def _directions(self, named: dict[str, Tensor], layer: int, below: Tensor, lengths: Tensor | None) -> Tensor:
        def run(direction: int, read: Tensor) -> Tensor:
            weights = (named[f"layers.{layer}.{direction}.{part}_l0"] for part in ("weight_ih", "weight_hh", "bias_ih"))
            return recur(read, *weights)

        forward = run(0, below)
        if not self.first.variant.bidirectional:
            return forward
        backward = _reversed(run(1, _reversed(below, lengths)), lengths)
        return torch.cat([forward, backward], dim=-1)

    def _summary(self, top: Tensor, lengths: Tensor | None) -> Tensor:
        """`(replicas, batch, features)`: `StackedLSTM._summary` reads `(time, sequences, features)`."""
        replicas, _, batch, _ = top.shape
        return self.first.summary(_sequences(top), lengths).view(replicas, batch, -1)


def _linear(read: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """`(replicas, n, features)` by weights `(replicas, outputs, features)` to `(replicas, n, outputs)`."""
    if weight.shape[1] == 1:  # as a product of matrices, one replica alone would be computed in another order
        return (read * weight).sum(-1, keepdim=True) + bias.unsqueeze(1)
    return torch.baddbmm(bias.unsqueeze(1), read, weight.mT)


def _sequences(stacked: Tensor) -> Tensor:
    """`(replicas, time, batch, features)` to `(time, replicas * batch, features)`."""
    return stacked.transpose(0, 1).flatten(1, 2)


def _reversed(stacked: Tensor, lengths: Tensor | None) -> Tensor:
    """Every sequence backward in time, as `benchmark.lstm.reverse` has it."""
    replicas, time, batch, features = stacked.shape
    return reverse(_sequences(stacked), lengths).view(time, replicas, batch, features).transpose(0, 1)
