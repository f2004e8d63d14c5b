"""The batch scripts of a study on SLURM: `driver.sh`, a small job or a login node's shell, and `workers.sh`, an array.

The driver is the only one that knows a store or a secret; workers need the folder of the study and the way to the
scheduler, which stands in a file there. An array's task is a node, lost, preempted and requeued by itself.
"""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from benchmark.addresses import ADDRESSES, SECRETS
from benchmark.errors import UserError
from benchmark.evidence import replace_file
from benchmark.workspace import Workspace

_TIME = re.compile(r"\d+|\d+:\d\d|\d+:\d\d:\d\d|\d+-\d+|\d+-\d+:\d\d|\d+-\d+:\d\d:\d\d")
"""What SLURM takes for a time: minutes, minutes:seconds, hours:minutes:seconds, days-hours and so on."""


@dataclass(frozen=True)
class Asked:
    """What a person asked for. Raises UserError, with the option that is wrong."""

    nodes: int
    time: str
    gpus_per_node: int | None = None
    workers_per_node: int | None = None
    cpus_per_worker: int = 1
    driver: Literal["job", "here"] = "job"
    driver_time: str = ""
    host: str = ""
    """Where the scheduler listens, an address of the driver's node; '' for all that it has."""
    setup: tuple[str, ...] = ()
    python: str = ""
    sbatch: tuple[str, ...] = ()
    driver_sbatch: tuple[str, ...] = ()
    sweep: tuple[str, ...] = field(default=())
    """Further words of `strata sweep`."""

    def __post_init__(self) -> None:
        numbers = {"nodes": self.nodes, "gpus-per-node": self.gpus_per_node, "workers-per-node": self.workers_per_node}
        for name, number in {**numbers, "cpus-per-worker": self.cpus_per_worker}.items():
            if number is not None and number < 1:
                raise UserError(f"--{name} is {number}: give 1 or more")
        if (self.gpus_per_node is None) == (self.workers_per_node is None):
            raise UserError(
                "say what a node gives: --gpus-per-node 8 for one worker a GPU, or --workers-per-node 16 for workers "
                "without GPUs, and not both"
            )
        for name, time in (("time", self.time), ("driver-time", self.driver_time or "1")):
            if not _TIME.fullmatch(time):
                raise UserError(f"--{name} is {time!r}: give hours:minutes:seconds, such as 8:00:00, or 2-00 for days")
        for name, lines in (("setup", self.setup), ("python", (self.python,))):
            if any("\n" in line for line in lines):
                raise UserError(f"--{name} has a line break: give --setup once for each line")
        for name, options in (("sbatch", self.sbatch), ("driver-sbatch", self.driver_sbatch)):
            for option in options:
                if not option.startswith("-") or "\n" in option:
                    raise UserError(
                        f"--{name} is {option!r}: give an option of sbatch, such as --{name}=--partition=gpu"
                    )
        if "/" in self.python and not self.setup and not Path(self.python).exists():
            raise UserError(f"--python {self.python} is not there: give the Python of Strata's environment")

    @property
    def workers(self) -> int:
        """Workers on a node: one for each GPU, else as many as asked."""
        return self.gpus_per_node or self.workers_per_node or 1


@dataclass(frozen=True)
class Scripts:
    """Where a study's scripts are, and what they share. The folder has to be seen by every node."""

    folder: Path

    @property
    def driver(self) -> Path:
        """Runs scheduler and sweep, as a job or in a shell."""
        return self.folder / "driver.sh"

    @property
    def workers(self) -> Path:
        """The array of nodes with workers."""
        return self.folder / "workers.sh"

    @property
    def workers_jobs(self) -> Path:
        """Numbers of the arrays that serve this study, one a line; emptied when the study ends."""
        return self.folder / "workers.jobs"

    @property
    def driver_job(self) -> Path:
        """Number of the driver's job, when it was sent."""
        return self.folder / "driver.job"


def write(asked: Asked, study: str, name: str, workspace: Workspace) -> Scripts:
    """Write both scripts of the study that is called `name`; `study` is its file or the name of a shipped one."""
    scripts = Scripts(workspace.make_folder(name) / "cluster")
    (scripts.folder / "logs").mkdir(parents=True, exist_ok=True)
    place = Path(study)
    words = [str(place.resolve()) if place.exists() else study, *asked.sweep]
    for path, text in (
        (scripts.driver, driver(asked, words, name, workspace, scripts)),
        (scripts.workers, workers(asked, name, workspace, scripts)),
    ):
        replace_file(path, text.encode())
        path.chmod(0o755)
    return scripts


def driver(asked: Asked, words: list[str], name: str, workspace: Workspace, scripts: Scripts) -> str:
    """The script of the driver. A second one at the same time refuses before it touches what the first one uses."""
    host = f" --host {shlex.quote(asked.host)}" if asked.host else ""
    running = shlex.quote(f"strata: a driver of {name} is running already")
    lines = [
        *_head(f"{name}-driver", asked.driver_time or asked.time, scripts.folder / "logs" / "driver.log"),
        "#SBATCH --nodes=1 --ntasks=1",
        *_options(asked.driver_sbatch or asked.sbatch),
        *_beginning(asked, workspace, scripts),
        'exec 9> "$here/driver.lock"',
        f"flock -n 9 || {{ echo {running} >&2; exit 2; }}",
        'rm -f "$here/scheduler.json"  # of a scheduler that is gone',
        f'"${{strata[@]}}" scheduler --scheduler-file "$here/scheduler.json"{host} &',
        "scheduler=$!",
        "trap 'kill $scheduler 2> /dev/null' EXIT  # its workers wait for the next driver's",
        f'"${{strata[@]}}" sweep {shlex.join(words)} --workspace . --scheduler-file "$here/scheduler.json"',
        "code=$?",
        "if [ $code = 0 ]; then  # with its verdict the study needs no workers any more, those that wait neither",
        "    trap - EXIT",
        "    kill -INT $scheduler; wait $scheduler",
        '    if [ -s "$here/workers.jobs" ]; then scancel $(cat "$here/workers.jobs"); : > "$here/workers.jobs"; fi',
        "fi",
        "exit $code",
    ]
    return "\n".join(lines) + "\n"


def workers(asked: Asked, name: str, workspace: Workspace, scripts: Scripts) -> str:
    """The script of the workers: the shell becomes `srun`, so that every signal reaches the workers."""
    needs = ["--nodes=1", f"--ntasks={asked.workers}", f"--cpus-per-task={asked.cpus_per_worker}"]
    if asked.gpus_per_node:
        needs.append(f"--gpus-per-node={asked.gpus_per_node}")
    run = ["srun", "--kill-on-bad-exit=0", f"--cpus-per-task={asked.cpus_per_worker}"]
    run += ["--gpus-per-task=1"] if asked.gpus_per_node else []
    lines = [
        *_head(f"{name}-workers", asked.time, scripts.folder / "logs" / "workers-%a.log"),
        f"#SBATCH --array=0-{asked.nodes - 1}",
        f"#SBATCH {' '.join(needs)}",
        *_options(asked.sbatch),
        "# Nothing but the driver needs a store, or a secret.",
        f"unset {' '.join((*ADDRESSES, *SECRETS))}",
        *_beginning(asked, workspace, scripts),
        f'exec {shlex.join(run)} "${{strata[@]}}" worker --scheduler-file "$here/scheduler.json"',
    ]
    return "\n".join(lines) + "\n"


def _head(name: str, time: str, log: Path) -> list[str]:
    where = str(log.parent).replace("%", "%%") + "/" + log.name
    return [
        "#!/bin/bash",
        f"#SBATCH --job-name=strata-{name}",
        f'#SBATCH --output="{where}" --open-mode=append',
        f"#SBATCH --time={time} --requeue",
    ]


def _options(given: tuple[str, ...]) -> list[str]:
    return [f"#SBATCH {option}" for option in given]


def _beginning(asked: Asked, workspace: Workspace, scripts: Scripts) -> list[str]:
    """`-P`: a folder of the workspace must not be imported in a library's place."""
    return [
        f"cd {shlex.quote(str(workspace.root))} || exit 1",
        f"here={shlex.quote(str(scripts.folder.relative_to(workspace.root)))}",
        "export DASK_LOGGING__DISTRIBUTED=error  # else Dask tells of every connection",
        *asked.setup,
        f"strata=({shlex.quote(asked.python or sys.executable)} -P -m benchmark)",
    ]
