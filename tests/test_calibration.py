"""The simulated studies are what they say, are judged as a person's are, and an analysis that errs is shown to err."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as some
from rich.console import Console
from scipy import stats

from benchmark.analysis import contrasts
from benchmark.analysis.analyse import analyse
from benchmark.analysis.decisions import decisions
from benchmark.analysis.outcome import Contrast
from benchmark.analysis.signflip import max_t
from benchmark.calibration import run, simulate, study, table
from benchmark.calibration.scenarios import COUNTED, MARGIN, SCENARIOS, Scenario, named
from benchmark.cli import main
from benchmark.errors import UserError
from benchmark.evidence import TABLES, Evidence
from tests.conftest import ROOT

DOCUMENT = (ROOT / "benchmark" / "CALIBRATION.md").read_text()
PAIR = Scenario(
    name="pair",
    truth="no effect, two depths",
    counted=("pair", "verdict"),
    depths=(1, 2),
    effects=(0.0, 0.0),
    spreads=(1.0, 1.0),
    failures=(0.0, 0.0),
)
"""The cheapest study."""
QUIET = Console(quiet=True)


def small(scenario: Scenario) -> Scenario:
    """The same with few contrasts, so that it is quick."""
    return dataclasses.replace(scenario, contrasts=min(3, scenario.contrasts))


# --- what is simulated ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["selection", "unequal-failures", "looks-hidden"])
def test_a_study_is_a_pure_function_of_its_number_and_fits_the_schema(name: str) -> None:
    scenario = named(name)
    first, again, other = (simulate.simulate(scenario, number) for number in (7, 7, 8))
    for kind, schema in TABLES.items():
        frame = getattr(first, kind)
        pd.testing.assert_frame_equal(frame, getattr(again, kind))
        assert {column: str(dtype) for column, dtype in frame.dtypes.items()} == schema
    assert not first.runs["test_loss"].equals(other.runs["test_loss"])
    assert first.study == again.study
    assert first.runs["key"].is_unique


@pytest.mark.parametrize("law", ["normal", "t3", "skewed"])
def test_paired_differences_scatter_as_the_scenario_says(law: Literal["normal", "t3", "skewed"]) -> None:
    scenario = dataclasses.replace(named("unequal-variances"), law=law, contrasts=6000, spread=0.1)
    noise = simulate._noise(scenario, np.random.default_rng(1))
    differences = noise[:, 1:] - noise[:, :1]
    expected = 0.1 * np.sqrt((1 + np.array([4, 9])) / 2)
    np.testing.assert_allclose(differences.std(axis=(0, 2)), expected, rtol=0.05)
    assert np.abs(differences.mean(axis=(0, 2))).max() < 0.005
    # Only where noise is skewed and unequal is a difference as likely to turn out either way no longer.
    assert (np.median(differences[:, 1]) > 0.02) == (law == "skewed")


@pytest.mark.parametrize(
    ("name", "near", "far"), [("correlated-neighbours", 0.5, 0.5**4), ("correlated-blocks", 0.3, 0.3)]
)
def test_seeds_correlate_as_the_scenario_says(name: str, near: float, far: float) -> None:
    scenario = dataclasses.replace(named(name), contrasts=8000)
    noise = simulate._noise(scenario, np.random.default_rng(2))
    differences = noise[:, 1] - noise[:, 0]
    found = np.corrcoef(differences.T)
    np.testing.assert_allclose([found[0, 1], found[0, 4]], [near, far], atol=0.04)
    if name == "correlated-blocks":
        assert abs(found[4, 5]) < 0.04, "blocks are independent"


def test_runs_diverge_as_often_as_the_scenario_says_and_only_confirmed_ones() -> None:
    scenario = dataclasses.replace(named("unequal-failures"), contrasts=150)
    runs = simulate.simulate(scenario, 0)
    rows = runs.members.merge(runs.runs[["key", "status", "test_loss"]], on="key")
    diverged = rows["status"] == "diverged"
    assert not diverged[rows["phase"] != "confirm"].any()
    assert rows.loc[diverged, "test_loss"].isna().all()
    shares = diverged[rows["phase"] == "confirm"].groupby(rows["depth"]).mean()
    np.testing.assert_allclose(shares.to_numpy(), scenario.failures, atol=0.04)


def test_tuning_noise_makes_arms_miss_the_best_rate_and_the_loss_follows_them() -> None:
    """The confirmed score is the chosen point's own, and the analysis reads the same choice off the tuning rows."""
    for name, all_best in (("null", True), ("selection", False)):
        scenario = dataclasses.replace(named(name), contrasts=60, spread=1e-9)
        whole = simulate.simulate(scenario, 0)
        rows = whole.members.merge(whole.runs[["key", "test_loss", "learning_rate"]], on="key")
        confirm = rows[rows["phase"] == "confirm"]
        assert (confirm["point"] == simulate.PEAK).all() == all_best
        points = confirm["point"].to_numpy(dtype=int)
        scores = simulate.TRIVIAL - confirm["test_loss"].to_numpy(dtype=float)
        np.testing.assert_allclose(scores, 0.6 - scenario.penalty * (points - simulate.PEAK) ** 2, atol=1e-6)
        assert confirm["learning_rate"].tolist() == [simulate.RATES[point] for point in points]
    notes = analyse(simulate.simulate(small(named("selection-steep")), 3)).notes
    assert not [note for note in notes if "another setting" in note]


def test_each_look_reads_the_seeds_that_it_may() -> None:
    expected = {
        "looks-declared": [(10, 0.025, False), (20, 0.025, False)],
        "looks-undeclared": [(10, 0.05, False), (15, 0.05, True), (20, 0.05, True), (25, 0.05, True)],
        "looks-hidden": [(10, 0.05, False), (15, 0.05, False), (20, 0.05, False), (25, 0.05, False)],
    }
    for name, looks in expected.items():
        scenario = named(name)
        found = [analyse(seen) for seen in simulate.looks(scenario, simulate.simulate(scenario, 0))]
        assert [(one.look.seeds, one.look.alpha, bool(one.exploratory)) for one in found] == looks
        units = [one.contrasts[0].seeds for one in found]
        assert units == ([10, 5, 10, 15] if name == "looks-undeclared" else [look[0] for look in looks])


# --- what is counted --------------------------------------------------------------------------------------------------


def planted(*effects: float) -> tuple[Scenario, list[Contrast]]:
    """A scenario almost without noise, and what is found in it."""
    scenario = Scenario(name="planted", truth="", counted=(), effects=effects, spread=0.002)
    return scenario, analyse(simulate.simulate(scenario, 0)).contrasts


@pytest.mark.parametrize(
    ("effects", "otherwise", "true", "wrong"),
    [
        ((0, 0, 2), (0, 0, 0), {"finds deeper"}, {"pair", "verdict", "deeper", "interval"}),
        ((0, 0, -2), (0, 0, 0), set(), {"pair", "verdict", "interval"}),
        ((0, 0, 0), (0, 0, 1), {"finds nothing"}, {"equivalent", "nothing", "interval"}),
        ((0, 2, 0), (0, 0, 2), {"finds deeper"}, {"pair", "verdict", "deeper", "equivalent", "interval"}),
    ],
)
def test_events_are_counted_against_the_truth(
    effects: tuple[float, ...], otherwise: tuple[float, ...], true: set[str], wrong: set[str]
) -> None:
    """`otherwise` is a truth under which the same findings are errors."""
    scenario, contrasts = planted(*effects)
    errors = {name for name, counted in COUNTED.items() if counted.nominal is not None}
    happens = {name for name, counted in COUNTED.items() if counted.happens(scenario, contrasts)} - {"interval"}
    assert happens == true
    other = dataclasses.replace(scenario, effects=otherwise)
    assert {name for name in errors if COUNTED[name].happens(other, contrasts)} == wrong


def test_contrasts_without_an_effect_stay_without() -> None:
    scenario = named("planted-some")
    assert [scenario.effect(task, 4) for task in scenario.tasks] == [2.0] * 5 + [0.0] * 5
    assert {scenario.effect(task, 2) for task in scenario.tasks} == {0.0}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_scenario_runs_through(scenario: Scenario) -> None:
    assert set(scenario.counted) <= set(COUNTED)
    found = study.happened(small(scenario), study.CHECKED)  # the first that is not written to files
    assert set(found) <= set(scenario.counted)


def test_an_analysis_that_errs_is_shown_to_err(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """p-values a fifth of what they are, and intervals to match."""
    monkeypatch.setattr(study, "CHECKED", 0)
    studies = 24

    def row() -> table.Row:
        found = run.calibrate([PAIR], studies, 0, tmp_path, QUIET)
        return table.rows([PAIR], found)[0]

    sound = row()
    assert sound.studies == studies and sound.remark == ""

    def planted_bug(differences: np.ndarray, alpha: float) -> object:
        return dataclasses.replace(max_t(differences, 5 * alpha), p=max_t(differences, alpha).p / 5)

    monkeypatch.setattr(contrasts, "max_t", planted_bug)
    (tmp_path / run.FILE).unlink()
    wrong = row()
    assert wrong.rate > 2 * 0.05 and wrong.remark == table.LIMIT
    assert table.LIMIT in table.markdown([wrong])


# --- the same code as a person's --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["selection", "unequal-failures", "looks-undeclared"])
def test_the_first_studies_are_judged_through_files_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[int] = []

    def compare(seen: Evidence, contrasts: list[Contrast]) -> None:
        real(seen, contrasts)
        checked.append(seen.study["state"]["look"])

    real = study.compare
    monkeypatch.setattr(study, "compare", compare)
    scenario = named(name)
    study.happened(scenario, study.CHECKED - 1)
    assert checked and checked == list((scenario.looks or (scenario.seeds,))[: len(checked)])


def test_a_deciding_part_that_decides_otherwise_is_an_error() -> None:
    seen = simulate.simulate(PAIR, 0)
    contrasts = list(decisions(seen).contrasts)
    study.compare(seen, contrasts)
    with pytest.raises(RuntimeError, match="decides otherwise"):
        study.compare(seen, [dataclasses.replace(contrasts[0], verdict="deeper")])


def test_files_that_say_anything_else_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    real = study.through_files

    def other(seen: object) -> dict[str, object]:
        found = real(seen)  # type: ignore[arg-type]
        found["contrasts"][0]["pairs"][0]["p"] += 1e-15  # type: ignore[index]
        return found

    monkeypatch.setattr(study, "through_files", other)
    with pytest.raises(RuntimeError, match="pair: .* differs .* in contrasts$"):
        study.happened(PAIR, 0)


# --- kept, and gone on with -------------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of the studies simulated; every third has a wrong pair."""
    numbers: list[int] = []

    def quick(scenario: Scenario, number: int) -> list[str]:
        numbers.append(number)
        return ["pair"] if number % 3 == 0 else []

    monkeypatch.setattr(run, "happened", quick)
    return numbers


def test_a_killed_run_goes_on(asked: list[int], tmp_path: Path) -> None:
    whole = run.calibrate([PAIR], 9, 0, tmp_path, QUIET)
    assert asked == list(range(9)) and run.stored(tmp_path, [PAIR]) == whole
    assert run.calibrate([PAIR], 9, 0, tmp_path, QUIET) == whole and len(asked) == 9
    path = tmp_path / run.FILE
    path.write_text(path.read_text()[:-3])  # killed within the last line
    assert run.calibrate([PAIR], 12, 0, tmp_path, QUIET)["pair"] == {n: ["pair"] * (n % 3 == 0) for n in range(12)}
    assert asked[9:] == [8, 9, 10, 11]
    assert len(path.read_text().splitlines()) == 13


def test_looks_get_ten_times_the_studies(asked: list[int], tmp_path: Path) -> None:
    run.calibrate([named("looks-hidden"), named("null")], 2, 0, tmp_path, QUIET)
    assert asked == [*range(20), 0, 1]


def test_what_decides_a_study_decides_whether_it_is_counted(
    asked: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.calibrate([PAIR], 3, 0, tmp_path, QUIET)
    reworded = dataclasses.replace(PAIR, truth="in other words")
    assert len(run.stored(tmp_path, [reworded])["pair"]) == 3
    assert run.stored(tmp_path, [dataclasses.replace(PAIR, spread=0.2)]) == {"pair": {}}
    sources = study.sources(PAIR)
    for name in ("max_t", "rule", "holm", "choose", "simulate", "_wrong_pair"):
        assert sum(f"def {name}(" in text for text in sources) == 1, name
    assert not any('"""' in text for text in sources), "wording decides nothing"
    monkeypatch.setattr(run, "sources", lambda scenario: [*sources[:-1], "other code"])
    assert run.stored(tmp_path, [PAIR]) == {"pair": {}}


def test_processes_find_what_this_one_finds(tmp_path: Path) -> None:
    there = run.calibrate([PAIR], 2, 1, tmp_path / "there", QUIET)
    assert there == {"pair": {number: study.happened(PAIR, number) for number in range(2)}}


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "scenario,identity,study,happened\npair,ID,x,\n", "\x00\n"])
def test_another_file_in_its_place_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / run.FILE).write_text(content.replace("ID", run.identity(PAIR)))
    with pytest.raises(UserError, match=r"calibration\.csv is not as .* move it away"):
        run.stored(tmp_path, [PAIR])


def test_a_second_run_is_refused(asked: list[int], tmp_path: Path) -> None:
    with FileLock(tmp_path / f"{run.FILE}.lock"), pytest.raises(UserError, match="another `strata calibrate`"):
        run.calibrate([PAIR], 1, 0, tmp_path, QUIET)
    assert asked == []


# --- the table --------------------------------------------------------------------------------------------------------


@given(some.integers(1, 10_000).flatmap(lambda n: some.tuples(some.integers(0, n), some.just(n))))
def test_the_interval_is_wilsons(counts: tuple[int, int]) -> None:
    expected = stats.binomtest(*counts).proportion_ci(method="wilson")
    assert table.wilson(*counts) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(
    ("nominal", "happened", "remark"),
    [
        (0.05, 50, ""),
        (0.05, 62, ""),
        (0.05, 80, table.ABOVE),
        (0.05, 100, table.ABOVE),
        (0.05, 101, table.LIMIT),
        (None, 900, ""),
    ],
)
def test_a_rate_over_twice_nominal_is_named_a_limit(nominal: float | None, happened: int, remark: str) -> None:
    row = table.Row("some", "no effect", 1, "an error", nominal, 1000, happened)
    assert row.remark == remark == table.record(row)["remark"]
    assert (table.LIMIT in table.markdown([row])) == (remark == table.LIMIT)


def verb(capsys: pytest.CaptureFixture[str], folder: Path, *options: str) -> tuple[int, str, str]:
    code = main(["calibrate", "--workspace", str(folder), "--workers", "0", *options])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_verb_prints_the_same_rows_in_every_form(
    asked: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = verb(capsys, tmp_path, "--studies", "9", "--scenario", "null", "--json")
    rows = json.loads(out)
    assert code == 0 and [row["happened"] for row in rows] == [3, 0, 0] and asked == list(range(9))
    assert rows[0]["rate"] == 3 / 9 and rows[0]["remark"] == table.LIMIT and rows[0]["nominal"] == 0.05
    code, out, _ = verb(capsys, tmp_path, "--studies", "0", "--markdown")
    assert code == 0 and len(out.splitlines()) == 2 + 3, "only what is kept"
    assert "| 9 | 33.33% | 12.06% to 64.58% | above twice nominal: a limit |" in out
    code, out, _ = verb(capsys, tmp_path, "--studies", "0")
    assert code == 0 and len(asked) == 9
    header, scenario, first, *others = out.splitlines()
    assert scenario == "null: no effect; contrasts 1, studies 9" and len(others) == 2
    assert first.split()[:5] == ["33.33%", "12.06%", "to", "64.58%", "5.0%"] and first.endswith(f"({table.LIMIT})")
    assert header.index("counted") == first.index("a pair")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--scenario", "nul"], "no scenario 'nul': there are null, null-usual"),
        (["--studies", "-1"], "--studies is -1"),
        (["--workers", "-1"], "--workers is -1"),
        (["--json", "--markdown"], "--json and --markdown were given"),
    ],
)
def test_what_cannot_be_asked_is_one_line(
    options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, error = verb(capsys, tmp_path, *options)
    assert code == 2 and not out and error.count("\n") == 1 and said in error


def test_stopped_it_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> Callable[[], None]:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "happened", stop)
    code, _, error = verb(capsys, tmp_path, "--scenario", "null")
    assert code == 130 and "Go on with the same command" in error


def test_the_document_holds_a_table_that_the_verb_prints() -> None:
    lines = DOCUMENT.split("<!-- table: strata calibrate --markdown -->\n")[1].split("\n<!-- /table -->")[0].split("\n")
    assert lines[:2] == table.markdown([]).split("\n")
    shown = ""
    for line in lines[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert len(cells) == 9
        shown = cells[0].strip("`") or shown
        scenario = named(shown)
        if cells[0]:
            assert cells[1:3] == [scenario.truth, f"{scenario.contrasts}"]
        (event,) = [name for name in scenario.counted if COUNTED[name].words == cells[3]]
        studies, rate = int(cells[5].replace(",", "")), float(cells[6].rstrip("%")) / 100
        happened = round(rate * studies)
        counted = COUNTED[event]
        row = table.Row(shown, scenario.truth, scenario.contrasts, counted.words, counted.nominal, studies, happened)
        assert cells[4:] == [*table.cells(row), row.remark], "rate, interval and number of studies belong together"
    names = re.findall(r"^\| `([\w-]+)`", "\n".join(lines), re.MULTILINE)
    assert names == [scenario.name for scenario in SCENARIOS if scenario.name in names]
    assert MARGIN == 0.02 and "0.02" in DOCUMENT


def test_what_the_document_says_is_in_its_table() -> None:
    """Enough studies of every scenario, no rate above nominal where the conditions hold, and every limit named."""
    rates: dict[str, dict[str, tuple[int, float]]] = {}
    shown = ""
    written = DOCUMENT.split("<!-- table: strata calibrate --markdown -->\n")[1].split("\n<!-- /table -->")[0]
    for line in written.split("\n")[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        shown = cells[0].strip("`") or shown
        rates.setdefault(shown, {})[cells[3]] = int(cells[5].replace(",", "")), float(cells[6].rstrip("%")) / 100
    assert list(rates) == [scenario.name for scenario in SCENARIOS]
    for scenario in SCENARIOS:
        assert all(studies >= 1_000 * scenario.times for studies, _ in rates[scenario.name].values())
    sound = [name for name in rates if name.startswith("null")]
    sound += ["heavy-tails", "unequal-variances", "equal-failures", "looks-declared"]
    for name in sound:
        assert all(rate <= 0.05 for _, rate in rates[name].values()), name
    nominal = {counted.words: counted.nominal for counted in COUNTED.values()}
    limits = {
        name
        for name, row in rates.items()
        for words, (_, rate) in row.items()
        if (allowed := nominal[words]) is not None and rate > 2 * allowed
    }
    assert limits == {
        *("unequal-failures", "unequal-failures-usual", "correlated-neighbours", "correlated-blocks"),
        *("selection-steep", "selection-steep-study", "looks-undeclared", "looks-hidden"),
    }
    right = COUNTED["finds deeper"].words
    assert rates["planted-two"][right][1] > 0.99 and 0.4 < rates["planted-one"][right][1] < 0.6
    assert rates["planted-equivalence"][COUNTED["finds nothing"].words][1] > 0.99
