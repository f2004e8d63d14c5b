"""The report as a file, and Optuna's dashboard."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.report.build import build
from tests.browser.conftest import PATIENCE, Visitor
from tests.report.example import example

pytestmark = pytest.mark.browser


def test_the_report_opens_without_an_error_and_asks_the_network_for_nothing(visit: Visitor, workspace: Path) -> None:
    path = workspace / "results" / "smoke" / "report.html"
    found = visit(path.as_uri())
    found.shows("No claim")
    found.page.wait_for_load_state("networkidle", timeout=PATIENCE)
    assert found.errors == []
    assert [url for url in found.requests if not url.startswith("data:")] == [path.as_uri()]
    found.picture("report")


def test_pictures_are_shown_and_a_narrow_page_does_not_overflow(visit: Visitor, tmp_path: Path) -> None:
    build(example(tasks=["recall"]), tmp_path)
    found = visit((tmp_path / "report.html").as_uri(), width=700, height=1200)
    found.page.wait_for_load_state("load", timeout=PATIENCE)
    pictures = found.page.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert len(pictures) == 4 and min(pictures) > 500
    document = "document.documentElement"
    assert found.page.evaluate(f"{document}.scrollWidth - {document}.clientWidth") <= 0
    found.picture("report on a narrow page")


def test_optunas_dashboard_shows_every_arm_and_its_trials(visit: Visitor, optuna_links: dict[str, str]) -> None:
    assert len(optuna_links) == 5
    name, address = next(iter(optuna_links.items()))
    every = visit(address.split("/studies/")[0])
    every.shows(*optuna_links)
    every.picture("optuna studies")
    one = visit(address)
    one.shows(name, "History", "validation score")
    one.page.locator("svg.main-svg").first.wait_for(timeout=PATIENCE)
    one.picture("optuna arm")
    assert [url for visited in (every, one) for url in visited.requests if "//127.0.0.1:" not in url] == []
