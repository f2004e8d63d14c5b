import importlib.util
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from tasks.images import digits as module
from tasks.images.digits import BLOCK, Digits, read_scans
from tasks.task import SplitName

TASK = Digits()
SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")
FOLDS = [None, *range(10)]


def scans(split: SplitName, fold: int | None, task: Digits = TASK) -> set[bytes]:
    return {row.tobytes() for row in task.data(split, 0, fold).inputs}


@pytest.fixture
def without_memory() -> Iterator[None]:
    """The file is read anew, now and after the test."""
    read_scans.cache_clear()
    yield
    read_scans.cache_clear()


# --- the scans --------------------------------------------------------------------------------------------------------


def test_they_are_scikit_learns_digits() -> None:
    """The whole set as the package itself loads it."""
    loaded = pytest.importorskip("sklearn.datasets").load_digits()
    theirs = Counter(
        (image.astype(int).tobytes(), int(digit)) for image, digit in zip(loaded.images, loaded.target, strict=True)
    )
    held = read_scans()
    ours = Counter(
        ((image * 16).astype(int).tobytes(), int(digit)) for image, digit in zip(held.images, held.digits, strict=True)
    )
    assert ours == theirs and sum(ours.values()) == 1797


def test_no_two_scans_are_equal() -> None:
    """What the class says; were it not so, equal ones could fall on both sides of a border."""
    assert len(np.unique(read_scans().images.reshape(1797, -1), axis=0)) == 1797


def test_rows_and_pixels_are_the_same_scans_in_other_steps() -> None:
    rows, pixels = TASK.data("validation", 0), Digits(by="pixels").data("validation", 0)
    assert rows.inputs.shape[1:] == (8, 8) and pixels.inputs.shape[1:] == (64, 1)
    assert (rows.inputs.reshape(-1, 64, 1) == pixels.inputs).all() and (rows.targets == pixels.targets).all()
    assert rows.inputs.min() == 0 and rows.inputs.max() == 1 and ((rows.inputs * 16) % 1 == 0).all()


# --- folds ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fold", FOLDS)
def test_a_scan_is_in_one_split(fold: int | None) -> None:
    found = [scans(split, fold) for split in SPLITS if fold is not None or split != "test"]
    assert len(set().union(*found)) == sum(map(len, found)) == (1797 if fold is not None else 539)


def test_every_scan_outside_of_tuning_is_tested_once() -> None:
    tested = [scans("test", fold) for fold in range(10)]
    tuning = scans("train", None) | scans("validation", None)
    assert len(set().union(*tested)) == sum(map(len, tested)) == 1797 - len(tuning)
    assert not tuning & set().union(*tested)
    for fold in range(10):
        assert scans("validation", fold) == scans("validation", None)
        assert scans("train", None) < scans("train", fold)


@pytest.mark.parametrize("fold", FOLDS)
def test_every_split_has_each_digit_as_often(fold: int | None) -> None:
    for split in SPLITS if fold is not None else SPLITS[:2]:
        often = np.bincount(TASK.data(split, 0, fold).targets, minlength=10)
        assert np.ptp(often) <= max(2, 0.06 * often.mean())


def test_blocks_are_small_and_mix_the_digits() -> None:
    held = read_scans()
    for block in np.unique(held.blocks):
        members = held.digits[held.blocks == block]
        assert 0.7 * BLOCK <= len(members) <= 1.3 * BLOCK
        assert len(set(members.tolist())) >= 5, "a block of few digits would be a block of one difficulty"


def test_a_scans_place_depends_on_its_class_alone(monkeypatch: pytest.MonkeyPatch, without_memory: None) -> None:
    """Rows of the file in another order: the same scans are in the same blocks."""
    before = {image.tobytes(): block for image, block in zip(read_scans().images, read_scans().blocks, strict=True)}
    lines = module.digits_file().splitlines(keepends=True)
    monkeypatch.setattr(module, "digits_file", lambda: b"".join(reversed(lines)))
    read_scans.cache_clear()
    after = {image.tobytes(): block for image, block in zip(read_scans().images, read_scans().blocks, strict=True)}
    assert before == after


@pytest.mark.parametrize("fold", [-1, 10])
def test_a_fold_that_is_none_is_refused(fold: int) -> None:
    with pytest.raises(ValueError, match=f"folds 0 to 9, not {fold}"):
        TASK.data("validation", 0, fold)


# --- references -------------------------------------------------------------------------------------------------------


def test_baselines_learn_and_the_neighbours_lead() -> None:
    train, test = TASK.data("train", 0, 0), TASK.data("test", 0, 0)
    found = TASK.baselines(train, test)
    assert 0 < found["smoothed neighbours"] < found["LDA"] < 0.2 * TASK.trivial_loss(train, test)
    assert found == Digits(by="pixels").baselines(*(Digits(by="pixels").data(s, 0, 0) for s in ("train", "test")))


@pytest.mark.parametrize("predict", [module._discriminant, module._neighbours])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_predictors_give_probabilities_and_find_classes_apart(predict, seed: int) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 2.0, (10, 64))
    digits = np.arange(80) % 10
    known = centres[digits] + 0.1 * rng.standard_normal((80, 64))
    asked = centres + 0.1 * rng.standard_normal((10, 64))
    scores = predict(known, digits, asked)
    np.testing.assert_allclose(np.exp(scores).sum(1), 1.0)
    assert (scores.argmax(1) == np.arange(10)).all() and np.isfinite(scores).all()


def test_a_scan_does_not_vote_for_itself_when_the_width_is_chosen() -> None:
    """Where the digits mean nothing, only a wide vote is not wrong with confidence."""
    rng = np.random.default_rng(3)
    known, asked = (0.2 * rng.standard_normal((300, 64)) for _ in range(2))
    scores = module._neighbours(known, rng.integers(0, 10, 300), asked)
    assert -scores[np.arange(300), rng.integers(0, 10, 300)].mean() < 1.1 * np.log(10)


def test_the_width_of_the_vote_is_chosen_without_the_asked_digits() -> None:
    """Answers for one scan are the same whatever else is asked."""
    train, test = TASK.data("train", 0), TASK.data("validation", 0)
    known, asked = module._flat(train), module._flat(test)
    alone = module._neighbours(known, train.targets, asked[:1])
    np.testing.assert_allclose(alone, module._neighbours(known, train.targets, asked)[:1])
    np.testing.assert_allclose(alone, module._neighbours(known, train.targets, asked[[0, 5, 9]] * [[1], [0], [9]])[:1])


# --- for people -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["rows", "pixels"])
def test_it_can_be_shown(by) -> None:
    task = Digits(by=by)
    lines = task.example(seed=7).splitlines()
    split = task.data("validation", 7)
    assert lines[-1].endswith(f"({split.targets[7]})") and len(lines) == 10
    shown = np.array([line.rsplit("| ", 1)[1].split() for line in lines[1:9]], dtype=float)
    np.testing.assert_allclose(shown, split.inputs[7].reshape(8, 8), atol=0.005)
    figure = Figure(figsize=(10, 6), layout="constrained")
    task.illustrate(figure, seed=1)
    answers = [axes.texts[0].get_text() for axes in figure.axes if axes.texts]
    assert len(set(answers)) == 3 and set(answers) <= set("0123456789")


def test_amount_counts_digits() -> None:
    assert TASK.amount(TASK.data("validation", 0)) == (135.0, "digits")


# --- a person's mistakes ----------------------------------------------------------------------------------------------


def test_another_way_of_reading_is_refused() -> None:
    with pytest.raises(ValueError, match="by is 'columns': it must be 'rows' or 'pixels'"):
        Digits(by="columns")  # type: ignore[arg-type]


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, without_memory: None) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="digits needs scikit-learn.*: pip install scikit-learn"):
        TASK.data("train", 0)


def test_without_the_file_it_says_which(monkeypatch: pytest.MonkeyPatch, without_memory: None, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_loader("sklearn", None, is_package=True)
    assert spec is not None
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(FileNotFoundError, match="digits.csv.gz; install scikit-learn anew"):
        TASK.data_digest()
