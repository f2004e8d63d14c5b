"""The tasks that a study names: their files found, their parameters checked and written out in full."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.study.yaml import one_line

if TYPE_CHECKING:
    from tasks.task import Task


def locate_tasks(raw: dict[str, Any], folder: Path, where: str) -> None:
    """Make every `path/to/file.py:Class` a path from the working directory, in place; absolute when not below it.

    The study file's `folder` is searched first, then the working directory. Raises UserError when neither has it.
    """
    entries = raw.get("tasks")
    for number, entry in enumerate(entries if isinstance(entries, list) else []):
        reference = entry.get("task") if isinstance(entry, dict) else None
        if not isinstance(reference, str) or not re.search(r"\.py(:|$)", reference):
            continue
        place = f"{where}: tasks[{number}].task"
        script, _, class_name = reference.rpartition(":")
        if not script or not class_name.isidentifier():
            raise one_line(f"{place}: {reference!r} names no class: write path/to/file.py:Class")
        searched = [folder.resolve(), Path.cwd()]
        found = [base / script for base in searched if (base / script).is_file()]
        if not found:
            tried = " and ".join(map(str, dict.fromkeys(searched)))
            raise one_line(f"{place}: no such file: {script} (looked in {tried})")
        whole = found[0].resolve()
        shown = whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else whole
        entry["task"] = f"{shown.as_posix()}:{class_name}"


def locate_data(raw: dict[str, Any], folder: Path, where: str) -> None:
    """Make every relative path of a task's data, a file or a folder, absolute, in place; searched like a task's file.

    Raises UserError when it is in neither place, or the task is not found.
    """
    from tasks import registry

    entries = raw.get("tasks")
    for number, entry in enumerate(entries if isinstance(entries, list) else []):
        reference, parameters = (
            (entry.get(key) for key in ("task", "parameters")) if isinstance(entry, dict) else ("",) * 2
        )
        if not isinstance(reference, str) or not isinstance(parameters, dict):
            continue
        try:
            locations = registry.load(reference).locations
        except (registry.TaskNotFound, registry.TaskNameClash) as error:
            raise one_line(f"{where}: tasks[{number}].task: {error}") from None
        for name in locations:
            if not isinstance(value := parameters.get(name), str) or not value:
                continue
            searched = [folder.resolve(), Path.cwd()]
            found = [base / value for base in searched if (base / value).exists()]
            if not found:
                tried = " and ".join(map(str, dict.fromkeys(searched)))
                place = f"{where}: tasks[{number}].parameters.{name}"
                raise one_line(f"{place}: no such file or folder: {value} (looked in {tried})")
            parameters[name] = str(found[0].resolve())


def create(reference: str, parameters: Mapping[str, Any], where: str) -> Task:
    """The task of a reference; raises UserError beginning with `where`, the place of the task's entry."""
    from tasks import registry  # imported late: a resolved study can be read without its tasks

    try:
        return registry.create(reference, parameters)
    except (registry.TaskNotFound, registry.TaskNameClash) as error:
        raise one_line(f"{where}.task: {error}") from None
    except registry.TaskParameterError as error:
        raise one_line(f"{where}.parameters: {error}") from None


def complete_parameters(raw: dict[str, Any], where: str) -> None:
    """Write out every dial of every task of a resolved study, so that a changed default is seen as a change."""
    for number, entry in enumerate(raw["tasks"]):
        task = create(entry["task"], entry["parameters"], f"{where}: tasks[{number}]")
        entry["parameters"] = json.loads(json.dumps(task.parameters()))


def refuse_unplain(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters, which must be what JSON can hold, since a run's key is a hash of it. Raises ValueError."""
    try:
        json.dumps(parameters, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise ValueError("values must be finite numbers, text, true or false, or lists and mappings of these") from None
    return parameters
