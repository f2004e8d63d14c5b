"""`strata qualify`: does a task do what a control of its kind must do? Measured on development seeds, kept as a table.

The tables lie in `configs/qualified/`; a study cites the table of each of its controls and does not measure it again
(PROTOCOL 19). Development seeds are never used by a study (PROTOCOL 20).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from benchmark import environment, shipped
from benchmark.analysis.controls import FACTOR, near
from benchmark.conduct import Request
from benchmark.evidence import replace_file
from benchmark.plan import Arm, Group, groups
from benchmark.spec import PROTOCOL_VERSION, RunResult, RunSpec
from tasks import registry
from tasks.memoryless import memoryless_skill

SEEDS = 20
"""Fewest development seeds of a table (PROTOCOL 19)."""
REACHED, INFORMATIVE_GAP, NULL_REACHED, LARGER = 0.7, 0.1, 0.9, 4
"""Skill a depth control must reach; how far below the best a memoryless model and a narrow layer must stay; skill that
both arms of a null control must reach; how many times the parameters the larger single layer has."""
NARROW = 8
"""Cells of the single layer that must not suffice (PROTOCOL 9)."""


@dataclass(frozen=True)
class Criterion:
    """One thing a control must do, and whether it did."""

    rule: str
    measured: str
    met: bool


def qualifying_groups(main: Group, kind: str) -> list[Group]:
    """The group itself, one layer with four times the parameters (depth controls), and one layer of 8 cells."""
    found, one = [main], main.arms[0]
    if kind == "depth":
        entry = main.entry.model_copy(update={"places": {}})
        changes = {"tasks": [entry], "budgets": [LARGER * main.budget], "depths": [1], "match": [main.match], "a_a": []}
        larger = main.study.model_copy(update=changes)
        found += groups(larger)
    if kind != "null":
        found.append(dataclasses.replace(main, budget=1, arms=(dataclasses.replace(one, budget=1, width=NARROW),)))
    return found


def skills(requests: Sequence[Request], results: Mapping[str, tuple[RunSpec, RunResult]]) -> dict[Arm, list[float]]:
    """Test skill by arm and development seed; a diverged training scores min(0, the worst completed)."""
    raw: dict[Arm, dict[int, float | None]] = {}
    for request in requests:
        if request.phase != "confirm":
            continue
        result, value = results[request.spec.key][1], None
        if result.status == "done":
            assert result.trivial_loss is not None and result.test_loss is not None
            value = (result.trivial_loss - result.test_loss) / (result.trivial_loss - (result.best_loss or 0.0))
        raw.setdefault(request.arm, {})[request.spec.seeds.replicate] = value
    completed = [value for seeds in raw.values() for value in seeds.values() if value is not None]
    worst = min(0.0, min(completed, default=0.0))
    return {arm: [worst if (v := seeds[i]) is None else v for i in sorted(seeds)] for arm, seeds in raw.items()}


def judge(
    kind: str, skill: Mapping[str, Sequence[float]], deepest: int, memoryless: float, margin: float
) -> list[Criterion]:
    """The criteria of PROTOCOL 9 and 19. `skill` by column: `L1`, `L2`, ..., `aa`, `4x`, `narrow`, one per seed."""
    deeper = [name for name in skill if name.startswith("L") and name != "L1"]

    def gap(over: str, under: str) -> tuple[float, float]:
        differences = [a - b for a, b in zip(skill[over], skill[under], strict=True)]
        return fmean(differences), stdev(differences)

    found = []
    if kind == "depth":
        best = max(deeper, key=lambda name: fmean(skill[name]))
        reached, (over_one, _), (over_larger, _) = fmean(skill[best]), gap(best, "L1"), gap(best, "4x")
        found += [
            Criterion(f"tuned {best} reaches skill {REACHED}", f"{reached:.3f}", reached >= REACHED),
            Criterion(f"{best} over L1 by two margins", f"{over_one:+.3f}", over_one >= 2 * margin),
            Criterion(
                f"{best} over one layer with {LARGER} x the parameters by two margins",
                f"{over_larger:+.3f}",
                over_larger >= 2 * margin,
            ),
        ]
    elif kind == "width":
        for name in deeper:
            difference, _ = gap(name, "L1")
            needed = -2 * margin if name == f"L{deepest}" else margin
            found.append(
                Criterion(f"{name} minus L1 at most {needed:+.2f}", f"{difference:+.3f}", difference <= needed)
            )
    else:
        for name in [*deeper, "aa"]:
            difference, spread = gap(name, "L1")
            found += [
                Criterion(f"{name} minus L1 within a margin", f"{difference:+.4f}", abs(difference) < margin),
                Criterion(f"spread of {name} minus L1 at most half a margin", f"{spread:.4f}", spread <= margin / 2),
            ]
        lowest = min(fmean(skill[name]) for name in ["L1", *deeper])
        found.append(Criterion(f"every depth reaches {NULL_REACHED}", f"{lowest:.3f}", lowest >= NULL_REACHED))
    bound = 1 - INFORMATIVE_GAP
    found.append(Criterion(f"a memoryless model stays under skill {bound}", f"{memoryless:.3f}", memoryless <= bound))
    if kind != "null":
        narrow = fmean(skill["narrow"])
        found.append(Criterion(f"one layer of {NARROW} cells stays under {bound}", f"{narrow:.3f}", narrow <= bound))
    return found


def table(
    main: Group, kind: str, requests: Sequence[Request], results: Mapping[str, tuple[RunSpec, RunResult]]
) -> dict[str, Any]:
    """The table to commit: what was measured, on what, and which criteria are met."""
    by_arm = skills(requests, results)
    columns = {_column(main, arm): values for arm, values in by_arm.items()}
    rates, sizes = {}, {}
    for request in requests:
        if request.phase == "confirm":
            column = _column(main, request.arm)
            rates[column] = request.spec.hyperparameters.learning_rate
            sizes[column] = results[request.spec.key][1].parameters
    data_seeds = sorted({request.spec.seeds.data for request in requests if request.phase == "confirm"})
    memoryless = fmean(memoryless_skill(main.task, seed) for seed in data_seeds)
    criteria = judge(kind, columns, max(main.study.depths), memoryless, main.study.analysis.margin)
    return {
        "kind": kind,
        "qualified": all(criterion.met for criterion in criteria),
        "task": main.entry.task,
        "parameters": main.task.parameters(),
        "digest": registry.digest(main.entry.task),
        "budget": main.budget,
        "steps": main.steps,
        "depths": list(main.study.depths),
        "batch_size": main.study.training.batch_size,
        "margin": main.study.analysis.margin,
        "protocol": PROTOCOL_VERSION,
        "seeds": len(next(iter(columns.values()))),
        "criteria": [dataclasses.asdict(criterion) for criterion in criteria],
        "arms": [
            {
                "arm": column,
                "width": arm.width,
                "parameters": sizes[column],
                "learning_rate": rates[column],
                "skill_mean": fmean(values),
                "skill_spread": stdev(values),
                "skills": values,
            }
            for (arm, values), column in zip(by_arm.items(), columns, strict=True)
        ],
        "versions": environment.describe()["packages"],
        "commit": environment.git_state()[0],
    }


def _column(main: Group, arm: Arm) -> str:
    if arm.replica:
        return arm.replica
    if arm.budget == main.budget:
        return f"L{arm.depth}"
    return "narrow" if arm.width == NARROW else f"{LARGER}x"


def write(found: Mapping[str, Any], path: Path) -> None:
    """Write a table as JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, (json.dumps(found, indent=1) + "\n").encode())


def shipped_tables() -> list[dict[str, Any]]:
    """Every committed table."""
    return [json.loads(path.read_text()) for path in sorted((shipped.folder() / "qualified").glob("*.json"))]


def find(group: Group) -> tuple[dict[str, Any] | None, str]:
    """The committed table of a control and '', or None and why none fits (PROTOCOL 19)."""
    kind, parameters = group.entry.control, group.task.parameters()
    tables = [
        t for t in shipped_tables() if (t["kind"], t["task"], t["parameters"]) == (kind, group.entry.task, parameters)
    ]
    if not tables:
        return None, f"no table for {group.entry.task} with these parameters as a {kind} control"
    why = ""
    for found in tables:
        if found["digest"] != registry.digest(group.entry.task):
            why = "the task's source has changed since its table was made"
        elif found["protocol"] != PROTOCOL_VERSION:
            why = f"its table is of protocol {found['protocol']}"
        elif not near(found["budget"], group.budget):
            why = f"its table is for a budget of {found['budget']:,}, beyond a factor of {FACTOR}"
        elif group.steps < found["steps"]:
            why = f"its table is for {found['steps']:,} steps, this study takes {group.steps:,}"
        elif not found["qualified"]:
            why = "it was measured and does not qualify"
        else:
            return found, ""
    return None, why


def cite(group: Group) -> str:
    """`qualified (...)` with what the table measured, or just why it is not qualified."""
    found, why = find(group)
    if found is None:
        return why
    return f"qualified ({found['seeds']} development seeds, budget {found['budget']:,}, {found['steps']:,} steps)"


def citations(several: Sequence[Group]) -> dict[str, str]:
    """What to cite of every control by label; one that is not qualified at some budget is not qualified."""
    found: dict[str, str] = {}
    for group in several:
        said = cite(group) if group.entry.control else ""
        if said and found.get(group.entry.label, "qualified").startswith("qualified"):
            found[group.entry.label] = said
    return found
