"""What every verb prints through: one console, plain tables, paragraphs. Read on a terminal or later in a log.

A terminal is kept to its own width. A log has none: sentences are filled to 100 columns, tables are never cut, and
there is no colour, no bar and nothing that is overwritten.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

LOG_COLUMNS = 100
UNCUT = 1000
"""Columns that no table of ours needs."""


def make_console(*, quiet: bool = False, stderr: bool = False) -> Console:
    """A console for whole sentences. `quiet`: it prints nothing. `stderr`: stdout is kept for JSON."""
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(
        width=None if terminal else LOG_COLUMNS, highlight=False, soft_wrap=not terminal, quiet=quiet, stderr=stderr
    )


def warn(console: Console, text: str) -> None:
    """Say what a person must know even where everything else is kept quiet: then on stderr."""
    (make_console(stderr=True) if console.quiet else console).print(text, markup=False)


def plain_table(*columns: str) -> Table:
    """A table that reads well in a log: no frame, first column to the left, which alone may be broken into lines."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(
            column, justify="right" if index else "left", no_wrap=index > 0, overflow="ellipsis" if index else "fold"
        )
    return table


def print_plain(table: Table, console: Console) -> None:
    """Print a table: fitted to a terminal, uncut in a log."""
    if not console.is_terminal:
        table.width = console.measure(table, options=console.options.update(max_width=UNCUT)).maximum
    console.print(table)


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, left: Sequence[str] = ()) -> None:
    """Print right-aligned columns (those named in `left` to the left) with a rule under the header on a terminal."""
    from rich.box import SIMPLE_HEAD

    console = Console(width=None if sys.stdout.isatty() else UNCUT, highlight=False)
    table = Table(box=SIMPLE_HEAD, pad_edge=False) if console.is_terminal else Table(box=None, padding=(0, 3, 0, 0))
    for name in header:
        table.add_column(name, justify="left" if name in left else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def say(console: Console, text: str, mark: str = "", style: str = "") -> None:
    """A paragraph; with a `mark`, further lines stand under its first word."""
    lines = textwrap.fill(
        text, console.width, initial_indent=mark, subsequent_indent=" " * len(mark), break_on_hyphens=False
    )
    console.print(lines, markup=False, style=style or None)


def say_document(console: Console, text: str) -> None:
    """A docstring: on a terminal its paragraphs fill the width, lists and drawings stay as they are written."""
    for part in text.split("\n\n"):
        as_written = any(line[:1] in (" ", "-", "*", "|", "+") for line in part.splitlines())
        if console.is_terminal and not as_written:
            say(console, " ".join(part.split()))
        else:
            console.print(part, markup=False, soft_wrap=True)
        console.print()


def workers_said(workers: int) -> str:
    """`1 worker`, `8 workers`; 0 is this process."""
    return f"{max(1, workers)} worker{'s' * (workers > 1)}"
