"""From what near tasks say to an answer: layers and cells, the gain to expect, or that it is not known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy import stats

from benchmark.analysis.across import FEWEST_TASKS
from benchmark.analysis.outcome import Contrast, Pair
from benchmark.recommend.limit import Cells
from benchmark.recommend.nearest import PassedOver
from benchmark.recommend.published import KeptOut
from benchmark.recommend.spoken import ALPHA, Ground
from benchmark.sizing import Size

Known = Literal["one layer", "more layers", "not known"]
Basis = Literal["your own study", "the published task", "near tasks"]
FEWEST_TO_PREDICT = 3
"""Tasks from which the spread between tasks is estimated; under it an interval for a new task says nothing."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a deeper stack gains over one layer. Where several tasks stand behind it, `what` says what the ends are."""

    depth: int
    value: float | None
    low: float | None
    high: float | None
    what: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The recommendation, and all that it rests on."""

    known: Known
    depth: int | None
    size: Size | None
    basis: Basis
    reason: str
    said: list[str] = field(default_factory=list)
    """What the person's own study advises, in its own words."""
    cells: Cells | None
    expected: list[Expected]
    grounds: list[Ground]
    passed_over: list[PassedOver] = field(default_factory=list)
    kept_out: list[KeptOut] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Settled:
    """What the grounds settle."""

    known: Known
    depth: int | None
    reason: str


def settle(grounds: Sequence[Ground], basis: Basis) -> Settled:
    """One verdict stands for itself; near tasks must be at least two, all decided, and all say the same.

    Undecided tasks are not left out: those that happened to be decided are not a fair sample of the near ones.
    """
    if not grounds:
        return Settled("not known", None, "no published task is near enough to speak of this problem")
    names = {name: _listed([one for one in grounds if _says(one) == name]) for name in ("deeper", "one layer", "open")}
    sources = {one.task.source for one in grounds}
    if names["deeper"] and names["one layer"]:
        return Settled(
            "not known",
            None,
            f"the near tasks disagree: more layers are better on {names['deeper']}, and not on {names['one layer']}",
        )
    if names["open"]:
        unsettled = next(one for one in grounds if _says(one) == "open")
        return Settled("not known", None, f"{unsettled.task.task} is undecided: {unsettled.contrast.reason}")
    if basis == "near tasks" and len(sources) < FEWEST_TASKS:
        return Settled(
            "not known",
            None,
            f"only one published task is near, {grounds[0].task.task}: how much tasks differ cannot be told from one",
        )
    if names["one layer"]:
        worse = any(one.contrast.verdict == "wider" for one in grounds)
        said = "do not help, and some are worse," if worse else "make no practical difference"
        return Settled("one layer", 1, f"more layers of the same size {said} on {names['one layer']}")
    common = sorted(set.intersection(*(set(one.contrast.depths) for one in grounds)))
    if not common:
        return Settled("not known", None, f"more layers are better on {names['deeper']}, but on each other depths")
    depth = fewest(common, [one.contrast for one in grounds])
    return Settled("more layers", depth, f"{depth} layers are better than one of the same size on {names['deeper']}")


def fewest(depths: Sequence[int], contrasts: Sequence[Contrast]) -> int:
    """The fewest layers to which no more layers add a margin on any task: more layers must earn their place.

    Where the tasks leave no such depth, the fewest of all that are better on every one.
    """
    for depth in sorted(depths):
        if all(shortfall(depth, depths, contrast) < contrast.margin for contrast in contrasts):
            return depth
    return min(depths)


def shortfall(depth: int, depths: Sequence[int], contrast: Contrast) -> float:
    """By how much of score a depth's estimate lies under the best of `depths`; 0 for the best itself."""
    gains = {pair.depth: pair.difference for pair in contrast.pairs if pair.difference is not None} | {1: 0.0}
    return max(gains[one] for one in {*depths, depth} if one in gains) - gains[depth]


def expected(grounds: Sequence[Ground]) -> list[Expected]:
    """The gain of every deeper depth that all grounds tested.

    Of one task its own interval. Of three or more natural tasks scored in skill the interval for a task not tested.
    Else the ends are the outermost of the tasks' own intervals: relative reductions and dials are never pooled
    (PROTOCOL 7 and 16), and two tasks do not tell how much tasks differ.
    """
    if not grounds:
        return []
    pairs = [{pair.depth: pair for pair in one.contrast.pairs} for one in grounds]
    return [
        _expected([mine[depth] for mine in pairs], depth, grounds)
        for depth in sorted(set.intersection(*map(set, pairs)))
    ]


def _expected(pairs: Sequence[Pair], depth: int, grounds: Sequence[Ground]) -> Expected:
    kinds = sorted({one.contrast.score for one in grounds})
    score = " or ".join(kinds)
    if len(pairs) == 1:
        (pair,) = pairs
        what = f"of {score}; the interval of {grounds[0].task.task}"
        return Expected(depth=depth, value=pair.difference, low=pair.low, high=pair.high, what=what)
    values = [pair.difference for pair in pairs if pair.difference is not None]
    natural = all(one.contrast.role == "natural" for one in grounds)
    sources = {one.task.source for one in grounds}
    if kinds == ["skill"] and natural and len(sources) == len(values) >= FEWEST_TO_PREDICT:
        value, low, high = predicted(values)
        what = f"of skill; mean of {len(values)} tasks, and the interval for a task that was not tested"
        return Expected(depth=depth, value=value, low=low, high=high, what=what)
    lows, highs = [pair.low for pair in pairs], [pair.high for pair in pairs]
    return Expected(
        depth=depth,
        value=None,
        low=None if None in lows else min(low for low in lows if low is not None),
        high=None if None in highs else max(high for high in highs if high is not None),
        what=f"of {score}; the outermost ends of {len(pairs)} tasks' intervals, which bound no new task",
    )


def predicted(values: Sequence[float], alpha: float = ALPHA) -> tuple[float, float, float]:
    """Mean, and the interval in which the value of one more task lies with 1 - `alpha`.

    mean +- t s sqrt(1 + 1/n) with n - 1 degrees of freedom: the prediction interval of a normal law (Hahn and Meeker
    1991, section 4.7). `s` holds the spread between tasks and the noise of each; so it errs on the wide side.
    """
    found = np.asarray(values, dtype=float)
    count, mean = len(found), float(found.mean())
    half = float(stats.t.ppf(1 - alpha / 2, count - 1)) * float(found.std(ddof=1)) * math.sqrt(1 + 1 / count)
    return mean, mean - half, mean + half


def changes(grounds: Sequence[Ground], settled: Settled, basis: Basis) -> list[str]:
    """What would change the answer, from the evidence at hand."""
    found = []
    for one in grounds:
        used = one.contrast
        for other in sorted(one.task.contrasts, key=lambda other: (other.match != used.match, other.budget)):
            if (other.match, other.budget) != (used.match, used.budget) and other.verdict != used.verdict:
                found.append(f"{_held(other)}, {one.task.task} is {_verdict(other)}")
        if used.verdict == "deeper" and not any(other.match == "state" for other in one.task.contrasts):
            found.append(f"Equal total state is not tested on {one.task.task}: the gain may be that of more memory")
        if settled.known == "not known" and one.terms and not one.distance:
            found.append(f"Your problem may be {one.task.task} itself: --task {one.task.name} asks for its verdict")
    if basis != "your own study":
        found.insert(0, "Your own study outranks all of this: strata sweep --csv FILE --target COLUMN, "
                        "then strata recommend --study results/NAME")  # fmt: skip
    elif settled.known == "not known" and (more := grounds[0].contrast.more_seeds if grounds else None):
        found.insert(0, f"{more} more seeds of your own study would show a difference of one margin")
    return list(dict.fromkeys(found))


def _held(contrast: Contrast) -> str:
    held = {"state": "total state", "flops": "FLOPs"}.get(contrast.match, contrast.match)
    return f"At equal {held} and a budget of {contrast.budget:,}"


def _verdict(contrast: Contrast) -> str:
    return contrast.verdict if contrast.verdict != "undecided" else f"undecided ({contrast.reason})"


def _says(ground: Ground) -> Literal["deeper", "one layer", "open"]:
    if ground.contrast.verdict == "deeper":
        return "deeper"
    return "one layer" if ground.contrast.verdict in ("wider", "no practical difference") else "open"


def _listed(grounds: Sequence[Ground]) -> str:
    names = list(dict.fromkeys(one.task.task for one in grounds))
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
