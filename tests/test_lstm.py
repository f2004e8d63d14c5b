"""The network: what it computes, how it starts, and that depth moves nothing but depth."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmark.lstm import StackedLSTM, build, parameters_of, reverse
from benchmark.sizing import measure
from benchmark.spec import Variant
from benchmark.stacked import Dropout, StackedNetworks

VARIANTS = [
    Variant(),
    Variant(name="residual", residual=True),
    Variant(name="layer_norm", layer_norm=True),
    Variant(name="bidirectional", bidirectional=True),
    Variant(name="all", residual=True, layer_norm=True, bidirectional=True, readout="all"),
]
depths = pytest.mark.parametrize("depth", [1, 2, 4, 8])
variants = pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)


def network(depth: int = 2, width: int = 8, seed: int = 3, **settings: object) -> StackedLSTM:
    return build(seed=seed, inputs=3, outputs=2, depth=depth, width=width, **settings)


@depths
def test_plain_stack_equals_torch(depth: int) -> None:
    """A plain stack computes what `nn.LSTM(num_layers=depth)` computes with the same weights."""
    ours, theirs = network(depth), nn.LSTM(3, 8, num_layers=depth, batch_first=True)
    with torch.no_grad():
        for index, (layer,) in enumerate(ours.lstms):
            for name, parameter in parameters_of(layer).items():
                getattr(theirs, f"{name}_l{index}").copy_(parameter)
    inputs = torch.randn(5, 7, 3)
    expected = ours.readout(theirs(inputs)[0])
    assert torch.allclose(ours(inputs), expected, atol=1e-6)


@depths
@variants
def test_a_sequence_is_read_step_by_step_and_whole(depth: int, variant: Variant) -> None:
    """Shapes by target kind; without bidirection, later steps never reach earlier outputs."""
    inputs = torch.randn(5, 7, 3)
    assert network(depth, variant=variant)(inputs).shape == (5, 7, 2)
    assert network(depth, variant=variant, target="sequence")(inputs).shape == (5, 2)
    if not variant.bidirectional:
        changed = inputs.clone()
        changed[:, 4:] += 1.0
        before, after = (network(depth, variant=variant)(x) for x in (inputs, changed))
        assert torch.equal(before[:, :4], after[:, :4])
        assert not torch.allclose(before[:, 4:], after[:, 4:])


@variants
@pytest.mark.parametrize("target", ["step", "sequence"])
def test_padding_changes_nothing(variant: Variant, target: str) -> None:
    """A padded sequence gives what it gives alone, whatever the padding holds."""
    net, lengths = network(3, variant=variant, target=target), torch.tensor([7, 4, 1])
    inputs = torch.randn(3, 7, 3)
    whole = net(inputs, lengths)
    for row, length in enumerate(lengths.tolist()):
        alone = net(inputs[row : row + 1, :length], torch.tensor([length]))
        got = whole[row : row + 1, :length] if target == "step" else whole[row : row + 1]
        assert torch.allclose(got, alone, atol=1e-6)


def test_reverse_keeps_padding_in_place() -> None:
    sequence = torch.arange(5.0).view(5, 1, 1).repeat(1, 2, 1)
    assert reverse(sequence, torch.tensor([5, 3]))[:, :, 0].T.tolist() == [[4, 3, 2, 1, 0], [2, 1, 0, 3, 4]]


@depths
def test_initial_weights(depth: int) -> None:
    """Orthogonal recurrent blocks, Xavier bounds, forget bias 1 once, second bias zero and not trained."""
    net, width = network(depth), 8
    for index, (layer,) in enumerate(net.lstms):
        weights = parameters_of(layer)
        for gate in range(4):
            rows = slice(gate * width, (gate + 1) * width)
            recurrent = weights["weight_hh"][rows]
            assert torch.allclose(recurrent @ recurrent.T, torch.eye(width), atol=1e-5)
            bound = (6 / ((3 if index == 0 else width) + width)) ** 0.5
            assert weights["weight_ih"][rows].abs().max() <= bound
            assert weights["weight_ih"][rows].abs().max() > 0.6 * bound
        bias = weights["bias_ih"].detach()
        assert bias[width : 2 * width].eq(1).all() and bias.sum() == width
        assert weights["bias_hh"].eq(0).all() and not weights["bias_hh"].requires_grad


def test_a_deeper_stack_moves_no_layer_below_it() -> None:
    shallow, deep = network(2), network(4)
    for below, same in zip(shallow.lstms, deep.lstms, strict=False):
        assert torch.equal(parameters_of(below[0])["weight_ih"], parameters_of(same[0])["weight_ih"])
    assert not torch.equal(network(2, seed=3).readout.weight, network(2, seed=4).readout.weight)


def test_building_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    network(4)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("depth", [1, 2])
def test_dropout_reaches_every_layer(depth: int) -> None:
    """At depth 1 too (torch's own would do nothing there), unbiased, and from its own generator."""
    stacked, inputs = StackedNetworks([network(depth, width=64)]), torch.randn(64, 5, 3)

    def drawn(seed: int) -> torch.Tensor:
        dropout = [Dropout(0.5, torch.Generator().manual_seed(seed))]
        return stacked.forward(stacked.values, inputs, None, dropout)

    plain = stacked.forward(stacked.values, inputs)
    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2)) and not torch.equal(drawn(1), plain)
    if depth == 1:
        assert torch.allclose(torch.stack([drawn(seed) for seed in range(200)]).mean(0), plain, atol=0.3)


@variants
def test_every_trained_parameter_gets_a_gradient(variant: Variant) -> None:
    net = network(3, variant=variant)
    net(torch.randn(4, 6, 3)).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert (parameter.grad is not None and parameter.grad.abs().sum() > 0) == parameter.requires_grad, name


@depths
def test_a_table_of_tokens_is_the_same_at_every_depth_and_counted(depth: int) -> None:
    net = network(depth, embedding=4)
    tokens = torch.tensor([[0, 2, 1]])
    assert net.table is not None and net.table.weight.shape == (3, 4) and net.table.weight.requires_grad
    torch.testing.assert_close(net.table.weight, network(1, embedding=4).table.weight)  # type: ignore[union-attr]
    looked_up = net.table.weight[tokens]
    plain = build(seed=3, inputs=4, outputs=2, depth=depth, width=8)
    torch.testing.assert_close(net(tokens), plain(looked_up))
    size = measure(inputs=3, outputs=2, depth=depth, width=8, embedding=4)
    assert size.parameters == measure(inputs=4, outputs=2, depth=depth, width=8).parameters + 3 * 4
    assert size.flops == measure(inputs=4, outputs=2, depth=depth, width=8).flops


def test_label_sequences_are_read_out_at_every_step() -> None:
    inputs = torch.randn(2, 5, 3)
    torch.testing.assert_close(network(target="labels")(inputs), network(target="step")(inputs))
    shape = {"inputs": 3, "outputs": 2, "depth": 2, "width": 8, "time": 5}
    assert measure(**shape, target="labels") == measure(**shape, target="step")  # type: ignore[arg-type]
