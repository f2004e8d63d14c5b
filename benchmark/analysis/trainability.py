"""Did the deeper networks train? What tells "deep failed to train" apart from "deep is worse".

The rules of the diagnosis, for a deeper depth that is judged worse than depth 1 on test. Its training loss is put on
the scale of the test score (trivial loss on test minus training loss, over one unit of score) and compared with depth
1's on the same seeds, by the test that judged the score: joint sign flips, max-T over the depths, Holm over the
contrasts of the family, the same margin. Two training losses are compared so: that of the weights that were kept,
which early stopping can hurt, and the lowest one during training, which dropout can hurt.

- failed to train: every training loss that was recorded is judged worse too.
- trains as well and generalises worse: one of them is judged equivalent or better.
- not separable: neither.

"Failed to train" says that within its steps the depth does not fit the data that it was given as well as one layer
does. It does not say why: at equal parameters a deeper stack is narrower, and a training loss cannot tell what a
network could not be taught from what it could not represent.
Sources: Pascanu, Mikolov and Bengio 2013 (gradients); Cahuantzi et al. (more depth under limited training time).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from benchmark.analysis import learning, paired
from benchmark.analysis.contrasts import Measured
from benchmark.analysis.decisions import Decisions
from benchmark.analysis.diagnoses import Compared, Diagnosis, Paired, Trainability, Trained, opening
from benchmark.analysis.kinds import Judged
from benchmark.analysis.outcome import Contrast
from benchmark.analysis.skill import SUCCESS, diverged_score
from benchmark.evidence import Evidence

SHARE = 0.9
"""Share of depth 1's validation score that the threshold stands for."""
_LOSSES = ("train", "lowest")
_GAPS = ("validation_gap", "test_gap")


def trainability(made: Decisions, evidence: Evidence) -> list[Trainability]:
    """Every contrast of depths in the order declared, A/A left out; nothing here enters a verdict."""
    margin, alpha = evidence.study["analysis"]["margin"], made.at.look.alpha
    rows = _with_training_scores(made.rows, evidence.curves)
    compared: dict[tuple[str, int], list[Compared]] = {}
    for family in ("primary", "controls"):
        mine = {place: one for place, one in enumerate(made.measured) if one.declared.family == family}
        incomplete = [bool(one.case.incomplete) for one in mine.values()]
        for loss in _LOSSES:
            tables = [paired.table(one, rows[loss]) for one in mine.values()]
            found = paired.compare(tables, incomplete, alpha, margin)
            compared |= {(loss, place): pairs for place, pairs in zip(mine, found, strict=True)}
    smoke = evidence.study["purpose"] == "smoke"
    return [
        _contrast(
            one,
            contrast,
            rows.loc[one.confirm.index],
            evidence.curves,
            {loss: compared[loss, place] for loss in _LOSSES},
            {gap: paired.intervals(paired.table(one, rows[gap]), alpha) for gap in _GAPS},
            smoke,
        )
        for place, (one, contrast) in enumerate(zip(made.measured, made.contrasts, strict=True))
        if one.declared.role != "A/A" and len(one.rows)
    ]


def diagnose(test: Judged | None, *training: Compared | None) -> Diagnosis:
    """Why a depth is worse on test, by the rules at the head of this file; None is a loss that was not recorded."""
    if test != "worse":
        return ""
    judged = {one.judged for one in training if one is not None}
    if judged & {"equivalent", "better"}:
        return "trains as well and generalises worse"
    return "failed to train" if judged == {"worse"} else "not separable"


def _with_training_scores(rows: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """The rows with the columns `train`, `lowest`, `validation_gap` and `test_gap`, NaN where there is nothing to say.

    As on test, a diverged training scores min(0, the worst completed one of its task and budget); it has no gap.
    """
    confirm = rows[(rows["phase"] == "confirm") & rows["score"].notna()]
    losses = learning.of(curves, learning.TRAINING, confirm)
    smallest = losses.groupby("key")["value"].min()
    scale = confirm["scale"]
    found = pd.DataFrame(
        {
            "train": (confirm["trivial_loss"] - confirm["train_loss"]) / scale,
            "lowest": (confirm["trivial_loss"] - confirm["key"].map(smallest).astype(float)) / scale,
            "validation_gap": (confirm["validation_loss"] - confirm["train_loss"]) / scale,
            "test_gap": (confirm["test_loss"] - confirm["train_loss"]) / scale,
        }
    )
    for _, group in confirm.groupby(["task", "budget"], sort=True):
        done = (group["status"] == SUCCESS).to_numpy()
        for loss in _LOSSES:
            completed = found.loc[group.index[done], loss].dropna()
            if len(completed):
                found.loc[group.index[~done], loss] = diverged_score(completed)
    return rows.join(found)


def _contrast(
    one: Measured,
    contrast: Contrast,
    confirm: pd.DataFrame,
    curves: pd.DataFrame,
    compared: Mapping[str, Sequence[Compared]],
    wider: Mapping[str, Sequence[Paired]],
    smoke: bool,
) -> Trainability:
    validation = learning.of(curves, learning.VALIDATION, confirm)
    gradients = learning.of(curves, learning.GRADIENT, confirm)
    final = learning.final_score(confirm[confirm["depth"] == 1])
    wanted = final if len(validation) and math.isfinite(final) and final > 0 else None
    depths = [
        _depth(
            depth,
            one.rows[one.rows["depth"] == depth],
            confirm[confirm["depth"] == depth],
            learning.first_steps(confirm[confirm["depth"] == depth], validation, SHARE * wanted) if wanted else None,
            gradients,
            {name: pairs[place - 1] if place and pairs else None for name, pairs in compared.items()},
            {name: pairs[place - 1] if place and pairs else None for name, pairs in wider.items()},
            contrast.pairs[place - 1].judged if place and not smoke else None,
        )
        for place, (depth, _) in enumerate(one.declared.arms)
    ]
    return Trainability(
        task=contrast.task,
        role=contrast.role,
        budget=contrast.budget,
        match=contrast.match,
        variant=contrast.variant,
        kind=contrast.score,
        share=SHARE,
        validation_score=wanted,
        steps=contrast.steps,
        depths=depths,
        limits=_limits(one, depths, bool(len(validation)), wanted is not None),
        sentence=_sentence(contrast, depths),
    )


def _depth(
    depth: int,
    rows: pd.DataFrame,
    confirm: pd.DataFrame,
    steps: list[float] | None,
    gradients: pd.DataFrame,
    compared: Mapping[str, Compared | None],
    wider: Mapping[str, Paired | None],
    judged: Judged | None,
) -> Trained:
    layers = gradients[gradients["key"].isin(set(confirm["key"]))]
    course, ratio = learning.ratios(layers)
    return Trained(
        depth=depth,
        tuned=_count(rows, ("tune", "rerank")),
        tuned_diverged=_count(rows, ("tune", "rerank"), "diverged"),
        confirmed=_count(rows, ("confirm",)),
        confirmed_diverged=_count(rows, ("confirm",), "diverged"),
        clipped_share=_mean(confirm["clipped_share"]),
        norms=learning.norms(layers),
        ratios=course,
        ratio=ratio,
        reached=None if steps is None else sum(map(math.isfinite, steps)),
        steps=None if steps is None else learning.restricted_median(steps),
        validation_gap=_mean(confirm["validation_gap"]),
        test_gap=_mean(confirm["test_gap"]),
        train=compared["train"],
        lowest=compared["lowest"],
        validation_gap_widened=wider["validation_gap"],
        test_gap_widened=wider["test_gap"],
        judged=judged,
        diagnosis=diagnose(judged, compared["train"], compared["lowest"]),
    )


def _count(rows: pd.DataFrame, phases: Sequence[str], status: str = "") -> int:
    """Trainings with a result; failed ones are none."""
    mine = rows["phase"].isin(phases) & (rows["status"] == status if status else rows["status"] != "failed")
    return int(mine.sum())


def _mean(values: pd.Series) -> float | None:
    known = values.to_numpy(dtype=float)
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else None


def _limits(one: Measured, depths: Sequence[Trained], curves: bool, learnt: bool) -> list[str]:
    limits = []
    if not any(depth.norms for depth in depths):
        limits.append("gradient norms were not recorded")
    if not curves:
        limits.append("validation curves were not recorded, so no steps to a threshold")
    elif not learnt:
        limits.append("one layer's validation score is not above 0, or was not recorded: no threshold to reach")
    if all(depth.train is None for depth in depths):
        limits.append("training losses were not recorded for every depth")
    elif one.replicates in ("folds", "groups"):
        limits.append("fixed data: training losses are judged by sign flips alone, without a bootstrap over blocks")
    return limits


def _sentence(contrast: Contrast, depths: Sequence[Trained]) -> str:
    """What each depth that is worse on test is diagnosed with, and the differences that it rests on."""
    said = []
    for pair, depth in zip(contrast.pairs, depths[1:], strict=True):
        if depth.diagnosis:
            numbers = [f"{pair.difference:+.3f} on test"]
            numbers += [f"{depth.train.value:+.3f} on the training data"] if depth.train else []
            numbers += [f"{depth.lowest.value:+.3f} at the lowest training loss"] if depth.lowest else []
            said.append(f"depth {depth.depth} {_said(depth)} ({', '.join(numbers)})")
    return f"{opening(contrast)}, against one layer: {'; '.join(said)}" if said else ""


def _said(depth: Trained) -> str:
    if depth.diagnosis == "not separable":
        return "is worse, and it is not separable whether it trains worse or only generalises worse"
    wider = depth.test_gap_widened
    if depth.diagnosis == "failed to train" and wider and wider.low is not None and wider.low > 0:
        return "failed to train, and its gap from training to test is wider too"
    return depth.diagnosis
