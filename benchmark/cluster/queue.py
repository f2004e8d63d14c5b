"""Sending a study's scripts to SLURM: what is in the queue already is not sent again."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from benchmark.addresses import ADDRESSES, SECRETS
from benchmark.cluster.scripts import Scripts
from benchmark.errors import UserError


def submit(scripts: Scripts, driver_is_here: bool, say: Callable[[str], None]) -> None:
    """Send the driver's job, unless it is to run here, and the workers' array; says what was sent, and what was not.

    Raises UserError when there is no `sbatch`, or it refuses.
    """
    if shutil.which("sbatch") is None:
        raise UserError(
            "there is no sbatch here: give this command on a login node of the cluster, or leave out --submit"
        )
    waits = []
    if not driver_is_here:
        if there := queued(_numbers(scripts.driver_job)):
            say(f"the driver is in the queue already: job {there[0]}")
        else:
            scripts.driver_job.write_text(f"{_sbatch(scripts.driver)}\n")
            say(f"sent: the driver, job {_numbers(scripts.driver_job)[0]}, log {scripts.folder}/logs/driver.log")
        waits = [f"--dependency=after:{_numbers(scripts.driver_job)[0]}"]  # a GPU is not kept idle for a driver
    if there := queued(_numbers(scripts.workers_jobs)):
        say(f"workers are in the queue already: job {there[0]}")
        return
    public = {name: value for name, value in os.environ.items() if name not in (*ADDRESSES, *SECRETS)}
    number = _sbatch(scripts.workers, *waits, environment=public)
    scripts.workers_jobs.write_text(f"{number}\n")
    say(f"sent: the workers, job {number}, logs {scripts.folder}/logs/workers-*.log")


def queued(jobs: list[str]) -> list[str]:
    """Those of the jobs that wait or run."""
    if not jobs:
        return []
    command = ["squeue", "-h", "-o", "%A", "-t", "PENDING,RUNNING,SUSPENDED,COMPLETING,CONFIGURING,REQUEUED"]
    done = subprocess.run([*command, "-j", ",".join(jobs)], capture_output=True, text=True, check=False)
    there = set(done.stdout.split())  # a job that SLURM has forgotten is an error, and not in the queue
    return [job for job in jobs if job in there]


def _numbers(file: Path) -> list[str]:
    return file.read_text().split() if file.exists() else []


def _sbatch(script: Path, *options: str, environment: dict[str, str] | None = None) -> str:
    command = ["sbatch", "--parsable", *options, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        said = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        raise UserError(
            f"sbatch refused {script} ({said}): change the options of this command, or the script, and send it"
        )
    return done.stdout.strip().split(";")[0]
