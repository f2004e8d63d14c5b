"""A study run again: what counts as reproduced, what as noise, and that a doctored study is found out."""

from __future__ import annotations

import dataclasses
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmark import environment, evidence
from benchmark.analysis.outcome import Contrast, Pair
from benchmark.cli import main
from benchmark.evidence import Evidence
from benchmark.reproduce import Comparison, agree, compare, judge, why_not_bits
from benchmark.spec import RunResult, RunSpec
from benchmark.study import Study
from tests.fake_study import conducted, made_up
from tests.studies import tiny_study

SEEDS = 10
HERE = environment.describe()
OTHER = HERE | {"processor": "another"}


def wide(spec: RunSpec, gain: float = -0.1, noise: str = "") -> RunResult:
    """Depth 2 gains `gain` of skill over depth 1 on the teacher, with a little noise from seed to seed."""
    result = made_up(spec)
    if spec.reads_test:
        draw = random.Random(f"{spec.key} {noise}")
        gained = gain if spec.depth == 2 and spec.task == "stacked_teacher" else 0.0
        result.test_loss = 0.5 - 0.9 * gained + 0.01 * draw.random()
    return result


def ten_seeds() -> Study:
    return tiny_study(confirmation={"seeds": SEEDS, "looks": [SEEDS]})


def made(folder: Path, gain: float = -0.1, noise: str = "") -> Evidence:
    """Evidence of a study whose trainings are made up."""
    return evidence.read(conducted(folder, ten_seeds(), lambda spec: wide(spec, gain, noise)))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """The study that is repeated."""
    return made(tmp_path_factory.mktemp("published") / "tiny")


def answers(found: Comparison) -> dict[str, str]:
    """Finding -> what is said of it."""
    return {one.name: one.answer for one in found.findings}


def test_the_same_numbers_are_reproduced_to_the_bit(published: Evidence) -> None:
    found = compare(ten_seeds(), published, published, [HERE, HERE])
    assert set(answers(found).values()) == {"reproduced"} and found.holds
    assert found.promised == "" and found.differing == [] and found.shared == len(published.runs)


def test_other_noise_is_reproduced_where_no_bits_are_promised(published: Evidence, tmp_path: Path) -> None:
    again = made(tmp_path / "again", noise="other")
    found = compare(ten_seeds(), published, again, [OTHER, HERE])
    assert found.holds and answers(found)["stacked_teacher"] == "reproduced"
    assert "processor another there" in found.promised and found.differing


def test_other_bits_on_the_same_machine_are_not_reproduced(published: Evidence, tmp_path: Path) -> None:
    again = made(tmp_path / "again", noise="other")
    found = compare(ten_seeds(), published, again, [HERE, HERE])
    assert not found.holds and "promises the same bits" in found.findings[0].reason


@pytest.mark.parametrize("gain", [0.1, -0.3, 0.0])
def test_a_doctored_study_is_not_reproduced(gain: float, published: Evidence, tmp_path: Path) -> None:
    """Another direction, another size, or none: a smoke study decides nothing, so its numbers are what counts."""
    found = compare(ten_seeds(), published, made(tmp_path / "again", gain), [OTHER, HERE])
    said = answers(found)
    assert said["stacked_teacher"] == "not reproduced" and said["recall"] == "reproduced" and not found.holds
    assert json.loads(json.dumps(found.record(), allow_nan=False))["reproduced"] is False


def pair(difference: float, low: float | None, high: float | None, **more: Any) -> Pair:
    return Pair(
        depth=2, difference=difference, low=low, high=high, p=0.5, p_adjusted=0.5, p_equivalence=0.5, judged="open",
        spread=0.02, differences=[difference] * 4, successes=4, successes_one_layer=4, **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "agrees"),
    [
        (pair(0.00, -0.02, 0.02), pair(0.01, -0.01, 0.03), True),
        (pair(0.00, -0.02, 0.02), pair(0.029, -0.01, 0.06), True),  # within one standard error, 0.01, of the end
        (pair(0.00, -0.02, 0.02), pair(0.031, -0.01, 0.06), False),
        (pair(0.00, -0.05, 0.05), pair(0.03, 0.02, 0.04), False),  # inside the one, but not the other way round
        (pair(0.00, None, None, t_low=-0.04, t_high=0.04), pair(0.03, None, None, t_low=-0.01, t_high=0.07), True),
        (pair(0.00, None, None, t_low=-0.01, t_high=0.01), pair(0.30, None, None, t_low=0.29, t_high=0.31), False),
    ],
)
def test_numbers_agree_inside_both_intervals_and_their_errors(one: Pair, other: Pair, agrees: bool) -> None:
    assert agree(one, other) is agrees is agree(other, one)


def test_verdicts_and_numbers_together_give_the_answer(published: Evidence) -> None:
    """Every row of the rule."""
    base = compare(ten_seeds(), published, published, [OTHER, HERE]).findings[0].there

    def contrast(verdict: Any, *pairs: Pair) -> Contrast:
        depths = [2] if verdict in ("deeper", "wider") else []
        return dataclasses.replace(base, verdict=verdict, depths=depths, pairs=list(pairs))

    near, far = pair(0.01, -0.01, 0.03), pair(0.5, 0.4, 0.6)
    rows = [
        ("deeper", far, "deeper", near, "reproduced"),
        ("undecided", near, "undecided", near, "reproduced"),
        ("undecided", near, "undecided", far, "not reproduced"),
        ("no claim", near, "no claim", far, "not reproduced"),
        ("undecided", near, "no practical difference", near, "within noise"),
        ("deeper", far, "undecided", near, "not reproduced"),
    ]
    for there, mine, here, theirs, expected in rows:
        assert judge(contrast(there, mine), contrast(here, theirs))[0] == expected


def test_bits_are_promised_on_the_same_machine_type_and_versions_only() -> None:
    assert why_not_bits(HERE, HERE) == ""
    newer = HERE | {"packages": HERE["packages"] | {"torch": "9"}}
    assert "torch 9 there" in why_not_bits(newer, HERE)
    assert why_not_bits(HERE | {"packages": HERE["packages"] | {"mlflow": "9"}}, HERE) == ""
    assert "unknown there" in why_not_bits({}, HERE)
    assert why_not_bits(HERE | {"parts": [OTHER]}, HERE) != ""


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.proof
def test_a_study_is_run_again_and_a_doctored_one_found_out(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Published here, so that every bit is promised; then with other numbers. Other machines: the tests above."""
    (workspace / "tiny.yaml").write_text(tiny_study().to_yaml())
    assert main(["sweep", "tiny.yaml", "--workers", "0"]) == 0
    folder = workspace / "published" / "tiny"
    shutil.copytree(workspace / "results" / "tiny", folder)
    (folder / "journal.jsonl").unlink()
    capsys.readouterr()
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["reproduce", str(folder), "--workers", "0"]) == 0
    said = capsys.readouterr().out
    assert "30 of 30 trainings are the same to the bit" in said and "3 reproduced" in said
    part = ["--workers", "0", "--tasks", "recall", "--workspace", "elsewhere", "--json"]
    assert main(["reproduce", str(folder), *part]) == 0
    assert {one["task"] for one in json.loads(capsys.readouterr().out)["findings"]} == {"recall"}
    doctor(folder)
    assert main(["reproduce", str(folder), "--workers", "0", "--json"]) == 1
    found = {one["task"]: one["answer"] for one in json.loads(capsys.readouterr().out)["findings"]}
    assert found["stacked_teacher"] == "not reproduced"


def doctor(folder: Path) -> None:
    """Publish other test losses of the deeper teacher than were measured."""
    runs: pd.DataFrame = evidence.read_table(folder / "runs.parquet", "runs")
    mine = (runs["task"] == "stacked_teacher") & (runs["depth"] == 2)
    runs.loc[mine, "test_loss"] *= 0.01
    evidence.replace_file(folder / "runs.parquet", evidence.parquet(runs))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "is no folder"),
        (["here"], "holds no runs.parquet"),
        (["tiny", "--tasks", "recal"], "has no task 'recal'"),
        (["tiny", "--seeds", "30"], "give 2 to 10"),
    ],
)
def test_what_cannot_be_run_again_is_refused_in_one_line(
    words: list[str], said: str, published: Evidence, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / "here").mkdir()
    conducted(workspace / "tiny", ten_seeds(), stop=2)
    if words[0] == "tiny":
        evidence.write(workspace / "tiny", published)
    assert main(["reproduce", *words]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line and not (workspace / "reproduced").exists()
