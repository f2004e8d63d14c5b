"""Copies between two splits are told from sequences that meet by chance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.overlap import CERTAIN, overlap
from tasks.task import Split


def split(inputs: np.ndarray) -> Split:
    return Split(inputs, np.zeros(len(inputs), dtype=np.float32))


def drawn(generator: np.random.Generator, count: int, symbols: int, time: int, skew: float = 0.0) -> np.ndarray:
    """Sequences of a few symbols, `(count, time)`; `skew` makes some far more frequent than others."""
    weights = np.exp(-skew * np.arange(symbols))
    return generator.choice(symbols, size=(count, time), p=weights / weights.sum())


@given(
    seed=st.integers(0, 2**32),
    symbols=st.integers(2, 5),
    time=st.integers(1, 10),
    skew=st.sampled_from([0.0, 0.5, 2.0]),
    sizes=st.tuples(st.integers(1, 800), st.integers(1, 300)),
)
def test_two_splits_of_one_source_do_not_overlap(
    seed: int, symbols: int, time: int, skew: float, sizes: tuple[int, int]
) -> None:
    generator = np.random.default_rng(seed)
    found = overlap(*(split(drawn(generator, size, symbols, time, skew)) for size in sizes))
    assert found.p > CERTAIN


def test_p_is_as_small_as_it_says_and_no_more_often() -> None:
    """On splits that share a good many sequences by chance."""
    generator = np.random.default_rng(1)
    pairs = [[split(drawn(generator, size, 2, 12, 0.3)) for size in (400, 150)] for _ in range(300)]
    found = [overlap(*pair) for pair in pairs]
    assert np.mean([one.shared for one in found]) > 10
    assert np.mean([one.shared for one in found]) == pytest.approx(np.mean([one.expected for one in found]), rel=0.1)
    for level in (0.05, 0.2):
        share = np.mean([one.p < level for one in found])
        assert share <= level + 3 * np.sqrt(level * (1 - level) / len(found))


@given(seed=st.integers(0, 2**32), copied=st.integers(60, 200), symbols=st.sampled_from([0, 6]))
def test_copies_are_found(seed: int, copied: int, symbols: int) -> None:
    generator = np.random.default_rng(seed)
    train, test = (
        drawn(generator, size, symbols, 9) if symbols else generator.normal(size=(size, 9, 2)) for size in (1000, 200)
    )
    clean = overlap(split(train), split(test))
    test[:copied] = train[:copied]
    found = overlap(split(train), split(test))
    assert clean.p > CERTAIN > found.p
    assert found.shared >= 0.9 * copied


def test_a_stretch_of_zeros_in_both_is_no_copy() -> None:
    train, test = np.random.default_rng(2).normal(size=(2, 300, 5))
    train[:100], test[:200] = 0, 0
    assert overlap(split(train), split(test)) == (0, 0.0, 1.0)
