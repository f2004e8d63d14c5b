"""What `from benchmark import ...` offers a notebook: the same numbers as the rooms behind it, and one clear line."""

from __future__ import annotations

import ast
import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import benchmark
from benchmark import analyse, evidence, load, plots, size, sizing, train_cell, training
from benchmark.analysis.analyse import analyse as found_in
from benchmark.errors import UserError
from benchmark.report.differences import differences
from benchmark.report.groups import depths, groups
from benchmark.report.seeds import seeds
from benchmark.spec import Hyperparameters, RunSpec, Seeds, Variant
from tasks import registry
from tests.analysis.fabricate import fabricate
from tests.conftest import ROOT
from tests.report.example import example
from tests.training_specs import scores

NOTEBOOK = ROOT / "examples" / "first_steps.ipynb"
TINY = registry.load("recall").tiny().parameters()
CHEAP: dict[str, Any] = {"task_parameters": TINY, "steps": 24, "batch_size": 16}


# --- names -----------------------------------------------------------------------------------------------------------


def test_every_public_name_resolves() -> None:
    for name in benchmark.__all__:
        assert getattr(benchmark, name) is not None
    assert set(benchmark.__all__) <= set(dir(benchmark))
    everything: dict[str, Any] = {}
    exec("from benchmark import *", everything)
    assert set(benchmark.__all__) <= set(everything)
    with pytest.raises(AttributeError, match="no attribute 'trian_cell'"):
        benchmark.trian_cell  # type: ignore[attr-defined]  # noqa: B018


def test_importing_the_package_loads_nothing_and_each_name_only_what_it_needs() -> None:
    script = (
        "import sys, benchmark\n"
        "print(sorted(name for name in sys.modules if name.partition('.')[0] in ('benchmark', 'tasks')))\n"
        "heavy = {'torch', 'pandas', 'numpy', 'matplotlib', 'pydantic', 'mlflow', 'optuna'}\n"
        "print(heavy & set(sys.modules))\n"
        "benchmark.UserError, benchmark.Variant, benchmark.RunResult, benchmark.plots\n"
        "benchmark.size, benchmark.train_cell, benchmark.load, benchmark.analyse\n"
        "print(heavy & set(sys.modules))\n"
        "benchmark.Study\n"
        "print({'torch', 'mlflow', 'optuna'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.splitlines() == ["['benchmark']", "set()", "set()", "set()"]


# --- sizes -----------------------------------------------------------------------------------------------------------


@settings(max_examples=15)
@given(
    budget=st.integers(2_000, 20_000),
    match=st.sampled_from(["parameters", "state", "flops"]),
    inputs=st.integers(1, 20),
    outputs=st.integers(1, 20),
    time=st.integers(1, 50),
)
def test_sizes_are_those_of_the_solver_and_of_the_measure(
    budget: int, match: sizing.Match, inputs: int, outputs: int, time: int
) -> None:
    shape: dict[str, Any] = {"inputs": inputs, "outputs": outputs, "time": time}
    table = size(budget, depths=[2, 1], match=match, **shape)
    solved = sizing.solve(budget=budget, depths=[1, 2], match=match, **shape)
    assert [*table.index] == [1, 2] and table.index.name == "depth"
    for depth, cell in solved.sizes.items():
        row = table.loc[depth]
        assert (row["width"], row["parameters"], row["state"], row["flops"]) == (
            cell.width, cell.parameters, cell.state, cell.flops,
        )  # fmt: skip
        # A number out of a table, which is NumPy's, is as good as one that was typed.
        again = size(width=row["width"], depths=[depth], **shape)
        pd.testing.assert_frame_equal(again, table.loc[[depth]])


def test_a_task_gives_the_shape_of_its_own_network() -> None:
    task = registry.create("recall", TINY)
    variant = Variant(name="residual", residual=True)
    table = size(4_000, task="recall", task_parameters=TINY, variant=variant)
    solved = sizing.solve(
        budget=4_000, depths=[1, 2, 4], variant=variant, time=task.time, **sizing.network_shape(task)
    ).sizes
    assert table.to_dict("index") == {d: {k: v for k, v in vars(s).items() if k != "depth"} for d, s in solved.items()}


# --- one training ----------------------------------------------------------------------------------------------------


def captured(monkeypatch: pytest.MonkeyPatch, *arguments: Any, **how: Any) -> RunSpec:
    """What `train_cell` asks of `train_one`."""
    asked: list[RunSpec] = []
    result = benchmark.RunResult(key="", status="done")

    def train_one(spec: RunSpec) -> benchmark.RunResult:
        asked.append(spec)
        return result

    monkeypatch.setattr(training, "train_one", train_one)
    assert train_cell(*arguments, **how) is result
    return asked[0]


@pytest.mark.parametrize("test", [False, True])
def test_a_cell_gives_the_numbers_of_train_one(test: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        spec = captured(patched, "recall", 2, 8, learning_rate=0.03, seed=3, test=test, **CHEAP)
    by_hand = RunSpec(
        task="recall",
        task_parameters=TINY,
        task_digest=registry.digest("recall"),
        depth=2,
        width=8,
        hyperparameters=Hyperparameters(learning_rate=0.03, batch_size=16),
        seeds=Seeds(
            replicate=3,
            data=spec.seeds.data,
            initialisation=spec.seeds.initialisation,
            order=spec.seeds.order,
            dropout=spec.seeds.dropout,
        ),
        steps=24,
        validate_every=1,
        reads_test=test,
    )
    out_of_a_table: Any = np.int64(8)
    mine = train_cell("recall", 2, out_of_a_table, learning_rate=0.03, seed=3, test=test, **CHEAP)
    theirs = training.train_one(by_hand)
    assert isinstance(theirs, benchmark.RunResult)
    assert mine.status == "done" and scores(mine) == scores(theirs)
    assert (mine.test_loss is None) == (not test)


def test_seeds_pair_cells_and_are_no_study_s(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, other = (
        captured(monkeypatch, "recall", depth, 8, seed=seed, **CHEAP) for depth, seed in ((1, 0), (2, 0), (2, 1))
    )
    assert one.seeds == two.seeds != other.seeds
    for spec in (one, other):
        streams = [value for name, value in vars(spec.seeds).items() if name != "replicate"]
        assert len(set(streams)) == 4
        assert {value >> 60 for value in streams} == {1}  # the domain of development (PROTOCOL 6, 20)


def test_the_test_split_and_its_folds_are_opened_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    folds = registry.create("equity_variance").folds
    closed = captured(monkeypatch, "equity_variance", 1, 8, seed=folds + 2)
    opened = captured(monkeypatch, "equity_variance", 1, 8, seed=folds + 2, test=True)
    assert (closed.reads_test, closed.fold) == (False, None)
    assert (opened.reads_test, opened.fold) == (True, 2)
    assert captured(monkeypatch, "recall", 1, 8, test=True).fold is None


def test_the_notebook_s_torch_is_left_as_it_was() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        train_cell("recall", 1, 8, **CHEAP)
        assert torch.get_num_threads() == 2
        assert float(torch.tensor(2.0**-1074, dtype=torch.float64) * 1) > 0  # denormals are numbers again
    finally:
        torch.set_num_threads(threads)


# --- evidence --------------------------------------------------------------------------------------------------------


@functools.cache
def fabricated() -> evidence.Evidence:
    return fabricate(seeds=4, looks=(4,))


def write(folder: Path) -> Path:
    folder.mkdir(parents=True)
    evidence.write(folder, fabricated())
    (folder / "study.yaml").write_text(yaml.safe_dump(dict(fabricated().study)))
    return folder


def test_evidence_is_found_by_path_and_by_name_and_judged_as_by_the_report(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(workspace / "results" / "mine")
    by_path, by_name = load(str(folder)), load("mine")
    for name in evidence.TABLES:
        pd.testing.assert_frame_equal(getattr(by_path, name), getattr(evidence.read(folder), name))
        pd.testing.assert_frame_equal(getattr(by_path, name), getattr(by_name, name))
    assert by_path.study == by_name.study == evidence.read(folder).study
    found = {id(by_path): found_in(by_path)}
    monkeypatch.setattr("benchmark.analysis.analyse.analyse", lambda given: found[id(given)])
    assert analyse(by_path) == found[id(by_path)]
    with pytest.raises(UserError, match="mine, published/"):
        load("yours")


def test_a_table_from_elsewhere_says_what_it_does_not_show(tmp_path: Path) -> None:
    rows = [
        {"task": "mine", "depth": depth, "seed": seed, "phase": "confirm", "skill": 0.5 + 0.1 * depth + 0.01 * seed}
        for depth in (1, 2)
        for seed in range(10)
    ]
    path = tmp_path / "runs.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    with pytest.warns(UserWarning, match="runs.csv does not show everything: .*tuning not shown"):
        loaded = load(path)
    findings = analyse(loaded)
    assert findings.contrasts[0].verdict == "deeper"
    # No verdict without its limits: whether every depth was tuned cannot be seen here.
    assert "tuning not shown" in findings.contrasts[0].sentence and "tuning not shown" in findings.headline


def test_published_evidence_is_found_from_any_folder(workspace: Path) -> None:
    assert set(load("published/laptop").runs["depth"]) == {1, 2, 4}


# --- pictures --------------------------------------------------------------------------------------------------------


def test_figures_are_the_report_s_whatever_a_notebook_has_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    findings = example(tasks=["formants"])
    report = [differences(findings), seeds("task-01-formants", groups(findings)[0], depths(findings))]
    for picture, figure in zip(report, [plots.differences(findings), plots.task(findings, "formants")], strict=True):
        with mpl.rc_context({"font.size": 30, "axes.grid": True, "savefig.bbox": "tight"}):
            assert figure._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
        figure.savefig(tmp_path / "figure.png", dpi=150, metadata={"Software": None})
        assert (tmp_path / "figure.png").read_bytes() == picture.png
    monkeypatch.setattr("benchmark.report.figures.pictures", lambda _: {one.name: one for one in report})
    assert plots.every(findings) == {one.name: one.figure for one in report}


def test_what_is_withheld_is_not_drawn() -> None:
    failed = example(failed=("depth",))
    for draw in (plots.families, plots.exchange):
        with pytest.raises(UserError, match="withheld, as a control does not hold"):
            draw(failed)


def test_one_of_several_budgets_is_named() -> None:
    findings = example(tasks=["formants"])
    larger = [replace(arm, budget=2 * arm.budget, arm=f"{arm.arm} larger") for arm in findings.arms]
    both = replace(findings, arms=[*findings.arms, *larger])
    with pytest.raises(UserError, match="several of the contrasts on formants fit: give one of budget="):
        plots.task(both, "formants")
    with pytest.raises(UserError, match="none of the contrasts on formants fit"):
        plots.task(both, "formants", budget=1)
    assert plots.task(both, "formants", budget=larger[0].budget).axes


# --- errors ----------------------------------------------------------------------------------------------------------

MISTAKES: dict[str, Callable[[], Any]] = {
    "give either a budget": lambda: size(task="recall"),
    "nothing says what the network is for": lambda: size(3_000),
    "'recall' and inputs were given": lambda: size(3_000, task="recall", inputs=2),
    "task_parameters were given without": lambda: size(3_000, inputs=2, outputs=1, task_parameters={"delay": 1}),
    "no depths given": lambda: size(width=8, inputs=2, outputs=1, depths=[]),
    "width is 8.5: give a whole number from 1": lambda: size(width=8.5, inputs=2, outputs=1),  # type: ignore[arg-type]
    "the nearest is 'formants'": lambda: train_cell("formant", 1, 8),
    "no parameter 'dealy'": lambda: train_cell("recall", 1, 8, task_parameters={"dealy": 2}),
    "there is no file mine.py": lambda: train_cell("mine.py:Mine", 1, 8),
    "depth is 0": lambda: train_cell("recall", 0, 8),
    "steps is 0": lambda: train_cell("recall", 1, 8, steps=0),
    "seed is -1": lambda: train_cell("recall", 1, 8, seed=-1),
    "learning_rate is nan": lambda: train_cell("recall", 1, 8, learning_rate=float("nan")),
    "weight_decay is -1": lambda: train_cell("recall", 1, 8, weight_decay=-1),
    "dropout is 1": lambda: train_cell("recall", 1, 8, dropout=1),
    "folder nowhere: there is no such folder": lambda: train_cell("timit", 1, 8, task_parameters={"folder": "nowhere"}),
    "no evidence in nowhere": lambda: load("nowhere"),
    "has no task 'x' to draw; its tasks: formants": lambda: plots.task(example(tasks=["formants"]), "x"),
    "no such figure: it turns no dial": lambda: plots.phase(example(tasks=["formants"])),
}


@pytest.mark.parametrize("said", MISTAKES)
def test_a_mistake_is_told_in_one_line(said: str, workspace: Path) -> None:
    with pytest.raises(UserError) as error:
        MISTAKES[said]()
    assert said in str(error.value) and "\n" not in str(error.value)
    assert error.value.__suppress_context__ or error.value.__context__ is None
    assert list(workspace.iterdir()) == []


def test_data_that_cannot_be_made_are_told_before_anything_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    def digest(_: object) -> str:
        raise ImportError("no module named 'arch'")

    monkeypatch.setattr(registry.load("equity_variance"), "data_digest", digest)
    with pytest.raises(UserError, match="task equity_variance: its data cannot be made here: no module named 'arch'"):
        train_cell("equity_variance", 1, 8)


# --- the example notebook --------------------------------------------------------------------------------------------

SHOW = """
import ast, json, sys
for cell in json.load(open(sys.argv[1]))["cells"]:
    if cell["cell_type"] == "code":
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, cell["id"], "exec"), globals())
        if last:  # what a notebook shows: a table, a figure, or what was printed
            value = eval(compile(ast.Expression(last.value), cell["id"], "eval"), globals())
            shown = getattr(value, "_repr_png_", getattr(value, "_repr_html_", value.__repr__))()
            print(cell["id"], type(value).__name__, len(shown))
print(*{"mlflow", "optuna"} & set(sys.modules))
"""
"""Runs a notebook's code cells one after another, as a kernel does."""


def code_cells() -> list[str]:
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_the_example_carries_no_outputs_and_uses_public_names_only() -> None:
    for cell in json.loads(NOTEBOOK.read_text())["cells"]:
        assert cell["metadata"] == {}
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
    imports = [node for node in ast.walk(ast.parse("\n".join(code_cells()))) if isinstance(node, ast.ImportFrom)]
    assert {node.module for node in imports} == {"benchmark"}
    assert {alias.name for node in imports for alias in node.names} <= set(benchmark.__all__)


@pytest.mark.proof
def test_the_example_runs_from_its_first_cell_to_its_last(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHOW, str(NOTEBOOK)],
        cwd=tmp_path, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *shown, stores = done.stdout.splitlines()
    kinds = [line.split()[1] for line in shown if line.startswith("step-")]
    assert kinds.count("Shown") == 2 and kinds.count("DataFrame") >= 6
    assert stores == "", "a notebook has no use for the stores of a sweep"
    assert list(tmp_path.iterdir()) == []
