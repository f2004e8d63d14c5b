"""The network under study: a stack of LSTM layers, each passing its whole output sequence up to the next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from benchmark.recurrence import LSTMLayer
from benchmark.spec import Variant, stream


class StackedLSTM(nn.Module):
    """`depth` LSTM layers of `width` cells and a linear readout, from `(batch, time, inputs)`.

    Output is `(batch, outputs)` for `target="sequence"`, else `(batch, time, outputs)`. With an `embedding`, inputs are
    tokens `(batch, time)` below `inputs`, looked up in a trained table `(inputs, embedding)`, the same for every depth.
    Torch's second bias per layer is redundant and weighs more on deep stacks: it stays zero and is neither trained nor
    counted (PROTOCOL 1). The time axis comes first inside, which is how the kernels read it.
    """

    def __init__(
        self,
        *,
        inputs: int,
        outputs: int,
        depth: int,
        width: int,
        variant: Variant | None = None,
        target: str = "step",
        embedding: int = 0,
    ) -> None:
        super().__init__()
        self.table = nn.Embedding(inputs, embedding) if embedding else None
        inputs = embedding or inputs
        self.variant = variant or Variant()
        self.depth, self.width, self.target = depth, width, target
        directions = 2 if self.variant.bidirectional else 1
        passed_up = directions * width
        self.layers = nn.ModuleList(
            nn.ModuleList(LSTMLayer(inputs if layer == 0 else passed_up, width) for _ in range(directions))
            for layer in range(depth)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(passed_up) for _ in range(depth if self.variant.layer_norm else 0))
        self.readout = nn.Linear(passed_up * (depth if self.variant.readout == "all" else 1), outputs)
        for layer in self.lstms:
            for lstm in layer:
                lstm.bias_hh_l0.requires_grad_(False)

    @property
    def lstms(self) -> list[list[nn.LSTM]]:
        """The LSTMs by layer and direction."""
        return [list(cast("Iterable[nn.LSTM]", layer)) for layer in self.layers]

    @torch.no_grad()
    def initialise(self, seed: int) -> StackedLSTM:
        """Orthogonal recurrent and Xavier input weights per gate, forget bias 1 once, other biases 0 (PROTOCOL 3).

        Every layer draws from a stream of its own, so that a deeper stack moves no layer below it.
        """
        for index, layer in enumerate(self.lstms):
            generator = torch.Generator().manual_seed(stream("layer", seed, index))
            for weights in map(parameters_of, layer):
                for gate in range(4):
                    rows = slice(gate * self.width, (gate + 1) * self.width)
                    nn.init.orthogonal_(weights["weight_hh"][rows], generator=generator)
                    nn.init.xavier_uniform_(weights["weight_ih"][rows], generator=generator)
                weights["bias_ih"].zero_()
                weights["bias_hh"].zero_()
                weights["bias_ih"][self.width : 2 * self.width] = 1.0  # gates in torch's order: i, f, g, o
        for norm in self.norms:
            cast("nn.LayerNorm", norm).reset_parameters()
        if self.table is not None:
            nn.init.normal_(self.table.weight, generator=torch.Generator().manual_seed(stream("table", seed)))
        generator = torch.Generator().manual_seed(stream("readout", seed))
        nn.init.xavier_uniform_(self.readout.weight, generator=generator)
        nn.init.zeros_(self.readout.bias)
        return self

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """`lengths` `(batch,)` are the steps that count. Trained by `benchmark.stacked`, which drops out too."""
        below = (inputs if self.table is None else self.table(inputs)).transpose(0, 1)
        outputs = []
        for index, layer in enumerate(self.lstms):
            passed_up = self._directions(layer, below, lengths)
            if self.variant.residual and index > 0:
                passed_up = passed_up + below
            if self.variant.layer_norm:
                passed_up = self.norms[index](passed_up)
            outputs.append(passed_up)
            below = passed_up
        top = torch.cat(outputs, dim=-1) if self.variant.readout == "all" else below
        if self.target == "sequence":
            return self.readout(self.summary(top, lengths))
        return self.readout(top).transpose(0, 1)

    def _directions(self, layer: list[nn.LSTM], below: Tensor, lengths: Tensor | None) -> Tensor:
        forward, _ = layer[0](below)
        if not self.variant.bidirectional:
            return forward
        backward, _ = layer[1](reverse(below, lengths))
        return torch.cat([forward, reverse(backward, lengths)], dim=-1)

    def summary(self, top: Tensor, lengths: Tensor | None) -> Tensor:
        """What a direction has read in full: the last counted step going forward, the first going backward."""
        time, batch, features = top.shape
        last = torch.full((batch,), time, device=top.device) if lengths is None else lengths
        final = top.gather(0, (last - 1).view(1, batch, 1).expand(1, batch, features)).squeeze(0)
        if not self.variant.bidirectional:
            return final
        backward = (torch.arange(features, device=top.device) // self.width) % 2 == 1
        return torch.where(backward, top[0], final)


def parameters_of(lstm: nn.LSTM) -> dict[str, nn.Parameter]:
    """`weight_ih` `(4 width, inputs)`, `weight_hh` `(4 width, width)`, `bias_ih` and `bias_hh` `(4 width,)`."""
    return {name.removesuffix("_l0"): parameter for name, parameter in lstm.named_parameters()}


def reverse(sequence: Tensor, lengths: Tensor | None) -> Tensor:
    """Reverse `(time, batch, features)` in time; with `lengths`, only the counted steps, padding stays at the end."""
    if lengths is None:
        return sequence.flip(0)
    time = sequence.shape[0]
    steps = torch.arange(time, device=sequence.device).unsqueeze(1)
    order = torch.where(steps < lengths, lengths - 1 - steps, steps)
    return sequence.gather(0, order.unsqueeze(-1).expand_as(sequence))


def build(*, seed: int, **shape: object) -> StackedLSTM:
    """A StackedLSTM with initial weights from `seed` alone; the global generator is not touched."""
    with torch.device("meta"):
        network = StackedLSTM(**shape)  # type: ignore[arg-type]
    return network.to_empty(device="cpu").initialise(seed)
