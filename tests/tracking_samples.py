"""A small study for the tests of MLflow: trainings with their rows and memberships, and findings about them."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, get_args

from benchmark.analysis.findings import Arm, Control, Findings
from benchmark.analysis.kinds import Judged, Role, Verdict
from benchmark.analysis.outcome import Contrast, Look, Pair
from benchmark.evidence import MEMBERS, RUNS
from benchmark.spec import Hyperparameters, RunResult, RunSpec, Seeds, stream

BUDGET = 6000
WIDTHS = {1: 36, 2: 24, 4: 16}
TASKS = {
    "two_layer_teacher": ("synthetic", "depth", {1: 0.50, 2: 0.75, 4: 0.55}),
    "one_layer_teacher": ("synthetic", "width", {1: 0.90, 2: 0.80, 4: 0.60}),
    "recall": ("synthetic", "null", {1: 0.98, 2: 0.98, 4: 0.98}),
    "formants": ("speech", "", {1: 0.60, 2: 0.70, 4: 0.66}),
    "equity_variance": ("finance", "", {1: 0.20, 2: 0.20, 4: 0.20}),
}


@dataclass
class Sample:
    """What `Tracker.record` is given for one training."""

    spec: RunSpec
    result: RunResult
    row: dict[str, Any]
    members: list[dict[str, Any]]

    @property
    def given(self) -> tuple[RunSpec, RunResult, dict[str, Any], list[dict[str, Any]]]:
        return self.spec, self.result, self.row, self.members


def arm_label(task: str, depth: int, replica: str = "") -> str:
    return f"{task}/{BUDGET}/parameters/plain/depth {depth}" + (f"/{replica}" if replica else "")


def sample(
    task: str = "recall",
    depth: int = 2,
    seed: int = 0,
    phase: str = "confirm",
    point: int = 2,
    replica: str = "",
    status: str = "done",
    validations: int = 12,
) -> Sample:
    """One training whose losses fall towards what its task and depth allow."""
    family, control, truth = TASKS[task]
    spec = RunSpec(
        task=task,
        task_parameters={"delay": 10, "scales": (1, 2)},
        task_digest="d" * 16,
        depth=depth,
        width=WIDTHS[depth],
        hyperparameters=Hyperparameters(learning_rate=0.001 * 10 ** (point / 2)),
        seeds=Seeds(
            replicate=seed,
            data=stream("data", task, phase, seed),
            initialisation=stream("init", task, phase, depth, replica, seed),
            order=stream("order", task, phase, seed),
            dropout=1,
        ),
        replica=replica,
        steps=100 * validations,
        validate_every=100,
        reads_test=phase == "confirm",
    )
    noise = random.Random(spec.key)
    reached = 1 - truth[depth] * (1 - 0.15 * abs(point - 2)) + noise.gauss(0, 0.01)
    curve = [reached + (1 - reached) * math.exp(-i / 3) for i in range(1, validations + 1)]
    result = RunResult(
        key=spec.key,
        status=status,  # type: ignore[arg-type]
        train_loss=reached / 1.1,
        validation_loss=reached,
        test_loss=reached * 1.02 if spec.reads_test else None,
        trivial_validation_loss=1.0,
        best_validation_loss=0.0,
        trivial_loss=1.01 if spec.reads_test else None,
        best_loss=0.0 if spec.reads_test else None,
        second_metric=0.1 + noise.random() / 100 if spec.reads_test else None,
        baselines={"last value (y=x)": 0.9} if spec.reads_test else {},
        best_step=spec.steps - 100,
        steps=spec.steps,
        clipped_share=noise.random() / 5,
        seconds=3.0 * depth + noise.random(),
        parameters=BUDGET - 10 * depth,
        state_size=depth * spec.width,
        flops=10**6 * depth,
        data_hash=f"{spec.seeds.data:064x}",
        order_hash=f"{spec.seeds.order:016x}",
        curves=[
            row
            for i, loss in enumerate(curve, start=1)
            for row in ((100 * i, "train/loss", -1, loss / 1.1), (100 * i, "validation/loss", -1, loss))
        ],
        versions={"torch": "2.13.0", "strata": "0.1.0"},
    )
    if status == "diverged":
        result.train_loss = result.validation_loss = result.test_loss = result.second_metric = result.best_step = None
        result.curves.append((spec.steps, "validation/loss", -1, math.nan))
    if status == "failed":
        result = RunResult(
            key=spec.key, status="failed", error="Traceback (most recent call last):\n  ...\nMemoryError: x"
        )
    row = dict.fromkeys(RUNS) | {
        "key": spec.key,
        "task": task,
        "task_source": task,
        "family": family,
        "control": control,
        "seed": seed,
        "metric": "squared_error",
        "unit": "variance of the target",
        "second_metric_name": "error rate",
        "learning_rate": spec.hyperparameters.learning_rate,
        "hyperparameters": json.dumps(vars(spec.hyperparameters)),
    }
    members = {
        "key": spec.key,
        "arm": arm_label(task, depth, replica),
        "task": task,
        "budget": BUDGET,
        "match": "parameters",
        "variant": "plain",
        "depth": depth,
        "replica": replica,
        "phase": phase,
        "point": point,
        "seed": seed,
        "superseded": False,
    }
    assert members.keys() == MEMBERS.keys()
    return Sample(spec, result, row, [members])


def study(seeds: int = 10) -> Iterator[Sample]:
    """Five tasks at three depths with A/A on one: five points, two again on two seeds, and `seeds` confirmations."""
    for task in TASKS:
        for depth, replica in [(1, ""), (2, ""), (4, ""), *([(1, "aa")] if task == "recall" else [])]:
            for point in range(5):
                yield sample(
                    task, depth, point, "tune", point, replica, "diverged" if point == 4 > depth * 2 > 3 else "done"
                )
            for point in (2, 3):
                for seed in range(2):
                    yield sample(task, depth, seed, "rerank", point, replica)
            for seed in range(seeds):
                yield sample(task, depth, seed, "confirm", 2, replica)


def shared_by(one: Sample, *arms: str) -> Sample:
    """The training as a member of other arms as well."""
    return replace(one, members=one.members + [{**one.members[0], "arm": arm} for arm in arms])


def arm(samples: list[Sample], role: Role) -> Arm:
    """The aggregates of one arm from its trainings."""
    confirmed = [s for s in samples if s.members[0]["phase"] == "confirm"]
    one = confirmed[0]
    scores = [(s.members[0]["seed"], 1 - (s.result.test_loss or 0) / 1.01) for s in confirmed]
    mean = sum(score for _, score in scores) / len(scores)
    return Arm(
        arm=one.members[0]["arm"],
        task=one.row["task"],
        role=role,
        budget=BUDGET,
        match="parameters",
        variant="plain",
        depth=one.spec.depth,
        replica=one.spec.replica,
        width=one.spec.width,
        parameters=one.result.parameters,
        state_size=one.result.state_size,
        flops=one.result.flops,
        seconds=one.result.seconds,
        hyperparameters={"learning_rate": one.spec.hyperparameters.learning_rate, "weight_decay": 0.0},
        at_edge=False,
        complete=True,
        score_mean=mean,
        score_low=mean - 0.02,
        score_high=mean + 0.02,
        score_median=mean,
        successes=len(scores),
        runs=len(scores),
        clipped_share=0.1,
        train_loss=one.result.train_loss,
        validation_loss=one.result.validation_loss,
        test_loss=one.result.test_loss,
        scores=scores,
        curve=[
            (step, v, v - 0.01, v + 0.01) for step, metric, _, v in one.result.curves if metric == "validation/loss"
        ],
        tuning=[(s.spec.hyperparameters.learning_rate, 0.5) for s in samples if s.members[0]["phase"] == "tune"],
    )


def findings(samples: list[Sample]) -> Findings:
    """What the analysis would say of the study above."""
    by_arm: dict[str, list[Sample]] = {}
    for one in samples:
        by_arm.setdefault(one.members[0]["arm"], []).append(one)
    roles = {"": "natural", "depth": "depth control", "width": "width control", "null": "null control"}
    arms = [
        arm(members, "A/A" if members[0].spec.replica else roles[members[0].row["control"]])  # type: ignore[arg-type]
        for members in by_arm.values()
    ]
    assert {a.role for a in arms} <= set(get_args(Role))
    contrasts = []
    for task, role in dict.fromkeys((a.task, a.role) for a in arms):
        same = [a for a in arms if a.task == task and (a.role == role or (role == "A/A" and a.depth == 1))]
        one_layer = next(a for a in same if a.depth == 1 and not a.replica)
        pairs = [_pair(a, one_layer) for a in same if a is not one_layer]
        better = [p.depth for p in pairs if p.judged == "better"]
        worse = [p.depth for p in pairs if p.judged == "worse"]
        verdict: Verdict = "deeper" if better else "wider" if worse else "no practical difference"
        contrasts.append(
            Contrast(
                task=task,
                family=TASKS[task][0],
                role=role,
                budget=BUDGET,
                match="parameters",
                variant="plain",
                verdict=verdict,
                depths=better or worse,
                reason=f"depth {better or worse}" if better or worse else "every pair within 0.02",
                sentence=f"on {task}: {verdict}",
                seeds=10,
                replicates="seeds",
                more_seeds=None,
                pairs=pairs,
                metric="squared_error",
                unit="variance of the target",
                score="relative reduction" if task == "equity_variance" else "skill",
                margin=0.02,
                margin_in_unit=0.02,
                steps=1200,
            )
        )
    headline = "The instrument sees depth, sees width, and sees nothing where nothing is."
    return Findings(
        study="screen",
        purpose="screen",
        protocol="1",
        headline=headline,
        controls_line="Controls: depth passed, width passed, null passed, A/A passed.",
        look=Look(seeds=10, alpha=0.03),
        looks=[Look(seeds=10, alpha=0.03), Look(seeds=20, alpha=0.02)],
        next_look=Look(seeds=20, alpha=0.02),
        exploratory="",
        controls=[Control(kind="depth", task="two_layer_teacher", passed=True, reason="", qualification="qualified")],
        contrasts=contrasts,
        arms=arms,
        failures=[],
        notes=["Screening at 6,000 parameters and 1,200 steps: equal state was not tested.", "Coarse grid of 5 rates."],
        trainings=len(samples),
        seconds=sum(s.result.seconds for s in samples),
    )


def _pair(deeper: Arm, one_layer: Arm) -> Pair:
    assert deeper.score_mean is not None and one_layer.score_mean is not None
    difference = deeper.score_mean - one_layer.score_mean
    judged: Judged = "better" if difference > 0.02 else "worse" if difference < -0.02 else "equivalent"
    return Pair(
        depth=deeper.depth,
        replica=deeper.replica,
        difference=difference,
        low=difference - 0.015,
        high=None if deeper.depth == 4 else difference + 0.015,
        p=0.004,
        p_adjusted=0.012,
        p_equivalence=0.5,
        judged=judged,
        spread=0.01,
        successes=10,
        successes_one_layer=10,
    )
