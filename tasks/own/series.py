"""How many layers for my own data? A task from a person's table: forecast a column, or tell its class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from tasks.own import baselines, checks, reading, words
from tasks.own.defaults import season_of, window_for
from tasks.own.files import SeriesError, shown
from tasks.own.reading import Table
from tasks.own.windows import Fold, Layout, Scale, features, lay_out, past_classes
from tasks.task import Split, SplitName, Task

if TYPE_CHECKING:
    import torch

__all__ = ["OwnSeries", "SeriesError", "season_of", "window_for"]

EXAMPLE = Path(__file__).with_name("example.csv")
MOST_PAST_CLASSES = 50
BLOCK = 1024
"""Windows made at a time, so that only these are held as float64."""


@dataclass(frozen=True)
class OwnSeries(Task):
    """A column of a person's CSV or Parquet file, `horizon` rows ahead, from the last `window` rows.

    Without a path it is a made-up shop of 600 days (example.py): sales with a week and a drift, temperature, promotion.
    `reading.read` says what files are taken; every fault of a file shows when the task is made, as one line.

    A sample is a window of rows t-window+1 to t of one series without a gap, and the target is row t+horizon of the
    same run. It is the change y[t+h] - y[t] over the standard deviation of such changes, the level in standard
    deviations from the mean, or a class (with horizon 0 the class of row t, and then past classes are no inputs).
    Scaling knows train rows only, and each series has its own.

    Inputs float32 `(n, window, features)`: three features of each numeric column (see `windows.features`), the target
    first, and for classes ahead the past ones, one-hot. Targets float32 or int64 `(n,)`; groups name the bin of time
    of the target, so that rows near in time stay in one block. Windows overlap, which costs compute, not honesty.

    Folds are walk-forward origins with an expanding train part, cut by time and purged: no row is in two splits of a
    fold (see `windows.lay_out`). `fold=None` is for tuning: train and validation before the first test, and no test
    (ValueError). Splits of more windows than `windows.MOST` are thinned. The data are fixed: `seed` changes nothing.
    """

    name: ClassVar[str] = "own_series"
    family: ClassVar[str] = "own"
    target: ClassVar = "sequence"
    replicates: ClassVar = "folds"
    locations: ClassVar[tuple[str, ...]] = ("path",)

    path: str = ""
    """The file; '' is the example shipped with this one."""
    target_column: str = "sales"
    """What is predicted."""
    time_column: str = "date"
    """Dates or numbers that increase; '' takes rows as evenly spaced."""
    inputs_columns: tuple[str, ...] = ()
    """Further numeric columns to predict from."""
    series: str = ""
    """Column that tells several series apart; '' when there is one."""
    predict: Literal["change", "level", "class"] = "change"
    horizon: int = 1
    """Rows ahead."""
    window: int = 32
    """Rows seen."""
    season: int = 0
    """Rows in a season, for the seasonal naive forecast; 0 for none."""
    origins: int = 10
    """Walk-forward folds, 6 to 20."""
    separator: str = ""
    encoding: str = "utf-8"
    missing: Literal["refuse", "drop"] = "refuse"
    gaps: Literal["refuse", "split"] = "refuse"

    def __post_init__(self) -> None:
        """Refuse settings that make no data, and data that make no task; the file is read here."""
        for name, low, high in (("horizon", 0 if self.classify else 1, 10_000), ("window", 2, 512)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} is {getattr(self, name)} rows: it must be from {low} to {high:,}")
        if self.season < 0:
            raise ValueError(f"season is {self.season} rows: it must be at least 0, which is none")
        if not 6 <= self.origins <= 20:
            raise ValueError(f"origins is {self.origins} folds: it must be from 6 to 20")
        table = self.table()
        if self.past and len(table.classes) > MOST_PAST_CLASSES:
            raise SeriesError(
                f"{self.file}: column {self.target_column!r} has {len(table.classes)} classes; past ones are inputs, "
                f"of which there may be {MOST_PAST_CLASSES}: join rare ones, or ask with horizon 0"
            )
        if not self.inputs:
            raise SeriesError(
                f"{self.file}: with horizon 0 the class must follow from other columns; name some with --inputs"
            )
        checks.refuse_short(self)
        checks.refuse_flat(self)

    # --- what it is ---------------------------------------------------------------------------------------------------

    @property
    def file(self) -> str:
        """Where the table lies."""
        return self.path or str(EXAMPLE)

    @property
    def classify(self) -> bool:
        """Whether the target is a class."""
        return self.predict == "class"

    @property
    def past(self) -> bool:
        """Whether past classes are inputs."""
        return self.classify and self.horizon > 0

    @property
    def description(self) -> str:  # type: ignore[override]
        """What is asked of which column."""
        ahead = f", {words.rows(self.horizon)} ahead" if self.horizon else " of a window"
        return f"the {self.predict} of {shown(self.target_column)}{ahead}"

    @property
    def loss(self) -> Literal["squared_error", "cross_entropy"]:  # type: ignore[override]
        """By what is predicted."""
        return "cross_entropy" if self.classify else "squared_error"

    @property
    def unit(self) -> str:  # type: ignore[override]
        """Of the loss."""
        changes = "variance of the change" if self.predict == "change" else "variance of the target"
        return "nats per window" if self.classify else f"{changes} in train"

    @property
    def second_metric(self) -> str:  # type: ignore[override]
        """By what is predicted."""
        return "error rate" if self.classify else "absolute error"

    @property
    def folds(self) -> int:  # type: ignore[override]
        """The origins."""
        return self.origins

    @property
    def inputs(self) -> int:
        """Three features for each numeric column, and one for each past class."""
        table = self.table()
        return 3 * len(table.columns) + (len(table.classes) if self.past else 0)

    @property
    def outputs(self) -> int:
        """One number, or a score for each class."""
        return len(self.table().classes) if self.classify else 1

    @property
    def time(self) -> int:
        """Rows in a window."""
        return self.window

    # --- data ---------------------------------------------------------------------------------------------------------

    def table(self) -> Table:
        """The file as read; call `reading.read` with the same arguments first to show progress."""
        return reading.read(
            self.file,
            target=self.target_column,
            inputs=self.inputs_columns,
            time=self.time_column,
            series=self.series,
            classify=self.classify,
            separator=self.separator,
            encoding=self.encoding,
            missing=self.missing,
            gaps=self.gaps,
        )

    def layout(self, window: int | None = None) -> Layout:
        """Target rows and scales of all folds; for another window on request."""
        return lay_out(self.table(), window or self.window, self.horizon, self.origins, self.predict == "level")

    def fold(self, fold: int | None) -> Fold:
        """One origin; None is tuning, which is the first without its test. Raises ValueError when there is none."""
        if fold is not None and not 0 <= fold < self.origins:
            raise ValueError(f"own_series has folds 0 to {self.origins - 1}, not {fold}")
        return self.layout().folds[fold or 0]

    def scales(self, fold: int | None = None) -> Scale:
        """What scaled a fold's windows, `(series, columns)`: for making the same features elsewhere."""
        return self.fold(fold).scale

    def data(self, split: SplitName, seed: int, fold: int | None = None) -> Split:
        """Windows in order of their targets' time. Raises ValueError for a fold that is none."""
        table, chosen = self.table(), self.fold(fold)
        if fold is None and split == "test":
            raise ValueError(f"own_series has no test split while tuning: choose a fold from 0 to {self.origins - 1}")
        rows = chosen.rows[split]
        inputs = np.empty((len(rows), self.window, self.inputs), dtype=np.float32)
        columns = 3 * len(table.columns)
        for start in range(0, len(rows), BLOCK):
            seen = rows[start : start + BLOCK, None] - self.horizon + np.arange(1 - self.window, 1)
            scale = Scale(*(part[table.series[seen[:, -1]]] for part in chosen.scale))
            inputs[start : start + BLOCK, :, :columns] = features(table.values[seen], scale)
            if self.past and table.labels is not None:
                inputs[start : start + BLOCK, :, columns:] = past_classes(table.labels[seen], len(table.classes))
        edges = self.layout().edges
        bins = np.searchsorted(edges, table.times[rows], side="right") - 1
        labels = np.array([f"{at:03d} from {table.time_text(time)}" for at, time in enumerate(edges)])
        return Split(inputs, self._targets(rows, chosen.scale), groups=labels[bins])

    def _targets(self, rows: np.ndarray, scale: Scale) -> np.ndarray:
        table = self.table()
        if table.labels is not None:
            return table.labels[rows]
        offset, unit = self.own_scale(rows, scale)
        return ((table.values[rows, 0] - offset) / unit).astype(np.float32)

    def own_scale(self, rows: np.ndarray, scale: Scale) -> tuple[np.ndarray, np.ndarray]:
        """What turns targets into the file's unit: value = offset + unit * target."""
        table = self.table()
        series = table.series[rows]
        if self.predict == "change":
            return table.values[rows - self.horizon, 0], scale.horizon_sd[series, 0]
        return scale.mean[series, 0], scale.sd[series, 0]

    def data_digest(self) -> str:
        """SHA-256 of the file's content, wherever it lies."""
        return reading.digest(self.file)

    # --- references ---------------------------------------------------------------------------------------------------

    def trivial_loss(self, train: Split, split: Split) -> float:
        """Of `trivial`."""
        return self._loss(self.trivial(train, split), split)

    def baselines(self, train: Split, split: Split) -> Mapping[str, float]:
        """Losses of `forecasts`."""
        return {name: self._loss(said, split) for name, said in self.forecasts(train, split).items()}

    def forecasts(self, train: Split, split: Split) -> dict[str, np.ndarray]:
        """Predicted targets `(n,)`, or class probabilities `(n, classes)`, by predictor; all see the same windows.

        last value      the window's last one
        seasonal naive  the one whole seasons before the target, where the window reaches it
        last class      how often each class came in train after the window's last one
        linear          ridge regression on the window, or a linear discriminant with a shrunken covariance
        """
        level, columns = self.predict == "level", len(self.table().columns)
        regressors = [baselines.design(part.inputs, columns) for part in (train, split)]
        if self.classify:
            said = {"last class": baselines.last_class(train, split, self.outputs)} if self.past else {}
            return said | {"linear": baselines.discriminant(regressors[0], train.targets, regressors[1], self.outputs)}
        said = {"last value": baselines.last_value(split, level)}
        lag = baselines.seasonal_lag(self.season, self.horizon, self.window)
        if lag is not None:
            said["seasonal naive"] = baselines.seasonal_naive(split, lag, level)
        return said | {"linear": baselines.linear(regressors[0], train.targets, regressors[1])}

    def trivial(self, train: Split, split: Split) -> np.ndarray:
        """The train mean `(n,)`, or the train frequencies `(n, classes)`."""
        if self.classify:
            prior = baselines.class_prior(train.targets, self.outputs)
            return np.broadcast_to(prior, (len(split.targets), self.outputs))
        return np.full(len(split.targets), train.targets.mean(dtype=np.float64))

    def _loss(self, said: np.ndarray, split: Split) -> float:
        if self.classify:
            return baselines.log_loss(said, split.targets)
        return float(np.square(said - split.targets.astype(np.float64)).mean())

    def evaluate_second_metric(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """1 where the likeliest class is wrong; or |output - target|."""
        if self.classify:
            return (outputs.argmax(-1) != targets).to(outputs.dtype)
        return (outputs.squeeze(-1) - targets).abs()

    # --- for people ---------------------------------------------------------------------------------------------------

    def notes(self) -> list[str]:
        """Lines for a person: what was read, chosen, split and left out."""
        return words.notes(self)

    def in_own_unit(self, loss: float) -> str:
        """A loss as a person reads it: the typical error in the target's own unit."""
        return words.in_own_unit(self, loss)

    def example(self, seed: int = 0) -> str:
        """The end of one window in the file's unit, what is asked, what the baselines say, and what came."""
        return words.example(self, seed)

    @classmethod
    def tiny(cls) -> OwnSeries:
        """The example in short windows and few folds."""
        return cls(window=8, season=7, origins=6)
