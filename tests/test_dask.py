"""The Dask executor beyond the contract (tests/test_executors.py): who is let in, what travels, what may be lost."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmark.errors import UserError
from benchmark.executors import Job, credentials, introduce, sources
from benchmark.executors.cluster import Cluster, check
from benchmark.executors.dask import LOSSES
from benchmark.spec import RunResult, RunSpec
from tests.conftest import ROOT, StrataCommand
from tests.fake_training import spec
from tests.loopback import Loopback, loopback
from tests.studies import NAME, journal_keys, run, scores, tiny_study
from tests.test_executors import PATIENCE, TRAIN, alive, collect_all, pid_in, until
from tests.training_specs import scores as result_of
from tests.training_specs import tiny_spec

# --- how a cluster is named -------------------------------------------------------------------------------------------


def asked(scheduler: str | None = None, file: str | None = None, instead: bool = False, **environment: str) -> Any:
    return Cluster.asked(scheduler, Path(file) if file else None, instead=instead, environment=environment)


def test_options_come_before_the_environment_and_this_machine_before_both() -> None:
    assert asked() is None
    assert asked("10.0.0.5:8786").address == "tls://10.0.0.5:8786"
    assert asked(STRATA_SCHEDULER_FILE="a.json").file == Path("a.json")
    assert asked(file="b.json", STRATA_SCHEDULER="tls://x:1").words == ["--scheduler-file", "b.json"]
    assert asked(instead=True, STRATA_SCHEDULER="tls://x:1") is None
    assert asked("tls://x:1", STRATA_TLS="keys").keys == Path("keys")
    for wrong in (
        lambda: asked("tls://x:1", "b.json"),
        lambda: asked("tls://x:1", instead=True),
        lambda: asked(STRATA_SCHEDULER="tls://x:1", STRATA_SCHEDULER_FILE="a.json"),
        lambda: Cluster.asked(None, None, insecure=True, environment={}),
    ):
        with pytest.raises(UserError):
            wrong()


def test_plain_tcp_to_another_machine_is_refused_with_the_reason() -> None:
    for address in ("tcp://127.0.0.1:8786", "tcp://[::1]:8786", "tls://10.0.0.5:8786"):
        check(address, insecure=False)
    check("tcp://10.0.0.5:8786", insecure=True)
    with pytest.raises(UserError, match="runs any code for whoever reaches it.*--insecure"):
        check("tcp://10.0.0.5:8786", insecure=False)
    for address in ("http://x:1", "tls://x", "tls://:1"):
        with pytest.raises(UserError, match="no address"):
            check(address, insecure=False)


def test_asking_for_a_cluster_without_dask_is_one_line(strata: StrataCommand, tmp_path: Path) -> None:
    """And all else works without it."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('distributed', 'dask'): raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Block())\n"
    )
    path = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    found = strata("worker", "--scheduler-file", "x.json", **path)
    assert (found.returncode, found.stderr.count("\n")) == (2, 1), found.stderr
    assert "pip install 'strata-lstm[cluster]'" in found.stderr
    code = "import benchmark.executors, benchmark.executors.cluster, benchmark.cli.serve, benchmark.sweep"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **path}, check=True)


# --- keys -------------------------------------------------------------------------------------------------------------


def test_only_the_user_reads_the_keys_and_they_are_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "cluster" / "tls"
    with pytest.raises(UserError, match="made by strata scheduler"):
        credentials.load(folder)
    old = os.umask(0)
    try:
        credentials.make(folder)
    finally:
        os.umask(old)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {credentials.CERTIFICATE: 0o600, credentials.KEY: 0o600}
    key = (folder / credentials.KEY).read_bytes()
    credentials.make(folder)
    assert (folder / credentials.KEY).read_bytes() == key
    assert credentials.load(folder).require_encryption
    folder.chmod(0o750)
    for refuse in (credentials.load, credentials.make):
        with pytest.raises(UserError, match="read by others"):
            refuse(folder)


# --- what travels -----------------------------------------------------------------------------------------------------

PLAIN = (str, int, float, bool, bytes, type(None))


def plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(plain(part) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple):
        return all(map(plain, value))
    return type(value) in PLAIN


def test_jobs_travel_as_plain_data_and_bytes() -> None:
    job = Job((spec("count", parameter=[1, 2]),), 5, {"key": b"state"}, 3.0, {"a.py:A": "source"})
    assert plain(job.to_dict()) and Job.from_dict(job.to_dict()) == job
    assert plain(RunResult(key="a", status="done", curves=[(1, "loss", -1, 0.5)]).to_dict())


MY_TASK = """
from dataclasses import dataclass
from tasks.synthetic.recall import Recall

@dataclass(frozen=True)
class Mine(Recall):
    name = "mine"
"""


@pytest.fixture
def mine(tmp_path: Path) -> RunSpec:
    """A training of a task of the user's, of a file that is in no other folder."""
    from tasks import registry

    path = tmp_path / "there" / "mine.py"
    path.parent.mkdir()
    path.write_text(MY_TASK)
    parameters = {"time": 6, "train": 64}
    return tiny_spec(f"{path}:Mine", task_parameters=parameters, task_digest=registry.digest(f"{path}:Mine"))


def test_a_users_task_travels_and_keeps_its_key(mine: RunSpec) -> None:
    from benchmark.training import train

    [whole], begun = train([mine])[0], train([mine], 12)[1]
    travelling = sources.gather([mine])
    Path(mine.task.rpartition(":")[0]).unlink()
    [away] = sources.placed([mine], travelling)
    assert away.task != mine.task and away.key == mine.key
    [moved], unfinished = train([away], None, begun)  # begun at home, ended on a machine without the file
    assert result_of(moved) == result_of(whole) and not unfinished
    assert introduce.strange_task([away]) == ""


def test_a_worker_loads_nothing_that_only_trainings_need() -> None:
    code = (
        "import sys, benchmark.executors.dask_serve;"
        "heavy = {'torch', 'mlflow', 'optuna', 'pydantic', 'pandas', 'pytorch_lightning'} & set(sys.modules);"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


def test_what_differs_is_named_with_both_versions() -> None:
    ours = introduce.versions()
    assert introduce.difference(ours, ours) == ""
    assert introduce.difference(ours, ours | {"numpy": "9.9"}) == f"numpy 9.9, the driver has {ours['numpy']}"


def test_a_task_of_another_source_or_other_data_is_named(mine: RunSpec) -> None:
    from dataclasses import replace

    assert introduce.strange_task([mine]) == ""
    assert "mine.py:Mine has source" in introduce.strange_task([replace(mine, task_digest="another")])
    assert "has data" in introduce.strange_task([replace(mine, data_digest="another")])
    assert "cannot be made" in introduce.strange_task([replace(mine, task="nowhere")])


# --- workers that come and go -----------------------------------------------------------------------------------------

proof = pytest.mark.proof


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Loopback]:
    with loopback(tmp_path / "cluster", workers=1) as cluster:
        yield cluster


def kill_one_that_works(cluster: Loopback, mark: Path) -> int:
    """SIGKILL the worker whose process wrote `mark`; its number among the processes. The process ends with it."""
    pid = pid_in(mark)
    parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    [number] = [n for n, process in enumerate(cluster.running) if process.pid == parent]
    mark.unlink()
    cluster.running[number].kill()
    cluster.running[number].wait()
    until(lambda: not alive(pid))
    return number


@proof
def test_a_lost_workers_job_begins_anew_until_it_has_had_its_share(cluster: Loopback, tmp_path: Path) -> None:
    poison = Job((spec("spin", mark=str(tmp_path / "pid")),))
    with cluster.executor(TRAIN) as executor:
        executor.submit(poison)
        for loss in range(LOSSES + 1):
            assert executor.collect(timeout=0) == []
            kill_one_that_works(cluster, tmp_path / "pid")
            while loss == 0 and not any("all workers" in line and "gone" in line for line in cluster.said):
                assert executor.collect(timeout=0.5) == []  # the next one is started only when this has been told
            cluster.start("worker")
            outcomes = executor.collect(timeout=0.5)
            while not outcomes and not (tmp_path / "pid").exists():
                outcomes = executor.collect(timeout=0.5)
        [result] = outcomes[0].results
        assert result.status == "failed" and f"the {LOSSES + 1}th under this job" in (result.error or "")
        executor.submit(Job((spec("count"),)))
        assert collect_all(executor, 1)[0].results[0].status == "done"


def refusals(cluster: Loopback) -> list[str]:
    """What was said of workers with another NumPy; a slow start brings other lines as well."""
    return [line for line in cluster.said if "numpy" in line]


@proof
def test_workers_that_differ_get_no_work_also_when_they_join_later(
    cluster: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [Job((spec("wait", i, file=str(tmp_path / "go")),)) for i in range(4)]
    with cluster.executor(TRAIN) as executor:
        for job in jobs[:1]:
            executor.submit(job)
        other = tmp_path / "other" / "numpy-9.9.9.dist-info"
        other.mkdir(parents=True)
        (other / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 9.9.9\n")
        with monkeypatch.context() as patch:
            patch.setenv("PYTHONPATH", str(other.parent))
            cluster.start("worker")
        cluster.start("worker")
        give_up = time.monotonic() + PATIENCE
        while (executor.capacity < 2 or not refusals(cluster)) and time.monotonic() < give_up:
            assert executor.collect(timeout=0.5) == []
        assert executor.capacity == 2
        ours = introduce.versions()["numpy"]
        [line] = refusals(cluster)
        assert "gets no work: numpy 9.9.9, the driver has " + ours in line and "\n" not in line
        for job in jobs[1:]:
            executor.submit(job)
        (tmp_path / "go").touch()
        assert len(collect_all(executor, 4)) == 4


@proof
def test_workers_that_cannot_train_are_an_error_with_the_reason(cluster: Loopback, tmp_path: Path) -> None:
    with cluster.executor("no_such_module:train") as executor:
        executor.submit(Job((spec("count"),)))
        with pytest.raises(UserError, match="no_such_module") as caught:
            executor.collect(timeout=PATIENCE)
    assert "\n" not in str(caught.value)


@proof
def test_a_job_that_nobody_waits_for_is_given_up_and_the_worker_goes_on(cluster: Loopback, tmp_path: Path) -> None:
    """However its driver ended: in order, or killed."""
    script = tmp_path / "driver.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys
            from pathlib import Path
            from benchmark.executors import Job
            from benchmark.executors.cluster import Cluster
            from benchmark.executors.dask import DaskExecutor
            from tests.fake_training import spec
            if __name__ == "__main__":
                executor = DaskExecutor(Cluster(file=Path(sys.argv[1])), "tests.fake_training:train")
                executor.submit(Job((spec("spin", mark=sys.argv[2]),)))
                executor.collect()
            """
        )
    )
    words = [sys.executable, str(script), str(cluster.file), str(tmp_path / "killed")]
    driver = subprocess.Popen(words, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=tmp_path)
    spinning = pid_in(tmp_path / "killed")
    driver.kill()
    driver.wait()
    until(lambda: not alive(spinning))
    with cluster.executor(TRAIN) as executor:
        executor.submit(Job((spec("spin", mark=str(tmp_path / "closed")),)))
        spinning = pid_in(tmp_path / "closed")
    until(lambda: not alive(spinning))
    with cluster.executor(TRAIN) as executor:
        executor.submit(Job((spec("count"),)))
        assert collect_all(executor, 1)[0].results[0].status == "done"


@proof
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_scheduler_that_vanishes_is_one_line_and_workers_wait_for_the_next(
    cluster: Loopback, number: signal.Signals, tmp_path: Path
) -> None:
    scheduler, worker = cluster.running
    with cluster.executor(TRAIN) as executor:
        executor.submit(Job((spec("spin", mark=str(tmp_path / "pid")),)))
        spinning = pid_in(tmp_path / "pid")
        scheduler.send_signal(number)
        scheduler.wait()
        with pytest.raises(UserError, match="is gone.*everything finished is kept") as caught:
            executor.collect(timeout=PATIENCE)
        assert "\n" not in str(caught.value)
    assert not any("gets no work" in line for line in cluster.said), cluster.said
    until(lambda: not alive(spinning))
    cluster.start("scheduler")
    with cluster.executor(TRAIN) as executor:
        executor.submit(Job((spec("count"),)))
        assert collect_all(executor, 1)[0].results[0].status == "done"
    assert worker.poll() is None


@proof
def test_a_scheduler_that_is_done_takes_its_workers_with_it(cluster: Loopback) -> None:
    scheduler, worker = cluster.running
    until(lambda: "serves" in cluster.log.read_text())
    scheduler.send_signal(signal.SIGINT)
    assert (scheduler.wait(PATIENCE), worker.wait(PATIENCE)) == (0, 0)
    assert not cluster.file.exists()
    until_none = subprocess.run(
        [sys.executable, "-m", "benchmark", "worker", "--scheduler-file", str(cluster.file), "--patience", "1"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert until_none.returncode == 2 and "no scheduler answered" in until_none.stderr
    assert until_none.stderr.count("\n") == 1


@proof
def test_strangers_are_not_let_in(cluster: Loopback, tmp_path: Path) -> None:
    """Neither with keys of their own nor with none."""
    until(lambda: "serves" in cluster.log.read_text())
    from distributed import Client

    credentials.make(tmp_path / "own")
    address = json.loads(cluster.file.read_text())["address"]
    assert address.startswith("tls://")
    for security, there in ((credentials.load(tmp_path / "own"), address), (None, address.replace("tls", "tcp"))):
        with pytest.raises(OSError):
            Client(there, security=security, timeout=2, set_as_default=False)


# --- whole studies ----------------------------------------------------------------------------------------------------


@proof
def test_the_evidence_is_that_of_one_machine_through_lost_workers_and_a_killed_driver(
    cluster: Loopback, workspace: Path
) -> None:
    """25 trainings and more; in their midst a worker and the driver are killed, and another worker joins."""
    cluster.start("worker")
    (workspace / "here").mkdir()
    run(workspace / "here")
    record = tiny_study().resolved()
    (workspace / "tiny.yaml").write_text(yaml.safe_dump(record))
    command = [sys.executable, "-m", "benchmark", "sweep", "tiny.yaml", "--scheduler-file", str(cluster.file)]
    journal = workspace / "results" / NAME / "journal.jsonl"

    def finished(count: int) -> bool:
        return journal.exists() and len(journal.read_text().splitlines()) >= count

    with (workspace / "said.txt").open("w") as said:
        driver = subprocess.Popen(command, cwd=workspace, stdout=said, stderr=said)
        until(lambda: finished(3) or driver.poll() is not None, 300)
        cluster.running[1].kill()
        cluster.start("worker")
        until(lambda: finished(8) or driver.poll() is not None, 300)
        driver.kill()
        driver.wait()
    assert 8 <= len(journal_keys(workspace)) < 25
    again = subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert scores(workspace) == scores(workspace / "here")
    assert len(journal_keys(workspace)) == len(set(journal_keys(workspace)))
