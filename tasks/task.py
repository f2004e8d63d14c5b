"""The Task contract: one supervised sequence problem in one file.

A task is a frozen dataclass that derives from `Task`; its fields are its parameters (dials). Dropping a file into the
`tasks` package registers it; `path/to/file.py:Class` names a user's own. Nothing here imports `benchmark`, and a
task's data are NumPy arrays, so that making data needs no torch.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

SplitName = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Split:
    """One split of one data seed.

    inputs   float32 `(n, time, features)`, or int64 tokens `(n, time)`
    targets  one per sequence `(n,)` or `(n, outputs)`, or one per step `(n, time)` or `(n, time, outputs)`;
             float32 for regression, int64 for classes; for label sequences int64 `(n, longest)`, padded with 0
    lengths  int64 `(n,)`: steps that count; None when all do. Later steps are padding and reach neither loss nor score
    groups   `(n,)` labels of the test block each sequence belongs to (speaker, month); None when there are none
    target_lengths  int64 `(n,)`, for label sequences alone: how many labels of each row count, at least 1
    """

    inputs: np.ndarray
    targets: np.ndarray
    lengths: np.ndarray | None = None
    groups: np.ndarray | None = None
    target_lengths: np.ndarray | None = None


@dataclass(frozen=True)
class Task(abc.ABC):
    """Base of every task; see `tasks/synthetic/recall.py` for a short complete one."""

    name: ClassVar[str]
    family: ClassVar[str]
    """`synthetic`, `speech`, `finance`, `text`, ...: what a pooled claim is grouped by."""
    description: ClassVar[str]
    """One line for tables."""
    target: ClassVar[Literal["sequence", "step", "labels"]]
    """One per sequence, one per step, or a label sequence without times (CTC): derive that from `LabelSequences`."""
    loss: ClassVar[Literal["squared_error", "cross_entropy", "cross_entropy_bits", "qlike", "ctc"]]
    """Primary score, lower is better; its mean over counted targets is what skill is made of (PROTOCOL 7)."""
    unit: ClassVar[str]
    """Unit of the loss, as a person reads it: `nats per frame`, `variance of the target`."""
    second_metric: ClassVar[str] = ""
    """Name of a second score (`error rate`), printed beside the verdict when it points the other way."""
    replicates: ClassVar[Literal["seeds", "folds", "groups"]] = "seeds"
    """What the independent repetitions are (PROTOCOL 11): `seeds` when a data seed draws new data."""
    folds: ClassVar[int] = 0
    """Number of folds when `replicates` is `folds`."""
    locations: ClassVar[tuple[str, ...]] = ()
    """Parameters that say where data lie and not what they are: no part of a training's identity, which has
    `data_digest` in their place."""
    dials: ClassVar[tuple[str, ...]] = ()
    """Parameters that turn the structure a study asks about (delay, levels, layers); none for a natural task."""
    known_depth: ClassVar[int | None] = None
    """Levels or layers of the generator, where it has any: what is known of the data, not what a network needs."""
    control: ClassVar[Literal["", "depth", "width", "null"]] = ""
    """What kind of control this task's default setting is a candidate for; '' for a dial or a natural task."""

    # --- shapes ---------------------------------------------------------------------------------------------------

    @property
    @abc.abstractmethod
    def inputs(self) -> int:
        """Input features per step."""

    @property
    @abc.abstractmethod
    def outputs(self) -> int:
        """Network outputs per target: classes, or regression dimensions."""

    @property
    @abc.abstractmethod
    def time(self) -> int:
        """Steps in the longest training sequence."""

    def steps(self, split: SplitName) -> int:
        """Steps in the longest sequence of a split; a test longer than `time` asks for length generalisation."""
        return self.time

    @property
    def tokens(self) -> int:
        """Vocabulary size when inputs are integer tokens, else 0; `inputs` is then the same number."""
        return 0

    @property
    def embedding(self) -> int:
        """Numbers that stand for a token, from a trained table counted in the budget; 0 feeds tokens one-hot."""
        return 0

    # --- data and references --------------------------------------------------------------------------------------

    @abc.abstractmethod
    def data(self, split: SplitName, seed: int, fold: int | None = None) -> Split:
        """The split for a data seed: a pure function of its arguments and of this task's parameters.

        With `replicates == "folds"`, `fold` chooses what is tested: of series a walk-forward origin, of data without a
        direction of time one of several parts. `fold=None` gives tuning data, which no fold tests (of series, all
        before the first test). Tasks with other replicates ignore `fold`.
        """

    @abc.abstractmethod
    def trivial_loss(self, train: Split, split: Split) -> float:
        """Mean loss on `split` of a predictor without memory or model, fitted on train (train mean, class prior)."""

    def best_loss(self, split: Split, seed: int) -> float | None:
        """Mean loss of the best possible predictor (an oracle), or None where it is not known."""
        return None

    def baselines(self, train: Split, split: Split) -> Mapping[str, float]:
        """Mean loss on `split` of strong simple predictors fitted on train only, by name."""
        return {}

    def evaluate_second_metric(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Per-target second score; outputs `(..., outputs)`, targets `(...)` or `(..., outputs)`."""
        raise NotImplementedError(f"{self.name} names no second metric")

    def data_digest(self) -> str:
        """Digest of the content of files this task reads; '' when data come from the code and the seed alone."""
        return ""

    # --- for people and tests -------------------------------------------------------------------------------------

    @abc.abstractmethod
    def example(self, seed: int = 0) -> str:
        """One example as text that a person can read."""

    def amount(self, split: Split) -> tuple[float, str] | None:
        """How much of the real thing a split holds, as (number, unit): (1966.1, "seconds of speech"); None: unsaid."""
        return None

    def illustrate(self, figure: Figure, seed: int = 0) -> None:
        """Draw an example the way the field draws it, with a title; without it there is a picture of any sequence."""
        raise NotImplementedError(f"{self.name} has no picture of its own")

    def sound(self, seed: int = 0) -> tuple[int, np.ndarray] | None:
        """An example to listen to: samples per second, and samples `(n,)` from -1 to 1. None where there is none."""
        return None

    @classmethod
    def tiny(cls) -> Task:
        """A setting so small that a test can make data and train a few steps in well under a second."""
        return cls()

    def parameters(self) -> dict[str, Any]:
        """The dials by name, as plain values."""
        return {f.name: getattr(self, f.name) for f in fields(self)}
