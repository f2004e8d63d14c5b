"""The verb `strata export`: train the chosen network once more, prove it is the study's, and write it down."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.analysis.analyse import analyse
from benchmark.analysis.findings import Arm, Findings
from benchmark.errors import UserError
from benchmark.evidence import Evidence, read, replace_file
from benchmark.export import predict
from benchmark.journal import Journal
from benchmark.lstm import StackedLSTM
from benchmark.sizing import network_shape
from benchmark.spec import RunResult, RunSpec, same_loss
from tasks import registry
from tasks.own.series import OwnSeries


def export(folder: Path, out: Path, task: str | None = None, depth: int | None = None) -> tuple[Path, str]:
    """Write the chosen network of the study in `folder` to `out`; returns that folder and a line that says what it is.

    Without `depth` it is the advice on a person's own series; a study of ours advises nobody, so that `depth`, and
    `task` where there are several, must be given. Of its confirmed trainings the one with the most recent data is
    taken, and of those the best on validation. Raises UserError.
    """
    evidence = read(folder)
    arm = _chosen(analyse(evidence), task, depth)
    spec, result = _training(folder, evidence, arm)
    made, network = _again(spec, result)
    problem = registry.create(spec.task, {**spec.task_parameters, **spec.task_locations})
    settings = {
        "study": folder.name,
        "key": spec.key,
        "arm": arm.arm,
        "shape": {"depth": spec.depth, "width": spec.width, **network_shape(problem)},
        "parameters": made.parameters,
        "training": spec.to_dict(),
        "test_loss": result.test_loss,
        "trivial_loss": result.trivial_loss,
        "baselines": result.baselines,
        "unit": problem.unit,
        "versions": result.versions,
        **({"table": table(problem, spec.fold)} if isinstance(problem, OwnSeries) else {}),
    }
    _write(out, settings, network)
    period = f", trained for test period {spec.fold + 1}" if spec.fold is not None else ""
    return out, f"{arm.depth} layer{'s' * (arm.depth > 1)} of {arm.width} cells, {made.parameters:,} parameters{period}"


def _chosen(findings: Findings, task: str | None, depth: int | None) -> Arm:
    arms = [arm for arm in findings.arms if not arm.replica and arm.variant == "plain" and task in (None, arm.task)]
    if task is not None and not arms:
        known = ", ".join(dict.fromkeys(arm.task for arm in findings.arms))
        raise UserError(f"study {findings.study!r} has no plain network for a task {task!r}; its tasks: {known}")
    if depth is None:
        advice = [one for one in findings.advice if task in (None, one.task)]
        if not advice:
            raise UserError(
                f"study {findings.study!r} gives no advice on a series of your own: name --depth and --task"
            )
        task, depth = advice[0].task, advice[0].depth
    found = [arm for arm in arms if arm.depth == depth and task in (None, arm.task)]
    if not found:
        known = ", ".join(map(str, sorted({arm.depth for arm in arms})))
        raise UserError(f"study {findings.study!r} has no plain network of depth {depth}; its depths: {known}")
    if len({arm.task for arm in found}) > 1:
        raise UserError(f"several tasks have depth {depth}: name one with --task ({', '.join(a.task for a in found)})")
    return found[0]


def _training(folder: Path, evidence: Evidence, arm: Arm) -> tuple[RunSpec, RunResult]:
    """The confirmed training of the arm that has the last fold, and of those the lowest validation loss."""
    path = folder / "journal.jsonl"
    if not path.is_file():
        raise UserError(f"{folder} holds no journal.jsonl, which says how to train its networks: export on its machine")
    members = evidence.members
    mine = set(members.loc[(members["arm"] == arm.arm) & (members["phase"] == "confirm"), "key"])
    with Journal.open(path) as journal:
        done = [pair for key, pair in journal.results().items() if key in mine and pair[1].status == "done"]
    if not done:
        raise UserError(f"no confirmed training of {arm.arm} came to its end: there is nothing to export")
    return min(done, key=lambda pair: (-(pair[0].fold or 0), pair[1].validation_loss))


def _again(spec: RunSpec, result: RunResult) -> tuple[RunResult, StackedLSTM]:
    """Train it once more: a study keeps results and no weights, as these follow from the spec."""
    from benchmark.training import train_again

    if registry.digest(spec.task) != spec.task_digest:
        raise UserError(f"the source of task {spec.task} has changed since training {spec.key}: undo that to export it")
    task = registry.create(spec.task, {**spec.task_parameters, **spec.task_locations})
    if task.data_digest() != spec.data_digest:
        raise UserError(f"the data of task {spec.task} have changed since training {spec.key}: put the old file back")
    made, network = train_again(spec)
    assert made.test_loss is not None and result.test_loss is not None
    if not same_loss(made.test_loss, result.test_loss):
        raise UserError(
            f"trained again, {spec.key} has a test loss of {made.test_loss:.6g} and not {result.test_loss:.6g}: export "
            "on the machine, and with the versions, that the study ran on"
        )
    return made, network


def table(task: OwnSeries, fold: int | None) -> dict[str, Any]:
    """What turns a person's rows into windows, and outputs into their own unit."""
    read_as, scale = task.table(), task.scales(fold)
    ahead = f"{task.horizon} row{'s' * (task.horizon != 1)} ahead"
    return {
        "columns": list(read_as.columns),
        "label": task.target_column if task.classify else "",
        "classes": list(read_as.classes),
        "past": task.past,
        "time": task.time_column,
        "series": task.series,
        "window": task.window,
        "predict": task.predict,
        "answer": f"{task.target_column} {ahead}",
        "scales": {
            name: {part: getattr(scale, part)[at].tolist() for part in scale._fields}
            for at, name in enumerate(read_as.series_names)
        },
    }


def weights_of(network: StackedLSTM) -> dict[str, np.ndarray]:
    """The weights by the names that `predict.Network` gives them."""
    found = {}
    for name, value in network.state_dict().items():
        found[name.replace(".0.", ".", 1) if name.startswith("layers.") else name] = value.detach().cpu().numpy()
    return found


def _write(out: Path, settings: dict[str, Any], network: StackedLSTM) -> None:
    out.mkdir(parents=True, exist_ok=True)
    np.savez(out / "weights.npz", **weights_of(network))  # type: ignore[arg-type]
    replace_file(out / "network.json", (json.dumps(settings, indent=1) + "\n").encode())
    shutil.copy2(Path(predict.__file__), out / "predict.py")
