from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmark.errors import UserError
from benchmark.executors import Executor, Job, LocalExecutor, Outcome, SerialExecutor
from tests import fake_training
from tests.fake_training import spec
from tests.loopback import loopback

REPOSITORY = Path(__file__).parent.parent
TRAIN = "tests.fake_training:train"
PATIENCE = 60.0  # seconds until a test that waits for another process gives up


def until(condition: Callable[[], bool], patience: float = PATIENCE) -> None:
    give_up = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """A zombie is dead: its parent, the test machine's init perhaps, has only not looked yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def pid_in(mark: Path) -> int:
    until(lambda: mark.exists() and mark.read_text() != "")
    return int(mark.read_text())


def collect_all(executor: Executor, jobs: int) -> list[Outcome]:
    outcomes: list[Outcome] = []
    while len(outcomes) < jobs:
        fresh = executor.collect(timeout=PATIENCE)
        assert fresh, "nothing came back"
        outcomes += fresh
    return outcomes


# --- the contract: what every executor must pass ------------------------------------------------------------------


@pytest.fixture(scope="module")
def local() -> Iterator[LocalExecutor]:
    with LocalExecutor(2, TRAIN) as executor:
        yield executor


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Executor]:
    with loopback(tmp_path_factory.mktemp("cluster"), workers=2) as cluster:
        until(lambda: cluster.log.read_text().count("serves") == 2)
        with cluster.executor(TRAIN) as executor:
            yield executor


DASK = pytest.param("dask", marks=pytest.mark.proof)
"""A scheduler and two workers take some seconds to start."""


@pytest.fixture(params=["serial", "local", DASK])
def executor(request: pytest.FixtureRequest) -> Executor:
    if request.param == "serial":
        return SerialExecutor(fake_training.train)
    shared: Executor = request.getfixturevalue(request.param)  # start-up is slow; every test leaves it empty
    return shared


@pytest.fixture(params=["local", DASK])
def processes(request: pytest.FixtureRequest) -> Executor:
    """Two worker processes, here or on a cluster."""
    shared: Executor = request.getfixturevalue(request.param)
    return shared


def test_each_job_comes_back_once_also_beyond_the_capacity(executor: Executor) -> None:
    jobs = [Job((spec("count", i), spec("count", 100 + i))) for i in range(executor.capacity + 5)]
    for job in jobs:
        executor.submit(job)
    outcomes = collect_all(executor, len(jobs))
    assert sorted(jobs.index(outcome.job) for outcome in outcomes) == list(range(len(jobs)))
    for outcome in outcomes:
        assert [result.key for result in outcome.results] == [one.key for one in outcome.job.specs]
        assert [result.status for result in outcome.results] == ["done", "done"]
        assert [result.test_loss for result in outcome.results] == [int(one.key, 16) / 3 for one in outcome.job.specs]
        assert outcome.checkpoints == {}
    assert executor.collect() == []


def test_segments_hand_checkpoints_over(executor: Executor) -> None:
    one = spec("count")
    executor.submit(Job((one,), until=40))
    [first] = collect_all(executor, 1)
    assert (first.results, first.checkpoints) == ([], {one.key: b"40"})
    executor.submit(Job((one,), checkpoints=first.checkpoints))
    [second] = collect_all(executor, 1)
    assert second.results[0].versions["started"] == "40"
    assert second.checkpoints == {}


def test_an_exception_is_a_failed_result_with_its_traceback(executor: Executor) -> None:
    bad = Job((spec("raise"), spec("count")), checkpoints={spec("raise").key: b"10"})
    executor.submit(bad)
    executor.submit(Job((spec("count", 1),)))
    by_job = {len(outcome.job.specs): outcome for outcome in collect_all(executor, 2)}
    assert [result.status for result in by_job[1].results] == ["done"]
    assert [result.key for result in by_job[2].results] == [one.key for one in bad.specs]
    for result in by_job[2].results:
        assert result.status == "failed"
        assert result.error is not None
        assert "in _act" in result.error
        assert result.error.endswith("ZeroDivisionError: the loss of nothing\n")


def test_an_answer_that_leaves_a_spec_out_is_a_failure(executor: Executor) -> None:
    executor.submit(Job((spec("forget"), spec("count"))))
    [outcome] = collect_all(executor, 1)
    assert [result.status for result in outcome.results] == ["failed", "failed"]
    assert "answered for" in (outcome.results[0].error or "")


def test_nothing_outstanding_returns_at_once(executor: Executor) -> None:
    assert executor.collect() == []
    assert executor.collect(timeout=0) == []


@pytest.mark.parametrize("make", [lambda: SerialExecutor(fake_training.train), lambda: LocalExecutor(2, TRAIN)])
def test_close_is_final_and_may_be_called_twice(make: Callable[[], Executor]) -> None:
    with make() as executor:
        executor.submit(Job((spec("count"),)))
        executor.close()
        executor.close()
        assert executor.collect() == []
        with pytest.raises(RuntimeError, match="closed"):
            executor.submit(Job((spec("count"),)))


def test_equal_results_everywhere(processes: Executor) -> None:
    serial = SerialExecutor(fake_training.train)
    for executor in (serial, processes):
        executor.submit(Job((spec("count"),)))
    [here], [there] = serial.collect(), collect_all(processes, 1)
    assert here.results[0].test_loss == there.results[0].test_loss
    assert here.job == there.job


# --- worker processes ---------------------------------------------------------------------------------------------


def test_workers_are_long_lived(processes: Executor) -> None:
    jobs = 8
    for i in range(jobs):
        processes.submit(Job((spec("count", i),)))
    assert len({outcome.results[0].versions["pid"] for outcome in collect_all(processes, jobs)}) <= processes.capacity


def test_workers_start_with_one_thread_and_the_driver_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with LocalExecutor(1, TRAIN) as executor:
        executor.submit(Job((spec("count"),)))
        assert collect_all(executor, 1)[0].results[0].versions["threads"] == "1"
    assert (os.environ["OMP_NUM_THREADS"], os.environ.get("MKL_NUM_THREADS")) == ("7", None)


def test_a_timeout_gives_nothing_and_loses_nothing(processes: Executor, tmp_path: Path) -> None:
    processes.submit(Job((spec("wait", file=str(tmp_path / "go")),)))
    assert processes.collect(timeout=0) == []
    assert processes.collect(timeout=0.05) == []
    (tmp_path / "go").touch()
    assert collect_all(processes, 1)[0].results[0].status == "done"


def test_a_killed_worker_costs_only_its_own_job(processes: Executor, tmp_path: Path) -> None:
    victim, bystander = (
        Job((spec("spin", mark=str(tmp_path / "pid")),)),
        Job((spec("wait", file=str(tmp_path / "go")),)),
    )
    processes.submit(victim)
    processes.submit(bystander)
    os.kill(pid_in(tmp_path / "pid"), signal.SIGKILL)
    [outcome] = collect_all(processes, 1)
    assert outcome.job == victim
    assert [(result.status, result.error) for result in outcome.results] == [("failed", "worker died (signal 9)")]
    processes.submit(Job((spec("count", 1),)))  # runs in a fresh worker while the other still waits
    [again] = collect_all(processes, 1)
    assert again.results[0].status == "done"
    (tmp_path / "go").touch()
    [saved] = collect_all(processes, 1)
    assert (saved.job, saved.results[0].status) == (bystander, "done")


def test_a_training_that_ends_its_process_is_a_failure(processes: Executor) -> None:
    for task in ("die", "exit"):
        processes.submit(Job((spec(task),)))
    errors = {outcome.job.specs[0].task: outcome.results[0].error for outcome in collect_all(processes, 2)}
    assert errors == {"die": "worker died (signal 9)", "exit": "worker died (exit code 3)"}


def test_a_worker_killed_while_idle_costs_nothing() -> None:
    with LocalExecutor(1, TRAIN) as executor:
        executor.submit(Job((spec("count"),)))
        pid = int(collect_all(executor, 1)[0].results[0].versions["pid"])
        os.kill(pid, signal.SIGKILL)
        until(lambda: pid not in [child.pid for child in multiprocessing.active_children()])  # all its threads gone
        executor.submit(Job((spec("count"),)))
        assert collect_all(executor, 1)[0].results[0].status == "done"


def test_a_job_over_its_time_limit_is_killed(processes: Executor, tmp_path: Path) -> None:
    processes.submit(Job((spec("spin", mark=str(tmp_path / "pid")), spec("count")), time_limit=0.5))
    processes.submit(Job((spec("count", 1),), time_limit=PATIENCE))
    outcomes = {len(outcome.job.specs): outcome for outcome in collect_all(processes, 2)}
    assert {result.error for result in outcomes[2].results} == {"time limit of 0.5 s reached"}
    assert outcomes[1].results[0].status == "done"
    assert not alive(pid_in(tmp_path / "pid"))


def test_close_leaves_no_process_not_even_a_stubborn_one(tmp_path: Path) -> None:
    executor = LocalExecutor(2, TRAIN)
    for name in ("stubborn", "spin"):
        executor.submit(Job((spec(name, mark=str(tmp_path / name)),)))
    while not all((tmp_path / name).exists() for name in ("stubborn", "spin")):
        assert executor.collect(timeout=0.05) == []
    pids = [pid_in(tmp_path / name) for name in ("stubborn", "spin")]
    assert all(map(alive, pids))
    executor.close()
    assert not any(map(alive, pids))


@pytest.mark.parametrize(
    ("content", "words"),
    [("import a_module_that_is_not_there", "a_module_that_is_not_there"), ("import os; os.abort()", "signal 6")],
)
def test_workers_that_cannot_start_are_an_error(
    content: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad_training.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    with LocalExecutor(2, "bad_training:train", log=tmp_path / "logs" / "workers.log") as executor:
        for i in range(3):
            executor.submit(Job((spec("count", i),)))
        with pytest.raises(UserError, match=words) as caught:
            executor.collect(timeout=PATIENCE)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "logs" / "workers.log") in str(caught.value)
    assert "bad_training.py" in (tmp_path / "logs" / "workers.log").read_text()


def test_workers_speak_to_the_log_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "workers.log"
    log.write_text("from before\n")
    with LocalExecutor(1, TRAIN, log=log) as executor:
        executor.submit(Job((spec("print"),)))
        collect_all(executor, 1)
    assert log.read_text() == "from before\nprinted\nsaid on stderr\nsaid on stdout\n"
    assert capfd.readouterr() == ("", "")


TORCH_TRAINING = """
import os, torch
from benchmark.spec import RunResult

def train(specs, until, checkpoints):
    tiny = torch.tensor([1e-40]) * 1.0
    if specs[0].task == "raise":
        torch.cuda.is_initialized = lambda: True
        raise RuntimeError("CUDA error: device-side assert triggered")
    versions = {"threads": str(torch.get_num_threads()), "denormal": str(tiny.item()), "pid": str(os.getpid())}
    return [RunResult(key=one.key, status="done", versions=versions) for one in specs], {}
"""


def test_torch_has_one_thread_and_no_denormals_and_a_poisoned_gpu_gets_a_fresh_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch_training.py").write_text(TORCH_TRAINING)
    monkeypatch.syspath_prepend(tmp_path)
    with LocalExecutor(1, "torch_training:train") as executor:
        for task in ("count", "raise", "count"):
            executor.submit(Job((spec(task),)))
        before, poisoned, after = (outcome.results[0] for outcome in collect_all(executor, 3))
    assert (before.versions["threads"], before.versions["denormal"]) == ("1", "0.0")
    assert "device-side assert" in (poisoned.error or "")
    assert after.versions["pid"] != before.versions["pid"]
    assert (after.versions["threads"], after.versions["denormal"]) == ("1", "0.0")


# --- the driver's end ---------------------------------------------------------------------------------------------


StartDriver = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def start_driver(tmp_path: Path) -> Iterator[StartDriver]:
    """Start a driver of its own, in its own process group, with `tmp_path` as `folder`; leave nothing of it behind."""
    drivers: list[subprocess.Popen[str]] = []
    head = """
        import multiprocessing, signal, sys
        from pathlib import Path
        from tests.fake_training import spec
        from benchmark.executors import Job, LocalExecutor
        folder = Path(sys.argv[1])
        if __name__ == "__main__":
    """

    def start(body: str) -> subprocess.Popen[str]:
        script = tmp_path / "driver.py"
        script.write_text(textwrap.dedent(head) + textwrap.indent(textwrap.dedent(body), "    "))
        drivers.append(
            subprocess.Popen(
                [sys.executable, str(script), str(tmp_path)],
                env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
                start_new_session=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return drivers[-1]

    yield start
    for driver in drivers:
        with contextlib.suppress(ProcessLookupError):  # the usual end: the whole group is gone
            os.killpg(driver.pid, signal.SIGKILL)
        driver.communicate()


def test_no_worker_outlives_a_killed_driver(start_driver: StartDriver, tmp_path: Path) -> None:
    driver = start_driver(
        """
        executor = LocalExecutor(2, "tests.fake_training:train")
        executor.submit(Job((spec("spin", mark=str(folder / "busy")),)))
        executor.submit(Job((spec("count", mark=str(folder / "idle")),)))
        while True:
            executor.collect()
        """,
    )
    workers = [pid_in(tmp_path / name) for name in ("busy", "idle")]
    assert all(map(alive, workers))
    driver.kill()
    driver.wait()
    until(lambda: not any(map(alive, workers)))


def test_an_exiting_driver_that_forgot_to_close_leaves_no_worker(start_driver: StartDriver, tmp_path: Path) -> None:
    driver = start_driver(
        """
        executor = LocalExecutor(1, "tests.fake_training:train")
        executor.submit(Job((spec("spin", mark=str(folder / "busy")),)))
        while not (folder / "busy").exists():
            executor.collect(timeout=0.05)
        """,
    )
    driver.communicate(timeout=PATIENCE)
    assert not alive(pid_in(tmp_path / "busy"))


def test_ctrl_c_reaches_the_driver_and_no_worker(start_driver: StartDriver, tmp_path: Path) -> None:
    driver = start_driver(
        """
        signal.signal(signal.SIGINT, lambda *_: (folder / "interrupted").touch())
        with LocalExecutor(1, "tests.fake_training:train") as executor:
            executor.submit(Job((spec("wait", mark=str(folder / "pid"), file=str(folder / "go")),)))
            (folder / "started").write_text(str(multiprocessing.active_children()[0].pid))
            [outcome] = executor.collect()
            result = outcome.results[0]
            print(result.status, result.versions["pid"])
        """,
    )
    worker = pid_in(tmp_path / "started")
    os.killpg(driver.pid, signal.SIGINT)  # a worker that is starting
    until((tmp_path / "interrupted").exists)
    assert pid_in(tmp_path / "pid") == worker
    os.killpg(driver.pid, signal.SIGINT)  # a worker that is training
    (tmp_path / "go").touch()
    output, messages = driver.communicate(timeout=PATIENCE)
    assert (output, messages) == (f"done {worker}\n", "")
