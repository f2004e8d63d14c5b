"""MLflow while a sweep runs: a line on how far it is, complete comparisons only, and all of it marked as partial."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from benchmark import live
from benchmark.tracking import Tracker, TrackingUnavailable, links
from tests.mlflow_store import search_runs, uri
from tests.studies import NAME, run

pytestmark = pytest.mark.proof  # whole sweeps

FINISHED = "No claim: a smoke study only tests the machinery."


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every training is told, and every comparison judged, as soon as it is there."""
    monkeypatch.setattr(live, "EVERY", 0.0)
    monkeypatch.setattr(live, "SHARE", 1e9)


def interrupt_when(monkeypatch: pytest.MonkeyPatch, trainings: int = 0, arms: int = 0) -> None:
    """Ctrl-C once so many trainings are done and arms confirmed."""
    tell = live.Live.tell

    def told(self: live.Live) -> None:
        tell(self)
        if self.progress.done >= trainings and self.progress.standing.arms_confirmed >= arms:
            raise KeyboardInterrupt

    monkeypatch.setattr(live.Live, "tell", told)


def note(folder: Path) -> str:
    return str(Tracker.open(NAME, folder).study.tags["mlflow.note.content"])


def read(folder: Path) -> pd.DataFrame:
    return search_runs(folder, NAME).set_index("tags.mlflow.runName")


def test_a_study_is_partial_until_its_verdict_which_the_next_look_leaves_alone(
    tmp_path: Path, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_when(patch, arms=3)
        run(tmp_path)
    said = note(tmp_path)
    assert said.startswith("PARTIAL at ") and "Stopped: " in said.splitlines()[0]
    assert "of 30 trainings, 3 of 5 arms confirmed" in said.splitlines()[0]
    assert "**Partial: 2 of 3 comparisons have all their trainings.**" in said
    assert "1 more: no test score is shown before all depths have theirs." in said
    assert "| task | 1 layer | 2 layers |" in said  # best on validation so far
    assert links(tmp_path, NAME, uri(tmp_path))[0].headline == said.splitlines()[0]
    runs = read(tmp_path)
    assert runs.loc["verdict (partial)", "tags.state"] == "partial" and "verdict" not in runs.index
    assert set(runs.status) == {"FINISHED"}
    missing, whole = runs.loc["stacked_teacher"], runs.loc["recall"]
    assert (missing["tags.verdict"], missing["tags.reason"][:22]) == ("undecided", "trainings are missing:")
    assert whole["tags.verdict"] == "no claim" and not pd.isna(whole["metrics.difference/mean"])
    arms = runs[runs["tags.kind"] == "arm"]
    assert arms[arms["tags.task"] == "recall"]["metrics.score/mean"].notna().all()
    unscored = arms[arms["tags.task"] == "stacked_teacher"]
    assert unscored[["metrics.score/mean", "metrics.test/loss"]].isna().to_numpy().all()
    trainings = search_runs(tmp_path, f"{NAME}/trainings")
    shown = trainings[trainings["metrics.test/score"].notna()]
    assert set(shown["tags.task"]) == {"recall"}
    assert not (tmp_path / "results" / NAME / "verdict.json").exists()

    run(tmp_path)
    assert note(tmp_path).startswith(f"{FINISHED}\n") and "artial" not in note(tmp_path)
    runs = read(tmp_path)
    assert (runs.loc["verdict", "tags.state"], runs.index.str.contains("partial").any()) == ("smoke", False)
    assert runs[runs["tags.kind"] == "arm"]["metrics.score/mean"].notna().all()

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_when(patch, trainings=31)
        run(tmp_path, more_seeds=1)
    first, _, rest = note(tmp_path).partition("\n\n")
    assert first.startswith("PARTIAL at ") and first.endswith("Below is the verdict of the look before.")
    assert rest.startswith(FINISHED)
    pd.testing.assert_frame_equal(read(tmp_path), runs)


def test_mlflow_that_goes_away_is_asked_no_more(tmp_path: Path, at_once: None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def away(self: Tracker, line: str) -> None:
        asked.append(line)
        raise TrackingUnavailable("gone")

    monkeypatch.setattr(Tracker, "tell_status", away)
    run(tmp_path)
    assert len(asked) == 1
    assert note(tmp_path).startswith(FINISHED)
