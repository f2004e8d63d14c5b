"""A web server of another project as a child process: a free port, an end with all its children, and its last words."""

from __future__ import annotations

import errno
import http.client
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmark.errors import UserError

HOST = "127.0.0.1"
PATIENCE = 300.0
"""Seconds until a server that neither answers nor ends is given up: ten seconds of work take minutes at times."""


@dataclass(frozen=True)
class Server:
    """A server that answers."""

    name: str
    address: str
    process: subprocess.Popen[bytes]
    log: IO[bytes]

    def wait(self) -> None:
        """Stay until the person ends it. Raises UserError when it ends by itself."""
        code = self.process.wait()
        raise UserError(f"{self.name} ended by itself with code {code}: {last_line(self.log)}")


@contextmanager
def started(
    name: str, command: Sequence[str], port: int, folder: Path, settings: Mapping[str, str], path: str
) -> Iterator[Server]:
    """Run `command` in `folder` until the block is left; inside it the server answers at `path`.

    Raises UserError when it does not start.
    """
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            # A folder of the workspace must not be imported in a library's place.
            env={**os.environ, "PYTHONSAFEPATH": "1", **settings},
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # a group of its own, so that all of it can be ended, and Ctrl-C reaches only us
        )
        server = Server(name, f"http://{HOST}:{port}", process, log)
        try:
            wait_until_healthy(server, port, path)
            yield server
        finally:
            end(process)


def choose_port(asked: int | None, ports: range) -> int:
    """The port asked for, or the first free one of `ports`. Raises UserError when it is taken, or none is free."""
    if asked is not None:
        if (reason := refused(asked)) is not None:
            raise UserError(f"port {asked} cannot be used ({reason}): choose another with --port, or leave --port out")
        return asked
    for port in ports:
        if refused(port) is None:
            return port
    raise UserError(f"no port from {ports[0]} to {ports[-1]} is free: choose one with --port")


def refused(port: int) -> str | None:
    """Why nothing can listen on the port; None when it is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: one that just ended is free
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return "another program uses it" if error.errno == errno.EADDRINUSE else str(error.strerror)
        except OverflowError:
            return "ports go from 1 to 65535"
    return None


@contextmanager
def interrupts_end_here() -> Iterator[None]:
    """Ctrl-C, a closed terminal and `kill` leave the block in order; nothing is printed but a new line."""
    # What is ignored stays so: `nohup`, or a shell's background job.
    ends = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, signal.default_int_handler) for number in ends}
    try:
        yield
    except KeyboardInterrupt:
        print()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end(process: subprocess.Popen[bytes]) -> None:
    """End the server's whole group, by force where asking does not help: its web worker outlives a deaf browser."""
    number: int
    for number, patience in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 1.0)):
        deadline = time.monotonic() + patience
        while group_lives(process, number):
            if time.monotonic() > deadline:
                break
            number = 0
            time.sleep(0.05)
        else:
            return


def group_lives(process: subprocess.Popen[bytes], number: int) -> bool:
    """Send a signal (0: none) to the server's group, and say whether there was one."""
    process.poll()  # collects the leader, which would count as alive until then
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return False
    return True


def wait_until_healthy(server: Server, port: int, path: str) -> None:
    """Return when the server answers. Raises UserError with its last line when it ended or stays silent."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise UserError(f"{server.name} did not start: {last_line(server.log)}")
        if healthy(port, path):
            return
        time.sleep(0.1)
    raise UserError(f"{server.name} did not answer within {PATIENCE:.0f} seconds: {last_line(server.log)}")


def healthy(port: int, path: str = "/health") -> bool:
    """Whether the server answers, asked without the proxy that the environment may name."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def last_line(log: IO[bytes]) -> str:
    """The last thing that the server said."""
    # Not through the file object: the server writes where its position is.
    lines = os.pread(log.fileno(), 1_000_000, 0).decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
