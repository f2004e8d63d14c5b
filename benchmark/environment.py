"""The machine, the versions and the state of the code that a study ran on."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmark.kernel import described

_HERE = Path(__file__).resolve().parent
_PACKAGES = ("torch", "pytorch-lightning", "mlflow", "optuna", "numpy", "scipy", "pandas", "arch")


def describe() -> dict[str, Any]:
    """Plain JSON types; what cannot be known is absent."""
    commit, dirty = git_state()
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "kernel": described(),
        "packages": {name: v for name in _PACKAGES if (v := _version(name)) is not None},
        **({"commit": commit, "dirty": dirty} if commit else {}),
    }


def git_state(folder: Path = _HERE) -> tuple[str, bool | None]:
    """Commit that the source in `folder` is at, and whether it differs from it; ('', None) outside a checkout."""

    def git(*words: str) -> str:
        command = ["git", "--no-optional-locks", "-C", str(folder), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "__init__.py")  # not the checkout around an installed copy
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain"))
    except (OSError, subprocess.SubprocessError):
        return "", None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
