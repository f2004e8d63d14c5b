"""One process a contender, started once and asked in turns: what is compared runs side by side in one run."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmark.errors import UserError
from benchmark.speed.cell import Cell

PLAIN, BARE, STRATA = "as most people write it", "bare nn.LSTM loop", "Strata"


@dataclass(frozen=True)
class Contender:
    """`way` is `plain`, `bare` or `strata`; `environment` is set before anything is imported."""

    name: str
    way: str
    environment: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def running(contender: Contender) -> Iterator[Callable[[Cell], tuple[float, float]]]:
    """Ask for a training; get its seconds, or its share of those of its company, and the process's largest memory so
    far in MB.

    What the libraries print is kept from the terminal. Raises UserError when a training ends in an error.
    """
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    before = dict(os.environ)
    os.environ.update(contender.environment)
    try:
        process = context.Process(target=_serve, args=(there, contender.way), daemon=True)
        process.start()
    finally:
        os.environ.clear()
        os.environ.update(before)
    there.close()

    def ask(cell: Cell) -> tuple[float, float]:
        try:
            here.send(cell)
            said = here.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            process.join()  # else its code is not known yet
            said = f"the process ended with code {process.exitcode}"
        if isinstance(said, str):
            raise UserError(f"{contender.name}: depth {cell.depth}, width {cell.width} was not trained: {said}")
        return said

    try:
        yield ask
    finally:
        here.close()
        process.join()


def _serve(connection: Connection, way: str) -> None:
    with tempfile.TemporaryDirectory(prefix="strata-speed-") as name, open(os.devnull, "w") as nowhere:
        sys.stdout = sys.stderr = nowhere  # a bar, tables and logs, as the libraries have them
        train: Callable[[Cell], Any] | None = None
        while True:
            try:
                cell = connection.recv()
            except EOFError:
                return
            try:
                train = train or _WAYS[way](Path(name))
                began = time.perf_counter()
                train(cell)
                seconds = (time.perf_counter() - began) / (cell.company if way == "strata" else 1)
            except Exception:
                connection.send(traceback.format_exc().strip().splitlines()[-1])
                return
            connection.send((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def _plain(folder: Path) -> Callable[[Cell], Any]:
    from benchmark.speed import plain

    return lambda cell: plain.train(cell, folder)


def _bare(_: Path) -> Callable[[Cell], Any]:
    from benchmark.speed import bare

    return bare.train


def _strata(_: Path) -> Callable[[Cell], Any]:
    import torch

    from benchmark.training import train_side_by_side

    def train(cell: Cell) -> None:
        torch.set_num_threads(cell.threads)
        train_side_by_side(cell.specs(), chunk=cell.chunk)

    return train


_WAYS: dict[str, Callable[[Path], Callable[[Cell], Any]]] = {"plain": _plain, "bare": _bare, "strata": _strata}
