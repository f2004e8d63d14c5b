"""A study as most people would write it: Lightning, a DataLoader, MLFlowLogger, Optuna on SQLite, one process.

Settings that are not a library's default, so that the comparison is of equal work: the optimiser steps, the batch size,
the clipping norm and the number of validations are those of the other contenders; the stores lie in a temporary folder,
as `MLFlowLogger`'s own default no longer works with MLflow 3; the progress bar is off, for nobody is looking. Torch
takes as many threads as it likes, logging and checkpoints are Lightning's.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import optuna
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import MLFlowLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmark.speed.cell import CLIP, Cell
from tasks.task import SplitName


class Stack(pl.LightningModule):
    """`nn.LSTM` with `num_layers`, and a linear readout at every step."""

    def __init__(self, inputs: int, cell: Cell) -> None:
        super().__init__()
        self.learning_rate = cell.learning_rate
        self.lstm = nn.LSTM(inputs, cell.width, num_layers=cell.depth, batch_first=True)
        self.readout = nn.Linear(cell.width, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """One number for every step."""
        return self.readout(self.lstm(inputs)[0]).squeeze(-1)

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        """Mean squared error of a batch, logged."""
        loss = nn.functional.mse_loss(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], _: int) -> None:
        """The same on a validation batch."""
        self.log("validation_loss", nn.functional.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW."""
        return torch.optim.AdamW(self.parameters(), lr=self.learning_rate)


def train(cell: Cell, folder: Path) -> float:
    """One training, logged to MLflow in `folder`; its last validation loss."""
    task = cell.task()
    sets = []
    names: tuple[SplitName, ...] = ("train", "validation")
    for name in names:
        split = task.data(name, cell.seed)
        sets.append(TensorDataset(torch.from_numpy(split.inputs), torch.from_numpy(split.targets)))
    trainer = pl.Trainer(
        max_steps=cell.steps,
        max_epochs=-1,
        val_check_interval=cell.validate_every,
        check_val_every_n_epoch=None,
        gradient_clip_val=CLIP,
        logger=MLFlowLogger("speed", tracking_uri=f"sqlite:///{folder / 'mlflow.db'}"),
        default_root_dir=folder,
        enable_progress_bar=False,
    )
    module = Stack(task.inputs, cell)
    trainer.fit(
        module,
        DataLoader(sets[0], batch_size=cell.batch_size, shuffle=True),
        DataLoader(sets[1], batch_size=cell.batch_size),
    )
    return float(trainer.callback_metrics["validation_loss"])


def study(cells: Sequence[Cell], folder: Path) -> None:
    """All cells, as trials of one Optuna study in `folder`, which also chooses their learning rates."""
    search = optuna.create_study(storage=f"sqlite:///{folder / 'optuna.db'}")
    for cell in cells:
        trial = search.ask()
        rate = trial.suggest_float("learning_rate", 1e-3, 1e-1, log=True)
        search.tell(trial, train(Cell(**{**vars(cell), "learning_rate": rate}), folder))


if __name__ == "__main__":
    from benchmark.speed.whole import CELLS, written

    study(written(Path(sys.argv[1], CELLS)), Path(sys.argv[1]))
