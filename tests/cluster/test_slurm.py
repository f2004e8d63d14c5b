"""A study on a real SLURM of four nodes: what it gives there, through lost nodes and drivers, is what it gives here."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.cluster.processes import Program, wait_until
from tests.cluster.slurm import Slurm
from tests.cluster.studies import STUDY, check_journal, check_mlflow, check_optuna, environment, results, write_study
from tests.conftest import ROOT
from tests.studies import NAME, scores

pytestmark = pytest.mark.cluster
SECRET = "pl4nted-in-the-environment"


@pytest.fixture(scope="module")
def slurm() -> Iterator[Slurm]:
    cluster = Slurm()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


class OnCluster:
    """`strata cluster slurm` of the study in `folder`, with the environment of a person on a login node."""

    def __init__(self, slurm: Slurm, folder: Path, *options: str) -> None:
        self.slurm, self.folder, self.options = slurm, folder, options
        self.scripts = folder / "results" / NAME / "cluster"
        self.environment = environment(MLFLOW_TRACKING_PASSWORD=SECRET, **slurm.environment)

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "benchmark", "cluster", "slurm", STUDY, *self.options]

    def give(self, *more: str) -> str:
        command = [*self.command, *more]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def driver(self) -> dict[str, str]:
        """What SLURM knows of the driver's job."""
        job = (self.scripts / "driver.job").read_text().strip()
        return dict(re.findall(r"(\w+)=(\S*)", self.slurm.run("scontrol", "-o", "show", "job", job)))

    def driving(self) -> int:
        """Process number of `strata sweep`, from the study's lock."""
        return int((self.folder / "results" / NAME / "lock").read_text())

    @contextlib.contextmanager
    def driver_held(self) -> Iterator[None]:
        """The driver stands still: however long SLURM takes, the study does not end meanwhile."""
        number = self.driving()
        os.kill(number, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(number, signal.SIGCONT)

    def worker(self, number: int) -> str:
        """SLURM's name of a task of the workers' array."""
        return f"{(self.scripts / 'workers.jobs').read_text().strip()}_{number}"

    def served(self, number: int) -> int:
        """How often the workers of a node have joined a scheduler."""
        return self.log(f"workers-{number}").count(" serves tls://")

    def log(self, name: str) -> str:
        path = self.scripts / "logs" / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def wait(self, true: object, what: str) -> None:
        """Wait for a callable to be true, and tell what driver and queue say when it is not."""
        try:
            wait_until(lambda: true() or self.ended(), what, patience=900)  # type: ignore[operator]
            assert true(), f"the driver ended before: {what}"  # type: ignore[operator]
        except AssertionError as error:
            logs = "\n".join(
                f"--- {path.name}\n{path.read_text()[-2000:]}" for path in (self.scripts / "logs").iterdir()
            )
            raise AssertionError(f"{error}\n{self.slurm.jobs()}\n{logs}") from None

    def ended(self) -> bool:
        return self.driver()["JobState"] not in ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING")


def test_a_study_gives_the_same_through_a_lost_node_a_requeued_job_and_a_killed_driver(
    slurm: Slurm, alone: Path, tmp_path: Path
) -> None:
    """On nodes that reach nothing but this cluster, with a Python that only a module provides."""
    folder = tmp_path / "shared folder"
    write_study(folder)
    modules = make_modules(folder)
    options = shlex.split("--nodes 4 --gpus-per-node 1 --host 127.0.0.1 --time 1:00:00 --driver-time 2:00:00")
    options += ["--setup", f"source {shlex.quote(str(modules))}", "--setup", "module load torch"]
    options += ["--setup", "export http_proxy=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9"]
    cluster = OnCluster(slurm, folder, *options, "--python", "strata-python", "--sbatch=--partition=debug")
    said = cluster.give("--submit")
    assert "sent: the driver, job" in said and "sent: the workers, job" in said
    cluster.wait(lambda: results(folder) >= 2, "a second training is done")
    assert_no_secret_of(cluster)

    driver_node = cluster.driver()["NodeList"]
    lost = next(n for n in range(4) if node_of(cluster, n) not in ("", driver_node) and cluster.served(n))
    node, served = node_of(cluster, lost), cluster.served(lost)
    slurm.lose(node)
    with cluster.driver_held():
        cluster.wait(lambda: node_of(cluster, lost) not in ("", node), "the lost node's task is requeued elsewhere")
        cluster.wait(lambda: cluster.served(lost) > served, "its workers are back")
        slurm.resume(node)
    done = results(folder)
    cluster.wait(lambda: results(folder) > done, "the study goes on")

    other = next(n for n in range(4) if n != lost and cluster.served(n))
    served = cluster.served(other)
    slurm.run("scontrol", "requeue", cluster.worker(other))
    with cluster.driver_held():
        cluster.wait(lambda: cluster.served(other) > served, "the requeued task's workers are back")
    cluster.wait(lambda: results(folder) > done + 1, "the study goes on")

    done = results(folder)
    os.kill(cluster.driving(), signal.SIGKILL)
    wait_until(cluster.ended, "the killed driver's job ends")
    assert cluster.driver()["JobState"] == "FAILED"
    assert done < len(check_journal(alone)), "the driver was killed in the middle"
    assert len(slurm.jobs("RUNNING", "-workers")) == 4, "workers wait for the next driver"

    said = cluster.give("--submit")
    assert "sent: the driver, job" in said and "workers are in the queue already" in said
    wait_until(cluster.ended, "the study ends", patience=900)
    assert cluster.driver()["JobState"] == "COMPLETED", cluster.log("driver")
    wait_until(lambda: not slurm.jobs(), "workers end with their study")
    assert scores(folder) == scores(alone)
    check_mlflow(folder)
    check_optuna(folder, f"sqlite:///{folder}/optuna.db")


def test_workers_without_gpus_and_a_driver_on_the_login_node(slurm: Slurm, alone: Path, tmp_path: Path) -> None:
    """A second driver at the same time refuses, and what the first one uses is left alone."""
    write_study(tmp_path)
    options = shlex.split("--nodes 2 --workers-per-node 2 --time 60 --host 127.0.0.1 --driver here")
    cluster = OnCluster(slurm, tmp_path, *options)
    driving = Program([*cluster.command, "--submit"], tmp_path / "said.txt", cluster.environment, cwd=tmp_path)
    wait_until(lambda: results(tmp_path) >= 1 or not driving.running, "a training is done", patience=900)
    assert driving.running, driving.said()
    second = subprocess.run(
        ["bash", str(cluster.scripts / "driver.sh")],
        env=cluster.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (second.returncode, second.stderr) == (2, "strata: a driver of tiny is running already\n")
    assert driving.process.wait(900) == 0, driving.said()
    wait_until(lambda: not slurm.jobs(), "workers end with their study")
    assert scores(tmp_path) == scores(alone)
    check_journal(tmp_path)


def test_slurm_takes_every_script_of_the_documentation(slurm: Slurm, tmp_path: Path) -> None:
    """Each `strata cluster` command of the page, as it stands there but for what would send it."""
    page = (ROOT / "docs" / "cluster.md").read_text()
    commands = [shlex.split(line) for line in re.findall(r"^strata (cluster slurm .*)$", page, re.MULTILINE)]
    assert len(commands) >= 3
    for words in commands:
        study = words[2]
        given = [word for word in words if word not in ("--submit", "--sbatch=--account=lab")]  # no accounts here
        command = [sys.executable, "-m", "benchmark", *given]
        subprocess.run(command, cwd=tmp_path, env=environment(), check=True, capture_output=True)
        for name in ("driver", "workers"):
            slurm.run("sbatch", "--test-only", str(tmp_path / "results" / study / "cluster" / f"{name}.sh"))


def test_lightning_neither_requeues_a_training_nor_counts_the_tasks_of_its_job(slurm: Slurm, tmp_path: Path) -> None:
    """By itself it would catch USR1 to requeue the job, and refuse or wait for the job's second task."""
    (tmp_path / "train.py").write_text(
        """
import signal, sys
from benchmark import lightning
from tests.training_specs import tiny_spec
seen = []
original = lightning.StackedLSTMModule.training_step
def step(self, *given):
    seen.append((signal.getsignal(signal.SIGUSR1), self.trainer.world_size, type(self.trainer.strategy).__name__))
    return original(self, *given)
lightning.StackedLSTMModule.training_step = step
from benchmark.training import train
(result,), _ = train([tiny_spec()], None, {})
print(result.status, *sorted({str(one) for one in seen}))
from pytorch_lightning.plugins.environments import SLURMEnvironment
print("slurm detected:", SLURMEnvironment.detect())
"""
    )
    (tmp_path / "job.sh").write_text(
        f"#!/bin/bash\n#SBATCH --nodes=1 --ntasks=2 --job-name=lightning --output={tmp_path}/said.txt\n"
        f"exec {shlex.quote(sys.executable)} {tmp_path}/train.py\n"
    )
    settings = environment(**slurm.environment)
    job = subprocess.run(
        ["sbatch", "--parsable", str(tmp_path / "job.sh")], env=settings, capture_output=True, text=True, check=True
    ).stdout.strip()
    wait_until(lambda: job not in slurm.jobs(), "the training ends")
    said = (tmp_path / "said.txt").read_text().strip().splitlines()[-2:]
    assert said == ["done (<Handlers.SIG_DFL: 0>, 1, 'SingleDeviceStrategy')", "slurm detected: True"]
    assert "Restarts=0" in slurm.run("scontrol", "show", "job", job)


# --- what the tests need ----------------------------------------------------------------------------------------------


def node_of(cluster: OnCluster, number: int) -> str:
    """The node that a task of the workers' array runs on; '' while it waits."""
    task: Mapping[str, str] = cluster.slurm.jobs("RUNNING").get(cluster.worker(number), {})
    return task.get("node", "")


def make_modules(folder: Path) -> Path:
    """A file to be sourced that defines `module`, as clusters have it: it puts a folder with a Python in the path."""
    (folder / "modules" / "torch").mkdir(parents=True)
    python = folder / "modules" / "torch" / "strata-python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    file = folder / "modules" / "init.sh"
    file.write_text(f'module() {{ export PATH={shlex.quote(str(folder / "modules"))}/"$2":"$PATH"; }}\n')
    return file


def assert_no_secret_of(cluster: OnCluster) -> None:
    """Not in a file of the workspace; not in the environment of a worker, nor in what SLURM keeps of its job."""
    written = [path for path in cluster.folder.rglob("*") if path.is_file()]
    assert [path for path in written if SECRET.encode() in path.read_bytes()] == []
    job = (cluster.scripts / "workers.jobs").read_text().strip()
    kept = [path for path in (cluster.slurm.folder / "state").rglob(f"job.{job}/*") if path.is_file()]
    assert kept and not [path for path in kept if SECRET.encode() in path.read_bytes()]
    workers = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"\0worker\0--scheduler-file\0" in (process / "cmdline").read_bytes():
                workers += 1
                assert SECRET.encode() not in (process / "environ").read_bytes()
    assert workers
