"""A small study from the command to its end: imports, stores and all. The same trainings in each program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmark.errors import UserError
from benchmark.speed.cell import TASK, VALIDATIONS, Cell, dials

CELLS = "cells.json"
STEPS, TIME, BUDGETS, DEPTHS, POINTS, SEEDS = 400, 50, (3_000,), (1, 2, 4), 5, 5
"""Of the study; its smoke purpose claims nothing, and takes one tuning point and one seed to choose again."""


FASTER = ("training.precision=bf16-mixed", "tuning.rungs=[0.25]")
"""What a person may ask for besides: products in bfloat16, and halving among tuning points."""


def study() -> dict[str, Any]:
    """The study that `strata sweep` is given."""
    return {
        "name": "speed",
        "description": "A study to be timed: it claims nothing.",
        "purpose": "smoke",
        "tasks": [{"task": TASK, "parameters": dials(TIME), "steps": STEPS}],
        "budgets": list(BUDGETS),
        "depths": list(DEPTHS),
        "tuning": {
            "learning_rate": {"low": 0.003, "high": 0.03, "points": POINTS},
            "rerank": {"points": 1, "seeds": 1},
        },
        "confirmation": {"seeds": SEEDS},
        "training": {"batch_size": 32, "validations": VALIDATIONS},
    }


def cells() -> list[Cell]:
    """The same trainings for the programs that know no study: as many of each size, of as many steps."""
    from benchmark.plan import groups
    from benchmark.study import Study

    made = Study.complete(study(), Path(), "speed")
    each = POINTS + 1 + SEEDS  # an edge asks for two more, which the others are spared
    return [
        Cell(arm.depth, arm.width, steps=STEPS, time=TIME, seed=number)
        for group in groups(made)
        for arm in group.arms
        for number in range(each)
    ]


def written(file: Path) -> list[Cell]:
    """What `seconds` wrote for a program that is timed: planning is no work of theirs."""
    return [Cell(**record) for record in json.loads(file.read_text())]


def seconds(way: str, workers: int = 1, changes: Sequence[str] = ()) -> tuple[float, int]:
    """Seconds on the clock of the whole study in a process of its own, and how many trainings it made. `changes` are
    what `strata sweep --set` is given.
    """
    with tempfile.TemporaryDirectory(prefix="strata-speed-") as name:
        folder = Path(name)
        if way == "strata":
            (folder / "speed.yaml").write_text(yaml.safe_dump(study()))
            words = ["benchmark", "sweep", "speed.yaml", "--workers", str(workers), "--quiet"]
            words += [word for change in changes for word in ("--set", change)]
        else:
            (folder / CELLS).write_text(json.dumps([vars(cell) for cell in cells()]))
            words = [f"benchmark.speed.{way}", str(folder)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "STRATA_"))}
        root = str(Path(__file__).resolve().parents[2])
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, environment.get("PYTHONPATH", "")]))
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        took = time.perf_counter() - began
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise UserError(f"the whole study was not timed: {words[0]} ended with code {done.returncode}: {last}")
        return took, _trainings(folder) if way == "strata" else len(cells())


def _trainings(folder: Path) -> int:
    from benchmark.journal import Journal

    return len(Journal.read(folder / "results" / "speed" / "journal.jsonl").results())
