import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp

from tasks.finance.equity_variance import qlike
from tasks.losses import LOG_VARIANCE_BOUND, elementwise

variances = st.floats(1e-4, 1e4)


@given(variances, variances)
def test_qlike_is_zero_where_prediction_and_proxy_agree_and_positive_elsewhere(target: float, predicted: float) -> None:
    outputs = torch.tensor([[math.log(predicted)]], dtype=torch.float64)
    loss = elementwise("qlike", outputs, torch.tensor([target], dtype=torch.float64)).item()
    ratio = target / predicted
    assert loss == pytest.approx(ratio - math.log(ratio) - 1.0, rel=1e-9, abs=1e-12)
    assert loss == pytest.approx(qlike(np.array([target]), np.array([predicted])), rel=1e-9, abs=1e-12)
    if math.isclose(ratio, 1.0, rel_tol=1e-7):
        assert loss == pytest.approx(0.0, abs=1e-12)
    else:
        assert loss > 0.0


@given(variances)
def test_qlike_of_a_perfect_single_precision_prediction_is_zero(target: float) -> None:
    exact = torch.tensor([target]).log().unsqueeze(-1)
    assert abs(elementwise("qlike", exact, torch.tensor([target])).item()) <= 1e-12


def test_qlike_stays_finite_for_any_output_and_has_no_gradient_beyond_its_bound() -> None:
    outputs = torch.tensor(
        [[-1e30], [-LOG_VARIANCE_BOUND - 1], [0.0], [LOG_VARIANCE_BOUND + 1], [1e30]], requires_grad=True
    )
    losses = elementwise("qlike", outputs, torch.ones(5))
    losses.sum().backward()
    assert torch.isfinite(losses).all() and outputs.grad is not None
    assert (
        losses[3].item() == losses[4].item() == pytest.approx(math.exp(-LOG_VARIANCE_BOUND) + LOG_VARIANCE_BOUND - 1.0)
    )
    assert losses[0] == losses[1] and outputs.grad.flatten().tolist() == [0.0] * 5  # at 0, h = x is the minimum


def test_cross_entropy_is_the_negative_log_softmax_of_every_step() -> None:
    generator = np.random.default_rng(0)
    logits, classes = generator.normal(size=(3, 4, 5)), generator.integers(0, 5, (3, 4))
    found = elementwise("cross_entropy", torch.tensor(logits), torch.tensor(classes))
    expected = logsumexp(logits, axis=-1) - np.take_along_axis(logits, classes[..., None], -1)[..., 0]
    np.testing.assert_allclose(found.numpy(), expected)


@pytest.mark.parametrize("name", ["squared_error", "qlike"])
def test_regressions_average_over_output_dimensions_and_keep_targets_apart(name: str) -> None:
    generator = np.random.default_rng(0)
    outputs, targets = (
        torch.tensor(generator.normal(size=(3, 4, 2))),
        torch.tensor(generator.uniform(0.1, 2, (3, 4, 2))),
    )
    found = elementwise(name, outputs, targets)
    parts = [elementwise(name, outputs[..., k : k + 1], targets[..., k]) for k in range(2)]
    assert found.shape == (3, 4)
    torch.testing.assert_close(found, sum(parts) / 2)
    if name == "squared_error":
        assert found[1, 2].item() == pytest.approx(((outputs[1, 2] - targets[1, 2]) ** 2).mean().item())


@pytest.mark.parametrize(
    ("name", "outputs", "targets"),
    [
        ("squared_error", (4, 1), (4, 4)),
        ("squared_error", (4, 2), (4,)),
        ("qlike", (4, 3, 1), (3,)),
        ("cross_entropy", (4, 3, 5), (4, 1)),
    ],
)
def test_shapes_that_do_not_fit_are_refused_and_never_broadcast(name: str, outputs: tuple, targets: tuple) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        elementwise(name, torch.zeros(outputs), torch.ones(targets, dtype=torch.int64))


def test_an_unknown_loss_is_refused() -> None:
    with pytest.raises(ValueError, match="'mae'.*squared_error, cross_entropy, cross_entropy_bits and qlike"):
        elementwise("mae", torch.zeros(2, 1), torch.zeros(2))


def test_bits_are_nats_over_the_logarithm_of_two() -> None:
    outputs, targets = torch.randn(3, 4, 5, dtype=torch.float64), torch.randint(0, 5, (3, 4))
    nats, bits = (elementwise(name, outputs, targets) for name in ("cross_entropy", "cross_entropy_bits"))
    torch.testing.assert_close(bits * math.log(2.0), nats)
    assert elementwise("cross_entropy_bits", torch.zeros(1, 8), torch.tensor([3])).item() == pytest.approx(3.0)
