"""Evidence in, findings out: the one entry of the analysis."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from benchmark.analysis import across, fairness, gates, mixed, power
from benchmark.analysis import controls as instrument
from benchmark.analysis.advice import FAMILY, advise
from benchmark.analysis.arms import arms
from benchmark.analysis.claims.ledger import ledger
from benchmark.analysis.contrasts import Measured
from benchmark.analysis.decisions import decisions
from benchmark.analysis.effort import effort
from benchmark.analysis.equal_cost import equal_costs
from benchmark.analysis.exchange import rates
from benchmark.analysis.family import Declared
from benchmark.analysis.findings import Advice, Arm, Check, Control, Findings
from benchmark.analysis.intervals import BCA_PAIRS
from benchmark.analysis.kinds import Role
from benchmark.analysis.looks import Looking
from benchmark.analysis.outcome import Contrast
from benchmark.analysis.scores import scores
from benchmark.analysis.sensitivity import sensitivities
from benchmark.analysis.third_layer import beyond_two
from benchmark.analysis.timescales import timescales
from benchmark.analysis.trainability import trainability
from benchmark.evidence import Evidence
from benchmark.spec import PROTOCOL_VERSION


def analyse(evidence: Evidence) -> Findings:
    """The whole answer of a study, from its evidence alone: the same tables in any order give the same findings.

    Raises UserError where a task's reference losses leave nothing to be better than, or the tables do not fit.
    """
    study, made = evidence.study, decisions(evidence)
    at, rows, measured, contrasts = made.at, made.rows, made.measured, made.contrasts
    matrices, purpose = scores(measured, study), study["purpose"]
    roles = {task["label"]: _role(task["label"], made.declared) for task in study["tasks"]}
    found_arms = arms(rows, evidence.curves, roles, at.seeds, study["analysis"]["margin"])
    controls = instrument.controls(contrasts, study)
    asked = {contrast.budget for contrast in contrasts if contrast.role in ("natural", "dial")}
    controls_line = instrument.line(controls, purpose, study.get("state", {}).get("instrument"), asked)
    advice = _advice(measured, contrasts, found_arms, at)
    checks = fairness.checks(made.declared, evidence)
    exploratory = "; ".join(filter(None, [study.get("state", {}).get("exploratory", ""), at.undeclared]))
    found = Findings(
        study=study["name"],
        purpose=study["purpose"],
        protocol=PROTOCOL_VERSION,
        headline=_headline(contrasts, checks, controls, controls_line, advice, study, exploratory),
        controls_line=controls_line,
        look=at.look,
        looks=at.declared,
        next_look=at.following,
        exploratory=exploratory,
        controls=controls,
        contrasts=list(contrasts),
        arms=found_arms,
        failures=_failures(rows),
        notes=_notes(measured, contrasts, controls, found_arms, rows, study, at),
        trainings=evidence.runs["key"].nunique(),
        advice=advice,
        pooled=across.pooled(matrices, purpose),
        interaction=mixed.mixed(matrices, purpose),
        exchange=rates(matrices, purpose),
        equal_costs=equal_costs(matrices, purpose),
        checks=checks,
        sensitivity=sensitivities(made, evidence),
        trainability=trainability(made, evidence),
        effort=effort(measured, contrasts, purpose),
        timescales=timescales(evidence),
        beyond_two=beyond_two(measured, evidence.blocks, study, at.look.alpha),
        known_depths={one.task: one.known_depth for one in matrices if one.known_depth is not None},
        seconds=math.fsum(evidence.runs["seconds"].dropna().astype(float)),
    )
    return dataclasses.replace(found, claims=ledger([found]))


def _advice(
    measured: Sequence[Measured], contrasts: Sequence[Contrast], found_arms: Sequence[Arm], at: Looking
) -> list[Advice]:
    found = []
    for one, contrast in zip(measured, contrasts, strict=True):
        if contrast.family == FAMILY and contrast.role == "natural":
            place = (contrast.task, contrast.budget, contrast.match, contrast.variant)
            arms = [arm for arm in found_arms if (arm.task, arm.budget, arm.match, arm.variant) == place]
            found.append(advise(contrast, arms, one.confirm, at.look.alpha))
    return [one for one in found if one is not None]


def _role(task: str, contrasts: Sequence[Declared]) -> Role:
    return next((one.role for one in contrasts if one.task == task and one.role != "A/A"), "dial")


def _headline(
    contrasts: Sequence[Contrast],
    checks: Sequence[Check],
    controls: Sequence[Control],
    said: str,
    advice: Sequence[Advice],
    study: Mapping[str, Any],
    exploratory: str,
) -> str:
    purpose = study["purpose"]
    if purpose == "smoke":
        return "No claim: a smoke study only tests the machinery."
    if unfair := fairness.unfair(checks):
        return f"{unfair[0].upper()}{unfair[1:]}. The answer is withheld."
    if any(not instrument.sound(control, purpose) for control in controls):
        return f"{said[0].upper()}{said[1:]}. The answer is withheld."
    answers = [c for c in contrasts if c.role == "natural"] or [c for c in contrasts if c.role == "dial"]
    parts = [f"Exploratory: {exploratory}."] if exploratory else []
    if said.startswith("instrument not checked"):
        parts.append(f"{said[0].upper()}{said[1:]}.")
    parts += [f"{words}." for one in advice for words in one.words]
    parts += [f"{contrast.sentence}." for contrast in answers] or [f"{said[0].upper()}{said[1:]}."]
    return " ".join(dict.fromkeys(parts))


def _failures(rows: pd.DataFrame) -> list[dict[str, Any]]:
    failed = rows[rows["status"] == "failed"].drop_duplicates(["key", "arm"]).sort_values(["key", "arm"])
    return [
        {"key": row.key, "arm": row.arm, "status": row.status, "error": (row.error.strip().splitlines() or [""])[-1]}
        for row in failed.itertuples()
    ]


def _notes(
    measured: Sequence[Measured],
    contrasts: Sequence[Contrast],
    controls: Sequence[Control],
    found_arms: Sequence[Arm],
    rows: pd.DataFrame,
    study: Mapping[str, Any],
    at: Looking,
) -> list[str]:
    """Limits that a reader must know, one sentence each."""
    notes = []
    if study["purpose"] == "screen":
        rates = max((len(arm.tuning) for arm in found_arms if not arm.replica), default=0)
        grid = f"coarse grid of {rates} learning rates" if rates else "no tuning to read"
        unchecked = "" if study["confirmation"].get("doubled") else ", no check with twice the steps"
        notes.append(f"A screen: {grid}{unchecked}; it supports no claim.")
    if len(at.declared) > 1:
        notes.append(
            f"Looks are declared at {', '.join(str(look.seeds) for look in at.declared)} seeds; each may spend "
            f"{at.declared[0].alpha:g} of the error of {study['analysis']['alpha']:g}."
        )
    for family in ("primary", "controls"):
        mine = [one for one in measured if one.declared.family == family]
        needed = power.required_units(len(mine), at.look.alpha) if mine else 0
        if short := [one for one in mine if 0 < one.units < needed]:
            fewest = min(one.units for one in short)
            notes.append(f"{fewest} pairs cannot reach significance among {len(mine)} contrasts: {needed} are needed.")
    for one in measured:
        if one.replicates in ("folds", "groups"):
            unit = "folds" if one.replicates == "folds" else "seeds"
            how = (
                "and a bootstrap over test blocks (the wider interval, the larger p)"
                if one.blocks_used
                else ("alone: it has no test blocks to resample, so its interval may be too narrow")
            )
            notes.append(f"{one.declared.task} is fixed data: judged by sign flips of {one.units} {unit} {how}.")
        if one.units >= BCA_PAIRS:
            notes.append(f"{one.declared.task}: {one.units} pairs, so intervals are BCa; p is by sign flips.")
    relative = sorted({c.task for c in contrasts if c.score == "relative reduction"})
    if relative:
        notes.append(f"{', '.join(relative)}: no best possible score is known, so scores are relative reductions.")
    notes += [
        f"{c.task}: the second metric ({c.second_metric_name}) points the other way."
        for c in contrasts
        if c.flips_on_second_metric
    ]
    notes += [
        f"The {c.kind} control {c.task} is not qualified at this size: {c.qualification}."
        for c in controls
        if not instrument.qualified(c)
    ]
    notes += _mismatches(rows, study["analysis"]["margin"])
    diverged = rows[(rows["phase"] == "confirm") & (rows["status"] == "diverged")]["key"].nunique()
    if diverged:
        notes.append(f"{diverged} confirmed trainings diverged; each is scored as the worst of its task, at most 0.")
        notes += _less_often(contrasts, at.look.alpha)
    return list(dict.fromkeys(notes))


def _less_often(contrasts: Sequence[Contrast], alpha: float) -> list[str]:
    """Depths that come to their end less often, or more often, than one layer does (the other primary outcome)."""
    found = [(one, pair) for one in contrasts for pair in one.pairs if pair.p_success_adjusted < alpha]
    return [
        f"{one.task}: depth {pair.depth} comes to its end on {pair.successes} seeds and depth 1 on "
        f"{pair.successes_one_layer}: a difference in reliability (McNemar's exact test, adjusted "
        f"p = {pair.p_success_adjusted:.3g})."
        for one, pair in found
    ]


def _mismatches(rows: pd.DataFrame, margin: float) -> list[str]:
    """Arms confirmed at another setting than their own tuning rows choose."""
    notes = []
    for arm, mine in rows.groupby("arm", sort=True):
        confirm = mine[mine["phase"] == "confirm"]
        choice = gates.chosen(mine, margin)
        if choice is not None and len(confirm) and set(confirm["point"]) != {choice.point}:
            notes.append(f"{arm} was confirmed at another setting than its tuning trainings choose.")
    return notes
