"""Every printed link opens, in a browser that was never here, on the right view with the right rows and charts."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmark.servers import choose_port
from benchmark.tracking import Tracker, links, views
from benchmark.ui import mlflow_server
from tests import tracking_samples as samples
from tests.browser.conftest import PATIENCE, Visit, Visitor
from tests.mlflow_store import uri
from tests.tracking_samples import sample

pytestmark = pytest.mark.browser

ARMS = ["recall · L1×19 · A/A", "recall · L1×19", "recall · L2×12", "formants · L1×16", "formants · L2×11"]
VERDICT = ["verdict", "formants", "recall", "A/A on recall"]


def rows(visit: Visit) -> list[str]:
    """Names of the runs in the table, from the top."""
    names = visit.page.locator('[role=row] a[href*="/runs/"]')
    names.first.wait_for(timeout=PATIENCE)
    return [name.strip() for name in names.all_inner_texts()]


def headings(visit: Visit) -> list[str]:
    """Names of the columns, groups of columns left out."""
    return [name.strip() for name in visit.page.locator('[data-testid^="sort-header-"]').all_inner_texts()]


def count(visit: Visit, runs: int) -> None:
    """MLflow says how many runs there are below its table."""
    visit.page.get_by_text(f"{runs} matching runs").wait_for(timeout=PATIENCE)


def drawn(visit: Visit, *titles: str) -> None:
    """Every chart is there, drawn, with its title."""
    cards = visit.page.locator('[data-testid="experiment-view-compare-runs-card"]')
    for place, title in enumerate(titles):
        card = cards.nth(place)
        card.scroll_into_view_if_needed(timeout=PATIENCE)
        card.locator("svg.main-svg, canvas").first.wait_for(timeout=PATIENCE)
        assert title in card.inner_text(), (title, card.inner_text())
    cards.first.scroll_into_view_if_needed(timeout=PATIENCE)


def outside(visit: Visit) -> list[str]:
    """Requests that left this machine."""
    return [url for url in visit.requests if urlsplit(url).hostname not in ("127.0.0.1", None)]


def test_a_first_visit_to_the_bare_address_lands_on_the_verdict(visit: Visitor, dashboards: dict[str, str]) -> None:
    found = visit(dashboards[""])
    count(found, len(VERDICT))
    assert rows(found) == VERDICT
    found.shows("No claim: a smoke study only tests the machinery.", "1 Verdict by task")
    assert not found.page.get_by_text("Ask Assistant").is_visible()
    found.picture("first visit")
    # And whoever clicks on finds a study in that mode, not a page for language models.
    found.page.get_by_test_id("experiment-link").first.click()
    found.page.get_by_text("matching runs").wait_for(timeout=PATIENCE)
    assert found.page.url.split("?")[0].endswith("/runs")
    assert outside(found) == []


def test_the_verdict_has_a_row_for_every_comparison(visit: Visitor, dashboards: dict[str, str]) -> None:
    found = visit(dashboards["1 Verdict by task"])
    count(found, len(VERDICT))
    assert rows(found) == VERDICT
    found.shows("no claim", "a smoke study claims nothing", "null control")
    assert {"verdict", "difference/mean", "reason"} <= set(headings(found))
    found.picture("1 verdict")


def test_the_leaderboard_has_the_arms_best_first(visit: Visitor, dashboards: dict[str, str]) -> None:
    found = visit(dashboards["2 Leaderboard of arms"])
    count(found, len(ARMS))
    assert sorted(rows(found)) == sorted(ARMS)
    cells = found.page.locator('[role=gridcell][col-id*="score/mean"]')
    scores = [float(text.rstrip("…")) for text in cells.all_inner_texts()]
    assert len(scores) == len(ARMS) and scores == sorted(scores, reverse=True)
    found.picture("2 arms")


@pytest.mark.parametrize(
    ("name", "runs", "titles"),
    [
        ("3 Score by depth", 5, ["depth/score", "depth/seconds"]),
        ("4 Skill against parameters", 5, ["cost/parameters", "cost/state_size"]),
        ("5 Cost", 5, ["cost/seconds", "cost/flops"]),
        ("7 Learning curves by depth", 15, ["validation/loss"]),
        ("8 Learning rate against loss", 15, ["log10_lr", "log10_lr"]),
        ("9 Parallel coordinates", 15, ["Parallel Coordinates"]),
    ],
)
def test_charts_are_drawn(visit: Visitor, dashboards: dict[str, str], name: str, runs: int, titles: list[str]) -> None:
    found = visit(dashboards[name])
    count(found, runs)
    drawn(found, *titles)
    found.picture(name.lower())
    assert outside(found) == []


def test_the_leaderboard_of_trainings_has_every_confirmed_one(visit: Visitor, dashboards: dict[str, str]) -> None:
    found = visit(dashboards["6 Leaderboard of trainings"])
    count(found, 15)
    assert all(" · seed 0" in name for name in rows(found))
    assert {"test/score", "test/loss", "learning_rate"} <= set(headings(found))
    found.picture("6 trainings")


def test_the_report_is_shown_as_an_artifact(visit: Visitor, dashboards: dict[str, str]) -> None:
    found = visit(dashboards["Report"])
    report = found.page.frame_locator("iframe")
    report.get_by_text("No claim").first.wait_for(timeout=PATIENCE)
    report.locator("img").first.wait_for(timeout=PATIENCE)
    found.shows("runs.csv", "verdict.json", "figures")
    found.picture("report in mlflow")
    assert outside(found) == []


def test_a_shared_server_shows_the_same_pages_in_a_fresh_profile(
    visit: Visitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that others started: nothing of ours runs in it, so the links alone must do."""
    port = choose_port(None, range(5300, 5400))
    with mlflow_server(uri(tmp_path), tmp_path, port, lean=False) as server:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address)
        tracker = Tracker.open("screen", tmp_path)
        given = [sample("formants", depth, seed) for depth in (1, 2, 4) for seed in (0, 1)]
        for one in given:
            tracker.record(*one.given)
        tracker.publish(samples.findings(given), tmp_path)
        (study,) = links(tmp_path)
        found = visit(server.address + study.paths["1 Verdict by task"])
        count(found, 2)
        assert rows(found) == ["verdict", "formants"]
        found.shows("deeper (2, 4)", "The instrument sees depth, sees width, and sees nothing where nothing is.")
        found.picture("shared server")
        # Another MLflow may come to another format: the link then opens on MLflow's own table of runs.
        key = next(iter(tracker.study.tags.keys() & {views.TAG + view.key for view in views.study_views()}))
        tag = '{"name": "1", "createdAt": 1, "updatedAt": 1, "state": "of-the-future;AAAA"}'
        tracker.client.set_experiment_tag(tracker.study.experiment_id, key, tag)
        page = study.paths["1 Verdict by task"].split("&viewStateShareKey")[0]
        found = visit(f"{server.address}{page}&viewStateShareKey={key.removeprefix(views.TAG)}")
        count(found, 5)
        assert rows(found)[0] == "verdict"
        found.picture("unknown view")
