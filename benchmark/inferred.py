"""The study that evidence belongs to: as its folder tells it, or read off the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmark.analysis.family import REPLICA
from benchmark.checks import PLACE, TESTED, TUNED, Uses
from benchmark.errors import UserError

MARGIN, ALPHA, DIVERGENCE_MULTIPLE = 0.02, 0.05, 10.0
"""What a study has that says nothing else (PROTOCOL 8, 14)."""


def inferred(uses: Uses, name: str, margin: float | None, alpha: float | None) -> dict[str, Any]:
    """The study that the rows show: a screen of every contrast that is there, at one look over all seeds found.

    Seeds of the tested phases are numbered anew within each contrast where they are not 0, 1, 2, ...
    """
    table = uses.table
    if not (table["phase"] == "confirm").any():
        uses.refuse(np.arange(len(table)) == 0, "phase", "no row is of phase confirm, and verdicts rest on these alone")
    if not (table["depth"] > 1).any() and not (table["replica"] == REPLICA).any():
        uses.refuse(np.arange(len(table)) == 0, "depth", "every row is of depth 1: add the rows of deeper stacks")
    contrasts: list[dict[str, Any]] = []
    doubled: list[int] = []
    seeds = 0
    read = [*PLACE, "phase", "seed", "depth", "replica", "control", "learning_rate"]
    used = table.loc[~table["superseded"].astype(bool), [*read, "steps"]].astype({"steps": "int64", "seed": "int64"})
    numbered = table["seed"].copy()
    for place, rows in used.groupby(PLACE, sort=True):
        confirm = rows[rows["phase"] == "confirm"]
        order = sorted(set(confirm["seed"]))
        seeds = max(seeds, len(order))
        order += sorted(set(rows.loc[rows["phase"] == "converge", "seed"]) - set(order))
        tested = rows[rows["phase"].isin(TESTED)]
        numbered.loc[tested.index] = tested["seed"].map({seed: at for at, seed in enumerate(order)})
        if len(depths := sorted({1, *rows.loc[rows["replica"] == "", "depth"].tolist()})) > 1:
            doubled.append(tested.loc[tested["phase"] == "converge", "seed"].nunique())
        contrasts.append(
            dict(zip(PLACE, place, strict=True))
            | {
                "depths": depths,
                "steps": int(confirm["steps"].max()) if len(confirm) else None,
                "a_a": bool(((rows["replica"] == REPLICA) & (rows["depth"] == 1)).any()),
            }
        )
    table["seed"] = numbered
    names = sorted(set(table["study"]) - {""})
    controls = used.groupby("task", sort=True)["control"].first()
    shown = set(TUNED) <= set(used["phase"]) and uses.has("validation_loss")
    shown = shown and bool(used.loc[used["phase"].isin(TUNED), "learning_rate"].notna().all())
    return {
        "name": names[0] if len(names) == 1 else name,
        "purpose": "screen",
        "tasks": [{"label": task, "control": control} for task, control in controls.items()],
        "contrasts": contrasts,
        "match": sorted(set(used["match"])),
        "tuning": {"method": "as found in the rows"} if shown else {},
        "confirmation": {"seeds": seeds, "looks": [seeds], "doubled": min(doubled, default=0)},
        "training": {"divergence_multiple": DIVERGENCE_MULTIPLE},
        "analysis": {"margin": margin or MARGIN, "alpha": alpha or ALPHA},
        "state": {},
    }


_NEEDS = (
    *("name", "purpose", "tasks", "match", "confirmation.seeds"),
    *("training.divergence_multiple", "analysis.margin", "analysis.alpha"),
)


def written(path: Path) -> dict[str, Any] | None:
    """The resolved study of a folder, None where there is none."""
    if not path.exists():
        return None
    try:
        study = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())
        raise UserError(f"{path} is no YAML ({said}): correct it, or remove it and the study is inferred") from None
    for name in _NEEDS:
        part: Any = study
        for key in name.split("."):
            part = part.get(key) if isinstance(part, dict) else None
        if part is None:
            raise UserError(f"{path} lacks {name}: it is no resolved study; remove it and the study is inferred")
        kind = (int, float) if "." in name else list if name in ("tasks", "match") else str
        if not isinstance(part, kind):
            raise UserError(f"{path}: {name} is {part!r}, not what a resolved study has; remove the file or correct it")
    if any(not isinstance(task, dict) or "label" not in task for task in study["tasks"]):
        raise UserError(f"{path}: a task lacks its label, which a resolved study has; remove the file or correct it")
    return study


def altered(study: dict[str, Any], margin: float | None, alpha: float | None) -> dict[str, Any]:
    """Margin and alpha are in a study's identity: another value than its own makes the analysis exploratory."""
    own, asked = study["analysis"], {"margin": margin, "alpha": alpha}
    changed = {name: value for name, value in asked.items() if value is not None and value != own[name]}
    if not changed:
        return study
    said = " and ".join(f"{name} {value:g} in place of {own[name]:g}" for name, value in changed.items())
    state = study.get("state") or {}
    state = {**state, "exploratory": "; ".join(filter(None, [state.get("exploratory"), said]))}
    return {**study, "analysis": {**own, **changed}, "state": state}
