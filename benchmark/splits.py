"""A task's splits as tensors on the device, with the test split behind the phase guard."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from benchmark.spec import RunSpec
from tasks.task import Split, SplitName, Task


class TestSplitLocked(RuntimeError):
    """The test split was asked for by a training whose results choose hyperparameters (PROTOCOL 6)."""

    __test__ = False  # not a test class, whatever pytest makes of the name


class Splits:
    """The splits of a data seed (and fold), and what is told of them alone, made at most once each.

    Trainings that differ only in what they do with the data share one.
    """

    def __init__(self, task: Task, spec: RunSpec) -> None:
        self.task, self.spec = task, spec
        self._split, self.tensors = cache(self._make), cache(self._on_device)
        self.digest, self.trivial_loss, self.best_loss = cache(self._digest), cache(self._trivial), cache(self._best)
        self.baselines = cache(self._baselines)
        self.bytes = 0
        """Of the arrays made so far."""

    def __getitem__(self, name: SplitName) -> Split:
        if name == "test" and not self.spec.reads_test:
            raise TestSplitLocked(f"training {self.spec.key} belongs to tuning: the test split is closed to it")
        return self._split(name)

    def _make(self, name: SplitName) -> Split:
        split = self.task.data(name, self.spec.seeds.data, self.spec.fold)
        self.bytes += sum(array.nbytes for array in _arrays(split))
        return split

    def _on_device(self, name: SplitName, dtype: torch.dtype, device: torch.device) -> Tensors:
        return to_tensors(self[name], self.task, dtype=dtype, device=device)

    def _trivial(self, name: SplitName) -> float:
        return self.task.trivial_loss(self["train"], self[name])

    def _best(self, name: SplitName) -> float | None:
        return self.task.best_loss(self[name], self.spec.seeds.data)

    def _baselines(self) -> Mapping[str, float]:
        return self.task.baselines(self["train"], self["test"])

    def _digest(self) -> str:
        """Digest of what the network trains on and is selected by (BLAKE2b of the arrays)."""
        hasher = hashlib.blake2b(digest_size=16)
        for name in ("train", "validation"):
            for array in _arrays(self[name]):
                hasher.update(f"{array.dtype}{array.shape}".encode())
                hasher.update(np.ascontiguousarray(array).data)
        return hasher.hexdigest()


def _arrays(split: Split) -> list[np.ndarray]:
    return [array for array in (split.inputs, split.targets, split.lengths, split.target_lengths) if array is not None]


KEPT = 256 * 2**20
"""Most bytes of arrays that a process keeps for the trainings to come."""
_kept: dict[str, Splits] = {}


def splits_for(task: Task, spec: RunSpec) -> Splits:
    """Those that a recent training of this process had, where its data were the same: a worker trains many arms on few
    data sets, and making them costs a small training a tenth of its time.
    """
    same = ("task", "task_parameters", "task_locations", "task_digest", "data_digest", "fold", "reads_test")
    key = json.dumps([*(getattr(spec, name) for name in same), spec.seeds.data], sort_keys=True, default=dict)
    splits = _kept.pop(key, None) or Splits(task, spec)
    while _kept and sum(one.bytes for one in _kept.values()) > KEPT:
        del _kept[next(iter(_kept))]
    _kept[key] = splits
    return splits


@dataclass(frozen=True)
class Tensors:
    """One split on the device: inputs `(n, time, features)`, or tokens `(n, time)` for a network with a table of them.

    Targets as the task gives them; lengths of sequences, and of label sequences, `(n,)` or None.
    """

    inputs: Tensor
    targets: Tensor
    lengths: Tensor | None
    target_lengths: Tensor | None = None

    def take(self, indices: Tensor) -> Tensors:
        """The sequences at `indices`, in that order."""
        lengths, labels = (None if one is None else one[indices] for one in (self.lengths, self.target_lengths))
        return Tensors(self.inputs[indices], self.targets[indices], lengths, labels)

    def __len__(self) -> int:
        return len(self.inputs)


def to_tensors(split: Split, task: Task, *, dtype: torch.dtype, device: torch.device) -> Tensors:
    """Tokens become one-hot rows unless the network looks them up; real values take the training's precision."""
    inputs = torch.from_numpy(split.inputs).to(device)
    if not task.embedding:
        inputs = (torch.nn.functional.one_hot(inputs, task.tokens) if task.tokens else inputs).to(dtype)
    targets = torch.from_numpy(split.targets).to(device)
    targets = targets.to(dtype) if targets.is_floating_point() else targets
    lengths, labels = (
        None if one is None else torch.from_numpy(one).to(device) for one in (split.lengths, split.target_lengths)
    )
    return Tensors(inputs, targets, lengths, labels)
