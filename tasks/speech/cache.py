"""Arrays that took seconds to make, kept in a folder of the person's own under a digest of everything they depend on.

The folder is `$STRATA_CACHE/speech`, or `~/.cache/strata/speech`. It may be deleted at any time: what is missing or
damaged is made again, and a folder that cannot be written costs time and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import scipy

Arrays = dict[str, np.ndarray]


def folder() -> Path:
    """Where arrays are kept."""
    root = os.environ.get("STRATA_CACHE")
    return (Path(root).expanduser() if root else Path.home() / ".cache" / "strata") / "speech"


def key(facts: Sequence[Any], makers: Iterable[ModuleType]) -> str:
    """Digest of what was asked for, the source of the modules that make it, and the versions of what they use."""
    whole = hashlib.sha256(json.dumps([*facts, np.__version__, scipy.__version__], sort_keys=True).encode())
    for module in makers:
        assert module.__file__ is not None
        whole.update(module.__name__.encode() + b"".join(Path(module.__file__).read_bytes().split()))
    return whole.hexdigest()[:32]


def kept(name: str, make: Callable[[], Arrays]) -> Arrays:
    """The arrays kept under a name, or made and kept now."""
    path = folder() / f"{name}.npz"
    try:
        with np.load(path, allow_pickle=False) as held:
            return {entry: held[entry] for entry in held.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
        pass  # not there, or damaged
    made = make()
    with contextlib.suppress(OSError):
        _write(path, made)
    return made


def _write(path: Path, arrays: Arrays) -> None:
    """All or nothing: another process reads the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
