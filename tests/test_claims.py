"""The ledger: every claim has a row, every verdict can be reached, and nothing that may not count does."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects  # type: ignore[import-untyped]

from benchmark import evidence, shipped
from benchmark.analysis.analyse import analyse
from benchmark.analysis.claims.claim import Basis, Claim, Reading, Says
from benchmark.analysis.claims.growth import Series
from benchmark.analysis.claims.ledger import ledger
from benchmark.analysis.claims.over_tasks import cochran, differing, over_tasks, unlike
from benchmark.analysis.claims.table import TABLE
from benchmark.analysis.estimates import Coefficient, Mixed
from benchmark.analysis.findings import Check, Findings, Sensitivity
from benchmark.analysis.kinds import Judged
from benchmark.analysis.mixed import KNOWN
from benchmark.analysis.outcome import Look
from benchmark.cli import main
from benchmark.judging import Judged as Read
from benchmark.report.page import page
from tests.analysis import claimed
from tests.analysis.claimed import Task, families, study
from tests.analysis.fabricate import fabricate

IDS = [
    "depth-over-width",
    "two-layers-suffice",
    "one-layer-for-simple",
    "deeper-overfits",
    "layer-timescales",
    "deep-is-efficient",
    "exponentially-efficient",
    "seasonality-needs-depth",
    "deeper-costs-more",
    "deeper-generalises",
]
OUTCOMES = ["supported", "contradicted", "depends", "undecided"]
Studies = list[Findings]

JUDGED: dict[str, tuple[Judged, Judged]] = {
    "supported": ("better", "better"),
    "contradicted": ("equivalent", "worse"),
    "depends": ("better", "worse"),
    "undecided": ("better", "open"),
}
"""Of speech and of finance, by what follows for a claim that a better depth speaks for."""


def mirrored(outcome: str) -> str:
    """The same for a claim that a better depth speaks against."""
    return {"supported": "contradicted", "contradicted": "supported"}.get(outcome, outcome)


def depth_over_width(outcome: str) -> Studies:
    return [study(families(*JUDGED[outcome]))]


def two_layers_suffice(outcome: str) -> Studies:
    tasks = families("open", "open")
    speech, finance = JUDGED[mirrored(outcome)]
    judged = {task.name: speech if task.family == "speech" else finance for task in tasks}
    return [study(tasks, beyond_two=claimed.beyond(tasks, judged))]


def one_layer_for_simple(outcome: str) -> Studies:
    first, second = JUDGED[mirrored(outcome)]
    tasks = [
        Task(f"{source}_{cells}", judged, "synthetic", "dial", source=source, parameters={"cells": cells})
        for source, judged in (("parity", first), ("stacked_teacher", second))
        for cells in (8, 16)
    ]
    return [study(tasks, known_depths={task.name: 1 for task in tasks})]


GAPS: dict[str, tuple[claimed.Gap, claimed.Gap]] = {
    "supported": ("wider", "wider"),
    "contradicted": ("as wide", "narrower"),
    "depends": ("wider", "narrower"),
}


def gaps(speech: claimed.Gap, finance: claimed.Gap, name: str, dropout: float, judged: Judged = "open") -> Findings:
    tasks = families(judged, judged)
    said = {task.name: speech if task.family == "speech" else finance for task in tasks}
    found = claimed.trainability(tasks, said)
    return study(tasks, name, trainability=found, arms=claimed.arms(tasks, dropout=dropout))


def deeper_overfits(outcome: str) -> Studies:
    bare = gaps(*GAPS[outcome if outcome != "undecided" else "supported"], "bare", 0.0)
    return [bare] if outcome == "undecided" else [bare, gaps("as wide", "as wide", "regularised", 0.2)]


def deeper_generalises(outcome: str) -> Studies:
    said: dict[str, tuple[claimed.Gap, claimed.Gap, Judged]] = {
        "supported": ("narrower", "narrower", "equivalent"),
        "contradicted": ("as wide", "wider", "equivalent"),
        "depends": ("narrower", "wider", "equivalent"),
        "undecided": ("narrower", "narrower", "worse"),
    }
    speech, finance, judged = said[outcome]
    return [gaps(speech, finance, "first", 0.0, judged)]


def layer_timescales(outcome: str) -> Studies:
    said: dict[str, tuple[claimed.Answer, claimed.Answer]] = {
        "supported": ("slower", "slower"),
        "contradicted": ("faster", "faster"),
        "depends": ("slower", "faster"),
        "undecided": ("slower", "undecided"),
    }
    tasks = families("open", "open")
    speech, finance = said[outcome]
    answers = {task.name: speech if task.family == "speech" else finance for task in tasks}
    return [study(tasks, timescales=claimed.timescales(tasks, answers))]


def deep_is_efficient(outcome: str) -> Studies:
    tasks = families("open", "open")
    speech, finance = JUDGED["supported" if outcome == "undecided" else outcome]
    judged = {task.name: speech if task.family == "speech" else finance for task in tasks}
    costs = claimed.equal(tasks, judged, "state")
    costs += claimed.equal(tasks, judged, "seconds", timed=outcome != "undecided")
    return [study(tasks, equal_costs=costs)]


def exponentially_efficient(outcome: str) -> Studies:
    widths: dict[str, list[tuple[str, int, Callable[[int], float]]]] = {
        "supported": [("stacked_teacher", 3000, lambda k: 4.0**k), ("hierarchical", 3000, lambda k: 1.0)],
        "contradicted": [("stacked_teacher", 3000, lambda k: 1.0), ("hierarchical", 3000, lambda k: k**0.5)],
        "depends": [("stacked_teacher", 3000, lambda k: 4.0**k), ("stacked_teacher", 6000, lambda k: 1.0)],
        "undecided": [("stacked_teacher", 3000, lambda k: float(k**3))],
    }
    tasks, rates = [], []
    for (source, budget, width), known in itertools.product(widths[outcome], (2, 3, 4)):
        task = Task(
            f"{source}_{known}", "open", "synthetic", "dial", budget=budget, source=source, depths=(2, 3, 4),
            parameters={"layers": known, "cells": 8},
        )  # fmt: skip
        tasks.append(task)
        rates.append(claimed.rate(task, known, width(known)))
    return [study(tasks, exchange=rates, known_depths={task.name: int(task.name[-1]) for task in tasks})]


def seasonality_needs_depth(outcome: str) -> Studies:
    first, second = JUDGED[outcome]
    tasks = [
        Task(
            f"market_{components}_{season}", judged if season else "equivalent", "finance", source="market",
            parameters={"components": components, "yearly": season, "intraday": False},
        )
        for components, judged in ((1, first), (4, second))
        for season in (True, False)
    ]  # fmt: skip
    return [study(tasks)]


def deeper_costs_more(outcome: str) -> Studies:
    budgets = (3000, 6000)
    tasks = [
        dataclasses.replace(task, budget=budget, name=f"{task.name}_{budget}", source=task.name)
        for budget in budgets
        for task in families("open", "open")
    ]
    rng = np.random.default_rng(0)
    quick = {"contradicted": budgets, "depends": budgets[:1]}.get(outcome, ())
    slower = {task.name: (0.9 if task.budget in quick else 2.0) + 0.01 * rng.normal() for task in tasks}
    return [
        study(
            tasks,
            arms=claimed.arms(tasks, slower=slower),
            effort=claimed.effort(tasks, {task.name: 0.05 for task in tasks}),
            equal_costs=claimed.equal(
                tasks, {task.name: "open" for task in tasks}, "seconds", timed=outcome != "undecided"
            ),
        )
    ]


MADE: dict[str, Callable[[str], Studies]] = {
    "depth-over-width": depth_over_width,
    "two-layers-suffice": two_layers_suffice,
    "one-layer-for-simple": one_layer_for_simple,
    "deeper-overfits": deeper_overfits,
    "layer-timescales": layer_timescales,
    "deep-is-efficient": deep_is_efficient,
    "exponentially-efficient": exponentially_efficient,
    "seasonality-needs-depth": seasonality_needs_depth,
    "deeper-costs-more": deeper_costs_more,
    "deeper-generalises": deeper_generalises,
}


def claim(studies: Sequence[Findings], name: str) -> Claim:
    return next(one for one in ledger(studies) if one.id == name)


# The table.


def test_every_claim_of_the_design_has_a_row() -> None:
    assert [row.id for row in TABLE] == IDS
    for row in TABLE:
        assert row.statement and row.said and row.rule and row.needs
        assert row.settle


def test_what_would_settle_a_claim_is_a_study_that_comes_with_strata() -> None:
    for one in ledger([]):
        names = re.findall(r"configs/(\w+)\.yaml", one.settle)
        assert names and set(names) <= set(shipped.configurations()), one.settle
        assert one.outcome == "undecided" and one.verdict.endswith(one.settle)


# Verdicts.


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_verdict_of_every_claim_can_be_reached(name: str, outcome: str) -> None:
    found = claim(MADE[name](outcome), name)
    assert found.outcome == outcome, found.why
    assert found.why and found.basis
    if outcome == "undecided":
        assert re.search(r"configs/\w+\.yaml", found.verdict)
    elif outcome == "depends":
        assert found.verdict.startswith("depends: on the ")
    else:
        assert found.verdict == outcome


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("outcome", ["supported", "contradicted", "depends"])
@pytest.mark.parametrize(
    "reason",
    [
        "screen",
        "smoke",
        "control",
        "unqualified",
        "not checked",
        "exploratory",
        "unfair",
        "loose error",
        "loose margin",
    ],
)
def test_what_may_not_count_supports_no_claim(name: str, outcome: str, reason: str) -> None:
    def spoilt(one: Findings) -> Findings:
        control = one.controls[0]
        changed = {
            "screen": {"purpose": "screen"},
            "smoke": {"purpose": "smoke"},
            "control": {"controls": [dataclasses.replace(control, passed=False)]},
            "unqualified": {"controls": [dataclasses.replace(control, qualification="not qualified")]},
            "not checked": {"controls": [], "controls_line": "instrument not checked at this size: no controls"},
            "exploratory": {"exploratory": "family changed after looking: exploratory"},
            "unfair": {"checks": [Check("equal size", False, "sizes differ")]},
            "loose error": {"looks": [Look(seeds=10, alpha=0.1)]},
            "loose margin": {"contrasts": [dataclasses.replace(c, margin=0.1) for c in one.contrasts]},
        }[reason]
        return dataclasses.replace(one, **changed)  # type: ignore[arg-type]

    studies = MADE[name](outcome)
    found = claim([spoilt(one) for one in studies], name)
    assert found.outcome == "undecided" and not found.studies and not found.basis
    assert found.why.startswith("no study counts: ")
    if reason == "screen" and len(studies) == 1:
        assert found.verdict.startswith("undecided: a screen supports no claim; ")


def test_a_screen_beside_a_study_changes_nothing() -> None:
    sound = study(families("better", "better"))
    screen = study(families("worse", "worse"), "screen", purpose="screen")
    assert ledger([sound, screen]) == ledger([sound])


@pytest.mark.parametrize("name", IDS)
def test_the_order_of_studies_and_of_what_they_hold_does_not_matter(name: str) -> None:
    first = MADE[name]("supported")[0]
    second = study(families("worse", "equivalent"), "second")
    turned = dataclasses.replace(
        first, contrasts=first.contrasts[::-1], arms=first.arms[::-1], trainability=first.trainability[::-1],
        effort=first.effort[::-1], timescales=first.timescales[::-1], exchange=first.exchange[::-1],
    )  # fmt: skip
    assert claim([first, second], name) == claim([second, first], name)
    said, again = claim([first], name), claim([turned], name)
    assert (said.verdict, said.why, said.limits) == (again.verdict, again.why, again.limits)


def test_several_studies_share_one_error() -> None:
    """Adjusted p of 0.03 decides alone, and not beside two others: 3 x 0.03 is above the level."""
    numbers: claimed.Numbers = {"better": (0.06, 0.01, 0.11, 0.03, 1.0)}
    one = study(families("better", "better", numbers=numbers))
    others = [study([], name) for name in ("second", "third")]
    assert claim([one], "depth-over-width").outcome == "supported"
    assert claim([one, *others], "depth-over-width").outcome == "undecided"


def test_depth_over_width_needs_equal_state_too() -> None:
    alone = study(families("better", "better", matches=["parameters"]))
    found = claim([alone], "depth-over-width")
    assert found.outcome == "undecided" and "equal state not tested" in found.why
    for at_state in ("open", "equivalent", "worse"):
        found = claim([study(families("better", "better", at_state=at_state))], "depth-over-width")
        assert found.outcome == "undecided" and "not separable from more state" in found.why


@pytest.mark.parametrize("role", ["dial", "depth control", "width control", "null control", "A/A"])
def test_depth_over_width_is_judged_on_natural_tasks(role: str) -> None:
    found = claim([study(families("better", "better", role=role))], "depth-over-width")
    assert found.outcome == "undecided" and not found.basis


def test_two_settings_of_one_natural_task_are_one_task() -> None:
    tasks = [dataclasses.replace(task, source=task.family) for task in families("better", "better")]
    assert claim([study(tasks)], "depth-over-width").outcome == "undecided"


def test_a_minority_that_is_decided_supports_nothing() -> None:
    more = [Task(f"speech {number}", "open") for number in range(5)]
    assert claim([study([*families("better", "better"), *more])], "depth-over-width").outcome == "undecided"


def test_a_verdict_that_does_not_stand_is_a_limit() -> None:
    fallen = Sensitivity(
        task="oil", budget=6000, match="parameters", variant="plain", kind="one layer tuned more", stands=False,
        verdict="undecided", words="one layer caught up",
    )  # fmt: skip
    found = claim([study(families("better", "better"), sensitivity=[fallen])], "depth-over-width")
    assert "oil at 6,000: would not stand in one variation (one layer tuned more)" in found.limits


def market(judged: Judged, yearly: bool, gain: float) -> list[Task]:
    """Two settings of the market, with the season or without; a gain that is better is known to a hundredth of it."""
    numbers: claimed.Numbers = {**claimed.NUMBERS, "better": (gain, 0.99 * gain, 1.01 * gain, 0.001, 1.0)}
    return [
        Task(
            f"market_{size}_{yearly}", judged, "finance", source="market", numbers=numbers,
            parameters={"components": size, "yearly": yearly},
        )
        for size in (1, 4)
    ]  # fmt: skip


def test_a_season_must_be_what_makes_depth_pay() -> None:
    seasonal = market("better", True, 0.06)
    for without, outcome, said in (
        (market("equivalent", False, 0.0), "supported", "for it: "),
        (market("better", False, 0.06), "undecided", "does not gain more"),
        (market("better", False, 0.045), "undecided", "does not gain more"),  # more, and by less than a margin
        ([], "undecided", "without its season was not run"),
    ):
        found = claim([study([*seasonal, *without])], "seasonality-needs-depth")
        assert found.outcome == outcome and said in found.why


# Interactions.


def test_depends_needs_more_than_chance() -> None:
    wide = families("better", "worse", numbers=claimed.WIDE)
    found = claim([study(wide)], "depth-over-width")
    assert found.outcome == "undecided" and "no test tells that from chance" in found.why
    never_pooled = families("better", "worse", score="relative reduction")
    assert claim([study(never_pooled)], "depth-over-width").outcome == "undecided"


def mixed(match: str, p: float, value: float = 0.03) -> Mixed:
    known = Coefficient(name=KNOWN, value=value, error=0.01, low=value - 0.02, high=value + 0.02, p=p)
    return Mixed(
        match=match, variant="plain", tasks=[str(task) for task in range(8)], left_out=[], known_depths=[1, 2, 3],
        budgets=[3000, 6000], observations=32, coefficients=[known], task_spread=0.0, reason="", limits=[],
        sentence="Mixed model",
    )  # fmt: skip


def test_a_significant_interaction_with_known_depth_makes_depth_over_width_depend_on_it() -> None:
    both = [mixed("parameters", 0.001), mixed("state", 0.002)]
    found = claim([study([], interaction=both)], "depth-over-width")
    assert found.verdict == "depends: on the known depth of the task"
    assert [one.p for one in found.basis] == [0.002, 0.002]
    for models in (both[:1], [both[0], mixed("state", 0.2)], [both[0], mixed("state", 0.002, -0.03)]):
        assert claim([study([], interaction=models)], "depth-over-width").outcome == "undecided"
    # Natural tasks that decide are not overruled by tasks that were made for a known depth.
    assert claim([study(families("worse", "worse"), interaction=both)], "depth-over-width").outcome == "contradicted"


SAYS: st.SearchStrategy[Says] = st.sampled_from(get_args(Says))
NUMBER = st.floats(-0.2, 0.2, allow_nan=False)


@st.composite
def readings(draw: st.DrawFn) -> list[Reading]:
    found = []
    for place in range(draw(st.integers(0, 10))):
        value, half = draw(NUMBER), draw(st.floats(0.001, 0.2))
        task = f"task {draw(st.integers(0, 5))}"
        number = Basis(
            study="first", task=task, budget=place, match="parameters", depth=2, measure="skill", value=value,
            low=value - half, high=value + half, kind=draw(st.sampled_from(["skill", "relative reduction"])),
        )  # fmt: skip
        group = draw(st.sampled_from(["speech", "finance"]))
        found.append(
            Reading(group=group, task=task, problem=task, budget=place, says=draw(SAYS), reason="open", basis=[number])
        )
    return found


@given(readings())
def test_the_rule_over_tasks(found: list[Reading]) -> None:
    ruling = over_tasks(found)
    assert ruling == over_tasks(found[::-1])
    decided = {
        group: {one.problem for one in found if one.group == group and one.says != "neither"}
        for group in ("speech", "finance")
    }
    mine = [one for one in found if len(decided[one.group]) > 1]
    sides = {one.says for one in mine} - {"neither"}
    if ruling.outcome != "undecided":
        assert all(len(tasks) > 1 for tasks in decided.values())
    if ruling.outcome == "depends":
        assert sides == {"for", "against"} and unlike(mine).p <= 0.05
        assert ruling.on == differing(mine)
    if ruling.outcome in ("supported", "contradicted"):
        assert sides == {"for" if ruling.outcome == "supported" else "against"}


@given(st.lists(st.tuples(NUMBER, st.floats(0.01, 0.2)), min_size=2, max_size=8))
def test_q_is_that_of_statsmodels(numbers: list[tuple[float, float]]) -> None:
    values, errors = np.array(numbers).T
    with np.errstate(all="ignore"):  # of its random effects, which are not asked for
        expected = combine_effects(values, errors**2, method_re="dl").test_homogeneity().pvalue
    assert cochran(numbers) == pytest.approx(float(expected), abs=1e-6)


def test_q_keeps_its_level_with_few_seeds() -> None:
    """Errors off an interval by Student's t; 1,000 draws of five tasks, six seeds each, spreads unequal."""
    generator = np.random.default_rng(0)
    spreads = np.array([0.5, 0.8, 1.0, 1.5, 2.0])
    draws = generator.normal(size=(1000, 5, 6)) * spreads[:, None]
    means, errors = draws.mean(axis=2), draws.std(axis=2, ddof=1) / np.sqrt(6)
    halves = errors * stats.t.ppf(0.975, 5)
    found = [
        unlike(
            [
                Reading(
                    group="speech", task=str(task), problem=str(task), budget=0, says="neither",
                    basis=[Basis(study="", task=str(task), budget=0, match="", depth=2, measure="", value=float(mean),
                                 low=float(mean - half), high=float(mean + half), kind="skill")],
                )
                for task, (mean, half) in enumerate(zip(mean_row, half_row, strict=True))
            ]
        ).p
        for mean_row, half_row in zip(means, halves, strict=True)
    ]  # fmt: skip
    assert np.mean(np.array(found) <= 0.05) <= 0.065


@given(st.floats(0.2, 4.0))
def test_no_power_of_the_known_depth_is_called_exponential(power: float) -> None:
    depths = [2, 3, 4]
    series = Series("teacher", 3000, depths, power * np.log2(depths), np.full(3, 1e-3), [])
    assert series.bend[0] == pytest.approx(0.0, abs=1e-9)
    assert series.says(1) == ("against" if power < 0.9 else "neither") or 0.9 <= power <= 1.1
    doubling = Series("teacher", 3000, depths, 2.0 * np.array(depths), np.full(3, 1e-3), [])
    assert doubling.says(1) == "for"


# From evidence to the ledger.


@functools.cache
def analysed() -> Findings:
    """A study of one look whose controls pass, one training of which diverged."""
    return analyse(fabricate(purpose="study", looks=(10,), diverged=[("formants", 4, "", 0)]))


def test_a_third_layer_is_tested_as_the_difference_of_differences() -> None:
    found = analysed()
    places = {(one.task, one.match): one for one in found.contrasts if one.role == "natural"}
    assert len(found.beyond_two) == len(places)
    for one in found.beyond_two:
        two, four = (np.array(pair.differences) for pair in places[one.task, one.match].pairs)
        assert one.difference == pytest.approx(float((four - two).mean()))
        assert one.low is not None and one.high is not None and one.low < (four - two).mean() < one.high
    (formants,) = (one for one in found.beyond_two if (one.task, one.match) == ("formants", "parameters"))
    two, four = (np.array(pair.differences) for pair in places["formants", "parameters"].pairs)
    exact = stats.permutation_test((four, two), lambda a, b: np.mean(a - b), permutation_type="samples")
    assert formants.p_adjusted is not None
    assert exact.pvalue <= formants.p_adjusted <= len(places) * exact.pvalue
    assert (formants.successes, formants.successes_two_layers) == (9, 10)


def test_a_study_carries_its_own_ledger() -> None:
    found = analysed()
    assert found.claims == ledger([found])
    assert [one.id for one in found.claims] == IDS
    assert {one.studies == ["fabricated"] for one in found.claims} == {True}
    assert found.known_depths == {"two_layer_teacher": 2, "one_layer_teacher": 1, "recall": 1}
    assert json.loads(json.dumps(found.to_dict()["claims"]))[0]["id"] == IDS[0]


def test_the_page_shows_the_ledger_of_a_study_and_one_line_of_a_screen() -> None:
    html = page(analysed(), {})
    for row in TABLE:
        assert row.statement in html
    screen = dataclasses.replace(analysed(), purpose="screen")
    html = page(dataclasses.replace(screen, claims=ledger([screen])), {})
    assert "neither supports nor contradicts" in html and TABLE[0].statement not in html


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study and a screen, where `strata` looks for published ones; their evidence was judged before."""
    place = tmp_path / "results" / "published"
    made = {name: dataclasses.replace(analysed(), study=f"a_{name}", purpose=name) for name in ("study", "screen")}
    for name in made:
        (place / name).mkdir(parents=True)
        (place / name / "runs.parquet").touch()
    monkeypatch.setattr("benchmark.claims.judge", lambda folder: Read(made[folder.name], {}, [], []))
    monkeypatch.chdir(tmp_path)
    return place


def test_the_verb_reads_all_that_is_published(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claims", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["studies"] == ["a_study"]
    assert record["not_counted"] == ["a_screen: a screen supports no claim"]
    assert [one["id"] for one in record["claims"]] == IDS
    assert main(["claims", str(published / "screen"), str(published / "study")]) == 0
    assert "Studies that count: a_study." in (said := capsys.readouterr().out)
    assert all(name in said for name in IDS)
    assert max(map(len, said.splitlines())) <= 100


def test_a_study_that_is_given_twice_is_refused(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claims", str(published / "study"), str(published / "study")]) == 2
    error = capsys.readouterr().err
    assert "would count twice" in error and error.count("\n") == 1


def test_what_a_person_gets_wrong_is_one_line(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmark.__file__", str(workspace / "elsewhere" / "benchmark" / "__init__.py"))
    for arguments, said in (([str(workspace / "nothing")], "does not exist"), ([], "no published study is here")):
        assert main(["claims", *arguments]) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1


def test_a_screen_is_read_from_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = fabricate(seeds=2)
    evidence.write(tmp_path, made)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(dict(made.study)))
    assert main(["claims", str(tmp_path), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["studies"] == [] and record["not_counted"] == ["fabricated: a screen supports no claim"]
    assert {one["outcome"] for one in record["claims"]} == {"undecided"}
