"""The bare loop: `nn.LSTM`, tensors in memory, one thread, nothing logged. What torch can do on this processor."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn

from benchmark.speed.cell import CLIP, Cell
from tasks.task import SplitName


def train(cell: Cell) -> float:
    """One training; its last validation loss."""
    torch.set_num_threads(cell.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(cell.seed)
    task = cell.task()
    splits = {}
    names: tuple[SplitName, ...] = ("train", "validation")
    for name in names:
        split = task.data(name, cell.seed)
        # Time first, which is how the kernels read it.
        splits[name] = [torch.from_numpy(part).transpose(0, 1).contiguous() for part in (split.inputs, split.targets)]
    (inputs, targets), (seen, wanted) = splits["train"], splits["validation"]
    lstm = nn.LSTM(task.inputs, cell.width, num_layers=cell.depth)
    readout = nn.Linear(cell.width, 1)
    parameters = [*lstm.parameters(), *readout.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=cell.learning_rate, fused=True)
    order, loss = torch.randperm(inputs.shape[1]).split(cell.batch_size), 0.0
    for step in range(cell.steps):
        batch = order[step % len(order)]
        error = nn.functional.mse_loss(readout(lstm(inputs[:, batch])[0])[..., 0], targets[:, batch])
        optimizer.zero_grad()
        error.backward()
        nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        if (step + 1) % cell.validate_every == 0:
            with torch.no_grad():
                loss = float(nn.functional.mse_loss(readout(lstm(seen)[0])[..., 0], wanted))
    return loss


if __name__ == "__main__":
    from benchmark.speed.whole import CELLS, written

    for cell in written(Path(sys.argv[1], CELLS)):
        train(cell)
