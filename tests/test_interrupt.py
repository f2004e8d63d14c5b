"""Ctrl-C in the middle of a sweep, as a person's terminal sends it: to the driver and all its workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml

from benchmark.journal import Journal
from tests.conftest import heed_ctrl_c
from tests.mlflow_store import search_runs
from tests.studies import NAME, journal_keys, tiny_study


def test_ctrl_c_leaves_everything_in_order(workspace: Path) -> None:
    """Exit 130, one line that says how to go on, no process and no RUNNING run left, and the journal whole."""
    record = tiny_study().resolved()
    for task in record["tasks"]:
        task["steps"] = 400  # long enough to be met in the middle of a training
    (workspace / "tiny.yaml").write_text(yaml.safe_dump(record))
    command = [sys.executable, "-m", "benchmark", "sweep", "tiny.yaml", "--workers", "1", "--side-by-side", "1"]
    process = subprocess.Popen(
        command, cwd=workspace, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=heed_ctrl_c
    )
    journal = workspace / "results" / NAME / "journal.jsonl"
    deadline = time.monotonic() + 240
    while not finished(journal) and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    again = "strata sweep tiny.yaml --workers 1 --side-by-side 1"
    assert said.strip().splitlines() == [f"stopped; everything finished is kept. Go on with: {again}"]
    deadline = time.monotonic() + 20  # multiprocessing's own helper goes a moment after the driver
    while group_lives(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not group_lives(process.pid), "a process of the sweep is still there"
    assert len(journal_keys(workspace)) >= 1
    assert "RUNNING" not in set(search_runs(workspace)["status"])


def finished(journal: Path) -> bool:
    """Whether a training is in the journal: what the driver itself writes there comes before the first one."""
    return journal.exists() and bool(list(Journal.read(journal).of_kind("result")))


def group_lives(group: int) -> bool:
    """Whether any process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
