"""Labels of arms that are depth 1 once more, and how a person reads them; plan, analysis and report share them."""

from __future__ import annotations

A_A = "aa"
"""Depth 1 with other initial weights: A/A compares it with the first."""
TUNED = "tuned"
"""Depth 1 with the same initial weights, asked as many tuning points as all deeper depths together."""
NAMES = {A_A: "A/A", TUNED: "more tuning"}


def name(replica: str) -> str:
    """How a page calls an arm of this label; '' for the arm itself."""
    return NAMES.get(replica, replica)
