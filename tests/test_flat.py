"""Evidence from outside: every fault is one line with column and row, and the schema is what its page says."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark import evidence
from benchmark.cli import main
from benchmark.errors import UserError
from benchmark.evidence import RUNS, TABLES, frame
from benchmark.flat import FLAT, load
from benchmark.sheets import read_sheet
from tests.conftest import ROOT

PAGE = (ROOT / "benchmark" / "EVIDENCE.md").read_text()


def table() -> pd.DataFrame:
    """Six seeds of two depths: rows 0 to 11, lines 2 to 13."""
    rows = [
        {
            "task": "echo",
            "depth": depth,
            "seed": seed,
            "phase": "confirm",
            "test_loss": 0.5 / depth,
            "trivial_loss": 1.0,
        }
        for seed in range(6)
        for depth in (1, 2)
    ]
    return pd.DataFrame(rows).astype({"depth": object, "seed": object, "test_loss": object, "trivial_loss": object})


def put(column: str, value: Any, row: int = 5) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Change one cell (of a new column, all others empty)."""

    def change(good: pd.DataFrame) -> pd.DataFrame:
        if column not in good:
            good[column] = None
        good[column] = good[column].astype(object)
        good.loc[row, column] = value
        return good

    return change


def every(column: str, value: Any, row: int, other: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A new column that says `value`, and `other` in one row."""
    return lambda good: put(column, other, row)(good.assign(**{column: value}))


def again(good: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([good, good.iloc[[3]]], ignore_index=True)


# How the table is spoilt, the column that is named, the row (0 is the first), and words of the line.
FAULTS: list[tuple[Callable[[pd.DataFrame], pd.DataFrame], str, int | None, list[str]]] = [
    (lambda good: good.rename(columns={"depth": "dept"}), "depth", None, ["has no column", "'dept'"]),
    (lambda good: good.rename(columns={"phase": "Phase"}), "phase", None, ["has no column", "'Phase'"]),
    (lambda good: good.drop(columns="task"), "task", None, ["has no column", "it has 'depth', 'seed'"]),
    (lambda good: good.drop(columns="trivial_loss"), "trivial_loss", None, ["and none 'skill' in its place"]),
    (lambda good: good.rename(columns={"test_loss": "tst_loss"}), "test_loss", None, ["'tst_loss'"]),
    (put("depth", "two"), "depth", 5, ["'two' is not a whole number"]),
    (put("depth", 2.5), "depth", 5, ["'2.5' is not a whole number"]),
    (put("depth", "1_0"), "depth", 5, ["'1_0' is not a whole number"]),
    (put("depth", 0), "depth", 5, ["0 is below 1"]),
    (put("depth", None), "depth", 5, ["is empty"]),
    (put("seed", -1), "seed", 5, ["-1 is below 0"]),
    (put("seed", "1e30"), "seed", 5, ["not a whole number"]),
    (put("task", ""), "task", 5, ["is empty"]),
    (put("test_loss", "0,5"), "test_loss", 5, ["'0,5' is not a number"]),
    (put("test_loss", None), "test_loss", 5, ["no finite number", "called done"]),
    (put("test_loss", "inf"), "test_loss", 5, ["no finite number"]),
    (put("trivial_loss", "nan"), "trivial_loss", 5, ["no finite number"]),
    (put("trivial_loss", 0), "trivial_loss", 5, ["not above best_loss"]),
    (every("best_loss", 0.1, 4, 1.5), "trivial_loss", 4, ["not above best_loss"]),
    (every("best_loss", 0.1, 4, None), "best_loss", 4, ["other rows of the same task have it"]),
    (put("phase", "test"), "phase", 5, ["'test' is none of tune, rerank, confirm, converge"]),
    (put("phase", ""), "phase", 5, ["is empty"]),
    (every("status", "done", 7, "ok"), "status", 7, ["'ok' is none of done, diverged"]),
    (every("status", "done", 7, ""), "status", 7, ["is empty"]),
    (every("match", "parameters", 7, "weights"), "match", 7, ["'weights' is none of parameters, state, flops"]),
    (every("replica", "", 7, "bb"), "replica", 7, ["'bb' is none of (empty), aa, tuned"]),
    (every("control", "depth", 7, "width"), "control", 7, ["other rows of the same task say 'depth'"]),
    (every("budget", 3000, 7, None), "budget", 7, ["is empty"]),
    (every("superseded", False, 7, "maybe"), "superseded", 7, ["'maybe' is neither true nor false"]),
    (every("hyperparameters", "{}", 7, "0.1"), "hyperparameters", 7, ["no JSON object"]),
    (every("replicates", "folds", 0, "folds"), "fold", None, ["replicates of its task are folds"]),
    (every("parameters", 3000, 7, 6000), "parameters", 7, ["add a column budget"]),
    (every("arm", "one", 0, "one"), "depth", 1, ["other rows of the same arm say 1"]),
    (every("key", "k", 0, "k"), "test_loss", 1, ["other rows of the same key say 0.5"]),
    (again, "seed", 12, ["a second time in phase confirm, point 0", "5"]),
    (lambda good: good.assign(phase="tune"), "phase", 0, ["no row is of phase confirm"]),
    (lambda good: good.assign(depth=1, seed=range(12)), "depth", 0, ["every row is of depth 1"]),
    (lambda good: good.assign(skill="").drop(columns="test_loss"), "skill", 0, ["no finite number"]),
]


@pytest.mark.parametrize("at", range(len(FAULTS)))
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_every_fault_is_one_line_with_column_and_row(at: int, suffix: str, tmp_path: Path) -> None:
    spoil, column, row, words = FAULTS[at]
    path, spoilt = tmp_path / f"made{suffix}", spoil(table())
    if column == "fold":
        spoilt["fold"], row = [None, *range(11)], 0
    if suffix == ".csv":
        spoilt.to_csv(path, index=False)
    else:  # a column holds one type there: numbers where all are, else words
        numbers = {
            name: pd.to_numeric(cells)
            for name, cells in spoilt.items()
            if not any(isinstance(cell, str) for cell in cells)
        }
        texts = {name: cells.map(str, na_action="ignore") for name, cells in spoilt.items() if name not in numbers}
        pd.DataFrame({**numbers, **texts}).to_parquet(path)
    with pytest.raises(UserError) as caught:
        load(path)
    line = str(caught.value)
    assert "\n" not in line and line.startswith(str(path)) and f"'{column}'" in line
    if row is not None:
        assert (f"line {row + 2}," if suffix == ".csv" else f"row {row + 1},") in line
    for word in words if suffix == ".csv" else ():
        assert word in line


def test_the_table_that_is_spoilt_is_sound(tmp_path: Path) -> None:
    """Or its faults would prove nothing."""
    table().to_csv(tmp_path / "made.csv", index=False)
    assert load(tmp_path / "made.csv").evidence.runs["test_loss"].tolist() == [0.5] * 6 + [0.25] * 6


def test_of_several_faults_the_first_row_is_named(tmp_path: Path) -> None:
    table().assign(phase="test").to_csv(tmp_path / "made.csv", index=False)
    with pytest.raises(UserError, match="line 2, column 'phase'"):
        load(tmp_path / "made.csv")


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"\n \n", "is empty"),
        ("a.csv", b"task,depth,seed,phase,skill\n", "holds no rows"),
        ("a.csv", bytes(range(256)), "no text in UTF-8"),
        ("a.csv", b"PAR1\0\0", "no text in UTF-8"),
        ("a.csv", b"task,depth\necho,1\necho,1,2\n", "line 3: 3 cells, and the header has 2 columns"),
        ("a.csv", b'task,depth\n"echo,1\n', "line 2: "),
        ("a.csv", b"task,task\na,b\n", "more than one column 'task'"),
        ("a.parquet", bytes(range(256)), "cannot be read as Parquet"),
        ("a.parquet", b"", "cannot be read as Parquet"),
    ],
)
def test_what_is_no_table(
    name: str, content: bytes, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    assert main(["analyse", str(tmp_path / name)]) == 2
    captured = capsys.readouterr()
    assert words in captured.err and len(captured.err.strip().splitlines()) == 1 and captured.out == ""


@pytest.mark.parametrize("separator, start", [(",", ""), (";", "\ufeff"), ("\t", "\n")])
def test_lines_are_those_that_an_editor_shows(separator: str, start: str, tmp_path: Path) -> None:
    """Cells over several lines, empty lines, a byte order mark and other separators."""
    lines = ["task, depth ,error", 'echo,1,"one', 'two"', "", "echo,two,"]
    path = tmp_path / "made.csv"
    path.write_text(start + "\n".join(lines).replace(",", separator))
    with pytest.raises(UserError, match=f"line {5 + start.count(chr(10))}, column 'depth': 'two' is not"):
        read_sheet(path, FLAT)


@settings(max_examples=30, deadline=None)
@given(
    whole=st.lists(st.one_of(st.none(), st.integers(-(2**63) + 1, 2**63 - 1)), min_size=1, max_size=5),
    real=st.floats(allow_nan=False),
)
def test_numbers_keep_their_last_bit(
    whole: list[int | None], real: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "bits.csv"
    good = pd.DataFrame({"data_seed": pd.array(whole, dtype="Int64"), "test_loss": real, "task": "echo"})
    good.to_csv(path, index=False)
    sheet = read_sheet(path, FLAT)
    assert [None if pd.isna(cell) else cell for cell in sheet.table["data_seed"]] == whole
    assert sheet.table["test_loss"].tolist() == [real] * len(whole)
    good.to_parquet(path.with_suffix(".parquet"))
    sheet = read_sheet(path.with_suffix(".parquet"), FLAT)
    assert [None if pd.isna(cell) else cell for cell in sheet.table["data_seed"]] == whole


def folder(place: Path, runs: pd.DataFrame, members: pd.DataFrame) -> Path:
    place.mkdir()
    runs.to_csv(place / "runs.csv", index=False)
    members.to_csv(place / "members.csv", index=False)
    return place


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda runs, members: runs.__setitem__("key", "same"), "runs.csv, line 3, column 'key': same stands twice"),
        (lambda runs, members: members.__setitem__("key", ""), "members.csv, line 2, column 'key': is empty"),
        (lambda runs, members: members.__setitem__("key", "x"), "members.csv, line 2, column 'key': x is no key of"),
        (lambda runs, members: members.pop("phase"), "members.csv has no column 'phase'"),
        (lambda runs, members: members.pop("key"), "members.csv has no column 'key'"),
        (lambda runs, members: runs.pop("depth"), "members.csv has no column 'depth'"),
        (lambda runs, members: runs.pop("test_loss"), "has no column 'test_loss'"),
        (lambda runs, members: runs["test_loss"].__setitem__(11, None), "runs.csv, line 13, column 'test_loss'"),
        (lambda runs, members: members["phase"].__setitem__(3, "x"), "members.csv, line 5, column 'phase': 'x'"),
    ],
)
def test_faults_of_a_folder_name_the_file(spoil: Callable[..., Any], words: str, tmp_path: Path) -> None:
    """Members stand in another order than runs, and are counted in their own."""
    runs = table().drop(columns="phase").assign(key=[f"k{row:02}" for row in range(12)])
    members = pd.DataFrame({"key": runs["key"].to_numpy()[::-1], "phase": "confirm"})
    assert len(load(folder(tmp_path / "good", runs, members)).evidence.runs) == 12
    columns = {name: list(cells) for name, cells in runs.items()}
    others = {name: list(cells) for name, cells in members.items()}
    spoil(columns, others)
    others, columns = ({k: [v] * 12 if isinstance(v, str) else v for k, v in one.items()} for one in (others, columns))
    with pytest.raises(UserError) as caught:
        load(folder(tmp_path / "spoilt", pd.DataFrame(columns), pd.DataFrame(others)))
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text, words",
    [
        ("name: [", "is no YAML"),
        ("name: x\n", "lacks purpose"),
        ("", "lacks name"),
        ("- 1\n", "lacks name"),
        ("name: x\npurpose: study\ntasks: echo\n", "tasks is 'echo'"),
        (
            "name: x\npurpose: study\ntasks: [echo]\nmatch: [state]\nconfirmation: {seeds: 6}\n"
            "training: {divergence_multiple: 10}\nanalysis: {margin: 0.02, alpha: 0.05}\n",
            "lacks its label",
        ),
    ],
)
def test_a_study_that_is_none(text: str, words: str, tmp_path: Path) -> None:
    runs = table().drop(columns="phase").assign(key=[f"k{row}" for row in range(12)])
    place = folder(tmp_path / "made", runs, pd.DataFrame({"key": runs["key"], "phase": "confirm"}))
    (place / "study.yaml").write_text(text)
    with pytest.raises(UserError, match=words):
        load(place)


# --- the schema --------------------------------------------------------------------------------------------------


def test_files_carry_the_version_and_newer_ones_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs.parquet"
    path.write_bytes(evidence.parquet(frame([{"key": "one", "depth": 2}], "runs")))
    metadata = pq.read_schema(path).metadata
    assert metadata[b"strata_schema"] == str(evidence.SCHEMA_VERSION).encode()
    assert evidence.read_table(path, "runs")["depth"].tolist() == [2]
    arrow = pq.read_table(path)

    def stamped(version: str | None) -> Path:
        others = {name: value for name, value in metadata.items() if name != b"strata_schema"}
        pq.write_table(arrow.replace_schema_metadata(others | ({"strata_schema": version} if version else {})), path)
        return path

    assert evidence.read_table(stamped(None), "runs")["key"].tolist() == ["one"], "written before versions were"
    for version, words in (("2", "schema version 2, and this Strata reads up to 1"), ("new", "is no number")):
        with pytest.raises(UserError, match=words):
            evidence.read_table(stamped(version), "runs")
        with pytest.raises(UserError, match=words):
            load(path)


def test_a_column_of_another_type_is_named(tmp_path: Path) -> None:
    path = tmp_path / "blocks.parquet"
    pd.DataFrame({"key": ["a"], "block": ["b"], "loss": ["high"], "count": [1]}).to_parquet(path)
    with pytest.raises(UserError, match="blocks.parquet: the column 'loss' is not of type Float64"):
        evidence.read_table(path, "blocks")


def test_writing_and_reading_changes_nothing(tmp_path: Path) -> None:
    made = frame([{"key": "b", "seed": 2**62 + 1, "test_loss": np.pi}, {"key": "a", "replica": ""}], "runs")
    (tmp_path / "runs.parquet").write_bytes(evidence.parquet(made))
    pd.testing.assert_frame_equal(evidence.read_table(tmp_path / "runs.parquet", "runs"), made)


@pytest.mark.parametrize("name", TABLES)
def test_the_page_documents_every_column(name: str) -> None:
    section = PAGE.split(f"\n### {name}\n")[1].split("\n#")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|[^|]*\| [^|]{3,} \|$", section, re.MULTILINE)
    assert dict(rows) == TABLES[name] and [row[0] for row in rows] == list(TABLES[name])
    assert f"version {evidence.SCHEMA_VERSION} of the schema" in PAGE


def test_the_example_of_the_page_is_what_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = PAGE.split("```csv\n")[1].split("```")[0]
    assert pd.read_csv(io.StringIO(example)).shape == (12, 5)
    (tmp_path / "example.csv").write_text(example)
    assert main(["analyse", str(tmp_path / "example.csv")]) == 0
    text = capsys.readouterr().out
    assert "echo  deeper (2)" in text and "tuning not shown, equal size not shown" in " ".join(text.split())


def test_words_in_the_code_are_those_of_the_page() -> None:
    from benchmark.flat import TAKEN, WITHOUT

    known = {*TAKEN, *(column for columns in WITHOUT for column in columns)}
    assert known <= set(FLAT) and set(RUNS) <= set(FLAT)
    assert all(f"`{column}`" in PAGE for column in known)
