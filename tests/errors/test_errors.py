"""The page of errors is whole, and every line on it is one that a person gets."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.cli import main
from tests.conftest import ROOT
from tests.errors.groups import GROUPS, PAGE
from tests.errors.recorder import OUT
from tests.errors.sites import Site, pattern, sites
from tests.errors.table import Line, Room, page

LINES = [line for group in GROUPS for line in group.lines]
PROVOKED = [line for line in LINES if not isinstance(line.how, str)]
ELSEWHERE = [line for line in LINES if isinstance(line.how, str)]
WRITE = "run `python -m tests.errors`"


def is_said(line: Line, said: str) -> bool:
    """Whether what was said is that line: whole, or after what others put before it, and before what they add."""
    return pattern(line.line).search(said) is not None and "\n" not in said


# --- the page and the code --------------------------------------------------------------------------------------------


def test_the_page_is_made_from_the_table() -> None:
    assert PAGE.read_text() == page(GROUPS), WRITE


@pytest.mark.parametrize("site", sites(), ids=lambda site: f"{site.path}:{site.number}")
def test_every_line_of_the_code_is_on_the_page(site: Site) -> None:
    """A new error needs a row in `tests/errors`: its cause, and what provokes it."""
    assert site.line in {line.line for line in LINES}, f"no row for: {site.line}"


def test_every_row_is_a_line_of_the_code_once() -> None:
    """`Line.line` raises for words that are in none; only lines of a library stand in no code."""
    rows = [line.line for line in LINES]
    assert sorted(set(rows)) == sorted(rows)


def test_a_line_says_what_to_do() -> None:
    """Or what is wrong with which value, or hands on the words of another; nothing ends in a bare name of an error."""
    for line in LINES:
        assert len(line.line) < 400 and not re.search(r"Error\b|Exception", line.line), line.line


@pytest.mark.parametrize("line", ELSEWHERE, ids=lambda line: line.words)
def test_tests_that_provoke_a_line_exist(line: Line) -> None:
    file, _, name = str(line.how).partition("::")
    assert f"def {name}(" in (ROOT / file).read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--budget many", "Invalid value for '--budget': give a whole number"),
        ("--budget 9 --match cells", "Invalid value for '--match': 'cells' is not one of 'parameters'"),
    ],
)
def test_the_library_of_the_command_line_reads_plainly(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["size", "--inputs", "8", "--outputs", "1", *words.split()]) == 2
    assert capsys.readouterr().err.startswith(f"strata: {said}")


# --- every line is said -----------------------------------------------------------------------------------------------


@pytest.mark.proof
@pytest.mark.parametrize("line", PROVOKED, ids=lambda line: line.words)
def test_the_line_is_said(
    line: Line, workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(line.how)
    with monkeypatch.context() as bend:
        said = line.how(Room(workspace, bend, capsys))
    assert is_said(line, said), said


@pytest.mark.proof
def test_the_lines_that_other_tests_provoke_are_said_there(tmp_path: Path) -> None:
    named = sorted({str(line.how) for line in ELSEWHERE})
    found = tmp_path / "lines.jsonl"
    asked = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "tests.errors.recorder", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*asked, "-m", "proof or not proof", *named],
        cwd=ROOT, env={**os.environ, OUT: str(found)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    records = [json.loads(text) for text in found.read_text().splitlines()]
    unsaid = [
        line.line
        for line in ELSEWHERE
        if not any(record["test"] == line.how and is_said(line, record["said"]) for record in records)
    ]
    assert not unsaid
