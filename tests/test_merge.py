"""Evidence of several machines becomes one study: nothing is lost, nothing is believed twice, nothing is hidden."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark import evidence
from benchmark.askable import Askable, Trained
from benchmark.cli import main
from benchmark.conduct import Request, conduct
from benchmark.errors import UserError
from benchmark.journal import Journal
from benchmark.parts import differences
from benchmark.plan import groups
from benchmark.publish import publish
from benchmark.rows import gather, results
from benchmark.spec import RunResult, RunSpec, failed
from benchmark.study import Study
from tests import studies
from tests.conftest import ROOT
from tests.fake_study import conducted, made_up, published
from tests.mlflow_store import search_runs
from tests.studies import NAME, tiny_study

Strata = Callable[..., str]


@pytest.fixture
def strata(workspace: Path, capsys: pytest.CaptureFixture[str]) -> Strata:
    """Merge in an empty workspace that holds the tiny study's file: what was printed, or the line of the refusal."""
    (workspace / "tiny.yaml").write_text(tiny_study().to_yaml())

    def run(*words: str | Path, refused: bool = False, into: str = "tiny.yaml") -> str:
        code = main(["merge", *map(str, words), "--into", into])
        said = capsys.readouterr()
        assert code == (2 if refused else 0), said.err
        assert not refused or len(said.err.strip().splitlines()) == 1
        return said.out + said.err

    return run


def merged() -> Path:
    """The study that `strata` merged into."""
    return Path("results") / NAME


def held(folder: Path) -> dict[str, RunResult]:
    """Key -> the result that stands in a folder's journal."""
    return {key: result for key, (_, result) in Journal.read(folder / "journal.jsonl").results().items()}


def split(folder: Path, into: Path) -> tuple[Path, Path]:
    """A finished study as two machines would have it that each did every other training."""
    lines = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    others = [line for line in lines if b'"kind":"result"' not in line]
    trainings = [line for line in lines if b'"kind":"result"' in line]
    for name, mine in (("one", trainings[::2]), ("two", trainings[1::2])):
        shutil.copytree(folder, into / name, ignore=shutil.ignore_patterns("*.parquet", "*.csv", "*.html", "figures"))
        (into / name / "journal.jsonl").write_bytes(b"".join([*others, *mine]))
    return into / "one", into / "two"


# --- the round trip ---------------------------------------------------------------------------------------------------

BATCH: list[Request] = [request for group in groups(tiny_study()) for request in next(conduct(group, 2))]

losses = st.none() | st.floats(allow_nan=False)
curve = st.tuples(st.integers(1, 9), st.sampled_from(["train/loss", "gradient/norm"]), st.integers(-1, 3), st.floats())
made = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["done", "diverged", "failed"]),
        **dict.fromkeys(("train_loss", "validation_loss", "test_loss", "trivial_loss", "best_loss"), losses),
        **dict.fromkeys(("trivial_validation_loss", "best_validation_loss", "second_metric"), losses),
        **{name: st.floats(allow_nan=False) for name in ("clipped_share", "seconds")},
        **{name: st.integers(0, 2**53) for name in ("steps", "parameters", "state_size", "flops")},
        **{name: st.text(max_size=5) for name in ("data_hash", "order_hash", "engine")},
        "best_step": st.none() | st.integers(0, 2**40),
        "error": st.none() | st.text(max_size=20),
        "baselines": st.dictionaries(st.text(max_size=4), st.floats(), max_size=2),
        "versions": st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2),
        "curves": st.lists(curve, max_size=4, unique_by=lambda row: row[:3]),
        "blocks": st.lists(
            st.tuples(st.text(max_size=3), st.floats(allow_nan=False), st.integers(0, 2**40)),
            max_size=3,
            unique_by=lambda row: row[0],
        ),
    }
)


def same(one: Any, other: Any) -> bool:
    """Equal to the bit; NaN equals NaN and 0 is not -0."""
    return repr(one) == repr(other)


def unordered(rows: Any) -> list[Any]:
    """A dict's items or a list's rows, in one order."""
    return sorted(rows.items() if isinstance(rows, dict) else rows, key=repr)


@settings(max_examples=10)
@given(st.lists(made, min_size=8, max_size=8))
def test_a_training_survives_from_journal_to_evidence_and_back_again(found: list[dict[str, Any]]) -> None:
    """Every number, bit for bit, and the whole spec; of curves and blocks not the order, which is the tables' own."""
    requests = BATCH[:8]
    first = {
        request.spec.key: (request.spec, RunResult(key=request.spec.key, **fields))
        for request, fields in zip(requests, found, strict=True)
    }
    askable = Askable(groups(tiny_study()))
    with tempfile.TemporaryDirectory() as place:
        once = written(Path(place) / "once", requests, first)
        second = {}
        for row, result in results(once):
            spec = askable.spec(Trained.by_row(row))
            assert spec is not None
            record = json.loads(json.dumps({"spec": spec.to_dict(), "result": result.to_dict()}))  # as in a journal
            second[result.key] = RunSpec.from_dict(record["spec"]), RunResult.from_dict(record["result"])
        twice = written(Path(place) / "twice", requests, second)
    assert second.keys() == first.keys()
    for key, (spec, result) in first.items():
        assert spec == second[key][0]
        for name, value in vars(result).items():
            again = getattr(second[key][1], name)
            if name in ("curves", "blocks", "baselines", "versions"):
                value, again = unordered(value), unordered(again)
            assert same(value, again)
        assert differences(result, second[key][1]) == []
    for name in evidence.TABLES:
        pd.testing.assert_frame_equal(getattr(once, name), getattr(twice, name))


def written(folder: Path, requests: list[Request], found: dict[str, tuple[RunSpec, RunResult]]) -> evidence.Evidence:
    """The evidence as it is read back from its files."""
    folder.mkdir()
    evidence.write(folder, gather(requests, found, {}))
    (folder / "study.yaml").write_text("{}\n")
    return evidence.read(folder)


@pytest.mark.parametrize("name", ["laptop", pytest.param("phase", marks=pytest.mark.proof)])
def test_a_published_study_comes_back_as_it_was_published(name: str, strata: Strata) -> None:
    """Its tables, every one of them, from evidence that was written long before there was a merge."""
    folder = ROOT / "results" / "published" / name
    said = strata(folder, into=name)
    assert "nothing is left to train" in said
    before, after = evidence.read(folder), evidence.read(Path("results") / name)
    for table in evidence.TABLES:
        pd.testing.assert_frame_equal(getattr(before, table), getattr(after, table))
    assert after.study["state"]["exploratory"] == "" and len(after.study["state"]["frozen"]) == 1


# --- one study of two parts -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny study that was really trained, and its file."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.yaml").write_text(tiny_study().to_yaml())
    sweep(folder)
    return folder


def sweep(folder: Path) -> None:
    """Run the study of the folder's file to its verdict."""
    assert main(["sweep", str(folder / "tiny.yaml"), "--workers", "0", "--workspace", str(folder)]) == 0


@pytest.mark.proof
def test_two_halves_end_in_the_verdict_of_the_whole(
    finished: Path, strata: Strata, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is trained twice, what is missing is trained, and every number in every store is the whole study's."""
    one, two = split(finished / "results" / NAME, workspace / "parts")
    lines = (two / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (two / "journal.jsonl").write_bytes(b"".join(lines[:-2]))  # its last two trainings are missing
    record = json.loads(main_said(capsys, "merge", str(one), str(two), "--into", "tiny.yaml", "--json"))
    assert [part["taken"] for part in record["parts"]] == [15, 13] and record["waiting"] == 2
    assert main(["status", NAME]) == 0 and main(["report", NAME]) == 0
    sweep(workspace)
    whole, again = finished / "results" / NAME, merged()
    assert sorted(studies.journal_keys(workspace)) == sorted(studies.journal_keys(finished))
    assert studies.scores(workspace) == studies.scores(finished)
    unmeasured = ("seconds", "claims", "arms")  # of the two trained anew
    verdicts = [json.loads((folder / "verdict.json").read_text()) for folder in (whole, again)]
    assert len({json.dumps({k: v for k, v in one.items() if k not in unmeasured}) for one in verdicts}) == 1
    runs = search_runs(workspace, f"{NAME}/trainings")
    assert sorted(runs[runs["tags.kind"] == "training"]["tags.key"]) == sorted(held(whole))
    machines = json.loads((again / "environment.json").read_text())["parts"]
    assert [machine["part"] for machine in machines] == ["one", "two"] and "packages" in machines[0]


def main_said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What a command printed on stdout."""
    capsys.readouterr()
    assert main(list(words)) == 0
    return capsys.readouterr().out


def test_a_merge_repeated_changes_nothing(strata: Strata, workspace: Path) -> None:
    part = conducted(workspace / "part", tiny_study())
    strata(part)
    before = (merged() / "journal.jsonl").read_bytes()
    said = strata(part)
    assert (merged() / "journal.jsonl").read_bytes() == before and "nothing is left to train" in said
    strata(published(part))
    assert (merged() / "journal.jsonl").read_bytes() == before


def test_a_killed_part_says_what_is_still_waiting(strata: Strata, workspace: Path) -> None:
    part = conducted(workspace / "part", tiny_study(), stop=7)
    assert "runs what is missing" in strata(part)
    assert len(held(merged())) == 7 == len(evidence.read(merged()).runs)


def test_what_no_arm_asks_for_is_left_aside_with_the_reason(strata: Strata, workspace: Path) -> None:
    larger = conducted(workspace / "larger", tiny_study(budgets=[2000]))
    rates = {"learning_rate": {"low": 0.004, "high": 0.1, "points": 3}, "rerank": {"points": 1, "seeds": 1}}
    other = conducted(workspace / "other", tiny_study(tuning=rates))
    part = conducted(workspace / "part", tiny_study())
    said = " ".join(strata(larger, other, part).split())
    assert "none of the study's tuning points" in said and "no arm of task 'recall' has that depth" in said
    assert set(held(merged())) == set(held(part))


@pytest.mark.proof
def test_seeds_beyond_the_last_look_are_left_aside(strata: Strata, workspace: Path) -> None:
    part = conducted(workspace / "part", tiny_study(confirmation={"seeds": 2, "looks": [2, 4]}), seeds=4)
    said = strata(part)
    assert "5 left aside: seeds that the study does not ask for" in said


# --- conflicts --------------------------------------------------------------------------------------------------------


def doctored(spec: RunSpec) -> RunResult:
    """One training of the study with another test loss."""
    result = made_up(spec)
    if spec.reads_test and spec.depth == 2 and spec.task == "recall" and spec.seeds.replicate == 1:
        result.test_loss = 0.125
    return result


def test_a_conflict_shows_both_values_and_writes_nothing(strata: Strata, workspace: Path) -> None:
    one, two = conducted(workspace / "one", tiny_study()), conducted(workspace / "two", tiny_study(), doctored)
    said = strata(one, two, refused=True)
    (key,) = [key for key, result in held(one).items() if differences(result, held(two)[key])]
    assert key in said and f"test_loss {held(one)[key].test_loss!r} in {one}" in said
    assert f"test_loss 0.125 in {two}" in said and f"--prefer {one}" in said
    assert not Path("results").exists()
    strata(one, two, "--prefer", str(two))
    assert held(merged())[key].test_loss == 0.125
    assert sum(bool(differences(result, held(one)[other])) for other, result in held(merged()).items()) == 1


@pytest.mark.proof
def test_a_preferred_part_settles_only_what_it_holds(strata: Strata, workspace: Path) -> None:
    one, two = conducted(workspace / "one", tiny_study()), conducted(workspace / "two", tiny_study(), doctored)
    third = conducted(workspace / "third", tiny_study(), stop=3)
    assert "different numbers" in strata(one, two, third, "--prefer", third, refused=True)


@pytest.mark.proof
def test_what_is_here_gives_way_only_when_told_to_and_in_every_store(
    finished: Path, workspace: Path, strata: Strata
) -> None:
    shutil.copytree(finished, workspace, dirs_exist_ok=True)
    other = workspace / "other"
    shutil.copytree(workspace / "results" / NAME, other)
    table = evidence.read_table(other / "runs.parquet", "runs")
    table.loc[table["test_loss"].notna(), "test_loss"] += 1.0
    evidence.replace_file(other / "runs.parquet", evidence.parquet(table))
    published(other)
    before = held(merged())
    assert "different numbers" in strata(other, refused=True) and held(merged()) == before
    strata(other, "--prefer", NAME)
    assert not any(differences(result, before[key]) for key, result in held(merged()).items())
    assert "gave way" in strata(other, "--prefer", other)
    sweep(workspace)
    runs = search_runs(workspace, f"{NAME}/trainings").set_index("tags.key")
    for key, result in held(merged()).items():
        if result.test_loss is not None:
            assert result.test_loss == before[key].test_loss + 1.0 == runs.loc[key, "metrics.test/loss"]  # type: ignore[operator]
    assert len(runs[runs["status"] == "RUNNING"]) == 0


def test_a_failed_training_loses_to_one_that_was_done(strata: Strata, workspace: Path) -> None:
    def broken(spec: RunSpec) -> RunResult:
        return failed(spec.key, "planted in a test") if spec.depth == 2 and spec.reads_test else made_up(spec)

    one, two = conducted(workspace / "one", tiny_study(), broken), conducted(workspace / "two", tiny_study())
    count = sum(result.status == "failed" for result in held(one).values())
    strata(one)
    assert sum(result.status == "failed" for result in held(merged()).values()) == count == 4
    assert len(Journal.read(merged() / "journal.jsonl").failures()) == count
    strata(one, two)
    assert {result.status for result in held(merged()).values()} == {"done"}
    evidence_of_failures = evidence.read(one).runs["status"].value_counts()["failed"]
    assert evidence_of_failures == count


@pytest.mark.proof
def test_a_failed_training_of_published_evidence_is_tried_again_here(strata: Strata, workspace: Path) -> None:
    def broken(spec: RunSpec) -> RunResult:
        return failed(spec.key, "planted in a test") if spec.seeds.replicate == 1 and spec.reads_test else made_up(spec)

    part = published(conducted(workspace / "part", tiny_study(), broken))
    said = strata(part)
    assert "runs what is missing" in said
    before, after = evidence.read(part), evidence.read(merged())
    pd.testing.assert_frame_equal(before.runs, after.runs)


# --- what must not be hidden ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "order"),
    [
        ("journal", 1),
        ("old evidence", -1),
        *(
            pytest.param(*case, marks=pytest.mark.proof)
            for case in [("journal", -1), ("evidence", 1), ("evidence", -1)]
        ),
    ],
)
def test_a_family_that_was_changed_after_looking_stays_exploratory(
    kind: str, order: int, strata: Strata, workspace: Path
) -> None:
    """A part that was looked at with another margin, whichever comes first and however it travels."""
    one = conducted(workspace / "one", tiny_study(analysis={"margin": 0.05}))
    two = conducted(workspace / "two", tiny_study(), stop=4)
    if kind != "journal":
        published(one)
    if kind == "old evidence":
        forget_the_family(one)
    said = strata(*[one, two][::order])
    assert "exploratory" in said
    assert "exploratory" in evidence.read(merged()).study["state"]["exploratory"]
    again = published(merged())
    shutil.move(again, workspace / "again")
    strata(workspace / "again")
    assert "exploratory" in evidence.read(merged()).study["state"]["exploratory"]


def forget_the_family(folder: Path) -> None:
    """As `study.yaml` was written before there was a merge."""
    record = yaml.safe_load((folder / "study.yaml").read_text())
    del record["state"]["frozen"]
    (folder / "study.yaml").write_text(yaml.safe_dump(record))


@pytest.mark.proof
def test_old_evidence_that_says_exploratory_makes_the_study_exploratory(strata: Strata, workspace: Path) -> None:
    part = published(conducted(workspace / "part", tiny_study()))
    forget_the_family(part)
    record = yaml.safe_load((part / "study.yaml").read_text())
    record["state"]["exploratory"] = "family changed after looking: exploratory"
    (part / "study.yaml").write_text(yaml.safe_dump(record))
    assert "exploratory" in strata(part)


def test_one_family_is_frozen_once_and_is_not_exploratory(strata: Strata, workspace: Path) -> None:
    parts = [conducted(workspace / name, tiny_study()) for name in ("one", "two")]
    published(parts[1])
    strata(*parts)
    assert len(Journal.read(merged() / "journal.jsonl").of_kind("frozen")) == 1
    assert evidence.read(merged()).study["state"]["exploratory"] == ""


@pytest.mark.proof
@pytest.mark.parametrize("kind", ["journal", "evidence"])
def test_a_later_look_that_was_taken_is_the_study_s_look(kind: str, strata: Strata, workspace: Path) -> None:
    part = conducted(workspace / "part", tiny_study(), seeds=3)
    with Journal.open(part / "journal.jsonl") as journal:
        journal.append({"kind": "look", "seeds": 3})
    if kind == "evidence":
        published(part)
    assert "nothing is left to train" in strata(part)
    assert evidence.read(merged()).study["state"]["look"] == 3


def test_a_part_from_a_changed_working_tree_is_not_published(strata: Strata, workspace: Path) -> None:
    part = conducted(workspace / "part", tiny_study())
    ran = json.loads((part / "environment.json").read_text())
    (part / "environment.json").write_text(json.dumps(ran | {"dirty": True}))
    strata(part)
    for name in ("verdict.json", "report.html"):
        (merged() / name).write_text("{}")
    here = json.loads((merged() / "environment.json").read_text())
    (merged() / "environment.json").write_text(json.dumps(here | {"dirty": False}))
    with pytest.raises(UserError, match="working tree with changes"):
        publish(merged(), workspace / "published", None)


# --- a person's input -------------------------------------------------------------------------------------------------


def test_what_cannot_be_merged_is_refused_in_one_line(strata: Strata, workspace: Path) -> None:
    part = conducted(workspace / "part", tiny_study(seed=1))
    (workspace / "empty").mkdir()
    damaged = workspace / "damaged"
    damaged.mkdir()
    (damaged / "journal.jsonl").write_text("{}\n")
    assert "is no folder" in strata("nowhere", refused=True)
    assert "holds neither" in strata("empty", refused=True)
    assert "line 1" in strata(damaged, refused=True)
    assert "given twice" in strata(part, part, refused=True)
    assert "none of the parts" in strata(part, "--prefer", "empty", refused=True)
    assert "no training of" in strata(part, refused=True)  # another seed of the study: other keys
    assert not Path("results").exists()
    strata(conducted(workspace / "good", tiny_study(), stop=3))
    assert "itself is kept" in strata(merged(), refused=True)


def test_the_base_seed_tells_two_studies_apart() -> None:
    """What the refusal above rests on."""
    one, other = ({r.spec.key for g in groups(tiny_study(seed=s)) for r in next(conduct(g, 2))} for s in (0, 1))
    assert not one & other and math.isfinite(len(one))
    assert isinstance(tiny_study(), Study)
