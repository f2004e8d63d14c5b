"""What is asked of one training, and what one training gave. Standard library only: this travels to workers."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

PROTOCOL_VERSION = "1"
"""Version of the rules of fairness. Part of every key: results made under other rules are not compared."""

_SAME_LOSS = 1e-4

Status = Literal["done", "diverged", "pruned", "failed"]


def same_loss(one: float, other: float) -> bool:
    """Whether a training made again, perhaps on another machine, is called the same training: by its loss to 1e-4."""
    return math.isclose(one, other, rel_tol=_SAME_LOSS)


def stream(*names: object) -> int:
    """A 63-bit seed that depends on all the names given and on nothing else (SHA-256).

    Each use of randomness has its own named stream, so that drawing more from one (a deeper net needs more
    initial weights) can never move another (PROTOCOL 4).
    """
    digest = hashlib.sha256("\x1f".join(map(str, names)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def problem(task: str, parameters: Mapping[str, Any]) -> str:
    """A task with its parameters as one string: two labels of a study may ask the same task different things."""
    return f"{task} {json.dumps(dict(parameters), sort_keys=True)}"


@dataclass(frozen=True, kw_only=True)
class Variant:
    """Named settings of the factors that are neither depth nor width. `plain` is all defaults."""

    name: str = "plain"
    bidirectional: bool = False
    residual: bool = False
    layer_norm: bool = False
    readout: Literal["top", "all"] = "top"


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """How a training is optimised. The same rule for every depth; only tuned fields may differ (PROTOCOL 3, 5)."""

    learning_rate: float
    weight_decay: float = 0.0
    dropout: float = 0.0
    batch_size: int = 32
    clip_norm: float = 1.0
    warmup_share: float = 0.1


@dataclass(frozen=True, kw_only=True)
class Seeds:
    """One seed per named stream; `replicate` is the number a person sees (0, 1, 2, ...)."""

    replicate: int
    data: int
    initialisation: int
    order: int
    dropout: int


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """Everything asked of one training; `key` is its identity in every store.

    `task` is a built-in task's name or `path/to/file.py:Class`; `task_digest` covers its source and `data_digest`
    the content of any file it reads. `task_locations` are parameters that only say where such a file lies: a moved file
    is the same data, so they are no part of the key.

    `fold` is None unless the task's replicates are folds. `reads_test` is False
    in the tuning phase: then reading the test split raises (PROTOCOL 6). Steps are optimiser steps.
    """

    task: str
    task_parameters: Mapping[str, Any] = field(default_factory=dict)
    task_locations: Mapping[str, Any] = field(default_factory=dict)
    task_digest: str
    data_digest: str = ""
    depth: int
    width: int
    variant: Variant = Variant()
    hyperparameters: Hyperparameters
    seeds: Seeds
    fold: int | None = None
    replica: str = ""
    steps: int
    validate_every: int
    precision: Literal["32-true", "bf16-mixed", "64-true"] = "32-true"
    divergence_multiple: float = 10.0
    reads_test: bool = False
    protocol: str = PROTOCOL_VERSION

    @cached_property
    def key(self) -> str:
        """Short hash of all fields but `task_locations`: two specs that differ in any other have different keys."""
        identity = {name: value for name, value in self.to_dict().items() if name != "task_locations"}
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]

    @cached_property
    def together(self) -> str:
        """Equal for specs that may be trained side by side: one problem, network, batch size and number of steps."""
        own = ("hyperparameters", "seeds", "fold", "replica", "task_locations")
        shared = {name: value for name, value in self.to_dict().items() if name not in own}
        return json.dumps([shared, self.hyperparameters.batch_size, self.fold is None], sort_keys=True)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        record = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        # Not `dataclasses.asdict`, whose deep copies are half of what a driver of 100,000 trainings computes.
        for name in ("task_parameters", "task_locations"):
            record[name] = dict(record[name])
        for name in ("variant", "hyperparameters", "seeds"):
            record[name] = dict(vars(record[name]))
        return record

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> RunSpec:
        """Inverse of `to_dict`. Raises TypeError on an unknown field."""
        fields = dict(record)
        fields["variant"] = Variant(**fields["variant"])
        fields["hyperparameters"] = Hyperparameters(**fields["hyperparameters"])
        fields["seeds"] = Seeds(**fields["seeds"])
        return cls(**fields)


@dataclass(kw_only=True)
class RunResult:
    """What one training gave: raw losses and a status from a closed list, never an exception.

    Losses are means per counted target in the task's loss unit, of the best-validation weights; None where they were
    not measured (`test_*` while tuning, everything after a divergence). `trivial_*` and `best_*` are the task's
    reference losses on the same split. `curves` rows are (step, metric, layer, value) with layer -1 for the whole
    network; `blocks` rows are (block, mean test loss, count).
    """

    key: str
    status: Status
    train_loss: float | None = None
    validation_loss: float | None = None
    test_loss: float | None = None
    trivial_validation_loss: float | None = None
    best_validation_loss: float | None = None
    trivial_loss: float | None = None
    best_loss: float | None = None
    second_metric: float | None = None
    baselines: dict[str, float] = field(default_factory=dict)
    best_step: int | None = None
    steps: int = 0
    clipped_share: float = 0.0
    seconds: float = 0.0
    parameters: int = 0
    state_size: int = 0
    flops: int = 0
    data_hash: str = ""
    order_hash: str = ""
    curves: list[tuple[int, str, int, float]] = field(default_factory=list)
    blocks: list[tuple[str, float, int]] = field(default_factory=list)
    device_type: str = "cpu"
    engine: str = "torch-lstm"
    versions: dict[str, str] = field(default_factory=dict)
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, not copied; floats keep every bit through `repr`."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> RunResult:
        """Inverse of `to_dict`."""
        fields = dict(record)
        # A few names, on every point of every curve: kept once.
        fields["curves"] = [(step, sys.intern(name), layer, value) for step, name, layer, value in fields["curves"]]
        fields["blocks"] = [tuple(row) for row in fields["blocks"]]
        return cls(**fields)


def failed(key: str, error: str) -> RunResult:
    """The result of a training that raised, ran out of memory or time, or lost its worker."""
    return RunResult(key=key, status="failed", error=error)
