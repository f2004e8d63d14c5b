"""Verdicts as a person reads them (PROTOCOL 2, 10, 14, 22)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from benchmark.analysis.outcome import Contrast, Pair

_EQUAL = {"parameters": "equal parameters", "state": "equal total state", "flops": "equal FLOPs"}


def more(missing: int, replicates: str) -> str:
    """What an undecided contrast would need."""
    if missing == 0:
        unit = "folds" if replicates == "folds" else "seeds"
        return f"0 more {unit}: these would show a difference of one margin, and what is left lies too near the margin"
    if replicates == "folds":
        return f"{missing} more folds would be needed, and the folds are fixed by the data"
    if replicates == "groups":
        return f"{missing} more seeds, and the test groups are fixed by the data"
    return f"{missing} more seeds"


def verdict(found: Contrast) -> str:
    """The verdict with the depths that it names, or its reason."""
    if found.verdict == "undecided":
        return f"undecided: {found.reason}"
    if found.verdict == "deeper":
        return f"deeper ({_depths(found.depths)} better than 1)"
    if found.verdict == "wider":
        return f"wider ({_depths(found.depths)} worse than 1)"
    return found.verdict


def interval(found: Contrast) -> str:
    """Estimate and simultaneous interval of every pair, in units of the score."""
    return ", ".join(f"{_arm(pair)} {_estimate(pair)}" for pair in found.pairs) + f" of {found.score}"


def contrast(found: Contrast, purpose: str, sizes: Sequence[int], converged: bool) -> str:
    """One sentence: the size, the steps, the verdict, the interval, and what it may not be taken for."""
    if purpose == "smoke":
        return f"No claim: a smoke study only tests the machinery (on {found.task})"
    size = _size(sizes)
    steps = f"{found.steps:,} steps" if found.steps else "steps not stated"
    equal = _EQUAL.get(found.match, f"equal {found.match}")
    if purpose == "screen":
        opening = f"Screening, {size}, {steps}, {equal} only"
    else:
        checked = "converged at" if converged else "at"
        opening = f"At {equal}, {size}, {checked} {steps}"
    body = verdict(found)
    if purpose == "screen" and found.verdict == "deeper" and found.match == "parameters":
        body += ", equal state not tested"
    variant = "" if found.variant == "plain" else f" ({found.variant})"
    return f"{opening}: on {found.task}{variant}, {body}, {interval(found)}"


def _size(sizes: Sequence[int]) -> str:
    """Parameters of the arms: their mean where they are equal within the tolerance of a budget, else the range."""
    if not sizes or not sizes[0]:
        return "parameters not counted"
    if sizes[-1] <= 1.05 * sizes[0]:
        return f"{round(sum(sizes) / len(sizes)):,} parameters"
    return f"{sizes[0]:,} to {sizes[-1]:,} parameters"


def with_state(found: Sequence[Contrast]) -> list[Contrast]:
    """`deeper` at equal parameters, read against the same contrast at equal total state (PROTOCOL 2).

    Depth 4 has more memory than depth 1 of the same size; only a depth that is better at equal state too is depth
    itself. Controls are judged at equal parameters and keep their sentence.
    """
    at_state = {_place(c): c for c in found if c.match == "state"}
    return [_against(c, at_state.get(_place(c))) if _needs_state(c) else c for c in found]


def _needs_state(found: Contrast) -> bool:
    return found.match == "parameters" and found.verdict == "deeper" and found.role in ("natural", "dial")


def _against(found: Contrast, state: Contrast | None) -> Contrast:
    if state is None:
        said = "equal state not tested"
    elif both := [depth for depth in found.depths if state.verdict == "deeper" and depth in state.depths]:
        said = f"at equal state too for {_depths(both)}"
    else:
        said = "deeper at equal parameters, not separable from more state"
    if said in found.sentence:
        return dataclasses.replace(found, reason=f"{found.reason}; {said}")
    sentence = found.sentence.replace(", equal state not tested", "") + f"; {said}"
    return dataclasses.replace(found, reason=f"{found.reason}; {said}", sentence=sentence)


def _place(found: Contrast) -> tuple[str, int, str, str]:
    return found.task, found.budget, found.variant, found.role


def _depths(depths: Sequence[int]) -> str:
    word = "depth" if len(depths) == 1 else "depths"
    return f"{word} {' and '.join(map(str, depths))}"


def _arm(pair: Pair) -> str:
    return "its copy" if pair.replica else f"depth {pair.depth}"


def _estimate(pair: Pair) -> str:
    if pair.difference is None:
        return "not measured"
    low = "unbounded" if pair.low is None else f"{pair.low:+.3f}"
    high = "unbounded" if pair.high is None else f"{pair.high:+.3f}"
    return f"{pair.difference:+.3f} [{low}, {high}]"
