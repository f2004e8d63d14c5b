"""The controls of a published study, for studies that carry none: a person's own series cites them (PROTOCOL 19).

`configs/instrument.json` holds what `strata publish` wrote of the published study; it is shipped, so that an installed
Strata can cite it too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmark import shipped
from benchmark.analysis.controls import FACTOR, near
from benchmark.spec import PROTOCOL_VERSION
from benchmark.study import Study


def cite(study: Study) -> dict[str, str]:
    """`{study, commit, why_not}` of the published controls; {} where the study carries controls of its own.

    `why_not` is '' where they may be cited: same protocol, all passed, a budget within a factor of 2, no fewer steps.
    """
    if any(entry.control for entry in study.tasks):
        return {}
    path = shipped.folder() / "instrument.json"
    if not path.exists():
        return {"study": "", "commit": "", "why_not": "no study with controls has been published"}
    found = json.loads(path.read_text())
    return {"study": found["study"], "commit": found["commit"], "why_not": _why_not(study, found)}


def _why_not(study: Study, found: Mapping[str, Any]) -> str:
    if found["protocol"] != PROTOCOL_VERSION:
        return f"the published controls follow protocol {found['protocol']}, not {PROTOCOL_VERSION}"
    if failed := [control["kind"] for control in found["controls"] if not control["passed"]]:
        return f"the published study did not pass its {failed[0]} control"
    budget, fewest = found["budget"], min(entry.steps for entry in study.tasks)
    for asked in study.budgets:
        if not near(budget, asked):
            return (
                f"the published controls have {budget:,} parameters, this study {asked:,}: beyond a factor of {FACTOR}"
            )
    if fewest < found["steps"]:
        return f"the published controls take {found['steps']:,} steps, this study {fewest:,}"
    if {variant.name for variant in study.variants} != {"plain"}:
        return "the published controls are of plain stacks only"
    return ""


def record(folder: Path) -> dict[str, Any]:
    """What later studies may cite of the published study in `folder`. Its steps are those of its slowest control."""
    verdict = json.loads((folder / "verdict.json").read_text())
    study = yaml.safe_load((folder / "study.yaml").read_text())
    return {
        "study": verdict["study"],
        "commit": study["state"]["commit"],
        "protocol": verdict["protocol"],
        "budget": study["budgets"][0],
        "steps": max(entry["steps"] for entry in study["tasks"] if entry["control"]),
        "controls": [{key: control[key] for key in ("kind", "task", "passed")} for control in verdict["controls"]],
    }
