"""What must hold before a contrast may be decided: complete, informative, tuned, converged (PROTOCOL 5, 8, 9, 10).

Every gate gives '' or the reason why the contrast stays undecided.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from benchmark.analysis.kinds import Role
from benchmark.analysis.selection import CONVERGED_SEEDS, Choice, choose
from benchmark.analysis.signflip import max_t
from benchmark.analysis.skill import SUCCESS, Score

TOO_HARD, TOO_EASY, NULL_LEVEL = 0.2, 0.95, 0.9


def name(depth: int, replica: str) -> str:
    """How a reason calls an arm."""
    return f"depth {depth}" + (f" ({replica})" if replica else "")


def incomplete(rows: pd.DataFrame, seeds: Sequence[int], arm: str) -> str:
    """`rows` are one arm's. Failed trainings are no results: they were tried again and are still missing."""
    if not len(rows):
        return f"{arm} has no trainings"
    phase, failed = rows["phase"].to_numpy(), rows["status"].to_numpy() == "failed"
    tuning, confirm = (phase == "tune") | (phase == "rerank"), phase == "confirm"
    if failures := int((failed & tuning).sum()):
        return f"{failures} of {tuning.sum()} tuning trainings of {arm} failed"
    scored = confirm & ~np.isnan(rows["score"].to_numpy())
    found = set(rows["seed"].to_numpy()[scored].tolist())
    if scored.sum() != len(found) or len(set(rows["hyperparameters"].to_numpy()[scored])) > 1:
        return f"{arm} was confirmed with more than one setting"
    if missing := len(set(seeds) - found):
        failures = int((failed & confirm).sum())
        said = f", {failures} failed" if failures else ""
        return f"{arm} has {len(seeds) - missing} of {len(seeds)} confirmed trainings{said}"
    return ""


def tuning_scores(rows: pd.DataFrame, phase: str) -> dict[int, list[float]]:
    """Tuning scores of one arm by point, in the order of the seeds."""
    mine = rows["phase"].to_numpy() == phase
    points, seeds, found = (rows[column].to_numpy()[mine] for column in ("point", "seed", "tuning_score"))
    scores: dict[int, list[float]] = {}
    for at in np.lexsort((seeds, points)):
        scores.setdefault(int(points[at]), []).append(float(found[at]))
    return scores


def learning_rates(rows: pd.DataFrame) -> dict[int, float]:
    """Learning rate of every tuning point that one arm was asked."""
    phase = rows["phase"].to_numpy()
    tuning = (phase == "tune") | (phase == "rerank")
    points, rates = (rows[column].to_numpy()[tuning].tolist() for column in ("point", "learning_rate"))
    return dict(zip(points, rates, strict=True))


def chosen(rows: pd.DataFrame, margin: float) -> Choice | None:
    """What one arm's tuning rows choose, by the driver's own function; None when nothing was trained again."""
    reranked = tuning_scores(rows, "rerank")
    return choose(reranked, learning_rates(rows), margin) if reranked else None


def untuned(rows: pd.DataFrame, margin: float, arm: str) -> str:
    """`rows` are one arm's."""
    choice = chosen(rows, margin)
    if choice is None:
        return f"{arm} has no tuning trainings"
    if choice.edge:
        side = "largest" if choice.edge == "high" else "smallest"
        return f"the best learning rate of {arm} is the {side} asked ({learning_rates(rows)[choice.point]:g})"
    return ""


def uninformative(scores: pd.DataFrame, units: np.ndarray, kind: Score, role: Role, control: str, alpha: float) -> str:
    """`scores` is `(seeds, arms)`; `units` the same averaged within folds, whose intervals are judged."""
    medians = scores.median()
    best, worst = float(medians.max()), float(medians.min())
    if role == "null control" or (role == "A/A" and control == "null"):
        if worst < NULL_LEVEL:
            return f"too hard for a null control: a median {kind} of {worst:.2f} is below {NULL_LEVEL}"
        return ""
    if kind == "relative reduction":
        if not (max_t(units, alpha).low > 0).any():
            return "too hard: no depth beats the trivial predictor with its interval off zero"
        return ""
    if best < TOO_HARD:
        return f"too hard: the best median skill, {best:.2f}, is below {TOO_HARD}"
    if worst > TOO_EASY:
        return f"too easy: the worst median skill, {worst:.2f}, is above {TOO_EASY}"
    return ""


def unconverged(rows: pd.DataFrame, others: Sequence[tuple[int, str]], margin: float) -> str | None:
    """`rows` are a contrast's. None when any pair was not run again with twice the steps on at least five seeds."""
    if not (rows["phase"] == "converge").any():
        return None
    scores = rows.pivot_table(index="seed", columns=["phase", "depth", "replica"], values="score", aggfunc="first")
    moved: list[tuple[str, float]] = []
    for depth, replica in others:
        needed = [(phase, *arm) for phase in ("converge", "confirm") for arm in ((depth, replica), (1, ""))]
        if not set(needed) <= set(scores.columns):
            return None
        found = scores[needed].dropna().to_numpy()
        if len(found) < CONVERGED_SEEDS:
            return None
        moved.append((name(depth, replica), float(np.mean(found @ [1.0, -1.0, -1.0, 1.0]))))
    arm, move = max(moved, key=lambda item: abs(item[1]))
    if abs(move) > margin:
        return f"with twice the steps {arm} against depth 1 moves by {move:+.3f}"
    return ""


def successes(rows: pd.DataFrame, depth: int, replica: str) -> int:
    """Confirmed trainings of an arm that did not diverge."""
    depths, replicas, phase, status = (rows[name].to_numpy() for name in ("depth", "replica", "phase", "status"))
    return int(((depths == depth) & (replicas == replica) & (phase == "confirm") & (status == SUCCESS)).sum())
