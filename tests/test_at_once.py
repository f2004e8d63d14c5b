"""Layers of many replicas at once are torch's layers: on a CPU, where Triton runs in its interpreter."""

from __future__ import annotations

import importlib.util
import os

import pytest
import torch

from benchmark.recurrence import recur
from benchmark.spec import RunResult
from benchmark.training import train
from tests.training_specs import tiny_spec

TRITON = pytest.param("triton", marks=pytest.mark.triton)


@pytest.fixture
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name: str = request.param
    if name == "triton":
        assert importlib.util.find_spec("triton"), "`make test-triton` installs it: this test is not skipped"
        assert os.environ.get("TRITON_INTERPRET") == "1" or torch.cuda.is_available(), "set TRITON_INTERPRET=1"
    monkeypatch.setenv("STRATA_ENGINE", name)
    return name


@pytest.mark.parametrize("engine", ["batched", TRITON], indirect=True)
@pytest.mark.parametrize(
    ("replicas", "time", "batch", "inputs", "width"), [(1, 1, 1, 1, 1), (3, 7, 5, 3, 9), (2, 5, 33, 4, 16)]
)
def test_hidden_states_and_gradients_are_those_of_torch(
    engine: str, replicas: int, time: int, batch: int, inputs: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = torch.float64 if engine == "batched" else torch.float32
    relative, absolute = (0.0, 1e-12) if engine == "batched" else (1e-4, 2e-5)
    generator = torch.Generator().manual_seed(3)
    shapes = (time, batch, inputs), (4 * width, inputs), (4 * width, width), (4 * width,)
    device = "cuda" if engine == "triton" and torch.cuda.is_available() else "cpu"
    given = [torch.randn(replicas, *shape, generator=generator, dtype=kind).to(device) for shape in shapes]
    up = torch.randn(replicas, time, batch, width, generator=generator, dtype=kind).to(device)

    def passed() -> list[torch.Tensor]:
        tensors = [one.clone().requires_grad_() for one in given]
        hidden = recur(*tensors)
        return [hidden.detach(), *torch.autograd.grad(hidden, tensors, up)]

    found = passed()
    monkeypatch.setenv("STRATA_ENGINE", "torch")
    for one, wanted in zip(found, passed(), strict=True):
        torch.testing.assert_close(one, wanted, rtol=relative, atol=absolute)


@pytest.mark.parametrize("engine", ["batched", TRITON], indirect=True)
def test_trainings_are_those_of_torch(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    specs = [tiny_spec(depth=2, width=9, seed=seed, setting={"batch_size": 8}, steps=6) for seed in range(2)]

    def trained() -> list[RunResult]:
        return sorted(train(specs)[0], key=lambda one: one.key)

    found = trained()
    monkeypatch.setenv("STRATA_ENGINE", "torch")
    for one, wanted in zip(found, trained(), strict=True):
        assert one.engine == engine and wanted.engine == "torch-lstm"
        assert one.validation_loss == pytest.approx(wanted.validation_loss, rel=1e-4)
        assert one.order_hash == wanted.order_hash


@pytest.mark.triton
@pytest.mark.parametrize(
    ("width", "kind", "said"),
    [(129, torch.float32, "float32 and 129"), (9, torch.float64, "float64 and 9")],
)
def test_what_triton_cannot_compute_is_said(
    width: int, kind: torch.dtype, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATA_ENGINE", "triton")
    shapes = (2, 2, 2), (4 * width, 2), (4 * width, width), (4 * width,)
    with pytest.raises(RuntimeError, match=f"up to 128 cells, not torch.{said}: take STRATA_ENGINE=batched"):
        recur(*(torch.zeros(1, *shape, dtype=kind) for shape in shapes))
