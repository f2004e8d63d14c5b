"""From the rows of a study to its contrasts: measure each, adjust within the family, judge, and say it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmark.analysis import gates, power, sentences
from benchmark.analysis.blocks import block_differences
from benchmark.analysis.family import Declared
from benchmark.analysis.intervals import BCA_PAIRS, bca, block_bootstrap, student
from benchmark.analysis.looks import Looking
from benchmark.analysis.multiplicity import holm, pair_equivalence, pair_p
from benchmark.analysis.outcome import Contrast, Pair
from benchmark.analysis.reliability import success_p
from benchmark.analysis.signflip import equivalence, max_t
from benchmark.analysis.skill import score_kind
from benchmark.analysis.units import by_unit, folds
from benchmark.analysis.verdict import Case, Judgement, judge, rule


@dataclass
class Measured:
    """A contrast before its family is known: its pairs, still unjudged, and what the gates say."""

    declared: Declared
    rows: pd.DataFrame
    confirm: pd.DataFrame
    pairs: list[Pair]
    case: Case
    units: int
    replicates: str
    blocks_used: bool
    converged: bool

    @property
    def smallest_p(self) -> float:
        """Smallest max-T p over the pairs; 1 where the contrast cannot be decided for want of runs."""
        return 1.0 if self.case.incomplete else min((p.p for p in self.pairs if p.p is not None), default=1.0)

    @property
    def largest_p_equivalence(self) -> float:
        """Equivalence of a contrast needs every pair."""
        if self.case.incomplete or any(p.p_equivalence is None for p in self.pairs):
            return 1.0
        return max(p.p_equivalence for p in self.pairs if p.p_equivalence is not None)


def measure(
    declared: Declared, joined: pd.DataFrame, blocks: pd.DataFrame, study: Mapping[str, Any], at: Looking
) -> Measured:
    """Everything about one contrast that does not depend on the others."""
    margin = study["analysis"]["margin"]
    rows = declared.rows(joined)
    confirm = rows[(rows["phase"] == "confirm") & rows["score"].notna()]
    by_arm = {arm: rows[(rows["depth"] == arm[0]) & (rows["replica"] == arm[1])] for arm in declared.arms}
    missing = [gates.incomplete(mine, at.seeds, gates.name(*arm)) for arm, mine in by_arm.items()]
    incomplete = next(filter(None, missing), "")
    scores = _table(confirm, "score", declared.arms).dropna()
    fold = folds(confirm)
    units = by_unit(scores, fold).to_numpy()
    uninformative = untuned = ""
    unconverged: str | None = None
    if not incomplete:
        uninformative = gates.uninformative(
            scores, units, score_kind(confirm), declared.role, declared.control, at.look.alpha
        )
        searched = [gates.untuned(mine, margin, gates.name(*arm)) for arm, mine in by_arm.items()]
        untuned = next(filter(None, searched), "") if study.get("tuning") else ""
        unconverged = None if declared.role == "A/A" else gates.unconverged(rows, declared.others, margin)
    replicates = str(rows["replicates"].iloc[0]) if len(rows) else ""
    measured = _blocks(declared, confirm, blocks, replicates) if len(units) else None
    return Measured(
        declared=declared,
        rows=rows,
        confirm=confirm,
        pairs=_pairs(declared, confirm, units, fold, measured, at.look.alpha, margin),
        case=Case(
            purpose=study["purpose"],
            incomplete=incomplete,
            uninformative=uninformative,
            untuned=untuned,
            unconverged=unconverged or "",
        ),
        units=len(units),
        replicates=replicates,
        blocks_used=measured is not None,
        converged=unconverged == "",
    )


def decide(family: list[Measured], study: Mapping[str, Any], at: Looking) -> list[Contrast]:
    """Holm over one family, then the table of verdicts, contrast by contrast."""
    margin, alpha = study["analysis"]["margin"], at.look.alpha
    differing = holm([measured.smallest_p for measured in family])
    agreeing = holm([measured.largest_p_equivalence for measured in family])
    tests = sum(len(measured.pairs) for measured in family)
    diverging = iter(holm([pair.p_success for measured in family for pair in measured.pairs]))
    found = []
    for measured, p, p_equivalence in zip(family, differing, agreeing, strict=True):
        judged = [_judged(pair, p, p_equivalence, len(family), margin, alpha) for pair in measured.pairs]
        pairs = [dataclasses.replace(pair, p_success_adjusted=next(diverging)) for pair in judged]
        missing = _missing(measured, pairs, margin, (at.following or at.look).alpha, tests)
        case = dataclasses.replace(
            measured.case,
            pairs=[
                Judgement(
                    depth=pair.depth,
                    judged=pair.judged,
                    successes=pair.successes,
                    successes_one_layer=pair.successes_one_layer,
                )
                for pair in pairs
            ],
            more=sentences.more(missing, measured.replicates),
        )
        found.append(_contrast(measured, pairs, case, missing, margin, study))
    return found


def _table(rows: pd.DataFrame, column: str, arms: list[tuple[int, str]]) -> pd.DataFrame:
    """`(seeds, arms)`; an arm without runs is a column of NaN."""
    seeds, at = np.unique(rows["seed"].to_numpy(dtype=int), return_inverse=True)
    values, depths, replicas = (rows[name].to_numpy() for name in (column, "depth", "replica"))
    table = np.full((len(seeds), len(arms)), np.nan)
    for place, (depth, replica) in enumerate(arms):
        mine = np.flatnonzero((depths == depth) & (replicas == replica) & ~np.isnan(values.astype(float)))
        table[at[mine[::-1]], place] = values[mine[::-1]]  # of two, the first counts
    columns = pd.MultiIndex.from_tuples(arms)
    return pd.DataFrame(table, index=pd.Index(seeds, name="seed"), columns=columns, copy=False)


def _blocks(
    declared: Declared, confirm: pd.DataFrame, blocks: pd.DataFrame, replicates: str
) -> tuple[np.ndarray, np.ndarray] | None:
    if replicates not in ("folds", "groups"):
        return None
    return block_differences(confirm, blocks, declared.others, replicates == "folds")


def _pairs(
    declared: Declared,
    confirm: pd.DataFrame,
    units: np.ndarray,
    fold: pd.Series | None,
    blocks: tuple[np.ndarray, np.ndarray] | None,
    alpha: float,
    margin: float,
) -> list[Pair]:
    counted = [gates.successes(confirm, *arm) for arm in declared.arms]
    if not len(units):
        empty: dict[str, Any] = dict.fromkeys(
            ("difference", "low", "high", "p", "p_adjusted", "p_equivalence", "spread")
        )
        return [
            Pair(depth=depth, replica=replica, judged="open", successes=n, successes_one_layer=counted[0], **empty)
            for (depth, replica), n in zip(declared.others, counted[1:], strict=True)
        ]
    differences = units[:, 1:] - units[:, :1]
    flipped = max_t(differences, alpha)
    low, high, p = flipped.low, flipped.high, flipped.p
    p_equivalence = np.array([equivalence(column, margin) for column in differences.T])
    if len(units) >= BCA_PAIRS:
        low, high = bca(differences, alpha)
    if blocks is not None:  # the wider interval, the larger p (PROTOCOL 11)
        resampled = block_bootstrap(*blocks, alpha, margin)
        low, high = np.minimum(low, resampled.low), np.maximum(high, resampled.high)
        p, p_equivalence = np.maximum(p, resampled.p), np.maximum(p_equivalence, resampled.p_equivalence)
    second = by_unit(_table(confirm, "second_metric", declared.arms), fold).to_numpy()
    found = []
    for at, (depth, replica) in enumerate(declared.others):
        values = differences[:, at]
        interval = student(values, alpha)
        found.append(
            Pair(
                depth=depth,
                replica=replica,
                difference=float(values.mean()),
                low=_bounded(low[at]),
                high=_bounded(high[at]),
                p=float(p[at]),
                p_adjusted=None,
                p_equivalence=float(p_equivalence[at]),
                judged="open",
                spread=float(values.std(ddof=1)) if len(values) > 1 else None,
                differences=values.tolist(),
                successes=counted[at + 1],
                successes_one_layer=counted[0],
                p_success=success_p(confirm, (depth, replica)),
                t_low=interval[0] if interval else None,
                t_high=interval[1] if interval else None,
                second_metric_difference=_mean(second[:, at + 1] - second[:, 0]),
            )
        )
    return found


def _judged(pair: Pair, p: float, p_equivalence: float, contrasts: int, margin: float, alpha: float) -> Pair:
    if pair.difference is None or pair.p is None or pair.p_equivalence is None:
        return pair
    final, final_equivalence = pair_p(pair.p, p), pair_equivalence(pair.p_equivalence, p_equivalence, contrasts)
    judged = judge(
        difference=pair.difference,
        low=pair.low,
        high=pair.high,
        p_adjusted=final,
        p_equivalence_adjusted=final_equivalence,
        margin=margin,
        alpha=alpha,
    )
    return dataclasses.replace(pair, p_adjusted=final, p_equivalence_adjusted=final_equivalence, judged=judged)


def _missing(measured: Measured, pairs: list[Pair], margin: float, alpha: float, tests: int) -> int:
    """Units still needed by the open pair with the largest spread, whatever was observed (PROTOCOL 15)."""
    spreads = [pair.spread for pair in pairs if pair.judged == "open" and pair.spread is not None]
    spreads = spreads or [pair.spread for pair in pairs if pair.spread is not None] or [0.0]
    return power.more_seeds(max(spreads), measured.units, margin, alpha, tests)


def _contrast(
    measured: Measured, pairs: list[Pair], case: Case, missing: int, margin: float, study: Mapping[str, Any]
) -> Contrast:
    declared, confirm = measured.declared, measured.confirm
    ruling = rule(case)
    verdict, reason, depths = ruling.verdict, ruling.reason, ruling.depths
    if declared.role == "A/A" and verdict in ("deeper", "wider"):
        verdict, depths = "undecided", []
        reason = "two copies of depth 1 differ: the pipeline, not the network, makes a difference"
    first = measured.rows.iloc[0] if len(measured.rows) else None
    scale = _mean(confirm["scale"].to_numpy(dtype=float))
    contrast = Contrast(
        task=declared.task,
        family=str(first["family"]) if first is not None else "",
        role=declared.role,
        budget=declared.budget,
        match=declared.match,
        variant=declared.variant,
        verdict=verdict,
        depths=depths,
        reason=reason,
        sentence="",
        seeds=measured.units,
        replicates=measured.replicates,
        more_seeds=missing if reason == case.more and measured.replicates == "seeds" else None,
        pairs=pairs,
        metric=str(first["metric"]) if first is not None else "",
        unit=str(first["unit"]) if first is not None else "",
        score=score_kind(confirm),
        margin=margin,
        margin_in_unit=None if scale is None else margin * scale,
        steps=int(declared.steps or (measured.rows["steps"].max() if first is not None else 0)),
        baselines=_baselines(confirm),
        second_metric_name=str(first["second_metric_name"]) if first is not None else "",
        flips_on_second_metric=any(_flips(pair) for pair in pairs if pair.depth in depths),
        source=str(first["task_source"]) if first is not None else "",
        parameters=json.loads(first["task_parameters"] or "{}") if first is not None else {},
    )
    sizes = sorted(int(size) for size in measured.rows.groupby("arm")["parameters"].max())
    sentence = sentences.contrast(contrast, study["purpose"], sizes, measured.converged)
    return dataclasses.replace(contrast, sentence=sentence)


def _flips(pair: Pair) -> bool:
    """The second metric, lower better as the first, points the other way."""
    second = pair.second_metric_difference
    if second is None:
        return False
    return second > 0 if pair.judged == "better" else second < 0


def _baselines(confirm: pd.DataFrame) -> dict[str, float]:
    """Strong baselines on the scale of the contrast's score, averaged over its runs."""
    scores: dict[str, list[float]] = {}
    known = confirm["scale"].notna() & ~confirm["baselines"].isin(["", "{}"])
    for row in confirm.loc[known, ["baselines", "trivial_loss", "scale"]].itertuples():
        for baseline, loss in json.loads(row.baselines or "{}").items():
            scores.setdefault(baseline, []).append((row.trivial_loss - loss) / row.scale)
    means = {baseline: float(np.mean(found)) for baseline, found in sorted(scores.items())}
    return {baseline: mean for baseline, mean in means.items() if np.isfinite(mean)}


def _bounded(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _mean(values: np.ndarray) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else None
