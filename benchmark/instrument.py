"""The controls of published studies, for studies that carry none: a person's own series cites them (PROTOCOL 19).

`configs/instrument.json` lists what `strata publish --as-instrument` wrote of each; it is shipped, so that an installed
Strata can cite them too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmark import shipped
from benchmark.analysis.controls import FACTOR, KINDS, near
from benchmark.evidence import replace_file
from benchmark.spec import PROTOCOL_VERSION
from benchmark.study import Study


def cite(study: Study) -> dict[str, str]:
    """`{study, commit, why_not}` of the published controls; {} where the study carries controls of its own.

    `why_not` is '' where they may be cited: same protocol, all passed, at every budget of the study one of each kind
    within a factor of 2, no fewer steps. Of several published studies it is the first that may be, or the first of all.
    """
    if any(entry.control for entry in study.tasks):
        return {}
    path = shipped.folder() / "instrument.json"
    if not path.exists():
        return {"study": "", "commit": "", "why_not": "no study with controls has been published"}
    cited = [
        {"study": found["study"], "commit": found["commit"], "why_not": _why_not(study, found)}
        for found in json.loads(path.read_text())
    ]
    return next((one for one in cited if not one["why_not"]), cited[0])


def _why_not(study: Study, found: Mapping[str, Any]) -> str:
    if found["protocol"] != PROTOCOL_VERSION:
        return f"the published controls follow protocol {found['protocol']}, not {PROTOCOL_VERSION}"
    if failed := [control["kind"] for control in found["controls"] if not control["passed"]]:
        return f"the published study did not pass its {failed[0]} control"
    for asked in study.budgets:
        close = {control["kind"] for control in found["controls"] if near(control["budget"], asked)}
        if not close.issuperset(KINDS.values()):
            there = " and ".join(f"{budget:,}" for budget in sorted({c["budget"] for c in found["controls"]}))
            return f"the published controls have {there} parameters, this study {asked:,}: beyond a factor of {FACTOR}"
    fewest = min(entry.steps for entry in study.tasks)
    if fewest < found["steps"]:
        return f"the published controls take {found['steps']:,} steps, this study {fewest:,}"
    if {variant.name for variant in study.variants} != {"plain"}:
        return "the published controls are of plain stacks only"
    return ""


def record(folder: Path) -> dict[str, Any]:
    """What later studies may cite of the published study in `folder`. Its steps are those of its slowest control.

    A/A on a natural task gates nothing and is left out.
    """
    verdict = json.loads((folder / "verdict.json").read_text())
    study = yaml.safe_load((folder / "study.yaml").read_text())
    kept = ("kind", "task", "budget", "passed")
    return {
        "study": verdict["study"],
        "commit": study["state"]["commit"],
        "protocol": verdict["protocol"],
        "steps": max(entry["steps"] for entry in study["tasks"] if entry["control"]),
        "controls": [{key: control[key] for key in kept} for control in verdict["controls"] if control["gates"]],
    }


def write(found: Mapping[str, Any], path: Path) -> None:
    """Put one record into the file, in the place of that study's former one or at the end."""
    others = json.loads(path.read_text()) if path.exists() else []
    if found["study"] in (names := [other["study"] for other in others]):
        others[names.index(found["study"])] = found
    else:
        others.append(found)
    replace_file(path, (json.dumps(others, indent=1) + "\n").encode())
