"""The page says what verdict.json says, first things first, and needs nothing but itself."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from benchmark.analysis.analyse import analyse
from benchmark.analysis.findings import Findings
from benchmark.report.build import verdict_json
from benchmark.report.page import page
from tests.analysis.fabricate import fabricate
from tests.report.example import example
from tests.report.reading import Reader, numbers_of, strings_of

SCALES = {"": 1, " %": 100, " s": 1, " min": 1 / 60, " h": 1 / 3600, " k": 1e-3, " M": 1e-6, "<": 1, "< %": 100}
"""What the unit behind a number multiplies its value with."""


def read(findings: Findings) -> Reader:
    return Reader(page(findings, {}))


def top(findings: Findings) -> str:
    """What stands above the first heading."""
    return Reader(page(findings, {}).split("<h2")[0] + "</body></html>").text


@pytest.fixture(scope="module")
def analysed() -> Findings:
    return analyse(fabricate())


@pytest.mark.parametrize("made", ["by hand", "by the analysis"])
def test_every_number_is_in_verdict_json(made: str, analysed: Findings) -> None:
    findings = example() if made == "by hand" else analysed
    verdict = verdict_json(findings)
    known, strings = numbers_of(verdict), strings_of(verdict)
    reader = read(findings)
    assert len(reader.numbers) > 300
    for value, text, derived in reader.numbers:
        assert derived or value in known, f"{value} ({text}) is not in verdict.json"
        digits = re.sub(r"[^\d.]", "", text)
        half = 0.5000001 * 10.0 ** -len(digits.partition(".")[2])
        scaled = abs(value) * SCALES[text.strip("−+0123456789.,")]
        assert text in ("<0.001", "<1 %") or abs(float(digits) - scaled) <= half, f"{text} does not read as {value}"
    for text in reader.loose:
        for word in re.findall(r"\S*\d\S*", text):
            assert word.strip(",;:()·") in strings, f"{word} is a number of no data element"


def test_a_row_of_the_pairs_reads_as_the_finding(analysed: Findings) -> None:
    contrast = next(contrast for contrast in analysed.contrasts if contrast.task == "formants")
    rows = read(analysed).rows["pairs"]
    start = next(place for place, row in enumerate(rows) if row[0].startswith("formants"))
    pair = contrast.pairs[0]
    assert pair.difference and pair.low and pair.high and pair.p and pair.p_adjusted and pair.spread
    cells = [cell.replace("−", "-") for cell in rows[start + 1]]
    assert cells[0] == "2"
    assert cells[1] == format(pair.difference, "+.3f")
    assert cells[2] == f"[{pair.low:+.3f}, {pair.high:+.3f}]"
    assert cells[3:5] == [format(pair.p, ".3f"), format(pair.p_adjusted, ".3f")]
    assert cells[7:10] == [pair.judged, format(pair.spread, ".3f"), "10 vs 10"]


def test_gaps_are_scores_minus_the_baseline() -> None:
    findings = example()
    contrast = next(contrast for contrast in findings.contrasts if contrast.task == "equity_variance")
    arms = [arm for arm in findings.arms if arm.task == "equity_variance"]
    gaps = {arm.score_mean - score for arm in arms for score in contrast.baselines.values() if arm.score_mean}
    reader = read(findings)
    derived = {value for value, _, is_derived in reader.numbers if is_derived}
    assert gaps <= derived
    row = next(row for row in reader.rows["other"] if row[0] == "HAR")
    assert row[1] == "0.285"
    assert row[2].replace("−", "-") == format((arms[0].score_mean or 0) - 0.285, "+.3f")


def test_the_page_needs_nothing_but_itself() -> None:
    html = page(example(), {})
    reader = Reader(html)
    assert not re.search(r"https?://|@import|url\(", html)
    assert not reader.tags & {"script", "link", "iframe", "object", "embed"}
    assert all(source.startswith(("#", "data:")) for source in reader.sources)


def test_a_sound_study_opens_with_the_controls_and_then_the_answers(analysed: Findings) -> None:
    text = top(analysed)
    controls = text.index("The instrument sees depth, sees width, and sees nothing where nothing is.")
    natural = [contrast for contrast in analysed.contrasts if contrast.role == "natural"]
    assert len(natural) == 2
    for contrast in natural:
        assert text.count(contrast.sentence) == 1
        assert text.index(contrast.sentence) > controls


def test_a_failed_control_comes_first_and_withholds_the_answer() -> None:
    findings = analyse(fabricate(effects={"two_layer_teacher": {1: 0.5, 2: 0.5, 4: 0.5}}))
    text = top(findings)
    assert text.index("Controls not passed: depth control on two_layer_teacher") < text.index("NOT passed")
    for contrast in findings.contrasts:
        assert contrast.sentence not in text
    assert "Withheld: a control does not hold." in read(findings).text


def test_an_unqualified_control_withholds_a_study_but_not_a_screen() -> None:
    findings = example()
    loose = [dataclasses.replace(control, qualification="not qualified: no table") for control in findings.controls]
    screen = dataclasses.replace(findings, controls=loose)
    assert "Withheld" not in read(screen).text
    assert "Withheld" in read(dataclasses.replace(screen, purpose="study")).text


def test_a_study_without_controls_says_so() -> None:
    assert "the instrument was not checked at this size" in read(example(tasks=["formants"])).text


def test_a_smoke_study_says_no_claim_in_place_of_every_verdict() -> None:
    for findings in (example(purpose="smoke"), analyse(fabricate(purpose="smoke", seeds=2))):
        html = page(findings, {})
        said = re.findall(r'class="verdict">([^<]*)', html)
        assert said
        assert {word.strip(". ") for word in said} == {"no claim"}
        reader = Reader(html)
        assert {row[7] for row in reader.rows["pairs"] if len(row) == 12} == {"judged", "no claim"}
        assert {row[2] for row in reader.rows["controls-table"]} == {"result", "no claim"}


def test_controls_at_several_budgets_say_which() -> None:
    findings = example()
    first, *others = findings.controls
    assert [row[1] for row in Reader(page(findings, {})).rows["controls-table"][1:]] == [
        c.task for c in findings.controls
    ]
    moved = dataclasses.replace(findings, controls=[dataclasses.replace(first, budget=13200), *others])
    assert Reader(page(moved, {})).rows["controls-table"][1][1] == f"{first.task} at 13,200"


def test_strings_are_escaped() -> None:
    nasty = '<b>&"x"</b>'
    findings = example(tasks=["formants"])
    findings = dataclasses.replace(
        findings,
        study=nasty,
        headline=f"headline {nasty}",
        notes=[f"note {nasty}"],
        contrasts=[
            dataclasses.replace(findings.contrasts[0], task=nasty, reason=nasty, unit=nasty, baselines={nasty: 0.1})
        ],
        arms=[dataclasses.replace(arm, task=nasty) for arm in findings.arms],
        failures=[{"key": "k", "arm": nasty, "status": "failed", "error": nasty}],
    )
    html = page(findings, {})
    assert "<b>" not in html
    reader = Reader(html)
    for text in (f"headline {nasty}", f"note {nasty}"):
        assert text in reader.text
    assert ["k", nasty, "failed", nasty] in reader.rows["other"]


def test_what_was_not_measured_is_a_dash_and_an_unbounded_end_is_infinite() -> None:
    findings = example(tasks=["formants"])
    first, second = findings.contrasts[0].pairs
    fields = "difference low high p p_adjusted p_equivalence p_equivalence_adjusted spread t_low t_high"
    nothing: dict[str, Any] = dict.fromkeys([*fields.split(), "second_metric_difference"])
    pairs = [dataclasses.replace(first, **nothing), dataclasses.replace(second, low=None, high=float("inf"))]
    fields = "seconds score_mean score_low score_high score_median clipped_share train_loss validation_loss test_loss"
    bare: dict[str, Any] = dict.fromkeys(fields.split())
    arms = [dataclasses.replace(a, hyperparameters={}, tuning=[], curve=[], scores=[], **bare) for a in findings.arms]
    reader = read(
        dataclasses.replace(findings, contrasts=[dataclasses.replace(findings.contrasts[0], pairs=pairs)], arms=arms)
    )
    rows = [row for row in reader.rows["pairs"] if len(row) == 12][1:]
    assert rows[0][1:7] == ["–"] * 6
    assert rows[1][2] == "(−∞, +∞)"
    arm = [row for row in reader.rows["arms"] if len(row) == 14][1]
    assert arm[4:13] == ["–"] * 9


def test_a_score_without_a_best_is_never_called_skill() -> None:
    html = page(example(tasks=["equity_variance"]), {})
    reader = Reader(html)
    heading = next(row[0] for row in reader.rows["pairs"] if row[0].startswith("equity_variance"))
    assert "relative reduction of qlike" in heading
    assert "10 folds" in heading
    assert "skill" not in " ".join(cell for rows in reader.rows.values() for row in rows for cell in row)


def test_a_second_metric_that_points_the_other_way_is_said() -> None:
    assert "error rate points the other way" in read(example()).text


def test_an_empty_study_still_has_a_page() -> None:
    empty = dataclasses.replace(
        example(tasks=["formants"]), contrasts=[], arms=[], controls=[], notes=[], next_look=None
    )
    assert "No arm was tuned." in read(empty).text


def test_exploratory_is_said_once_at_the_top() -> None:
    findings = dataclasses.replace(example(), exploratory="family changed after looking")
    assert top(findings).lower().count("family changed after looking") == 1
    said = dataclasses.replace(findings, headline=f"Exploratory: family changed after looking. {findings.headline}")
    assert top(said).lower().count("family changed after looking") == 1


def test_unequal_tuning_is_said() -> None:
    findings = example(tasks=["formants"])
    assert "Every depth of a task was asked the same points: 5 learning rates from 0.001 to 0.1" in flat(findings)
    first, *others = findings.arms
    unequal = dataclasses.replace(findings, arms=[dataclasses.replace(first, tuning=first.tuning[1:]), *others])
    assert "Not every depth of a task was asked the same points." in flat(unequal)


def flat(findings: Findings) -> str:
    return " ".join(read(findings).text.split())
