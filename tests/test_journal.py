from __future__ import annotations

import errno
import json
import math
import os
import resource
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.errors import UserError
from benchmark.journal import Journal, study_lock
from benchmark.spec import RunResult, RunSpec, failed
from tests.fake_training import spec

REPOSITORY = Path(__file__).parent.parent


def result_record(one: RunSpec, result: RunResult, **study: object) -> dict[str, Any]:
    return {"kind": "result", "spec": one.to_dict(), "result": result.to_dict(), **study}


def done(one: RunSpec, loss: float = 0.5) -> RunResult:
    curves = [(10, "train/loss", -1, loss), (20, "layer/timescale", 1, math.inf)]
    return RunResult(key=one.key, status="done", test_loss=loss, curves=curves, blocks=[("June", loss, 3)])


def written(path: Path, *records: Mapping[str, Any]) -> bytes:
    with Journal.open(path) as journal:
        for record in records:
            journal.append(record)
    return path.read_bytes()


def read(path: Path) -> list[dict[str, Any]]:
    with Journal.open(path) as journal:
        return list(journal.records())


# --- what goes in comes out ---------------------------------------------------------------------------------------


def test_records_survive_and_the_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "results" / "study" / "journal.jsonl"
    records: list[dict[str, Any]] = [
        {"kind": "frozen", "family": ["a", "b"]},
        {"kind": "look", "number": 1},
        {"kind": "look", "number": 2},
    ]
    with Journal.open(path) as journal:
        for record in records:
            journal.append(record)
        assert list(journal.records()) == records
        assert journal.of_kind("look") == records[1:]
        assert journal.of_kind("retry") == []
    with Journal.open(path) as journal:
        assert list(journal.records()) == records
        journal.append({"kind": "retry"})
    assert read(path) == [*records, {"kind": "retry"}]
    assert len(path.read_bytes().splitlines()) == 4


def test_several_records_are_committed_together_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, syncs, real = tmp_path / "journal.jsonl", list[int](), os.fsync

    def counted(file: int) -> None:
        syncs.append(file)
        real(file)

    with Journal.open(path) as journal:
        monkeypatch.setattr(os, "fsync", counted)
        journal.extend(result_record(one, done(one)) for one in (spec("a"), spec("b")))
        assert len(syncs) == 1 and set(journal.results()) == {spec("a").key, spec("b").key}
        with pytest.raises(TypeError):
            journal.extend([{"kind": "look", "seeds": 1}, {"kind": "look", "seeds": {1}}])
        assert len(list(journal.records())) == 2
        assert journal.standing(spec("a").key) == done(spec("a"))
    assert len(read(path)) == 2


def test_memory_holds_what_a_later_run_will_read(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal.open(path) as journal:
        given_away = {"kind": "look", "pair": (1, 2), "by depth": {1: "a"}}
        journal.append(given_away)
        given_away["kind"] = "changed afterwards"
        next(journal.records())["kind"] = "changed by a reader"
        assert list(journal.records()) == read(path) == [{"kind": "look", "pair": [1, 2], "by depth": {"1": "a"}}]


@given(values=st.lists(st.floats(width=64), min_size=1))
def test_floats_keep_every_bit(values: list[float], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    one = spec("count")
    result = RunResult(
        key=one.key, status="done", test_loss=values[0], curves=[(i, "m", -1, v) for i, v in enumerate(values)]
    )
    written(path, result_record(one, result))
    with Journal.open(path) as journal:
        back_spec, back = journal.results()[one.key]
    assert back_spec == one
    assert back_spec.key == one.key
    assert bits(back.test_loss) == bits(values[0])
    assert [bits(row[3]) for row in back.curves] == [bits(value) for value in values]
    assert [row[:3] for row in back.curves] == [row[:3] for row in result.curves]


def bits(value: float | None) -> bytes:
    """All NaNs are one: JSON has no room for their payload."""
    assert value is not None
    return b"NaN" if math.isnan(value) else struct.pack("<d", value)


# --- results and failures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("reopened", [False, True])
def test_the_latest_result_that_did_not_fail_stands(tmp_path: Path, reopened: bool) -> None:
    path = tmp_path / "journal.jsonl"
    first, second, third = (spec("count", i) for i in range(3))
    journal = Journal.open(path)
    for record in [
        result_record(first, failed(first.key, "worker died (signal 9)")),
        result_record(first, done(first, 0.1), arm="delay/L2"),
        result_record(first, done(first, 0.2)),
        result_record(first, failed(first.key, "late")),
        result_record(second, failed(second.key, "once")),
        result_record(second, failed(second.key, "twice")),
        result_record(third, RunResult(key=third.key, status="diverged")),
    ]:
        journal.append(record)
    if reopened:
        journal.close()
        journal = Journal.open(path)
    results = journal.results()
    assert {key: (one.key, result.key) for key, (one, result) in results.items()} == {
        one.key: (one.key, one.key) for one in (first, second, third)
    }
    assert results[first.key] == (first, done(first, 0.2))
    assert results[second.key][1].error == "twice"
    assert results[third.key][1].status == "diverged"
    assert journal.failures() == {first.key: 2, second.key: 2}
    assert journal.of_kind("result")[1]["arm"] == "delay/L2"


@pytest.mark.parametrize(
    "record",
    [
        {"no": "kind"},
        {"kind": 3},
        {"kind": "result"},
        result_record(spec("count", 1), done(spec("count", 2))),
    ],
)
def test_a_record_that_could_not_be_read_back_is_not_written(tmp_path: Path, record: dict[str, Any]) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal.open(path) as journal, pytest.raises(ValueError):
        journal.append(record)
    assert path.read_bytes() == b""


# --- crashes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "stride"),
    [
        ({"kind": "look", "arm": "délai", "values": [1.5e-7, math.inf, None, {"deep": "}"}]}, 1),
        (result_record(spec("count"), done(spec("count"))), 23),
    ],
)
def test_a_record_torn_at_any_byte_is_as_if_never_written(
    last: dict[str, Any], stride: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.jsonl"
    whole = written(path, {"kind": "frozen"}, last)
    records = read(path)
    monkeypatch.setattr(os, "fsync", lambda file: None)  # hundreds of them; what a file holds does not depend on it
    start = whole.index(b"\n") + 1
    for end in {*range(start, len(whole) + 1, stride), len(whole) - 2, len(whole) - 1, len(whole)}:
        path.write_bytes(whole[:end])
        committed = 2 if end >= len(whole) - 1 else 1  # it may lack the end of the line, but nothing of the record
        with Journal.open(path) as journal:
            assert list(journal.records()) == records[:committed], end
            journal.append({"kind": "retry"})
        assert read(path) == [*records[:committed], {"kind": "retry"}], end


@given(tail=st.binary(min_size=1).filter(lambda tail: b"\n" not in tail))
def test_whatever_a_lost_machine_left_behind_the_last_record(
    tail: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    whole = written(path, {"kind": "look"})
    path.write_bytes(whole + tail + b"\0" * 7)
    assert read(path) == [{"kind": "look"}]
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda line: line[: len(line) // 2], "not JSON"),
        (lambda line: b"\0" * len(line), "not JSON"),
        (lambda line: b"", "not JSON"),
        (lambda line: b"\xff" + line, "not JSON"),
        (lambda line: b'["kind"]', "without a kind"),
        (lambda line: line.replace(b'"width":8', b'"width":9'), "its result has the key"),
        (lambda line: line.replace(b'"width"', b'"breadth"'), "another version"),
        (lambda line: line.replace(b'"done"', b"done"), "not JSON"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, damage: Callable[[bytes], bytes], reason: str) -> None:
    path = tmp_path / "journal.jsonl"
    record = result_record(spec("count"), done(spec("count")))
    lines = written(path, {"kind": "look"}, record, {"kind": "look"}).split(b"\n")
    lines[1] = damage(lines[1])
    path.write_bytes(b"\n".join(lines))
    before = path.read_bytes()
    with pytest.raises(UserError, match=reason) as caught:
        Journal.open(path)
    assert str(caught.value).startswith(f"line 2 of {path} is damaged")
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


def test_a_journal_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot open the journal .*: Is a directory"):
        Journal.open(tmp_path)


def test_a_driver_killed_at_any_moment_keeps_all_that_was_committed(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    code = """
import sys
from pathlib import Path
from benchmark.journal import Journal
journal = Journal.open(Path(sys.argv[1]))
number = sum(1 for _ in journal.records())
while True:
    journal.append({"kind": "look", "number": number, "filling": "x" * 100_000})
    print(number, flush=True)
    number += 1
"""
    committed = -1
    for _ in range(4):
        driver = subprocess.Popen(
            [sys.executable, "-c", code, str(path)],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )  # fmt: skip
        assert driver.stdout is not None
        for _ in range(5):
            driver.stdout.readline()
        driver.kill()
        rest, _ = driver.communicate()
        committed = max([committed + 5, *map(int, rest.split())])
        numbers = [record["number"] for record in read(path)]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) > committed
        committed = numbers[-1]


# --- full disks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("fails_in", ["write", "second write", "sync"])
def test_a_full_disk_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, fails_in: str) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal.open(path)
    journal.append({"kind": "look", "number": 1})
    before = path.read_bytes()
    real_write, sizes = os.write, []

    def full(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    def nearly_full(file: int, content: bytes) -> int:
        sizes.append(len(content))
        return real_write(file, content[:7]) if len(sizes) == 1 else full()

    with monkeypatch.context() as patch:
        if fails_in == "sync":
            patch.setattr(os, "fsync", full)
        else:
            patch.setattr(os, "write", full if fails_in == "write" else nearly_full)
        with pytest.raises(UserError) as caught:
            journal.append({"kind": "look", "number": 2})
    assert str(caught.value) == (
        f"disk full while writing {path}: free space and run the same command again; nothing finished is lost"
    )
    assert path.read_bytes() == before
    assert list(journal.records()) == [{"kind": "look", "number": 1}]
    journal.append({"kind": "look", "number": 3})
    journal.close()
    assert [record["number"] for record in read(path)] == [1, 3]


def test_a_write_that_the_system_cuts_short_leaves_no_trace(tmp_path: Path) -> None:
    """The real thing, by a limit on the size of files: the kernel writes a part of the record and refuses the rest."""
    path = tmp_path / "journal.jsonl"
    with Journal.open(path) as journal:
        journal.append({"kind": "look"})
        before = path.read_bytes()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, limits[1]))
        try:
            with pytest.raises(OSError) as caught:
                journal.append({"kind": "look", "filling": "x" * 1000})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert caught.value.errno == errno.EFBIG
        assert path.read_bytes() == before
        journal.append({"kind": "retry"})
    assert read(path) == [{"kind": "look"}, {"kind": "retry"}]


def test_a_record_is_one_write_and_then_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, bytes]] = []
    real_write, real_sync = os.write, os.fsync

    def write(file: int, content: bytes) -> int:
        calls.append(("write", content))
        return real_write(file, content)

    def sync(file: int) -> None:
        calls.append(("sync", b""))
        real_sync(file)

    with Journal.open(tmp_path / "journal.jsonl") as journal:
        monkeypatch.setattr(os, "write", write)
        monkeypatch.setattr(os, "fsync", sync)
        journal.append({"kind": "look", "filling": "x" * 1_000_000})
    assert [name for name, _ in calls] == ["write", "sync"]
    assert json.loads(calls[0][1])["kind"] == "look"
    assert calls[0][1].endswith(b"\n")


# --- the lock -----------------------------------------------------------------------------------------------------

HOLD = """
import sys
from pathlib import Path
from benchmark.journal import study_lock
with study_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(folder: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


@pytest.mark.parametrize("end", [signal.SIGKILL, None])
def test_one_sweep_of_a_study_at_a_time(tmp_path: Path, end: signal.Signals | None) -> None:
    folder = tmp_path / "results" / "study"
    holder = hold(folder)
    for _ in range(2):  # the first refusal must not have wiped the holder's number
        with pytest.raises(UserError) as caught, study_lock(folder):
            pass
        assert str(caught.value).startswith(f"another sweep of this study is running (process {holder.pid})")
        assert "\n" not in str(caught.value)
    with study_lock(tmp_path / "results" / "another"):
        pass
    if end:
        holder.send_signal(end)
    holder.communicate()
    with study_lock(folder):
        assert (folder / "lock").read_text() == f"{os.getpid()}\n"
        with pytest.raises(UserError, match=f"process {os.getpid()}"), study_lock(folder):
            pass
    hold(folder).communicate()


def test_a_sweep_that_fails_gives_the_lock_back(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), study_lock(tmp_path):
        raise ZeroDivisionError
    with study_lock(tmp_path):
        pass
