"""The perturbation experiment: change one input of a sequence, and see how long every layer remembers it.

Recipe of Hermans and Schrauwen 2013 (NIPS, "Training and analysing deep recurrent neural networks"), for LSTMs: two
copies of one network read the same sequence but for a single input; how far apart their states are at each later step,
layer by layer, is the trace that the input has left. Of an LSTM both states are followed: the hidden state h that a
layer passes up, and the cell state c that it keeps. Distances are divided by those between states of different
sequences, so that layers of any size compare: 1 means as far apart as two that have nothing in common.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from benchmark.errors import UserError
from benchmark.lstm import StackedLSTM, parameters_of
from benchmark.spec import stream
from tasks.task import Split

STATES = ("h", "c")
SITES = 1_000
"""At least so many changed inputs a network, as the recipe asks."""
SITES_A_SEQUENCE = 4
SEQUENCES = 256
"""At most so many sequences are read."""
SHIFTS = 8
"""With so many other sequences each one is compared for the distance between unrelated states."""
NUMBERS = 8_000_000
"""So many numbers of one layer's gates are held at a time."""


@dataclass(frozen=True, eq=False)
class Sites:
    """Where inputs are changed, and to what: at `steps`, to the input that `donors` have at `donor_steps`."""

    sequences: np.ndarray
    """`(sequences,)`: which of the split are read."""
    steps: np.ndarray
    """`(sequences, sites)`."""
    donors: np.ndarray
    """`(sequences, sites)`: sequence of the split whose input is put there; `donor_steps` likewise."""
    donor_steps: np.ndarray
    washout: int
    """Steps before the first that may be changed."""
    window: int
    """Last lag that is followed; all of them are counted steps."""


@dataclass(frozen=True, eq=False)
class Response:
    """What the changes did: h first, c second; the lowest layer first."""

    distances: np.ndarray
    """`(2, layers, sequences, sites, lags)`: length of the difference of the two copies' states, not normalised."""
    unrelated: np.ndarray
    """`(2, layers, sequences)`: mean distance to the states of other sequences at the same steps."""

    def normalised(self) -> np.ndarray:
        """`distances` in mean distances between unrelated states; 0 where a layer hears nothing of its input."""
        scale = self.unrelated.mean(axis=-1)[..., None, None, None]
        return np.divide(self.distances, scale, out=np.zeros_like(self.distances), where=scale > 0)

    def curves(self) -> np.ndarray:
        """`(2, layers, lags)`: mean normalised distance over all sites."""
        return self.normalised().mean(axis=(2, 3))


def choose(split: Split, seed: int, sequences: int = SEQUENCES, sites: int = SITES) -> Sites:
    """Draw the sites of a split; they depend on its inputs and lengths and on `seed`, and on no network.

    The window is two thirds of the middle sequence and follows a washout of a quarter of its own length; sequences too
    short for both are left out. A changed input becomes that of another sequence at any counted step, a changed token
    another symbol, drawn by how often it occurs. Raises UserError where there are too few sequences, steps or symbols.
    """
    generator = np.random.default_rng(stream("timescales", seed))
    count, time = split.inputs.shape[:2]
    lengths = np.full(count, time) if split.lengths is None else np.asarray(split.lengths)
    window = 2 * int(np.median(lengths)) // 3
    washout = max(1, window // 4)
    usable = np.flatnonzero(lengths > washout + window)
    if window < 2 or len(usable) < 2:
        raise UserError(
            f"{len(usable)} sequences of about {int(np.median(lengths))} steps are too few or too short to follow a "
            "change: timescales need at least 2 sequences of 4 steps"
        )
    read = generator.permutation(usable)[:sequences]
    shape = (len(read), max(SITES_A_SEQUENCE, -(-sites // len(read))))
    # One site in each of equal parts of a sequence: as many as asked, early and late alike.
    part = (np.arange(shape[1]) + generator.random(shape)) / shape[1]
    steps = washout + np.floor(part * (lengths[read] - window - washout)[:, None]).astype(int)
    counted = np.flatnonzero((np.arange(time) < lengths[:, None]).ravel())
    if split.inputs.ndim == 2:
        chosen = _other_symbols(split.inputs.ravel()[counted], split.inputs[read[:, None], steps], generator)
        donors, donor_steps = np.divmod(counted[chosen], time)
    else:
        donors = (read[:, None] + generator.integers(1, count, size=shape)) % count
        donor_steps = generator.integers(0, lengths[donors])
    return Sites(read, steps, donors, donor_steps, washout, window)


def _other_symbols(tokens: np.ndarray, own: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """For each of `own` a place in `tokens` `(counted,)`, any whose token is another one being as likely."""
    order = np.argsort(tokens, kind="stable")
    start, end = (np.searchsorted(tokens[order], own, side=side) for side in ("left", "right"))
    others = len(tokens) - (end - start)
    if (others < 1).any():
        raise UserError("all inputs are one symbol, so that none can be changed to another: choose another task")
    place = generator.integers(0, others)
    return order[np.where(place < start, place, place + end - start)]


@torch.no_grad()
def states(network: StackedLSTM, inputs: Tensor) -> Tensor:
    """Hidden and cell states of every layer at every step: `(2, layers, time, batch, width)`.

    Inputs are `(batch, time, features)`, or tokens `(batch, time)`. Raises UserError for a bidirectional network, whose
    upper layers hear of a change before it happens.
    """
    if network.variant.bidirectional:
        raise UserError(
            "a bidirectional network has no steps before and after a change: timescales are measured on stacks that "
            "read one way"
        )
    heard: list[Tensor] = []
    with ExitStack() as hooks:
        for lstm in (layer[0] for layer in network.lstms):

            def listen(module: nn.Module, given: tuple[Tensor, ...], answer: tuple[Tensor, object]) -> None:
                assert isinstance(module, nn.LSTM)
                heard.append(torch.stack([answer[0], cell_states(module, given[0], answer[0])]))

            hooks.callback(lstm.register_forward_hook(listen).remove)
        network(inputs)
    return torch.stack(heard, dim=1)


def cell_states(lstm: nn.LSTM, below: Tensor, hidden: Tensor) -> Tensor:
    """Cell states `(time, batch, width)` of a layer that read `below` and gave `hidden`, which torch keeps to itself.

    c_t = f_t c_{t-1} + i_t g_t; with the hidden states known, the gates of all steps are one product.
    """
    weights = parameters_of(lstm)
    before = torch.cat([torch.zeros_like(hidden[:1]), hidden[:-1]])
    gates = nn.functional.linear(below, weights["weight_ih"], weights["bias_ih"])
    gates = gates + nn.functional.linear(before, weights["weight_hh"], weights["bias_hh"])
    write, keep, value, _ = gates.chunk(4, dim=-1)  # torch's order: i, f, g, o
    kept, added = torch.sigmoid(keep), torch.sigmoid(write) * torch.tanh(value)
    cell, cells = torch.zeros_like(hidden[0]), torch.empty_like(hidden)
    for step in range(len(hidden)):
        cell = kept[step] * cell + added[step]
        cells[step] = cell
    return cells


def perturb(network: StackedLSTM, inputs: Tensor, sites: Sites) -> Response:
    """Follow every change through the network; `inputs` are those of the whole split, as the network reads them."""
    size = max(2, NUMBERS // (inputs.shape[1] * 4 * network.width))
    parts = np.array_split(np.arange(len(sites.sequences)), max(1, len(sites.sequences) // size))
    found = [_perturb(network, inputs, sites, part) for part in parts]
    distances, unrelated = zip(*found, strict=True)
    return Response(np.concatenate(distances, axis=2), np.concatenate(unrelated, axis=2))


def _perturb(network: StackedLSTM, inputs: Tensor, sites: Sites, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    read = inputs[torch.from_numpy(sites.sequences[part])]
    first, rows = states(network, read), torch.arange(len(part))
    lags = torch.arange(sites.window + 1)[:, None]
    distances = []
    for site in range(sites.steps.shape[1]):
        step, donor, donor_step = (
            torch.from_numpy(one[part, site]) for one in (sites.steps, sites.donors, sites.donor_steps)
        )
        changed = read.clone()
        changed[rows, step] = inputs[donor, donor_step]
        apart = (states(network, changed) - first).norm(dim=-1)
        distances.append(apart[:, :, step + lags, rows].movedim(2, -1))
    # At these steps every sequence that is read counts.
    compared = first[:, :, sites.washout : sites.washout + sites.window + 1]
    shifts = range(1, min(SHIFTS, len(part) - 1) + 1)
    unrelated = torch.stack([(compared.roll(shift, 3) - compared).norm(dim=-1).mean(dim=2) for shift in shifts])
    return torch.stack(distances, dim=3).numpy(), unrelated.mean(dim=0).numpy()
