"""Arms of one seed must have had the same data; another processor may make others of it in the last bits.

A study of several machines can hold both. Those of the latest training on a seed are the ones that this study goes on
with, and the older trainings on that seed are made again, so that pairs are pairs (PROTOCOL 4).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmark.journal import Journal
from benchmark.spec import RunResult, RunSpec, problem


def on_other_data(results: Mapping[str, tuple[RunSpec, RunResult]]) -> list[str]:
    """Keys of the trainings whose data are not those of the latest one on the same seed; oldest first."""
    seeds = {key: _seed(spec) for key, (spec, result) in results.items() if result.data_hash}
    latest = {seed: results[key][1].data_hash for key, seed in seeds.items()}
    return [key for key, seed in seeds.items() if results[key][1].data_hash != latest[seed]]


def forget_other_data(journal: Journal, say: Callable[[str], None]) -> bool:
    """Have such trainings made again, and say so; whether there were any."""
    keys = on_other_data(journal.results())
    if keys:
        journal.forget(keys)
        say(
            f"{len(keys)} trainings had other data than later ones on the same seed, as another processor makes them: "
            "they are made again here, so that depths are compared on the same data"
        )
    return bool(keys)


def _seed(spec: RunSpec) -> tuple[str, str, int, int | None]:
    return problem(spec.task, spec.task_parameters), spec.data_digest, spec.seeds.data, spec.fold
