"""The documentation is true: its commands are commands, its links lead somewhere, its numbers are those of the
evidence, and the tests and checks that it names are there.
"""

from __future__ import annotations

import io
import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer
import yaml
from rich.console import Console

from benchmark.analysis.claims import admission
from benchmark.analysis.claims.table import TABLE
from benchmark.analysis.findings import Findings
from benchmark.cli import app, main
from benchmark.engine_checks import CHECKS
from benchmark.executors import Executor
from benchmark.judging import judge
from benchmark.report.terminal import print_findings
from benchmark.spec import Variant
from benchmark.study import Study
from tests.conftest import ROOT

DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [*DOCS, ROOT / "README.md"]
TEXT = {page.stem: page.read_text() for page in PAGES}
LONGEST = 125
"""Lines of a page: who needs more writes a second page."""

SHELL = {"cd", "export", "git", "mkdir", "mv", "pip", "source", "squeue"}
"""Words of a shell that pages use and nothing here runs."""
SCRIPTS = {"make_room.py", "make_co2.py", "-c", "results/room-temperature/export/predict.py"}
"""What the tutorial and the page on files make; their proofs below run them."""
QUICK = {
    ("analyse", "results/published/laptop"),
    ("size", "--inputs", "8", "--outputs", "1", "--budget", "64000"),
    ("size", "--inputs", "8", "--outputs", "1", "--budget", "64000", "--residual"),
}
"""Commands of a second or so, which are run here."""
LONGER = {
    ("analyse", "docs/room"),
    ("claims",),
    ("recommend", *shlex.split("--family speech --length 50 --inputs 13 --target step --parameters 6000")),
    ("recommend", "--check"),
    ("tasks", "formants"),
    ("claims", "results/published/laptop"),
    ("report", "results/published/laptop"),
    ("tasks", "recall"),
    ("tasks", "recall", "--set", "delay=4"),
}
"""Those that train nothing either and are run among the proofs."""

ON_SLURM = "it needs a queue; tests/cluster/test_slurm.py gives such commands to a SLURM of its own"
ON_DASK = "it serves, or needs what serves; tests/test_dask.py and tests/cluster start all three"
NOT_RUN = {
    (
        "sweep",
        "laptop",
        "--seeds",
        "+10",
    ): "it goes on from a study of minutes; tests/test_sweep.py goes on from a tiny one",
    ("sweep", "--side-by-side", "64"): "for a GPU; tests/test_sweep.py looks at the jobs that it makes",
    (
        "sweep",
        "laptop",
        "--set",
        "tuning.rungs=[0.25]",
    ): "minutes; tests/test_halving.py sweeps a tiny study with rungs",
    (
        "sweep",
        "laptop",
        "--set",
        "training.precision=bf16-mixed",
    ): "minutes; tests/test_bfloat16.py trains a few with and without",
    ("sweep", "speech"): "hours; a tiny study of every family is among the proofs of tests/test_families.py",
    ("sweep", "phase"): "hours",
    ("sweep", "my.yaml"): "a name that stands for yours",
    ("sweep", "co2.yaml"): "a quarter of an hour; the tutorial's own study is run in its place",
    ("plan", "full"): "it times cells of a million parameters",
    ("plan", "laptop", "--set", "variants=[plain, residual]"): "it times 36 cells; tests/test_planning.py times a few",
    ("analyse", "FILE"): "a name that stands for yours",
    ("qualify", "STUDY"): "a name that stands for yours",
    ("timescales", "laptop"): "it needs the journal of a study of minutes; tests/test_timescales.py has a tiny one",
    ("qualify", "laptop"): "an hour",
    ("qualify", "full"): "hours on a GPU",
    ("clean", "laptop"): "it asks first; the tutorial's proof cleans a study of its own",
    ("runs", "STUDY", "--failed"): "a name that stands for yours",
    ("cluster", "slurm", "full", "--nodes", "4", "--gpus-per-node", "8", "--time", "8:00:00"): ON_SLURM,
    ("cluster", "slurm", "full", "--nodes", "4", "--gpus-per-node", "8", "--time", "8:00:00", "--submit"): ON_SLURM,
    ("cluster", "slurm", "smoke", "--nodes", "2", "--workers-per-node", "1", "--time", "1:00:00", "--submit"): ON_SLURM,
    (
        *("cluster", "slurm", "full", "--nodes", "4", "--gpus-per-node", "8", "--time", "8:00:00"),
        *("--cpus-per-worker", "2", "--sbatch=--partition=gpu", "--sbatch=--account=lab"),
        *("--driver-sbatch=--partition=cpu", "--driver-time", "2-00:00:00"),
        *("--setup", "module load pytorch", "--python", "python3"),
    ): ON_SLURM,
    ("status", "smoke"): "it looks at a study on a cluster; tests/test_verbs.py looks at a tiny one",
    ("scheduler", "--scheduler-file", "cluster/run.json"): ON_DASK,
    ("scheduler", "--scheduler-file", "cluster/scheduler.json"): ON_DASK,
    ("worker", "--scheduler-file", "cluster/run.json"): ON_DASK,
    ("worker", "--scheduler-file", "cluster/scheduler.json"): ON_DASK,
    ("sweep", "laptop", "--scheduler-file", "cluster/run.json"): ON_DASK,
    ("sweep", "full", "--scheduler-file", "cluster/scheduler.json"): ON_DASK,
    ("merge", "A", "B", "--into", "STUDY"): "names that stand for yours",
    ("reproduce", "results/published/laptop"): "a quarter of an hour; tests/test_reproduce.py repeats a tiny study",
    ("speed", "--out", "mine.json"): "the better part of an hour; tests/test_speed.py times one small cell",
    ("optuna-dashboard", "laptop"): "it serves until Ctrl-C; tests/test_ui.py serves a tiny study",
    ("ui", "laptop"): "it serves until Ctrl-C; tests/test_ui.py serves a tiny study",
    ("ui", "room-temperature"): "it serves until Ctrl-C; tests/test_ui.py serves a tiny study",
}
"""Commands of the pages that no test runs as they stand, with the reason."""
OWN_SERIES = {("sweep", *["--csv", "prices.csv", "--target", "close", "--time", "date"]), ("export", "prices-close")}
"""The README's commands on a person's file; its proof below runs them."""

TINY = ["--workers", "0", "--set", "tasks.0.steps=10", "--set", "training.validations=2", "--set", "depths=[1, 2]"]
"""Makes the tutorial's sweep one of seconds."""


def blocks(page: str, language: str) -> list[str]:
    """Fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT[page], re.MULTILINE | re.DOTALL)


def fenced(page: str) -> list[list[str]]:
    """Commands of the `sh` blocks of a page, as words without their comments."""
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def quoted(page: str) -> list[list[str]]:
    """Commands of Strata in the text of a page; a verb alone is a name and no command."""
    return [shlex.split(line) for line in re.findall(r"`(strata [^`]+)`", TEXT[page])]


FENCED = [words for page in TEXT for words in fenced(page)]
COMMANDS = sorted({tuple(words) for words in (*FENCED, *(words for page in TEXT for words in quoted(page)))})


def verbs() -> dict[str, Any]:
    """What the command line can be asked."""
    program: Any = typer.main.get_command(app)
    found: dict[str, Any] = program.commands
    return found


def options() -> dict[str, str]:
    """Options of `strata` itself, such as `--help`."""
    program: Any = typer.main.get_command(app)
    with program.make_context("strata", ["--version"], resilient_parsing=True) as context:
        return {name: name for parameter in program.get_params(context) for name in parameter.opts}


def parse(words: Sequence[str]) -> None:
    """Read a command of Strata as the command line does, without running it. Raises what a person would see."""
    verb, *rest = words
    if verb not in verbs():
        raise ValueError(f"{verb} is no verb of strata")
    verbs()[verb].make_context(verb, rest)


def flat(text: str) -> str:
    """Without line breaks, as the terminal's width sets them."""
    return " ".join(text.split())


# --- commands ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_is_one(words: tuple[str, ...]) -> None:
    program, *rest = words
    match program:
        case "strata" if len(rest) == 1 and list(words) not in FENCED:
            assert rest[0] in verbs() | options()
        case "strata":
            parse(rest)
        case "make":
            targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            assert rest and set(rest) <= set(targets)
        case "pytest":
            assert all((ROOT / path).exists() for path in rest if path.startswith("tests"))
        case "python":
            assert rest[0] in SCRIPTS
        case _:
            assert program in SHELL, f"{program} is neither run nor parsed"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("analyse FILE --marign 0.1", "No such option"),
        ("size --inputs 8 --outputs 1", "Missing option"),
        ("size --inputs 8 --outputs 1 --budget 64000 --match cells", "Invalid value"),
        ("export", "Missing argument"),
        ("anaylse FILE", "no verb"),
    ],
)
def test_a_command_that_is_none_would_be_found(line: str, said: str) -> None:
    with pytest.raises(Exception, match=".*") as error:
        parse(line.split())
    told = getattr(error.value, "format_message", lambda: str(error.value))()
    assert said in told


def run(words: Sequence[str], folder: Path) -> None:
    """Run a command of Strata where the documentation stands: published studies and docs are in the current folder."""
    (folder / "docs").symlink_to(ROOT / "docs")
    pictures = shutil.ignore_patterns("figures", "*.html")
    shutil.copytree(ROOT / "results" / "published", folder / "results" / "published", ignore=pictures)
    assert ("strata", *words) in COMMANDS, "no page has this command any more"
    assert main(words) == 0


@pytest.mark.parametrize("words", sorted(QUICK), ids=" ".join)
def test_quick_commands_run(words: tuple[str, ...], workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(words, workspace)
    assert capsys.readouterr().out.strip()


@pytest.mark.proof
@pytest.mark.parametrize("words", sorted(LONGER), ids=" ".join)
def test_longer_commands_run(words: tuple[str, ...], workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(words, workspace)
    assert capsys.readouterr().out.strip()


def test_every_command_is_run_or_says_why_not() -> None:
    """Those of the tutorial and of the page on files are run in order by their proofs below."""
    in_order = {tuple(words) for page in ("tutorial", "files") for words in fenced(page)}
    asked = {words[1:] for words in COMMANDS if words[0] == "strata" and len(words) > 2 and words not in in_order}
    accounted = QUICK | LONGER | OWN_SERIES | set(NOT_RUN)
    assert asked <= accounted, asked - accounted
    assert set(NOT_RUN) <= asked | {words[1:] for words in in_order}, set(NOT_RUN) - asked


def test_a_variant_is_made_as_the_page_says() -> None:
    (given,) = blocks("extend", "yaml")
    raw = {"name": "x", "tasks": [{"task": "recall", "steps": 100}], "budgets": [3000], **yaml.safe_load(given)}
    made = Study.from_dict(raw).variants
    assert made[1:] == [Variant(name="residual", residual=True), Variant(name="both", residual=True, layer_norm=True)]
    for words in map(list, COMMANDS):
        overrides = [words[at + 1] for at, word in enumerate(words) if word == "--set" and "variants" in words[at + 1]]
        assert not overrides or len(Study.load(words[2], overrides).variants) == 2


# --- links and names --------------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """Of the headings of a page, as they are linked to."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.stem)
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)]+)\)", page.read_text())
    assert links
    for link in links:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists() and target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.stem)
def test_tests_that_are_named_exist(page: Path) -> None:
    text = page.read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`", text)
    for file, test in named:
        assert (ROOT / file).exists(), file
        assert not test or f"def {test}(" in (ROOT / file).read_text(), f"{file}::{test}"
    rest = re.sub(r"tests/[\w/]+\.py(::test_\w+)?", "", text)
    assert page.stem == "errors" or not re.findall(r"\btest_\w+", rest), "a test is named as `tests/file.py::test_name`"


def test_the_protocol_names_every_check_and_no_other() -> None:
    assert set(re.findall(r"Check\s+`([^`]+)`", TEXT["protocol"])) == set(CHECKS)


def test_every_page_is_short_and_found_from_the_first() -> None:
    for page in DOCS:
        assert page.stem == "index" or f"]({page.name})" in TEXT["index"]
        assert page.stem == "errors" or len(page.read_text().splitlines()) <= LONGEST, page.name


def test_pages_name_no_machine() -> None:
    for page in DOCS:
        assert not re.search(r"https?://|/tmp/|/home/|/root/|/work/", page.read_text()), page.name
    assert "/" not in yaml.safe_load((ROOT / "docs/room/study.yaml").read_text())["tasks"][0]["parameters"]["path"]


# --- what the pages say -----------------------------------------------------------------------------------------------


def test_every_section_of_the_report_is_explained() -> None:
    templates = (ROOT / "benchmark" / "report").glob("*.j2")
    titles = {title for path in templates for title in re.findall(r"<h2[^>]*>([^<]+)</h2>", path.read_text())}
    explained = {title.strip(".") for title in re.findall(r"\*\*([^*]+)\*\*", TEXT["report"])}
    assert len(titles) > 10 and titles <= explained, titles - explained


def signed(folder: Path) -> set[str]:
    """Every difference of a verdict and the ends of its interval, as a page prints them."""
    contrasts = json.loads((folder / "verdict.json").read_text())["contrasts"]
    pairs = [pair for contrast in contrasts for pair in contrast["pairs"]]
    return {f"{pair[end]:+.3f}" for pair in pairs for end in ("difference", "low", "high") if pair[end] is not None}


def test_differences_on_the_report_page_are_the_published_ones() -> None:
    given = set(re.findall(r"[+-]0\.\d{3}", TEXT["report"]))
    assert given and given <= signed(ROOT / "results" / "published" / "laptop")


def test_the_ledger_is_the_ledger() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| ([^|]+) \|", TEXT["claims"], re.MULTILINE)
    rows = [row for row in rows if row[0] not in ("supported", "contradicted", "depends", "undecided")]
    assert rows == [(row.id, row.statement) for row in TABLE]
    assert f"an error of at most {admission.LEVEL}, a margin of at most {admission.MARGIN}" in flat(TEXT["claims"])


def test_what_is_said_of_a_claim_today_is_what_the_published_study_says() -> None:
    """Screens do not count, so the ledger of the one full study is that of all that is published."""
    found = json.loads((ROOT / "results/published/depth_or_width/verdict.json").read_text())["claims"]
    today = re.findall(r"^\| `([a-z-]+)` \|.*\| ([a-z]+) \|$", TEXT["claims"], re.MULTILINE)
    assert today == [(claim["id"], claim["outcome"]) for claim in found]


def test_the_contract_of_an_executor_is_told_in_full() -> None:
    told = set(re.findall(r"^\| `(\w+)", TEXT["extend"], re.MULTILINE))
    promised = {name for name in vars(Executor) if not name.startswith("_")} | set(Executor.__annotations__)
    assert told == promised


# --- the tutorial -----------------------------------------------------------------------------------------------------


def room(folder: Path, rows: int = 3000) -> None:
    """The tutorial's series, by its own lines, in the current folder."""
    (script,) = blocks("tutorial", "python")
    assert "periods=3000" in script
    (folder / "make_room.py").write_text(script.replace("periods=3000", f"periods={rows}"))
    runpy.run_path("make_room.py")


def tutorial(verb: str) -> list[str]:
    """The words of the tutorial's command of that verb."""
    (words,) = [words for words in fenced("tutorial") if words[:2] == ["strata", verb]]
    return words[1:]


def test_what_is_chosen_for_the_tutorials_series(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    room(workspace)
    assert main([*tutorial("sweep"), "--save", "room.yaml"]) == 0
    said = flat(capsys.readouterr().out)
    chosen = blocks("tutorial", "text")[0].splitlines()
    assert len(chosen) == 4 and all(flat(line) in said for line in chosen)
    kept = yaml.safe_load((ROOT / "docs/room/study.yaml").read_text())
    asked = yaml.safe_load((workspace / "room.yaml").read_text())
    assert kept["name"] == "room-temperature" and tutorial("status")[1:] == ["room-temperature"]
    kept.pop("state")
    kept, asked = (Study.from_dict(study).resolved() for study in (kept, asked))  # with keys that came later
    for study in (kept, asked):
        del study["tasks"][0]["parameters"]["path"], study["name"]
    assert kept == asked, "the evidence is that of the command"


@pytest.fixture(scope="module")
def found() -> Findings:
    """What the analysis finds in the tables of the tutorial's run."""
    return judge(ROOT / "docs" / "room").findings


def test_the_tutorials_answer_is_that_of_its_evidence(found: Findings) -> None:
    said = io.StringIO()
    print_findings(found, Console(file=said, width=100))
    answer = flat(blocks("tutorial", "text")[1])
    assert answer and answer in flat(said.getvalue())
    pairs = [pair for contrast in found.contrasts for pair in contrast.pairs]
    differences = {f"{value:+.3f}" for pair in pairs for value in (pair.difference, pair.low, pair.high)}
    prose = re.sub(r"```.*?```", "", TEXT["tutorial"], flags=re.DOTALL)
    given = set(re.findall(r"[+-]0\.\d{3}", prose))
    assert given and given <= differences


def test_the_tutorials_losses_and_rates_are_those_of_its_evidence(found: Findings) -> None:
    one, copy = (next(a for a in found.arms if a.depth == 1 and a.replica == replica) for replica in ("", "aa"))
    (contrast,) = [contrast for contrast in found.contrasts if contrast.role == "natural"]
    assert one.score_mean is not None
    text = flat(TEXT["tutorial"])
    assert f"leaves {1 - contrast.baselines['linear']:.3f} of the loss of a constant answer" in text
    assert f"one layer leaves {1 - one.score_mean:.3f}" in text
    rates = [arm.hyperparameters["learning_rate"] for arm in (one, copy)]
    assert f"a learning rate of {rates[0]:.2g} for one and {rates[1]:.2g} for the other" in text
    scored = [f"{dict(arm.tuning)[rate]:.3f}" for arm in (one, copy) for rate in rates]
    assert "these had scored {} and {} for the one, {} and {} for the other".format(*scored) in text
    widths = {arm.depth: arm.width for arm in found.arms}
    assert f"{widths[1]}, {widths[2]} and {widths[4]} cells a layer" in text
    assert f"Here they became {found.trainings}," in text


@pytest.mark.proof
def test_the_tutorials_commands_run(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order and as they stand, on a shorter series and with a sweep of seconds; only the dashboard is not served."""
    room(workspace, rows=700)
    ran = []
    for program, *words in fenced("tutorial"):
        if program == "strata" and words[0] != "ui":
            ran.append(words[0])
            more = {"sweep": TINY, "export": ["--depth", "1"], "clean": ["--yes"]}.get(words[0], [])
            assert main([*words, *more]) == 0
        elif program == "python" and words[0] != "make_room.py":
            ran.append("predict")
            subprocess.run([sys.executable, *words], check=True)
            assert (workspace / "said.csv").read_text().startswith("time,temperature 1 row ahead")
    assert ran == ["sweep", "status", "report", "export", "predict", "clean"]
    assert not (workspace / "results" / "room-temperature").exists()


# --- files of one's own -----------------------------------------------------------------------------------------------


@pytest.mark.proof
def test_a_file_is_refused_as_the_page_says(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its commands in order, and what each of them says: the lines of the page, in their order."""
    (script,) = blocks("files", "python")
    (workspace / "make_co2.py").write_text(script)
    refused = [line for block in blocks("files", "text") for line in block.splitlines() if line.startswith("strata: ")]
    said = []
    for program, *words in fenced("files"):
        if program == "python":
            subprocess.run([sys.executable, *words], check=True)
        elif (code := main(words)) == 2:
            said.append(capsys.readouterr().err.strip())
        else:
            assert code == 0 and words[-1] == "co2.yaml"
    assert said == refused and len(said) == 5
    made = flat(capsys.readouterr().out)
    assert all(flat(line) in made for line in blocks("files", "text")[-1].splitlines())
    assert (workspace / "co2.yaml").exists()


@pytest.mark.proof
def test_the_readmes_commands_on_a_file_run(workspace: Path) -> None:
    days = pd.date_range("2020-01-01", periods=500)
    close = 100 + np.cumsum(np.random.default_rng(1).standard_normal(500)).round(2)
    pd.DataFrame({"date": days, "close": close}).to_csv("prices.csv", index=False)
    for program, *words in fenced("README"):
        if tuple(words) in OWN_SERIES:
            more = {"sweep": TINY, "export": ["--depth", "1"]}[words[0]]
            assert program == "strata" and main([*words, *more]) == 0
    assert (workspace / "results" / "prices-close" / "export" / "predict.py").exists()
