"""What every browser test gets: a real Chromium with a fresh profile a visit, and a finished tiny study that is served.

Run by `make test-browser`, which sees that Playwright and a Chromium are there. Where they are not, these tests fail:
a skipped one would say nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, heed_ctrl_c

SCREENSHOTS = ROOT / "artifacts" / "screenshots"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
PATIENCE = 90_000
"""Milliseconds for anything to show: pages load in two seconds, but not on a machine that does other things as well."""


@dataclass
class Visit:
    """A page in a profile that was never used before, with what it asked for and what it complained about."""

    page: Any
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def shows(self, *texts: str) -> None:
        """Wait until every text is to be seen."""
        for text in texts:
            self.page.get_by_text(text).locator("visible=true").first.wait_for(timeout=PATIENCE)

    def picture(self, name: str) -> None:
        """Keep what is to be seen."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", timeout=PATIENCE)


Visitor = Callable[..., Visit]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    found = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
    if found is None:
        pytest.fail("no chromium here: make test-browser says how to get one", pytrace=False)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.fail("no playwright here: make test-browser installs it", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS.split(), timeout=PATIENCE)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any) -> Iterator[Visitor]:
    """Open an address as somebody who was never there."""
    contexts = []

    def to(address: str, width: int = 1600, height: int = 1000) -> Visit:
        context = chromium.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        made = Visit(context.new_page())
        made.page.on("request", lambda request: made.requests.append(request.url))
        made.page.on("console", lambda said: made.errors.append(said.text) if said.type == "error" else None)
        made.page.on("pageerror", lambda error: made.errors.append(str(error)))
        made.page.goto(address, timeout=PATIENCE, wait_until="domcontentloaded")
        return made

    yield to
    for context in contexts:
        context.close()


@contextmanager
def strata(*arguments: str, ready: str = "Ctrl-C ends it") -> Iterator[str]:
    """A verb of the command line that serves until Ctrl-C; gives what it printed until it was ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmark", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=heed_ctrl_c,
    )
    assert process.stdout is not None
    printed = ""
    try:
        for line in process.stdout:
            printed += line
            if ready in line:
                break
        else:
            pytest.fail(f"strata {arguments[0]} ended: {printed}", pytrace=False)
        yield printed
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


def links(printed: str) -> dict[str, str]:
    """Name -> address of every link that was printed."""
    return dict(re.findall(r"^  (\S.*?)  +(http://\S+)$", printed, re.M))


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the smallest shipped study, finished."""
    folder = tmp_path_factory.mktemp("browser")
    command = [sys.executable, "-m", "benchmark", "sweep", "smoke", "--workspace", str(folder), "--quiet"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "STRATA_"))}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def dashboards(workspace: Path) -> Iterator[dict[str, str]]:
    """The links of `strata ui`, and the bare address as ''."""
    with strata("ui", "smoke", "--no-open", "--workspace", str(workspace)) as printed:
        found = links(printed)
        yield {"": found["Report"].split("#")[0], **found}


@pytest.fixture(scope="session")
def optuna_links(workspace: Path) -> Iterator[dict[str, str]]:
    """The links of `strata optuna-dashboard`."""
    with strata("optuna-dashboard", "smoke", "--no-open", "--workspace", str(workspace)) as printed:
        yield links(printed)
