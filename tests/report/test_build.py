"""Files: whole, the same every time, or one clear line."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import pytest

import benchmark.report.build as module
from benchmark.errors import UserError
from benchmark.report.build import build, verdict_json
from benchmark.report.figures import pictures
from tests.report.example import example
from tests.report.reading import Reader

TASKS = ["recall"]
"""One task with A/A: every kind of figure."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    build(example(tasks=TASKS), folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".part")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_files(built: Path) -> None:
    figures = {
        f"figures/{name}.{ending}"
        for name in ("differences", "task-01-recall", "sizes", "tuning")
        for ending in ("png", "svg")
    }
    assert set(contents(built)) == {"verdict.json", "report.html"} | figures


def test_verdict_json_is_the_findings(built: Path) -> None:
    findings = example(tasks=TASKS)
    written = json.dumps(findings.to_dict(), sort_keys=True, indent=1, ensure_ascii=False)
    assert (built / "verdict.json").read_text() == written + "\n"


def test_every_figure_is_inside_the_page(built: Path) -> None:
    sources = Reader((built / "report.html").read_text()).sources
    head = "data:image/svg+xml;base64,"
    inside = {base64.b64decode(source.removeprefix(head)) for source in sources if source.startswith(head)}
    small = {pictures(example(tasks=TASKS))["differences"].narrow}  # only for a narrow window, and so in no file
    assert inside == {path.read_bytes() for path in built.glob("figures/*.svg")} | small


def test_a_rebuild_is_the_same_bytes(built: Path, tmp_path: Path) -> None:
    """In another process, with other hash seeds, another time zone and the person's own matplotlib settings."""
    (tmp_path / "matplotlibrc").write_text("font.size: 31\naxes.facecolor: red\nsvg.fonttype: none\n")
    script = (
        "import sys; from pathlib import Path; from tests.report.example import example; "
        "from benchmark.report.build import build; build(example(tasks=sys.argv[2:]), Path(sys.argv[1]))"
    )
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "4711",
        "TZ": "Asia/Tokyo",
        "MATPLOTLIBRC": str(tmp_path / "matplotlibrc"),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    again = tmp_path / "again"
    subprocess.run([sys.executable, "-c", script, str(again), *TASKS], check=True, env=environment)
    assert contents(again) == contents(built)


def test_drawing_leaves_the_settings_of_others_alone(built: Path) -> None:
    assert mpl.rcParams["svg.hashsalt"] is None
    assert mpl.rcParams["axes.spines.top"]


def test_numbers_that_are_not_finite_are_null() -> None:
    findings = dataclasses.replace(example(tasks=TASKS), seconds=float("nan"))

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    assert json.loads(verdict_json(findings), parse_constant=refuse)["seconds"] is None


def test_a_folder_that_cannot_be_written(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "pictures", lambda findings: {})
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write the report into .*file"):
        build(example(tasks=TASKS), tmp_path / "file")


def test_a_full_disk_is_one_line_and_keeps_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "pictures", lambda findings: {})
    build(example(tasks=TASKS), tmp_path)
    before = contents(tmp_path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left on device"):
        build(example(tasks=TASKS, seeds=3), tmp_path)
    assert contents(tmp_path) == before
