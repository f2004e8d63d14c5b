"""What the shell offers for a half-typed name. Looks at names of files only: nothing heavy is imported at a Tab."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from benchmark import shipped
from benchmark.workspace import Workspace


def studies(incomplete: str) -> list[str]:
    """Studies that can be run: those that come with Strata, and study files where the person is typing."""
    folder = Path(os.path.dirname(incomplete))  # pathlib takes the / off `deep/`
    files = sorted(path for ending in ("*.yaml", "*.yml") for path in folder.glob(ending))
    return _beginning(incomplete, [*shipped.configurations(), *map(str, files)])


def started(incomplete: str) -> list[str]:
    """Studies that have been started in this workspace."""
    found = sorted(path.parent.name for path in Workspace.here().results.glob("*/study.yaml"))
    return _beginning(incomplete, found)


def _beginning(text: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(text)]
