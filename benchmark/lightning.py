"""The LightningModule that trains stacks of one shape, and the Trainer's settings.

Lightning gives device, precision and hooks. Steps belong to `advance`: a Lightning batch is one chunk of steps, named
by the step at which it ends.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments import LightningEnvironment
from lightning_fabric.utilities.warnings import PossibleUserWarning
from torch import nn

from benchmark.advance import advance
from benchmark.batches import BatchOrder
from benchmark.lstm import StackedLSTM, build
from benchmark.scoring import evaluate, losses_by_sequence
from benchmark.sizing import network_shape
from benchmark.spec import RunResult, RunSpec
from benchmark.splits import Splits, splits_for
from benchmark.state import TrainingState, optimizer_for, restore
from tasks.task import SplitName, Task

SELECTING: tuple[SplitName, SplitName] = ("train", "validation")
"""What weights are trained on and chosen by."""


def quiet() -> None:
    """Silence what Lightning says about a setup that is ours on purpose; each message at its own source."""
    for name in ("lightning.pytorch", "pytorch_lightning", "lightning_fabric", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", category=PossibleUserWarning)
    warnings.filterwarnings("ignore", message=r".*isinstance\(treespec, LeafSpec\).*")
    warnings.filterwarnings("ignore", message=r".*`srun` command is available.*")


@dataclass
class Member:
    """One training of a module: `state` while it trains, `result` once it is cut or at its end."""

    spec: RunSpec
    splits: Splits
    network: StackedLSTM
    checkpoint: bytes | None = None
    result: RunResult | None = None
    state: TrainingState = field(init=False)


class StackedLSTMModule(pl.LightningModule):
    """Trains specs of one arm, which ask for one problem, one shape and as many steps: each as if it were alone.

    `fit` gives those that reached their end a result; of the others, the state is to be saved.
    """

    def __init__(self, specs: Sequence[RunSpec], task: Task, checkpoints: Mapping[str, bytes] | None = None) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.task, self.members = task, list[Member]()
        self.real_numbers = torch.float64 if specs[0].precision == "64-true" else torch.float32
        for spec in specs:
            splits = splits_for(task, spec)
            shape = {"depth": spec.depth, "width": spec.width, "variant": spec.variant, **network_shape(task)}
            network = build(seed=spec.seeds.initialisation, **shape)
            self.members.append(Member(spec, splits, network, (checkpoints or {}).get(spec.key)))
        self.networks = nn.ModuleList(member.network for member in self.members)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """An AdamW for each training, which holds its moments."""
        return [optimizer_for(member.network, member.spec) for member in self.members]

    def on_fit_start(self) -> None:
        """The data move to the device once, as tensors."""
        optimizers = self.optimizers(use_pl_optimizer=False)
        for index, member in enumerate(self.members):
            spec, splits = member.spec, member.splits
            optimizer = optimizers[index] if isinstance(optimizers, list) else optimizers
            assert isinstance(optimizer, torch.optim.Optimizer)
            train, validation = (splits.tensors(name, self.real_numbers, self.device) for name in SELECTING)
            zero = torch.zeros((), device=self.device, dtype=self.real_numbers)
            member.state = TrainingState(
                spec=spec,
                task=self.task,
                network=member.network,
                optimizer=optimizer,
                train=train,
                validation=validation,
                order=BatchOrder(
                    seed=spec.seeds.order, sequences=len(train), batch_size=spec.hyperparameters.batch_size
                ),
                trivial_loss=splits.trivial_loss("validation"),
                order_hash=splits.digest(),
                window_loss=zero.clone(),
                clipped=zero.clone(),
            )
            if member.checkpoint is not None:
                restore(member.state, member.checkpoint)

    def training_step(self, chunk_end: int, _: int) -> None:
        """One chunk of optimiser steps."""
        states = [member.state for member in self.members]
        advance(states, until=chunk_end)
        if all(state.diverged for state in states):
            self.trainer.should_stop = True

    def on_train_end(self) -> None:
        """Score while the weights are still on the device."""
        for member in self.members:
            with self.trainer.precision_plugin.forward_context():
                member.result = self._score(member)

    def _score(self, member: Member) -> RunResult:
        """The result by the best-validation weights; a diverged training keeps no last good weights (PROTOCOL 8).

        One that is cut here is `pruned` unless it goes on, and has no loss of its own.
        """
        spec, splits, state = member.spec, member.splits, member.state
        result = RunResult(
            key=spec.key,
            status="diverged" if state.diverged else "done" if state.finished else "pruned",
            trivial_validation_loss=state.trivial_loss,
            best_validation_loss=splits.best_loss("validation"),
            steps=state.step,
            clipped_share=float(state.clipped) / max(1, state.step),
            data_hash=splits.digest(),
            order_hash=state.order_hash,
            curves=state.curves,
            device_type=self.device.type,
        )
        if spec.reads_test and state.finished:
            result.trivial_loss, result.best_loss = splits.trivial_loss("test"), splits.best_loss("test")
            result.baselines = dict(splits.baselines())
        if result.status != "done":
            return result
        member.network.load_state_dict(state.best_weights)
        result.best_step, result.validation_loss = state.best_step, state.best_loss
        sample = state.train.take(torch.arange(min(len(state.train), len(state.validation)), device=self.device))
        result.train_loss = evaluate(member.network, self.task, sample)
        if spec.reads_test:
            self._score_test(member, result)
        return result

    def _score_test(self, member: Member, result: RunResult) -> None:
        test = member.splits.tensors("test", self.real_numbers, self.device)
        groups = member.splits["test"].groups
        sums, counts = losses_by_sequence(member.network, self.task, test)
        result.test_loss = float(sums.sum() / counts.sum())
        if self.task.second_metric:
            result.second_metric = evaluate(member.network, self.task, test, second=True)
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
        precision=module.members[0].spec.precision,
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
