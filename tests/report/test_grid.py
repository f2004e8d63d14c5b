"""A study of several sizes: the grid draws every contrast, and the page tells it in few lines and folds the rest."""

from __future__ import annotations

import dataclasses
import re
from xml.etree import ElementTree

from matplotlib.figure import Figure

from benchmark.analysis.findings import Findings
from benchmark.report import words
from benchmark.report.differences import controls
from benchmark.report.grid import SHORT, grid, is_large
from benchmark.report.page import page
from benchmark.report.style import NARROW, WIDTH
from benchmark.report.summary import line, summaries, tallies
from tests.report.example import example
from tests.report.reading import Reader


def enlarged(findings: Findings, budgets: tuple[int, ...] = (3000, 6000, 12_000, 24_000)) -> Findings:
    """The same contrasts and arms at every budget and at both matches."""
    places = [(budget, match) for budget in budgets for match in ("parameters", "state")]
    return dataclasses.replace(
        findings,
        contrasts=[dataclasses.replace(c, budget=b, match=m) for b, m in places for c in findings.contrasts],
        arms=[dataclasses.replace(arm, budget=b, match=m) for b, m in places for arm in findings.arms],
    )


def test_every_verdict_stands_in_its_cell() -> None:
    findings = enlarged(example())
    said = [text.get_text() for axes in grid(findings).figure.axes for text in axes.texts]
    for verdict in ("deeper", "undecided"):
        wanted = sum(c.verdict == verdict and c.role == "natural" for c in findings.contrasts)
        assert wanted == 8 and said.count(SHORT.get(verdict, (verdict,))[0]) == wanted


def test_what_is_judged_is_a_shape_and_an_open_one_is_hollow() -> None:
    figure = grid(enlarged(example(tasks=["formants"]))).figure
    marks = [line for axes in figure.axes for line in axes.lines if str(line.get_marker()) in "^vso"]
    assert [mark.get_marker() for mark in marks] == ["^", "o"] * 8  # depth 2 better, depth 4 open
    assert {str(mark.get_markerfacecolor()) for mark in marks if mark.get_marker() == "o"} == {"white"}


def test_it_is_drawn_anew_for_a_telephone_and_the_same_every_time() -> None:
    drawn = grid(enlarged(example(tasks=["formants"])))
    assert drawn == grid(enlarged(example(tasks=["formants"]))) and drawn.figure.get_figwidth() == WIDTH
    width = ElementTree.fromstring(drawn.narrow).attrib["width"]
    assert float(width.removesuffix("pt")) == NARROW * 72


def test_a_missing_size_and_an_unbounded_end_are_drawn() -> None:
    findings = enlarged(example(tasks=["formants"]))
    first, *others = findings.contrasts
    pairs = [dataclasses.replace(pair, low=None, high=float("inf")) for pair in others[0].pairs]
    pairs[0] = dataclasses.replace(pairs[0], difference=None)
    odd = dataclasses.replace(findings, contrasts=[dataclasses.replace(others[0], pairs=pairs), *others[1:]])
    texts = [text.get_text() for axes in grid(odd).figure.axes for text in axes.texts]
    assert first not in odd.contrasts and texts.count(words.ABSENT) == 2


def test_controls_stand_apart_and_a_small_study_has_no_grid() -> None:
    assert not is_large(example()) and controls(example()) is None
    assert is_large(enlarged(example())) and controls(enlarged(example(tasks=["recall"]), (3000,))) is None
    found = controls(enlarged(example(), (3000,)))
    assert found is not None and found.name == "controls"


def test_a_copy_of_one_layer_has_a_row_and_a_mark_of_its_own() -> None:
    findings = enlarged(example(), (3000,))
    found = controls(findings)
    assert found is not None
    copies = {contrast.task for contrast in findings.contrasts if contrast.role == "A/A"}
    titles = {
        text.get_text().replace("\n", " ").replace("_ ", "_") for axes in found.figure.axes for text in axes.texts
    }
    assert copies and {f"A/A on {task}" for task in copies} <= {title.rstrip("*") for title in titles}
    assert "A/A: one layer against its own copy" in foot(found.figure)
    assert "A/A" not in foot(grid(findings).figure)


def test_a_copy_alone_stands_on_its_margin() -> None:
    findings = enlarged(example(), (3000,))
    alone = [contrast for contrast in findings.contrasts if contrast.role in ("natural", "A/A")]
    found = controls(dataclasses.replace(findings, contrasts=alone))
    assert found is not None
    band = found.figure.axes[0].collections[0].get_paths()[0].get_extents()
    mark = next(line for line in found.figure.axes[0].lines if str(line.get_marker()) in "^vso")
    assert band.x0 < mark.get_path().get_extents().x0 < band.x1


def foot(figure: Figure) -> str:
    """What stands below a picture."""
    return str(figure.get_supxlabel())


def test_a_star_is_explained_where_there_is_one() -> None:
    findings = enlarged(example())
    skilled = [dataclasses.replace(contrast, score="skill") for contrast in findings.contrasts]
    assert "* in relative reduction" not in foot(grid(dataclasses.replace(findings, contrasts=skilled)).figure)
    reduced = [dataclasses.replace(contrast, score="relative reduction") for contrast in findings.contrasts]
    assert "* in relative reduction" in foot(grid(dataclasses.replace(findings, contrasts=reduced)).figure)


def test_what_is_withheld_stands_above_the_marks() -> None:
    findings = enlarged(example())
    failing = [dataclasses.replace(control, passed=False) for control in findings.controls]
    figure = grid(dataclasses.replace(findings, controls=failing)).figure
    assert figure.legends[0].get_title().get_text() == "withheld: a control does not hold"
    shown = controls(dataclasses.replace(findings, controls=failing))
    assert shown is not None and shown.figure.legends[0].get_title().get_text() == ""


def test_a_line_a_task_and_a_count_a_match() -> None:
    findings = enlarged(example())
    assert tallies(findings)[0] == "At equal parameters, 8 verdicts on 2 tasks at 4 sizes: 4 deeper, 4 undecided."
    formants = next(one for one in summaries(findings) if one.task == "formants")
    everywhere = [3000, 6000, 12_000, 24_000]
    assert formants.matches == [
        ("equal parameters", [("deeper (2 layers)", everywhere)]), ("equal state", [("deeper (2 layers)", everywhere)])
    ]  # fmt: skip
    assert tallies(example()) == []
    at_all = "deeper (2 layers) at 3,000, 6,000, 12,000 and 24,000"
    two, four = (f"{pair.difference:+.3f}" for pair in findings.contrasts[0].pairs)
    told = f"{at_all} (2 layers {two}, 4 layers {four})"
    assert line(formants) == f"formants: at equal parameters {told}; at equal state {told}."
    other = dataclasses.replace(findings.contrasts[0].pairs[0], difference=0.5)
    first = dataclasses.replace(findings.contrasts[0], pairs=[other, *findings.contrasts[0].pairs[1:]])
    changed = dataclasses.replace(findings, contrasts=[first, *findings.contrasts[1:]])
    assert f"(2 layers {two} to +0.500, 4 layers {four})" in line(summaries(changed)[0])


def test_the_page_of_a_large_study_folds_what_is_long() -> None:
    html = page(enlarged(example()), {})
    reader = Reader(html)
    assert "deeper (2 layers) at 3,000, 6,000, 12,000 and 24,000; at equal state" in " ".join(reader.text.split())
    unfolded = re.sub(r"<details.*?</details>", "", html, flags=re.DOTALL)
    assert len(Reader(unfolded).numbers) < 40 < len(reader.numbers)
    assert "<details" not in page(example(), {})
