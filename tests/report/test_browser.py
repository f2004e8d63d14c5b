"""The page as a browser lays it out, on a laptop and on a telephone, asking for nothing and complaining of nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.behind import Behind, Run
from benchmark.report.build import build
from tests.report.chromium import BROWSER, Page, chromium
from tests.report.example import example

WIDER = """[...document.querySelectorAll("body *")].filter(it => {
  const framed = it.parentElement.closest(".scroll");
  const box = it.getBoundingClientRect();
  return !framed && box.width && (box.right > innerWidth + 0.5 || box.left < -0.5);
}).map(it => it.tagName + " " + (it.id || it.textContent.slice(0, 60)))"""
"""Elements that reach beyond the window and have no frame to scroll in."""

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not BROWSER, reason="no browser here")]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    run = Run("0123456789abcdef", "0", "")
    behind = [Behind("recall", 6000, "parameters", "plain", depth, "", "confirm", [run]) for depth in (1, 2, 4)]
    build(example(tasks=["recall"]), folder, behind)
    return folder / "report.html"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_it_fits_its_window_and_needs_nothing(report: Path, tab: Page, width: int, height: int) -> None:
    tab.open(report, width, height)
    assert tab.value("innerWidth") == width
    assert tab.value("document.documentElement.scrollWidth") <= width
    assert tab.value(WIDER) == []
    assert tab.value("[...document.images].map(image => image.naturalWidth > 300)") == [True] * 4
    assert tab.requests == [] and tab.complaints == []


def test_a_telephone_is_shown_the_figure_that_was_drawn_for_it(report: Path, tab: Page) -> None:
    shown = "document.images[0].naturalWidth / document.images[0].naturalHeight"
    tab.open(report, 1280, 800)
    wide = tab.value(shown)
    tab.open(report, 390, 844)
    assert tab.value(shown) < wide / 1.5


def test_a_link_leads_to_the_runs(report: Path, tab: Page) -> None:
    tab.open(report, 390, 844)
    tab.value("document.querySelector('#pairs a.runs').click()")
    place = "document.querySelector('details:target')"
    assert tab.value(f"{place}.textContent.includes('0123456789abcdef')")
    assert tab.value(f"{place}.getBoundingClientRect().top < innerHeight")


def test_the_probe_sees_what_is_too_wide_and_what_is_asked_for(tmp_path: Path, tab: Page) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<html><body><div id='wide' style='width: 900px'>x</div><img src='missing.png'>"
        "<script>console.log('said')</script></body></html>"
    )
    tab.open(bad, 390, 844, images=False)
    assert tab.value(WIDER) == ["DIV wide"]
    assert tab.requests[0].endswith("missing.png") and any("said" in line for line in tab.complaints)
