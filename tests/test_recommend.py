"""`strata recommend`: it agrees with the verdicts it rests on, knows when it does not know, and is checked blind.

No study is published yet, only screens, which never enter. Where these tests need published studies they take the
screens with their purpose edited, or make verdicts by hand; both are marked so.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmark.analysis.analyse import analyse
from benchmark.analysis.controls import PASSED
from benchmark.analysis.findings import Advice, Arm, Check, Control
from benchmark.analysis.kinds import Judged, Verdict
from benchmark.analysis.outcome import Contrast, Pair
from benchmark.cli import main
from benchmark.errors import UserError
from benchmark.recommend.answer import Answer, expected, fewest, predicted, settle
from benchmark.recommend.check import Case, check, coin_as_good, right, tallies
from benchmark.recommend.latency import widest
from benchmark.recommend.limit import Cells, Limit, cells
from benchmark.recommend.nearest import MOST, candidates, nearest
from benchmark.recommend.problem import REACH, Facts, distance, terms
from benchmark.recommend.published import Library, PublishedTask, Verdicts, barred, library, load, read, tasks_of
from benchmark.recommend.recommend import Question, of_nearest, of_own_study, of_task
from benchmark.recommend.spoken import Ground, says
from benchmark.recommend.words import COLUMNS, answer_lines, answer_record, check_lines
from benchmark.report.build import verdict_json
from benchmark.sizing import NARROWEST, Size, measure
from benchmark.spec import PROTOCOL_VERSION
from tests.analysis.fabricate import fabricate
from tests.conftest import ROOT

PUBLISHED = ROOT / "results" / "published"
SCREENS = ("laptop", "phase", "speech", "finance", "text")
SPEECH = Facts(family="speech", length=40, inputs=16, target="step")
ASKED = ["--family", "speech", "--length", "50", "--inputs", "13", "--target", "step", "--parameters", "6000"]

# --- verdicts made by hand -------------------------------------------------------------------------------------------

WORDS: dict[str, tuple[Verdict, dict[int, tuple[float, Judged]]]] = {
    "deeper": ("deeper", {2: (0.10, "better"), 4: (0.05, "better")}),
    "only 4": ("deeper", {2: (0.00, "equivalent"), 4: (0.09, "better")}),
    "wider": ("wider", {2: (0.00, "equivalent"), 4: (-0.08, "worse")}),
    "same": ("no practical difference", {2: (0.001, "equivalent"), 4: (-0.002, "equivalent")}),
    "open": ("undecided", {2: (0.03, "open"), 4: (0.01, "open")}),
}


def contrast(task: str, kind: str = "same", **fields: Any) -> Contrast:
    verdict, judged = WORDS[kind]
    pairs = [
        Pair(
            depth=depth, difference=value, low=value - 0.01, high=value + 0.01, p=0.01, p_adjusted=0.01,
            p_equivalence=0.5, judged=word, spread=0.01, successes=10, successes_one_layer=10,
        )
        for depth, (value, word) in judged.items()
    ]  # fmt: skip
    named = [depth for depth, (_, word) in judged.items() if word == ("better" if verdict == "deeper" else "worse")]
    known: dict[str, Any] = {
        "task": task, "family": "speech", "role": "natural", "budget": 6000, "match": "parameters", "variant": "plain",
        "verdict": verdict, "depths": named if verdict in ("deeper", "wider") else [],
        "reason": "12 more seeds" if verdict == "undecided" else "", "sentence": "", "seeds": 10, "replicates": "seeds",
        "more_seeds": 12 if verdict == "undecided" else None, "pairs": pairs, "metric": "m", "unit": "u",
        "score": "skill", "margin": 0.02, "margin_in_unit": None, "steps": 100, "source": task,
    }  # fmt: skip
    return Contrast(**known | fields)


def published_task(
    task: str, *contrasts: Contrast, facts: Facts | None = SPEECH, arms: Sequence[Arm] = ()
) -> PublishedTask:
    found = list(contrasts) or [contrast(task)]
    return PublishedTask(
        study="made", folder="made", task=task, source=found[0].source, role=found[0].role, family=found[0].family,
        facts=facts, contrasts=found, arms=list(arms),
    )  # fmt: skip


def one(task: str, kind: str, facts: Facts | None = SPEECH, **fields: Any) -> PublishedTask:
    return published_task(task, contrast(task, kind, **fields), facts=facts)


def arm(task: str, budget: int, depth: int, scores: Sequence[float] = (), **fields: Any) -> Arm:
    known: dict[str, Any] = {
        "arm": f"{task}/{budget}/L{depth}", "task": task, "role": "natural", "budget": budget, "match": "parameters",
        "variant": "plain", "depth": depth, "replica": "", "width": 30 // depth, "parameters": budget,
        "state_size": 30, "flops": 100 * budget, "seconds": 1.0, "hyperparameters": {}, "at_edge": False,
        "complete": True, "score_mean": None, "score_low": None, "score_high": None, "score_median": None,
        "successes": 10, "runs": 10, "clipped_share": None, "train_loss": None, "validation_loss": None,
        "test_loss": None, "scores": list(enumerate(scores)), "curve": [], "tuning": [(0.01, 0.5)],
    }  # fmt: skip
    return Arm(**known | fields)


def verdicts(*contrasts: Contrast, **fields: Any) -> Verdicts:
    arms = [arm(c.task, c.budget, depth) for c in contrasts for depth in (1, 2, 4) if c.role != "A/A"]
    known: dict[str, Any] = {
        "study": "made", "folder": "made", "purpose": "study", "protocol": PROTOCOL_VERSION, "controls_line": PASSED,
        "exploratory": "", "controls": [], "checks": [], "contrasts": list(contrasts), "arms": arms, "advice": [],
    }  # fmt: skip
    return Verdicts(**known | fields)


def budget(parameters: float = 6000) -> Cells:
    return Cells(Limit("parameters", parameters), {1: Size(1, 30, round(parameters), 30, 1)})


def grounds(*kinds: str, **fields: Any) -> list[Ground]:
    return [Ground((task := one(f"t{at}", kind, **fields)), task.contrasts[0]) for at, kind in enumerate(kinds)]


# --- published studies: the screens, with their purpose edited -------------------------------------------------------


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published screens as if they had been studies: what they say is theirs, that they may say it is not."""
    folder = tmp_path_factory.mktemp("edited")
    for name in SCREENS:
        record = json.loads((PUBLISHED / name / "verdict.json").read_text()) | {"purpose": "study"}
        (folder / name).mkdir()
        (folder / name / "verdict.json").write_text(json.dumps(record))
    return folder


@pytest.fixture(scope="module")
def fabricated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole study from evidence: `formants` is deeper, `equity_variance` open, all controls pass."""
    folder = tmp_path_factory.mktemp("fabricated")
    found = analyse(fabricate(purpose="study", looks=(10,), match=("parameters", "state")))
    (folder / "verdict.json").write_text(verdict_json(found))
    return folder


def agrees(answer: Answer, found: Contrast) -> bool:
    if found.verdict == "deeper":
        return answer.known == "more layers" and answer.depth in found.depths
    if found.verdict in ("wider", "no practical difference"):
        return answer.known == "one layer" and answer.depth == 1
    return answer.known == "not known" and answer.depth is None


def test_asked_about_a_published_task_it_agrees_with_the_verdict(edited: Path, fabricated: Path) -> None:
    verdicts_seen = set()
    for folder in (PUBLISHED, edited, fabricated):
        published = load(folder)
        assert published.tasks and (folder == PUBLISHED or not published.kept_out)
        for task in published.tasks:
            for found in (c for c in task.contrasts if c.match == "parameters"):
                answer = of_task(Question(limit=Limit("parameters", found.budget), task=task.name), published)
                assert agrees(answer, found), (task.name, found.verdict, answer.reason)
                verdicts_seen.add(found.verdict)
            at_its_own_size = of_task(Question(task=task.name), published)
            assert at_its_own_size.grounds and agrees(at_its_own_size, at_its_own_size.grounds[0].contrast)
    assert verdicts_seen >= {"deeper", "wider", "no practical difference"}


def test_what_it_says_of_a_task_are_the_numbers_of_its_verdict(edited: Path) -> None:
    answer = of_task(Question(task="phase/teacher_3_layers", limit=Limit("parameters", 6000)), load(edited))
    record = json.loads((PUBLISHED / "phase" / "verdict.json").read_text())
    (theirs,) = [c for c in record["contrasts"] if (c["task"], c["budget"]) == ("teacher_3_layers", 6000)]
    for pair, mine in zip(theirs["pairs"], answer.expected, strict=True):
        assert (pair["depth"], pair["difference"], pair["low"], pair["high"]) == (
            mine.depth, mine.value, mine.low, mine.high
        )  # fmt: skip
    assert answer.size is not None and answer.size.parameters == pytest.approx(6000, rel=0.05)


def test_a_screen_never_enters() -> None:
    published = load(PUBLISHED)
    screens = {
        path.parent.name for path in PUBLISHED.glob("*/verdict.json") if '"purpose": "screen"' in path.read_text()
    }
    assert screens == {one.study for one in published.kept_out if "never enters" in one.reason}
    assert not screens & {one.study for one in published.tasks}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, ""),
        ({"purpose": "screen"}, "never enters"),
        ({"purpose": "smoke"}, "never enters"),
        ({"protocol": "0"}, "follows protocol 0"),
        ({"exploratory": "a task was added"}, "exploratory"),
        ({"controls_line": "instrument not checked at this size: no depth control"}, "instrument not checked"),
        ({"controls": [Control("depth", "teacher", False, "open", "qualified")]}, "depth check on teacher"),
        ({"controls": [Control("depth", "teacher", True, "", "not qualified: no table")]}, "depth check on teacher"),
        ({"controls": [Control("A/A", "formants", False, "open", "", gates=False)]}, ""),
        ({"checks": [Check("equal size", False, "depth 4 is larger")]}, "not fair: equal size: depth 4 is larger"),
        ({"checks": [Check("equal size", None, "no sizes")]}, ""),
    ],
)
def test_what_may_enter(change: dict[str, Any], reason: str) -> None:
    found = verdicts(contrast("formants"), **change)
    assert (reason in barred(found)) if reason else barred(found) == ""
    assert bool(library([found]).tasks) == (not reason)


def test_a_task_published_in_a_screen_alone_is_not_known() -> None:
    published = library([verdicts(contrast("formants", "deeper"), purpose="screen", study="first")])
    answer = of_task(Question(task="first/formants"), published)
    assert answer.known == "not known" and "first (it is a screen" in answer.reason and not answer.expected


# --- near tasks ------------------------------------------------------------------------------------------------------

numbers = st.integers(1, 4096)
shapes = st.builds(
    Facts,
    family=st.just("speech"),
    length=st.none() | numbers,
    inputs=st.none() | numbers,
    target=st.none() | st.sampled_from(["step", "sequence", "labels"]),
    known_depth=st.none() | st.integers(1, 8),
)


@given(shapes, shapes, numbers, numbers)
def test_distance_is_counted_in_doublings(asked: Facts, found: Facts, size: int, tested_at: int) -> None:
    apart = distance(terms(asked, found, size, tested_at))
    assert apart >= 0 and distance(terms(asked, asked, size, size)) == 0
    assert distance(terms(asked, found, 2 * size, 2 * tested_at)) == pytest.approx(apart)
    said_less = dataclasses.replace(asked, length=None)
    assert distance(terms(said_less, found, size, tested_at)) <= apart
    if asked.length is not None:
        doubled = dataclasses.replace(asked, length=2 * asked.length)
        assert distance(terms(doubled, asked, size, size)) == pytest.approx(1)


def test_the_family_must_be_the_same_and_controls_do_not_speak() -> None:
    there = [
        one("a", "same"),
        one("b", "same", family="finance"),
        one("c", "deeper", role="depth control"),
        one("d", "same", role="dial", family="synthetic"),
    ]
    assert [task.task for task in candidates(there, "speech")] == ["a"]
    assert [task.task for task in candidates(there, "synthetic")] == ["d"]
    assert candidates(there, "own") == []


def test_every_task_of_the_family_is_counted_or_told_why_not() -> None:
    far = dataclasses.replace(SPEECH, length=40 * 2 ** (int(REACH) + 1))
    there = [one(f"n{at}", "same", dataclasses.replace(SPEECH, length=40 + at)) for at in range(MOST + 1)]
    there += [one("far", "same", far), one("no shape", "same", None), one("small", "same", budget=2000)]
    there += [one("again", "same", dataclasses.replace(SPEECH, length=50), source="n0")]
    taken, passed = nearest(there, SPEECH, budget())
    assert [ground.task.task for ground in taken] == ["n0", "n1", "n2"]
    said = {one.task.removeprefix("made/"): one.reason for one in passed}
    assert set(said) == {"n3", "far", "no shape", "small", "again"}
    for task, words in [("n3", "nearer"), ("far", "more than"), ("small", "factor of 2"), ("again", "setting of n0")]:
        assert words in said[task]


@given(st.permutations([0, 1, 2, 3, 4]), st.lists(st.integers(10, 200), min_size=5, max_size=5))
def test_the_order_of_publication_does_not_matter(order: list[int], lengths: list[int]) -> None:
    there = [one(f"t{at}", "same", dataclasses.replace(SPEECH, length=length)) for at, length in enumerate(lengths)]
    first, mixed = (nearest(tasks, SPEECH, budget())[0] for tasks in (there, [there[at] for at in order]))
    assert [ground.task.task for ground in first] == [ground.task.task for ground in mixed]
    assert all(a.distance <= b.distance for a, b in itertools.pairwise(first))


@pytest.mark.parametrize(
    ("kinds", "known", "depth", "words"),
    [
        ([], "not known", None, "near enough"),
        (["deeper"], "not known", None, "only one published task"),
        (["same"], "not known", None, "only one published task"),
        (["same", "wider"], "one layer", 1, "some are worse, on t0 and t1"),
        (["same", "same"], "one layer", 1, "no practical difference on t0 and t1"),
        (["deeper", "deeper"], "more layers", 2, "2 layers are better"),
        (["deeper", "only 4"], "more layers", 4, "4 layers are better"),
        (["deeper", "wider"], "not known", None, "disagree"),
        (["deeper", "same", "open"], "not known", None, "disagree"),
        (["same", "open"], "not known", None, "t1 is undecided: 12 more seeds"),
        (["open"], "not known", None, "undecided"),
    ],
)
def test_near_tasks_settle_it_only_when_two_agree(kinds: list[str], known: str, depth: int | None, words: str) -> None:
    settled = settle(grounds(*kinds), "near tasks")
    assert (settled.known, settled.depth) == (known, depth) and words in settled.reason


def test_settings_of_one_source_are_one_task() -> None:
    settled = settle(grounds("same", "same", source="one generator"), "near tasks")
    assert settled.known == "not known"


def test_more_layers_must_earn_their_place() -> None:
    small = contrast("a", "deeper")  # 2: +0.10, 4: +0.05
    assert fewest([2, 4], [small]) == 2
    grows = dataclasses.replace(small, pairs=[dataclasses.replace(p, difference=0.05 * p.depth) for p in small.pairs])
    assert fewest([2, 4], [grows]) == 4
    level = dataclasses.replace(small, pairs=[dataclasses.replace(p, difference=0.1) for p in small.pairs])
    assert fewest([2, 4], [level]) == 2
    assert fewest([2, 4], [small, grows]) == 2  # they differ about the best, and both are better with either


# --- what to expect --------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(-100, 100).map(lambda value: value / 100), min_size=3, max_size=8))
def test_the_interval_for_a_new_task_is_that_of_least_squares(values: list[float]) -> None:
    mean, low, high = predicted(values)
    fitted = sm.OLS(np.array(values), np.ones(len(values))).fit()
    theirs = fitted.get_prediction(np.ones((1, 1))).conf_int(obs=True, alpha=0.05)[0]
    assert mean == pytest.approx(np.mean(values)) and (low, high) == pytest.approx(tuple(theirs), abs=1e-9)


def test_the_interval_for_a_new_task_holds_it_as_often_as_it_says() -> None:
    drawn = np.random.default_rng(0).normal(0.05, 0.03, size=(2000, 5))
    inside = [low <= new <= high for *old, new in drawn for _, low, high in [predicted(old)]]
    assert 0.93 < np.mean(inside) < 0.97


def test_one_task_keeps_its_interval_and_several_are_not_pooled_unless_they_may_be() -> None:
    alone = expected(grounds("deeper"))
    assert (alone[0].value, alone[0].low, alone[0].high) == (0.10, pytest.approx(0.09), pytest.approx(0.11))
    several = expected(grounds("deeper", "same", "wider"))
    assert several[0].value == pytest.approx((0.10 + 0.001 + 0.0) / 3) and "not tested" in several[0].what
    for few in (
        expected(grounds("deeper", "same")),
        expected(grounds("deeper", "same", "wider", score="relative reduction")),
        expected(grounds("deeper", "same", "wider", role="dial")),
        expected(grounds("deeper", "same", "wider", source="one generator")),
    ):
        assert few[0].value is None and few[0].high == pytest.approx(0.11) and "bound no new task" in few[0].what


def test_an_end_that_one_task_cannot_bound_is_unbounded() -> None:
    first, second = grounds("same", "wider")
    pairs = [dataclasses.replace(pair, low=None) for pair in second.contrast.pairs]
    found = expected([first, Ground(second.task, dataclasses.replace(second.contrast, pairs=pairs))])
    assert found[0].low is None and found[0].high is not None


# --- cells, and sizes between budgets --------------------------------------------------------------------------------


def test_cells_fit_the_limit() -> None:
    for quantity, amount in (("parameters", 6000), ("flops", 600_000)):
        fitting = cells(Limit(quantity, amount), SPEECH, [1, 4])  # type: ignore[arg-type]
        for depth, size in fitting.sizes.items():
            counted = measure(inputs=16, outputs=1, depth=depth, width=size.width, time=40)
            assert size == counted and getattr(size, quantity) == pytest.approx(amount, rel=0.08)
    with pytest.raises(UserError, match="--inputs"):
        cells(Limit("parameters", 6000), Facts(family="speech"), [1])
    with pytest.raises(UserError, match="--length"):
        cells(Limit("flops", 6000), Facts(family="speech", inputs=3), [1])


def test_the_widest_stack_within_a_time_by_a_clock_that_is_known() -> None:
    found = widest(10.0, SPEECH, [1, 2, 4], timer=lambda depth, width: 0.05 * depth * width)
    for depth, width in found.items():
        exact = 10.0 / (0.05 * depth)
        assert exact * (1 - 1 / 16) - 1 <= width <= exact
    noisy = np.random.default_rng(0)
    loaded = widest(10.0, SPEECH, [1], timer=lambda _, width: 0.05 * width * (1 + noisy.exponential()))
    assert loaded[1] == pytest.approx(200, rel=0.1)  # other work only adds time, and the quickest turn counts
    with pytest.raises(UserError, match=f"4 layers of {NARROWEST} cells take longer"):
        widest(1.0, SPEECH, [1, 4], timer=lambda depth, _: 0.5 * depth)


def grown(
    depths: Mapping[int, float], budgets: Sequence[int] = (2000, 4000, 16_000), noise: float = 0.001
) -> PublishedTask:
    """Scores that rise by 0.1 with every doubling, a depth's own `depths` on top: what lies between is known."""
    generator = np.random.default_rng(1)
    shared = noise * generator.normal(size=(2, 10))
    arms = [
        arm("a", size, depth, 0.1 * math.log2(size) + more + shared[0] + (depth > 1) * shared[1])
        for size in budgets
        for depth, more in depths.items()
    ]
    found = contrast("a", "same", budget=4000)
    pairs = [pair for pair in found.pairs if pair.depth in depths]
    return published_task("a", dataclasses.replace(found, pairs=pairs), arms=arms)


def unlike(first: int, second: int) -> Cells:
    sizes = {1: Size(1, 30, first, 30, 1), 2: Size(2, 20, second, 40, 1)}
    return Cells(Limit("milliseconds", 1.0), sizes)


def test_unlike_sizes_are_read_between_tuned_budgets() -> None:
    found = says(grown({1: 0.0, 2: 0.3}), unlike(12_000, 3000))
    assert isinstance(found, Ground) and found.interpolated
    (pair,) = found.contrast.pairs
    shift = np.random.default_rng(1).normal(size=(2, 10))[1] * 0.001
    assert pair.difference == pytest.approx(0.3 - 0.1 * math.log2(4) + shift.mean())
    low, high = stats.t.interval(0.95, 9, loc=pair.difference, scale=stats.sem(shift))
    assert (pair.low, pair.high) == (pytest.approx(low), pytest.approx(high))
    assert (found.contrast.verdict, found.contrast.depths) == ("deeper", [2])
    assert settle([found], "the published task").depth == 2


@pytest.mark.parametrize(
    ("task", "sizes", "reason"),
    [
        (grown({1: 0.0, 2: 0.3}), (17_000, 3000), "not reached"),
        (grown({1: 0.0, 2: 0.3}), (12_000, 1500), "not reached"),
        (grown({1: 0.0, 2: 0.3}, budgets=(2000, 16_000)), (12_000, 3000), "needs study: .* at least 3"),
    ],
)
def test_nothing_is_read_outside_what_was_tested(task: PublishedTask, sizes: tuple[int, int], reason: str) -> None:
    said = says(task, unlike(*sizes))
    assert isinstance(said, str)
    assert re.search(reason, said)


def test_an_arm_at_the_edge_or_not_complete_is_no_budget() -> None:
    task = grown({1: 0.0, 2: 0.3})
    changes: list[dict[str, Any]] = [{"at_edge": True}, {"complete": False}, {"tuning": []}]
    for change in changes:
        spoiled = [dataclasses.replace(task.arms[0], **change), *task.arms[1:]]
        said = says(dataclasses.replace(task, arms=spoiled), unlike(12_000, 3000))
        assert isinstance(said, str) and "needs study" in said


def test_folds_are_averaged_before_they_are_compared() -> None:
    task = grown({1: 0.0, 2: 0.3}, noise=0.01)
    folds = dataclasses.replace(task.contrasts[0], replicates="folds", seeds=5)
    said = says(dataclasses.replace(task, contrasts=[folds]), unlike(12_000, 3000))
    assert isinstance(said, Ground) and len(said.contrast.pairs[0].differences) == 5


def test_a_verdict_speaks_within_a_factor_of_two() -> None:
    task = published_task("a", contrast("a", budget=3000), contrast("a", "deeper", budget=12_000))
    for asked, verdict in [(1500, "no practical difference"), (5999, "no practical difference"), (6001, "deeper")]:
        said = says(task, budget(asked))
        assert isinstance(said, Ground) and said.contrast.verdict == verdict
    for asked in (1499, 24_001):
        assert "not within a factor of 2" in str(says(task, budget(asked)))


# --- the person's own study ------------------------------------------------------------------------------------------


def own(kind: str, **fields: Any) -> Verdicts:
    return verdicts(contrast("sales", kind, family="own", score="relative reduction"), **{"purpose": "screen"} | fields)


@pytest.mark.parametrize(("kind", "depth"), [("deeper", 2), ("wider", 1), ("same", 1), ("open", None)])
def test_their_own_study_outranks_all(kind: str, depth: int | None) -> None:
    answer = of_own_study(Question(study=Path("made")), own(kind))
    assert (answer.depth, answer.basis) == (depth, "your own study")
    assert answer.size is None or answer.size.width == 30 // answer.size.depth
    assert any("screen" in note for note in answer.notes) and not any("outranks" in one for one in answer.changes)
    if kind == "open":
        assert "12 more seeds of your own study" in answer.changes[0]


def test_their_own_study_is_not_contradicted() -> None:
    advice = Advice(
        task="sales", depth=4, width=7, parameters=6000, learning_rate=0.01, baseline="naive", over_baseline=0.1,
        low=0.05, high=0.2, words=["Use 4 layers of 7 cells"],
    )  # fmt: skip
    answer = of_own_study(Question(), own("deeper", advice=[advice]))
    assert answer.depth == 4 and answer.said == ["Use 4 layers of 7 cells"]
    failed = [Control("A/A", "sales", False, "the copies differ", "", gates=True)]
    withheld = of_own_study(Question(), own("deeper", controls=failed, advice=[advice]))
    assert (withheld.known, withheld.depth, withheld.said) == ("not known", None, []) and "withheld" in withheld.reason


def test_their_own_study_speaks_for_its_own_size() -> None:
    facts = Facts(family="", inputs=5)
    near, far = (
        of_own_study(Question(facts=facts, limit=Limit("parameters", size)), own("deeper")) for size in (4000, 40_000)
    )
    assert near.depth == 2 and near.size is not None and near.size.parameters == pytest.approx(4000, rel=0.05)
    assert far.depth is None and "not within a factor of 2" in far.reason
    with pytest.raises(UserError, match="--inputs"):
        of_own_study(Question(limit=Limit("parameters", 4000)), own("deeper"))


@pytest.mark.parametrize(
    ("found", "task", "words"),
    [
        (own("same", purpose="smoke"), "", "smoke study"),
        (verdicts(contrast("formants"), purpose="screen"), "", "screen"),
        (verdicts(contrast("a"), contrast("b")), "", "several tasks: give --task with one of a, b"),
        (own("same"), "seles", "'seles', which it does not have"),
    ],
)
def test_a_study_that_cannot_answer_is_refused(found: Verdicts, task: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        of_own_study(Question(task=task), found)


# --- the check -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "depth", "answer"),
    [
        ("deeper", 1, False), ("deeper", 2, True), ("deeper", 4, False), ("only 4", 2, False), ("only 4", 4, True),
        ("same", 1, True), ("same", 4, True), ("wider", 1, True), ("wider", 2, True), ("wider", 4, False),
        ("same", 8, False),
    ],
)  # fmt: skip
def test_what_right_means(kind: str, depth: int, answer: bool) -> None:
    assert right(depth, contrast("a", kind)) == answer


def test_hidden_tasks_are_answered_from_the_others() -> None:
    """Three that agree are found out by the other two; the fourth, unlike them, is told wrongly."""
    found = check(Library([one("a", "deeper"), one("b", "deeper"), one("c", "deeper"), one("z", "only 4")]))
    said = {case.task: (case.recommended, case.right) for case in found.cases}
    assert said["made/z"] == (2, False) and len(said) == 4
    alike = check(Library([one("a", "same"), one("b", "same"), one("c", "wider")]))
    counts = {tally.who: (tally.right, tally.of) for tally in alike.over_all}
    assert counts == {
        "recommend": (3, 3), "always 1 layer": (3, 3), "always 2 layers": (3, 3), "a coin, 1 or 2": (3.0, 3)
    }  # fmt: skip


@settings(max_examples=40)
@given(st.lists(st.sampled_from([*WORDS]), min_size=2, max_size=5), st.sampled_from(["deeper", "wider", "same"]))
def test_a_hidden_task_has_no_say_in_what_is_recommended_for_it(kinds: list[str], other: str) -> None:
    there = [one(f"t{at}", kind) for at, kind in enumerate(kinds)]
    changed = [one("t0", other), *there[1:]]
    first, second = (
        {case.task: case.recommended for case in check(Library(tasks)).cases} for tasks in (there, changed)
    )
    if "made/t0" in first:
        assert first["made/t0"] == second["made/t0"]


def test_other_settings_of_the_hidden_source_are_hidden_too() -> None:
    there = [one("a", "same", source="s"), one("b", "deeper", source="s", parameters={"levels": 2}), one("c", "deeper")]
    cases = {case.task: case for case in check(Library(there)).cases}
    assert cases["made/a"].grounds == ["made/c"] and cases["made/c"].right is None


def test_what_is_not_counted_is_told() -> None:
    twice = published_task("a", contrast("a", budget=3000), contrast("a", "wider"))
    again = dataclasses.replace(one("a", "same", budget=3000), study="other")
    found = check(Library([twice, again, one("open", "open"), one("no shape", "same", None)]))
    assert [(case.task, case.budget, case.verdict) for case in found.cases] == [("made/a", 6000, "wider")]
    left_out = " ".join(found.left_out)
    assert all(words in left_out for words in ("other/a", "made/open: undecided", "made/no shape"))


outcomes = st.tuples(st.booleans(), st.booleans(), st.booleans())


@settings(max_examples=50)
@given(st.lists(outcomes, min_size=1, max_size=7))
def test_the_coin_is_the_one_that_is_tossed(rows: list[tuple[bool, bool, bool]]) -> None:
    """Against every way that the coin can fall."""
    cases = [
        Case(
            task=f"t{at}", source="s", budget=1, verdict="v", depths=[], recommended=1, reason="", grounds=[],
            right=mine, one_layer_right=first, two_layers_right=second,
        )
        for at, (mine, first, second) in enumerate(rows)
    ]  # fmt: skip
    falls = [sum(row[1 + toss] for row, toss in zip(rows, tosses, strict=True))
             for tosses in itertools.product((0, 1), repeat=len(rows))]  # fmt: skip
    mine = sum(row[0] for row in rows)
    coin = next(tally for tally in tallies(cases) if tally.low is None)
    assert coin.right == pytest.approx(np.mean(falls))
    assert coin_as_good(cases) == pytest.approx(np.mean([fall >= mine for fall in falls]))


def test_the_check_on_published_tasks_counts_every_one(edited: Path) -> None:
    published = load(edited)
    found = check(published)
    names = {task.name for family in ("speech", "finance", "text", "images", "synthetic")
             for task in candidates(published.tasks, family)}  # fmt: skip
    assert len(found.cases) + len(found.left_out) == len(names)
    assert all(tally.of == len(found.cases) and 0 <= tally.right <= tally.of for tally in found.over_all)
    assert "share" in "\n".join(check_lines(found))


def test_with_nothing_published_the_check_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    found = check(Library())
    assert found.cases == [] and found.over_all == [] and found.coin_as_good is None
    assert "not known" in " ".join(check_lines(found))


# --- the command -----------------------------------------------------------------------------------------------------


HEADLINES = {"one layer": "One layer of ", "more layers": "", "not known": "Not known."}


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["recommend", *arguments]) == 0
    return capsys.readouterr().out


def test_from_screens_alone_it_is_not_known(edited: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = json.loads((edited / "speech" / "verdict.json").read_text()) | {"purpose": "screen"}
    (tmp_path / "verdict.json").write_text(json.dumps(record))
    text = " ".join(said(capsys, *ASKED, "--evidence", str(tmp_path)).split())
    assert text.startswith("Not known.") and "never enters a recommendation" in text
    assert "Until it is, begin with the simplest: one layer of " in text
    assert "[" not in text  # not one number of a screen is shown


def test_what_is_printed_fits_and_the_json_says_the_same(edited: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, *ASKED, "--evidence", str(edited)).splitlines()
    assert max(len(line) for line in lines if "/report.html" not in line) <= COLUMNS
    record = json.loads(said(capsys, *ASKED, "--evidence", str(edited), "--json"))
    assert lines[0].startswith(HEADLINES[record["known"]])
    assert any(line.startswith("Until it is") for line in lines) == (record["known"] == "not known")
    assert [f"{cell['depth']:>6}  {cell['width']:>6,}" for cell in record["cells"]] == [
        line[:14] for line in lines if line[:6].strip().isdigit()
    ]
    assert {one["family"] for one in record["grounds"]} == {"speech"}
    assert record["expected"][0]["low"] == min(one["pairs"][0]["low"] for one in record["grounds"])
    checked = json.loads(said(capsys, "--check", "--evidence", str(edited), "--json"))
    assert {tally["who"] for tally in checked["over_all"]} >= {"recommend", "always 1 layer", "always 2 layers"}


def test_a_study_alone_in_its_family_does_not_speak_for_others(fabricated: Path) -> None:
    question = Question(facts=SPEECH, limit=Limit("parameters", 6000))
    answer = of_nearest(question, load(fabricated))
    assert answer.known == "not known" and "only one published task is near, formants" in answer.reason
    assert answer.grounds[0].contrast.verdict == "deeper"
    named = of_task(Question(task="formants"), load(fabricated))
    assert named.depth == 2 and not any("Equal total state is not tested" in one for one in named.changes)


def test_facts_that_are_those_of_a_published_task_do_not_make_it_that_task() -> None:
    """Two problems may have one shape; a person who means the very task says so by name."""
    there = Library([one("a", "deeper"), one("b", "wider", dataclasses.replace(SPEECH, length=80))])
    answer = of_nearest(Question(facts=SPEECH, limit=Limit("parameters", 6000)), there)
    assert (
        answer.known == "not known"
        and "Your problem may be a itself: --task made/a asks for its verdict" in answer.changes
    )
    assert of_task(Question(task="made/a"), there).depth == 2


def test_nothing_is_said_of_data_of_ones_own_without_a_study(edited: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "--family", "own", "--inputs", "3", "--parameters", "3000", "--evidence", str(edited))
    assert text.startswith("Not known.") and "strata sweep --csv" in text


def test_every_end_of_the_words_is_reached() -> None:
    """An answer of every kind can be printed and written."""
    there = Library([one("a", "deeper"), one("b", "deeper"), one("c", "open", budget=1000)])
    answer = of_nearest(Question(facts=SPEECH, limit=Limit("parameters", 6000)), there)
    text = "\n".join(answer_lines(answer))
    assert text.startswith("2 layers of ") and "cells each" in text and "Of the same family, and not counted" in text
    assert json.loads(json.dumps(answer_record(answer)))["grounds"][0]["terms"][0]["name"] == "length"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--family"),
        (["--family", "spech", "--inputs", "3", "--parameters", "9"], "'spech'"),
        (["--family", "speech", "--inputs", "3"], "what you can afford"),
        (["--family", "speech", "--parameters", "3000"], "--inputs"),
        ([*ASKED, "--flops", "9"], "--parameters and --flops were given"),
        ([*ASKED[:-1], "0"], "--parameters is 0"),
        ([*ASKED, "--length", "0"], "--length is 0"),
        ([*ASKED, "--task", "formants"], "own family"),
        (["--task", "formant"], "nearest is formants"),
        (["--check", "--task", "formants"], "leave out"),
        (["--study", "nowhere"], "nowhere holds no verdict.json"),
        (["--task", "recall"], "in several studies"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], words: str, edited: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["recommend", *arguments, "--evidence", str(edited)]) == 2
    output = capsys.readouterr()
    assert output.out == "" and words in output.err and output.err.count("\n") == 1


def test_no_evidence_and_broken_evidence_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STRATA_WORKSPACE", raising=False)
    assert main(["recommend", *ASKED]) == 2
    assert "--evidence FOLDER" in capsys.readouterr().err
    for content in ("{", "{}", "[]", '{"study": "x"}'):
        (tmp_path / "verdict.json").write_text(content)
        assert main(["recommend", *ASKED, "--evidence", str(tmp_path)]) == 2
        assert "`strata report" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["verdict.json"]


def test_what_a_newer_strata_added_is_left_aside_and_no_file_is_run(tmp_path: Path) -> None:
    record = json.loads((PUBLISHED / "laptop" / "verdict.json").read_text())
    record["contrasts"][0] |= {"new": 1, "source": f"{tmp_path}/task.py:Mine"}
    (tmp_path / "verdict.json").write_text(json.dumps(record))
    (tmp_path / "task.py").write_text("raise SystemExit('it was run')")
    assert tasks_of(read(tmp_path))[0].facts is None
