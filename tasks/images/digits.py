"""Which digit is this? Small scans of handwriting, read as a sequence of rows or of pixels."""

from __future__ import annotations

import functools
import gzip
import hashlib
import importlib.util
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import numpy as np
from scipy.special import log_softmax, logsumexp

from tasks.task import Split, SplitName, Task

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

SIDE, CLASSES, DARKEST = 8, 10, 16.0
BLOCK = 16
"""Digits in a block of the bootstrap, about."""
WIDTHS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.25, 1.5)
"""Kernel widths that the smoothed neighbours choose from, in units of a pixel from white (0) to black (1)."""
SHADES = " .:-=+*#@"
STAGES, DRAWN = 4, 3
"""Of the picture: how often each digit is shown while it is being read, and how many digits."""


class Scans(NamedTuple):
    """`images` `(n, 8, 8)` from 0 to 1, `digits` `(n,)`, and the block of each, in the order of their hashes."""

    images: np.ndarray
    digits: np.ndarray
    blocks: np.ndarray
    digest: str


@dataclass(frozen=True)
class Digits(Task):
    """Name a handwritten digit after it was read, row by row or pixel by pixel.

    1,797 scans of 8 by 8 pixels, each a count of ink from 0 to 16, carried by scikit-learn (read, not imported): the
    test set of Optical Recognition of Handwritten Digits, UCI repository (Alpaydin & Kaynak 1998). It is by 13 people,
    and who wrote which digit is not known: a writer is in every split, so this says nothing of unseen hands.

    Inputs float32 `(n, time, features)`, pixels over 16. `by="rows"`: 8 steps of 8 pixels, top to bottom;
    `by="pixels"`: 64 steps of one, along the rows. Targets int64 `(n,)`, 0 to 9, asked for at the last step. The loss
    is cross-entropy in nats per digit. The best possible score is not known.

    Within every class, scans are ordered by the SHA-256 of their pixels, a byte each, and cut alike: 22.5 % tuning
    train, 7.5 % tuning validation, and ten test parts of 7 %. Fold k tests part k, trains on the tuning train scans and
    the other nine parts, and validates on the tuning validation scans. `fold=None` is the tuning scans alone, without a
    test (ValueError). No two scans are equal. The data are fixed: `seed` changes nothing. Groups are blocks of about 16
    scans of one part, classes mixed.

    As whole images these are nearly solved: the nearest train scan has the wrong digit in 1.4 % of tests, over all
    folds. They check that a study works on real data, and are too few to tell small differences.
    """

    name: ClassVar[str] = "digits"
    family: ClassVar[str] = "images"
    description: ClassVar[str] = "which handwritten digit, from its 8 rows (or 64 pixels) in turn"
    target: ClassVar = "sequence"
    loss: ClassVar = "cross_entropy"
    unit: ClassVar[str] = "nats per digit"
    second_metric: ClassVar[str] = "error rate"
    replicates: ClassVar = "folds"
    folds: ClassVar[int] = 10

    by: Literal["rows", "pixels"] = "rows"
    """What a step is: a row of 8 pixels, or one pixel."""

    def __post_init__(self) -> None:
        """Refuse another way of reading."""
        if self.by not in ("rows", "pixels"):
            raise ValueError(f"by is {self.by!r}: it must be 'rows' or 'pixels'")

    @property
    def inputs(self) -> int:
        """Pixels in a step."""
        return SIDE if self.by == "rows" else 1

    @property
    def outputs(self) -> int:
        """Ten digits."""
        return CLASSES

    @property
    def time(self) -> int:
        """Steps that a scan is read in."""
        return SIDE * SIDE // self.inputs

    # --- data -----------------------------------------------------------------------------------------------------

    def data(self, split: SplitName, seed: int, fold: int | None = None) -> Split:
        """Scans in the order of their hashes. Raises ValueError for a fold that is none."""
        if fold is not None and not 0 <= fold < self.folds:
            raise ValueError(f"digits has folds 0 to {self.folds - 1}, not {fold}")
        if fold is None and split == "test":
            raise ValueError("digits has no test split while tuning (fold=None): choose a fold from 0 to 9")
        scans = read_scans()
        stretch = np.array([block.split(",")[0] for block in scans.blocks])
        if split == "test":
            chosen = stretch == f"part {fold}"
        elif split == "validation" or fold is None:
            chosen = stretch == split
        else:
            chosen = (stretch != "validation") & (stretch != f"part {fold}")
        return Split(
            inputs=scans.images[chosen].reshape(-1, self.time, self.inputs).astype(np.float32),
            targets=scans.digits[chosen],
            groups=scans.blocks[chosen],
        )

    def data_digest(self) -> str:
        """SHA-256 of the file of scans, uncompressed."""
        return read_scans().digest

    def amount(self, split: Split) -> tuple[float, str]:
        """Scans."""
        return float(len(split.targets)), "digits"

    # --- references -----------------------------------------------------------------------------------------------

    def trivial_loss(self, train: Split, split: Split) -> float:
        """Cross-entropy of the train frequencies of the digits."""
        return float(-np.log(_prior(train.targets))[split.targets].mean())

    def baselines(self, train: Split, split: Split) -> Mapping[str, float]:
        """Cross-entropy of two predictors that see all pixels at once.

        LDA  linear discriminant analysis, Gaussian classes with one covariance
        smoothed neighbours  each train scan votes for its digit with weight exp(-d² / (2 w²)), d being the distance of
             the pixels and w the width in `WIDTHS` that is best on train with the scan itself left out
        """
        known, asked = _flat(train), _flat(split)
        found = {
            "LDA": _discriminant(known, train.targets, asked),
            "smoothed neighbours": _neighbours(known, train.targets, asked),
        }
        return {name: float(-scores[np.arange(len(asked)), split.targets].mean()) for name, scores in found.items()}

    def evaluate_second_metric(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """1 where the likeliest digit is wrong, else 0."""
        return (outputs.argmax(-1) != targets).to(outputs.dtype)

    # --- for people -----------------------------------------------------------------------------------------------

    def example(self, seed: int = 0) -> str:
        """One digit of the validation split, drawn with letters, with the step in which each row is read."""
        split = self.data("validation", seed)
        chosen = seed % len(split.targets)
        image = split.inputs[chosen].reshape(SIDE, SIDE)
        lines = [
            f"Seen: a scan in {self.time} steps of {self.inputs} pixel{'s' * (self.inputs > 1)}, white 0 to black 1"
        ]
        per_row = SIDE // self.inputs
        for number, row in enumerate(image):
            ink = "".join(2 * SHADES[round(float(pixel) * (len(SHADES) - 1))] for pixel in row)
            steps = f"step {number}" if per_row == 1 else f"steps {number * per_row}-{(number + 1) * per_row - 1}"
            lines.append(f"{steps:>11} |{ink}| " + " ".join(f"{pixel:.2f}" for pixel in row))
        return "\n".join([*lines, f"Asked, at the end: which digit it is ({split.targets[chosen]})"])

    def illustrate(self, figure: Figure, seed: int = 0) -> None:
        """Some digits while they are being read: seen, just coming in, and still hidden."""
        from matplotlib.patches import Rectangle

        split = self.data("validation", seed)
        grid = figure.subplots(DRAWN, STAGES + 1, width_ratios=[*[1.0] * STAGES, 0.5])
        for number, axes in enumerate(grid):
            of_class = np.flatnonzero(split.targets == (DRAWN * seed + number) % CLASSES)
            chosen = int(of_class[seed % len(of_class)])
            pixels = split.inputs[chosen].reshape(-1)
            for stage, axis in enumerate(axes[:STAGES], start=1):
                step = round(
                    self.time * (stage - 0.35) / (STAGES - 0.35)
                )  # so that no pixel shown is the last of a row
                seen = step * self.inputs
                shown = np.where(np.arange(len(pixels)) < seen, pixels, np.nan).reshape(SIDE, SIDE)
                axis.set_facecolor("#dfe6ee")
                axis.imshow(shown, cmap="Greys", vmin=0.0, vmax=1.0)
                row, column = divmod(seen - self.inputs, SIDE)
                corner = (column - 0.5, row - 0.5)
                axis.add_patch(Rectangle(corner, self.inputs, 1, fill=False, edgecolor="#d1495b", linewidth=2.5))
                axis.set(xticks=[], yticks=[])
                if number == 0:
                    axis.set_title(f"after step {step} of {self.time}", fontsize=10)
            last = axes[STAGES]
            last.axis("off")
            last.text(0.5, 0.5, str(split.targets[chosen]), fontsize=34, ha="center", va="center", color="#00798c")
            if number == 0:
                last.set_title("asked", fontsize=10)
        what = "rows of 8 pixels" if self.by == "rows" else "single pixels"
        figure.suptitle(f"A digit, read in {what}", x=0.01, ha="left", fontsize=13, fontweight="bold")
        figure.supxlabel("framed: what this step brings; blue-grey: not read yet", fontsize=10)


# --- predictors -------------------------------------------------------------------------------------------------------


def _flat(split: Split) -> np.ndarray:
    """All pixels of every scan at once, `(n, 64)`."""
    return split.inputs.reshape(len(split.inputs), -1).astype(np.float64)


def _prior(digits: np.ndarray) -> np.ndarray:
    """Class frequencies with one count added to each."""
    counts = np.bincount(digits, minlength=CLASSES) + 1.0
    return counts / counts.sum()


def _discriminant(known: np.ndarray, digits: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Log-probabilities `(n, 10)` of linear discriminant analysis."""
    indicator = np.eye(CLASSES)[digits]
    means = indicator.T @ known / np.maximum(indicator.sum(0), 1.0)[:, None]
    residual = known - means[digits]
    # The ridge is for the corners, which no pen reaches: their variance is 0.
    covariance = residual.T @ residual / len(known) + 1e-3 * np.eye(known.shape[1])
    weights = np.linalg.solve(covariance, means.T)
    return log_softmax(asked @ weights - 0.5 * (means * weights.T).sum(1) + np.log(_prior(digits)), axis=1)


def _neighbours(known: np.ndarray, digits: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Log-probabilities `(n, 10)` of a kernel vote; one scan's weight in all is spread evenly over the digits."""

    def vote(distance: np.ndarray, width: float) -> np.ndarray:
        weight = -0.5 * distance / width**2
        # What the nearest scans say is mixed with a little of everything: a digit without a vote is not impossible.
        votes = np.stack([logsumexp(weight[:, digits == digit], axis=1) for digit in range(CLASSES)], axis=1)
        return np.log(0.99 * np.exp(log_softmax(votes, axis=1)) + 0.01 / CLASSES)

    def distances(rows: np.ndarray) -> np.ndarray:
        return np.square(rows).sum(1)[:, None] + np.square(known).sum(1) - 2.0 * rows @ known.T

    inside = distances(known)
    np.fill_diagonal(inside, np.inf)
    losses = [-vote(inside, width)[np.arange(len(known)), digits].mean() for width in WIDTHS]
    return vote(distances(asked), WIDTHS[int(np.argmin(losses))])


# --- the file ---------------------------------------------------------------------------------------------------------


def digits_file() -> bytes:
    """The CSV of scans as it lies in the installed scikit-learn, which is located but not imported."""
    package = importlib.util.find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("digits needs scikit-learn, which carries the scans: pip install scikit-learn")
    path = Path(package.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz"
    if not path.is_file():
        raise FileNotFoundError(f"digits: there is no {path}; install scikit-learn anew: pip install scikit-learn")
    return gzip.decompress(path.read_bytes())


@functools.cache
def read_scans() -> Scans:
    """All scans in the order of the hash of their pixels, with the block that each belongs to."""
    content = digits_file()
    table = np.loadtxt(io.BytesIO(content), delimiter=",")
    pixels, digits = table[:, :-1].astype(np.uint8), table[:, -1].astype(np.int64)
    hashes = np.array([hashlib.sha256(row.tobytes()).hexdigest() for row in pixels])
    stretch = np.empty(len(digits), dtype="U10")
    for digit in range(CLASSES):
        members = np.flatnonzero(digits == digit)
        members = members[np.argsort(hashes[members])]
        stretch[members] = _stretches((np.arange(len(members)) + 0.5) / len(members))
    # By the end of the hash: its beginning chose the stretch, class by class, and would leave blocks full of one digit.
    order = np.argsort([name[::-1] for name in hashes])
    pixels, digits, stretch = pixels[order], digits[order], stretch[order]
    blocks = np.empty(len(digits), dtype="U20")
    for name in np.unique(stretch):
        members = np.flatnonzero(stretch == name)
        count = max(1, round(len(members) / BLOCK))
        blocks[members] = [f"{name}, block {place * count // len(members)}" for place in range(len(members))]
    images = pixels.reshape(-1, SIDE, SIDE) / DARKEST
    return Scans(images, digits, blocks, hashlib.sha256(content).hexdigest())


def _stretches(share: np.ndarray) -> list[str]:
    """Which part a scan is in, from its place in its class, 0 to 1."""
    parts = np.floor((share - 0.3) / 0.07).astype(int)
    names = ["train" if at < 0.225 else "validation" if at < 0.3 else "" for at in share]
    return [name or f"part {min(part, 9)}" for name, part in zip(names, parts, strict=True)]
