"""`strata analyse`: what it says of a folder and of a table is what the analysis finds, whatever the order of rows."""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark import evidence
from benchmark.analysis.analyse import analyse
from benchmark.analysis.findings import Findings
from benchmark.analysis.outline import limits, outline, with_limits
from benchmark.cli import main
from benchmark.evidence import MEMBERS, Evidence
from benchmark.flat import load
from tests.analysis.fabricate import fabricate
from tests.conftest import ROOT

PUBLISHED = ROOT / "results" / "published"


@functools.cache
def fabricated() -> Evidence:
    """One look, so that a study read off the rows may spend the same error."""
    return fabricate(looks=(10,), failed=[("formants", 4, "", 3)], diverged=[("formants", 2, "", 0)])


@functools.cache
def findings() -> Findings:
    return analyse(fabricated())


def write(folder: Path, found: Evidence) -> Path:
    folder.mkdir(exist_ok=True)
    evidence.write(folder, found)
    (folder / "study.yaml").write_text(yaml.safe_dump(dict(found.study)))
    return folder


def joined(found: Evidence) -> pd.DataFrame:
    """The flat form: a row per membership, with the columns of both tables."""
    own = [column for column in found.runs if column == "key" or column not in MEMBERS]
    return found.members.merge(found.runs[own], on="key", validate="many_to_one")


def record(path: Path, **how: Any) -> dict[str, Any]:
    """What `--json` holds, without going through the command line."""
    loaded = load(path, **how)
    tuned = bool(loaded.evidence.study.get("tuning"))
    return outline(with_limits(analyse(loaded.evidence), tuned), loaded.absent, loaded.unread, tuned)


def by_place(contrasts: list[dict[str, Any]]) -> dict[tuple[str, ...], dict[str, Any]]:
    return {(one["task"], one["match"], one["role"]): one for one in contrasts}


def hand_made(gain: float = 0.1, seeds: int = 10) -> pd.DataFrame:
    """Thirty lines as a person might write them: a seed's own luck, and depths that differ by `gain`."""
    rows = [
        {
            "task": "echo",
            "depth": depth,
            "seed": seed,
            "phase": "confirm",
            "skill": round(0.6 + gain * (depth > 1) + 0.01 * np.sin(7 * seed + depth), 4),
        }
        for seed in range(seeds)
        for depth in (1, 2, 4)
    ]
    return pd.DataFrame(rows)


def csv(path: Path, table: pd.DataFrame) -> Path:
    table.to_csv(path, index=False)
    return path


def test_a_published_folder_gives_its_own_verdicts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyse", str(PUBLISHED / "laptop"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    wanted = json.loads((PUBLISHED / "laptop" / "verdict.json").read_text())
    assert found["study"] == "laptop" and found["headline"] == wanted["headline"]
    assert found["notes"] == wanted["notes"] and found["controls"] == wanted["controls"]
    for mine, theirs in zip(found["contrasts"], wanted["contrasts"], strict=True):
        assert {name: theirs[name] for name in mine if name not in ("pairs", "limits")} == {
            name: value for name, value in mine.items() if name not in ("pairs", "limits")
        }
        assert mine["limits"] == []
        for pair, their_pair in zip(mine["pairs"], theirs["pairs"], strict=True):
            assert pair == {name: their_pair[name] for name in pair}
            assert set(pair) >= {"depth", "difference", "low", "high", "p", "p_adjusted", "judged"}
        assert set(mine) >= {"task", "budget", "match", "variant", "verdict", "reason", "seeds", "more_seeds", "pairs"}


def test_a_folder_gives_what_the_analysis_finds_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "study", fabricated())
    monkeypatch.chdir(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert main(["analyse", "study"]) == 0
    text = capsys.readouterr().out
    assert main(["analyse", "study", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    wanted = findings()
    assert found["contrasts"] == outline(wanted, [], [], True)["contrasts"]
    assert found["absent"] == ["rows of phase converge: no verdict was checked with twice the steps"]
    assert text.startswith("not in the file: rows of phase converge") and "two_layer_teacher  deeper" in text


def test_the_flat_table_says_what_the_folder_says(tmp_path: Path) -> None:
    """To the last bit, verdict by verdict; test blocks have no place in one table."""
    whole = dataclasses.replace(fabricated(), blocks=fabricated().blocks[:0])
    folder = record(write(tmp_path / "study", whole))
    flat = joined(whole).sample(frac=1, random_state=1)
    tables = [csv(tmp_path / "flat.csv", flat), tmp_path / "flat.parquet"]
    flat.to_parquet(tables[1])
    for path in tables:
        found = record(path)
        assert found["study"] == "fabricated" and found["unread"] == []
        assert by_place(found["contrasts"]) == by_place(folder["contrasts"])
        assert sorted(found["controls"], key=str)[0]["passed"]
    assert {one["verdict"] for one in folder["contrasts"]} >= {"deeper", "wider", "no practical difference"}


def test_the_order_of_rows_and_columns_never_matters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flat = joined(dataclasses.replace(fabricated(), blocks=fabricated().blocks[:0]))
    said = []
    for at in range(2):
        shuffled = flat.sample(frac=1, random_state=at).sample(frac=1, axis=1, random_state=at)
        (tmp_path / str(at)).mkdir()
        assert main(["analyse", str(csv(tmp_path / str(at) / "table.csv", shuffled)), "--json"]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]


@settings(max_examples=5, deadline=None, derandomize=True)
@given(rows=st.permutations(range(30)), columns=st.permutations(["task", "depth", "seed", "phase", "skill"]))
def test_any_permutation_of_a_hand_made_table(
    rows: list[int], columns: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("hand")
    plain = record(csv(folder / "hand.csv", hand_made()))
    assert record(csv(folder / "hand.csv", hand_made().iloc[rows][columns])) == plain


def test_thirty_lines_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = csv(tmp_path / "hand.csv", hand_made())
    found = record(path)
    (contrast,) = found["contrasts"]
    assert (contrast["verdict"], contrast["seeds"], contrast["score"]) == ("deeper", 10, "skill")
    skill = hand_made().pivot(index="seed", columns="depth", values="skill")
    for pair in contrast["pairs"]:
        assert pair["difference"] == pytest.approx((skill[pair["depth"]] - skill[1]).mean())
        assert pair["low"] < pair["difference"] < pair["high"] and pair["p"] == 2 / 2**10
    assert contrast["limits"] == ["tuning not shown", "equal size not shown"]
    assert contrast["sentence"].endswith("; tuning not shown, equal size not shown")
    assert contrast["sentence"] in found["headline"] and found["headline"].startswith("Instrument not checked")
    absent = " / ".join(found["absent"])
    for words in ("control: no task is marked", "tune and rerank: tuning not shown", "parameters: whether the arms"):
        assert words in absent
    assert main(["analyse", str(path)]) == 0
    text = capsys.readouterr().out
    assert text.count("not in the file: ") == len(found["absent"])
    assert "Tuning not shown" in text and "steps not stated" in text and "echo  deeper (2,4)" in text


def test_losses_in_place_of_a_skill(tmp_path: Path) -> None:
    table = hand_made().rename(columns={"skill": "test_loss"}).assign(trivial_loss=2.0)
    table["test_loss"] = 2.0 - 1.5 * table["test_loss"]
    relative = record(csv(tmp_path / "a.csv", table))["contrasts"][0]
    skill = record(csv(tmp_path / "a.csv", table.assign(best_loss=0.5, skill=9.0)))
    assert relative["score"] == "relative reduction" and skill["contrasts"][0]["score"] == "skill"
    assert skill["unread"] == ["skill"]
    plain = record(csv(tmp_path / "a.csv", hand_made()))["contrasts"][0]
    for one, factor in ((relative, 0.75), (skill["contrasts"][0], 1.0)):
        for pair, wanted in zip(one["pairs"], plain["pairs"], strict=True):
            assert pair["difference"] == pytest.approx(factor * wanted["difference"])


def test_margin_and_alpha(tmp_path: Path) -> None:
    path = csv(tmp_path / "hand.csv", hand_made(gain=0.05))
    assert record(path)["contrasts"][0]["verdict"] == "deeper"
    wide = record(path, margin=0.1)["contrasts"][0]
    assert (wide["verdict"], wide["margin"]) == ("no practical difference", 0.1)
    strict = record(path, alpha=0.0005)["contrasts"][0]
    assert strict["verdict"] == "undecided" and strict["pairs"][0]["low"] is None, "unbounded is null"
    study = {**fabricated().study, "tasks": [{"label": "formants", "control": ""}], "a_a": None}
    own = record(write(tmp_path / "study", dataclasses.replace(fabricated(), study=study)), margin=0.02)
    assert "Exploratory" not in own["headline"]
    other = record(tmp_path / "study", margin=0.05)
    assert other["headline"].startswith("Exploratory: margin 0.05 in place of 0.02")


def test_seeds_may_have_any_numbers(tmp_path: Path) -> None:
    path = tmp_path / "hand.csv"
    plain = record(csv(path, hand_made()))
    table = hand_made()
    assert record(csv(path, table.assign(seed=1000 + 7 * table["seed"]))) == plain


def test_what_cannot_be_paired_is_incomplete(tmp_path: Path) -> None:
    table = hand_made()
    unpaired = table.assign(seed=table["seed"] + 100 * (table["depth"] > 1))
    (contrast,) = record(csv(tmp_path / "hand.csv", unpaired))["contrasts"]
    assert contrast["reason"] == "incomplete: depth 1 has 10 of 20 confirmed trainings"
    found = record(csv(tmp_path / "hand.csv", table[table["depth"] > 1]))
    assert found["contrasts"][0]["reason"] == "incomplete: depth 1 has no trainings"
    assert any(said.startswith("rows of depth 1:") for said in found["absent"])


def test_a_diverged_row_needs_no_skill(tmp_path: Path) -> None:
    table = hand_made().assign(status="done")
    table.loc[4, ["skill", "status"]] = [np.nan, "diverged"]
    found = record(csv(tmp_path / "hand.csv", table))
    assert any("1 confirmed trainings diverged" in note for note in found["notes"])
    assert found["contrasts"][0]["pairs"][0]["difference"] < 0.1


def test_tuning_rows_are_judged_where_they_are(tmp_path: Path) -> None:
    """An optimum at the edge of the rates asked is not tuned; without rates nobody can tell."""

    def tuning(best: int) -> pd.DataFrame:
        rows = [
            {
                "task": "echo",
                "depth": depth,
                "seed": seed,
                "phase": phase,
                "point": point,
                "learning_rate": 0.001 * 10**point,
                "skill": 0.6 - 0.1 * abs(point - best),
            }
            for depth in (1, 2, 4)
            for phase, points, seeds in (("tune", (0, 1, 2), (0,)), ("rerank", {best, 1}, (0, 1)))
            for point in points
            for seed in seeds
        ]
        confirmed = hand_made().assign(point=best, learning_rate=0.001 * 10**best)
        return pd.concat([pd.DataFrame(rows), confirmed], ignore_index=True)

    inside = record(csv(tmp_path / "hand.csv", tuning(1)))
    assert inside["contrasts"][0]["verdict"] == "deeper"
    assert inside["contrasts"][0]["limits"] == ["equal size not shown"]
    edge = record(csv(tmp_path / "hand.csv", tuning(2)))["contrasts"][0]
    assert edge["reason"] == "not tuned: the best learning rate of depth 1 is the largest asked (0.1)"
    blind = record(csv(tmp_path / "hand.csv", tuning(2).drop(columns="learning_rate")))
    assert blind["contrasts"][0]["limits"][0] == "tuning not shown"
    assert any(said.startswith("learning_rate of the tuning rows") for said in blind["absent"])


def test_unequal_sizes_are_a_limit(tmp_path: Path) -> None:
    table = hand_made()
    table["parameters"] = 3000 + 100 * (table["depth"] == 4)
    near = record(csv(tmp_path / "hand.csv", table))["contrasts"][0]
    assert near["limits"] == ["tuning not shown"] and near["budget"] == 3000
    table["parameters"] = 3000 * table["depth"]
    far = record(csv(tmp_path / "hand.csv", table))["contrasts"][0]
    assert "sizes differ by 300%, more than 5%" in far["limits"] and "3,000 to 12,000 parameters" in far["sentence"]


def test_limits_are_none_where_everything_is_shown() -> None:
    found = findings()
    assert all(limits(contrast, found.arms, tuned=True) == [] for contrast in found.contrasts)
    assert with_limits(found, tuned=True) == found
    assert all(limits(contrast, found.arms, tuned=False) == ["tuning not shown"] for contrast in found.contrasts)


def test_a_folder_may_lack_all_but_runs_and_members(tmp_path: Path) -> None:
    """The least columns of the schema; the study is read off the tables."""
    found = dataclasses.replace(fabricated(), blocks=fabricated().blocks[:0])
    whole = record(write(tmp_path / "study", found))
    members = found.members[["key", "arm", "budget", "match", "phase", "point", "superseded"]]
    gone = ["task_source", "task_digest", "replicates", "learning_rate", "second_metric", "baselines", "error"]
    gone += ["trivial_validation_loss", "best_validation_loss", "second_metric_name"]
    bare = tmp_path / "bare"
    bare.mkdir()
    members.to_parquet(bare / "members.parquet")
    found.runs.drop(columns=gone).to_parquet(bare / "runs.parquet")
    less = record(bare)
    mine, theirs = by_place(less["contrasts"]), by_place(whole["contrasts"])
    assert {place: one["verdict"] for place, one in mine.items()} == {
        place: one["verdict"] for place, one in theirs.items()
    }
    assert {place: one["pairs"] for place, one in mine.items()} == {
        place: one["pairs"] for place, one in theirs.items()
    }
    told = " / ".join(less["absent"])
    assert "study.yaml: " in told and "blocks.parquet: " in told and "curves.parquet: " in told


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["nowhere"], "does not exist"),
        (["."], "holds no runs.parquet and members.parquet"),
        (["notes.txt"], "neither .csv nor .parquet"),
        (["hand.csv", "--margin", "0"], "--margin is 0"),
        (["hand.csv", "--alpha", "1.5"], "--alpha is 1.5"),
    ],
)
def test_wrong_arguments(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    csv(tmp_path / "hand.csv", hand_made())
    assert main(["analyse", *arguments]) == 2
    captured = capsys.readouterr()
    assert words in captured.err and len(captured.err.strip().splitlines()) == 1 and captured.out == ""
