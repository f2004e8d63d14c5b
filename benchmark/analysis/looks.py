"""Looks at the seeds of a study: which one this is, the error it may spend, and the one that comes next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmark.analysis.outcome import Look


def spend(alpha: float, looks: int) -> float:
    """The error that each declared look may spend: an equal share of `alpha`.

    By the union bound the shares add up to `alpha` whatever the dependence between looks, and theirs on earlier
    seeds. O'Brien-Fleming or Pocock boundaries would give a little more power, but they lean on a joint normal law of
    the looks that 10 sign-flipped, possibly diverged pairs do not have.
    """
    return alpha / looks


@dataclass(frozen=True)
class Looking:
    """Where a study stands: the seeds of this look run from `first` up to, not including, `look.seeds`."""

    look: Look
    declared: list[Look]
    following: Look | None
    first: int = 0
    undeclared: str = ""
    """'' or what a reader must know of a look that the study did not declare."""

    @property
    def seeds(self) -> range:
        """Confirmation seeds that this look reads; seeds beyond it are not looked at."""
        return range(self.first, self.look.seeds)


def looking(study: Mapping[str, Any]) -> Looking:
    """The present look of a resolved study.

    More seeds than any declared look are new seeds after a verdict: they are analysed alone, at the whole error
    (PROTOCOL 15). Fewer than the first declared look spend that look's share.
    """
    alpha = study["analysis"]["alpha"]
    numbers = sorted(set(study["confirmation"].get("looks") or [study["confirmation"]["seeds"]]))
    share = spend(alpha, len(numbers))
    declared = [Look(seeds=number, alpha=share) for number in numbers]
    present = int(study.get("state", {}).get("look") or numbers[0])
    following = next((look for look in declared if look.seeds > present), None)
    if present in numbers:
        return Looking(Look(seeds=present, alpha=share), declared, following)
    said = f"a look at {present} seeds was not declared (declared: {', '.join(map(str, numbers))})"
    earlier = max((number for number in numbers if number < present), default=0)
    if not earlier:
        return Looking(Look(seeds=present, alpha=share), declared, following, undeclared=said)
    alone = f"{said}: seeds {earlier} to {present - 1} are analysed alone, and do not add to the earlier verdict"
    return Looking(Look(seeds=present, alpha=alpha), declared, following, first=earlier, undeclared=alone)
