"""A tiny study of every family of tasks on speech, markets, text and images: swept, analysed and reported, whole."""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmark.evidence import read
from benchmark.session import sweep
from benchmark.sizing import measure, network_shape
from benchmark.study import Study
from benchmark.workspace import Workspace
from tasks import registry
from tests.tasks.fingerprints import available

FAMILIES: dict[str, list[str]] = defaultdict(list)
for _name in registry.names():
    if (_family := registry.load(_name).family) not in ("synthetic", "own"):
        FAMILIES[_family].append(_name)


@pytest.mark.proof
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_tiny_study_of_the_family(family: str, tmp_path: Path) -> None:
    tasks = [task for name in FAMILIES[family] if available(task := registry.load(name).tiny())]
    assert tasks
    sizes = [measure(depth=2, width=9, time=task.time, **network_shape(task)) for task in tasks]
    raw: dict[str, Any] = {
        "name": family,
        "purpose": "smoke",
        "tasks": [{"task": task.name, "parameters": task.parameters(), "steps": 6} for task in tasks],
        "budgets": [max(size.parameters for size in sizes)],
        "depths": [1, 2],
        "a_a": tasks[0].name,
        "tuning": {"learning_rate": {"low": 0.003, "high": 0.1, "points": 3}, "rerank": {"points": 1, "seeds": 1}},
        "confirmation": {"seeds": 2},
        "training": {"batch_size": 8, "validations": 2},
    }
    with (tmp_path / "output.txt").open("w") as file:
        sweep(Study.from_dict(raw), Workspace(tmp_path), Console(file=file, width=100), workers=0)
    folder = tmp_path / "results" / family
    runs = read(folder).runs
    confirmed = runs[runs["test_loss"].notna()]
    assert set(runs["status"]) == {"done"} and set(confirmed["task"]) == {task.name for task in tasks}
    for task in tasks:
        mine = confirmed[confirmed["task"] == task.name]
        assert len(mine) == 2 * 2 + 2 * (task is tasks[0]), "two depths and two seeds, and A/A"
        assert mine["trivial_loss"].map(math.isfinite).all() and (mine["data_hash"].str.len() == 32).all()
        assert mine["second_metric"].notna().all() == bool(task.second_metric)
    page = (folder / "report.html").read_text()
    assert all(task.name in page and task.unit in page for task in tasks)
