"""Where the seconds of one training go: own time of torch's operations in groups, the rest is Python and set-up."""

from __future__ import annotations

import time
from collections import defaultdict

from benchmark.speed.cell import Cell

GROUPS = (
    ("layers, forward", ("Recurrence", "aten::lstm", "aten::mkldnn_rnn_layer")),
    ("layers, backward", ("RecurrenceBackward", "MkldnnRnnLayerBackward0", "aten::mkldnn_rnn_layer_backward")),
    (
        "optimiser and clipping",
        ("aten::linalg_vector_norm", "aten::lerp_", "aten::addcmul_", "aten::sqrt", "aten::div_", "aten::sub_"),
    ),
    ("readout", ("aten::addmm", "aten::mm", "aten::linear", "aten::bmm", "aten::baddbmm")),
    ("batches", ("aten::index_select", "aten::index", "aten::randperm", "aten::cat")),
)
REST = "other operations of torch"
PYTHON = "Python, Lightning, set-up, data"


def shares(cell: Cell) -> dict[str, float]:
    """Share of the seconds of trainings side by side, by group; they sum to 1. The profiler itself slows what is
    short, and an operation of torch counts where it is met most.
    """
    import torch
    from torch.profiler import ProfilerActivity, profile

    from benchmark.training import train_side_by_side

    torch.set_num_threads(1)
    train_side_by_side(cell.specs())  # warm
    with profile(activities=[ProfilerActivity.CPU], acc_events=True) as profiler:
        began = time.perf_counter()
        train_side_by_side(cell.specs())
        took = time.perf_counter() - began
    own: dict[str, float] = defaultdict(float)
    for event in profiler.key_averages():
        own[_group(event.key)] += event.self_cpu_time_total / 1e6
    own[PYTHON] = max(0.0, took - sum(own.values()))
    total = sum(own.values())
    return {name: own[name] / total for name in (*(group for group, _ in GROUPS), REST, PYTHON)}


def _group(operation: str) -> str:
    for group, names in GROUPS:
        if operation in names:
            return group
    return REST
