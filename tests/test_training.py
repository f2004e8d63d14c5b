"""`train` is pure however it is cut, every arm gets the same batches, and tuning never sees the test split."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark import batches, population
from benchmark.batches import BatchOrder
from benchmark.population import learning_rate
from benchmark.spec import RunResult, Variant
from benchmark.splits import TestSplitLocked
from benchmark.training import train, train_one
from tasks import registry
from tests.conftest import ROOT
from tests.training_specs import scores, tiny_spec


def result_of(spec, **how) -> RunResult:
    result = train_one(spec, **how)
    assert isinstance(result, RunResult)
    return result


# --- purity ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_the_chunk_of_a_lightning_step_changes_nothing(dropout: float) -> None:
    spec = tiny_spec(depth=2, setting={"dropout": dropout})
    expected = scores(result_of(spec))
    for chunk in (1, 5, 24, 50):
        assert scores(result_of(spec, chunk=chunk)) == expected


@settings(max_examples=8)
@given(cuts=st.sets(st.integers(1, 23), min_size=1, max_size=4), dropout=st.sampled_from([0.0, 0.3]))
def test_any_cut_into_segments_gives_the_uncut_numbers(cuts: set[int], dropout: float) -> None:
    """Through the bytes of a checkpoint each time, as another machine would continue it."""
    spec = tiny_spec(depth=2, setting={"dropout": dropout})
    checkpoints: dict[str, bytes] = {}
    for until in sorted(cuts):
        results, checkpoints = train([spec], until, checkpoints)
        assert results == [] and set(checkpoints) == {spec.key}
    (result,), unfinished = train([spec], None, checkpoints)
    assert unfinished == {} and scores(result) == scores(result_of(spec))


@pytest.mark.parametrize(
    ("task", "changes"),
    [
        ("formants_ctc", {"variant": Variant(name="bidirectional", bidirectional=True)}),
        ("text", {"fold": 0, "setting": {"dropout": 0.2}}),
    ],
    ids=["label sequences read both ways", "tokens looked up"],
)
def test_every_kind_of_task_can_be_cut_and_is_scored(task: str, changes: dict) -> None:
    spec = tiny_spec(task, depth=2, **changes)
    whole = result_of(spec)
    _, checkpoints = train([spec], 10)
    (cut,), _ = train([spec], None, checkpoints)
    assert scores(cut) == scores(whole)
    assert whole.status == "done" and whole.second_metric is not None and whole.second_metric >= 0
    made = registry.create(task, spec.task_parameters)
    test = made.data("test", spec.seeds.data, spec.fold)
    assert whole.trivial_loss == made.trivial_loss(made.data("train", spec.seeds.data, spec.fold), test)
    counted = test.targets.size if test.target_lengths is None else int(test.target_lengths.sum())
    assert sum(count for *_, count in whole.blocks) == counted, "blocks count characters, or labels"


def test_specs_trained_together_or_alone() -> None:
    specs = [tiny_spec(seed=seed) for seed in range(3)]
    together, _ = train(specs)
    assert [scores(r) for r in together] == [scores(result_of(s)) for s in specs]
    assert len({r.test_loss for r in together}) == 3


def test_a_checkpoint_of_another_training_is_refused() -> None:
    checkpoint = train_one(tiny_spec(seed=0), until=6)
    assert isinstance(checkpoint, bytes)
    with pytest.raises(ValueError, match="was given to training"):
        train_one(tiny_spec(seed=1), checkpoint=checkpoint)


def test_training_learns_and_keeps_the_best_validation_weights() -> None:
    result = result_of(tiny_spec(steps=200, validate_every=20, setting={"learning_rate": 0.1}))
    validation = {step: value for step, metric, _, value in result.curves if metric == "validation/loss"}
    assert sorted(validation) == list(range(20, 201, 20))
    assert result.validation_loss == min(validation.values()) == validation[result.best_step or 0]
    assert (
        result.test_loss is not None
        and result.trivial_loss is not None
        and result.test_loss < 0.2 * result.trivial_loss
    )
    assert result.second_metric is not None and result.second_metric < 0.05
    assert result.parameters == 4 * 8 * (8 + 8 + 1) + 9 * (8 + 1) and result.state_size == 8


def test_the_gradient_of_every_layer_is_written_down_before_it_is_clipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each checked step, and the root of the squares of the layers' norms is at most the whole norm."""
    whole: list[float] = []
    clip = population.clip

    def seen(gradients: torch.Tensor, most: torch.Tensor) -> torch.Tensor:
        whole.append(float(gradients.square().sum().sqrt()))
        return clip(gradients, most)

    monkeypatch.setattr(population, "clip", seen)
    result = result_of(tiny_spec(depth=2, width=9, setting={"clip_norm": 1e-3}, steps=10, validate_every=4))
    found = {(step, layer): value for step, metric, layer, value in result.curves if metric == "gradient/norm"}
    assert sorted(found) == [(4, 0), (4, 1), (8, 0), (8, 1), (10, 0), (10, 1)]
    for step in (4, 8, 10):
        layers = np.hypot(found[step, 0], found[step, 1])
        assert 1e-3 < layers < whole[step - 1]


# --- equal arms (PROTOCOL 3, 4, 6, 8) --------------------------------------------------------------------------------


def batches_received() -> set[tuple[str, str]]:
    return {
        (r.data_hash, r.order_hash)
        for r in (result_of(tiny_spec(depth=d, width=w)) for d, w in [(1, 12), (2, 9), (4, 8)])
    }


def test_every_arm_receives_the_same_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the digest tells when the order comes from the global generator instead of its own stream."""
    assert len(batches_received()) == 1
    monkeypatch.setattr(batches, "order_generator", lambda seed, epoch: torch.default_generator)
    assert len(batches_received()) == 3


def test_the_digest_follows_the_order_seed_and_the_data_seed() -> None:
    spec = tiny_spec()
    seeds = [dataclasses.replace(spec.seeds, **{name: 7}) for name in ("data", "order", "initialisation", "dropout")]
    base, *others = (result_of(dataclasses.replace(spec, seeds=s)) for s in (spec.seeds, *seeds))
    assert [r.data_hash == base.data_hash for r in others] == [False, True, True, True]
    assert [r.order_hash == base.order_hash for r in others] == [False, False, True, True]


def test_tuning_cannot_read_the_test_split() -> None:
    spec = tiny_spec(reads_test=False)
    result = result_of(spec)
    assert result.test_loss is None and result.validation_loss is not None and result.trivial_loss is None

    from benchmark.splits import Splits
    from tasks import registry

    splits = Splits(registry.create(spec.task, spec.task_parameters), spec)
    with pytest.raises(TestSplitLocked, match="test split is closed"):
        splits["test"]


def test_a_diverged_training_is_a_result_without_rescued_weights() -> None:
    result = result_of(tiny_spec(setting={"learning_rate": 1e6}, divergence_multiple=1.5, steps=60, validate_every=3))
    assert result.status == "diverged" and result.steps < 60
    assert result.test_loss is None and result.validation_loss is None and result.trivial_loss is not None


def test_the_share_of_clipped_steps() -> None:
    assert result_of(tiny_spec(setting={"clip_norm": 1e-6})).clipped_share == 1.0
    assert result_of(tiny_spec(setting={"clip_norm": 1e6})).clipped_share == 0.0


def test_blocks_add_up_to_the_test_loss() -> None:
    result = result_of(tiny_spec("formants", setting={"learning_rate": 0.01}))
    total = sum(loss * count for _, loss, count in result.blocks)
    assert len(result.blocks) > 1
    assert math.isclose(total / sum(count for *_, count in result.blocks), result.test_loss or 0.0, rel_tol=1e-9)


# --- schedule and order ----------------------------------------------------------------------------------------------


def test_warm_up_then_decay() -> None:
    spec = tiny_spec(steps=100, setting={"learning_rate": 1.0, "warmup_share": 0.1})
    rates = [learning_rate(spec, step) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert all(later < earlier for earlier, later in zip(rates[10:], rates[11:], strict=False))
    assert max(rates) == 1.0 and 0.0 < rates[-1] < 0.01


@given(sequences=st.integers(1, 50), batch=st.integers(1, 10), seed=st.integers(0, 2**40))
def test_a_pass_meets_every_sequence_at_most_once(sequences: int, batch: int, seed: int) -> None:
    if batch > sequences:
        with pytest.raises(ValueError, match="larger than the training split"):
            BatchOrder(seed=seed, sequences=sequences, batch_size=batch)
        return
    order, steps = BatchOrder(seed=seed, sequences=sequences, batch_size=batch), sequences // batch
    one_pass = torch.cat([order.indices(step) for step in range(steps)])
    assert len(one_pass) == steps * batch == len(one_pass.unique()) and one_pass.max() < sequences
    late_first = BatchOrder(seed=seed, sequences=sequences, batch_size=batch)
    assert torch.equal(late_first.indices(2 * steps), order.indices(2 * steps))


# --- what training needs ---------------------------------------------------------------------------------------------


def test_training_imports_without_the_drivers_libraries() -> None:
    """A compute node may have neither pydantic, mlflow nor optuna."""
    code = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("pydantic", "mlflow", "optuna", "typer"):
            raise ImportError(f"blocked: {name}")
sys.meta_path.insert(0, Block())
import benchmark.training, benchmark.executors
from tests.training_specs import tiny_spec
(result,), _ = benchmark.training.train([tiny_spec()])
print(result.status)
"""
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.stdout.split() == ["done"], found.stderr
    assert found.stderr == ""  # Lightning's chatter is silenced


def test_a_longer_test_changes_the_test_alone() -> None:
    """Length generalisation: train and validation are those of the short task, the test split has its own length."""
    parameters = {"iterations": 1, "time": 8, "train": 128}
    short, long = (
        train_one(tiny_spec("parity", task_parameters=parameters | {"test_time": steps})) for steps in (0, 30)
    )
    assert isinstance(short, RunResult) and isinstance(long, RunResult)
    assert (long.curves, long.validation_loss) == (short.curves, short.validation_loss)
    assert long.test_loss != short.test_loss and long.flops == short.flops
    assert long.trivial_loss == pytest.approx(math.log(2), rel=0.01)
