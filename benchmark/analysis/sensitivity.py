"""Would the answer change? Every primary verdict judged anew, under one variation at a time.

- On the task's second metric: no margin exists in its unit, so only direction and adjusted p are told.
- Without the seed (or fold) that speaks most for it: does one replicate carry the verdict?
- Against one layer that was tuned with as many points as all deeper depths together, where a study trained it.

`measure` and `decide` judge the variations as they judge the study; the other contrasts of the family stand as they
were. No variation changes a verdict of the study.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from benchmark.analysis import contrasts, sentences
from benchmark.analysis.contrasts import Measured, measure
from benchmark.analysis.decisions import Decisions
from benchmark.analysis.family import PLACE
from benchmark.analysis.findings import Sensitivity, Variation
from benchmark.analysis.looks import Looking
from benchmark.analysis.multiplicity import holm, pair_p
from benchmark.analysis.outcome import Contrast, Pair
from benchmark.analysis.replicas import TUNED
from benchmark.analysis.signflip import EXACT_UNITS, equivalence, max_t
from benchmark.analysis.skill import SUCCESS
from benchmark.analysis.units import by_unit, folds
from benchmark.analysis.verdict import Judgement, rule
from benchmark.evidence import Evidence


def sensitivities(made: Decisions, evidence: Evidence) -> list[Sensitivity]:
    """The variations of every primary contrast, in the order of the contrasts; none of a smoke study.

    A variation that a contrast does not have is left out: no second metric, no verdict that a seed could carry, no
    arm of one layer that was tuned more.
    """
    if evidence.study["purpose"] == "smoke":
        return []
    family = _Family.of(made, evidence)
    second = _second_metrics(family)
    found: list[Sensitivity | None] = []
    for place in range(len(family.measured)):
        found += [second[place], _best_unit_dropped(family, place), _one_layer_tuned_more(family, place)]
    return [one for one in found if one is not None]


@dataclass(frozen=True, eq=False)
class _Family:
    """The primary contrasts, and what is needed to judge one of them anew."""

    measured: list[Measured]
    contrasts: list[Contrast]
    rows: pd.DataFrame
    evidence: Evidence
    at: Looking

    @classmethod
    def of(cls, made: Decisions, evidence: Evidence) -> _Family:
        both = zip(made.measured, made.contrasts, strict=True)
        primary = [(one, contrast) for one, contrast in both if one.declared.family == "primary"]
        return cls([one for one, _ in primary], [contrast for _, contrast in primary], made.rows, evidence, made.at)

    @property
    def alpha(self) -> float:
        return self.at.look.alpha

    def again(self, place: int, rows: pd.DataFrame, at: Looking) -> tuple[Contrast, Measured]:
        """One contrast from other `rows`. The check with twice the steps is not varied, and holds as it did."""
        before, study = self.measured[place], self.evidence.study
        varied = measure(before.declared, rows, self.evidence.blocks, study, at)
        varied.case = dataclasses.replace(varied.case, unconverged=before.case.unconverged)
        return self._judged(place, varied), varied

    def _judged(self, place: int, varied: Measured) -> Contrast:
        """What `contrasts.decide` would make of one contrast among the others as they are, without deciding those."""
        contrast, margin, family = self.contrasts[place], self.evidence.study["analysis"]["margin"], len(self.measured)
        differing, agreeing = ([*values] for values in self.p)
        differing[place], agreeing[place] = varied.smallest_p, varied.largest_p_equivalence
        p, p_equivalence = holm(differing)[place], holm(agreeing)[place]
        pairs = [contrasts._judged(pair, p, p_equivalence, family, margin, self.alpha) for pair in varied.pairs]
        told = [
            Judgement(
                depth=pair.depth,
                judged=pair.judged,
                successes=pair.successes,
                successes_one_layer=pair.successes_one_layer,
            )
            for pair in pairs
        ]
        found = rule(dataclasses.replace(varied.case, pairs=told))
        return dataclasses.replace(
            contrast, pairs=pairs, verdict=found.verdict, depths=found.depths, reason=found.reason
        )

    @cached_property
    def p(self) -> tuple[list[float], list[float]]:
        """Of every contrast of the family what Holm adjusts: its smallest p, and its largest p of equivalence."""
        return [one.smallest_p for one in self.measured], [one.largest_p_equivalence for one in self.measured]

    def told(self, place: int, kind: Variation, stands: bool | None, verdict: str, words: str) -> Sensitivity:
        one = self.contrasts[place]
        return Sensitivity(
            task=one.task,
            budget=one.budget,
            match=one.match,
            variant=one.variant,
            kind=kind,
            stands=stands,
            verdict=verdict,
            words=words,
        )


def _stands(before: Contrast, after: Contrast) -> bool:
    """The same verdict, of at least the same depths."""
    return after.verdict == before.verdict and set(before.depths) <= set(after.depths)


def _verdict(after: Contrast, varied: Measured) -> str:
    """The verdict in words. What an open one would need is the study's to ask: here each depth's part is told."""
    case = varied.case
    gated = case.incomplete or case.uninformative or case.untuned or case.unconverged
    if after.verdict != "undecided" or gated or not any(pair.judged == "open" for pair in after.pairs):
        return sentences.verdict(after)
    return "undecided: " + ", ".join(f"depth {pair.depth} {pair.judged}" for pair in after.pairs)


def _named(contrast: Contrast) -> list[Pair]:
    """The pairs that a verdict rests on: those it names, or all."""
    return [pair for pair in contrast.pairs if not contrast.depths or pair.depth in contrast.depths]


# --- the second metric -----------------------------------------------------------------------------------------------


def _second_metrics(family: _Family) -> list[Sensitivity | None]:
    """Max-T inside a contrast, Holm over the contrasts that have a second metric; lower is better."""
    differences = {place: table for place in range(len(family.measured)) if len(table := _second(family, place))}
    own = {place: max_t(table, family.alpha).p for place, table in differences.items()}
    adjusted = dict(zip(own, holm([float(p.min()) for p in own.values()]), strict=True))
    found: list[Sensitivity | None] = [None] * len(family.measured)
    for place, table in differences.items():
        final = [pair_p(float(p), adjusted[place]) for p in own[place]]
        found[place] = _on_second_metric(family, place, -table.mean(axis=0), final)
    return found


def _second(family: _Family, place: int) -> np.ndarray:
    """`(units, pairs)` of the second metric, deeper minus depth 1; empty where it was not measured.

    A training that diverged has none, and is taken to be as bad as the worst completed one of its task and budget: a
    seed on which a depth fails may not be left out (PROTOCOL 8).
    """
    one, contrast = family.measured[place], family.contrasts[place]
    if one.case.incomplete or not contrast.second_metric_name:
        return np.empty((0, len(one.pairs)))
    rows = family.rows
    same = (rows["task"] == contrast.task) & (rows["budget"] == contrast.budget) & (rows["phase"] == "confirm")
    worst = rows.loc[same & (rows["status"] == SUCCESS), "second_metric"].max()
    confirm = one.confirm.drop_duplicates(["seed", "depth"])
    value = confirm["second_metric"].where(confirm["status"] == SUCCESS, worst)
    table = confirm.assign(value=value).pivot(index="seed", columns="depth", values="value").astype(float).dropna()
    units = by_unit(table, folds(one.confirm))
    return units[[pair.depth for pair in one.pairs]].to_numpy() - units[[1]].to_numpy()


def _on_second_metric(family: _Family, place: int, gains: np.ndarray, p: Sequence[float]) -> Sensitivity:
    """`gains` and adjusted `p` of every pair; a gain is a lower second metric than depth 1's."""
    contrast = family.contrasts[place]
    wanted = {"deeper": 1.0, "wider": -1.0}.get(contrast.verdict)
    ways: dict[int, str] = {}
    said = []
    for pair, gain, final in zip(contrast.pairs, gains, p, strict=True):
        if wanted is not None and pair.depth not in contrast.depths:
            continue
        if final > family.alpha:
            ways[pair.depth], verb = "not separable", "is not separable from depth 1"
        elif wanted is None:
            ways[pair.depth] = "better" if gain > 0 else "worse"
            verb = f"is {ways[pair.depth]} than depth 1"
        else:
            ways[pair.depth] = "the same way" if wanted * gain > 0 else "the other way"
            verb = f"goes {ways[pair.depth]}"
        said.append(f"depth {pair.depth} {verb} ({_p(final)})")
    found = set(ways.values())
    words = f"on {contrast.second_metric_name}, {', '.join(said)}"
    if wanted is None:
        if contrast.verdict == "no practical difference":
            words += "; no margin exists in its unit, so this neither supports nor contradicts the verdict"
        told = [f"depth {depth} {way}" for depth, way in ways.items() if way != "not separable"]
        return family.told(place, "second metric", None, ", ".join(told) or "not separable", words)
    verdict = next(way for way in ("the other way", "not separable", "the same way") if way in found)
    stands = {"the other way": False, "not separable": None, "the same way": True}[verdict]
    return family.told(place, "second metric", stands, verdict, words)


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p {value:.3f}"


# --- without the replicate that speaks most for the verdict ----------------------------------------------------------


def _best_unit_dropped(family: _Family, place: int) -> Sensitivity | None:
    """For each pair that the verdict rests on, the whole contrast anew without the unit that speaks most for it."""
    kind: Variation = "best seed dropped"
    before, contrast = family.measured[place], family.contrasts[place]
    if contrast.verdict not in ("deeper", "wider", "no practical difference"):
        return None
    members = _members(before, family.at)
    unit = "fold" if before.replicates == "folds" else "seed"
    if not _reachable(family, place, len(members) - 1):
        words = f"{len(members) - 1} {unit}s could not reach significance, so none of the {len(members)} can be spared"
        return family.told(place, kind, None, "not known", words)
    dropped: dict[int, list[int]] = {}
    for pair in _named(contrast):
        dropped.setdefault(_speaks_most(pair, contrast), []).append(pair.depth)
    names = list(members)
    fallen, said = [], []
    for at, depths in dropped.items():
        rows, looking = _without(before.rows, members[names[at]], family.at)
        after, varied = family.again(place, rows, looking)
        several = f"depth{'s' * (len(depths) > 1)} {' and '.join(map(str, depths))}"
        said.append(f"{unit} {names[at]}" + (f" (it speaks most for {several})" if len(contrast.pairs) > 1 else ""))
        if not _stands(contrast, after):
            fallen.append((said[-1], _verdict(after, varied)))
    if not fallen:
        words = f"the verdict stands without {' and without '.join(said)}"
        return family.told(place, kind, True, sentences.verdict(contrast), words)
    words = "; ".join(f"without {which} it becomes {verdict}" for which, verdict in fallen)
    return family.told(place, kind, False, fallen[0][1], words)


def _members(measured: Measured, at: Looking) -> dict[int, list[int]]:
    """Unit of sign flips -> its confirmed seeds, in the order of `Pair.differences`."""
    fold = folds(measured.confirm)
    if fold is None:
        return {seed: [seed] for seed in at.seeds}
    return {int(unit): [int(seed) for seed in seeds] for unit, seeds in fold.groupby(fold, sort=True).groups.items()}


def _speaks_most(pair: Pair, contrast: Contrast) -> int:
    """Place of the unit whose loss hurts the pair's part of the verdict most.

    Of a difference: the unit that is largest in its direction. Of equivalence: the one without which the p of the two
    one-sided tests is largest, and of equals the one nearest to no difference. Where flips are drawn and not counted
    out, standard errors stand in for that p: turning all flips once for every unit would take minutes.
    """
    values = np.array(pair.differences)
    if contrast.verdict == "deeper":
        return int(np.argmax(values))
    if contrast.verdict == "wider":
        return int(np.argmin(values))
    if len(values) <= EXACT_UNITS:
        inside = np.array([-equivalence(np.delete(values, at), contrast.margin) for at in range(len(values))])
    else:
        inside = _inside(values, contrast.margin)
    return min(range(len(values)), key=lambda at: (inside[at], abs(values[at]), at))


def _inside(values: np.ndarray, margin: float) -> np.ndarray:
    """Without each unit in turn, how many standard errors the mean lies inside +- `margin`; `(units,)`."""
    rest = len(values) - 1
    means = (values.sum() - values) / rest
    squares = ((values - values.mean()) ** 2).sum() - (values - values.mean()) ** 2 * (rest + 1) / rest
    errors = np.sqrt(np.maximum(squares, 0.0) / max(1, rest - 1) / rest)
    return (margin - np.abs(means)) / np.where(errors > 0, errors, np.finfo(float).tiny)


def _reachable(family: _Family, place: int, units: int) -> bool:
    """Whether the smallest p that so many units can give would pass Holm beside the other contrasts as they are."""
    if units < 1:
        return False
    if family.contrasts[place].verdict == "no practical difference":
        p = [*family.p[1]]
        p[place] = 0.5**units
    else:
        p = [*family.p[0]]
        p[place] = 0.5 ** (units - 1)
    return holm(p)[place] <= family.alpha


def _without(rows: pd.DataFrame, seeds: Sequence[int], at: Looking) -> tuple[pd.DataFrame, Looking]:
    """The rows of a contrast without some confirmed seeds, the rest numbered anew, and a look at so many."""
    kept = rows[(rows["phase"] != "converge") & ~((rows["phase"] == "confirm") & rows["seed"].isin(seeds))].copy()
    left = [seed for seed in at.seeds if seed not in seeds]
    confirm = kept["phase"] == "confirm"
    kept.loc[confirm, "seed"] = kept.loc[confirm, "seed"].map({seed: at.first + new for new, seed in enumerate(left)})
    return kept, dataclasses.replace(at, look=dataclasses.replace(at.look, seeds=at.first + len(left)))


# --- one layer tuned with as many points as all deeper depths together -----------------------------------------------


def _one_layer_tuned_more(family: _Family, place: int) -> Sensitivity | None:
    """The deeper depths against depth 1 that was tuned more, in the place of depth 1."""
    kind: Variation = "one layer tuned more"
    before, contrast = family.measured[place], family.contrasts[place]
    declared, rows = before.declared, family.rows
    mine = rows["replica"] == TUNED
    for column, value in zip(PLACE, declared.place, strict=True):
        mine &= rows[column] == value
    tuned = rows[mine]
    asked = (family.evidence.study.get("sensitivity") or {}).get("one_layer_trials", False)
    asked = asked and declared.match == "parameters" and len(declared.others) > 1
    if not len(tuned) and not asked:
        return None
    deeper = before.rows[before.rows["depth"] > 1]
    after, varied = family.again(place, pd.concat([tuned.assign(replica=""), deeper]), family.at)
    one = before.rows[before.rows["depth"] == 1]
    opening = f"with one layer tuned at {_points(tuned)} points, and every depth at {_points(one)}"
    verdict, interval = _verdict(after, varied), sentences.interval(after)
    stands: bool | None
    if contrast.verdict == after.verdict == "undecided":
        stands, said = None, f"it is undecided as before ({interval})"
    elif unknown := varied.case.incomplete or varied.case.untuned:
        stands, said = None, f"it is not known: of that layer, {unknown}"
    elif _confirmed(tuned) == _confirmed(one):
        stands, said = True, "the verdict stands: it chose the same setting"
    elif _stands(contrast, after):
        stands, said = True, f"the verdict stands ({interval})"
    else:
        stands, said = False, f"the verdict becomes {verdict} ({interval})"
    return family.told(place, kind, stands, verdict, f"{opening}, {said}")


def _points(rows: pd.DataFrame) -> int:
    """Tuning points that an arm was asked."""
    return int(rows.loc[rows["phase"] == "tune", "point"].nunique())


def _confirmed(rows: pd.DataFrame) -> set[Any]:
    """Keys of an arm's confirmed trainings."""
    return set(rows.loc[rows["phase"] == "confirm", "key"])
