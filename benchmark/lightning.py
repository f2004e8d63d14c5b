"""The LightningModule that trains a stack, and the Trainer's settings.

Lightning gives device, precision and hooks. Steps belong to `advance`: a Lightning batch is one chunk of steps, named
by the step at which it ends.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Mapping

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments import LightningEnvironment
from lightning_fabric.utilities.warnings import PossibleUserWarning

from benchmark.advance import TrainingState, advance, evaluate, losses_by_sequence, optimizer_for, restore
from benchmark.batches import BatchOrder
from benchmark.lstm import build
from benchmark.sizing import network_shape
from benchmark.spec import RunResult, RunSpec
from benchmark.splits import Splits, Tensors, to_tensors
from tasks.task import Task


def quiet() -> None:
    """Silence what Lightning says about a setup that is ours on purpose; each message at its own source."""
    for name in ("lightning.pytorch", "pytorch_lightning", "lightning_fabric", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", category=PossibleUserWarning)
    warnings.filterwarnings("ignore", message=r".*isinstance\(treespec, LeafSpec\).*")
    warnings.filterwarnings("ignore", message=r".*`srun` command is available.*")


class StackedLSTMModule(pl.LightningModule):
    """Trains one RunSpec. `fit` sets `result` when the training reached its end; when cut, `run` is to be saved."""

    def __init__(self, spec: RunSpec, task: Task, checkpoint: bytes | None = None) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.spec, self.task, self.given = spec, task, checkpoint
        self.splits = Splits(task, spec)
        self.network = build(
            seed=spec.seeds.initialisation,
            depth=spec.depth,
            width=spec.width,
            variant=spec.variant,
            **network_shape(task),
        )
        self.run: TrainingState
        self.result: RunResult | None = None

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW; `advance` steps it."""
        return optimizer_for(self.network, self.spec)

    def on_fit_start(self) -> None:
        """The data move to the device once, as tensors."""
        train, validation = self._tensors("train"), self._tensors("validation")
        self.data_hash = self.splits.digest()
        zero = torch.zeros((), device=self.device, dtype=self.real_numbers)
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, torch.optim.Optimizer)
        self.run = TrainingState(
            spec=self.spec,
            task=self.task,
            network=self.network,
            optimizer=optimizer,
            train=train,
            validation=validation,
            order=BatchOrder(
                seed=self.spec.seeds.order, sequences=len(train), batch_size=self.spec.hyperparameters.batch_size
            ),
            trivial_loss=self.task.trivial_loss(self.splits["train"], self.splits["validation"]),
            order_hash=self.data_hash,
            window_loss=zero.clone(),
            clipped=zero.clone(),
        )
        if self.given is not None:
            restore(self.run, self.given)

    @property
    def real_numbers(self) -> torch.dtype:
        """What inputs, targets and losses are made of."""
        return torch.float64 if self.spec.precision == "64-true" else torch.float32

    def _tensors(self, name: str) -> Tensors:
        split = self.splits[name]  # type: ignore[index]
        return to_tensors(split, self.task, dtype=self.real_numbers, device=self.device)

    def training_step(self, chunk_end: int, _: int) -> None:
        """One chunk of optimiser steps."""
        advance(self.run, until=chunk_end)
        if self.run.diverged:
            self.trainer.should_stop = True

    def on_train_end(self) -> None:
        """Score while the weights are still on the device."""
        if self.run.finished:
            with self.trainer.precision_plugin.forward_context():
                self.result = self._score()

    def _score(self) -> RunResult:
        """The result by the best-validation weights; a diverged training keeps no last good weights (PROTOCOL 8)."""
        run, train, validation = self.run, self.splits["train"], self.splits["validation"]
        result = RunResult(
            key=self.spec.key,
            status="diverged" if run.diverged else "done",
            trivial_validation_loss=run.trivial_loss,
            best_validation_loss=self.task.best_loss(validation, self.spec.seeds.data),
            steps=run.step,
            clipped_share=float(run.clipped) / max(1, run.step),
            data_hash=self.data_hash,
            order_hash=run.order_hash,
            curves=run.curves,
            device_type=self.device.type,
        )
        if self.spec.reads_test:
            test = self.splits["test"]
            result.trivial_loss = self.task.trivial_loss(train, test)
            result.best_loss = self.task.best_loss(test, self.spec.seeds.data)
            result.baselines = dict(self.task.baselines(train, test))
        if run.diverged:
            return result
        self.network.load_state_dict(run.best_weights)
        result.best_step, result.validation_loss = run.best_step, run.best_loss
        sample = run.train.take(torch.arange(min(len(run.train), len(run.validation)), device=self.device))
        result.train_loss = evaluate(self.network, self.task, sample)
        if self.spec.reads_test:
            self._score_test(result)
        return result

    def _score_test(self, result: RunResult) -> None:
        test, groups = self._tensors("test"), self.splits["test"].groups
        sums, counts = losses_by_sequence(self.network, self.task, test)
        result.test_loss = float(sums.sum() / counts.sum())
        if self.task.second_metric:
            result.second_metric = evaluate(self.network, self.task, test, second=True)
        if groups is not None:
            blocks: dict[str, list[float]] = {}
            for group, total, count in zip(groups.tolist(), sums.tolist(), counts.tolist(), strict=True):
                block = blocks.setdefault(str(group), [0.0, 0.0])
                block[0] += total
                block[1] += count
            result.blocks = [(name, total / count, round(count)) for name, (total, count) in sorted(blocks.items())]


def chunk_ends(spec: RunSpec, start: int, until: int, chunk: int | None = None) -> list[int]:
    """Steps at which the chunks of [start, until) end: at validations, unless `chunk` steps are asked for."""
    size = chunk or spec.validate_every
    last = min(until, spec.steps)
    return sorted({min(last, (index + 1) * size) for index in range(start // size, math.ceil(last / size))})


def fit(module: StackedLSTMModule, ends: list[int]) -> None:
    """Run the chunks through a Trainer that adds nothing of its own: no logger, files, bars, clipping or sanity run."""
    accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    trainer = pl.Trainer(
        accelerator=accelerator,
        devices=1,
        precision=module.spec.precision,
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        use_distributed_sampler=False,
        plugins=[LightningEnvironment()],  # a SLURM job must not be requeued, nor its tasks counted, by Lightning
    )
    trainer.fit(module, train_dataloaders=ends)


def versions() -> Mapping[str, str]:
    """Versions of what the numbers depend on."""
    import platform

    import numpy

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "pytorch_lightning": pl.__version__,
        "numpy": numpy.__version__,
    }
