"""What may change in a study that has runs: every kind of change, and the line that names it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.errors import UserError
from benchmark.study import Study
from benchmark.study.changes import classify


def study() -> dict[str, Any]:
    """A resolved study with something of everything."""
    entries = [
        {"task": "recall", "steps": 100, "parameters": {"delay": 5, "scale": 1.0}, "control": "null"},
        {"task": "stacked_teacher", "label": "teacher", "steps": 200, "control": "depth"},
    ]
    raw = {"name": "x", "tasks": entries, "budgets": [3000, 6000], "depths": [1, 2, 4], "a_a": "recall"}
    return Study.from_dict(raw | {"variants": ["plain", "residual"], "confirmation": {"looks": [10, 20]}}).resolved()


def changed(path: str, value: Any) -> dict[str, Any]:
    """That study with one dotted place set."""
    new = study()
    *holders, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    holder: Any = new
    for step in holders:
        holder = holder[step]
    holder[last] = value
    return new


CASES: list[tuple[str, Any, str, list[str]]] = [
    # reporting and execution
    ("description", "what for", "free", ["description", "what for"]),
    ("tuning.batch", 2, "free", ["tuning.batch: was 8, now 2"]),
    ("training.segment_steps", 50, "free", ["training.segment_steps: was null, now 50"]),
    ("training.steps", 7000, "free", ["training.steps"]),
    ("depths", [4, 1, 2], "free", ["order"]),
    # the family and its error rates
    ("budgets", [3000, 6000, 12000], "addition", ["budgets: 12000 added"]),
    ("budgets", [3000], "addition", ["budgets: 6000 taken away"]),
    ("tasks.0.places", {"parameters": [3000]}, "addition", ["tasks[recall].places: parameters 3000 added"]),
    ("depths", [1, 2, 4, 8], "addition", ["depths: 8 added"]),
    ("depths", [1, 4], "addition", ["depths: 2 taken away"]),
    ("match", ["parameters", "state"], "addition", ["match: state added"]),
    ("variants", ["plain", "residual", "layer_norm"], "addition", ["variants: layer_norm added"]),
    ("variants", ["plain"], "addition", ["variants: residual taken away"]),
    ("analysis.margin", 0.03, "addition", ["analysis.margin: was 0.02, now 0.03"]),
    ("analysis.alpha", 0.01, "addition", ["analysis.alpha"]),
    ("confirmation.looks", [10, 20, 30], "addition", ["confirmation.looks: was [10, 20], now [10, 20, 30]"]),
    ("confirmation.doubled", 0, "addition", ["confirmation.doubled: was 5, now 0"]),
    ("sensitivity.one_layer_trials", True, "addition", ["sensitivity.one_layer_trials: was false, now true"]),
    ("tuning.rerank.seeds", 4, "addition", ["tuning.rerank.seeds: was 3, now 4"]),
    ("purpose", "screen", "addition", ["purpose"]),
    ("a_a", None, "addition", ["a_a: recall taken away"]),
    ("tasks.1.control", "", "addition", ["tasks[teacher].control"]),
    ("tasks.1.label", "renamed", "addition", ["teacher taken away; tasks: renamed added"]),
    # finished keys, and what was chosen by their curves
    ("tuning.rungs", [0.25], "refused", ["tuning.rungs: was [], now [0.25]"]),
    ("name", "y", "refused", ["name"]),
    ("seed", 1, "refused", ["seed: was 0, now 1"]),
    ("tasks.0.steps", 101, "refused", ["tasks[recall].steps: was 100, now 101"]),
    ("tasks.0.task", "other.py:Recall", "refused", ['tasks[recall].task: was "recall"', "other.py:Recall"]),
    ("tasks.0.parameters.delay", 6, "refused", ["tasks[recall].parameters.delay: was 5, now 6"]),
    ("tasks.0.parameters.delay", 5.0, "refused", ["was 5, now 5.0"]),
    ("tasks.0.parameters.delay", "5", "refused", ['was 5, now "5"']),
    ("tasks.0.parameters.scale", True, "refused", ["was 1.0, now true"]),
    ("tasks.0.parameters.control", 1, "refused", ["parameters.control: was absent, now 1"]),
    ("tasks.0.parameters.extra", None, "refused", ["parameters.extra: was absent, now null"]),
    ("training.batch_size", 64, "refused", ["training.batch_size: was 32, now 64"]),
    ("training.precision", "64-true", "refused", ["training.precision"]),
    ("training.clip_norm", 0.5, "refused", ["training.clip_norm"]),
    ("training.warmup_share", 0.2, "refused", ["training.warmup_share"]),
    ("training.validations", 10, "refused", ["training.validations"]),
    ("training.divergence_multiple", 5.0, "refused", ["training.divergence_multiple"]),
    ("tuning.learning_rate.high", 0.3, "refused", ["tuning.learning_rate.high: was 0.1, now 0.3"]),
    ("tuning.learning_rate.points", 9, "refused", ["tuning.learning_rate.points: was 8, now 9"]),
    ("variants.1", {"name": "v", "residual": True}, "addition", ["residual taken away; variants: v added"]),
]


@pytest.mark.parametrize(("path", "value", "kind", "words"), CASES)
def test_one_change(path: str, value: Any, kind: str, words: list[str]) -> None:
    change = classify(study(), changed(path, value))
    assert change.kind == kind, change.difference
    assert "\n" not in change.difference
    for word in words:
        assert word in change.difference


@pytest.mark.parametrize("path", sorted({path for path, *_ in CASES}))
def test_nothing_changed_is_the_same_whatever_the_study(path: str) -> None:
    new = changed(path, next(value for p, value, *_ in CASES if p == path))
    change = classify(new, copy.deepcopy(new))
    assert (change.kind, change.differences) == ("same", [])


def test_every_setting_of_a_study_has_been_thought_of() -> None:
    """A leaf that no case above changes would be refused by default: decide, and add its case."""

    def leaves(path: str, value: Any) -> set[str]:
        if isinstance(value, dict):
            return {leaf for key, below in value.items() for leaf in leaves(f"{path}.{key}".lstrip("."), below)}
        return {path}

    cased = {path for path, *_ in CASES}
    elsewhere = {"cells", "tasks", "tuning.method", "tuning.points", "tuning.weight_decay", "tuning.dropout"}
    with_looks = {"confirmation.seeds", "tuning.rerank.points", "tuning.learning_rate.low"}
    assert leaves("", study()) - cased - elsewhere - with_looks - {"variants"} == set()


def test_a_task_added_or_taken_away_is_an_addition() -> None:
    fewer = study()
    del fewer["tasks"][1]
    assert classify(fewer, study()).differences == ["tasks: teacher added"]
    assert classify(study(), fewer).differences == ["tasks: teacher taken away"]
    assert classify(study(), fewer).kind == "addition"


def test_the_gravest_change_decides_and_is_the_one_named() -> None:
    new = changed("seed", 1)
    new["budgets"] = [3000]
    new["description"] = "y"
    change = classify(study(), new)
    assert (change.kind, change.differences) == ("refused", ["seed: was 0, now 1"])


def test_variant_settings_are_part_of_keys() -> None:
    old, new = changed("variants.1", {"name": "v", "residual": True}), changed("variants.1", {"name": "v"})
    change = classify(old, new)
    assert (change.kind, change.differences) == ("refused", ["variants[v].residual: was true, now false"])


def test_explicit_cells_may_be_added_and_taken_away() -> None:
    old, new = study(), study()
    for each, cells in ((old, [[1, 8]]), (new, [[1, 8], [2, 8]])):
        each.update(cells=cells, budgets=[], depths=[], a_a=None)
    assert classify(old, new).differences == ["cells: [2, 8] added"]
    assert classify(study(), old).kind == "addition"


def tuned(**tuning: Any) -> dict[str, Any]:
    new = study()
    new["tuning"] = tuning | {"rerank": {"points": 3, "seeds": 3}}
    return Study.from_dict(new).resolved()


def test_a_grid_that_goes_on_past_its_high_edge_keeps_its_points() -> None:
    old = tuned(learning_rate={"low": 0.001, "high": 0.1, "points": 5})
    higher = tuned(learning_rate={"low": 0.001, "high": 1.0, "points": 7})
    lower = tuned(learning_rate={"low": 0.0001, "high": 0.1, "points": 7})
    assert classify(old, higher).kind == "addition"
    assert classify(higher, old).kind == "addition"
    assert classify(old, lower).kind == "refused", "points are numbered from the low edge, and seeds come from numbers"


@given(few=st.integers(3, 40), more=st.integers(1, 40))
def test_more_sobol_points_are_an_addition(few: int, more: int) -> None:
    change = classify(tuned(method="sobol", points=few), tuned(method="sobol", points=few + more))
    assert (change.kind, change.differences) == ("addition", [f"tuning.points: was {few}, now {few + more}"])


def test_another_dimension_or_method_changes_the_points() -> None:
    sobol = tuned(method="sobol", points=16)
    decayed = tuned(method="sobol", points=16, weight_decay={"low": 0.001, "high": 0.1})
    dropped = tuned(method="sobol", points=16, dropout={"low": 0.1, "high": 0.5})
    for other in (decayed, dropped, study()):
        change = classify(sobol, other)
        assert change.kind == "refused"
        assert all(line.startswith("tuning.") for line in change.differences)


def test_a_stored_study_that_is_damaged_is_one_line() -> None:
    damaged = study()
    damaged["training"]["clip"] = 1
    with pytest.raises(UserError, match=r"the study as it ran: training.clip: unknown key.*'clip_norm'"):
        classify(damaged, study())
