"""The verb `strata timescales`: train confirmed networks once more, measure their layers, add that to the evidence."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from pathlib import Path

import pandas as pd
import torch
from rich.console import Console

from benchmark.analysis.analyse import analyse
from benchmark.analysis.findings import Findings
from benchmark.behind import behind
from benchmark.errors import UserError
from benchmark.evidence import OPTIONAL, frame, parquet, read, replace_file
from benchmark.executors.worker import settle_torch
from benchmark.journal import study_lock
from benchmark.lstm import StackedLSTM, build
from benchmark.processes import processes
from benchmark.report.build import build as build_report
from benchmark.sizing import network_shape
from benchmark.splits import Splits, to_tensors
from benchmark.timescales.ablate import ablate
from benchmark.timescales.networks import Chosen, choose_networks, network_of, task_of
from benchmark.timescales.perturb import choose, perturb
from benchmark.timescales.tables import Rows, ablations, traces


def timescales(
    folder: Path,
    console: Console,
    task: str | None,
    depth: int | None,
    seeds: int,
    workers: int = 0,
    other_machine: bool = False,
) -> Findings:
    """Measure the first `seeds` confirmed networks of every arm, or of `task` and `depth`; rebuild the report.

    One layer is always measured beside a deeper `depth`. Networks that were measured before are not measured again, and
    each is kept as soon as it is done, so that a stopped command goes on where it was. `workers` processes, 0 for this
    one. `other_machine`: see `network_of`. Raises UserError.
    """
    if seeds < 1:
        raise UserError(f"--seeds is {seeds}: give a whole number from 1")
    with study_lock(folder):
        evidence = read(folder)
        chosen = choose_networks(folder, evidence, task, depth, seeds, console)
        tables = {name: getattr(evidence, name) for name in OPTIONAL}
        kept = {name: frame([], name) if table is None else table for name, table in tables.items()}
        known = set(kept["timescales"]["key"]) & set(kept["layers"]["key"])
        missing = [one for one in chosen if one.spec.key not in known]
        if before := len(chosen) - len(missing):
            console.print(f"measured before: {before} of {len(chosen)} networks", markup=False)
        for at, (one, seconds, rows) in enumerate(_done(missing, workers, other_machine), start=before + 1):
            for name, fresh in zip(OPTIONAL, rows, strict=True):
                kept[name] = _added(kept[name], fresh, name)
                replace_file(folder / f"{name}.parquet", parquet(kept[name]))
            console.print(f"[{at}/{len(chosen)}] {one}: trained and measured in {seconds:.0f} s", markup=False)
        findings = analyse(dataclasses.replace(evidence, **kept))
        build_report(findings, folder, behind(evidence))
    return findings


def _done(
    chosen: Sequence[Chosen], workers: int, other_machine: bool
) -> Iterator[tuple[Chosen, float, tuple[Rows, Rows]]]:
    if not workers or len(chosen) < 2:
        for one in chosen:
            yield one, *trained_and_measured(one, other_machine)
        return
    with processes(min(workers, len(chosen))) as pool:
        waiting = {pool.submit(trained_and_measured, one, other_machine): one for one in chosen}
        for future in as_completed(waiting):
            yield waiting.pop(future), *future.result()


def trained_and_measured(one: Chosen, other_machine: bool = False) -> tuple[float, tuple[Rows, Rows]]:
    """Seconds, and rows of `timescales` and `layers`, with the loss of the network that was measured among them."""
    started = time.perf_counter()
    settle_torch()
    network, loss = network_of(one, other_machine)
    curves, layers = measure(one, network)
    layers.append(
        {**_place(one), "layer": 0, "state": "", "measure": "validation_loss", "value": loss, "censored": False}
    )
    return time.perf_counter() - started, (curves, layers)


def measure(one: Chosen, network: StackedLSTM) -> tuple[Rows, Rows]:
    """Rows of `timescales` and `layers`: the network and itself at initialisation, on the same validation data.

    In double precision, so that what is left of a change late in the window is the change and not rounding.
    """
    spec, task = one.spec, task_of(one.spec)
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
        place = {**_place(one), "network": name}
        followed = traces(perturb(copied, held.inputs, sites), sites, split.groups, place)
        curves += followed[0]
        layers += followed[1]
    return curves, layers + ablations(ablate(trained, task, held), split.groups, _place(one))


def _place(one: Chosen) -> dict[str, object]:
    return {"key": one.spec.key, "task": one.task, "depth": one.spec.depth, "network": "trained"}


def _added(table: pd.DataFrame, rows: Rows, name: str) -> pd.DataFrame:
    """The table with one key's rows in place of any it had, sorted so that no order of arrival shows."""
    keys = {row["key"] for row in rows}
    together = pd.concat([table[~table["key"].isin(keys)], frame(rows, name)], ignore_index=True)
    by = [c for c in OPTIONAL[name] if c in ("key", "layer", "state", "network", "measure", "lag")]
    return together.sort_values(by, kind="stable", ignore_index=True)
