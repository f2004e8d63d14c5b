"""Published verdicts, read from the `verdict.json` of every study in a folder; what may not enter is kept out by name.

The only file here that reads a disk.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from benchmark.analysis.advice import FAMILY as OWN
from benchmark.analysis.controls import sound
from benchmark.analysis.fairness import unfair
from benchmark.analysis.findings import Advice, Arm, Check, Control
from benchmark.analysis.outcome import Contrast, Pair
from benchmark.errors import UserError
from benchmark.recommend.problem import Facts, facts_of
from benchmark.spec import PROTOCOL_VERSION

PLAIN = "plain"
"""Recommendations are of plain stacks: other variants are other networks."""


@dataclass(frozen=True, kw_only=True)
class Verdicts:
    """What one study decided."""

    study: str
    folder: str
    purpose: str
    protocol: str
    controls_line: str
    exploratory: str
    controls: list[Control]
    checks: list[Check]
    contrasts: list[Contrast]
    arms: list[Arm]
    advice: list[Advice]


@dataclass(frozen=True, kw_only=True)
class PublishedTask:
    """One task of one study: its contrasts of plain stacks, its arms, and what is known of the problem."""

    study: str
    folder: str
    task: str
    source: str
    role: str
    family: str
    facts: Facts | None
    """None where the task cannot be made here, such as a person's own file."""
    contrasts: list[Contrast]
    arms: list[Arm]

    @property
    def name(self) -> str:
        """How a person names it: study and task."""
        return f"{self.study}/{self.task}"


@dataclass(frozen=True)
class KeptOut:
    """A study whose verdicts do not enter, with the reason."""

    study: str
    reason: str
    tasks: list[str]


@dataclass(frozen=True)
class Library:
    """All that may enter a recommendation, and what may not."""

    tasks: list[PublishedTask] = field(default_factory=list)
    kept_out: list[KeptOut] = field(default_factory=list)


def load(folder: Path) -> Library:
    """Every published study in `folder`, which may also be one study's own. Raises UserError when there is none."""
    places = sorted(path.parent for path in [*folder.glob("verdict.json"), *folder.glob("*/verdict.json")])
    if not places:
        raise UserError(
            f"no published study in {folder}: give --evidence FOLDER, such as results/published of Strata's repository"
        )
    return library([read(place) for place in places])


def library(studies: Sequence[Verdicts]) -> Library:
    """The tasks of the studies that may enter; the order of the studies does not matter."""
    found, out = [], []
    for one in sorted(studies, key=lambda one: (one.study, one.folder)):
        if reason := barred(one):
            out.append(KeptOut(one.study, reason, list(dict.fromkeys(c.task for c in one.contrasts))))
        else:
            found += tasks_of(one)
    return Library(found, out)


def barred(one: Verdicts) -> str:
    """'' or why a published study does not enter a recommendation."""
    if one.purpose != "study":
        return f"it is a {one.purpose}, which never enters a recommendation"
    if one.protocol != PROTOCOL_VERSION:
        return f"it follows protocol {one.protocol}, not {PROTOCOL_VERSION}"
    if one.exploratory:
        return f"it is exploratory ({one.exploratory})"
    if found := unfair(one.checks):
        return found
    if failed := [control for control in one.controls if not sound(control, one.purpose)]:
        return f"its {failed[0].kind} check on {failed[0].task} did not pass"
    if one.controls_line.startswith("instrument not checked"):
        return one.controls_line
    return ""


def tasks_of(one: Verdicts) -> list[PublishedTask]:
    """The tasks of one study, in its order. A/A compares no depths and other variants are other networks."""
    mine: dict[str, list[Contrast]] = {}
    for contrast in one.contrasts:
        if contrast.role != "A/A" and contrast.variant == PLAIN:
            mine.setdefault(contrast.task, []).append(contrast)
    return [
        PublishedTask(
            study=one.study,
            folder=one.folder,
            task=task,
            source=contrasts[0].source,
            role=contrasts[0].role,
            family=contrasts[0].family,
            facts=_facts(contrasts[0]),
            contrasts=contrasts,
            arms=[arm for arm in one.arms if (arm.task, arm.variant, arm.replica) == (task, PLAIN, "")],
        )
        for task, contrasts in mine.items()
    ]


def read(folder: Path) -> Verdicts:
    """One study's verdicts. Raises UserError for a folder without them and for a file that cannot be read."""
    path = folder / "verdict.json"
    try:
        record = json.loads(path.read_text())
        contrasts = [_made(Contrast, one | {"pairs": _all(Pair, one["pairs"])}) for one in record["contrasts"]]
        return Verdicts(
            study=record["study"],
            folder=str(folder),
            purpose=record["purpose"],
            protocol=record["protocol"],
            controls_line=record["controls_line"],
            exploratory=record["exploratory"],
            controls=_all(Control, record["controls"]),
            checks=_all(Check, record.get("checks", [])),
            contrasts=contrasts,
            arms=_all(Arm, record["arms"]),
            advice=_all(Advice, record.get("advice", [])),
        )
    except FileNotFoundError:
        raise UserError(f"{folder} holds no verdict.json: give the folder of a study that has ended") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path} cannot be read ({type(error).__name__}: {error}): `strata report {folder}` writes it again"
        ) from None


Made = TypeVar("Made")


def _all(kind: type[Made], records: Sequence[Mapping[str, Any]]) -> list[Made]:
    return [_made(kind, record) for record in records]


def _made(kind: type[Made], record: Mapping[str, Any]) -> Made:
    """A dataclass from JSON; what a newer Strata added is left aside."""
    known = {one.name for one in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in record.items() if name in known})


def _facts(contrast: Contrast) -> Facts | None:
    """The facts of a built-in task. A file that evidence names is never run, and a person's own is not looked for."""
    from tasks import registry

    if ".py" in contrast.source or contrast.family == OWN:
        return None
    try:
        return facts_of(registry.create(contrast.source, contrast.parameters))
    except (registry.TaskNotFound, registry.TaskParameterError, registry.TaskNameClash, OSError):
        return None
