"""What every task must keep to. Tasks are found through the registry: a file dropped in is tested with no edit here."""

import itertools
import json
import os
import pickle
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.lstm import build
from benchmark.scoring import mean_losses, second_scores, target_losses
from benchmark.sizing import network_shape
from benchmark.splits import to_tensors
from tasks import ctc, registry
from tasks.labels import LabelSequences
from tasks.losses import elementwise
from tasks.memoryless import counted, memoryless_loss
from tasks.task import Split, SplitName, Task
from tests.tasks.fingerprints import SEEDS, available, cells, fingerprints

SEED = SEEDS[0]
CLASSES = ("cross_entropy", "cross_entropy_bits")


@pytest.fixture(params=registry.names(), scope="module")
def task(request: pytest.FixtureRequest) -> Task:
    made = registry.load(request.param).tiny()
    if not available(made):
        pytest.skip("an extra that this task needs is not installed")
    return made


@pytest.fixture(scope="module")
def splits(task: Task) -> dict[SplitName, Split]:
    """Train, validation and test of one data seed, or of the first fold."""
    fold = 0 if task.replicates == "folds" else None
    return {name: task.data(name, SEED, fold) for name in ("train", "validation", "test")}


@pytest.fixture(scope="session")
def other_process() -> dict[str, dict[str, str]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.tasks.fingerprints"],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def numpy_state() -> bytes:
    """The global generator's whole state."""
    return pickle.dumps(np.random.get_state())


def blocks(split: Split) -> set[str]:
    return set() if split.groups is None else set(split.groups.tolist())


# --- data -------------------------------------------------------------------------------------------------------------


def test_data_are_the_same_in_another_process_without_torch(task: Task, other_process: dict) -> None:
    assert fingerprints(task) == other_process[task.name]


def test_data_depend_on_task_seed_split_and_fold_only(task: Task) -> None:
    np.random.seed(1)
    before, python_before, torch_before = (
        numpy_state(),
        random.getstate(),
        torch.get_rng_state(),
    )
    first = fingerprints(task)
    train, validation = (task.data(name, SEED, None) for name in ("train", "validation"))
    task.trivial_loss(train, validation), task.baselines(train, validation), task.best_loss(validation, SEED)
    task.example()
    assert numpy_state() == before, "numpy's global generator was used"
    assert random.getstate() == python_before and torch.equal(torch.get_rng_state(), torch_before)
    np.random.seed(2)
    assert fingerprints(registry.create(task.name, task.parameters())) == first


def test_a_seed_draws_new_data_unless_they_are_fixed(task: Task) -> None:
    found = fingerprints(task)
    for split, fold in cells(task):
        same = found[f"{split} {fold} {SEEDS[0]}"] == found[f"{split} {fold} {SEEDS[1]}"]
        assert same == (task.replicates != "seeds"), f"{split} {fold}"
    if task.replicates != "seeds":
        assert task.data_digest(), "data that no seed draws come from somewhere: the key must hold their digest"


def test_nobody_can_change_the_data_of_the_next_caller(task: Task) -> None:
    first = task.data("train", SEED, None)
    kept = first.inputs.copy()
    first.inputs[...] = 0
    first.targets[...] = 0
    assert (task.data("train", SEED, None).inputs == kept).all()


def test_splits_are_disjoint(task: Task, splits: dict[SplitName, Split]) -> None:
    rows = {name: {row.tobytes() for row in split.inputs} for name, split in splits.items()}
    for one, other in itertools.combinations(splits, 2):
        shared = len(rows[one] & rows[other])
        # Short sequences of few symbols may meet by chance; sequences of real numbers do not.
        assert shared <= (0.05 * len(rows[other]) if task.tokens else 0), f"{one} and {other} share {shared} inputs"
        assert not blocks(splits[one]) & blocks(splits[other]), f"{one} and {other} share groups"


def test_folds_are_walk_forward_origins(task: Task) -> None:
    if task.replicates != "folds":
        assert task.folds == 0
        return
    with pytest.raises(ValueError, match="test"):
        task.data("test", SEED, None)
    for fold in (-1, task.folds):
        with pytest.raises(ValueError, match="fold"):
            task.data("train", SEED, fold)
    tested: list[set[str]] = [blocks(task.data("test", SEED, fold)) for fold in range(task.folds)]
    assert all(tested), "folds need groups: blocks of the bootstrap"
    assert len(set().union(*tested)) == sum(map(len, tested)), "a block is tested in two folds"
    tuning = blocks(task.data("train", SEED)) | blocks(task.data("validation", SEED))
    assert not tuning & set().union(*tested), "tuning sees a block that is tested"


def test_shapes_and_types(task: Task) -> None:
    assert task.target in ("sequence", "step", "labels")
    assert (task.loss == "ctc") == (task.target == "labels") == isinstance(task, LabelSequences)
    assert task.loss in ("squared_error", *CLASSES, "qlike", "ctc")
    assert task.tokens or not task.embedding, "only tokens are looked up"
    for name, fold in cells(task):
        split = task.data(name, SEED, fold)
        n = len(split.inputs)
        assert n > 0
        if task.tokens:
            assert task.inputs == task.tokens
            assert split.inputs.dtype == np.int64 and split.inputs.shape == (n, task.steps(name))
            assert split.inputs.min() >= 0 and split.inputs.max() < task.tokens
        else:
            assert split.inputs.dtype == np.float32 and split.inputs.shape == (n, task.steps(name), task.inputs)
        per_target = (n, task.steps(name)) if task.target == "step" else (n,)
        assert (split.target_lengths is None) == (task.target != "labels")
        if split.target_lengths is not None:
            labels, counts = split.targets, split.target_lengths
            assert labels.dtype == counts.dtype == np.int64 and labels.ndim == 2 and counts.shape == (n,)
            assert counts.min() >= 1 and counts.max() <= labels.shape[1]
            assert labels.min() >= 0 and labels.max() < task.outputs - 1, "the last output is blank"
            assert (ctc.shortest(labels, counts) <= ctc.steps_of(split)).all(), "too few steps to say the labels"
        elif task.loss in CLASSES:
            assert split.targets.dtype == np.int64 and split.targets.shape == per_target
            assert split.targets.min() >= 0 and split.targets.max() < task.outputs
        else:
            several = split.targets.shape == (*per_target, task.outputs)
            assert split.targets.dtype == np.float32 and (
                several or (task.outputs == 1 and split.targets.shape == per_target)
            )
            assert task.loss != "qlike" or split.targets.min() > 0
        assert np.isfinite(split.inputs).all() and np.isfinite(split.targets).all()
        assert split.groups is None or split.groups.shape == (n,)
        if split.lengths is not None:
            assert split.lengths.dtype == np.int64 and split.lengths.shape == (n,)
            assert split.lengths.min() >= 1 and split.lengths.max() <= task.steps(name)


def test_dials_are_parameters_that_turn(task: Task) -> None:
    assert set(task.dials) <= set(task.parameters())
    assert task.steps("train") == task.steps("validation") == task.time <= task.steps("test")
    if task.family == "synthetic":
        assert task.dials, "a synthetic task has a dial for its known structure"


def test_tiny_is_small(task: Task) -> None:
    sizes = [task.data(name, SEED, fold).inputs.nbytes for name, fold in cells(task)]
    assert max(sizes) <= 8 * 2**20 and task.time <= 32, "a test must train a few steps on it in well under a second"


# --- references -------------------------------------------------------------------------------------------------------


def loss_of(task: Task, outputs: np.ndarray, split: Split) -> float:
    """Mean over counted targets of the loss that the engine trains on."""
    losses = elementwise(task.loss, torch.as_tensor(outputs, dtype=torch.float64), torch.as_tensor(split.targets))
    return float(losses.numpy()[counted(task, split)].mean())


def test_trivial_loss_is_the_loss_of_the_best_constant_output(task: Task, splits: dict[SplitName, Split]) -> None:
    """Also: the reference, in NumPy, and the training loss, in torch, mean the same thing."""
    if task.target == "labels":
        return  # its constant is chosen by a search, which tests/tasks/test_labels.py holds against others
    train, mask = splits["train"], counted(task, splits["train"])
    chosen = train.targets[mask].astype(np.float64)
    if task.loss in CLASSES:
        constant = np.log(np.bincount(chosen.astype(int), minlength=task.outputs) / len(chosen) + 1e-12)
    else:
        constant = chosen.reshape(len(chosen), -1).mean(0)
        constant = np.log(constant) if task.loss == "qlike" else constant
    outputs = np.broadcast_to(constant, (*mask.shape, task.outputs)).copy()
    # The same up to what smoothing of frequencies changes, or a mean for each of several series.
    assert task.trivial_loss(train, train) == pytest.approx(loss_of(task, outputs, train), rel=0.03)
    assert np.isfinite(task.trivial_loss(train, splits["test"]))


def test_references_are_in_order(task: Task, splits: dict[SplitName, Split]) -> None:
    for name in ("validation", "test"):
        trivial = task.trivial_loss(splits["train"], splits[name])
        baselines = task.baselines(splits["train"], splits[name])
        assert all(isinstance(label, str) and np.isfinite(loss) for label, loss in baselines.items())
        best = task.best_loss(splits[name], SEED)
        if best is not None:
            assert np.isfinite(best) and best < trivial
            assert all(best <= loss for loss in baselines.values()), f"a baseline beats the best possible: {baselines}"


def test_a_memoryless_model_stays_below_the_best_possible_score(task: Task, splits: dict[SplitName, Split]) -> None:
    """PROTOCOL 9: at least 0.1 of skill below, null controls included. Real data print it and do not gate."""
    train, test = splits["train"], splits["test"]
    trivial, best = task.trivial_loss(train, test), task.best_loss(test, SEED)
    if task.target == "labels":
        assert best is None and not task.control, "a control needs a memoryless model beside it"
        return
    memoryless = memoryless_loss(task, train, test)
    skill = (trivial - memoryless) / (trivial - (best or 0.0))
    print(f"{task.name}: memoryless model {skill:+.2f} {'of skill' if best is not None else 'of the trivial loss'}")
    assert np.isfinite(memoryless)
    assert best is None or skill <= 0.9


# --- learning ---------------------------------------------------------------------------------------------------------


def test_a_network_learns_from_it(task: Task, splits: dict[SplitName, Split]) -> None:
    some = to_tensors(splits["train"], task, dtype=torch.float32, device=torch.device("cpu"))
    some = some.take(torch.arange(min(128, len(some))))
    network = build(seed=0, depth=1, width=16, **network_shape(task))
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=0.03)
    curve = []
    for _ in range(25):
        outputs = network(some.inputs, some.lengths)
        loss = mean_losses(task, outputs, some)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        curve.append(loss.item())
    assert np.isfinite(curve).all() and curve[-1] < 0.98 * curve[0]
    if task.second_metric:
        second, counts = second_scores(task, outputs.detach(), some)
        assert second.shape == counts.shape == target_losses(task, outputs, some)[0].shape
        assert torch.isfinite(second).all()
    else:
        with pytest.raises(NotImplementedError):
            task.evaluate_second_metric(outputs, some.targets)


def test_how_much_it_is_adds_up(task: Task, splits: dict[SplitName, Split]) -> None:
    amounts = [task.amount(split) for split in splits.values()]
    if any(amount is not None for amount in amounts):
        numbers, units = zip(*(amount for amount in amounts if amount is not None), strict=True)
        assert len(numbers) == 3 and min(numbers) > 0 and len(set(units)) == 1, "every split says it, in one unit"


def test_a_sound_can_be_played(task: Task) -> None:
    if (sound := task.sound()) is not None:
        rate, samples = sound
        assert 8000 <= rate <= 48000 and samples.ndim == 1 and len(samples) > rate / 4
        assert 0.2 < np.abs(samples).max() <= 1.0 and np.isfinite(samples).all()
        assert (task.sound()[1] == samples).all()  # type: ignore[index]


# --- for people -------------------------------------------------------------------------------------------------------


def test_it_says_what_it_is(task: Task) -> None:
    kind = type(task)
    for stated in (task.name, task.family, task.description, task.unit):
        assert stated and stated.isprintable()
    assert task.name.isidentifier(), "the name is used in file names, tags and YAML"
    own = vars(kind).get("__doc__") or ""
    assert own and not own.startswith(f"{kind.__name__}("), (
        "a docstring gives the definition, the shapes and the source"
    )
    assert "(n, " in own, "the docstring gives shapes, as in `(n, time, features)`"


def test_example_can_be_read(task: Task) -> None:
    for example in (task.example(), type(task)().example(seed=3)):
        lines = example.splitlines()
        assert len(lines) >= 2 and all(line.isprintable() and len(line) <= 120 for line in lines), example
    assert task.example(1) == task.example(1)


def test_dials_are_typed_and_survive_a_file(task: Task) -> None:
    kind = type(task)
    assert "__dataclass_params__" in vars(kind) and vars(kind)["__dataclass_params__"].frozen
    for setting in (task, kind()):
        written = json.loads(json.dumps(setting.parameters()))
        assert registry.create(task.name, written) == setting
        assert {n: type(v) for n, v in registry.create(task.name, written).parameters().items()} == {
            n: type(v) for n, v in setting.parameters().items()
        }
