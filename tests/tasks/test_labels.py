"""Label sequences: the loss, decoding and the error rate against enumeration and a plain second method."""

import itertools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, logsumexp

from benchmark.lstm import build
from benchmark.scoring import evaluate, losses_by_sequence, mean_losses
from benchmark.sizing import network_shape
from benchmark.splits import to_tensors
from tasks import ctc
from tasks.labels import LabelSequences
from tasks.losses import label_sequence_loss
from tasks.memoryless import memoryless_loss
from tasks.task import Split, SplitName


@dataclass(frozen=True)
class Beeps(LabelSequences):
    """One to three beeps of two kinds somewhere in `time` steps of noise; inputs float32 `(n, time, 2)`."""

    name: ClassVar[str] = "beeps"
    family: ClassVar[str] = "synthetic"
    description: ClassVar[str] = "which beeps, in order"
    inputs: ClassVar[int] = 2
    outputs: ClassVar[int] = 3
    time: int = 12

    def data(self, split: SplitName, seed: int, fold: int | None = None) -> Split:
        rng = np.random.default_rng([seed, len(split)])
        n = 64
        counts = rng.integers(1, 4, n)
        labels = rng.integers(0, 2, (n, 3)) * (np.arange(3) < counts[:, None])
        inputs = 0.1 * rng.standard_normal((n, self.time, 2))
        for at in range(3):
            step = 4 * at + rng.integers(0, 2, n)
            inputs[np.arange(n), step, labels[:, at]] += 1.0 * (at < counts)
        lengths = rng.integers(10, self.time + 1, n)
        return Split(inputs.astype(np.float32), labels, lengths, target_lengths=counts)

    def example(self, seed: int = 0) -> str:
        return "beep"


def said(path: tuple[int, ...], blank: int) -> tuple[int, ...]:
    """What an alignment says: repeats joined, then blanks left out."""
    return tuple(label for label, _ in itertools.groupby(path) if label != blank)


def every_sentence(scores: np.ndarray) -> dict[tuple[int, ...], float]:
    """Log probability of everything that can be said in so many steps, by going through all alignments."""
    blank = scores.shape[1] - 1
    found: dict[tuple[int, ...], list[float]] = {}
    for path in itertools.product(range(scores.shape[1]), repeat=len(scores)):
        found.setdefault(said(path, blank), []).append(float(scores[np.arange(len(scores)), list(path)].sum()))
    return {sentence: float(logsumexp(parts)) for sentence, parts in found.items()}


def some_scores(seed: int, steps: int, outputs: int) -> np.ndarray:
    return log_softmax(2.0 * np.random.default_rng(seed).standard_normal((steps, outputs)), axis=1)


small = given(st.integers(0, 10_000), st.integers(1, 6), st.integers(2, 4))


# --- loss -------------------------------------------------------------------------------------------------------------


@small
@settings(max_examples=25, deadline=None)
def test_the_loss_is_the_sum_over_all_alignments(seed: int, steps: int, outputs: int) -> None:
    scores = some_scores(seed, steps, outputs)
    sentences = {one: value for one, value in every_sentence(scores).items() if one}
    if not sentences:
        return
    longest = max(map(len, sentences))
    targets = np.array([[*one, *[0] * (longest - len(one))] for one in sentences])
    counts = np.array(list(map(len, sentences)))
    wanted = np.array(list(sentences.values()))
    many = np.broadcast_to(scores, (len(targets), *scores.shape))
    lengths = np.full(len(targets), steps)
    np.testing.assert_allclose(ctc.log_probability(many, lengths, targets, counts), wanted, rtol=1e-9, atol=1e-9)
    with_torch = label_sequence_loss(torch.tensor(many.copy()), None, torch.tensor(targets), torch.tensor(counts))
    np.testing.assert_allclose(with_torch.numpy(), -wanted / counts, rtol=1e-9, atol=1e-9)


def test_all_that_can_be_said_has_probability_one() -> None:
    assert sum(np.exp(list(every_sentence(some_scores(3, 5, 3)).values()))) == pytest.approx(1.0)


def test_padding_reaches_neither_loss() -> None:
    split = Beeps().data("train", 0)
    assert split.lengths is not None and split.target_lengths is not None
    scores = log_softmax(np.random.default_rng(1).standard_normal((64, 12, 3)), axis=2)
    other, other_labels = scores.copy(), split.targets.copy()
    other[np.arange(12) >= split.lengths[:, None]] = -50.0
    other_labels[np.arange(3) >= split.target_lengths[:, None]] = 1
    one = ctc.log_probability(scores, split.lengths, split.targets, split.target_lengths)
    two = ctc.log_probability(other, split.lengths, other_labels, split.target_lengths)
    np.testing.assert_array_equal(one, two)
    rows = [torch.tensor(array) for array in (other, split.lengths, other_labels, split.target_lengths)]
    np.testing.assert_allclose(label_sequence_loss(*rows).numpy(), -one / split.target_lengths, rtol=1e-9)


def test_too_few_steps_have_no_probability() -> None:
    targets, counts = np.array([[0, 0], [0, 1]]), np.array([2, 2])
    assert ctc.shortest(targets, counts).tolist() == [3, 2]
    scores = np.broadcast_to(some_scores(0, 2, 3), (2, 2, 3))
    found = ctc.log_probability(scores, np.array([2, 2]), targets, counts)
    assert found[0] == -np.inf and np.isfinite(found[1])


def test_the_engine_means_the_same_as_the_task() -> None:
    task, cpu = Beeps(), torch.device("cpu")
    split = task.data("validation", 2)
    tensors = to_tensors(split, task, dtype=torch.float64, device=cpu)
    network = build(seed=1, depth=1, width=8, **network_shape(task)).double()
    with torch.no_grad():
        outputs = network(tensors.inputs, tensors.lengths)
    assert split.lengths is not None and split.target_lengths is not None
    scores = log_softmax(outputs.numpy(), axis=2)
    wanted = -ctc.log_probability(scores, split.lengths, split.targets, split.target_lengths)
    assert float(mean_losses(task, outputs, tensors)) == pytest.approx(wanted.sum() / split.target_lengths.sum())
    assert evaluate(network, task, tensors) == pytest.approx(wanted.sum() / split.target_lengths.sum())
    sums, counts = losses_by_sequence(network, task, tensors)
    np.testing.assert_allclose(sums.numpy(), wanted, rtol=1e-9)
    assert counts.tolist() == split.target_lengths.tolist()
    errors = [
        ctc.edit_distance(ctc.best_path(scores[row, :steps], 2), labels[:count])
        for row, (steps, labels, count) in enumerate(
            zip(split.lengths, split.targets, split.target_lengths, strict=True)
        )
    ]
    assert evaluate(network, task, tensors, second=True) == pytest.approx(sum(errors) / split.target_lengths.sum())


# --- decoding ---------------------------------------------------------------------------------------------------------


@small
@settings(max_examples=25, deadline=None)
def test_a_wide_beam_finds_what_exhaustive_search_finds(seed: int, steps: int, outputs: int) -> None:
    scores = some_scores(seed, steps, outputs)
    sentences = every_sentence(scores)
    best = tuple(ctc.prefix_beam(scores, outputs - 1, beam=10_000).tolist())
    assert sentences[best] == pytest.approx(max(sentences.values()))


@small
@settings(max_examples=25, deadline=None)
def test_best_path_is_what_the_likeliest_alignment_says(seed: int, steps: int, outputs: int) -> None:
    scores = some_scores(seed, steps, outputs)
    paths = itertools.product(range(outputs), repeat=steps)
    likeliest = max(paths, key=lambda path: scores[np.arange(steps), list(path)].sum())
    assert tuple(ctc.decode(scores, outputs - 1).tolist()) == said(likeliest, outputs - 1)


def test_prefix_beam_and_best_path_differ_where_they_should() -> None:
    """Blank is the likeliest at both steps, but `a` is likelier than nothing over all alignments (Graves 2006)."""
    scores = np.log([[0.4, 0.6], [0.4, 0.6]])
    assert ctc.decode(scores, blank=1).tolist() == []
    assert ctc.decode(scores, blank=1, beam=2).tolist() == [0]
    with pytest.raises(ValueError, match="beam is 0"):
        ctc.decode(scores, blank=1, beam=0)


# --- error rate -------------------------------------------------------------------------------------------------------


def plain_distance(said: list[int], wanted: list[int]) -> int:
    """Levenshtein's definition, by recursion."""
    if not said or not wanted:
        return len(said) + len(wanted)
    return min(
        plain_distance(said[1:], wanted) + 1,
        plain_distance(said, wanted[1:]) + 1,
        plain_distance(said[1:], wanted[1:]) + (said[0] != wanted[0]),
    )


@given(st.lists(st.integers(0, 2), max_size=6), st.lists(st.integers(0, 2), max_size=6))
@settings(max_examples=60, deadline=None)
def test_the_edit_distance_is_levenshteins(said: list[int], wanted: list[int]) -> None:
    assert ctc.edit_distance(np.array(said), np.array(wanted)) == plain_distance(said, wanted)


@pytest.mark.parametrize(
    ("said", "wanted", "distance"),
    [("kitten", "sitting", 3), ("saturday", "sunday", 3), ("", "abc", 3), ("abc", "", 3)],
)
def test_known_distances(said: str, wanted: str, distance: int) -> None:
    assert ctc.edit_distance(np.array(list(map(ord, said))), np.array(list(map(ord, wanted)))) == distance


def test_errors_are_counted_after_labels_are_merged_and_left_out() -> None:
    class Merged(Beeps):
        def scored(self, labels: np.ndarray) -> np.ndarray:
            return labels[labels != 1]  # the second kind of beep is not scored

    sure = torch.tensor([[[9.0, 0, 0], [0, 0, 9.0], [0, 9.0, 0]]])
    asked = (None, torch.tensor([[0, 0, 0]]), torch.tensor([2]))
    assert [array.tolist() for array in Beeps().label_errors(sure, *asked)] == [[1.0], [2.0]]
    assert [array.tolist() for array in Merged().label_errors(sure, *asked)] == [[1.0], [2.0]]
    only_one = (None, torch.tensor([[0, 1, 0]]), torch.tensor([2]))
    assert [array.tolist() for array in Merged().label_errors(sure, *only_one)] == [[0.0], [1.0]]


# --- trivial ----------------------------------------------------------------------------------------------------------


def test_no_constant_does_better_than_the_trivial_predictor_on_train() -> None:
    """Up to the fit: label frequencies are close to the best constants, and the share of blanks is searched."""
    task = Beeps()
    train = task.data("train", 0)
    trivial = task.trivial_loss(train, train)
    rng = np.random.default_rng(0)
    others = [ctc.constant_loss(np.log(rng.dirichlet(np.ones(3))), train) for _ in range(60)]
    assert trivial <= min(others) + 0.01
    assert np.isfinite(task.trivial_loss(train, task.data("test", 0)))


def test_there_is_no_memoryless_model_of_label_sequences() -> None:
    split = Beeps().data("train", 0)
    with pytest.raises(ValueError, match="label sequences"):
        memoryless_loss(Beeps(), split, split)
