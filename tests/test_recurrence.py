"""The kernel of the recurrence against torch's own LSTM, and that training through it keeps every promise."""

import shutil
import subprocess
import sys
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from benchmark.kernel import LEVELS, in_bfloat16, library
from benchmark.lstm import build
from benchmark.recurrence import WIDEST, LSTMLayer, engine
from benchmark.spec import Variant

needs_kernel = pytest.mark.skipif(library() is None, reason="no C compiler was there when the package was installed")


def test_the_kernel_is_there_wherever_a_compiler_was():
    assert library() is not None or shutil.which("cc") is None


def pair(inputs: int, width: int, kind: torch.dtype, seed: int = 0) -> tuple[LSTMLayer, nn.LSTM]:
    torch.manual_seed(seed)
    ours, theirs = LSTMLayer(inputs, width, dtype=kind), nn.LSTM(inputs, width, dtype=kind)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def gradients(layer: nn.LSTM, below: torch.Tensor, up: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Of the inputs and of every parameter."""
    hidden, _ = layer(below)
    return torch.autograd.grad(hidden, [below, *layer.parameters()], up)


@needs_kernel
@settings(max_examples=60, deadline=None)
@given(
    time=st.integers(1, 12),
    batch=st.integers(1, 35),
    inputs=st.integers(1, 9),
    width=st.integers(1, 19),
    kind=st.sampled_from([torch.float64, torch.float32]),
    seed=st.integers(0, 1000),
)
def test_outputs_states_and_gradients_are_those_of_torch(time, batch, inputs, width, kind, seed):
    ours, theirs = pair(inputs, width, kind, seed)
    below = torch.randn(time, batch, inputs, dtype=kind, requires_grad=True)
    close = partial(torch.testing.assert_close, atol=1e-12, rtol=1e-10)
    if kind == torch.float32:
        close = partial(torch.testing.assert_close, atol=2e-5, rtol=2e-5)
    (hidden, (last, cell)), (expected, (last_expected, cell_expected)) = ours(below), theirs(below)
    close(hidden, expected)
    close(last, last_expected)
    close(cell, cell_expected.detach())
    up = torch.randn_like(hidden)
    close(gradients(ours, below, up), gradients(theirs, below, up))
    with torch.no_grad():
        assert torch.equal(ours(below)[0], hidden), "without gradients the same numbers, bit for bit"


@needs_kernel
def test_large_arguments_saturate_and_what_is_not_a_number_stays_so():
    ours, theirs = pair(2, 8, torch.float32)
    below = torch.tensor([1e-30, 1e-4, 0.3, 0.7, 30.0, 1e4, -1e4, 3e38]).view(1, 4, 2)
    torch.testing.assert_close(ours(below)[0], theirs(below)[0], atol=1e-6, rtol=1e-5)
    below[0, 0, 0] = float("nan")
    hidden, _ = ours(below)
    assert hidden[0, 0].isnan().all() and hidden[0, 1:].isfinite().all(), "lanes never mix"


@needs_kernel
def test_a_sequence_gets_the_same_numbers_whatever_lies_beside_it():
    ours, _ = pair(3, 11, torch.float32)
    below = torch.randn(7, 40, 3)
    together, _ = ours(below)
    for chosen in ([0], [39], [5, 17, 31]):
        assert torch.equal(ours(below[:, chosen])[0], together[:, chosen])


@needs_kernel
@pytest.mark.parametrize("variant", [Variant(), Variant(residual=True), Variant(bidirectional=True)])
def test_a_stack_through_the_kernel_is_the_stack_of_torch(variant, monkeypatch):
    network = build(seed=1, inputs=4, outputs=2, depth=3, width=9, variant=variant).double()
    inputs, lengths = torch.randn(5, 8, 4, dtype=torch.float64), torch.tensor([8, 3, 5, 1, 8])

    def found() -> list[torch.Tensor]:
        network.zero_grad()
        outputs = network(inputs, lengths)
        outputs.square().sum().backward()
        return [outputs, *(p.grad for p in network.parameters() if p.requires_grad)]

    ours = found()
    assert engine(network, "64-true").startswith("native-")
    monkeypatch.setenv("STRATA_ENGINE", "torch")
    assert engine(network, "64-true") == "torch-lstm"
    torch.testing.assert_close(ours, found(), atol=1e-11, rtol=1e-9)


def test_without_the_kernel_torch_trains():
    """As where no compiler was there: the library is not found, and the layer is torch's own."""
    code = (
        "import benchmark.kernel as k; k.EXTENSION_SUFFIXES[:] = []\n"
        "import torch, benchmark.recurrence as r; from benchmark.lstm import build\n"
        "n = build(seed=0, inputs=2, outputs=1, depth=2, width=8); n(torch.zeros(3, 4, 2)).sum().backward()\n"
        "print(r.engine(n, '32-true'))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "torch-lstm"


@needs_kernel
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("intel", [True, False])
@pytest.mark.parametrize("name", ["avx512", "avx2"])
def test_where_torch_is_the_faster_one_layers_are_left_to_it(name, intel, precision, monkeypatch):
    kernel = library()
    assert kernel is not None
    mixed = precision == "bf16-mixed"
    for attribute, value in (("name", name), ("intel", intel), ("mixed", True)):
        monkeypatch.setattr(kernel, attribute, value)
    ours = "native-bfloat16" if mixed else f"native-{name}"
    widest = WIDEST.get((name, intel, "mixed" if mixed else "single"))
    for width, asked, expected in (
        (widest or 999, "", ours),
        ((widest or 999) + 1, "", ours if widest is None else "torch-lstm"),
        ((widest or 999) + 1, "native", ours),
        (widest or 999, "torch", "torch-lstm"),
    ):
        monkeypatch.setenv("STRATA_ENGINE", asked)
        layer = LSTMLayer(2, width, device="meta")
        layer.weight_hh_l0 = nn.Parameter(torch.empty(4 * width, width, device="cpu"))
        assert engine(nn.ModuleList([layer]), precision) == expected, (width, asked)


@needs_kernel
def test_both_engines_compute_a_wide_layer_alike(monkeypatch):
    ours, theirs = pair(40, 48, torch.float32)
    below, up = torch.randn(20, 32, 40, requires_grad=True), torch.randn(20, 32, 48)
    found = []
    for asked in ("native", "torch"):
        monkeypatch.setenv("STRATA_ENGINE", asked)
        found.append(gradients(ours, below, up))
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found[1], gradients(theirs, below, up))


def test_without_the_instruction_mixed_precision_is_left_to_torch(monkeypatch):
    if (kernel := library()) is not None:
        monkeypatch.setattr(kernel, "mixed", False)
    assert engine(build(seed=0, inputs=2, outputs=1, depth=1, width=8), "bf16-mixed") == "torch-lstm"


def rounded(numbers: torch.Tensor) -> torch.Tensor:
    return numbers.to(torch.bfloat16).to(numbers.dtype)


class Rounded(torch.autograd.Function):
    """A product whose factors are rounded to bfloat16, and those of its gradients too."""

    @staticmethod
    def forward(ctx, weights, read):
        ctx.save_for_backward(weights, read)
        return rounded(read) @ rounded(weights).mT

    @staticmethod
    def backward(ctx, up):
        weights, read = ctx.saved_tensors
        return rounded(up).mT @ rounded(read), rounded(up) @ rounded(weights)


@pytest.mark.skipif(not in_bfloat16(), reason="this processor has no product of bfloat16")
@settings(max_examples=40, deadline=None)
@given(
    time=st.integers(1, 9),
    batch=st.integers(1, 35),
    inputs=st.integers(1, 9),
    width=st.integers(1, 19),
    seed=st.integers(0, 1000),
)
def test_in_bfloat16_only_the_factors_of_products_are_rounded(time, batch, inputs, width, seed):
    """Against the same network written down in double precision."""
    ours, _ = pair(inputs, width, torch.float32, seed)
    below = torch.randn(time, batch, inputs, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        hidden, _ = ours(below)
    assert hidden.dtype == torch.float32
    doubled = [one.detach().double().requires_grad_() for one in (below, *ours.parameters())]
    read, weight_ih, weight_hh, bias_ih, bias_hh = doubled
    h = cell = torch.zeros(batch, width, dtype=torch.float64)
    outputs = []
    for now in read:
        gates = Rounded.apply(torch.cat([weight_ih, weight_hh], dim=1), torch.cat([now, h], dim=1)) + bias_ih + bias_hh
        i, f, g, o = gates.chunk(4, dim=1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        h = o.sigmoid() * cell.tanh()
        outputs.append(h)
    expected, up = torch.stack(outputs), torch.randn(time, batch, width)
    # A number that lies between two of bfloat16 may be rounded the other way here.
    torch.testing.assert_close(hidden.double(), expected, atol=4e-3, rtol=4e-3)
    found = torch.autograd.grad(hidden, [below, *ours.parameters()], up)
    wanted = torch.autograd.grad(expected, doubled, up.double())
    for one, other in zip(found, wanted, strict=True):
        assert (one - other).norm() <= 0.02 * other.norm() + 1e-3


@needs_kernel
@pytest.mark.parametrize("level", sorted(LEVELS))
def test_every_width_of_vectors_computes_the_same(level, monkeypatch):
    kernel = library()
    assert kernel is not None
    if level > kernel.level:
        pytest.skip("this processor has no such vectors")
    ours, theirs = pair(3, 10, torch.float32)
    below, up = torch.randn(6, 21, 3, requires_grad=True), torch.randn(6, 21, 10)
    monkeypatch.setattr(kernel, "level", level)
    monkeypatch.setattr(kernel, "bytes", LEVELS[level][1])
    found, expected = gradients(ours, below, up), gradients(theirs, below, up)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
