"""What the page of errors is made of: a row for every line, with its cause and what provokes it."""

from __future__ import annotations

import errno
import importlib.util
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from benchmark import cli
from benchmark.errors import UserError
from benchmark.tracking.store import TrackingUnavailable
from tests.errors.sites import HOLE, sites


class Room:
    """An empty folder that is the current one, the command line in it, and whatever a provocation has to bend."""

    def __init__(self, folder: Path, bend: pytest.MonkeyPatch, captured: pytest.CaptureFixture[str]) -> None:
        self.folder, self.bend, self._captured = folder, bend, captured
        bend.setattr(cli, "app", _application())

    def strata(self, *words: str) -> str:
        """The one line that a command is refused with."""
        self._captured.readouterr()
        code = cli.main(words)
        captured = self._captured.readouterr()
        lines = captured.err.strip().splitlines()
        assert code == 2, f"exit code {code}: {captured.out[-300:]}"
        assert len(lines) == 1 and "Traceback" not in captured.out, lines
        return lines[0].removeprefix("strata: ")

    def write(self, name: str, content: str | bytes) -> None:
        """A file in the folder."""
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


@cache
def _application() -> Any:
    """Built once: building it takes longer than most refusals."""
    return typer.main.get_command(cli.app)


Provocation = Callable[[Room], str]


@dataclass(frozen=True)
class Line:
    """A line by words that are in it and in no other, why a person meets it, and what provokes it.

    `how` is a function, or the names of tests elsewhere that provoke it.
    """

    words: str
    cause: str
    how: Provocation | str
    whole: str = ""
    """The line of a library, which no code here has."""

    @property
    def line(self) -> str:
        """As the page has it: holes for what differs. Raises ValueError where the words are in none, or in several."""
        if self.whole:
            return self.whole
        found = {site.line for site in sites() if self.words in site.line}
        if self.words in found:
            return self.words
        if len(found) != 1:
            raise ValueError(f"{self.words!r} is in {len(found)} lines: {sorted(found)}")
        return found.pop()


@dataclass(frozen=True)
class Group:
    """Lines that are met at one place."""

    title: str
    about: str
    lines: tuple[Line, ...]


def command(line: str, **files: str | bytes) -> Provocation:
    """A command of Strata, with files that lie in its folder: `_` stands for the point of a name."""

    def provoke(room: Room) -> str:
        for name, content in files.items():
            room.write(name.replace("__", "/").replace("_", "."), content)
        return room.strata(*shlex.split(line))

    return provoke


def python(call: Callable[[], object]) -> Provocation:
    """A call of the public names, which a notebook would see fail."""

    def provoke(room: Room) -> str:
        with pytest.raises((UserError, TrackingUnavailable, ValueError, OSError, ImportError, RuntimeError)) as error:
            call()
        return str(error.value)

    return provoke


def dial(task: str, **parameters: Any) -> Provocation:
    """A dial of a task set to what it cannot be."""
    from benchmark import size

    return python(lambda: size(task=task, task_parameters=parameters, depths=[1, 2], budget=3000))


def closed(name: str, then: Provocation) -> Provocation:
    """With a file of that name that the system does not let anybody read, though it is there."""

    def provoke(room: Room) -> str:
        def refuse(read: Callable[..., Any]) -> Callable[..., Any]:
            def answer(path: Path, *given: Any, **named: Any) -> Any:
                if path.name == name:
                    raise PermissionError(errno.EACCES, "Permission denied", str(path))
                return read(path, *given, **named)

            return answer

        for method in ("read_bytes", "read_text"):
            room.bend.setattr(Path, method, refuse(getattr(Path, method)))
        return then(room)

    return provoke


def without(module: str, then: Provocation) -> Provocation:
    """As if a package were not installed."""

    def provoke(room: Room) -> str:
        find = importlib.util.find_spec
        room.bend.setitem(sys.modules, module, None)
        room.bend.setattr(importlib.util, "find_spec", lambda name: None if name == module else find(name))
        return then(room)

    return provoke


def page(groups: tuple[Group, ...]) -> str:
    """The page in markdown."""
    parts = [
        "# Every error line, and what to do",
        "What a person can mend ends as one line, `strata: what is wrong, and where: what to do`, and exit code 2. "
        "Nothing half-written is left behind: give the corrected command, and it goes on. Anything that ends in a "
        "traceback is a fault of Strata.",
        f"Find your line by a few of its words; {HOLE} stands for what differs from case to case. What stands here is "
        "made from the code: `python -m tests.errors` writes the page anew, and `tests/errors/test_errors.py` "
        "provokes every line.",
    ]
    for group in groups:
        rows = "\n".join(f"| `{_cell(one.line)}` | {_cause(one)} |" for one in group.lines)
        parts.append(f"## {group.title}\n\n{group.about}\n\n| line | why, and what helps |\n|---|---|\n{rows}")
    return "\n\n".join(parts) + "\n"


SHARED = {
    "ctc": "formants_ctc, espeak_ctc, timit",
    "formant_corpus": "formants, formants_ctc",
    "spoken": "espeak, espeak_ctc",
    "voice": "espeak, espeak_ctc",
    "walk_forward": "equity_variance, oil_variance, vix_change, direction",
    "characters": "text",
    "copy_memory": "copy",
}
"""Tasks whose dials a module checks that bears another name."""


def _cause(line: Line) -> str:
    """The cause, or the tasks that say the line."""
    if line.cause:
        return line.cause
    modules = sorted({Path(site.path).stem for site in sites() if site.line == line.line})
    names = ", ".join(SHARED.get(module, module) for module in modules).split(", ")
    return ", ".join(f"`{name}`" for name in sorted(set(names)))


def _cell(line: str) -> str:
    return line.replace("`", "'").replace("|", "\\|")
