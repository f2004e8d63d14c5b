"""`strata speed`: the contenders do the same work, the record is whole, and the page holds what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark.cli import main
from benchmark.errors import UserError
from benchmark.spec import RunResult
from benchmark.speed import bare, measure, plain, table, whole
from benchmark.speed.cell import Cell
from benchmark.speed.contenders import BARE, PLAIN, STRATA, Contender, running
from benchmark.training import train_one
from tests.conftest import ROOT
from tests.mlflow_store import pointed_at, uri

MEASURED = json.loads((ROOT / "benchmark" / "speed" / "measured.json").read_text())
SMALL = measure.Plan(repeats=1, depths=(1,), widths=(8,), steps=20, varied=({"time": 10},), engines=(8,), whole=False)


def test_every_contender_learns_the_same_task(tmp_path: Path) -> None:
    """A contender that learned nothing would be quick: all three end near each other, far below where they begin."""
    cell = Cell(1, 16, steps=200, time=10, learning_rate=0.03)
    ours = train_one(cell.spec())
    assert isinstance(ours, RunResult) and ours.validation_loss is not None and ours.trivial_validation_loss
    with pointed_at(uri(tmp_path)):  # MLFlowLogger points this process at its store, and leaves it so
        losses = [ours.validation_loss, bare.train(cell), plain.train(cell, tmp_path)]
    assert max(losses) < 0.5 * ours.trivial_validation_loss and max(losses) < 3 * min(losses), losses


def test_a_training_that_ends_in_an_error_is_one_line() -> None:
    with (
        running(Contender(BARE, "bare")) as ask,
        pytest.raises(UserError, match="bare nn.LSTM loop: depth 1, width 0 was not trained"),
    ):
        ask(Cell(1, 0, steps=20, time=5))


def test_a_program_that_ends_in_an_error_is_one_line() -> None:
    with pytest.raises(UserError, match="benchmark.speed.nothing ended with code 1: .*No module named"):
        whole.seconds("nothing")


@pytest.mark.proof
def test_the_record_has_every_part_and_can_be_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(measure, "Plan", lambda **asked: SMALL)
    assert main(["speed", "--repeats", "1", "--no-whole", "--out", str(tmp_path / "speed.json")]) == 0
    found = json.loads((tmp_path / "speed.json").read_text())
    assert capsys.readouterr().out.strip() == table.markdown(found)
    assert found.keys() - {"engines"} == MEASURED.keys() - {"whole", "engines"}
    assert set(found["engines"]["rows"][0]["seconds"]) >= {"torch", "batched"}
    (cell,) = found["cells"]
    assert set(cell["seconds"]) == set(found["megabytes"]) == {PLAIN, BARE, STRATA}
    assert all(seconds > 0 for times in cell["seconds"].values() for seconds in times)
    assert found["levers"].keys() >= MEASURED["levers"].keys()
    assert sum(found["profile"].values()) == pytest.approx(1.0)


@pytest.mark.proof
def test_whole_studies_make_the_same_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many in every program, so that seconds compare; an edge that asks for more would say so here."""
    monkeypatch.setattr(whole, "STEPS", 20)
    seconds, trainings = whole.seconds("strata")
    assert seconds > 0 and len(whole.cells()) <= trainings <= len(whole.cells()) + 2 * len(whole.DEPTHS)
    assert whole.seconds("bare")[1] == len(whole.cells())


def test_a_folder_that_is_not_there_is_said_before_anything_is_timed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["speed", "--out", "nowhere/speed.json"]) == 2
    assert capsys.readouterr().err.startswith("strata: --out nowhere/speed.json: the folder nowhere does not exist")


def test_the_page_holds_what_was_measured() -> None:
    page = (ROOT / "docs" / "speed.md").read_text()
    written = page.split("<!-- table: strata speed -->\n")[1].split("\n<!-- /table -->")[0]
    assert written == table.markdown(MEASURED)
