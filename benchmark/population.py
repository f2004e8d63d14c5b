"""Trainings of one arm, stacked and stepped together: seeds and settings differ, the network's shape does not.

Every training keeps its own data order, learning rate, decay, dropout, clipping and end. What is shared is each call of
a library: a step of eight small networks costs little more of Python and of torch than a step of one. Between two
validations the trainings lie side by side in one tensor; at a validation each is handed back to its own
`TrainingState`, so that members come and go, and a checkpoint is the same whichever way it was trained.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from benchmark.batches import chain
from benchmark.scoring import mean_losses
from benchmark.spec import RunSpec, stream
from benchmark.splits import Tensors
from benchmark.stacked import Dropout, StackedNetworks, parameters_by_name
from benchmark.state import TrainingState, validated

BETAS, EPSILON = (0.9, 0.999), 1e-8
"""Torch's own for AdamW, which a training alone is stepped by."""


def alike(state: TrainingState) -> tuple[object, ...]:
    """Equal for trainings that can be stepped together: what they are asked, the shape of their data, how far along."""
    train = state.train
    return state.spec.together, train.inputs.shape[1:], train.targets.shape[1:], train.lengths is None, state.step


def learning_rate(spec: RunSpec, step: int) -> float:
    """Linear warm-up over the stated share of the steps, then a cosine to zero; a function of the step alone."""
    warmup = max(1.0, spec.hyperparameters.warmup_share * spec.steps)
    if step < warmup:
        share = (step + 1) / warmup
    else:
        share = 0.5 * (1.0 + math.cos(math.pi * (step - warmup) / max(1.0, spec.steps - warmup)))
    return spec.hyperparameters.learning_rate * min(1.0, share)


def clip(gradients: Tensor, most: Tensor) -> Tensor:
    """Scale each row of `(replicas, parameters)` to a length of at most `most` `(replicas, 1)`, in place; the lengths
    that they had. As `torch.nn.utils.clip_grad_norm_`.
    """
    norms = gradients.norm(dim=1, keepdim=True)
    gradients.mul_((most / (norms + 1e-6)).clamp(max=1.0))
    return norms


class Population:
    """The stacked parameters, moments and sums of trainings between two validations; `(replicas, ...)` each."""

    def __init__(self, states: Sequence[TrainingState]) -> None:
        self.states = states
        first = states[0]
        self.networks = StackedNetworks([state.network for state in states])
        self.values = self.networks.values
        moments = [_moments(state) for state in states]
        self.means, self.squares = (torch.stack([pair[index] for pair in moments]) for index in (0, 1))
        self.window_loss = torch.stack([state.window_loss for state in states])
        self.clipped = torch.stack([state.clipped for state in states])
        settings = [state.spec.hyperparameters for state in states]
        self.clip_norm = self._column([one.clip_norm for one in settings])
        decay = self._column([one.weight_decay for one in settings])
        self.decay = decay * self.networks.decayed if any(one.weight_decay for one in settings) else None
        self.device = first.train.inputs.device

    def _column(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=self.values.dtype, device=self.values.device).unsqueeze(1)

    def step(self) -> None:
        """One optimiser step of every training: forward, backward, clipping, AdamW."""
        step = self.states[0].step
        batch = self._batch(step)
        values = self.values.detach().requires_grad_()
        outputs = self.networks.forward(values, batch.inputs, batch.lengths, self._dropout(step))
        losses = mean_losses(self.states[0].task, outputs, batch, len(self.states))
        (gradients,) = torch.autograd.grad(losses.sum(), values)
        if validated(self.states[0].spec, step + 1):  # as they are before clipping
            for state, layers in zip(self.states, self.networks.layer_norms(gradients), strict=True):
                state.curves += [(step + 1, "gradient/norm", layer, norm) for layer, norm in enumerate(layers)]
        norms = clip(gradients, self.clip_norm)
        self._adamw(gradients, step)
        self.window_loss += losses.detach()
        self.clipped += (norms > self.clip_norm).squeeze(1).to(self.clipped.dtype)
        for state in self.states:
            state.step += 1

    def _batch(self, step: int) -> Tensors:
        """The batches of all trainings, one training after another."""
        taken = []
        for state in self.states:
            indices = state.order.indices(step)
            state.order_hash = chain(state.order_hash, indices)
            taken.append(state.train.take(indices.to(self.device)))
        if len(taken) == 1:
            return taken[0]
        lengths, labels = (
            None if any(one is None for one in parts) else torch.cat(parts)  # type: ignore[arg-type]
            for parts in ([one.lengths for one in taken], [one.target_lengths for one in taken])
        )
        return Tensors(
            torch.cat([one.inputs for one in taken]), torch.cat([one.targets for one in taken]), lengths, labels
        )

    def _dropout(self, step: int) -> list[Dropout]:
        """Empty where nothing is dropped from any."""
        if not any(state.spec.hyperparameters.dropout for state in self.states):
            return []
        found = []
        for state in self.states:
            generator = torch.Generator(self.device)
            generator.manual_seed(stream("dropout", state.spec.seeds.dropout, step))
            found.append(Dropout(state.spec.hyperparameters.dropout, generator))
        return found

    def _adamw(self, gradients: Tensor, step: int) -> None:
        """AdamW (Loshchilov and Hutter 2019) with a rate and a decay of its own for every training."""
        rates = self._column([learning_rate(state.spec, step) for state in self.states])
        if self.decay is not None:
            self.values.mul_(1.0 - rates * self.decay)
        first, second = BETAS
        self.means.lerp_(gradients, 1.0 - first)
        self.squares.mul_(second).addcmul_(gradients, gradients, value=1.0 - second)
        corrections = 1.0 - first ** (step + 1), (1.0 - second ** (step + 1)) ** 0.5
        spread = self.squares.sqrt().div_(corrections[1]).add_(EPSILON)
        self.values.sub_(self.means.div(spread).mul_(rates / corrections[0]))

    @torch.no_grad()
    def hand_back(self) -> None:
        """Parameters, moments and sums to the trainings they belong to."""
        self.networks.hand_back(self.values)
        for index, state in enumerate(self.states):
            state.window_loss, state.clipped = self.window_loss[index].clone(), self.clipped[index].clone()
            kept = state.optimizer.state
            moments = zip(self.networks.split(self.means[index]), self.networks.split(self.squares[index]), strict=True)
            for parameter, (mean, square) in zip(parameters_by_name(state.network).values(), moments, strict=True):
                kept[parameter] = {
                    "step": torch.tensor(float(state.step), device=parameter.device),
                    "exp_avg": mean.reshape(parameter.shape).clone(),
                    "exp_avg_sq": square.reshape(parameter.shape).clone(),
                }


def _moments(state: TrainingState) -> tuple[Tensor, Tensor]:
    """AdamW's two moments, each flat in the order of the parameters; zero before the first step."""
    parameters = parameters_by_name(state.network).values()
    found = [state.optimizer.state.get(parameter, {}) for parameter in parameters]
    mean, square = (
        torch.cat(
            [
                kept[name].reshape(-1) if kept else torch.zeros_like(parameter).reshape(-1)
                for kept, parameter in zip(found, parameters, strict=True)
            ]
        )
        for name in ("exp_avg", "exp_avg_sq")
    )
    return mean.detach(), square.detach()
