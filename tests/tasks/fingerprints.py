"""Digests of every split of a task. Run as a module, it prints those of all tasks, without torch and the engine."""

import hashlib
import json
import sys

import numpy as np

from tasks.task import Split, SplitName, Task

SEEDS = (5, 2**62 + 1)


def cells(task: Task) -> list[tuple[SplitName, int | None]]:
    """The splits that exist: of a data seed, or those for tuning and of the first and last fold."""
    splits: list[SplitName] = ["train", "validation", "test"]
    if task.replicates == "folds":
        return [("train", None), ("validation", None), *((s, fold) for fold in (0, task.folds - 1) for s in splits)]
    return [(split, None) for split in splits]


def fingerprint(split: Split) -> str:
    digest = hashlib.sha256()
    for array in (split.inputs, split.targets, split.lengths, split.groups):
        if array is not None:
            digest.update(f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def fingerprints(task: Task) -> dict[str, str]:
    wanted = [(split, fold, seed) for seed in SEEDS for split, fold in cells(task)]
    if __name__ == "__main__":
        wanted.reverse()  # another order of calls: nothing may be carried from one to the next
    return {f"{split} {fold} {seed}": fingerprint(task.data(split, seed, fold)) for split, fold, seed in wanted}


def available(task: Task) -> bool:
    """Whether its data can be made here: an extra package may not be installed."""
    try:
        task.data("validation", SEEDS[0], None)
    except ModuleNotFoundError as missing:
        assert "pip install" in str(missing), f"{task.name} does not say what to install: {missing}"
        return False
    return True


if __name__ == "__main__":
    for blocked in ("torch", "benchmark"):
        sys.modules[blocked] = None  # type: ignore[assignment]  # importing it now raises ImportError
    from tasks import registry

    found = {name: registry.load(name).tiny() for name in reversed(registry.names())}
    print(json.dumps({name: fingerprints(task) for name, task in found.items() if available(task)}))
