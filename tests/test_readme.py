"""The README is true: its answer is the published one, its commands and links exist."""

from __future__ import annotations

import functools
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmark.analysis.analyse import analyse
from benchmark.analysis.findings import Findings
from benchmark.cli import app
from benchmark.evidence import read
from benchmark.recommend.check import check
from benchmark.recommend.published import load
from benchmark.report.build import verdict_json
from benchmark.report.terminal import print_verdict
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()
PUBLISHED = ROOT / "results" / "published"
ANSWER = "depth_or_width"
"""The published study that today's answer is from; all others are screens."""


@functools.cache
def analysed(folder: Path) -> Findings:
    """What the published evidence says; some of it takes a while."""
    return analyse(read(folder))


def verdicts(study: str) -> Any:
    """The verdict.json of a published study."""
    return json.loads((PUBLISHED / study / "verdict.json").read_text())


def test_the_answer_is_what_the_command_says() -> None:
    """`strata analyse results/published/depth_or_width` up to its table, word for word; nothing else."""
    answer = README.split("<!-- answer -->")[1].split("<!-- /answer -->")[0]
    said = io.StringIO()
    print_verdict(analysed(PUBLISHED / ANSWER), Console(file=said, width=118))
    assert " ".join(answer.replace("**", "").split()) == " ".join(said.getvalue().split())


def test_all_other_published_studies_are_screens() -> None:
    purposes = {path.parent.name: verdicts(path.parent.name)["purpose"] for path in PUBLISHED.glob("*/verdict.json")}
    assert {study for study, purpose in purposes.items() if purpose == "study"} == {ANSWER}
    assert {study for study, purpose in purposes.items() if purpose == "screen"} == {*SCREENS, "phase"}


def test_the_plain_words_hold_of_the_published_numbers() -> None:
    text = " ".join(README.split())
    found = verdicts(ANSWER)
    natural = [contrast for contrast in found["contrasts"] if contrast["role"] == "natural"]
    assert not any(contrast["verdict"] == "deeper" for contrast in natural)
    for match, words in (
        ("parameters", "two layers lie between {} and {} of one"),
        ("state", "all, between {} and {}."),
    ):
        two = [p["difference"] for c in natural if c["match"] == match for p in c["pairs"] if p["depth"] == 2]
        assert words.format(f"{min(two):+.3f}", f"{max(two):+.3f}") in text
    assert f"{found['trainings']:,} trainings, {found['seconds'] / 3600:.1f} hours in all" in text


def test_the_timescales_told_are_the_published_ones() -> None:
    """Of two layers on natural tasks, hidden states: what training did, and how the stacks began."""
    natural = {contrast["task"] for contrast in verdicts(ANSWER)["contrasts"] if contrast["role"] == "natural"}
    mine = [one for one in verdicts(ANSWER)["timescales"] if one["task"] in natural and one["depth"] == 2]
    hidden = [next(each for each in one["separations"] if each["state"] == "h") for one in mine]
    assert {each["answer"] for each in hidden} == {"faster"} and {len(one["seeds"]) for one in mine} == {10}

    def slower(one: Any, network: str) -> float:
        first, second = (
            trace["half_life"]["value"]
            for trace in sorted(one["traces"], key=lambda trace: trace["layer"])
            if (trace["state"], trace["network"]) == ("h", network)
        )
        return second / first

    untrained = [slower(one, "untrained") for one in mine]
    assert all(slower(one, "trained") > 1 for one in mine)
    text = " ".join(README.split())
    assert f"in an untrained stack it is {min(untrained):.0f} to {max(untrained):.0f} times as slow" in text
    ratios = [each["ratio"] for each in hidden]
    assert (
        f"all {len(mine)} sizes: the ratio of the two half-lives fell to {min(ratios):.2f} to {max(ratios):.2f}" in text
    )


def test_how_often_a_recommendation_would_have_been_right_is_told() -> None:
    assert check(load(PUBLISHED)).cases == []
    text = " ".join(README.split())
    assert 'says "not known", and how often it would be right is not known either' in text


@pytest.mark.parametrize("folder", [path.parent for path in PUBLISHED.glob("*/verdict.json")], ids=lambda p: p.name)
def test_the_published_numbers_follow_from_the_published_evidence(folder: Path) -> None:
    """To more digits than anybody reads; the last ones differ between processors, whose sums round in another order."""
    same(json.loads(verdict_json(analysed(folder))), verdicts(folder.name))


def same(found: Any, published: Any, where: str = "") -> None:
    """Equal in everything, and numbers to nine digits."""
    assert type(found) is type(published), where
    if isinstance(found, dict):
        assert found.keys() == published.keys(), where
        for name in found:
            same(found[name], published[name], f"{where}.{name}")
    elif isinstance(found, list):
        assert len(found) == len(published), where
        for index, (one, other) in enumerate(zip(found, published, strict=True)):
            same(one, other, f"{where}[{index}]")
    elif isinstance(found, float):
        assert found == pytest.approx(published, rel=1e-9, abs=1e-12), where
    else:
        assert found == published, where


def test_the_gains_told_of_the_dials_are_the_published_ones() -> None:
    """The range of every kind of pair, rounded to two digits, as the sentence on dials has it."""
    contrasts = verdicts("phase")["contrasts"]

    def told(source: str, depth: int, skip: set[str]) -> str:
        gains = [
            pair["difference"]
            for contrast in contrasts
            for pair in contrast["pairs"]
            if (contrast["source"], pair["depth"]) == (source, depth) and contrast["task"] not in skip
        ]
        return f"{min(gains):+.2f} to {max(gains):+.2f}"

    text = " ".join(README.split())
    one_layer = {"teacher_1_layer", "one_layer_teacher"}
    assert f"two layers gain {told('stacked_teacher', 2, one_layer)} of skill over one" in text
    assert f"two layers gain {told('hierarchical', 2, set())} and four {told('hierarchical', 4, set())}" in text
    grammar = {c["budget"]: c["verdict"] for c in contrasts if c["source"] == "hierarchical"}
    assert grammar == {3000: "wider", 6000: "undecided"} and "`wider` at 3,000, undecided at 6,000" in text


def test_every_command_exists() -> None:
    verbs = {c.name or c.callback.__name__ for c in app.registered_commands if c.callback}
    named = set(re.findall(r"`strata ([a-z][a-z-]*)", README))
    assert named and named <= verbs
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]+)", README)) - {"a"} <= targets


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)]+)\)", README))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


SCREENS = ("laptop", "speech", "finance", "text")


def screens_table() -> list[str]:
    """A row for every task that a screen of a family asked about, from the published verdicts."""
    rows = []
    for study in SCREENS:
        findings = verdicts(study)
        for contrast in (c for c in findings["contrasts"] if c["role"] == "natural"):
            pairs = [f"{p['difference']:+.3f} [{p['low']:+.3f}, {p['high']:+.3f}]" for p in contrast["pairs"]]
            named = ", ".join(map(str, contrast["depths"]))
            judged = {"deeper": f"deeper ({named})", "wider": f"wider ({named} worse)"}
            verdict = judged.get(contrast["verdict"], contrast["verdict"])
            rows.append(
                f"| [`{study}`](results/published/{study}) | `{contrast['task']}` | {verdict} | {' | '.join(pairs)} |"
            )
    return rows


def test_the_table_of_screens_is_the_published_one() -> None:
    table = README.split("<!-- screens -->")[1].split("<!-- /screens -->")[0]
    assert [line for line in table.splitlines() if line.startswith("| [")] == screens_table()


@pytest.mark.parametrize("study", SCREENS)
def test_a_screen_is_quoted_only_when_its_controls_passed(study: str) -> None:
    findings = verdicts(study)
    assert findings["controls_line"] == "the instrument sees depth, sees width, and sees nothing where nothing is"


def test_the_label_errors_told_are_the_published_ones() -> None:
    evidence = read(PUBLISHED / "speech")
    confirmed = evidence.members[
        (evidence.members["phase"] == "confirm") & (evidence.members["task"] == "formants_ctc")
    ]
    errors = confirmed.merge(evidence.runs[["key", "second_metric"]], on="key").groupby("depth")["second_metric"].mean()
    assert f"(label error rate {errors[4]:.0%}, one layer's {errors[1]:.0%})" in " ".join(README.split()).replace(
        " %", "%"
    )
