"""What halving would have saved and changed: `python -m tests.halving results/published/NAME --rungs 0.25`.

A published study trained every tuning point to its end, so its curves say who would have stopped at a rung. The study
is conducted again over its own results, with rungs: nothing is trained. Where a point comes to be tried again that was
not, its tuning training stands for the second tries. Skill is that of validation, over the second tries.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean

from rich.console import Console

from benchmark import evidence
from benchmark.conduct import conduct, score
from benchmark.plan import Arm, Group, groups
from benchmark.rows import results
from benchmark.spec import RunResult
from benchmark.study import Study
from benchmark.terminal import plain_table, print_plain


@dataclass
class Found:
    """Of one study: what its arms would have been."""

    study: str
    arms: int = 0
    steps: int = 0
    """Optimiser steps of all its trainings."""
    saved: int = 0
    other: dict[int, list[float]] = field(default_factory=dict)
    """Depth -> of every arm that would have got another setting, what that changes in skill."""
    of_depth: Counter[int] = field(default_factory=Counter)

    @property
    def changes(self) -> list[float]:
        """Over all depths."""
        return [change for several in self.other.values() for change in several]


def replayed(folder: Path, rungs: Sequence[float]) -> Found:
    """Conduct a published study with and without rungs over its own results. Raises KeyError where its keys are not
    those of today's sources.
    """
    tables = evidence.read(folder)
    known = {row["key"]: result for row, result in results(tables)}
    record = {name: value for name, value in tables.study.items() if name != "state"}
    study = Study.from_dict(record)
    halved = Study.from_dict(record | {"tuning": dict(record["tuning"]) | {"rungs": list(rungs)}})
    found = Found(folder.name, steps=sum(result.steps for result in known.values()))
    for group in groups(study):
        before, scores, _ = chosen(group, known)
        after, _, stopped = chosen(replace(group, study=halved), known)
        found.saved += sum(known[key].steps - rung for key, rung in stopped.items())
        for arm, point in before.items():
            found.arms += 1
            found.of_depth[arm.depth] += 1
            if after[arm] != point:
                own = scores[arm]
                found.other.setdefault(arm.depth, []).append(fmean(own[after[arm]]) - fmean(own[point]))
    return found


def chosen(
    group: Group, known: Mapping[str, RunResult]
) -> tuple[dict[Arm, int], dict[Arm, dict[int, list[float]]], dict[str, int]]:
    """Point of each arm, scores of the points by arm, and the rung of every training that stops."""
    asks = conduct(group, group.study.confirmation.seeds)
    batch, rungs, stopped = next(asks), dict[str, int](), dict[str, int]()
    scores: dict[Arm, dict[int, list[tuple[bool, float]]]] = {}
    tuned: dict[tuple[Arm, int], RunResult] = {}
    while batch[0].phase != "confirm":
        answers = {}
        for request in batch:
            key, place = request.spec.key, (request.arm, request.point)
            if request.rung:
                rungs[key] = request.rung
            if request.after_rung == "stops":
                stopped[key] = rungs[key]
            if request.phase == "tune":
                tuned[place] = known[key]
            answers[key] = known.get(key, tuned[place])
            again = request.phase == "rerank"
            scores.setdefault(request.arm, {}).setdefault(request.point, []).append(
                (again, score(request, answers[key]))
            )
        batch = asks.send(answers)
    return {one.arm: one.point for one in batch}, {arm: _best_known(own) for arm, own in scores.items()}, stopped


def _best_known(own: Mapping[int, list[tuple[bool, float]]]) -> dict[int, list[float]]:
    """Scores of the second tries, of the tuning training where there were none."""
    found = {}
    for point, several in own.items():
        again = [value for second, value in several if second]
        found[point] = again or [value for _, value in several]
    return found


def main() -> None:
    """A row a study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", type=Path, nargs="+")
    parser.add_argument("--rungs", type=float, nargs="+", default=[0.25])
    asked = parser.parse_args()
    table = plain_table("study", "arms", "steps saved", "other setting", "by depth", "change in skill, each")
    for folder in asked.studies:
        found = replayed(folder, asked.rungs)
        counts = [(depth, len(found.other.get(depth, [])), arms) for depth, arms in sorted(found.of_depth.items())]
        depths = [f"{depth}: {others} of {arms}" for depth, others, arms in counts]
        changes = ", ".join(f"{change:+.4f}" for change in sorted(found.changes))
        saved = f"{found.saved / found.steps:.1%}"
        table.add_row(
            found.study, str(found.arms), saved, str(len(found.changes)), ", ".join(depths), changes or "none"
        )
    print_plain(table, Console(highlight=False, width=160))


if __name__ == "__main__":
    main()
