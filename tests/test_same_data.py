"""Trainings of one seed on the data of two processors: the older ones are made again, and the study is fair."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from benchmark.evidence import read
from benchmark.journal import Journal
from benchmark.same_data import on_other_data
from benchmark.spec import RunResult, RunSpec
from tests.fake_study import conducted, made_up
from tests.studies import tiny_study


def elsewhere(spec: RunSpec) -> RunResult:
    """The same training where the processor makes other last bits."""
    result = made_up(spec)
    return dataclasses.replace(result, data_hash=f"{result.data_hash} elsewhere")


def data_of_a_seed(folder: Path) -> int:
    """The most different data that one seed of one task has in the evidence."""
    runs = read(folder).runs
    return int(runs.groupby(["task", "data_seed"])["data_hash"].nunique().max())


@pytest.mark.parametrize("stop", [3, 5])
def test_what_was_trained_on_other_data_is_trained_again(tmp_path: Path, stop: int) -> None:
    study = tiny_study()
    conducted(tmp_path, study, elsewhere, stop=stop)
    before = len(Journal.read(tmp_path / "journal.jsonl").results())
    conducted(tmp_path, study)
    journal = Journal.read(tmp_path / "journal.jsonl")
    forgotten = [key for record in journal.of_kind("forgotten") for key in record["keys"]]
    assert 0 < len(forgotten) <= before and len(set(forgotten)) == len(forgotten)
    assert data_of_a_seed(tmp_path) == 1 and on_other_data(journal.results()) == []
    alone = conducted(tmp_path / "alone", study)
    assert len(read(tmp_path).members) == len(read(alone).members)


def test_what_shares_no_seed_with_later_trainings_is_kept(tmp_path: Path) -> None:
    conducted(tmp_path, tiny_study(), elsewhere)
    conducted(tmp_path, tiny_study())
    assert not Journal.read(tmp_path / "journal.jsonl").of_kind("forgotten")
    assert data_of_a_seed(tmp_path) == 1


def test_a_mixed_cluster_is_asked_once_more_and_not_for_ever(tmp_path: Path) -> None:
    turn = iter(range(10_000))
    conducted(tmp_path, tiny_study(), lambda spec: [made_up, elsewhere][next(turn) % 2](spec))
    assert len(Journal.read(tmp_path / "journal.jsonl").of_kind("forgotten")) <= 2


def test_a_result_that_was_forgotten_stays_so_when_the_journal_is_read_again(tmp_path: Path) -> None:
    conducted(tmp_path, tiny_study(), stop=5)
    with Journal.open(tmp_path / "journal.jsonl") as journal:
        first, *others = journal.results()
        journal.forget([first])
        assert list(journal.results()) == others
    assert list(Journal.read(tmp_path / "journal.jsonl").results()) == others
