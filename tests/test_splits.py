"""Data made once for all trainings of a process that want the same, and no more of them kept than there is room for."""

from __future__ import annotations

import dataclasses
import platform
import resource

import pytest
import torch

from benchmark import splits, training
from benchmark.splits import TestSplitLocked, splits_for
from tasks import registry
from tests.training_specs import tiny_spec

TASK = registry.load("recall").tiny()


@pytest.fixture(autouse=True)
def none_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splits, "_kept", {})


def test_arms_of_one_seed_share_their_data_and_seeds_do_not() -> None:
    spec = tiny_spec()
    found = splits_for(TASK, spec)
    assert splits_for(TASK, dataclasses.replace(spec, depth=3, width=5, steps=99)) is found
    others = [
        tiny_spec(seed=1),
        dataclasses.replace(spec, task_digest="another source"),
        dataclasses.replace(spec, data_digest="another file"),
        dataclasses.replace(spec, task_parameters={**spec.task_parameters, "delay": 3}),
        dataclasses.replace(spec, fold=0),
    ]
    assert len({id(splits_for(TASK, one)) for one in [spec, *others]}) == 1 + len(others)


def test_a_tuning_training_is_not_given_data_whose_test_split_is_open() -> None:
    confirmed = tiny_spec()
    assert splits_for(TASK, confirmed)["test"] is not None
    tuned = dataclasses.replace(confirmed, reads_test=False)
    with pytest.raises(TestSplitLocked):
        splits_for(TASK, tuned)["test"]


def test_the_oldest_go_when_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    specs = [tiny_spec(seed=seed) for seed in range(3)]
    first = splits_for(TASK, specs[0])
    assert first["train"] is not None and first.bytes > 0
    monkeypatch.setattr(splits, "KEPT", first.bytes)
    second = splits_for(TASK, specs[1])
    assert splits_for(TASK, specs[0]) is first, "both fit, as the second has made nothing yet"
    assert second["train"] is not None
    splits_for(TASK, specs[2])
    assert splits_for(TASK, specs[1]) is not second and splits_for(TASK, specs[0]) is first


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_what_a_validation_frees_the_next_one_is_given_without_clearing_it_anew() -> None:
    """Pages that the system has to hand out, each 4 kB or more, while 16 MB are taken and freed twenty times."""
    training.keep_memory()

    def use() -> None:
        torch.empty(4 * 2**20).fill_(1.0)

    use()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        use()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 5 * 4096, "as many as five of them take"
