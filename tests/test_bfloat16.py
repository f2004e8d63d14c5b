"""Products in bfloat16 trade nothing away: equal skill within the margin, and every promise of training kept."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from benchmark.training import train, train_one
from tests.precision import interval
from tests.training_specs import scores, tiny_spec

MARGIN = 0.02
"""Of practical difference, as studies have it unless they say otherwise (PROTOCOL 14)."""
SEEDS, STEPS, RATE = 12, 300, 0.01
"""At 0.03 the smallest difference grows to another training, and so few seeds show nothing."""


def skills(task: str, depth: int, precision: str) -> np.ndarray:
    """On test, of trainings that differ in nothing but their seeds."""
    specs = [
        tiny_spec(
            task,
            depth=depth,
            width=16,
            seed=seed,
            setting={"learning_rate": RATE},
            steps=STEPS,
            validate_every=30,
            precision=precision,
        )
        for seed in range(SEEDS)
    ]
    results, _ = train(specs)
    losses = [(one.trivial_loss, one.best_loss or 0.0, one.test_loss) for one in results]
    trivial, best, test = np.array(losses, dtype=float).T
    return (trivial - test) / (trivial - best)


@pytest.mark.proof
@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("task", ["recall", "stacked_teacher", "formants"])
def test_skill_is_equal_within_the_margin(task: str, depth: int) -> None:
    """Two one-sided paired tests at 0.05, over seeds; the two arithmetics are not the same one."""
    usual, mixed = (skills(task, depth, precision) for precision in ("32-true", "bf16-mixed"))
    low, high = interval(mixed - usual)
    assert np.any(mixed != usual) and low > -MARGIN and high < MARGIN, (low, high, usual.mean())
    assert usual.mean() > 0.1, "networks that learned nothing are equal too"


@pytest.mark.parametrize("task", ["recall", "adding"])
def test_neither_company_nor_a_cut_changes_a_bit(task: str) -> None:
    specs = [tiny_spec(task, depth=2, seed=seed, precision="bf16-mixed") for seed in range(3)]
    alone = [train_one(spec) for spec in specs]
    together, _ = train(specs)
    assert [scores(one) for one in together] == [scores(one) for one in alone]
    _, cut = train(specs, 9)
    assert scores(train_one(specs[1], checkpoint=cut[specs[1].key])) == scores(alone[1])


def test_it_is_another_training_and_says_what_made_it() -> None:
    """The precision is part of what a run is; the engine is told."""
    usual, mixed = tiny_spec(), dataclasses.replace(tiny_spec(), precision="bf16-mixed")
    assert usual.key != mixed.key and usual.together != mixed.together
    (one, other), _ = train([usual, mixed])
    assert one.validation_loss != other.validation_loss
    assert other.engine in ("native-bfloat16", "torch-lstm")
