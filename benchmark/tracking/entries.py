"""What the experiment that people read shows: a run per comparison, and one per arm. Pure functions of the findings."""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmark.analysis.findings import Arm, Findings
from benchmark.analysis.outcome import Contrast, Pair
from benchmark.analysis.replicas import A_A
from benchmark.report.groups import name, ordered
from benchmark.report.words import decisive
from benchmark.tracking import projection as project
from benchmark.tracking.note import NOTE, contrast_note

ARMS_ON_A_PAGE = 99
"""MLflow shows 100 runs at a time: with more arms than this beside the verdict, there is a run per task and budget."""


@dataclass
class Entry:
    """One run to be seen; `identity` is stable from one publication to the next."""

    identity: str
    name: str
    kind: str
    tags: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    finals: dict[str, float | None] = field(default_factory=dict)
    curves: list[tuple[str, float, int]] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """Of all that is shown: a run with another one is replaced."""
        content = [self.name, self.kind, self.tags, self.params, self.finals, self.curves]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def entries(findings: Findings) -> list[Entry]:
    """Comparisons first, then arms, as the study lists them."""
    few = len(findings.arms) <= ARMS_ON_A_PAGE
    return [*_contrast_entries(findings), *(_arm_entries(findings) if few else _group_entries(findings))]


def _contrast_entries(findings: Findings) -> Iterator[Entry]:
    """A run per comparison: its verdict, and the pair of depths that the verdict rests on."""
    for contrast in ordered(findings):
        pair = decisive(contrast)
        finals: dict[str, float | None] = {"study/seeds": contrast.seeds, "study/more_seeds": contrast.more_seeds}
        if pair is not None:
            finals |= _differences(pair) | {"difference/depth": pair.depth}
        named = ", ".join(map(str, contrast.depths)) + " worse" * (contrast.verdict == "wider")
        identity = "/".join(
            ["contrast", contrast.task, str(contrast.budget), contrast.match, contrast.variant, contrast.role]
        )
        yield Entry(
            identity=identity,
            name=name(findings, contrast),
            kind="contrast",
            tags=project.texts(
                {
                    "task": contrast.task,
                    "family": contrast.family,
                    "role": contrast.role,
                    "budget": contrast.budget,
                    "match": contrast.match,
                    "variant": contrast.variant,
                    "verdict": f"{contrast.verdict} ({named})" if contrast.depths else contrast.verdict,
                    "reason": contrast.reason,
                    "score": contrast.score,
                    NOTE: contrast_note(contrast),
                }
            ),
            finals=finals,
        )


def _differences(pair: Pair) -> dict[str, float | None]:
    return {
        "difference/mean": pair.difference,
        "difference/low": pair.low,
        "difference/high": pair.high,
        "difference/p": pair.p_adjusted,
    }


def _arm_entries(findings: Findings) -> Iterator[Entry]:
    several_budgets = len({arm.budget for arm in findings.arms}) > 1
    for arm in findings.arms:
        contrast, pair = _judged(findings, arm)
        name = project.cell_name(
            arm.task, arm.depth, arm.width, variant=arm.variant, match=arm.match, replica=arm.replica
        )
        learning_rate = arm.hyperparameters.get("learning_rate")
        finals: dict[str, float | None] = {
            "score/mean": arm.score_mean,
            "score/low": arm.score_low,
            "score/high": arm.score_high,
            "score/median": arm.score_median,
            "runs/confirmed": arm.runs,
            "runs/successes": arm.successes,
            "final/train_loss": arm.train_loss,
            "final/validation_loss": arm.validation_loss,
            "final/clipped_share": arm.clipped_share,
            "test/loss": arm.test_loss,
            "cost/seconds": arm.seconds,
            "cost/parameters": arm.parameters,
            "cost/state_size": arm.state_size,
            "cost/flops": arm.flops,
        }
        if pair is not None:
            finals |= _differences(pair)
        curves = []
        for step, mean, lowest, highest in arm.curve:
            for curve, value in (("mean", mean), ("lowest", lowest), ("highest", highest)):
                curves.append((f"validation/loss_{curve}", value, step))
        if not arm.replica and arm.score_mean is not None:
            # The step of these is the depth, so that the arms of a task together make a line over depth.
            curves.append(("depth/score", arm.score_mean, arm.depth))
            if arm.seconds is not None:
                curves.append(("depth/seconds", arm.seconds, arm.depth))
        yield Entry(
            identity=arm.arm,
            name=name + (f" · budget {arm.budget}" if several_budgets else ""),
            kind="arm",
            tags=project.texts(
                {
                    "task": arm.task,
                    "family": contrast.family if contrast else None,
                    "role": arm.role,
                    "depth": arm.depth,
                    "width": arm.width,
                    "budget": arm.budget,
                    "match": arm.match,
                    "variant": arm.variant,
                    "replica": arm.replica,
                    "arm": arm.arm,
                    "state": "complete" if arm.complete else "incomplete",
                    "verdict": contrast.verdict if contrast else None,
                    "reason": contrast.reason if contrast else None,
                    "against_depth_1": pair.judged if pair else None,
                    "tuned_at_edge": "yes" if arm.at_edge else "no",
                    NOTE: _arm_note(arm, contrast, pair),
                }
            ),
            params={
                "depth": str(arm.depth),
                "width": str(arm.width),
                "budget": str(arm.budget),
                **{name: project.number(value) for name, value in arm.hyperparameters.items()},
                **({"log10_lr": f"{math.log10(learning_rate):.4g}"} if learning_rate else {}),
            },
            finals=finals,
            curves=curves,
        )


def _group_entries(findings: Findings) -> Iterator[Entry]:
    """A run per task and budget whose metrics run over depth: the step is the depth, not a training step."""
    groups: dict[tuple[str, int], list[Arm]] = defaultdict(list)
    for arm in findings.arms:
        groups[arm.task, arm.budget].append(arm)
    for (task, budget), members in groups.items():
        contrasts = [c for c in findings.contrasts if (c.task, c.budget) == (task, budget)]
        curves = []
        for arm in members:
            # Arms that differ from the plain one at equal parameters get a line of their own.
            parts = (arm.variant, "plain"), (arm.match, "parameters"), (arm.replica, "")
            suffix = "".join(f" {value}" for value, usual in parts if value != usual)
            values = {
                "depth/score": arm.score_mean,
                "depth/score_low": arm.score_low,
                "depth/score_high": arm.score_high,
                "depth/seconds": arm.seconds,
                "depth/width": arm.width,
            }
            curves += [(name + suffix, float(v), arm.depth) for name, v in values.items() if v is not None]
        scored = [arm for arm in members if arm.score_mean is not None and not arm.replica]
        best = max(scored, key=lambda arm: arm.score_mean or 0.0, default=None)
        yield Entry(
            identity=f"{task}/{budget}",
            name=f"{task} · budget {budget}",
            kind="group",
            tags=project.texts(
                {
                    "task": task,
                    "budget": budget,
                    "family": contrasts[0].family if contrasts else None,
                    "role": members[0].role,
                    "arms": len(members),
                    "state": "complete" if all(arm.complete for arm in members) else "incomplete",
                    "verdict": ", ".join(dict.fromkeys(c.verdict for c in contrasts)),
                }
            ),
            params={"budget": str(budget)},
            finals={
                "score/mean": best.score_mean if best else None,
                "score/best_depth": best.depth if best else None,
                "cost/seconds": sum(arm.seconds or 0.0 for arm in members),
            },
            curves=curves,
        )


def _arm_note(arm: Arm, contrast: Contrast | None, pair: Pair | None) -> str:
    """What the arm is and how it did, in three lines of markdown."""
    layers = f"{arm.depth} layer{'s' * (arm.depth > 1)} of {arm.width} cells"
    lines = [f"{layers}: {arm.parameters:,} parameters, trained on {arm.runs} seeds to judge it."]
    if arm.score_mean is not None and arm.score_low is not None and arm.score_high is not None:
        scale = contrast.score if contrast else "skill"
        lines.append(f"Mean {scale} {arm.score_mean:.3f} [{arm.score_low:.3f}, {arm.score_high:.3f}] on test.")
    if pair is not None and pair.difference is not None:
        lines.append(f"Against one layer: **{pair.judged}**, {pair.difference:+.3f}.")
    settings = ", ".join(f"{name} {project.number(value)}" for name, value in arm.hyperparameters.items())
    return "\n\n".join([*lines, *([f"Setting chosen by tuning: {settings}."] if settings else [])])


def _judged(findings: Findings, arm: Arm) -> tuple[Contrast | None, Pair | None]:
    """The contrast that an arm belongs to, and its own pair against depth 1."""
    place = (arm.task, arm.budget, arm.match, arm.variant)
    for contrast in findings.contrasts:
        same = place == (contrast.task, contrast.budget, contrast.match, contrast.variant)
        if same and (contrast.role == "A/A") == (arm.replica == A_A):
            pairs = (p for p in contrast.pairs if (p.depth, p.replica) == (arm.depth, arm.replica))
            return contrast, next(pairs, None)
    return None, None
