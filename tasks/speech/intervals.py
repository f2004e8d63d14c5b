"""Phones and when they sound."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np


class Interval(NamedTuple):
    """A phone and when it sounds, in seconds."""

    phone: str
    start: float
    end: float


def without_short(intervals: Iterable[Interval], shortest: float) -> tuple[Interval, ...]:
    """Intervals of at least `shortest` seconds: a shorter one is given to the one before it, or else after it."""
    kept: list[Interval] = []
    waiting: float | None = None  # the start of short intervals that nothing came before
    for phone, start, end in intervals:
        start = start if waiting is None else waiting
        if end - start >= shortest:
            kept.append(Interval(phone, start, end))
            waiting = None
        elif kept:
            kept[-1] = kept[-1]._replace(end=end)
        else:
            waiting = start
    return tuple(kept)


def frame_labels(
    intervals: Iterable[Interval], numbers: dict[str, int], frames: int, hop_ms: float, window_ms: float, elsewhere: int
) -> np.ndarray:
    """Number of the phone that sounds at the middle of every frame, int64 `(frames,)`; `elsewhere` where none does."""
    middles = (np.arange(frames) * hop_ms + window_ms / 2.0) / 1000.0
    labels = np.full(frames, elsewhere, dtype=np.int64)
    for phone, start, end in intervals:
        labels[(middles >= start) & (middles < end)] = numbers[phone]
    return labels
