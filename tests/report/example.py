"""Findings made by hand, as a screen of five tasks would give them; the numbers hang together but decide nothing."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np

from benchmark.analysis.findings import Arm, Control, Findings
from benchmark.analysis.kinds import Role, Verdict
from benchmark.analysis.outcome import Contrast, Look, Pair
from benchmark.spec import stream

BUDGET = 6000
WIDTHS = {1: 35, 2: 21, 4: 14}
RATES = [0.001, 0.00316, 0.01, 0.0316, 0.1]

# task: role, family, mean skill by depth, spread, verdict, depths named, unit, baselines
TASKS: dict[str, tuple[Role, str, dict[int, float], float, Verdict, list[int], str, dict[str, float]]] = {
    "formants": (
        "natural", "speech", {1: 0.61, 2: 0.665, 4: 0.64}, 0.02, "deeper", [2], "nats per frame", {"linear": 0.55},
    ),
    "equity_variance": (
        "natural", "finance", {1: 0.21, 2: 0.20, 4: 0.19}, 0.05, "undecided", [], "QLIKE",
        {"HAR": 0.285, "EWMA 0.94": 0.24, "last value": -0.62},
    ),
    "two_layer_teacher": (
        "depth control", "synthetic", {1: 0.54, 2: 0.78, 4: 0.50}, 0.03, "deeper", [2], "variance of the target", {},
    ),
    "one_layer_teacher": (
        "width control", "synthetic", {1: 0.985, 2: 0.95, 4: 0.87}, 0.01, "wider", [2, 4], "variance of the target", {},
    ),
    "recall": (
        "null control", "synthetic", {1: 0.985, 2: 0.984, 4: 0.982}, 0.004, "no practical difference", [], "nats", {},
    ),
}  # fmt: skip


def example(
    *, seeds: int = 10, tasks: list[str] | None = None, purpose: str = "screen", failed: tuple[str, ...] = ()
) -> Findings:
    """A whole study; `failed` are kinds of control that did not pass."""
    chosen = tasks or list(TASKS)
    contrasts, arms, controls = [], [], []
    for task in chosen:
        role = TASKS[task][0]
        made = [_arm(task, depth, "", seeds) for depth in WIDTHS]
        arms += made
        contrasts.append(_contrast(task, made, purpose))
        if role.endswith("control"):
            kind = role.split()[0]
            controls.append(_control(kind, task, kind not in failed))
    if "recall" in chosen:
        replica = _arm("recall", 1, "aa", seeds)
        arms.append(replica)
        one = next(arm for arm in arms if arm.task == "recall" and arm.depth == 1 and not arm.replica)
        contrasts.append(_contrast("recall", [one, replica], purpose))
        controls.append(_control("A/A", "recall", "A/A" not in failed))
    passed = not failed
    answer = "The instrument sees depth, sees width, and sees nothing where nothing is."
    return Findings(
        study="laptop",
        purpose=purpose,
        protocol="1",
        headline=(
            "Smoke test: no claim." if purpose == "smoke"
            else " ".join([answer, *(c.sentence for c in contrasts if c.role == "natural")]) if passed
            else f"Controls not passed: {', '.join(failed)}. The answer is withheld."
        ),
        controls_line=answer if passed else f"controls not passed: {', '.join(failed)}",
        look=Look(seeds=seeds, alpha=0.025),
        looks=[Look(seeds=seeds, alpha=0.025), Look(seeds=2 * seeds, alpha=0.0333)],
        next_look=Look(seeds=2 * seeds, alpha=0.0333),
        exploratory="",
        controls=controls,
        contrasts=contrasts,
        arms=arms,
        failures=[],
        notes=[
            "Every verdict is at the steps named: that longer training would not change it was not checked (screen).",
            "Equal total state was not tested: a deeper stack of equal parameters has more state.",
            "Tuned on a coarse grid of 5 learning rates by √10.",
        ],
        trainings=len(arms) * (seeds + 9),
        seconds=611.3,
    )  # fmt: skip


def _control(kind: str, task: str, passed: bool) -> Control:
    return Control(
        kind=cast(Any, kind),
        task=task,
        passed=passed,
        reason=f"{'' if passed else 'not '}as expected by two margins",
        qualification="needs none" if kind == "A/A" else "qualified (table configs/qualified/teacher.json, 20 seeds)",
    )


def _arm(task: str, depth: int, replica: str, seeds: int) -> Arm:
    role, _, means, spread, _, _, _, _ = TASKS[task]
    random = np.random.default_rng(stream("example", task, depth, replica))
    shared = np.random.default_rng(stream("example", task)).normal(0, spread, seeds)
    scores = means[depth] + shared + random.normal(0, spread / 2, seeds)
    half = 2.26 * float(scores.std(ddof=1)) / math.sqrt(seeds) if seeds > 1 else 0.0
    mean, width = float(scores.mean()), WIDTHS[depth]
    best = 0.1 if (task, depth) == ("recall", 4) else 0.03 / depth
    curve = []
    for step in range(50, 1201, 50):
        loss = 1 - mean + mean * math.exp(-step / (150 + 60 * depth)) + 0.02 * math.sin(step / 90 + depth)
        loss = abs(loss) + 0.005
        curve.append((step, loss, 0.9 * loss, 1.15 * loss))
    tuning = [(rate, mean - 0.12 * math.log10(rate / best) ** 2 + 0.01 * float(random.normal())) for rate in RATES]
    chosen = max(tuning, key=lambda point: point[1])[0]
    clipped = float(random.uniform(0.001, 0.3))
    return Arm(
        arm=f"{task} · {BUDGET} parameters · plain · L{depth}{' · aa' if replica else ''}",
        task=task,
        role="A/A" if replica else role,
        budget=BUDGET,
        match="parameters",
        variant="plain",
        depth=depth,
        replica=replica,
        width=width,
        parameters=4 * width * (8 + width + 1) + 4 * width * (2 * width + 1) * (depth - 1) + width + 1,
        state_size=depth * width,
        flops=2 * 50 * BUDGET,
        seconds=2.5 + 0.9 * depth,
        hyperparameters={"learning_rate": chosen, "weight_decay": 0.0, "batch_size": 64},
        at_edge=chosen in (RATES[0], RATES[-1]),
        complete=True,
        score_mean=mean,
        score_low=mean - half,
        score_high=mean + half,
        score_median=float(np.median(scores)),
        successes=seeds,
        runs=seeds,
        clipped_share=clipped,
        train_loss=0.95 * (1 - mean),
        validation_loss=0.99 * (1 - mean),
        test_loss=1 - mean,
        scores=[(seed, float(score)) for seed, score in enumerate(scores)],
        curve=curve,
        tuning=tuning,
    )


def _contrast(task: str, arms: list[Arm], purpose: str) -> Contrast:
    role, family, _, _, verdict, depths, unit, baselines = TASKS[task]
    a_a = bool(arms[-1].replica)
    pairs = [_pair(arms[0], arm, depths, verdict) for arm in arms[1:]]
    if purpose == "smoke":
        verdict, depths = "no claim", []
    folds = family == "finance"
    first = pairs[0]
    return Contrast(
        task=task,
        family=family,
        role="A/A" if a_a else role,
        budget=BUDGET,
        match="parameters",
        variant="plain",
        verdict=verdict,
        depths=depths,
        reason="15 more seeds" if verdict == "undecided" else "by the rules of the study",
        sentence=(
            f"Screening, 6,000 parameters, 1,200 steps, equal parameters only: on {task}, {verdict}, "
            f"{first.difference or 0:+.3f} [{first.low or 0:+.3f}, {first.high or 0:+.3f}]."
        ),
        seeds=len(arms[0].scores),
        replicates="folds" if folds else "seeds",
        more_seeds=15 if verdict == "undecided" else None,
        pairs=pairs,
        metric="qlike" if folds else "squared error",
        unit=unit,
        score="relative reduction" if folds else "skill",
        margin=0.02,
        margin_in_unit=0.0213,
        steps=1200,
        baselines=baselines,
        second_metric_name="error rate" if task == "formants" else "",
        flips_on_second_metric=task == "formants",
    )


def _pair(one: Arm, arm: Arm, named: list[int], verdict: Verdict) -> Pair:
    differences = np.array([b for _, b in arm.scores]) - np.array([a for _, a in one.scores])
    mean, spread = float(differences.mean()), float(differences.std(ddof=1)) if len(differences) > 1 else 0.0
    half = 2.8 * spread / math.sqrt(len(differences))
    judged = "open"
    if verdict == "no practical difference":
        judged = "equivalent"
    elif arm.depth in named:
        judged = "worse" if verdict == "wider" else "better"
    p = 0.00195 if abs(mean) > half else 0.2871
    return Pair(
        depth=arm.depth,
        replica=arm.replica,
        difference=mean,
        low=mean - half,
        high=mean + half,
        p=p,
        p_adjusted=min(1.0, 2 * p),
        p_equivalence=0.00098 if judged == "equivalent" else 0.61,
        p_equivalence_adjusted=0.00391 if judged == "equivalent" else 1.0,
        judged=cast(Any, judged),
        spread=spread,
        differences=differences.tolist(),
        successes=arm.successes,
        successes_one_layer=one.successes,
        t_low=mean - 0.9 * half,
        t_high=mean + 0.9 * half,
        second_metric_difference=-0.013 if arm.task == "formants" else None,
    )
