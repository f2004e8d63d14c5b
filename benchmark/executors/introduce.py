"""What a worker says of itself before it gets work, and what must be equal to the driver's for equal numbers.

Versions come from the packages' metadata and the source of the engine is hashed as it lies on the disk, so nothing
heavy is imported. Tasks are loaded in a process of its own (`python -m benchmark.executors.introduce`): a worker stays
light.
"""

from __future__ import annotations

import functools
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import benchmark
from benchmark.executors.sources import placed
from benchmark.spec import RunSpec

PACKAGES = {"torch": "torch", "pytorch_lightning": "pytorch-lightning", "numpy": "numpy"}


@functools.cache
def versions() -> dict[str, str]:
    """Version by package; of `strata` with a digest of the engine's source, of `torch` without its build (`+cpu`)."""
    found = {}
    for name, distribution in PACKAGES.items():
        try:
            found[name] = metadata.version(distribution).partition("+")[0]
        except metadata.PackageNotFoundError:
            found[name] = "none"
    return found | {"strata": f"{benchmark.__version__} (source {_engine_digest()})"}


def _engine_digest() -> str:
    """8 hex digits of the files beside the package's `__init__`: what trains, and more, but no task and no report."""
    digest = hashlib.sha256()
    for path in sorted(Path(benchmark.__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:8]


def difference(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """'' or which package differs, with both versions."""
    for name, version in ours.items():
        if theirs.get(name) != version:
            return f"{name} {theirs.get(name, 'none')}, the driver has {version}"
    return ""


def strange_task(specs: Sequence[RunSpec]) -> str:
    """'' or the first task that is not here what the driver has: its source, or the content of a file that it reads."""
    from tasks import registry

    for spec in specs:
        try:
            found = registry.digest(spec.task)
            data = registry.create(spec.task, {**spec.task_parameters, **spec.task_locations}).data_digest()
        except Exception as error:
            return f"task {_name(spec)} cannot be made: {' '.join(str(error).split())}"
        if found != spec.task_digest:
            return f"task {_name(spec)} has source {found}, the driver has {spec.task_digest}"
        if data != spec.data_digest:
            return f"task {_name(spec)} has data {data}, the driver has {spec.data_digest}"
    return ""


def _name(spec: RunSpec) -> str:
    return Path(spec.task).name


def main() -> None:
    """Read specs and the sources of their tasks as JSON on stdin; write what is wrong with them, perhaps ''."""
    asked: dict[str, Any] = json.load(sys.stdin)
    specs = tuple(map(RunSpec.from_dict, asked["specs"]))
    print(json.dumps(strange_task(placed(specs, asked["sources"]))))


if __name__ == "__main__":
    main()
