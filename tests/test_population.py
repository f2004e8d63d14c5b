"""Trainings side by side are the trainings alone: against torch's layers and optimiser, and bit for bit in company."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import nn

from benchmark import lightning, training
from benchmark.batches import BatchOrder
from benchmark.lstm import StackedLSTM, build, parameters_of
from benchmark.population import learning_rate
from benchmark.scoring import mean_losses
from benchmark.spec import RunResult, RunSpec, Variant
from benchmark.splits import Splits
from benchmark.stacked import StackedNetworks
from benchmark.state import optimizer_for
from benchmark.training import train, train_one
from tasks import registry
from tests.training_specs import scores, tiny_spec

STEPS = 20
VARIANTS = [
    Variant(),
    Variant(name="both", bidirectional=True),
    Variant(name="skips", residual=True, layer_norm=True, readout="all"),
]
ENGINES = ("torch", "native")


def population(task: str = "recall", **changes: Any) -> list[RunSpec]:
    """Three trainings that differ in all that may differ."""
    settings = (
        {"learning_rate": 0.003, "weight_decay": 0.0, "clip_norm": 1.0},
        {"learning_rate": 0.03, "weight_decay": 0.1, "clip_norm": 0.05},
        {"learning_rate": 0.1, "weight_decay": 0.01, "clip_norm": 0.2},
    )
    return [tiny_spec(task, seed=seed, setting=setting, **changes) for seed, setting in enumerate(settings)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("depth", [1, 3])
def test_outputs_and_gradients_are_those_of_torch(depth: int, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of `nn.LSTM(num_layers=depth)` with the same weights, each replica's own, in double precision."""
    monkeypatch.setenv("STRATA_ENGINE", engine)
    nets = [build(seed=s, inputs=3, outputs=2, depth=depth, width=9).double() for s in range(3)]
    inputs, up = torch.randn(3, 5, 11, 3).double(), torch.randn(3, 5, 11, 2).double()
    stacked = StackedNetworks(nets)
    values = stacked.values.clone().requires_grad_()
    outputs = stacked.forward(values, inputs.flatten(0, 1))
    (gradients,) = torch.autograd.grad((outputs * up.flatten(0, 1)).sum(), values)
    for index, net in enumerate(nets):
        lstm, readout = nn.LSTM(3, 9, num_layers=depth, batch_first=True).double(), nn.Linear(9, 2).double()
        with torch.no_grad():
            for layer in range(depth):
                for name, value in parameters_of(net.lstms[layer][0]).items():
                    getattr(lstm, f"{name}_l{layer}").copy_(value)
            readout.load_state_dict(net.readout.state_dict())
        alone = readout(lstm(inputs[index])[0])
        torch.testing.assert_close(outputs.view(3, 5, 11, 2)[index], alone, rtol=0, atol=1e-12)
        (alone * up[index]).sum().backward()
        parts = dict(zip(stacked.shapes, stacked.split(gradients[index]), strict=True))
        for layer in range(depth):
            for name in ("weight_ih", "weight_hh", "bias_ih"):
                wanted = getattr(lstm, f"{name}_l{layer}").grad.reshape(-1)
                torch.testing.assert_close(parts[f"layers.{layer}.0.{name}_l0"], wanted, rtol=0, atol=1e-11)
        assert readout.weight.grad is not None
        torch.testing.assert_close(parts["readout.weight"], readout.weight.grad.reshape(-1), rtol=0, atol=1e-11)


def trained_by_torch(spec: RunSpec) -> StackedLSTM:
    """A training alone: autograd through the modules, torch's clipping and its AdamW."""
    task = registry.create(spec.task, spec.task_parameters)
    splits, shape = Splits(task, spec), lightning.network_shape(task)
    network = build(
        seed=spec.seeds.initialisation, depth=spec.depth, width=spec.width, variant=spec.variant, **shape
    ).double()
    optimizer, data = optimizer_for(network, spec), splits.tensors("train", torch.float64, torch.device("cpu"))
    order = BatchOrder(seed=spec.seeds.order, sequences=len(data), batch_size=spec.hyperparameters.batch_size)
    for step in range(STEPS):
        batch = data.take(order.indices(step))
        optimizer.zero_grad()
        mean_losses(task, network(batch.inputs, batch.lengths), batch).sum().backward()
        nn.utils.clip_grad_norm_([p for p in network.parameters() if p.requires_grad], spec.hyperparameters.clip_norm)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(spec, step)
        optimizer.step()
    return network


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
@pytest.mark.parametrize("task", ["recall", "adding", "text", "formants_ctc"])
def test_each_training_is_the_one_torch_makes_alone(task: str, variant: Variant) -> None:
    """Parameters after twenty steps, in double precision: rates, decay and clipping are each training's own."""
    specs = population(task, depth=2, width=9, variant=variant, precision="64-true", steps=100, divergence_multiple=1e9)
    if registry.load(task).tiny().replicates == "folds":
        specs = [dataclasses.replace(spec, fold=0) for spec in specs]
    module = lightning.StackedLSTMModule(specs, registry.create(task, specs[0].task_parameters))
    lightning.fit(module, [STEPS])
    for spec, member in zip(specs, module.members, strict=True):
        assert member.state.step == STEPS
        wanted = trained_by_torch(spec).state_dict()
        for name, value in member.network.state_dict().items():
            torch.testing.assert_close(value, wanted[name], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("task", ["recall", "adding", "text", "formants_ctc"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_company_changes_no_bit(task: str, dropout: float) -> None:
    """Alone, in threes, and in threes of which one goes on alone after a cut."""
    specs = population(task, depth=2)
    fold = 0 if registry.load(task).tiny().replicates == "folds" else None
    specs = [
        dataclasses.replace(spec, fold=fold, hyperparameters=dataclasses.replace(spec.hyperparameters, dropout=dropout))
        for spec in specs
    ]
    alone = [train_one(spec) for spec in specs]
    together, _ = train(specs)
    assert [scores(one) for one in together] == [scores(one) for one in alone]
    _, cut = train(specs, 9)
    last = train_one(specs[1], checkpoint=cut[specs[1].key])
    assert scores(last) == scores(alone[1])
    assert len({one.validation_loss for one in together}) == 3


def test_a_training_that_diverges_leaves_the_others_alone() -> None:
    fine, wild = tiny_spec(seed=0, divergence_multiple=1.5), tiny_spec(seed=1, divergence_multiple=1.5)
    wild = dataclasses.replace(wild, hyperparameters=dataclasses.replace(wild.hyperparameters, learning_rate=1e6))
    (first, second), _ = train([fine, wild])
    assert (first.status, second.status) == ("done", "diverged")
    assert second.steps < first.steps and scores(first) == scores(train_one(fine))
    assert scores(second) == scores(train_one(wild))


def test_specs_that_do_not_go_together_are_trained_apart() -> None:
    specs = [tiny_spec(seed=0), tiny_spec(seed=1, depth=2), tiny_spec(seed=2, steps=12), tiny_spec("adding", seed=3)]
    found, _ = train(specs)
    assert {one.key: scores(one) for one in found} == {spec.key: scores(train_one(spec)) for spec in specs}
    assert all(isinstance(one, RunResult) for one in found)


def test_one_that_raises_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    specs = [tiny_spec(seed=seed) for seed in range(3)]
    original = training._train

    def breaks(given: Any, *arguments: Any, **how: Any) -> Any:
        if any(spec.seeds.replicate == 1 for spec in given):
            raise RuntimeError("planted in a test")
        return original(given, *arguments, **how)

    monkeypatch.setattr(training, "_train", breaks)
    found, unfinished = train(specs)
    assert [one.status for one in found] == ["done", "failed", "done"] and not unfinished
    assert "RuntimeError: planted in a test" in (found[1].error or "")
    with pytest.raises(RuntimeError, match="planted"):
        train(specs[1:2])
