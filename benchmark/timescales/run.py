"""The verb `strata timescales`: train confirmed networks once more, measure their layers, add that to the evidence."""

from __future__ import annotations

import copy
import dataclasses
import math
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from rich.console import Console

from benchmark.analysis.analyse import analyse
from benchmark.analysis.findings import Findings
from benchmark.behind import behind
from benchmark.errors import UserError
from benchmark.evidence import OPTIONAL, Evidence, frame, parquet, read, replace_file
from benchmark.executors.worker import settle_torch
from benchmark.export.export import TOLERANCE
from benchmark.journal import Journal, study_lock
from benchmark.lstm import StackedLSTM, build
from benchmark.report.build import build as build_report
from benchmark.sizing import network_shape
from benchmark.spec import RunResult, RunSpec
from benchmark.splits import Splits, to_tensors
from benchmark.timescales.ablate import ablate
from benchmark.timescales.perturb import choose, perturb
from benchmark.timescales.tables import Rows, ablations, traces
from benchmark.training import train_again
from tasks import registry
from tasks.task import Task


@dataclass(frozen=True, eq=False)
class Chosen:
    """One confirmed training to be measured."""

    task: str
    spec: RunSpec
    result: RunResult

    def __str__(self) -> str:
        layers = f"{self.spec.depth} layer{'s' * (self.spec.depth > 1)} of {self.spec.width} cells"
        return f"{self.task}, {layers}, seed {self.spec.seeds.replicate}"


def timescales(folder: Path, console: Console, task: str | None, depth: int | None, seeds: int) -> Findings:
    """Measure the first `seeds` confirmed networks of every arm, or of `task` and `depth`; rebuild the report.

    One layer is always measured beside a deeper `depth`. Networks that were measured before are not measured again, and
    each is kept as soon as it is done, so that a stopped command goes on where it was. Raises UserError.
    """
    if seeds < 1:
        raise UserError(f"--seeds is {seeds}: give a whole number from 1")
    with study_lock(folder):
        evidence = read(folder)
        chosen = choose_networks(folder, evidence, task, depth, seeds, console)
        tables = {name: getattr(evidence, name) for name in OPTIONAL}
        kept = {name: frame([], name) if table is None else table for name, table in tables.items()}
        settle_torch()
        known = set(kept["timescales"]["key"]) & set(kept["layers"]["key"])
        for at, one in enumerate(chosen, start=1):
            if one.spec.key in known:
                console.print(f"[{at}/{len(chosen)}] {one}: measured before", markup=False)
                continue
            started = time.perf_counter()
            for name, rows in zip(OPTIONAL, measure(one, network_of(one)), strict=True):
                kept[name] = _added(kept[name], rows, name)
                replace_file(folder / f"{name}.parquet", parquet(kept[name]))
            seconds = time.perf_counter() - started
            console.print(f"[{at}/{len(chosen)}] {one}: trained and measured in {seconds:.0f} s", markup=False)
        findings = analyse(dataclasses.replace(evidence, **kept))
        build_report(findings, folder, behind(evidence))
    return findings


def choose_networks(
    folder: Path, evidence: Evidence, task: str | None, depth: int | None, seeds: int, console: Console
) -> list[Chosen]:
    """Confirmed trainings that came to their end, by arm and seed. Raises UserError where there is none to measure."""
    path = folder / "journal.jsonl"
    if not path.is_file():
        raise UserError(
            f"{folder} holds no journal.jsonl, which says how to train its networks: measure on the machine it ran on"
        )
    members = evidence.members[~evidence.members["superseded"].fillna(False).astype(bool)]
    members = members[(members["phase"] == "confirm") & (members["replica"].fillna("") == "")]
    for option, column, asked in (("--task", "task", task), ("--depth", "depth", depth)):
        if asked is not None and asked not in set(members[column]):
            known = ", ".join(map(str, sorted(set(members[column]))))
            raise UserError(f"{option} is {asked}, which study {folder.name!r} has not confirmed: give one of {known}")
    if task is not None:
        members = members[members["task"] == task]
    if depth is not None:
        members = members[members["depth"].isin([1, depth])]
    with Journal.open(path) as journal:
        results = journal.results()
    chosen, two_ways = {}, set()
    for _, arm in members.sort_values(["task", "budget", "match", "variant", "depth", "seed"]).groupby(
        "arm", sort=False
    ):
        taken = 0
        for key, label in zip(arm["key"], arm["task"], strict=True):
            spec, result = results.get(key, (None, None))
            if spec is None or result is None or result.status != "done" or taken == seeds:
                continue
            if spec.variant.bidirectional:
                two_ways.add(spec.variant.name)
                continue
            taken += 1
            chosen[key] = Chosen(label, spec, result)
    if two_ways:
        said = f"the variant {min(two_ways)!r} reads both ways, so that no step is before or after a change"
        if not chosen:
            raise UserError(f"{said}: timescales are measured on stacks that read one way")
        console.print(f"left out: {said}", markup=False)
    if not chosen:
        raise UserError(f"no confirmed training of study {folder.name!r} came to its end: there is nothing to measure")
    return list(chosen.values())


def network_of(one: Chosen) -> StackedLSTM:
    """Train it once more, with the test split closed. Raises UserError where it is not the study's network."""
    spec, result = dataclasses.replace(one.spec, reads_test=False), one.result
    if registry.digest(spec.task) != spec.task_digest:
        raise UserError(f"the source of task {one.task} has changed since training {one.spec.key}: undo that change")
    if _task(spec).data_digest() != spec.data_digest:
        raise UserError(
            f"the data of task {one.task} have changed since training {one.spec.key}: put the old file back"
        )
    made, network = train_again(spec)
    assert made.validation_loss is not None and result.validation_loss is not None
    if not math.isclose(made.validation_loss, result.validation_loss, rel_tol=TOLERANCE):
        raise UserError(
            f"trained again, {one.spec.key} has a validation loss of {made.validation_loss:.6g} and not "
            f"{result.validation_loss:.6g}: measure on the machine, and with the versions, that the study ran on"
        )
    return network


def measure(one: Chosen, network: StackedLSTM) -> tuple[Rows, Rows]:
    """Rows of `timescales` and `layers`: the network and itself at initialisation, on the same validation data.

    In double precision, so that what is left of a change late in the window is the change and not rounding.
    """
    spec, task = one.spec, _task(one.spec)
    split = Splits(task, dataclasses.replace(spec, reads_test=False))["validation"]
    held = to_tensors(split, task, dtype=torch.float64, device=torch.device("cpu"))
    sites = choose(split, spec.seeds.data)
    trained = copy.deepcopy(network).cpu().double()
    untrained = build(
        seed=spec.seeds.initialisation,
        depth=spec.depth,
        width=spec.width,
        variant=spec.variant,
        **network_shape(task),
    ).double()
    curves: Rows = []
    layers: Rows = []
    for name, copied in (("trained", trained), ("untrained", untrained)):
        place = {"key": spec.key, "task": one.task, "depth": spec.depth, "network": name}
        followed = traces(perturb(copied, held.inputs, sites), sites, split.groups, place)
        curves += followed[0]
        layers += followed[1]
    place = {"key": spec.key, "task": one.task, "depth": spec.depth, "network": "trained"}
    return curves, layers + ablations(ablate(trained, task, held), split.groups, place)


def _task(spec: RunSpec) -> Task:
    return registry.create(spec.task, {**spec.task_parameters, **spec.task_locations})


def _added(table: pd.DataFrame, rows: Rows, name: str) -> pd.DataFrame:
    """The table with one key's rows in place of any it had, sorted so that no order of arrival shows."""
    keys = {row["key"] for row in rows}
    together = pd.concat([table[~table["key"].isin(keys)], frame(rows, name)], ignore_index=True)
    by = [c for c in OPTIONAL[name] if c in ("key", "layer", "state", "network", "measure", "lag")]
    return together.sort_values(by, kind="stable", ignore_index=True)
