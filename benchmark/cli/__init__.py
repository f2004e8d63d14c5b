"""The command line, thin: each verb parses, calls and prints.

What a verb needs is imported inside it, so that `strata --help` is quick. Errors that a person can mend end as one
line on stderr and exit code 2; anything else is a bug and keeps its traceback.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import typer

from benchmark import addresses, guide
from benchmark.cli import cluster, elsewhere, judge, keep, learn, run, serve  # noqa: F401  (each registers its verbs)
from benchmark.cli.app import app
from benchmark.errors import UserError

guide.arrange(app)

# Typer carries a copy of Click in newer versions and imports it in older ones; both show its base class only here.
_ClickException = cast(
    type[Exception], next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")
)


def refuse_shadows() -> None:
    """Refuse to start where a `tasks` of the user's folder would be imported in place of ours. Raises UserError.

    Python puts the current folder first when started with `-m`, and any folder on PYTHONPATH before what is installed.
    The foreign code is located, not run.
    """
    ours = Path(__file__).resolve().parents[2] / "tasks"
    found = importlib.util.find_spec("tasks")
    places = [Path(place).resolve() for place in (found.submodule_search_locations or [])] if found else []
    if ours in places[:1]:
        return
    what = places[0] if places else Path(found.origin or "tasks") if found else None
    if what is None:
        raise UserError("the package 'tasks' that belongs to Strata is missing: install Strata again")
    raise UserError(
        f"{what} hides Strata's own package 'tasks': rename it, or run the command 'strata' in place of"
        " 'python -m benchmark', from another folder or without that folder on PYTHONPATH"
    )


def _line_for(error: OSError) -> str | None:
    """One line for what a person can mend about a disk, else None."""
    where = f" {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"disk full while writing{where or ' results'}: free some space, then give the same command again"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"no permission for{where or ' a file'} ({error.strerror}): choose a folder you may write to"
    return None


_PLAIN = {
    "Value error, ": "",
    "Input should be a valid integer, unable to parse string as an integer": "give a whole number",
    "Input should be a valid number, unable to parse string as a number": "give a number",
}
"""What the library that checks options says, and what a person reads in its place."""


def _plainly(message: str) -> str:
    for said, meant in _PLAIN.items():
        message = message.replace(said, meant)
    return message


def _complain(message: object) -> int:
    print("strata: " + addresses.hidden(" ".join(str(message).split())), file=sys.stderr)
    return 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 2 for an error of the user's, 130 after Ctrl-C."""
    addresses.hide_in_tracebacks()
    try:
        refuse_shadows()
        answer = app(args=None if arguments is None else list(arguments), prog_name="strata", standalone_mode=False)
        sys.stdout.flush()
        return answer if isinstance(answer, int) else 0
    except UserError as error:
        return _complain(error)
    except _ClickException as error:
        return _complain(_plainly(error.format_message()))  # type: ignore[attr-defined]
    except KeyboardInterrupt:
        return 130
    except typer.Abort as error:
        return 130 if isinstance(error.__cause__, KeyboardInterrupt) else 1
    except BrokenPipeError:
        # The reader (`| head`) has left; what is still buffered has nowhere to go, at exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        line = _line_for(error)
        if line is None:
            raise
        return _complain(line)
