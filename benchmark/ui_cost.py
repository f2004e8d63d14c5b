"""What MLflow's server costs as `strata ui` starts it, and as MLflow itself does: `python -m benchmark.ui_cost`."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmark.errors import UserError
from benchmark.servers import choose_port
from benchmark.ui import PORTS, mlflow_server

SETTLED = 5.0
"""Seconds after the first answer until memory is read: workers and job runners may still be starting."""


@dataclass(frozen=True)
class Cost:
    """Of a server with all its children."""

    seconds: float
    """Until it answers."""
    cpu_seconds: float
    """The same in time of a core, which other programs on the machine do not stretch."""
    processes: int
    megabytes: float
    """Proportional set size: memory that processes share is counted once."""


def measure(lean: bool) -> Cost:
    """Start the server on an empty database, wait until it answers, and read what its processes use."""
    from benchmark.tracking import store

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        uri = f"sqlite:///{folder / 'mlflow.db'}"
        store.connect(uri)
        began = time.monotonic()
        with mlflow_server(uri, folder, choose_port(None, PORTS), lean=lean) as server:
            seconds = time.monotonic() - began
            spent = sum(map(_cpu_seconds, _session(server.process.pid)))
            time.sleep(SETTLED)
            members = _session(server.process.pid)
            return Cost(seconds, spent, len(members), sum(map(_megabytes, members)))


def _session(leader: int) -> list[int]:
    """Processes of the server's session: job runners are in groups of their own, but in no session of their own."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(folder.name)) == leader:
                found.append(int(folder.name))
        except (ProcessLookupError, PermissionError):
            continue
    return found


def _cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")  # its own, and of children that ended


def _megabytes(process: int) -> float:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1000


def main() -> None:
    """Print a row for each way of starting."""
    if not Path("/proc/self/smaps_rollup").exists():
        raise UserError("memory is read from /proc, which this system has not: measure on Linux")
    print("| started | processes | memory | answers after | of a core |\n|---|---|---|---|---|")
    for name, lean in (("by `strata ui`", True), ("as MLflow does", False)):
        cost = measure(lean)
        memory, times = f"{cost.megabytes:,.0f} MB", f"{cost.seconds:.1f} s | {cost.cpu_seconds:.1f} s"
        print(f"| {name} | {cost.processes} | {memory} | {times} |", flush=True)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"strata: {error}")
