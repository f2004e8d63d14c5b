"""The table of verdicts, row by row (PROTOCOL 14)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.analysis import sentences
from benchmark.analysis.kinds import Judged
from benchmark.analysis.verdict import TABLE, Case, Judgement, judge, rule


def pair(depth: int, judged: Judged, successes: int = 10, one_layer: int = 10) -> Judgement:
    return Judgement(depth=depth, judged=judged, successes=successes, successes_one_layer=one_layer)


BETTER, WORSE, EQUIVALENT, OPEN = pair(2, "better"), pair(4, "worse"), pair(8, "equivalent"), pair(6, "open")

ROWS = [
    ("smoke", Case(purpose="smoke", incomplete="x", pairs=[BETTER]), "no claim", [], "claims nothing"),
    ("incomplete", Case(incomplete="x", uninformative="y", pairs=[BETTER]), "undecided", [], "incomplete: x"),
    ("not informative", Case(uninformative="too hard", untuned="y", pairs=[BETTER]), "undecided", [], "too hard"),
    ("not tuned", Case(untuned="x", unconverged="y", pairs=[BETTER]), "undecided", [], "not tuned: x"),
    ("not converged", Case(unconverged="x", pairs=[BETTER]), "undecided", [], "not converged: x"),
    (
        "any better, no fewer successes",
        Case(pairs=[BETTER, WORSE, OPEN]),
        "deeper",
        [2],
        "depth 2 better, depth 4 worse",
    ),
    (
        "any better, no fewer successes",
        Case(pairs=[pair(2, "better", 9), pair(4, "better", 10), EQUIVALENT]),
        "deeper",
        [4],
        "depth 4 better",
    ),
    (
        "better, fewer successes",
        Case(pairs=[pair(2, "better", 9), WORSE]),
        "undecided",
        [],
        "less reliable: depth 2 is better with 9 trainings that did not diverge, against 10 at depth 1",
    ),
    ("all equivalent", Case(pairs=[EQUIVALENT, pair(2, "equivalent")]), "no practical difference", [], "depth 8 equiv"),
    (
        "all equivalent or worse, no fewer successes",
        Case(pairs=[WORSE, EQUIVALENT]),
        "wider",
        [4],
        "depth 4 worse, depth 8 equivalent",
    ),
    (
        "worse, depth 1 with fewer successes",
        Case(pairs=[pair(4, "worse", 10, 9), EQUIVALENT]),
        "undecided",
        [],
        "less reliable: depth 4 is worse",
    ),
    ("open", Case(pairs=[WORSE, EQUIVALENT, OPEN], more="7 more seeds"), "undecided", [], "7 more seeds"),
    ("open", Case(pairs=[], more="7 more seeds"), "undecided", [], "7 more seeds"),
]


@pytest.mark.parametrize("name, case, verdict, depths, reason", ROWS)
def test_row(name: str, case: Case, verdict: str, depths: list[int], reason: str) -> None:
    assert next(row.name for row in TABLE if row.holds(case)) == name
    ruling = rule(case)
    assert (ruling.verdict, ruling.depths) == (verdict, depths)
    assert reason in ruling.reason


def test_every_row_of_the_table_is_tested() -> None:
    assert {name for name, *_ in ROWS} == {row.name for row in TABLE}


judgements = st.builds(
    pair,
    st.integers(2, 8),
    st.sampled_from(["equivalent", "better", "worse", "open"]),
    st.integers(0, 10),
    st.integers(0, 10),
)


@given(st.lists(judgements, max_size=4))
def test_no_verdict_says_more_than_its_pairs(pairs: list[Judgement]) -> None:
    ruling = rule(Case(pairs=pairs, more="some seeds"))
    named = [p for p in pairs if p.depth in ruling.depths]
    if ruling.verdict == "deeper":
        assert any(p.judged == "better" and p.successes >= p.successes_one_layer for p in named)
    if ruling.verdict in ("wider", "no practical difference"):
        assert all(p.judged in ("equivalent", "worse") for p in pairs)
    if ruling.verdict == "wider":
        assert all(p.successes_one_layer >= p.successes for p in pairs if p.judged == "worse")
    assert bool(ruling.depths) == (ruling.verdict in ("deeper", "wider"))
    assert ruling.reason


CLEAR = {
    "difference": 0.05,
    "low": 0.03,
    "high": 0.07,
    "p_adjusted": 0.01,
    "p_equivalence_adjusted": 0.9,
    "margin": 0.02,
    "alpha": 0.05,
}


@pytest.mark.parametrize(
    "changed, judged",
    [
        ({}, "better"),
        ({"difference": -0.05, "low": -0.07, "high": -0.03}, "worse"),
        ({"p_equivalence_adjusted": 0.04}, "equivalent"),
        ({"p_adjusted": 0.06}, "open"),
        ({"low": -0.01}, "open"),
        ({"low": None}, "open"),
        ({"difference": 0.019}, "open"),
        ({"difference": -0.05, "low": -0.07, "high": None}, "open"),
        ({"difference": -0.019, "low": -0.03, "high": -0.001}, "open"),
    ],
)
def test_judging_a_pair(changed: dict[str, float | None], judged: str) -> None:
    assert judge(**{**CLEAR, **changed}) == judged  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "missing, replicates, said",
    [
        (7, "seeds", "7 more seeds"),
        (7, "folds", "7 more folds would be needed, and the folds are fixed by the data"),
        (7, "groups", "7 more seeds, and the test groups are fixed by the data"),
        (0, "seeds", "0 more seeds: these would show a difference of one margin, and what is left lies too near it"),
        (0, "groups", "0 more seeds: these would show a difference of one margin, and what is left lies too near it"),
        (0, "folds", "0 more folds: these would show a difference of one margin, and what is left lies too near it"),
    ],
)
def test_what_is_lacking_is_told_and_nothing_is_needed_where_nothing_lacks(
    missing: int, replicates: str, said: str
) -> None:
    assert sentences.more(missing, replicates).replace("the margin", "it") == said
