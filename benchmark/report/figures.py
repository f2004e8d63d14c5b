"""All pictures of a study."""

from __future__ import annotations

import re

from benchmark.analysis.findings import Findings
from benchmark.report import across, effort, fronts, timescales, trainability
from benchmark.report.differences import controls, differences
from benchmark.report.groups import Group, depths, groups
from benchmark.report.phase import phase
from benchmark.report.seeds import seeds
from benchmark.report.sizes import sizes
from benchmark.report.style import Picture
from benchmark.report.tuning import tuning
from benchmark.report.words import smoke, withheld


def slug(label: str) -> str:
    """A label as a file name: a task may be called anything, `path/to/file.py:Class` included."""
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-") or "task"


def name_of(place: int, group: Group) -> str:
    """The name of a group's figure; the number keeps apart labels that differ in nothing a file name can hold."""
    return f"task-{place + 1:02d}-{slug(group.label)}"


def pictures(findings: Findings) -> dict[str, Picture]:
    """By file name without ending: `differences`, `sizes`, `tuning`, and `task-01-<label>` for every group in order."""
    every = depths(findings)
    drawn = [differences(findings)]
    for place, group in enumerate(groups(findings)):
        if group.arms:
            drawn.append(seeds(name_of(place, group), group, every))
    # Answers over several tasks or sizes are not shown while a control does not hold.
    held = withheld(findings) or smoke(findings)
    shared = [] if held else [across.pooled(findings.pooled), across.exchange(findings.exchange)]
    drawn += [
        picture
        for picture in (
            controls(findings),
            phase(findings),
            sizes(findings),
            fronts.picture(findings),
            *shared,
            trainability.picture(findings),
            timescales.picture(findings),
            tuning(findings),
            effort.picture(findings),
        )
        if picture
    ]
    return {picture.name: picture for picture in drawn}
