"""A study with a bug planted on purpose in each thing that must be equal: the check of that name catches it.

Twice where it can: the sweep refuses to start, and the evidence that it would have left withholds the answer.
EVIDENCE.md names checks and bugs, and is held to the tables below.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor

from benchmark import batches, conduct, engine_checks, evidence, plan, sizing, splits
from benchmark.analysis.analyse import analyse
from benchmark.analysis.fairness import DATA, EFFORT, NAMES, REGULARISATION, SIZE, TEST, checks
from benchmark.analysis.family import declared
from benchmark.cli import main
from benchmark.engine_checks import APART, CHECKS, require
from benchmark.errors import UserError
from benchmark.evidence import Evidence
from benchmark.executors import SerialExecutor
from benchmark.journal import Journal
from benchmark.plan import groups
from benchmark.rows import gather
from benchmark.spec import RunResult, Variant
from benchmark.stacked import StackedNetworks
from benchmark.study import Study
from benchmark.sweep import Driver
from benchmark.training import train
from tests.conftest import ROOT
from tests.studies import run, tiny_study

Plant = Callable[[pytest.MonkeyPatch], None]
RECALL = {"task": "recall", "parameters": {"time": 6, "train": 64}, "steps": 6}


def small_study(**changes: Any) -> Study:
    """One task at two depths: some twelve trainings."""
    how: dict[str, Any] = {
        "purpose": "screen",
        "tasks": [RECALL],
        "a_a": None,
        "confirmation": {"seeds": 2, "looks": [2]},
        "training": {"batch_size": 16, "validations": 1},
    }
    return tiny_study(**(how | changes))


def swept(folder: Path) -> Evidence:
    """What a sweep leaves that nothing refused: planned, tuned and confirmed by the engine as it is."""
    study = small_study()
    planned = groups(study)
    with Journal.open(folder / "journal.jsonl") as journal:
        driver = Driver(journal=journal, executor=SerialExecutor(train), folder=folder)
        driver.run(planned, study.confirmation.seeds)
        return gather(driver.requests, journal.results(), study.resolved() | {"state": {}})


# --- the bugs --------------------------------------------------------------------------------------------------------


def deeper_arms_are_asked_fewer_points(patch: pytest.MonkeyPatch) -> None:
    original = conduct._tune

    def tune(*arguments: Any) -> Generator[Any, Any, None]:
        asks = original(*arguments)
        try:
            batch = next(asks)
            while True:
                kept = [request for request in batch if request.arm.depth == 1 or request.point != 0]
                answers = yield kept
                worst = {r.spec.key: RunResult(key=r.spec.key, status="diverged") for r in batch if r not in kept}
                batch = asks.send({**worst, **answers})
        except StopIteration:
            return

    patch.setattr(conduct, "_tune", tune)


def the_order_comes_from_the_global_generator(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(batches, "order_generator", lambda seed, epoch: torch.default_generator)


def the_data_seed_knows_the_depth(patch: pytest.MonkeyPatch) -> None:
    original = plan.Group.spec

    def spec(self: plan.Group, arm: plan.Arm, *arguments: Any, **how: Any) -> Any:
        made = original(self, arm, *arguments, **how)
        return dataclasses.replace(made, seeds=dataclasses.replace(made.seeds, data=made.seeds.data + arm.depth))

    patch.setattr(plan.Group, "spec", spec)


def dropout_is_that_of_torch(patch: pytest.MonkeyPatch) -> None:
    """As `nn.LSTM(num_layers=..., dropout=...)` has it: between layers, and so nowhere at depth 1."""

    def drop(self: StackedNetworks, layer: int, passed: Tensor, dropout: Any) -> Tensor:
        if not dropout or layer == self.first.depth - 1:
            return passed
        return torch.nn.functional.dropout(passed, dropout[0].rate)

    patch.setattr(StackedNetworks, "drop", drop)


def a_deeper_arm_decays_its_weights(patch: pytest.MonkeyPatch) -> None:
    original = plan.Group.spec

    def spec(self: plan.Group, arm: plan.Arm, setting: Any, *arguments: Any, **how: Any) -> Any:
        return original(self, arm, {**setting, "weight_decay": 0.1 * (arm.depth > 1)}, *arguments, **how)

    patch.setattr(plan.Group, "spec", spec)


def tuning_reads_the_test_split_and_chooses_by_it(patch: pytest.MonkeyPatch) -> None:
    original = plan.Group.spec

    def spec(self: plan.Group, *arguments: Any, **how: Any) -> Any:
        return original(self, *arguments, **{**how, "reads_test": True})

    def score(request: Any, result: RunResult) -> float:
        assert result.test_loss is not None
        return -result.test_loss

    patch.setattr(plan.Group, "spec", spec)
    patch.setattr(conduct, "score", score)


def the_test_split_is_given_out_as_validation(patch: pytest.MonkeyPatch) -> None:
    original = splits.Splits.__getitem__

    def of(self: splits.Splits, name: Any) -> Any:
        if name == "validation":
            return self.task.data("test", self.spec.seeds.data, self.spec.fold)
        return original(self, name)

    patch.setattr(splits.Splits, "__getitem__", of)


def the_test_split_is_open(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(splits.Splits, "__getitem__", lambda self, name: self.task.data(name, self.spec.seeds.data, None))


def parameters_are_counted_without_the_head(patch: pytest.MonkeyPatch) -> None:
    original = sizing._measure

    def measure(problem: Any, depth: int, width: int) -> sizing.Size:
        size = original(problem, depth, width)
        return dataclasses.replace(size, parameters=size.parameters - problem.outputs * (width + 1))

    patch.setattr(sizing, "_measure", measure)


def deeper_arms_are_wider(patch: pytest.MonkeyPatch) -> None:
    original = plan.Arm

    def arm(task: str, budget: int, match: str, variant: str, depth: int, width: int, replica: str = "") -> plan.Arm:
        return original(task, budget, match, variant, depth, width + 2 * (depth > 1), replica)

    patch.setattr(plan, "Arm", arm)


AT_START: dict[Plant, str] = {
    deeper_arms_are_asked_fewer_points: EFFORT,
    the_order_comes_from_the_global_generator: DATA,
    the_data_seed_knows_the_depth: DATA,
    dropout_is_that_of_torch: REGULARISATION,
    a_deeper_arm_decays_its_weights: REGULARISATION,
    tuning_reads_the_test_split_and_chooses_by_it: TEST,
    the_test_split_is_given_out_as_validation: TEST,
    the_test_split_is_open: TEST,
    parameters_are_counted_without_the_head: SIZE,
    deeper_arms_are_wider: SIZE,
}
IN_EVIDENCE: dict[Plant, str] = {
    deeper_arms_are_asked_fewer_points: EFFORT,
    the_order_comes_from_the_global_generator: DATA,
    the_data_seed_knows_the_depth: DATA,
    a_deeper_arm_decays_its_weights: REGULARISATION,
    tuning_reads_the_test_split_and_chooses_by_it: TEST,
    parameters_are_counted_without_the_head: SIZE,
    deeper_arms_are_wider: SIZE,
}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return swept(tmp_path_factory.mktemp("clean"))


def failed(found: Evidence) -> list[str]:
    return [check.name for check in checks(declared(found.study, found.runs), found) if check.passed is False]


# --- caught ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("plant", "check"), AT_START.items(), ids=lambda given: getattr(given, "__name__", ""))
def test_a_study_with_the_bug_does_not_start(plant: Plant, check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    with pytest.raises(UserError) as error:
        require(groups(small_study()))
    said = str(error.value)
    assert said.startswith(f"the check {check!r} failed before anything was trained: ") and "\n" not in said


def test_a_sweep_asks_before_it_writes(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dropout_is_that_of_torch(monkeypatch)
    with pytest.raises(UserError, match=f"{REGULARISATION}.* at depth 1 a dropout of 0.5 sets 0% of what a layer"):
        run(workspace, tasks=[RECALL], a_a=None)
    assert {path.name for path in workspace.iterdir()} <= {"output.txt"}, "nothing was written"


# Those whose kind is swept with another bug already are among the proofs.
AGAIN = (the_data_seed_knows_the_depth, deeper_arms_are_wider)


@pytest.mark.parametrize(
    ("plant", "check"),
    [
        pytest.param(plant, check, id=plant.__name__, marks=pytest.mark.proof if plant in AGAIN else ())
        for plant, check in IN_EVIDENCE.items()
    ],
)
def test_the_evidence_that_it_would_have_left_fails_the_check(
    plant: Plant, check: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    assert failed(swept(tmp_path)) == [check]


def test_every_check_catches_a_planted_bug() -> None:
    assert {*AT_START.values(), *IN_EVIDENCE.values()} == set(NAMES)
    assert set(CHECKS) == {*NAMES, APART}


# --- and nothing else is ---------------------------------------------------------------------------------------------


def test_the_clean_study_passes(clean: Evidence) -> None:
    findings = analyse(clean)
    assert [check.passed for check in findings.checks] == [True] * len(NAMES), findings.checks
    assert "not fair" not in findings.headline


def test_every_variant_starts_and_nothing_is_left_behind() -> None:
    variants = ["plain", "bidirectional", "residual", "layer_norm", "readout_all"]
    planned = groups(small_study(variants=variants, budgets=[9000], match=["parameters", "state"]))
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    require(planned)
    assert torch.get_num_threads() == threads and torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("embedding", [0, 5])
@pytest.mark.parametrize("readout", ["top", "all"])
def test_the_closed_form_is_what_is_built(embedding: int, readout: Any) -> None:
    for depth, width, two, normed in [
        (1, 3, False, True),
        (2, 7, True, False),
        (4, 5, True, True),
        (3, 9, False, False),
    ]:
        variant = Variant(name="asked", bidirectional=two, layer_norm=normed, readout=readout, residual=True)
        cell: dict[str, Any] = {"inputs": 6, "outputs": 4, "depth": depth, "width": width, "variant": variant}
        assert (
            engine_checks.closed_form(**cell, embedding=embedding)
            == sizing.measure(**cell, embedding=embedding).parameters
        )


# --- evidence from elsewhere -----------------------------------------------------------------------------------------


def elsewhere(found: Evidence, change: Callable[[Any, Any], None]) -> Evidence:
    """The tables of a sweep as another program may have left them."""
    runs, members = found.runs.copy(), found.members.copy()
    change(runs, members)
    return dataclasses.replace(found, runs=runs, members=members)


def edited(check: str) -> Callable[[Any, Any], None]:
    """The smallest edit that the check must see."""

    def change(runs: Any, members: Any) -> None:
        deep = runs.index[runs["depth"] == 2]
        use = members.set_index("key").loc[runs.loc[deep, "key"], "phase"].to_numpy()
        tune, confirm = deep[use == "tune"][0], deep[use == "confirm"][0]
        if check == EFFORT:
            runs.loc[tune, "learning_rate"] = 0.5
        elif check == DATA:
            runs.loc[confirm, "order_hash"] = "0" * 32
        elif check == REGULARISATION:
            runs.loc[deep, "hyperparameters"] = runs.loc[deep, "hyperparameters"].str.replace(
                '"dropout": 0.0', '"dropout": 0.2'
            )
        elif check == TEST:
            runs.loc[tune, "test_loss"] = 0.5
        else:
            runs.loc[deep, "parameters"] = runs.loc[deep, "parameters"] + 1

    return change


@pytest.mark.parametrize("check", NAMES)
def test_an_edited_table_is_caught(check: str, clean: Evidence) -> None:
    assert failed(elsewhere(clean, edited(check))) == [check]


def test_the_verb_says_it_first_and_in_json(
    clean: Evidence, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evidence.write(tmp_path, elsewhere(clean, edited(DATA)))
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(dict(clean.study)))
    assert main(["analyse", str(tmp_path), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert {one["name"]: one["passed"] for one in record["checks"]} == {name: name != DATA for name in NAMES}
    assert record["headline"].startswith(f"The comparison is not fair: {DATA}: recall (budget 1,200): ")
    assert record["headline"].endswith(" got different batches. The answer is withheld.")


# --- a task of a person's own ----------------------------------------------------------------------------------------

OWN = '''
from dataclasses import dataclass
import numpy as np
from tasks.task import Split, Task

@dataclass(frozen=True)
class Own(Task):
    """Sums of noise `(n, time, features)`."""
    name = "own_sums"
    family = "synthetic"
    description = "The running sum of noise."
    target = "step"
    loss = "squared_error"
    unit = "variance"
    leak: int = 0
    inputs = property(lambda self: 1)
    outputs = property(lambda self: 1)
    time = property(lambda self: 6)

    def data(self, split, seed, fold=None):
        drawn = {name: np.random.default_rng((seed, at)).normal(size=(64, 6, 1)).astype(np.float32)
                 for at, name in enumerate(("train", "validation", "test"))}
        drawn["test"][: self.leak] = drawn["train"][: self.leak]
        return Split(drawn[split], drawn[split].cumsum(1))

    def trivial_loss(self, train, split):
        return float((split.targets**2).mean())

    def example(self, seed=0):
        return "noise"
'''


@pytest.mark.parametrize("leak", [0, 64])
def test_a_task_whose_test_data_are_in_train_does_not_start(leak: int, workspace: Path) -> None:
    (workspace / "own.py").write_text(OWN)
    entry = {"task": "own.py:Own", "label": "own", "parameters": {"leak": leak}, "steps": 6}
    planned = groups(small_study(tasks=[entry]))
    if leak:
        with pytest.raises(UserError, match=rf"'{APART}' failed .*: 64 sequences of task own stand in both train and"):
            require(planned)
    else:
        require(planned)
    (workspace / "broken.py").write_text(OWN.replace("np.random", "np.rondom"))
    require(groups(small_study(tasks=[{**entry, "task": "broken.py:Own"}])))  # told of where the study is priced


# --- the documentation -----------------------------------------------------------------------------------------------


def test_the_documentation_names_the_checks_and_the_bugs() -> None:
    text = (ROOT / "benchmark" / "EVIDENCE.md").read_text()
    (section,) = re.findall(r"\n## Checks of fairness\n(.*?)(?=\n## |\Z)", text, re.DOTALL)
    rows = dict(re.findall(r"^\| `([^`]+)` \|(.*)\|$", section, re.MULTILINE))
    assert list(rows) == [*NAMES, APART]
    assert AT_START | IN_EVIDENCE == AT_START
    for plant, check in AT_START.items():
        said = plant.__name__.replace("_", " ")
        assert said in rows[check], f"{said} is not named under {check}"
