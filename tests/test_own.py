"""A person's own file, from the command line to a network that predicts new rows."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from benchmark import instrument, own, shipped
from benchmark.cli import main
from benchmark.errors import UserError
from benchmark.evidence import read
from benchmark.export import predict
from benchmark.plan import groups
from benchmark.publish import publish
from benchmark.study import Study
from tasks.own.series import OwnSeries
from tests.conftest import ROOT

TINY = [
    "training.validations=2",
    "tasks.0.steps=10",
    "depths=[1, 2]",
]
"""Overrides that make the study one of seconds."""


def prices(path: Path, rows: int = 420, series: int = 1) -> Path:
    """Daily rows with a week and noise, of one shop or several; the file that a person would have."""
    generator = np.random.default_rng(5)
    dates = pd.date_range("2021-01-04", periods=rows, freq="D")
    frames = []
    for at in range(series):
        noise = generator.standard_normal(rows).cumsum() * 0.3
        close = 50 + 10 * at + 5 * np.sin(2 * np.pi * np.arange(rows) / 7) + noise
        frames.append(
            pd.DataFrame({"date": dates, "shop": f"shop {at}", "close": close.round(4), "rain": generator.random(rows)})
        )
    pd.concat(frames).to_csv(path, index=False)
    return path


def sweep(*words: str) -> int:
    sets = [word for text in TINY for word in ("--set", text)]
    return main(["sweep", "--workers", "0", "--time", "date", "--origins", "6", *words, *sets])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which two shops' prices were swept: one study of a fraction of a minute."""
    folder = tmp_path_factory.mktemp("own series")
    prices(folder / "prices.csv", series=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert sweep("--csv", "prices.csv", "--target", "close", "--inputs", "rain", "--series", "shop") == 0
        assert main(["export", "prices-close"]) == 0
    return folder


@pytest.fixture
def copied(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(finished, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


# --- the study --------------------------------------------------------------------------------------------------------


def test_it_ends_in_plain_words(finished: Path) -> None:
    verdict = json.loads((finished / "results" / "prices-close" / "verdict.json").read_text())
    (advice,) = verdict["advice"]
    first, second = advice["words"]  # ten steps of training beat no simple predictor of a clear week
    assert first.startswith("No LSTM is needed: over the simple predictor")
    assert second.startswith(f"If you use one all the same, use {advice['depth']} layer")
    assert advice["baseline"] in ("seasonal naive", "linear")
    assert verdict["headline"].startswith("Instrument not checked at this size: the published controls take")
    assert [(control["kind"], control["gates"]) for control in verdict["controls"]] == [("A/A", False)]
    page = (finished / "results" / "prices-close" / "report.html").read_text()
    order = ["No LSTM is needed", "If you use one all the same", "Instrument not checked at this size"]
    assert sorted(map(page.index, order)) == [page.index(words) for words in order]
    assert "not passed (gates nothing)" in page


def test_folds_are_the_replicates_and_baselines_are_beside(finished: Path) -> None:
    runs = read(finished / "results" / "prices-close").runs
    confirmed = runs[runs["fold"].notna()]
    assert sorted(set(confirmed["fold"])) == list(range(6)) and set(runs["family"]) == {"own"}
    assert {"last value", "seasonal naive", "linear"} == set(json.loads(confirmed["baselines"].iloc[0]))


def test_the_same_command_goes_on_even_when_the_file_has_moved(copied: Path) -> None:
    journal = copied / "results" / "prices-close" / "journal.jsonl"
    before = journal.read_bytes()
    (copied / "elsewhere").mkdir()
    (copied / "prices.csv").rename(copied / "elsewhere" / "moved.csv")
    words = ["--csv", "elsewhere/moved.csv", "--target", "close", "--inputs", "rain", "--series", "shop"]
    assert sweep(*words, "--name", "prices-close") == 0
    assert journal.read_bytes() == before


def test_other_rows_are_other_data(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prices(copied / "prices.csv", rows=430, series=2)
    assert sweep("--csv", "prices.csv", "--target", "close", "--inputs", "rain", "--series", "shop") == 2
    said = capsys.readouterr().err
    assert "the data of task 'close' has changed" in said and said.count("\n") == 1


def test_the_same_study_as_a_file(workspace: Path) -> None:
    """`--save` writes it; its path may be relative to the file's own folder."""
    (workspace / "data").mkdir()
    prices(workspace / "data" / "prices.csv")
    given = own.Asked(path=Path("data/prices.csv"), target="close", time="date", origins=6)
    assert main(["sweep", "--csv", "data/prices.csv", "--target", "close", "--time", "date", "--origins", "6",
                 "--save", "data/mine.yaml"]) == 0  # fmt: skip
    assert not (workspace / "results").exists()
    raw = yaml.safe_load((workspace / "data" / "mine.yaml").read_text())
    raw["tasks"][0]["parameters"]["path"] = "prices.csv"
    (workspace / "data" / "mine.yaml").write_text(yaml.safe_dump(raw))
    written = Study.load(workspace / "data" / "mine.yaml")
    assert written.resolved() == Study.complete(own.study_for(given)[0], workspace, "x").resolved()
    (group,) = groups(written)
    spec = group.spec(group.arms[0], written.points()[0], "tune", 0)
    assert "path" not in spec.task_parameters and Path(spec.task_locations["path"]).is_absolute()
    assert own.command(given) == "--csv data/prices.csv --target close --time date --origins 6"


# --- what is chosen, and what is said -------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "budget", "few"), [(420, 2_000, True), (2_900, 3_000, False), (30_000, 6_000, False)])
def test_the_budget_follows_the_datas_size(workspace: Path, rows: int, budget: int, few: bool) -> None:
    raw, said = own.study_for(own.Asked(path=prices(workspace / "p.csv", rows), target="close", time="date"))
    assert raw["budgets"] == [budget] and raw["depths"] == [1, 2, 4]
    assert any(line.startswith("warning") for line in said) == few
    assert raw["tasks"][0]["parameters"]["season"] == 7 and raw["a_a"] == "close"


def test_many_inputs_take_a_larger_budget_or_lose_depth_4(workspace: Path) -> None:
    frame = pd.read_csv(prices(workspace / "p.csv"))
    extra = pd.DataFrame(np.random.default_rng(1).random((len(frame), 30)), columns=[f"x{i}" for i in range(30)])
    pd.concat([frame, extra], axis=1).to_csv(workspace / "wide.csv", index=False)
    asked = own.Asked(path=workspace / "wide.csv", target="close", inputs=tuple(extra.columns[:8]))
    assert own.study_for(asked)[0]["budgets"] == [3_000]
    wide = own.study_for(own.Asked(path=workspace / "wide.csv", target="close", inputs=tuple(extra.columns)))[0]
    assert (wide["budgets"], wide["depths"]) == ([6_000], [1, 2, 4])


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"budgets": [1400]}, "beyond a factor of 2"),
        ({"budgets": [3000, 6100]}, "this study 6,100: beyond a factor of 2"),
        ({"variants": ["plain", "residual"]}, "plain stacks only"),
        ({"tasks": [{"task": "formants", "steps": 100}]}, "this study 100"),
    ],
)
def test_controls_are_cited_only_where_they_were_seen(changes: dict, why: str) -> None:
    raw = {"name": "x", "tasks": [{"task": "formants", "steps": 2000}], "budgets": [3000], **changes}
    cited = instrument.cite(Study.from_dict(raw))
    assert (why in cited["why_not"]) if why else cited == {**cited, "study": "laptop", "why_not": ""}


def test_a_study_with_controls_cites_none() -> None:
    assert instrument.cite(Study.load("laptop")) == {}


def test_the_cited_controls_are_the_published_ones() -> None:
    published = json.loads((ROOT / "configs" / "instrument.json").read_text())
    assert published
    for found in published:
        assert found == instrument.record(ROOT / "results" / "published" / found["study"])


def test_one_record_a_study_and_the_one_that_fits_is_cited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "folder", lambda: tmp_path)
    small = instrument.record(ROOT / "results" / "published" / "laptop")
    moved = [control | {"budget": budget} for control in small["controls"] for budget in (9_400, 18_800)]
    half = [control for control in moved if (control["kind"], control["budget"]) != ("width", 18_800)]
    file = tmp_path / "instrument.json"
    for found in (small, small | {"study": "large", "controls": half}, small | {"study": "large", "controls": moved}):
        instrument.write(found, file)
    assert [found["study"] for found in json.loads(file.read_text())] == ["laptop", "large"]

    def cited(*budgets: int) -> dict[str, str]:
        raw = {"name": "x", "tasks": [{"task": "formants", "steps": 2000}], "budgets": list(budgets)}
        return instrument.cite(Study.from_dict(raw))

    assert (cited(6_000)["study"], cited(6_000)["why_not"]) == ("laptop", "")
    assert (cited(4_700, 37_600)["study"], cited(4_700, 37_600)["why_not"]) == ("large", "")
    assert cited(40_000)["why_not"].startswith("the published controls have 3,000 parameters, this study 40,000")
    instrument.write(small | {"study": "large", "controls": half}, file)
    assert cited(18_800)["why_not"] == "" and cited(37_600)["why_not"], "the width control was seen at 9,400 only"


def test_a_study_whose_comparison_was_not_fair_is_cited_by_nobody(tmp_path: Path) -> None:
    folder = shutil.copytree(ROOT / "results" / "published" / "laptop", tmp_path / "laptop")
    found = json.loads((folder / "verdict.json").read_text())
    assert [check["passed"] for check in found["checks"]] == [True] * 5
    found["checks"][4] |= {"passed": False, "words": "depth 4 is larger"}
    (folder / "verdict.json").write_text(json.dumps(found))
    with pytest.raises(UserError, match="check of fairness 'equal size' failed \\(depth 4 is larger\\)"):
        publish(folder, tmp_path / "out", tmp_path / "instrument.json")
    assert not (tmp_path / "out").exists() and not (tmp_path / "instrument.json").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--csv", "none.csv", "--target", "close"], "none.csv"),
        (["--csv", "prices.csv", "--target", "clos"], "'close'"),
        (["--csv", "prices.csv", "--target", "shop"], "shop"),
        (["--csv", "prices.csv"], "--target"),
        (["--csv", "prices.csv", "--target", "close", "--window", "4000"], "window"),
        (["--csv", "prices.csv", "--target", "close", "--horizon", "0"], "horizon"),
        (["--csv", "prices.csv", "--target", "close", "--budget", "100"], "--budget is 100"),
        (["laptop", "--csv", "prices.csv", "--target", "close"], "give one of them"),
        (["laptop", "--target", "close"], "--csv"),
        (["laptop", "--horizon", "0"], "--horizon says something of a file"),
        (["laptop", "--missing", "drop"], "--missing says something of a file"),
        (["--csv", "prices.csv", "--target", "close", "--classify", "--level"], "--classify and --level"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    workspace: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    prices(workspace / "prices.csv")
    assert main(["sweep", "--workers", "0", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("strata: ") and error.count("\n") == 1 and said in error, error
    assert [path.name for path in workspace.iterdir()] == ["prices.csv"]


# --- export ----------------------------------------------------------------------------------------------------------


def test_the_exported_file_predicts_what_the_study_predicted(finished: Path) -> None:
    """In a process without Strata: every test row of the last period, in the file's own unit."""
    folder = finished / "results" / "prices-close" / "export"
    assert sorted(path.name for path in folder.iterdir()) == ["network.json", "predict.py", "weights.npz"]
    command = [sys.executable, "-I", str(folder / "predict.py"), str(finished / "prices.csv")]
    done = subprocess.run([*command, "--out", str(finished / "said.csv")], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    said = pd.read_csv(finished / "said.csv")
    settings = json.loads((folder / "network.json").read_text())
    training = settings["training"]
    task = OwnSeries(**{**training["task_parameters"], **training["task_locations"],
                        "inputs_columns": tuple(training["task_parameters"]["inputs_columns"])})  # fmt: skip
    fold = task.fold(training["fold"])
    split, rows = task.data("test", 0, training["fold"]), fold.rows["test"]
    network, _ = predict.load(folder)
    with torch.no_grad():
        outputs = network(torch.from_numpy(split.inputs))[:, 0].numpy()
    assert np.mean((outputs - split.targets) ** 2) == pytest.approx(settings["test_loss"], rel=1e-6)
    offset, unit = task.own_scale(rows, fold.scale)
    # The prediction of row t + horizon stands beside row t; the file has each shop's rows together.
    window, each = task.window, 420
    place = (rows - task.horizon) % each - (window - 1) + ((rows - task.horizon) // each) * (each - window + 1)
    assert said["close 1 row ahead"].to_numpy()[place] == pytest.approx(offset + unit * outputs, rel=1e-6)


def test_new_rows_and_rows_that_do_not_fit(finished: Path, tmp_path: Path) -> None:
    script = finished / "results" / "prices-close" / "export" / "predict.py"

    def run(frame: pd.DataFrame) -> subprocess.CompletedProcess[str]:
        frame.to_csv(tmp_path / "new.csv", index=False)
        return subprocess.run(
            [sys.executable, str(script), str(tmp_path / "new.csv")], capture_output=True, text=True, check=False
        )

    new = pd.read_csv(prices(tmp_path / "p.csv", rows=20, series=2))
    assert run(new).stdout.splitlines()[0] == "date,shop,close 1 row ahead"
    for frame, said in [
        (new.drop(columns="rain"), "no column 'rain'"),
        (new.assign(shop="shop 9"), "'shop 9' was not in the training data"),
        (new.head(3), "too short"),
        (new.assign(rain=np.nan), "missing"),
    ]:
        done = run(frame)
        assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1


def test_export_refuses_in_one_line(finished: Path, copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "prices-close", "--depth", "7"]) == 2
    assert "its depths: 1, 2" in capsys.readouterr().err
    was = (finished / "prices.csv").read_bytes()  # the journal says where the data lay
    prices(finished / "prices.csv", rows=430, series=2)
    assert main(["export", "prices-close", "--depth", "1"]) == 2
    (finished / "prices.csv").write_bytes(was)
    assert "the data of task own_series have changed" in capsys.readouterr().err


@pytest.mark.proof
def test_classes_from_the_file_to_new_rows(workspace: Path) -> None:
    frame = pd.read_csv(prices(workspace / "moves.csv"))
    frame["move"] = np.where(frame["close"].diff().fillna(0) > 0, "up", "down")
    frame.to_csv("moves.csv", index=False)
    assert sweep("--csv", "moves.csv", "--target", "move", "--inputs", "close", "--classify") == 0
    assert main(["export", "moves-move", "--depth", "2"]) == 0
    folder = workspace / "results" / "moves-move" / "export"
    command = [sys.executable, str(folder / "predict.py"), "moves.csv", "--out", "said.csv"]
    assert subprocess.run(command, check=False).returncode == 0
    said = pd.read_csv("said.csv")
    network, settings = predict.load(folder)
    parameters = settings["training"]["task_parameters"] | settings["training"]["task_locations"]
    task = OwnSeries(**parameters | {"inputs_columns": ("close",)})
    split, rows = task.data("test", 0, 5), task.fold(5).rows["test"]
    with torch.no_grad():
        odds = torch.softmax(network(torch.from_numpy(split.inputs)), dim=1)
    beside = said.iloc[rows - task.horizon - (task.window - 1)]
    assert beside["probability"].to_numpy() == pytest.approx(odds.max(dim=1).values.numpy(), rel=1e-5)
    assert beside["move 1 row ahead"].tolist() == [task.table().classes[at] for at in odds.argmax(dim=1).tolist()]
