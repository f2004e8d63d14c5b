"""A part of a study: what a results folder of another machine or session holds, read and never written.

Either its journal, or, of a study that was published, the tables of evidence. From both come the results that an arm of
the study asks for, and what must not be lost with them: the family that was frozen, the looks taken, what it ran on.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark import evidence
from benchmark.askable import Askable, Trained
from benchmark.errors import UserError
from benchmark.family import UNKNOWN, Family, family, firsts
from benchmark.journal import Journal
from benchmark.rows import results
from benchmark.spec import RunResult, RunSpec
from benchmark.study import Study


@dataclass
class Part:
    """One folder's contribution. `name` is what the person calls it."""

    name: str
    taken: dict[str, tuple[RunSpec, RunResult]] = field(default_factory=dict)
    """Key -> the result that stands; a failed one where no attempt came to its end."""
    attempts: dict[str, list[RunResult]] = field(default_factory=dict)
    """Key -> failed attempts, for keys that have no other result."""
    aside: Counter[str] = field(default_factory=Counter)
    """Reason -> how many trainings no arm of the study asks for."""
    families: list[Family] = field(default_factory=list)
    """Under which somebody first looked; more than one where parts were merged before."""
    looks: list[int] = field(default_factory=list)
    concluded: list[int] = field(default_factory=list)
    machines: list[dict[str, Any]] = field(default_factory=list)
    """Records of kind `merged`: what it, and parts merged into it, ran on."""

    @property
    def trainings(self) -> int:
        """All that the folder holds."""
        return len(self.taken) + self.aside.total()


def read(folder: Path, name: str, askable: Askable) -> Part:
    """A results folder with a journal, or with tables of evidence. Raises UserError: what it lacks or what is damaged.

    A sweep may be writing the folder meanwhile: what is committed by now is read.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: give the results folder of a study, such as results/laptop")
    part = Part(name)
    if (folder / "journal.jsonl").is_file():
        _of_journal(part, Journal.read(folder / "journal.jsonl"), askable)
    elif (folder / "runs.parquet").is_file():
        _of_evidence(part, folder, askable)
    else:
        raise UserError(
            f"{folder} holds neither journal.jsonl nor runs.parquet: give the results folder of a study, "
            "such as results/laptop"
        )
    path = folder / "environment.json"
    ran = _json(path) if path.is_file() else {}
    machines = [ran, *ran.pop("parts", [])]
    part.machines += [
        {"kind": "merged", "part": machine.pop("part", folder.name), "environment": machine} for machine in machines
    ]
    return part


def _of_journal(part: Part, journal: Journal, askable: Askable) -> None:
    found = ((Trained.by_spec(spec), result) for spec, result in journal.results().values())
    _take(part, found, askable)
    for record in journal.of_kind("result"):
        key = record["result"]["key"]
        if record["result"]["status"] == "failed" and key in part.taken and part.taken[key][1].status == "failed":
            part.attempts.setdefault(key, []).append(RunResult.from_dict(record["result"]))
    part.families = firsts(journal.of_kind("frozen"))
    part.looks = [record["seeds"] for record in journal.of_kind("look")]
    part.concluded = [record["seeds"] for record in journal.of_kind("concluded")]


def _of_evidence(part: Part, folder: Path, askable: Askable) -> None:
    tables = evidence.read(folder)
    try:
        _take(part, ((Trained.by_row(row), result) for row, result in results(tables)), askable)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{folder / 'runs.parquet'} holds a row that Strata did not write ({error})") from None
    part.attempts = {key: [result] for key, (_, result) in part.taken.items() if result.status == "failed"}
    record = dict(tables.study)
    state = record.pop("state", {})
    part.families = list(state.get("frozen") or _inferred(record, state, tables, folder))
    look = int(state.get("look") or record["confirmation"]["seeds"])
    part.looks = [look] if look > record["confirmation"]["seeds"] else []
    part.concluded = [look] if (folder / "verdict.json").is_file() else []


def _inferred(
    record: Mapping[str, Any], state: Mapping[str, Any], tables: evidence.Evidence, folder: Path
) -> list[Family]:
    """The frozen family of evidence from before it was written down: that of its study, unless that was changed."""
    if not (tables.members["phase"] == "confirm").any():
        return []
    if state.get("exploratory"):
        return [UNKNOWN]
    study = Study.from_dict(record, str(folder / "study.yaml"))
    return [family(study, tables.members["arm"].unique().tolist())]


def _take(part: Part, found: Iterable[tuple[Trained, RunResult]], askable: Askable) -> None:
    for trained, result in found:
        spec = askable.spec(trained)
        if spec is None:
            part.aside[askable.why_not(trained)] += 1
        elif result.status == "pruned" and not askable.study.tuning.rungs:
            part.aside["stopped at a rung, where this study trains to the end (tuning.rungs)"] += 1
        else:
            part.taken[spec.key] = spec, result


def _json(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text())
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}): restore it, or move it away") from None
    return dict(read)


def differences(one: RunResult, other: RunResult) -> list[tuple[str, Any, Any]]:
    """What two results of one key measured differently: (what, of one, of the other); [] where they are the same.

    How a training went (seconds, versions, device) is no measurement. Curves and blocks have no order.
    """
    mine, theirs = _measured(one), _measured(other)
    pairs = [(what, mine.get(what), theirs.get(what)) for what in {**mine, **theirs}]
    return [(what, ours, other) for what, ours, other in pairs if ours != other]


def _measured(result: RunResult) -> dict[str, Any]:
    """Name -> value, a row for every point of a curve and every block; NaN as None."""
    plain = {name: value for name, value in vars(result).items() if name not in _HOW_IT_WENT}
    plain |= {f"baseline {name}": loss for name, loss in result.baselines.items()}
    plain |= {f"{name} at step {step}, layer {layer}": value for step, name, layer, value in result.curves}
    for block, loss, count in result.blocks:
        plain |= {f"loss of block {block}": loss, f"targets of block {block}": count}
    return {name: None if value != value else value for name, value in plain.items()}


_HOW_IT_WENT = {"seconds", "versions", "device_type", "engine", "error", "baselines", "curves", "blocks"}
