"""`strata tasks`: every task is there, whatever is wrong with one, and a picture shows what a task asks."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from rich.console import Console
from scipy.io import wavfile

import tasks
from benchmark import catalogue
from benchmark.catalogue import TaskRow
from benchmark.cli import main
from benchmark.pictures import Example, find_example, picture
from tasks import registry
from tests.conftest import ROOT

README = (ROOT / "tasks" / "README.md").read_text()


@pytest.fixture(scope="module")
def measured() -> list[TaskRow]:
    """The rows of all tasks at their tiny settings, made once: the data of all defaults would take a minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "create", lambda reference, parameters=None: registry.load(reference).tiny())
        return catalogue.rows()


@pytest.fixture
def listed(measured: list[TaskRow], monkeypatch: pytest.MonkeyPatch) -> list[TaskRow]:
    """The same rows, for the verb to print."""
    monkeypatch.setattr(catalogue, "rows", lambda: measured)
    return measured


@pytest.fixture
def drop_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder `weather` that is all there is of the `tasks` package while the test runs."""
    (tmp_path / "weather").mkdir()
    monkeypatch.setattr(tasks, "__path__", [str(tmp_path)])
    yield tmp_path / "weather"
    for name in [name for name in sys.modules if name.startswith("tasks.weather")]:
        del sys.modules[name]


def rain(data: str) -> str:
    """A task whose data are made by one line of code."""
    head = "from dataclasses import dataclass\nfrom typing import ClassVar\nfrom tasks.synthetic.recall import Recall\n"
    body = "    name: ClassVar[str] = 'rain'\n    family: ClassVar[str] = 'weather'\n"
    return f"{head}@dataclass(frozen=True)\nclass Rain(Recall):\n{body}    def data(self, *_):\n        {data}\n"


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a command is refused with."""
    assert main(["tasks", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


# --- the list ---------------------------------------------------------------------------------------------------------


def test_every_task_is_listed_by_family_and_name(measured: list[TaskRow]) -> None:
    assert sorted(row.name for row in measured) == registry.names()
    assert measured == sorted(measured, key=lambda row: (row.family, row.name))
    for row in measured:
        if "pip install" in row.problem:
            continue  # an extra that is not installed, and the row says which
        assert not row.problem, row
        assert row.trivial is not None and (row.best is None or 0 <= row.best < row.trivial)
        assert row.seconds and row.megabytes and row.target in ("step", "sequence", "labels") and row.unit
        if row.family in ("speech", "finance", "text"):
            assert row.amount and row.amount_unit, "how much speech, market or text it is"


def test_json_holds_the_rows(listed: list[TaskRow], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "--json"]) == 0
    found = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(found) == [row.name for row in listed]
    recall = registry.load("recall").tiny()
    assert found["recall"]["dials"] == {dial: recall.parameters()[dial] for dial in recall.dials}
    train, test = (recall.data(split, catalogue.SEED) for split in ("train", "test"))
    assert found["recall"]["trivial"] == recall.trivial_loss(train, test)


@pytest.mark.parametrize("width", [100, 120])
def test_the_table_fits_and_keeps_names_whole(width: int, measured: list[TaskRow]) -> None:
    file = io.StringIO()
    catalogue.print_rows(measured, Console(file=file, width=width, soft_wrap=True))
    lines = file.getvalue().splitlines()
    assert max(map(len, lines)) <= 120 and max(len(line) for line in lines[: -len(catalogue.NOTES)]) <= width
    assert lines[0].split()[-2:] == ["seconds", "MB"]
    for row in (row for row in measured if not row.problem):
        (line,) = [line for line in lines if line.split()[:2] == [row.name, row.target]]
        assert re.search(r"[\d.]$", line.rstrip()), "the last column is there"


def test_the_readme_lists_exactly_the_tasks() -> None:
    table = README.split("<!-- table")[1].split("<!-- /table -->")[0]
    assert sorted(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == registry.names()


def test_markdown_is_the_readmes_table(listed: list[TaskRow], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "--markdown"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] in README and len({line.replace("\\|", "").count("|") for line in printed}) == 1


def test_a_control_is_what_a_table_says_of_the_source_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    task, tables = registry.create("recall"), [dict(table) for table in catalogue.shipped_tables()]
    setting = {"task": "recall", "parameters": task.parameters() | {"noise": 0.1}, "digest": registry.digest("recall")}
    tables[0] |= setting | {"kind": "null", "qualified": True}
    monkeypatch.setattr(catalogue, "shipped_tables", lambda: tables[:1])
    assert catalogue._control(task, "recall") == "null (noise=0.1)"
    for change, said in (
        ({"digest": "0" * 16}, "candidate (null)"),
        ({"protocol": "0"}, "candidate (null)"),
        ({"qualified": False}, "no null control (noise=0.1)"),
    ):
        monkeypatch.setattr(catalogue, "shipped_tables", lambda change=change: [tables[0] | change])
        assert catalogue._control(task, "recall") == said


def test_a_task_that_cannot_be_used_hides_no_other(drop_in: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (drop_in / "good.py").write_text(rain("return super().data(*_)"))
    assert [(row.name, row.problem) for row in catalogue.rows()] == [("rain", "")]
    (drop_in / "half.py").write_text("class Half(")
    (drop_in / "extra.py").write_text("import no_such_extra\nclass Extra:\n    name: str = 'extra'\n")
    (drop_in / "gone.py").write_text(rain("open('/no/such.csv')").replace("Rain(", "Gone(").replace("'rain'", "'gone'"))
    found = {row.name: row for row in catalogue.rows()}
    assert list(found) == ["extra", "gone", "half", "rain"] and {row.family for row in found.values()} == {"weather"}
    assert not found["rain"].problem and found["rain"].trivial
    for name, words in (("half", "not valid Python"), ("extra", "no_such_extra"), ("gone", "/no/such.csv")):
        assert words in found[name].problem
    assert main(["tasks"]) == 0
    assert "gone cannot be used here: FileNotFoundError" in capsys.readouterr().out


# --- one task ---------------------------------------------------------------------------------------------------------


def test_one_task_in_full(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "recall", "--set", "delay=3"]) == 0
    said = capsys.readouterr().out
    task = registry.create("recall", {"delay": 3})
    assert "Delayed recall: the target at step t" in said and "frequencies given this symbol" in said
    assert re.search(r"delay +1 +3 +dial +Steps between a symbol and its recall", said)
    assert all(line in said for line in task.example().splitlines())
    path = workspace / "results" / "tasks" / "recall.png"
    assert said.rstrip().endswith(f"picture: {path}") and path.read_bytes().startswith(b"\x89PNG")


def test_a_picture_where_it_is_asked_for(workspace: Path) -> None:
    assert main(["tasks", "recall", "--picture", "new/here.svg"]) == 0
    assert b"<svg" in (workspace / "new" / "here.svg").read_bytes() and not (workspace / "results").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["recal"], "the nearest is 'recall'"),
        (["nowhere.py:Task"], "there is no file nowhere.py"),
        (["recall", "--set", "delai=2"], "the nearest is 'delay'"),
        (["recall", "--set", "delay=two"], "it must be of type int"),
        (["recall", "--set", "delay=99"], "delay is 99: it must be from 1"),
        (["recall", "--set", "delay"], "expected key.path=value"),
        (["recall", "--picture", "recall.gif"], "ends in .png or .svg"),
        (["recall", "--json"], "leave out recall"),
        (["--set", "delay=2"], "strata tasks NAME"),
    ],
)
def test_a_mistake_gets_one_line(
    arguments: list[str], words: str, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in refused(capsys, *arguments)
    assert not list(workspace.iterdir())


def test_data_that_are_not_there_get_one_line(drop_in: Path, workspace: Path, capsys: pytest.CaptureFixture) -> None:
    (drop_in / "gone.py").write_text(rain("open('/no/such.csv')"))
    assert "its data cannot be made here" in refused(capsys, "rain")


# --- pictures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", registry.names())
def test_a_picture_is_whole_and_not_blank(name: str) -> None:
    drawn = picture(registry.load(name).tiny(), name)
    pixels = matplotlib.image.imread(io.BytesIO(drawn.png))[..., :3]
    ink = np.asarray((pixels < 0.9).any(axis=2))
    assert 0.01 < ink.mean() < 0.9 and min(pixels.shape[:2]) > 200
    edges = [ink[0], ink[-1], ink[:, 0], ink[:, -1]]
    assert not any(edge.any() for edge in edges), "something is cut off at the edge"
    assert drawn.svg.startswith(b"<?xml")


def test_symbols_are_named_as_in_the_text() -> None:
    task = registry.create("recall", {"delay": 2})
    heard, said = (line.split()[1:] for line in task.example().splitlines())
    assert find_example(task) == Example(inputs=heard, targets=said, answer="", left_out="")
    numbered = registry.create("recall", {"time": 5, "delay": 2})
    assert find_example(numbered).inputs == numbered.example().splitlines()[0].split()[1:]


def test_what_the_text_does_not_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    task = registry.load("recall").tiny()
    monkeypatch.setattr(type(task), "example", lambda self, seed=0: "words  that are not symbols of it\nat  all")
    split = task.data("validation", 0)
    assert find_example(task).inputs == [str(code) for code in split.inputs[0]]
    assert find_example(task).targets == [str(code) for code in split.targets[0]]


def test_a_target_for_the_whole_sequence_is_said_and_padding_left_out() -> None:
    task = registry.load("temporal_order").tiny()
    split, example = task.data("validation", 0), find_example(task)
    assert split.lengths is not None
    assert example.targets is None and example.answer.startswith("asked at the end: class ")
    assert len(example.inputs) in split.lengths and len(example.inputs) <= task.time


def test_long_sequences_and_many_channels_are_drawn() -> None:
    for name, parameters in (("recall", {"time": 300}), ("stacked_teacher", {"inputs": 9, "time": 80})):
        drawn = picture(registry.create(name, {"train": 64, **parameters}), name)
        assert np.std(matplotlib.image.imread(io.BytesIO(drawn.png))) > 0.1


def test_a_task_may_draw_itself_and_be_heard(drop_in: Path, workspace: Path, capsys: pytest.CaptureFixture) -> None:
    own = (
        "return super().data(*_)\n"
        "    def illustrate(self, figure, seed=0):\n        figure.suptitle('a picture of its own')\n"
        "    def sound(self, seed=0):\n        import numpy\n        return 8000, numpy.sin(numpy.arange(4000.0))\n"
        "    def amount(self, split):\n        return float(len(split.inputs)), 'drops of rain'"
    )
    (drop_in / "loud.py").write_text(rain(own))
    assert main(["tasks", "rain", "--picture", "rain.svg"]) == 0
    assert b"a picture of its own" in (workspace / "rain.svg").read_bytes()
    assert capsys.readouterr().out.rstrip().endswith("sound: rain.wav (0.5 s)")
    rate, samples = wavfile.read(workspace / "rain.wav")
    assert rate == 8000 and len(samples) == 4000 and np.abs(samples).max() > 30_000
    (row,) = catalogue.rows()
    assert row.amount and row.amount_unit == "drops of rain"
    assert re.search(r"\| [\d,]+ drops of rain \|$", catalogue.markdown([row]))
