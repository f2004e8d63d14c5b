"""Which character comes next? A text of your own, or the source of the Python that runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tasks.task import Split, SplitName, Task
from tasks.text import corpus
from tasks.text.ngrams import NGrams

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

BLOCKS = 32
"""Blocks of consecutive text in every part, for the bootstrap; a part has at least a window for each."""
ORDERS = {2: "bigram", 3: "trigram", 5: "5-gram"}
LINES, COLUMNS = 18, 80
"""Of the picture."""
MOST_BITS = 8.0
"""Where the scale of colours of the picture ends."""
SHOWN = str.maketrans({"\n": "↵", "\t": "→", "\f": "§"})


@dataclass(frozen=True)
class Characters(Task):
    """At every step, the next character of a text: a language model (Graves 2013, arXiv:1308.0850, section 3).

    The text is any UTF-8 file or folder (`path`); without one it is the source of the standard library of the Python
    that runs, *.py without tests, idlelib, turtledemo, encodings, pydoc_data, _sysconfigdata and whatever was
    installed. That differs between Python versions, so the digest of the characters is part of a study's identity and
    figures compare inside one digest only. Of a folder, the documents (.py .txt .md .rst .tex, hidden ones left out)
    are ordered by the SHA-256 of their relative names and joined by a form feed; then come the first `characters`.

    The vocabulary is the `symbols` - 1 most frequent characters of the tuning train text, which no fold tests, case
    kept, and one symbol for all rarer ones; a rare character has to be foretold as rare and not by name.

    The first 30 % of the text is for tuning: three quarters of it train and the last quarter validation. The rest is
    ten contiguous parts, and fold k tests part k, trains on the tuning train text and the other nine parts, and
    validates on the tuning validation text. `fold=None` is the tuning text alone, without a test (ValueError). Text has
    no direction of time to keep, so a fold may train on what stands later. Between two of these stretches `time`
    characters are left out; a document that spans a border is in both. The text is fixed: `seed` changes nothing.

    Inputs int64 `(n, time)`, targets int64 `(n, time)`, both symbols, target t being input t + 1. Windows do not
    overlap, and of those in a split at most `train`, `validation` or `test` are taken, evenly spaced. State starts anew
    with every window and all steps count, so the first ones are foretold from few characters, by the n-grams too.
    Groups name the block, a 32nd of a stretch. The loss is in bits per character. Symbols enter through a trained table
    of `embedding_size` numbers each, which counts in the budget. The best possible score is not known.

    Seen elsewhere, in nats per character: Karpathy, Johnson & Li 2015 (arXiv:1506.02078) on the source of Linux, where
    two layers of so many cells beat one, with more parameters.
    """

    name: ClassVar[str] = "text"
    family: ClassVar[str] = "text"
    description: ClassVar[str] = "next character of any text; without one, of Python's standard library"
    target: ClassVar = "step"
    loss: ClassVar = "cross_entropy_bits"
    unit: ClassVar[str] = "bits per character"
    second_metric: ClassVar[str] = "error rate"
    replicates: ClassVar = "folds"
    folds: ClassVar[int] = 10
    locations: ClassVar = ("path",)

    path: str = ""
    """A UTF-8 text file, or a folder of them; '' for Python's standard library."""
    characters: int = 4_000_000
    """Characters read at most."""
    time: int = 64
    """Characters in a window."""
    symbols: int = 64
    """Size of the vocabulary, with the one symbol for all rare characters."""
    embedding_size: int = 8
    """Numbers that stand for a symbol; 0 feeds symbols one-hot."""
    train: int = 8192
    """Windows to train on, at most."""
    validation: int = 1024
    """Windows to validate on, at most."""
    test: int = 1024
    """Windows to test on, at most."""

    def __post_init__(self) -> None:
        """Refuse sizes that make no data."""
        if self.time < 2:
            raise ValueError(f"time is {self.time}: a window needs at least 2 characters")
        if not 2 <= self.symbols <= 1024:
            raise ValueError(f"symbols is {self.symbols}: it must be from 2 to 1024")
        if self.embedding_size < 0:
            raise ValueError(f"embedding_size is {self.embedding_size}: it must be 0 (one-hot) or more")
        if min(self.train, self.validation, self.test) < 1:
            raise ValueError("train, validation and test must be at least 1 window each")
        if self.characters < self.fewest:
            raise ValueError(f"characters is {self.characters}: windows of {self.time} need at least {self.fewest}")

    @property
    def fewest(self) -> int:
        """Characters that a text needs, so that a part, 7 % of it, has a window for every block."""
        return math.ceil(((BLOCKS + 1) * self.time + 2) / 0.07)

    @property
    def inputs(self) -> int:
        """One symbol of the vocabulary."""
        return self.symbols

    @property
    def outputs(self) -> int:
        """One score for every symbol."""
        return self.symbols

    @property
    def tokens(self) -> int:
        """Inputs are symbols."""
        return self.symbols

    @property
    def embedding(self) -> int:
        """Width of the trained table."""
        return self.embedding_size

    # --- data -----------------------------------------------------------------------------------------------------

    def data(self, split: SplitName, seed: int, fold: int | None = None) -> Split:
        """Windows in their order in the text. Raises ValueError for a fold that is none, and for a text too short."""
        stretches = self.stretches(fold)
        if split not in stretches:
            raise ValueError("text has no test split while tuning (fold=None): choose a fold from 0 to 9")
        borders = self._borders()
        starts, groups = [], []
        for name in stretches[split]:
            first, after = borders[name]
            windows = np.arange(first + self.time, after - self.time, self.time)  # the gap comes first
            block = np.arange(len(windows)) * BLOCKS // len(windows)
            starts.append(windows)
            groups.append(np.char.add(f"{name}, block ", block.astype(str)))
        start, group = np.concatenate(starts), np.concatenate(groups)
        most = {"train": self.train, "validation": self.validation, "test": self.test}[split]
        if len(start) > most:
            chosen = np.linspace(0, len(start) - 1, most).round().astype(int)
            start, group = start[chosen], group[chosen]
        windows = self._encoded().symbols[start[:, None] + np.arange(self.time + 1)].astype(np.int64)
        return Split(inputs=windows[:, :-1].copy(), targets=windows[:, 1:].copy(), groups=group)

    def stretches(self, fold: int | None) -> dict[str, list[str]]:
        """Which stretches of the text, by the names of their blocks, make a split."""
        if fold is None:
            return {"train": ["train"], "validation": ["validation"]}
        if not 0 <= fold < self.folds:
            raise ValueError(f"text has folds 0 to {self.folds - 1}, not {fold}")
        others = [f"part {part}" for part in range(self.folds) if part != fold]
        return {"train": ["train", *others], "validation": ["validation"], "test": [f"part {fold}"]}

    def _corpus(self) -> corpus.Corpus:
        read = corpus.read(self.path, self.characters)
        if len(read.text) < self.fewest:
            raise ValueError(
                f"text: {self.path or read.title} has {len(read.text)} characters and windows of {self.time} need "
                f"{self.fewest}: give a longer text, or a smaller time"
            )
        return read

    def _borders(self) -> dict[str, tuple[int, int]]:
        """First character, and the first after, of every stretch."""
        length = len(self._corpus().text)
        ends = [length * 225 // 1000, *(length * (30 + 7 * part) // 100 for part in range(self.folds + 1))]
        names = ["train", "validation", *(f"part {part}" for part in range(self.folds))]
        return dict(zip(names, zip([0, *ends[:-1]], ends, strict=True), strict=True))

    def _encoded(self) -> corpus.Encoded:
        return corpus.encode(self._corpus().text, self._borders()["train"][1], self.symbols)

    def data_digest(self) -> str:
        """SHA-256 of the characters, as UTF-8."""
        return self._corpus().digest

    def amount(self, split: Split) -> tuple[float, str]:
        """Characters that are asked for."""
        return float(split.targets.size), "characters"

    # --- references -----------------------------------------------------------------------------------------------

    def trivial_loss(self, train: Split, split: Split) -> float:
        """Bits per character of the frequencies in train, one count added to each."""
        counts = np.bincount(train.targets.reshape(-1), minlength=self.symbols) + 1.0
        return float(-np.log2(counts / counts.sum())[split.targets].mean())

    def baselines(self, train: Split, split: Split) -> Mapping[str, float]:
        """Bits per character of interpolated n-grams, whose contexts stay inside the window."""
        found = self._fitted(train, max(ORDERS)).probabilities(split.inputs, split.targets)
        return {name: float(-np.log2(found[order - 1]).mean()) for order, name in ORDERS.items()}

    def evaluate_second_metric(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """1 where the likeliest character is wrong, else 0."""
        return (outputs.argmax(-1) != targets).to(outputs.dtype)

    # --- for people -----------------------------------------------------------------------------------------------

    def words(self, symbols: np.ndarray) -> str:
        """Symbols `(n,)` as text that can be printed."""
        shown = "".join(self._encoded().vocabulary[symbol] for symbol in symbols).translate(SHOWN)
        return "".join(character if character.isprintable() else corpus.RARE for character in shown)

    def example(self, seed: int = 0) -> str:
        """A window of validation text, what is asked after its last characters, and what 5-grams expect there."""
        train, split = self.data("train", seed), self.data("validation", seed)
        model = self._fitted(train, max(ORDERS))
        row = split.inputs[seed % len(split.inputs)]
        said = self.words(row)
        lines = [
            f"{self._corpus().title[:60]}, in windows of {self.time} characters, {self.symbols} symbols",
            "(↵ new line, → tab, § form feed, □ rare, ␣ space). Asked: after every character, the next one.",
            *(f"read:  {said[at : at + 64]}" for at in range(0, len(said), 64)),
            "asked, after the last characters of it; in brackets what 5-grams that have read the train text expect:",
        ]
        for step in range(max(1, self.time - 12), self.time):
            every = np.arange(self.symbols)
            read = np.broadcast_to(row[:step], (self.symbols, step))
            wanted = np.broadcast_to(every[:, None], read.shape)
            likely = model.probabilities(read, wanted)[-1][:, -1]
            best = "  ".join(
                f"{self.words(every[s : s + 1]).replace(' ', '␣')} {likely[s]:.2f}" for s in np.argsort(-likely)[:3]
            )
            lines.append(f"  ...{said[max(0, step - 16) : step]} | {said[step]}   ({best})")
        return "\n".join(lines)

    def illustrate(self, figure: Figure, seed: int = 0) -> None:
        """Running text, each character on its surprise under a trigram, and bits per character by order of n-gram."""
        import matplotlib as mpl
        from matplotlib.patches import Rectangle

        symbols, surprise = self._passage(seed, (LINES + 2) * COLUMNS)
        rows = self._layout(symbols)
        shades = mpl.colormaps["YlOrRd"].resampled(8)
        left, right = figure.subplots(1, 2, width_ratios=[3.4, 1.0])
        left.set(xlim=(0, COLUMNS), ylim=(len(rows), 0), xticks=[], yticks=[])
        left.spines[:].set_visible(False)
        left.set_title(
            "↵ new line, □ rare; shade: surprise of a trigram, which knows the two characters before", fontsize=9
        )
        for height, row in enumerate(rows):
            for column, place in enumerate(row):
                bits = float(surprise[place])
                colour = shades(min(bits / MOST_BITS, 1.0))
                left.add_patch(Rectangle((column, height), 1, 1, facecolor=colour))
                ink = {"color": "white" if bits > 0.7 * MOST_BITS else "black", "family": "monospace", "fontsize": 8}
                word = self.words(symbols[place : place + 1])
                left.text(column + 0.5, height + 0.5, word, ha="center", va="center", **ink)
        scale = mpl.cm.ScalarMappable(mpl.colors.Normalize(0, MOST_BITS), shades)
        bar = figure.colorbar(scale, ax=left, location="bottom", shrink=0.5, aspect=40, extend="max")
        bar.set_label("surprise of a character, bits")

        train, split = self.data("train", seed), self.data("validation", seed)
        found = self._fitted(train, max(ORDERS)).probabilities(split.inputs, split.targets)
        heights = [float(-np.log2(likely).mean()) for likely in found]
        bars = right.bar(range(1, len(found) + 1), heights, color=shades(0.45))
        right.bar_label(bars, fmt="%.2f", fontsize=8)
        right.set(xlabel="order of the n-gram", ylabel="bits per character", xticks=range(1, len(found) + 1))
        right.set_title("all of validation", fontsize=9)
        right.spines[["top", "right"]].set_visible(False)
        figure.suptitle(
            f"Foretell the next character of {self._corpus().title[:40]}",
            x=0.01,
            ha="left",
            fontsize=13,
            fontweight="bold",
        )

    def _fitted(self, train: Split, order: int) -> NGrams:
        return NGrams(train.inputs, train.targets, self.symbols, order)

    def _passage(self, seed: int, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Consecutive symbols of the validation text, and each one's surprise under a trigram in bits, `(length,)`."""
        first, after = self._borders()["validation"]
        length = min(length, after - first - self.time - 2)
        # A stride that no seed comes round to soon: every seed shows another place.
        start = first + self.time + (seed + 1) * 7919 % (after - first - self.time - length - 1)
        symbols = self._encoded().symbols[start : start + length + 1].astype(np.int64)
        likely = self._fitted(self.data("train", seed), 3).probabilities(symbols[None, :-1], symbols[None, 1:])
        return symbols[1:], -np.log2(likely[-1][0])

    def _layout(self, symbols: np.ndarray) -> list[list[int]]:
        """Places in the passage by the line they are shown in: a new one after a line feed, or where it is full."""
        words = self.words(symbols)
        whole = words.find("↵", 0, 2 * COLUMNS) + 1  # the first line is rarely a whole one
        rows: list[list[int]] = [[]]
        for place, word in enumerate(words[whole:], start=whole):
            if len(rows[-1]) == COLUMNS:
                rows.append([])
            rows[-1].append(place)
            if word == "↵":
                rows.append([])
        return [row for row in rows if row][:LINES]

    @classmethod
    def tiny(cls) -> Characters:
        """512 windows of 16 steps, of 200,000 characters and 16 symbols."""
        return cls(characters=200_000, time=16, symbols=16, embedding_size=4, train=512, validation=64, test=128)
