"""When cells are of one size (PROTOCOL 1): the one rule of the solver, of the checks and of what is recommended."""

from __future__ import annotations

from collections.abc import Collection

TOLERANCE = 0.05
"""`spread` up to which the arms of a contrast are of one size."""


def spread(sizes: Collection[int]) -> float:
    """(largest - smallest) / smallest; rounded in one way, so that all who ask agree at just the tolerance."""
    return (max(sizes) - min(sizes)) / min(sizes)
