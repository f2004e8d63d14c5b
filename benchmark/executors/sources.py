"""A user's task file on a machine that does not have it: its source travels with the job.

Only that one file does. What it reads must lie where the study says, on every machine; what it imports from the package
`tasks` is part of its digest, which is checked.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark.spec import RunSpec


def gather(specs: Sequence[RunSpec]) -> dict[str, str]:
    """Source by reference of every task that is a file, `path/to/file.py:Class`."""
    return {spec.task: _read(_path(spec.task)) for spec in specs if ".py:" in spec.task}


@functools.lru_cache(maxsize=64)
def _read(path: Path) -> str:
    """Read once: what a study began with is what it goes on with, whatever is edited meanwhile."""
    return path.read_text()


def placed(specs: Sequence[RunSpec], sources: Mapping[str, str]) -> tuple[RunSpec, ...]:
    """The specs, with tasks that travelled read from a folder of this process. Their keys stay as they were."""
    return tuple(_placed(spec, sources[spec.task]) if spec.task in sources else spec for spec in specs)


def _placed(spec: RunSpec, source: str) -> RunSpec:
    path = _folder() / hashlib.sha256(source.encode()).hexdigest()[:16] / _path(spec.task).name
    if not path.exists():
        path.parent.mkdir()
        path.write_text(source)
    found = dataclasses.replace(spec, task=f"{path}:{spec.task.rpartition(':')[2]}")
    # Where a source lies on this machine is no part of what is asked: result and checkpoint carry the key that was.
    vars(found)["key"] = spec.key
    return found


def _folder() -> Path:
    return Path(_temporary().name)


@functools.cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    """Made at first use, for this user alone; gone with the process, or left to the system when it is killed."""
    return tempfile.TemporaryDirectory(prefix="strata-tasks-")


def _path(reference: str) -> Path:
    return Path(reference.rpartition(":")[0])
