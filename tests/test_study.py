"""Study files: what they mean, what is refused and in which words, and the points that every arm is asked."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark import shipped
from benchmark.analysis.family import declared
from benchmark.errors import UserError
from benchmark.evidence import frame
from benchmark.plan import groups
from benchmark.spec import Variant
from benchmark.study import Study, VariantEntry, refuse_unfair, seeds_needed
from benchmark.study.yaml import dump, parse

MINIMAL = "tasks: [{task: recall, steps: 100}]\nbudgets: [3000]\n"


OWN_TASK = """
import dataclasses
import numpy as np
from tasks.task import Split, Task

@dataclasses.dataclass(frozen=True)
class MyTask2(Task):
    name, family, description = "mine", "test", "none"
    target, loss, unit = "sequence", "squared_error", "one"
    replicates, folds = "folds", 6
    inputs = outputs = time = 1
    layers: int = 2
    sizes: tuple[int, ...] = (1, 2)

    def data(self, split, seed, fold=None):
        return Split(np.zeros((1, 1, 1), np.float32), np.zeros(1, np.float32))

    def trivial_loss(self, train, split):
        return 1.0

    def example(self, seed=0):
        return "0"
"""


@pytest.fixture
def load(workspace: Path) -> Any:
    """Load a study from its text, as configs/example.yaml of a folder that holds one task file, mine.py."""
    (workspace / "configs").mkdir()
    (workspace / "mine.py").write_text(OWN_TASK)

    def load(text: str, *overrides: str) -> Study:
        Path("configs/example.yaml").write_text(text)
        return Study.load("configs/example.yaml", overrides)

    return load


def study(**changes: Any) -> Study:
    return Study.from_dict({"name": "x", "tasks": [{"task": "recall", "steps": 100}], "budgets": [3000]} | changes)


# --- what a file means ----------------------------------------------------------------------------------------------


def test_defaults_of_a_study(load: Any) -> None:
    found = load(MINIMAL)
    assert (found.name, found.purpose, found.depths, found.seed) == ("example", "study", [1, 2, 4], 0)
    assert (found.tasks[0].label, found.tasks[0].control) == ("recall", "")
    assert found.variants == [Variant()]
    assert found.match == ["parameters"]
    assert (found.confirmation.seeds, found.confirmation.looks) == (10, [10])
    assert (found.analysis.margin, found.analysis.alpha) == (0.02, 0.05)
    rates = [point["learning_rate"] for point in found.points()]
    assert len(rates) == 8
    assert math.log10(rates[-1] / rates[0]) == pytest.approx(2.5, abs=1e-5)
    assert (found.tuning.rerank.points, found.tuning.rerank.seeds) == (3, 3)


def test_defaults_of_a_screen(load: Any) -> None:
    found = load(MINIMAL + "purpose: screen\n")
    rates = [point["learning_rate"] for point in found.points()]
    assert rates == [0.001, 0.00316228, 0.01, 0.0316228, 0.1]
    assert (found.tuning.rerank.points, found.tuning.rerank.seeds) == (2, 2)


def test_half_a_section_keeps_the_other_defaults(load: Any) -> None:
    found = load(MINIMAL + "purpose: smoke\ntuning: {learning_rate: {points: 2}, rerank: {points: 1}}\n")
    assert [p["learning_rate"] for p in found.points()] == [0.001, 0.1]
    assert (found.tuning.rerank.points, found.tuning.rerank.seeds) == (1, 2)


def test_steps_of_the_training_section_reach_tasks_that_state_none(load: Any) -> None:
    found = load(
        "tasks: [{task: recall}, {task: stacked_teacher, steps: 50}]\nbudgets: [3000]\ntraining: {steps: 200}\n"
    )
    assert [found.steps(entry) for entry in found.tasks] == [200, 50]
    assert [entry["steps"] for entry in found.resolved()["tasks"]] == [200, 50]


def test_looks_alone_set_the_seeds(load: Any) -> None:
    assert load(MINIMAL + "confirmation: {looks: [12, 24]}\n").confirmation.seeds == 12


def test_a_a_is_one_task_or_several() -> None:
    tasks = [{"task": "recall", "steps": 100, "control": "null"}, {"task": "adding", "steps": 100}]
    for asked, labels in [(None, []), ("recall", ["recall"]), (["recall", "adding"], ["recall", "adding"])]:
        found = study(tasks=tasks, a_a=asked, match=["parameters", "state"], budgets=[3000, 6000])
        assert (found.a_a, found.resolved()["a_a"]) == (labels, labels)
        assert found.families() == (4, 4 + 2 * len(labels))  # A/A is run at equal parameters only


def test_a_task_may_stand_at_some_of_the_budgets_and_matches() -> None:
    own = {"places": {"parameters": [6000]}}
    tasks = [{"task": "recall", "steps": 100, "control": "null", **own}, {"task": "adding", "steps": 100}]
    found = study(tasks=tasks, a_a="recall", match=["parameters", "state"], budgets=[3000, 6000], depths=[1, 2])
    places = [(group.entry.label, group.budget, group.match) for group in groups(found)]
    both = [("adding", budget, match) for budget in (3000, 6000) for match in ("parameters", "state")]
    assert places == [("recall", 6000, "parameters"), *both]
    assert found.families() == (4, 1 + 1)
    declared_places = [(one.task, one.budget, one.match) for one in declared(found.resolved(), frame([], "runs"))]
    assert declared_places == [places[0], *places]  # A/A follows the null control


@pytest.mark.parametrize(
    ("spelt", "meant"), [("null", "null"), ("'null'", "null"), ("~", "null"), ("none", ""), ("depth", "depth")]
)
def test_control_is_the_word_however_yaml_reads_it(load: Any, spelt: str, meant: str) -> None:
    found = load(f"tasks: [{{task: recall, steps: 100, control: {spelt}}}]\nbudgets: [3000]\n")
    assert found.tasks[0].control == meant
    assert found.resolved()["tasks"][0]["control"] == meant


def test_parameters_come_out_complete_and_plain(load: Any) -> None:
    found = load("tasks: [{task: 'mine.py:MyTask2', steps: 100, parameters: {layers: 3}}]\nbudgets: [3]\n")
    assert found.tasks[0].parameters == {"layers": 3, "sizes": [1, 2]}


def test_numbers_that_yaml_1_1_takes_for_text_are_numbers(load: Any) -> None:
    text = MINIMAL + "tuning: {learning_rate: {low: 1e-4, high: 1.e-1, points: 12}}\n"
    assert load(text).tuning.learning_rate.low == 1e-4


def test_variants_by_name_and_by_mapping() -> None:
    found = study(variants=["plain", "readout_all", {"name": "both", "residual": True, "layer_norm": True}])
    expected = [
        Variant(),
        Variant(name="readout_all", readout="all"),
        Variant(name="both", residual=True, layer_norm=True),
    ]
    assert found.variants == expected
    assert all(type(variant) is Variant for variant in found.variants)


def test_a_file_can_set_every_field_of_a_variant() -> None:
    fields = {field.name: field.default for field in dataclasses.fields(Variant)}
    assert list(VariantEntry.model_fields) == list(fields)
    assert VariantEntry(name="plain").model_dump() == fields


def test_explicit_cells_take_the_place_of_depths_and_budgets() -> None:
    found = study(budgets=[], cells=[[1, 8], [2, 8]])
    assert (found.depths, found.families()) == ([], (0, 0))
    refuse_unfair(found)


# --- task files -----------------------------------------------------------------------------------------------------


def test_a_task_file_beside_the_study_wins_over_the_working_directory(load: Any, workspace: Path) -> None:
    text = "tasks: [{task: 'mine.py:MyTask2', steps: 100}]\nbudgets: [3000]\n"
    found = load(text)
    assert (found.tasks[0].task, found.tasks[0].label) == ("mine.py:MyTask2", "my_task2")
    (workspace / "configs" / "mine.py").write_text(OWN_TASK)
    assert load(text).tasks[0].task == "configs/mine.py:MyTask2"
    assert Study.from_dict(load(text).resolved()) == load(text)


def test_a_task_file_elsewhere_is_named_in_full(load: Any, workspace: Path, tmp_path_factory: Any) -> None:
    other = tmp_path_factory.mktemp("other") / "mine.py"
    other.write_text(OWN_TASK)
    found = load(f"tasks: [{{task: '{other}:MyTask2', steps: 100}}]\nbudgets: [3000]\n")
    assert found.tasks[0].task == f"{other.resolve()}:MyTask2"


# --- shipped studies and names --------------------------------------------------------------------------------------


@pytest.fixture
def one_shipped(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.mktemp("shipped")
    (folder / "laptop.yaml").write_text(MINIMAL)
    monkeypatch.setattr(shipped, "folder", lambda: folder)


def test_a_shipped_study_is_found_by_its_name(one_shipped: None, load: Any) -> None:
    assert Study.load("laptop").name == "laptop"


@pytest.mark.parametrize("missing", ["laptob", "configs/absent.yaml", "laptop.yaml"])
def test_a_missing_file_lists_the_shipped_studies(one_shipped: None, workspace: Path, missing: str) -> None:
    assert_one_line(lambda: Study.load(missing), missing, "no such file", "laptop")


@pytest.mark.parametrize("name", shipped.configurations())
def test_every_shipped_study_loads(name: str) -> None:
    found = Study.load(name)
    # published.yaml is the file people ask for, and `results/published` is the folder of all that were published
    assert found.name == {"published": "depth_or_width"}.get(name, name)
    assert Study.from_dict(found.resolved()) == found


# --- bad input ------------------------------------------------------------------------------------------------------


def assert_one_line(action: Any, *words: str) -> None:
    with pytest.raises(UserError) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    assert "Input should" not in message, "pydantic's own words reached a person"
    for word in words:
        assert word in message, message


ENTRY = "tasks: [{task: recall, steps: 100}]\n"
BAD = {
    "misspelt key": (MINIMAL + "budget: 3\n", ["budget: unknown key", "'budgets'"]),
    "misspelt key in a list": (
        "tasks: [{task: recall, stepz: 9}]\nbudgets: [3]\n",
        ["tasks[0].stepz: unknown key", "'steps'"],
    ),
    "misspelt required key": ("tasks: [{tasc: recall, steps: 9}]\nbudgets: [3]\n", ["tasks[0].tasc", "'task'"]),
    "misspelt key deep down": (
        MINIMAL + "tuning: {learning_rate: {hihg: 1.0}}\n",
        ["tuning.learning_rate.hihg: unknown key", "'high'"],
    ),
    "misspelt key in an optional part": (
        MINIMAL + "tuning: {method: sobol, dropout: {low: 0.1, hgh: 0.5}}\n",
        ["tuning.dropout.hgh", "'high'"],
    ),
    "misspelt key in a variant": (
        MINIMAL + "variants: [{name: a, residul: true}]\n",
        ["variants[0].residul: unknown key", "'residual'"],
    ),
    "key in the wrong place": (MINIMAL + "dropout: 0.1\n", ["dropout: unknown key", "tuning.dropout"]),
    "key unlike any": (MINIMAL + "zzz: 1\n", ["zzz: unknown key", "valid keys: name"]),
    "key that is no text": (MINIMAL + "1: 2\n", ["[1]: unknown key"]),
    "text for a number": (MINIMAL + "seed: ten\n", ["seed: expected a whole number", "given 'ten' (text)"]),
    "fraction for a whole number": (
        ENTRY + "budgets: [3.5]\n",
        ["budgets[0]: expected a whole number", "given 3.5"],
    ),
    "true for a number": (ENTRY + "budgets: [true]\n", ["budgets[0]: expected a whole number", "given True"]),
    "number for a list": (ENTRY + "budgets: 3000\n", ["budgets: expected a list", "given 3000"]),
    "nothing for a mapping": (MINIMAL + "tuning:\n", ["tuning: expected a mapping", "given nothing"]),
    "number for text": ("tasks: [{task: 5, steps: 9}]\nbudgets: [3]\n", ["tasks[0].task", "text", "quotes"]),
    "unknown word": (MINIMAL + "purpose: scren\n", ["purpose: expected one of", "'screen'", "did you mean 'screen'"]),
    "infinity": (MINIMAL + "analysis: {margin: .inf}\n", ["analysis.margin: expected a finite number", "inf"]),
    "not a number": (MINIMAL + "analysis: {alpha: .nan}\n", ["analysis.alpha: expected a finite number", "nan"]),
    "infinite task parameter": (
        "tasks: [{task: recall, steps: 9, parameters: {a: [.inf]}}]\nbudgets: [3]\n",
        ["tasks[0].parameters", "finite"],
    ),
    "no tasks": ("tasks: []\nbudgets: [3000]\n", ["tasks: must hold at least 1"]),
    "tasks missing": ("budgets: [3000]\n", ["tasks: is required"]),
    "no budgets": (ENTRY, ["budgets: give at least one"]),
    "budget 0": (ENTRY + "budgets: [0]\n", ["budgets[0]: expected at least 1", "given 0"]),
    "depth 0": (MINIMAL + "depths: [1, 0]\n", ["depths[1]: expected at least 1", "given 0"]),
    "depth twice": (MINIMAL + "depths: [1, 2, 2]\n", ["depths: 2 appears twice"]),
    "no depth 1": (MINIMAL + "depths: [2, 4]\n", ["depths: must contain 1", "[2, 4]"]),
    "cells and budgets": (MINIMAL + "cells: [[1, 8]]\n", ["cells", "budgets"]),
    "cell of three": (ENTRY + "cells: [[1, 8, 2]]\n", ["cells[0]: must hold at most 2"]),
    "cell twice": (ENTRY + "cells: [[1, 8], [1, 8]]\n", ["cells: [1, 8] appears twice"]),
    "label twice": (
        "tasks: [{task: recall, steps: 100}, {task: recall, steps: 100}]\nbudgets: [3]\n",
        ["tasks: label 'recall' appears twice"],
    ),
    "a budget that is not the study's": (
        "tasks: [{task: recall, steps: 100, places: {parameters: [3]}}]\nbudgets: [3000]\n",
        ["tasks[0].places.parameters: 3 is not among the study's budgets (3000)"],
    ),
    "a match that is not the study's": (
        "tasks: [{task: recall, steps: 100, places: {state: [3000]}}]\nbudgets: [3000]\n",
        ["tasks[0].places: state is not among the study's match (parameters)"],
    ),
    "a budget of a task twice": (
        "tasks: [{task: recall, steps: 100, places: {parameters: [3000, 3000]}}]\nbudgets: [3000]\n",
        ["tasks[0].places.parameters: 3000 appears twice"],
    ),
    "A/A on a task at equal state only": (
        "tasks: [{task: recall, steps: 100, places: {state: [3]}}]\nbudgets: [3]\na_a: recall\n"
        "match: [parameters, state]\n",
        ["a_a", "parameters"],
    ),
    "label with capitals": (
        "tasks: [{task: recall, label: Recall, steps: 100}]\nbudgets: [3]\n",
        ["tasks[0].label: expected small letters", "'Recall'"],
    ),
    "name with a slash": (MINIMAL + "name: a/b\n", ["name: expected letters, digits, - and _ only", "'a/b'"]),
    "name of the published folder": (MINIMAL + "name: published\n", ["name: 'published'", "choose another"]),
    "control of no kind": (
        "tasks: [{task: recall, steps: 100, control: nul}]\nbudgets: [3]\n",
        ["tasks[0].control", "'null'"],
    ),
    "no steps": ("tasks: [{task: recall}]\nbudgets: [3]\n", ["tasks[0].steps: is required"]),
    "steps fewer than validations": (
        "tasks: [{task: recall, steps: 19}]\nbudgets: [3]\n",
        ["tasks[0].steps: 19", "training.validations, 20"],
    ),
    "A/A without such a task": (MINIMAL + "a_a: recal\n", ["a_a: no task has the label 'recal'", "'recall'"]),
    "A/A on a depth control": (
        "tasks: [{task: recall, steps: 100, control: depth}]\nbudgets: [3]\na_a: recall\n",
        ["a_a: task 'recall' is a control of depth"],
    ),
    "A/A at equal state only": (
        "tasks: [{task: recall, steps: 100, control: null}]\nbudgets: [3]\nmatch: [state]\na_a: recall\n",
        ["a_a", "parameters"],
    ),
    "unknown variant": (MINIMAL + "variants: [plian]\n", ["variants[0]: unknown variant 'plian'", "'plain'"]),
    "variant without a name": (MINIMAL + "variants: [{residual: true}]\n", ["variants[0].name: is required"]),
    "variant twice": (MINIMAL + "variants: [plain, plain]\n", ["variants: name 'plain' appears twice"]),
    "plain that is not plain": (
        MINIMAL + "variants: [{name: plain, residual: true}]\n",
        ["variants[0]: 'plain'", "choose another"],
    ),
    "looks that do not begin at seeds": (
        MINIMAL + "confirmation: {seeds: 10, looks: [12]}\n",
        ["confirmation: the first look (12) must be at seeds (10)"],
    ),
    "looks that do not increase": (
        MINIMAL + "confirmation: {seeds: 10, looks: [10, 10]}\n",
        ["confirmation: looks must increase"],
    ),
    "range upside down": (
        MINIMAL + "tuning: {learning_rate: {low: 0.1, high: 0.001}}\n",
        ["tuning.learning_rate: low (0.1) must be below high (0.001)"],
    ),
    "learning rate 0": (
        MINIMAL + "tuning: {learning_rate: {low: 0}}\n",
        ["tuning.learning_rate.low: expected more than 0"],
    ),
    "points on top of each other": (
        MINIMAL + "tuning: {learning_rate: {low: 0.1, high: 0.1001, points: 9}}\n",
        ["tuning.learning_rate", "closer than 1 %"],
    ),
    "fixed dropout": (MINIMAL + "tuning: {dropout: 0.1}\n", ["tuning.dropout: a fixed rate (0.1)", "PROTOCOL 3"]),
    "fixed weight decay": (MINIMAL + "tuning: {weight_decay: 1}\n", ["tuning.weight_decay: a fixed rate"]),
    "dropout that cannot be 0": (
        MINIMAL + "tuning: {method: sobol, dropout: {low: 0.1, high: 0.5, zero: false}}\n",
        ["tuning.dropout: zero: false", "PROTOCOL 3"],
    ),
    "second dimension on a grid": (
        MINIMAL + "tuning: {weight_decay: {low: 0.001, high: 0.1}}\n",
        ["tuning: weight_decay", "sobol"],
    ),
    "points of a grid in the wrong place": (MINIMAL + "tuning: {points: 9}\n", ["tuning: points", "learning_rate"]),
    "more finalists than points": (
        MINIMAL + "tuning: {rerank: {points: 9}}\n",
        ["tuning: rerank.points (9) is more than the 8 points"],
    ),
    "too few points for two dimensions": (
        MINIMAL + "tuning: {method: sobol, points: 15, dropout: {low: 0.1, high: 0.5}}\n",
        ["tuning.points: 15", "at least 16", "PROTOCOL 5"],
    ),
    "too few learning rates": (
        MINIMAL + "tuning: {learning_rate: {points: 7}}\n",
        ["tuning.learning_rate.points: 7", "at least 8", "PROTOCOL 5"],
    ),
    "too few learning rates of a screen": (
        MINIMAL + "purpose: screen\ntuning: {learning_rate: {points: 4}}\n",
        ["tuning.learning_rate.points: 4", "at least 5", "PROTOCOL 22"],
    ),
    "too narrow": (MINIMAL + "tuning: {learning_rate: {low: 0.01}}\n", ["1 decades", "at least 2.5"]),
    "too coarse": (
        MINIMAL + "tuning: {learning_rate: {low: 1.0e-6, high: 0.1}}\n",
        ["tuning.learning_rate.points: 8 over 5 decades", "at least 15"],
    ),
    "too few second tries": (MINIMAL + "tuning: {rerank: {seeds: 2}}\n", ["tuning.rerank.seeds: 2", "at least 3"]),
    "seeds too few": (
        MINIMAL + "confirmation: {seeds: 5}\n",
        ["confirmation.seeds: 5", "at least 6", "PROTOCOL 12"],
    ),
    "folds too few": (
        "tasks: [{task: 'mine.py:MyTask2', steps: 100}]\nbudgets: [3]\nconfirmation: {looks: [10, 20]}\n",
        ["tasks[0]", "6 folds", "at least 7", "PROTOCOL 11"],
    ),
    "alpha above 5 %": (MINIMAL + "analysis: {alpha: 0.1}\n", ["analysis.alpha: 0.1", "0.05"]),
    "unknown task": (
        "tasks: [{task: recal, steps: 100}]\nbudgets: [3]\n",
        ["tasks[0].task: there is no task named 'recal'", "nearest is 'recall'", "stacked_teacher"],
    ),
    "unknown task parameter": (
        "tasks: [{task: recall, steps: 100, parameters: {dely: 2}}]\nbudgets: [3]\n",
        ["tasks[0].parameters: task recall: there is no parameter 'dely'", "'delay'"],
    ),
    "task parameter of another type": (
        "tasks: [{task: recall, steps: 100, parameters: {delay: long}}]\nbudgets: [3]\n",
        ["tasks[0].parameters: task recall: delay is 'long'", "int"],
    ),
    "class that the task file has not": (
        "tasks: [{task: 'mine.py:MyTask3', steps: 100}]\nbudgets: [3]\n",
        ["tasks[0].task", "has no class MyTask3", "MyTask2"],
    ),
    "task file that is not there": (
        "tasks: [{task: 'a/b.py:C', steps: 100}]\nbudgets: [3]\n",
        ["tasks[0].task: no such file: a/b.py", "configs"],
    ),
    "task file without a class": ("tasks: [{task: a/b.py, steps: 100}]\nbudgets: [3]\n", ["names no class", ".py:Cl"]),
    "empty": ("# nothing yet\n", ["the file is empty"]),
    "not a mapping": ("- recall\n", ["expected a mapping", "['recall']"]),
    "not YAML": ("tasks: [{task: recall}\nbudgets: [3]\n", ["line 2", "not valid YAML"]),
    "tab": ("tasks:\n\t- task: recall\n", ["line 2", "not valid YAML"]),
    "key twice": (MINIMAL + "budgets: [4000]\n", ["line 3", "'budgets' appears twice"]),
    "key that is a list": ("? [a]\n: 1\n", ["line 1", "not valid YAML", "unhashable key"]),
    "endless": ("tasks: [{task: recall, steps: 9, parameters: &a {x: *a}}]\nbudgets: [3]\n", ["tasks[0].parameters"]),
    "nested without end": ("[" * 20000, ["not valid YAML"]),
    "object": ("tasks: !!python/object:os.system {}\n", ["line 1", "not valid YAML"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_clear_line(load: Any, case: str) -> None:
    text, words = BAD[case]
    assert_one_line(lambda: load(text), "configs/example.yaml:", *words)


def test_a_task_file_that_does_not_load_is_one_line(load: Any) -> None:
    text = "tasks: [{task: 'mine.py:MyTask2', steps: 100}]\nbudgets: [3]\n"
    for broken, words in (("class MyTask2(\n", "not valid Python"), ("import absent_library\n", "absent_library")):
        Path("mine.py").write_text(broken)
        assert_one_line(lambda: load(text), "configs/example.yaml: tasks[0].task", words)


def test_unreadable_files_are_one_line(workspace: Path) -> None:
    Path("latin.yaml").write_bytes(b"name: \xe9\n")
    assert_one_line(lambda: Study.load("latin.yaml"), "latin.yaml: not UTF-8")
    Path("control.yaml").write_bytes(b"name: \x01\n")
    assert_one_line(lambda: Study.load("control.yaml"), "control.yaml: not valid YAML")
    assert_one_line(lambda: Study.load("."), "is a folder")


def test_a_name_made_from_a_file_is_checked_too(workspace: Path) -> None:
    Path("my study.yaml").write_text(MINIMAL)
    assert_one_line(lambda: Study.load("my study.yaml"), "name: expected letters", "'my study'")


def test_a_smoke_study_may_be_too_small_to_decide(load: Any) -> None:
    text = MINIMAL + "purpose: smoke\nconfirmation: {seeds: 1}\ntuning: {learning_rate: {points: 2}}\n"
    assert load(text).confirmation.seeds == 1


# --- overrides ------------------------------------------------------------------------------------------------------


def test_overrides_reach_every_depth_and_keep_yaml_types(load: Any) -> None:
    found = load(
        MINIMAL, "tasks.0.steps=40", "analysis.margin=3e-2", "tasks[0].control=null", "depths=[1, 3]", "name=other"
    )
    assert (found.tasks[0].steps, found.analysis.margin, found.depths) == (40, 0.03, [1, 3])
    assert (found.tasks[0].control, found.name) == ("null", "other")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("analysis.margin", ["expected key.path=value"]),
        ("analysis..margin=1", ["expected key.path=value"]),
        ("tasks.7.steps=1", ["tasks is a list with entries 0 to 0", "'7'"]),
        ("tasks.steps=1", ["tasks is a list"]),
        ("budgets.0.x=1", ["budgets.0 is 3000"]),
        ("depths.0=2", ["depths=[...]"]),
        ("analysis.margin=[", ["not valid YAML"]),
        ("tasks.0.stepz=1", ["tasks[0].stepz: unknown key", "'steps'"]),
        ("tasks.0.steps=many", ["tasks[0].steps: expected a whole number", "'many'"]),
        ("analysis.margn=1", ["analysis.margn: unknown key", "'margin'"]),
    ],
)
def test_bad_overrides_get_one_clear_line(load: Any, text: str, words: list[str]) -> None:
    assert_one_line(lambda: load(MINIMAL, text), *words)


# --- fairness -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("naturals", "controls", "a_a", "match", "looks", "needed"),
    [
        (1, 0, False, ["parameters"], [10], 6),  # 1 + log2(1 / 0.05) = 5.3
        (2, 3, True, ["parameters"], [10, 20], 9),  # four controls at 0.025: 8.3
        (8, 1, False, ["parameters", "state"], [10], 10),  # sixteen: 9.3
    ],
)
def test_seeds_needed_by_hand(
    naturals: int, controls: int, a_a: bool, match: list[str], looks: list[int], needed: int
) -> None:
    entries = [{"task": "recall", "label": f"n{i}", "steps": 100} for i in range(naturals)]
    entries += [{"task": "recall", "label": f"c{i}", "steps": 100, "control": "null"} for i in range(controls)]
    found = study(tasks=entries, match=match, a_a="c0" if a_a else None, confirmation={"looks": looks})
    assert seeds_needed(found) == needed


@given(contrasts=st.integers(1, 200), looks=st.integers(1, 4))
def test_seeds_needed_is_where_the_smallest_sign_flip_p_reaches_alpha(contrasts: int, looks: int) -> None:
    entries = [{"task": "recall", "label": f"n{i}", "steps": 100} for i in range(contrasts)]
    found = study(tasks=entries, confirmation={"looks": [10 * (i + 1) for i in range(looks)]})
    n = seeds_needed(found)
    smallest_p = 2.0 ** (1 - n)  # two-sided: all signs one way, or all the other
    assert smallest_p * contrasts <= 0.05 / looks * (1 + 1e-9)
    assert 2 * smallest_p * contrasts > 0.05 / looks


# --- points ---------------------------------------------------------------------------------------------------------


@given(
    low=st.floats(1e-6, 1e-2),
    decades=st.floats(0.5, 4),
    points=st.integers(2, 20),
    edge=st.sampled_from(["low", "high"]),
)
def test_grid_points_ascend_by_one_ratio_and_go_on_beyond_the_edge(
    low: float, decades: float, points: int, edge: Any
) -> None:
    rate = {"low": low, "high": low * 10**decades, "points": points}
    found = study(tuning={"learning_rate": rate, "rerank": {"points": 1}})
    rates = [point["learning_rate"] for point in found.points()]
    beyond = [point["learning_rate"] for point in found.points_beyond(edge)]
    assert len(rates) == points
    assert len(beyond) == 2
    whole = rates + beyond if edge == "high" else beyond[::-1] + rates
    ratio = 10 ** (decades / (points - 1))
    steps = [later / earlier for earlier, later in zip(whole, whole[1:], strict=False)]
    assert steps == pytest.approx([ratio] * (points + 1), rel=1e-4)
    assert whole == sorted(whole)
    assert rates[0] == pytest.approx(low, rel=1e-5)


SECOND = {"weight_decay": {"low": 1e-4, "high": 0.1}, "dropout": {"low": 0.05, "high": 0.5}}


@given(
    seed=st.integers(0, 10**9),
    few=st.integers(2, 40),
    more=st.integers(0, 60),
    second=st.sets(st.sampled_from(list(SECOND))),
)
def test_sobol_points_are_prefix_stable_and_inside_their_ranges(
    seed: int, few: int, more: int, second: set[str]
) -> None:
    def asked(count: int) -> Study:
        tuning: dict[str, Any] = {"method": "sobol", "points": count, "rerank": {"points": 1}}
        return study(seed=seed, tuning=tuning | {name: SECOND[name] for name in second})

    small, large = asked(few), asked(few + more)
    assert large.points()[:few] == small.points()
    assert large.points_beyond("low") == small.points_beyond("low")
    for point in large.points():
        assert set(point) == {"learning_rate"} | second
        assert 0.000316227 <= point["learning_rate"] <= 0.1
        for name in second:
            assert point[name] == 0 or SECOND[name]["low"] <= point[name] <= SECOND[name]["high"]


def test_sobol_points_depend_on_the_seed_and_a_quarter_of_a_second_dimension_is_zero() -> None:
    tuning: dict[str, Any] = {"method": "sobol", "points": 64, **SECOND}
    first, second = study(tuning=tuning).points(), study(tuning=tuning, seed=1).points()
    assert first != second
    for name in SECOND:
        assert sum(point[name] == 0 for point in first) == 16
    ordered = sorted(math.log10(point["learning_rate"]) for point in first)
    assert ordered[31] < -2.25 + 0.05
    assert ordered[32] > -2.25 - 0.05


# --- round trip and imports -----------------------------------------------------------------------------------------

WORDS = st.from_regex(r"[a-z0-9_-]{1,12}", fullmatch=True)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def studies(draw: st.DrawFn) -> dict[str, Any]:
    labels = draw(st.lists(WORDS, min_size=1, max_size=4, unique=True))
    entries: list[dict[str, Any]] = [
        {
            "task": draw(st.sampled_from(["recall", "stacked_teacher"])),
            "label": label,
            "steps": draw(st.integers(20, 9999)),
            "parameters": draw(st.dictionaries(WORDS, VALUES, max_size=2)),
            "control": draw(st.sampled_from(["", "none", "depth", "width", "null", None])),
        }
        for label in labels
    ]
    raw: dict[str, Any] = {"name": draw(WORDS), "tasks": entries, "seed": draw(st.integers(0, 2**70))}
    raw["purpose"] = draw(st.sampled_from(["study", "screen", "smoke"]))
    raw["description"] = draw(st.text())
    if draw(st.booleans()):
        raw["cells"] = [[1, draw(st.integers(1, 99))], [2, 8]]
    else:
        raw["budgets"] = draw(st.lists(st.integers(1, 10**9), min_size=1, max_size=3, unique=True))
        raw["depths"] = [1, *draw(st.lists(st.integers(2, 12), max_size=3, unique=True))]
    raw["variants"] = draw(st.sampled_from([["plain"], ["residual", {"name": "v", "layer_norm": True}]]))
    if draw(st.booleans()):
        raw["tuning"] = {"method": "sobol", "dropout": SECOND["dropout"]}
    raw["training"] = {"segment_steps": draw(st.none() | st.integers(1, 99)), "clip_norm": draw(st.floats(0.1, 9))}
    return raw


@settings(max_examples=25)
@given(raw=studies())
def test_a_resolved_study_gives_itself_back_through_yaml(raw: dict[str, Any]) -> None:
    if raw["name"] == "published":
        return
    found = Study.from_dict(raw)
    resolved = found.resolved()
    assert Study.model_validate(resolved) == found
    assert Study.from_dict(parse(found.to_yaml(), "x")).resolved() == resolved
    assert yaml.safe_load(dump(resolved)) == resolved, "an ordinary YAML reader must read the same"


@given(value=VALUES)
def test_yaml_text_gives_back_what_was_written(value: Any) -> None:
    assert parse(dump(value), "x") == value


def test_a_study_needs_none_of_the_heavy_libraries() -> None:
    blocked = "torch mlflow optuna lightning scipy pandas"
    code = (
        f"import sys; sys.modules.update(dict.fromkeys('{blocked}'.split()))\n"
        "from benchmark.study import Study\n"
        "from benchmark.study.changes import classify\n"
        "s = Study.from_dict(dict(name='x', tasks=[dict(task='recall', steps=99)], budgets=[9]))\n"
        "print(len(s.points()), classify(s.resolved(), s.resolved()).kind)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["8", "same"], done.stderr


def test_only_a_study_doubles_its_steps_unless_asked() -> None:
    """PROTOCOL 10 and 22; at least five of the confirmed seeds, or none."""
    base = {"name": "x", "tasks": [{"task": "recall", "steps": 100}], "budgets": [3000]}
    for purpose, wanted in (("study", 5), ("screen", 0), ("smoke", 0)):
        assert Study.from_dict(base | {"purpose": purpose}).confirmation.doubled == wanted
    asked = Study.from_dict(base | {"purpose": "screen", "confirmation": {"seeds": 12, "doubled": 6}})
    assert asked.confirmation.doubled == 6
    for doubled in (3, 13):
        with pytest.raises(UserError, match=f"doubled is {doubled}: it must be 0, or 5 to seeds, 12"):
            Study.from_dict(base | {"confirmation": {"seeds": 12, "doubled": doubled}})
