import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from tasks.task import SplitName
from tasks.text import corpus
from tasks.text.characters import BLOCKS, Characters
from tasks.text.ngrams import NGrams

TINY = Characters.tiny()
FOLDS = [None, *range(10)]
SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")


def with_every_window(time: int, characters: int) -> Characters:
    most = 10**6
    return Characters(time=time, characters=characters, train=most, validation=most, test=most)


def splits_of(fold: int | None) -> tuple[SplitName, ...]:
    return SPLITS[:2] if fold is None else SPLITS


def places(monkeypatch: pytest.MonkeyPatch, task: Characters, length: int) -> None:
    """Let the task's symbols be places in the text, so that a window says where it was cut."""
    held = corpus.Corpus("x" * length, 1, "digest", "places")
    monkeypatch.setattr(corpus, "read", lambda path, characters: held)
    symbols = corpus.Encoded(np.arange(length), "x" * length)
    monkeypatch.setattr(corpus, "encode", lambda text, counted, size: symbols)


# --- folds ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("time", [2, 5, 16])
@pytest.mark.parametrize("fold", FOLDS)
def test_splits_keep_apart_by_a_window(fold: int | None, time: int, monkeypatch: pytest.MonkeyPatch) -> None:
    task = with_every_window(time, 30_000)
    places(monkeypatch, task, 30_000)
    read = {}
    for split in splits_of(fold):
        data = task.data(split, 0, fold)
        assert (data.targets[:, :-1] == data.inputs[:, 1:]).all() and (
            data.targets[:, -1] == data.inputs[:, -1] + 1
        ).all()
        assert (np.diff(data.inputs, axis=1) == 1).all() and len(np.unique(data.inputs)) == data.inputs.size
        read[split] = np.zeros(30_000, dtype=bool)
        read[split][[*data.inputs.reshape(-1), *data.targets.reshape(-1)]] = True
    assert np.sum(list(read.values()), axis=0).max() == 1, "a character is in two splits"
    whose = np.full(30_000, -1)
    for number, marks in enumerate(read.values()):
        whose[marks] = number
    at = np.flatnonzero(whose >= 0)
    for here, there in zip(at, at[1:], strict=False):
        assert whose[here] == whose[there] or there - here > time, "two splits meet without a gap"


def test_every_part_is_tested_once_and_no_tuning_text_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    task = with_every_window(4, 30_000)
    places(monkeypatch, task, 30_000)
    tested = [set(task.data("test", 0, fold).targets.reshape(-1).tolist()) for fold in range(10)]
    assert len(set().union(*tested)) == sum(map(len, tested)) > 0.69 * 30_000, "parts are whole, apart from the gaps"
    assert min(set().union(*tested)) >= 9_000, "the first 30 % are for tuning"
    for split in SPLITS[:2]:
        assert task.data(split, 0).targets.max() < 9_000
    for fold in range(10):
        train = set(task.data("train", 0, fold).targets.reshape(-1).tolist())
        assert set().union(*tested[:fold], *tested[fold + 1 :]) < train and not train & tested[fold]
        assert set(task.data("train", 0).targets.reshape(-1).tolist()) < train


@pytest.mark.parametrize("fold", [None, 4])
def test_windows_are_taken_evenly_and_blocks_are_contiguous(fold: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    every = with_every_window(4, 30_000)
    some = Characters(time=4, characters=30_000, train=200, validation=40, test=40)
    places(monkeypatch, every, 30_000)
    for split in splits_of(fold):
        all_of_it, taken = every.data(split, 0, fold), some.data(split, 0, fold)
        assert len(taken.inputs) == {"train": 200, "validation": 40, "test": 40}[split] < len(all_of_it.inputs)
        rows = {int(row[0]): number for number, row in enumerate(all_of_it.inputs)}
        ranks = np.array([rows[int(row[0])] for row in taken.inputs])
        assert ranks[0] == 0 and ranks[-1] == len(rows) - 1 and np.ptp(np.diff(ranks)) <= 1
        assert all_of_it.groups is not None and taken.groups is not None
        assert (taken.groups == all_of_it.groups[ranks]).all()
        changes = 1 + (all_of_it.groups[1:] != all_of_it.groups[:-1]).sum()
        assert changes == len(set(all_of_it.groups)), "a block comes back"
        assert len(set(all_of_it.groups)) == BLOCKS * (10 if split == "train" and fold is not None else 1)


def test_a_part_of_the_shortest_text_has_a_window_for_every_block() -> None:
    for time in (2, 3, 16, 64):
        task = Characters(time=time)
        shortest = with_every_window(time, task.fewest)
        for fold in (0, 9):
            groups = shortest.data("test", 0, fold).groups
            assert groups is not None and len(set(groups)) == BLOCKS


# --- reading ----------------------------------------------------------------------------------------------------------


def test_a_file_is_what_it_says(tmp_path: Path) -> None:
    written = "".join(f"Zeile {number}: älter\n" for number in range(1200))
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf" + written.replace("\n", "\r\n").encode())
    (tmp_path / "b.txt").write_text(written, encoding="utf-8", newline="\n")
    one, other = (Characters(path=str(tmp_path / name), time=16) for name in ("a.txt", "b.txt"))
    assert one.data_digest() == other.data_digest() == hashlib.sha256(written.encode()).hexdigest()
    vocabulary = one._encoded().vocabulary
    first = one.data("train", 0).inputs[0]
    assert "".join(vocabulary[symbol] for symbol in first) == written[16:32]
    cut = Characters(path=str(tmp_path / "b.txt"), time=16, characters=10_000)
    assert cut.data_digest() == hashlib.sha256(written[:10_000].encode()).hexdigest()


def test_a_folder_is_read_in_the_order_of_the_hashes_of_names(tmp_path: Path) -> None:
    texts = {
        "b.py": "x = 1\n",
        "a/c.md": "# c\n",
        "a/d.txt": "dd\n",
        ".hidden.txt": "no",
        "e.bin": "no",
        ".git/f.py": "no",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    kept = sorted(("b.py", "a/c.md", "a/d.txt"), key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    held = corpus.read(str(tmp_path), 10**6)
    assert held.text == "\n\f\n".join(texts[name] for name in kept) and held.documents == 3
    assert corpus.read(str(tmp_path), 4).text == held.text[:4]


def test_the_library_is_read_without_tests_and_what_was_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = ["one.py", "json/decoder.py"]
    left = ["site-packages/a.py", "test/b.py", "json/tests/c.py", "idlelib/d.py", "_sysconfigdata_x.py", "e.txt"]
    for name in kept + left:
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(f"# {name}\n")
    monkeypatch.setattr(corpus.sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path)})
    assert {str(path.relative_to(tmp_path)) for path in corpus._documents("")} == set(kept)


def test_where_the_text_lies_is_no_part_of_what_it_is(tmp_path: Path) -> None:
    assert Characters.locations == ("path",)
    for name in ("here.txt", "there.txt"):
        (tmp_path / name).write_text("to be or not to be\n" * 600)
    here, there = (Characters(path=str(tmp_path / name), time=16) for name in ("here.txt", "there.txt"))
    assert here.data_digest() == there.data_digest()
    assert (here.data("test", 0, 3).inputs == there.data("test", 0, 3).inputs).all()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"short", "has 5 characters and windows of 16 need"),
        (b"", "has 0 characters"),
        (b"caf\xe9 " * 9000, "is not UTF-8 (byte 3 is 0xe9); save it as UTF-8"),
        (None, "there is no "),
    ],
)
def test_a_text_that_cannot_be_used_is_told_in_one_line(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "mine.txt"
    if content is not None:
        path.write_bytes(content)
    task = Characters(path=str(path), time=16)
    for ask in (lambda: task.data("train", 0), task.data_digest, task.example):
        with pytest.raises((ValueError, FileNotFoundError)) as error:
            ask()
        assert said in str(error.value) and "mine.txt" in str(error.value) and "\n" not in str(error.value)


def test_a_folder_without_text_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    with pytest.raises(FileNotFoundError, match="no file in .* ends in .py, .txt"):
        Characters(path=str(tmp_path)).data("train", 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"time": 1},
        {"symbols": 1},
        {"symbols": 1025},
        {"embedding_size": -1},
        {"train": 0},
        {"validation": 0},
        {"test": 0},
        {"characters": 100},
        {"time": 100_000},
    ],
)
def test_sizes_that_make_no_data_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError) as error:
        Characters(**wrong)
    assert next(iter(wrong)) in str(error.value) or "windows" in str(error.value)


# --- vocabulary -------------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(
    text=st.text(st.characters(codec="utf-8"), min_size=1, max_size=80),
    counted=st.integers(1, 80),
    symbols=st.integers(2, 8),
)
def test_the_vocabulary_holds_the_most_frequent_characters_and_one_for_the_rest(
    text: str, counted: int, symbols: int
) -> None:
    held = corpus.encode(text, counted, symbols)
    assert len(held.vocabulary) == symbols and len(held.symbols) == len(text)
    kept = held.vocabulary[: min(symbols - 1, len(set(text[:counted])))]
    times = [text[:counted].count(character) for character in kept]
    assert times == sorted(times, reverse=True) and len(set(kept)) == len(kept)
    others = [text[:counted].count(character) for character in set(text[:counted]) - set(kept)]
    assert not others or max(others) <= times[-1]
    for character, symbol in zip(text, held.symbols, strict=True):
        assert symbol == (kept.index(character) if character in kept else symbols - 1)


def test_the_vocabulary_is_counted_on_tuning_text_alone(tmp_path: Path) -> None:
    """Else a tested text would choose the symbols, and their number might differ from fold to fold."""
    (tmp_path / "mine.txt").write_text("abc\n" * 2250 + "xyz." * 7750)
    task = Characters(path=str(tmp_path / "mine.txt"), time=16, symbols=8)
    assert set(task._encoded().vocabulary[:4]) == set("abc\n")
    assert (task.data("test", 0, 5).inputs == 7).all(), "what tuning has never seen is rare"
    assert task.inputs == task.outputs == task.tokens == 8


# --- references -------------------------------------------------------------------------------------------------------


def slow(train: list[list[int]], context: tuple[int, ...], wanted: int, symbols: int) -> float:
    """Witten-Bell as it is written in a book: `train` are windows of symbols, one longer than the inputs."""
    shorter = slow(train, context[1:], wanted, symbols) if context else 1.0 / symbols
    followed = [
        row[at]
        for row in train
        for at in range(max(1, len(context)), len(row))
        if tuple(row[at - len(context) : at]) == context
    ]
    kinds = len(set(followed))
    return (followed.count(wanted) + kinds * shorter) / (len(followed) + kinds) if followed else shorter


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), symbols=st.integers(2, 4), time=st.integers(2, 5), order=st.integers(1, 5))
def test_n_grams_are_those_of_the_book(seed: int, symbols: int, time: int, order: int) -> None:
    rng = np.random.default_rng(seed)
    train, asked = (rng.integers(0, symbols, (rows, time + 1)) for rows in (6, 3))
    model = NGrams(train[:, :-1], train[:, 1:], symbols, order)
    found = model.probabilities(asked[:, :-1], asked[:, 1:])
    assert len(found) == order
    for number, likely in enumerate(found):
        for row, col in np.ndindex(likely.shape):
            # The target of step t stands at place t + 1; the context begins inside the window.
            context = tuple(asked[row, max(0, col + 1 - number) : col + 1].tolist())
            assert likely[row, col] == pytest.approx(slow(train.tolist(), context, int(asked[row, col + 1]), symbols))


def test_n_grams_sum_to_one() -> None:
    train = TINY.data("train", 0)
    model = NGrams(train.inputs, train.targets, TINY.symbols, 5)
    read = np.broadcast_to(TINY.data("validation", 0).inputs[:1], (TINY.symbols, TINY.time))
    wanted = np.broadcast_to(np.arange(TINY.symbols)[:, None], read.shape)
    for likely in model.probabilities(read, wanted):
        np.testing.assert_allclose(likely.sum(0), 1.0)


def test_losses_are_in_bits_and_context_helps() -> None:
    train, test = TINY.data("train", 0, 0), TINY.data("test", 0, 0)
    trivial, found = TINY.trivial_loss(train, test), TINY.baselines(train, test)
    assert found["trigram"] < found["bigram"] < trivial < math.log2(TINY.symbols)
    uniform = train.targets.copy()
    uniform[...] = np.arange(uniform.size).reshape(uniform.shape) % TINY.symbols
    even = type(train)(train.inputs, uniform)
    assert TINY.trivial_loss(even, even) == pytest.approx(math.log2(TINY.symbols))


# --- for people -------------------------------------------------------------------------------------------------------


def test_amount_counts_the_characters_that_are_asked_for() -> None:
    assert TINY.amount(TINY.data("test", 0, 2)) == (128 * 16, "characters")


def test_the_table_of_symbols_has_the_width_that_was_asked() -> None:
    assert TINY.embedding == 4 and Characters(embedding_size=0).embedding == 0


@pytest.mark.parametrize("shown", ["x = $\n", "\tä → 漢\u200b \f\x00\n"])
def test_it_can_be_shown_whatever_the_text(tmp_path: Path, shown: str) -> None:
    (tmp_path / "mine.txt").write_text(shown * 2500, newline="\n")
    task = Characters(path=str(tmp_path / "mine.txt"), time=8, symbols=8)
    lines = task.example(seed=5).splitlines()
    assert all(line.isprintable() and len(line) <= 120 for line in lines)
    figure = Figure(figsize=(10, 5), layout="constrained")
    task.illustrate(figure, seed=2)
    words = "".join(text.get_text() for text in figure.axes[0].texts)
    assert "↵" in words and words.isprintable()
    assert figure._suptitle.get_text().endswith("mine.txt")  # type: ignore[attr-defined]
