"""The one owner of optimiser steps: of one training, or of many of one arm side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmark.population import Population, alike
from benchmark.scoring import evaluate
from benchmark.state import TrainingState, validated


def advance(states: Sequence[TrainingState], until: int) -> None:
    """Take optimiser steps up to step `until` (or the last), those that are `alike` side by side.

    On a CPU any cut into calls, and any company, gives a training the same numbers bit for bit. One that diverges is
    stepped no further, and leaves the others alone.
    """
    groups: dict[tuple[object, ...], list[TrainingState]] = {}
    for state in states:
        groups.setdefault(alike(state), []).append(state)
    for group in groups.values():
        while going := [state for state in group if not state.finished and state.step < until]:
            _to_the_next_validation(going, until)


def _to_the_next_validation(states: Sequence[TrainingState], until: int) -> None:
    """Or to `until`, where that is nearer."""
    spec, population = states[0].spec, Population(states)
    while True:
        population.step()
        step = states[0].step
        if validated(spec, step) or step == min(until, spec.steps):
            break
    population.hand_back()
    if validated(spec, step):
        for state in states:
            validate(state)


def validate(state: TrainingState) -> None:
    """Loss of the validation split, divergence (PROTOCOL 8), and the best weights so far."""
    steps = state.step % state.spec.validate_every or state.spec.validate_every
    train_loss = float(state.window_loss) / steps
    state.window_loss.zero_()
    loss = evaluate(state.network, state.task, state.validation)
    state.curves += [(state.step, "train/loss", -1, train_loss), (state.step, "validation/loss", -1, loss)]
    bound = state.spec.divergence_multiple * state.trivial_loss
    if not (math.isfinite(train_loss) and math.isfinite(loss)) or max(train_loss, loss) > bound:
        state.diverged = True
        return
    if loss < state.best_loss:
        state.best_loss, state.best_step = loss, state.step
        state.best_weights = {name: value.clone() for name, value in state.network.state_dict().items()}
