"""Would more tuning, or less, change the order of the depths? Expected best validation score after n points.

Of the N points that a depth was asked, in ascending order of their tuning score v(1), ..., v(N), the best of n drawn
without replacement is v(i) with probability C(i - 1, n - 1) / C(N, n). The sum over i is the unbiased estimator of
Tang et al. 2020; the one of Dodge et al. 2019 draws with replacement, and is biased.

The points asked are a designed set (a grid of learning rates, or Sobol points), the same for every depth, and not
independent draws. So what is estimated is the best of a random subset of the points that were asked, which is what
comparing depths at less effort needs. It says nothing of points that were never asked: where the score still rises
from half the points to all of them, more might be found, and no more than that.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from benchmark.analysis.contrasts import Measured
from benchmark.analysis.diagnoses import Answer, Effort, Searched, Standing, opening
from benchmark.analysis.outcome import Contrast
from benchmark.analysis.skill import SUCCESS, diverged_score


def effort(measured: Sequence[Measured], contrasts: Sequence[Contrast], purpose: str) -> list[Effort]:
    """Every contrast of depths that has tuning trainings, in the order given, A/A left out; it enters no verdict."""
    return [
        _effort(one, contrast, purpose)
        for one, contrast in zip(measured, contrasts, strict=True)
        if one.declared.role != "A/A" and (one.rows["phase"] == "tune").any()
    ]


def expected_best(scores: Sequence[float]) -> np.ndarray:
    """`(N,)`: the expected largest of n = 1, ..., N of these scores, drawn without replacement (Tang et al. 2020)."""
    values = np.sort(np.asarray(scores, dtype=float))
    drawn = np.arange(len(values))
    left = np.maximum(drawn[:, None] + 1 - drawn, 0) / (len(values) - drawn)
    # C(i, n) / C(N, n), that all n are among the i lowest, factor by factor: the binomials alone overflow.
    within = np.cumprod(left, axis=1)
    return np.asarray(values @ np.diff(within, axis=0, prepend=0.0))


def answers(found: Sequence[Searched], margin: float) -> list[Answer]:
    """Stretches of points over which every deeper depth stands the same way against depth 1."""
    one_layer, *deeper = found
    stretches: list[Answer] = []
    for at, base in enumerate(one_layer.expected):
        standings = [(one.depth, _standing(one.expected[at] - base, margin)) for one in deeper]
        same = bool(stretches) and stretches[-1].standings == standings
        first = stretches.pop().first if same else at + 1
        stretches.append(Answer(first=first, last=at + 1, standings=standings))
    return stretches


def _effort(one: Measured, contrast: Contrast, purpose: str) -> Effort:
    tune = one.rows[one.rows["phase"] == "tune"]
    asked = {depth: _scores(tune, depth) for depth, _ in one.declared.arms}
    reason = "no claim: a smoke study only tests the machinery" if purpose == "smoke" else _wanting(tune, asked)
    found = [] if reason else [_searched(depth, scores, tune) for depth, scores in asked.items()]
    stretches = answers(found, contrast.margin) if found else []
    said = f": {reason}" if reason else f", {_answered(stretches)}{_moving(found, stretches[-1], contrast.margin)}"
    return Effort(
        task=contrast.task,
        role=contrast.role,
        budget=contrast.budget,
        match=contrast.match,
        variant=contrast.variant,
        kind=contrast.score,
        points=stretches[-1].last if stretches else 0,
        depths=found,
        answers=stretches,
        reason=reason,
        sentence=opening(contrast) + said,
    )


def _scores(tune: pd.DataFrame, depth: int) -> pd.Series:
    """Tuning score of every point of one depth, NaN for a training without one of its own: it diverged."""
    mine = tune[tune["depth"] == depth]
    return mine["tuning_score"].where(mine["status"] == SUCCESS).groupby(mine["point"]).mean()


def _wanting(tune: pd.DataFrame, asked: dict[int, pd.Series]) -> str:
    """'' or why the depths cannot be compared at equal effort."""
    if (tune["status"] == "failed").any():
        return "a tuning training failed, so that not every point has a result"
    if (tune["status"] == "pruned").any():
        return "points that were behind at a rung were not trained to their end"
    points = [sorted(scores.index) for scores in asked.values()]
    if any(one != points[0] for one in points):
        return "not every depth was asked the same points"
    return ""


def _searched(depth: int, scores: pd.Series, tune: pd.DataFrame) -> Searched:
    """A point that diverged scores as one does on test: see `skill.diverged_score`."""
    floor = diverged_score(tune.loc[tune["status"] == SUCCESS, "tuning_score"])
    expected = expected_best(scores.fillna(floor).tolist())
    return Searched(
        depth=depth,
        expected=expected.tolist(),
        diverged=int(scores.isna().sum()),
        rise=float(expected[-1] - expected[max(len(expected) // 2, 1) - 1]),
    )


def _standing(difference: float, margin: float) -> Standing:
    return "ahead" if difference >= margin else "behind" if difference <= -margin else "level"


def _answered(several: Sequence[Answer]) -> str:
    """Example: with 1 of 5 points the answer on validation would be depth 2 level with one layer; with 2 to 5, ..."""
    first, *others = several
    points = several[-1].last
    if not others:
        said = _standings(first)
        return f"with any number of the {points} points the answer on validation would be the same: {said}"
    words = [f"with {_stretch(first)} of {points} points the answer on validation would be {_standings(first)}"]
    return "; ".join(words + [f"with {_stretch(one)}, {_standings(one)}" for one in others])


def _stretch(answer: Answer) -> str:
    between = " or " if answer.last == answer.first + 1 else " to "
    return between.join(map(str, sorted({answer.first, answer.last})))


def _standings(answer: Answer) -> str:
    """Depths that stand the same way together: `depth 2 ahead of one layer, depths 4 and 8 behind it`."""
    of = {standing: [depth for depth, own in answer.standings if own == standing] for _, standing in answer.standings}
    words = {"ahead": "ahead of", "level": "level with", "behind": "behind"}
    parts = [f"{'depth' if len(depths) == 1 else 'depths'} {_list(depths)} {words[s]}" for s, depths in of.items()]
    return ", ".join([f"{parts[0]} one layer", *(f"{part} it" for part in parts[1:])])


def _list(depths: Sequence[int]) -> str:
    *first, last = map(str, depths)
    return f"{', '.join(first)} and {last}" if first else last


def _moving(found: Sequence[Searched], last: Answer, margin: float) -> str:
    """Depths whose difference from depth 1 moves by a margin from half the points to all, and not further to its side.

    A depth that is ahead and draws further ahead would only be more so.
    """
    one_layer, *deeper = found
    half = max(last.last // 2, 1)
    moving = []
    for one, (_, standing) in zip(deeper, last.standings, strict=True):
        drift = one.rise - one_layer.rise
        if abs(drift) >= margin and standing != ("ahead" if drift > 0 else "behind"):
            moving.append(f"depth {one.depth} moves by {drift:+.3f} against one layer")
    if not moving:
        return ""
    return f". From {half} to {last.last} points {', '.join(moving)}: more points may change the answer"
