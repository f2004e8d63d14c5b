"""From findings to files: `verdict.json`, the figures, and the page."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmark.analysis.findings import Findings
from benchmark.behind import Behind
from benchmark.errors import UserError
from benchmark.evidence import replace_file
from benchmark.report.figures import pictures
from benchmark.report.page import page


def build(findings: Findings, folder: Path, behind: Sequence[Behind] = ()) -> list[Path]:
    """Write the report of a study into `folder`, made if absent; returns the files written.

    `behind` are the trainings that the numbers of the page lead to, by key; without them nothing is linked.

    Equal findings give equal bytes on one set of library versions: nothing in the files tells when they were made.
    Everything is made before anything is written, and every file is replaced whole. Raises UserError where the folder
    cannot be written.
    """
    drawn = pictures(findings)
    files: dict[str, bytes] = {"verdict.json": verdict_json(findings).encode()}
    for name, picture in drawn.items():
        files[f"figures/{name}.png"] = picture.png
        files[f"figures/{name}.svg"] = picture.svg
    files["report.html"] = page(findings, drawn, behind).encode()
    try:
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            replace_file(folder / name, content)
    except OSError as error:
        raise UserError(
            f"cannot write the report into {folder}: {error.strerror or error}; "
            "make room or choose a folder that can be written, then build the report again"
        ) from error
    return [folder / name for name in files]


def verdict_json(findings: Findings) -> str:
    """The findings as JSON that any reader takes: numbers that are not finite are null."""
    return json.dumps(_finite(findings.to_dict()), sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
