"""One task's figure: score by depth with every seed as a dot, and learning curves by depth."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.analysis import replicas
from benchmark.analysis.findings import Arm
from benchmark.report.groups import Group
from benchmark.report.style import (
    BAND,
    GREY,
    LIGHT,
    WIDTH,
    Picture,
    colour,
    dashes,
    depth_legend,
    draw,
    marker,
    plain_log,
)
from benchmark.report.words import finite, score_axis


def seeds(name: str, group: Group, every: list[int]) -> Picture:
    """Left: scores of the confirmed runs; right: mean and range of the validation loss while they trained."""

    def paint(figure: Figure) -> None:
        depth_legend(figure, sorted({arm.depth for arm in group.arms}), every)
        left, right = figure.subplots(1, 2, width_ratios=[1, 1])
        _scores(left, group, every)
        _curves(right, group, every)

    alt = f"{group.label}: test score by depth, every seed a dot, and validation loss during training"
    return draw(name, alt, (WIDTH, 4.6), paint)


def _scores(axes: Axes, group: Group, every: list[int]) -> None:
    # Copies of depth 1 stand last: the paired lines lead from depth to depth.
    arms = sorted(group.arms, key=lambda arm: (arm.replica, arm.depth))
    folds = group.contrast is not None and group.contrast.replicates == "folds"
    order = sorted({seed for arm in arms for seed, _ in arm.scores})
    offset = dict(zip(order, np.linspace(-0.22, 0.08, len(order)), strict=True))
    by_arm = [{seed: score for seed, score in arm.scores if finite(score)} for arm in arms]
    paired = [(place, by_arm[place]) for place, arm in enumerate(arms) if not arm.replica]
    for seed in order:
        mine = [(place, scores[seed]) for place, scores in paired if seed in scores]
        places, heights = [place + offset[seed] for place, _ in mine], [score for _, score in mine]
        axes.plot(places, heights, color=LIGHT, linewidth=0.7, zorder=1)
    small = 5 if len(order) <= 30 else 3
    for place, (arm, scores) in enumerate(zip(arms, by_arm, strict=True)):
        ink, shape = colour(arm.depth, every), marker(arm.depth, every)
        axes.plot(
            [place + offset[seed] for seed in scores], list(scores.values()),
            linestyle="none", marker=shape, markersize=small, alpha=0.7, color=ink, markeredgewidth=0, zorder=2,
        )  # fmt: skip
        _mean(axes, place + 0.25, arm, ink, shape)
    one = next((arm for arm in arms if arm.depth == 1 and not arm.replica), None)
    if one and group.contrast and finite(one.score_mean):
        margin = group.contrast.margin
        axes.axhspan(one.score_mean - margin, one.score_mean + margin, color=BAND, linewidth=0, zorder=0)
    if group.contrast:
        _baselines(axes, group.contrast.baselines)
    axes.set_xticks(range(len(arms)), [f"{arm.depth} × {arm.width}{_replica(arm)}" for arm in arms])
    axes.set_xlim(-0.5, len(arms) - 0.5)
    axes.set_xlabel("depth × width\n(layers × cells in each)")
    axes.set_ylabel(score_axis(group.score))
    axes.set_title(f"Every {'fold' if folds else 'seed'} a dot; mean and 95 % interval")


def _replica(arm: Arm) -> str:
    return f"\n{replicas.name(arm.replica)}" if arm.replica else ""


def _mean(axes: Axes, place: float, arm: Arm, ink: str, shape: str) -> None:
    if finite(arm.score_low) and finite(arm.score_high):
        axes.plot([place, place], [arm.score_low, arm.score_high], color=ink, linewidth=2.2, zorder=3)
    if finite(arm.score_mean):
        face = "white" if arm.replica else ink
        axes.plot([place], [arm.score_mean], marker=shape, markersize=9, color=ink, markerfacecolor=face, zorder=4)


def _baselines(axes: Axes, baselines: dict[str, float]) -> None:
    """Strong baselines near the scores are lines; those far off would flatten the picture and are only in the table."""
    low, high = axes.get_ylim()
    for name, score in baselines.items():
        if not finite(score) or abs(score - (low + high) / 2) > high - low:
            continue
        axes.axhline(score, color=GREY, linestyle=(0, (4, 3)), linewidth=1, zorder=0)
        axes.text(
            1.0, score, name, transform=axes.get_yaxis_transform(), ha="right", va="bottom", fontsize=10, color=GREY,
            bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1},
        )  # fmt: skip


def _curves(axes: Axes, group: Group, every: list[int]) -> None:
    positive, values = True, []
    for arm in group.arms:
        rows = [row for row in arm.curve if all(map(np.isfinite, row))]
        if arm.replica or not rows:
            continue
        step, mean, low, high = (np.array(column) for column in zip(*rows, strict=True))
        ink = colour(arm.depth, every)
        axes.fill_between(step, low, high, color=ink, alpha=0.14, linewidth=0)
        axes.plot(
            step, mean, color=ink, linestyle=dashes(arm.depth, every), linewidth=2,
            marker=marker(arm.depth, every), markersize=7, markevery=[len(step) - 1],
        )  # fmt: skip
        positive = positive and bool(low.min() > 0)
        values += [mean.min(), mean.max()]
    if positive and values and max(values) > 20 * min(values):
        plain_log(axes, "y")
    axes.set_xlabel("training step")
    unit = group.contrast.unit if group.contrast else ""
    axes.set_ylabel(f"validation loss\n({unit})" if unit else "validation loss")
    axes.set_title("Learning curves: mean and range")
