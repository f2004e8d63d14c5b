"""Interpolated n-grams: how likely a symbol is after the few before it, by counting."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class _Counts(NamedTuple):
    """What followed contexts of one length, all sorted: `pairs` is context times symbols, plus what followed it."""

    contexts: np.ndarray
    total: np.ndarray
    kinds: np.ndarray
    pairs: np.ndarray
    times: np.ndarray


class NGrams:
    """Witten-Bell interpolation (Witten & Bell 1991, IEEE Transactions on Information Theory 37, 1085-1094).

    p(w | h) = (c(h w) + T(h) p(w | h')) / (c(h) + T(h)), where c counts, T(h) is the number of different symbols that
    followed h, h' is h without its oldest symbol, and the shortest of all is uniform. A context that never occurred
    says what the shorter one says. Nothing is tuned. A context lies within its window: what a network starting there
    has read, and no more.
    """

    def __init__(self, inputs: np.ndarray, targets: np.ndarray, symbols: int, order: int) -> None:
        """Count in windows of symbols `(n, time)`; `order` is the longest context and the symbol after it."""
        self.symbols, self.order = symbols, order
        self.counts = [self._count(inputs, targets, length) for length in range(order)]

    def _count(self, inputs: np.ndarray, targets: np.ndarray, length: int) -> _Counts:
        codes = self._codes(inputs, length) * self.symbols + targets[:, max(length - 1, 0) :]
        pairs, times = np.unique(codes, return_counts=True)
        contexts, first = np.unique(pairs // self.symbols, return_index=True)
        if not len(pairs):
            return _Counts(pairs, times, times, pairs, times)
        return _Counts(contexts, np.add.reduceat(times, first), np.diff(first, append=len(pairs)), pairs, times)

    def _codes(self, inputs: np.ndarray, length: int) -> np.ndarray:
        """The context of that length as one number, for every step that has read so many: `(n, time - length + 1)`."""
        steps = inputs.shape[1] - max(length - 1, 0)
        codes = np.zeros((len(inputs), max(steps, 0)), dtype=np.int64)
        for back in range(length):
            codes = codes * self.symbols + inputs[:, back : back + codes.shape[1]]
        return codes

    def probabilities(self, inputs: np.ndarray, targets: np.ndarray) -> list[np.ndarray]:
        """Probability of every target `(n, time)`, by order from 1 (frequencies) to the highest."""
        current, found = np.full(targets.shape, 1.0 / self.symbols), []
        for length, counts in enumerate(self.counts):
            current = current.copy()
            if len(counts.pairs):
                codes = self._codes(inputs, length)
                asked = current[:, max(length - 1, 0) :]  # a view: earlier steps have not read so many symbols
                known, row = _find(counts.contexts, codes)
                seen, pair = _find(counts.pairs, codes * self.symbols + targets[:, max(length - 1, 0) :])
                total, kinds = counts.total[row] * known, counts.kinds[row] * known
                asked[...] = np.where(
                    known, (counts.times[pair] * seen + kinds * asked) / np.maximum(total + kinds, 1), asked
                )
            found.append(current)
        return found


def _find(ordered: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether each number is there, and where; some valid place if it is not."""
    place = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
    return ordered[place] == wanted, place
