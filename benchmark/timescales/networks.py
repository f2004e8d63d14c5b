"""Which confirmed networks are measured, and each of them once more: a study keeps no weights."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmark.errors import UserError
from benchmark.evidence import Evidence
from benchmark.journal import Journal
from benchmark.lstm import StackedLSTM
from benchmark.spec import RunResult, RunSpec, same_loss
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


def network_of(one: Chosen, other_machine: bool = False) -> tuple[StackedLSTM, float]:
    """Train it once more, with the test split closed: the network, and its loss on validation data.

    Raises UserError where it is not the study's network: its task or data are others, or it comes out otherwise.
    `other_machine` allows the last, as other processors compute other last digits, but no training that fails.
    """
    spec, result = dataclasses.replace(one.spec, reads_test=False), one.result
    if registry.digest(spec.task) != spec.task_digest:
        raise UserError(f"the source of task {one.task} has changed since training {one.spec.key}: undo that change")
    if task_of(spec).data_digest() != spec.data_digest:
        raise UserError(
            f"the data of task {one.task} have changed since training {one.spec.key}: put the old file back"
        )
    made, network = train_again(spec)
    assert result.validation_loss is not None
    if made.status != "done" or made.validation_loss is None:
        raise UserError(
            f"trained again, {spec.key} came to no end ({made.status}): measure on the machine, and with the versions, "
            "that the study ran on"
        )
    if not other_machine and not same_loss(made.validation_loss, result.validation_loss):
        raise UserError(
            f"trained again, {spec.key} has a validation loss of {made.validation_loss:.6g} and not "
            f"{result.validation_loss:.6g}: measure on the machine, and with the versions, that the study ran on, or "
            "give --other-machine: then those that come out here are measured, and the report says so"
        )
    return network, made.validation_loss


def task_of(spec: RunSpec) -> Task:
    """The task of a training, with the paths of this machine."""
    return registry.create(spec.task, {**spec.task_parameters, **spec.task_locations})
