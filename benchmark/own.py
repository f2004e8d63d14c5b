"""A person's own file to a study: what they did not choose is chosen from the data, and said."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import rich.progress
from rich.console import Console

from benchmark.errors import UserError
from benchmark.evidence import replace_file
from benchmark.sizing import check, network_shape, solve
from benchmark.study import Study
from benchmark.study.yaml import override
from tasks.own import reading
from tasks.own.files import open_source
from tasks.own.series import OwnSeries, season_of, window_for

BUDGETS = (2_000, 3_000, 6_000)
"""Parameters: all within a factor of 2 of the published controls, so that these can be cited (PROTOCOL 19)."""
WINDOWS = (1_000, 10_000)
"""Training windows from which the second and the third budget are taken."""
DEPTHS = (1, 2, 4)
STEPS = 2_000
"""As many as the published controls take."""
LEARNING_RATES = {"low": 0.0015, "high": 0.15, "points": 5}


@dataclass(frozen=True)
class Asked:
    """What a person said about their file; '' and None leave the choice to the data."""

    path: Path
    target: str
    time: str = ""
    inputs: tuple[str, ...] = ()
    series: str = ""
    predict: str = "change"
    horizon: int | None = None
    window: int | None = None
    season: int | None = None
    origins: int | None = None
    separator: str = ""
    encoding: str = "utf-8"
    missing: Literal["refuse", "drop"] = "refuse"
    gaps: Literal["refuse", "split"] = "refuse"
    budget: int | None = None
    name: str = ""


def study_for(asked: Asked, progress: Callable[[float], None] | None = None) -> tuple[dict[str, Any], list[str]]:
    """The study as plain YAML types, and lines that say what was chosen and what the data are.

    `progress` is told the share of the file that has been read. Raises UserError, one line, for a file that cannot be
    used.
    """
    try:
        table = reading.read(
            asked.path,
            target=asked.target,
            inputs=asked.inputs,
            time=asked.time,
            series=asked.series,
            classify=asked.predict == "class",
            separator=asked.separator,
            encoding=asked.encoding,
            missing=asked.missing,
            gaps=asked.gaps,
            progress=progress,
        )
        rows = len(table.series) // max(1, len(table.series_names))
        season = season_of(table) if asked.season is None else asked.season
        parameters: dict[str, Any] = {
            "path": str(asked.path.resolve()),
            "target_column": asked.target,
            "time_column": asked.time,
            "inputs_columns": list(asked.inputs),
            "series": asked.series,
            "predict": asked.predict,
            "horizon": 1 if asked.horizon is None else asked.horizon,
            "window": window_for(rows, season) if asked.window is None else asked.window,
            "season": season,
            "separator": asked.separator,
            "encoding": asked.encoding,
            "missing": asked.missing,
            "gaps": asked.gaps,
        }
        if asked.origins is not None:
            parameters["origins"] = asked.origins
        task = OwnSeries(**{**parameters, "inputs_columns": asked.inputs})
    except ValueError as error:
        raise UserError(str(error)) from None
    windows = len(task.data("train", 0).targets)
    budget, depths = _sizes(task, windows, asked.budget)
    label = _plain(asked.target, "[^a-z0-9_-]+") or "target"
    study = {
        "name": asked.name or f"{_plain(asked.path.name.split('.')[0], '[^A-Za-z0-9_-]+') or 'series'}-{label}",
        "description": f"How many layers for {asked.target!r} of {asked.path.name}?",
        "purpose": "screen",
        "tasks": [{"task": "own_series", "label": label, "parameters": parameters, "steps": STEPS}],
        "budgets": [budget],
        "depths": list(depths),
        "a_a": label,
        "tuning": {"learning_rate": dict(LEARNING_RATES)},
        "confirmation": {"seeds": task.origins, "looks": [task.origins]},
    }
    return study, [*task.notes(), *_chosen(asked, task, windows, budget, depths)]


def columns(path: Path, separator: str, encoding: str) -> list[str]:
    """The names of a file's columns, cut short where there are many. Raises UserError."""
    try:
        found = open_source(str(path), separator, encoding).columns
    except ValueError as error:
        raise UserError(str(error)) from None
    return [*found[:12], *([f"and {len(found) - 12} more"] if len(found) > 12 else [])]


def _sizes(task: OwnSeries, windows: int, asked: int | None) -> tuple[int, Sequence[int]]:
    """The budget that the data's size calls for, moved up, and depth 4 left out, until every layer has 8 cells."""
    first = sum(windows >= bound for bound in WINDOWS)
    last: UserError | None = None
    for depths in (DEPTHS, DEPTHS[:2]):
        for budget in (asked,) if asked is not None else BUDGETS[first:]:
            try:
                check(solve(depths=depths, budget=budget, time=task.time, **network_shape(task)))
            except UserError as error:
                last = error
            else:
                return budget, depths
    if asked is not None:
        raise UserError(f"--budget is {asked}: {last}")
    raise UserError(f"{task.inputs} features a row are too many for these budgets: {last}; give a larger --budget")


def _chosen(asked: Asked, task: OwnSeries, windows: int, budget: int, depths: Sequence[int]) -> list[str]:
    return [
        f"chosen: budget {budget:,} parameters{'' if asked.budget is None else ' (yours)'} for {windows:,} training "
        f"windows; depths {', '.join(map(str, depths))}; {STEPS:,} steps; {task.origins} walk-forward test periods"
    ]


def _plain(text: str, refused: str) -> str:
    return re.sub(refused, "-", text.lower() if "A-Z" not in refused else text).strip("-")[:80]


def load(asked: Asked, overrides: Sequence[str], console: Console) -> Study:
    """The checked study of a person's file; what was chosen, and what the data are, is printed. Raises UserError."""
    with rich.progress.Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"reading {asked.path.name}", total=1.0)
        raw, said = study_for(asked, lambda share: bar.update(task, completed=share))
    for text in overrides:
        override(raw, text)
    study = Study.complete(raw, asked.path.parent, str(asked.path))
    for line in said:
        console.print(line)
    return study


def save(study: Study, path: Path) -> None:
    """Write the study as a YAML file that `strata sweep` takes."""
    replace_file(path, study.to_yaml().encode())


def command(asked: Asked) -> str:
    """The options with which the same study is asked for again."""
    words = ["--csv", str(asked.path), "--target", asked.target]
    for name in ("time", "series", "horizon", "window", "season", "origins", "separator", "budget", "name"):
        if (value := getattr(asked, name)) not in ("", None):
            words += [f"--{name}", str(value)]
    words += ["--inputs", ",".join(asked.inputs)] if asked.inputs else []
    words += {"class": ["--classify"], "level": ["--level"]}.get(asked.predict, [])
    for name, default in (("encoding", "utf-8"), ("missing", "refuse"), ("gaps", "refuse")):
        words += [f"--{name}", getattr(asked, name)] if getattr(asked, name) != default else []
    return shlex.join(words)
