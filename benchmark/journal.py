"""The commit point: what is in the journal happened, and everything else can be made again from it.

One JSON object a line, appended in a single write and synced before `append` returns. Every record has a `kind`:
`result` carries `spec` and `result` beside whatever the driver adds; `forgotten` takes results back by their keys;
other kinds (`frozen`, `look`, `retry`, ...) are the driver's own. Python's JSON keeps every bit of a float, and writes
infinity and NaN as `Infinity` and `NaN`.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from filelock import FileLock, SoftFileLock, Timeout

from benchmark.errors import UserError
from benchmark.spec import RunResult, RunSpec


class Journal:
    """An append-only file of records, all of it in memory too. One process at a time: hold `study_lock`."""

    def __init__(self, path: Path, file: int) -> None:
        """Use `Journal.open`. `file` is a descriptor opened for appending."""
        self.path = path
        self._file = file
        self._lines: list[tuple[str, bytes]] = []  # kind and line: parsed, they take five times the memory
        self._results: dict[str, tuple[RunSpec, RunResult]] = {}
        self._failures: Counter[str] = Counter()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read the journal, or create it with its folder.

        A last record that a crash left incomplete was never committed and is cut off. Raises UserError when the file
        cannot be opened, and naming the line when a complete one cannot be read.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            journal = cls(path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644))
        except OSError as error:
            raise UserError(f"cannot open the journal {path}: {error.strerror}") from error
        try:
            journal._recover(path.read_bytes())
        except BaseException:
            journal.close()
            raise
        return journal

    @classmethod
    def read(cls, path: Path) -> Self:
        """What is committed so far, and no file touched: a sweep may be writing it at this moment.

        Nothing can be appended. Raises UserError as `open` does.
        """
        journal = cls(path, -1)
        try:
            journal._load(path.read_bytes())
        except OSError as error:
            raise UserError(f"cannot read the journal {path}: {error.strerror}") from error
        return journal

    def append(self, record: Mapping[str, Any]) -> None:
        """Commit one record: after the return it survives a crash of the program and of the machine.

        Plain JSON types only (TypeError otherwise). Raises UserError when the disk is full; whatever goes wrong, the
        file and the memory hold what they held before.
        """
        self.extend([record])

    def extend(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Commit several records in order, synced once; as `append` otherwise.

        A crash meanwhile may leave the first ones, as if they had been appended one by one.
        """
        lines = [json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in records]
        entries = [_parse(line) for line in lines]
        size = os.fstat(self._file).st_size
        try:
            for line in lines:
                rest = line
                while rest := rest[os.write(self._file, rest) :]:
                    pass  # a short write means an almost full disk: the next one says so
            os.fsync(self._file)
        except BaseException as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, size)
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise UserError(
                    f"disk full while writing {self.path}: free space and run the same command again; "
                    "nothing finished is lost"
                ) from error
            raise
        for line, entry in zip(lines, entries, strict=True):
            self._take(line, *entry)

    def records(self) -> Iterator[dict[str, Any]]:
        """All records in the order they were appended, as fresh objects, exactly as a later `open` would give them."""
        return (json.loads(line) for _, line in self._lines)

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """The records of one kind, in order."""
        return [json.loads(line) for of, line in self._lines if of == kind]

    def results(self) -> dict[str, tuple[RunSpec, RunResult]]:
        """The result that stands for each key: the latest that did not fail, or a failed one where there is no other.
        Treat as read-only.
        """
        return dict(self._results)

    def standing(self, key: str) -> RunResult:
        """The result that stands for a key that has one."""
        return self._results[key][1]

    def failures(self) -> dict[str, int]:
        """How many attempts failed, for each key with any."""
        return dict(self._failures)

    def forget(self, keys: Iterable[str]) -> None:
        """Let these results stand no longer: what was written stays written, and they can be trained again."""
        self.append({"kind": "forgotten", "keys": list(keys)})

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _load(self, content: bytes) -> bytes:
        """Take the complete lines; returns the beginning of a last one that is not complete, if there is any."""
        committed, _, torn = content.rpartition(b"\n")
        for number, line in enumerate(committed.split(b"\n") if committed else [], start=1):
            try:
                self._take(line, *_parse(line))
            except ValueError as error:
                raise UserError(
                    f"line {number} of {self.path} is damaged ({error}): restore the file from a copy; or delete that "
                    "line, and the same command trains again what it held"
                ) from error
        return torn

    def _recover(self, content: bytes) -> None:
        torn = self._load(content)
        if torn:
            os.ftruncate(self._file, len(content) - len(torn))
            with contextlib.suppress(ValueError):  # it lacks no more than the end of the line: then it is whole
                self.append(json.loads(torn))
        os.fsync(self._file)
        _sync_folder(self.path.parent)

    def _take(self, line: bytes, kind: str, pair: tuple[RunSpec, RunResult] | None) -> None:
        self._lines.append((kind, line))
        if kind == "forgotten":
            for forgotten in json.loads(line)["keys"]:
                self._results.pop(forgotten, None)
        if pair is None:
            return
        key, status = pair[1].key, pair[1].status
        if status == "failed":
            self._failures[key] += 1
        if status != "failed" or key not in self._results or self._results[key][1].status == "failed":
            self._results[key] = pair


def _parse(line: bytes) -> tuple[str, tuple[RunSpec, RunResult] | None]:
    """The kind of a record, and what it says when it is a result. Raises ValueError saying what is wrong with it."""
    try:
        record = json.loads(line)
    except ValueError:
        raise ValueError("not JSON") from None
    if not isinstance(record, dict) or not isinstance(record.get("kind"), str):
        raise ValueError("a record without a kind")
    if record["kind"] != "result":
        return record["kind"], None
    try:
        spec, result = RunSpec.from_dict(record["spec"]), RunResult.from_dict(record["result"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"a result of another version of Strata? {error}") from None
    if spec.key != result.key:
        raise ValueError(f"its result has the key {result.key}, its spec {spec.key}")
    return "result", (spec, result)


def _sync_folder(folder: Path) -> None:
    """A new file's name is as durable as its folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def study_lock(folder: Path) -> Iterator[None]:
    """Hold the study against a second driver. Raises UserError at once when another process holds it.

    The operating system holds the lock, so it ends with its process, however that ends; the file stays behind, and its
    content, the process number, is for people.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "lock"
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        holder = path.read_text().split("\n")[0].strip() or "unknown"
        raise UserError(
            f"another sweep of this study is running (process {holder}): wait until it ends, or stop it first; "
            f"it holds {path}"
        ) from None
    try:
        if not isinstance(lock, SoftFileLock):  # where the file system has no locks, filelock writes the number itself
            path.write_text(f"{os.getpid()}\n")
        yield
    finally:
        lock.release()
