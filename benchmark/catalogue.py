"""The verb `strata tasks`: every task there is, with what its data cost and what its references reach; or one, in full.

A task whose data cannot be made here (a file or an extra package is missing, the file is half written) is listed with
the reason and hides none of the others.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import io
import itertools
import json
import textwrap
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import tasks
from benchmark.errors import UserError
from benchmark.plan import seed
from benchmark.qualification import shipped_tables
from benchmark.spec import PROTOCOL_VERSION
from benchmark.study.yaml import one_line, override
from tasks import registry
from tasks.task import Split, SplitName, Task

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

SEED = seed("development", "data", "catalogue")
"""Data seed of the references: one that no study uses."""
SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")
NOTES = (
    "dials: parameters that turn the known structure; depth: levels of the generator, not what a network needs",
    "control: depth, width or null where a table in configs/qualified says that the task qualifies, at which setting",
    "trivial, best: mean loss on the test split of a development seed (of fold 0 for folds); -: not known",
    "seconds, MB: of one core to make train, validation and test at the default setting, and the size of their arrays",
)


@dataclass(frozen=True)
class TaskRow:
    """One task at its default setting."""

    name: str
    family: str
    description: str = ""
    dials: dict[str, Any] = field(default_factory=dict)
    known_depth: int | None = None
    control: str = ""
    target: str = ""
    loss: str = ""
    unit: str = ""
    trivial: float | None = None
    best: float | None = None
    seconds: float | None = None
    megabytes: float | None = None
    amount: float | None = None
    """How much of the real thing the three splits hold, in `amount_unit`: seconds of speech, days of market."""
    amount_unit: str = ""
    problem: str = ""
    """Why the task cannot be used here; '' when it can."""


def rows() -> list[TaskRow]:
    """A row for every task, by family and name."""
    found = [_row(name, reference, family) for name, reference, family in _references()]
    return sorted(found, key=lambda row: (row.family, row.name))


def _references() -> list[tuple[str, str, str]]:
    """Name, reference and family of every task; file by file when one of the files spoils the registry."""
    try:
        return [(name, name, str(registry.load(name).family)) for name in registry.names()]
    except (registry.TaskNotFound, registry.TaskNameClash):
        found = []
        for folder in map(Path, tasks.__path__):
            for path in sorted(folder.rglob("*.py")):
                if path.name != "__init__.py" and str(path.relative_to(folder)) not in registry.NOT_TASKS:
                    found += [(name, f"{path}{kind}", path.parent.name) for name, kind in _named_classes(path)]
        return found


def _named_classes(path: Path) -> list[tuple[str, str]]:
    """Task name and `:Class` of every class in a file that states a name; the file itself when it is not valid."""
    try:
        body = ast.parse(path.read_bytes()).body
    except (SyntaxError, ValueError, OSError):
        return [(path.stem, "")]
    found = []
    for kind in (node for node in body if isinstance(node, ast.ClassDef)):
        for line in kind.body:
            match line:
                case ast.AnnAssign(target=ast.Name(id="name"), value=ast.Constant(value=str(name))):
                    found.append((name, f":{kind.name}"))
    return found


def _row(name: str, reference: str, family: str) -> TaskRow:
    try:
        task = registry.create(reference)
        started = time.process_time()  # of this process alone: the machine may have others
        splits = _splits(task)
        seconds = time.process_time() - started
        arrays = [array for split in splits.values() for array in vars(split).values() if array is not None]
        amounts = [amount for split in splits.values() if (amount := task.amount(split)) is not None]
        return TaskRow(
            name=task.name,
            family=task.family,
            description=task.description,
            dials={dial: task.parameters()[dial] for dial in task.dials},
            known_depth=task.known_depth,
            control=_control(task, reference),
            target=task.target,
            loss=task.loss,
            unit=task.unit,
            trivial=task.trivial_loss(splits["train"], splits["test"]),
            best=task.best_loss(splits["test"], SEED),
            seconds=seconds,
            megabytes=sum(array.nbytes for array in arrays) / 1e6,
            amount=sum(number for number, _ in amounts) if amounts else None,
            amount_unit=amounts[0][1] if amounts else "",
        )
    except Exception as error:  # whatever is wrong with one task, the others are there
        told = isinstance(error, registry.TaskNotFound | registry.TaskParameterError) or str(error).startswith(
            f"{name} "
        )
        kind = "" if told else type(error).__name__
        return TaskRow(name=name, family=family, problem=" ".join(f"{kind}: {error}".lstrip(": ").split()))


def _splits(task: Task) -> dict[SplitName, Split]:
    fold = 0 if task.replicates == "folds" else None
    return {name: task.data(name, SEED, fold) for name in SPLITS}


def _control(task: Task, reference: str) -> str:
    """What committed tables say of the task as its source is today, each at its setting; else what it is meant for.

    A candidate that was measured and does not qualify is a dial, and is called no control.
    """
    said = []
    for table in shipped_tables():
        mine = table["task"] == task.name and table["protocol"] == PROTOCOL_VERSION
        if mine and table["digest"] == registry.digest(reference):
            defaults = registry.create(reference).parameters()
            changed = {key: value for key, value in table["parameters"].items() if defaults.get(key) != value}
            kind = table["kind"] if table["qualified"] else f"no {table['kind']} control"
            said.append(f"{kind} ({_setting(changed) or 'default'})")
    if task.control and not any(task.control in one for one in said):
        said.append(f"candidate ({task.control})")
    return "; ".join(sorted(said, key=lambda one: "(default)" not in one))


def _setting(parameters: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in parameters.items())


def _number(value: float | None, digits: int = 3) -> str:
    if not value:
        return "-" if value is None else "0"
    return f"<{10**-digits:g}" if 0 < value < 0.5 * 10**-digits else f"{value:.{digits}f}"


# --- all tasks --------------------------------------------------------------------------------------------------------


ROOM_FOR_COSTS = 100
"""Columns of a terminal below which seconds and megabytes, which depend on the machine, are left out."""


def print_rows(found: Sequence[TaskRow], console: Console) -> None:
    """A table under a heading for each family, what is wrong where something is, and what the columns mean."""
    from rich.text import Text

    headers = ["task, dials", "target", "loss unit", "depth", "control", "trivial", "best", "seconds", "MB"]
    if narrow := console.is_terminal and console.width < ROOM_FOR_COSTS:
        headers = headers[:-2]
    table = _table(*headers)
    width = max((len(row.name) for row in found), default=0) + 2
    # Wrapped here and not by rich, so that dials stay indented and names whole however narrow the console is.
    table.columns[0].no_wrap, table.columns[1].no_wrap = True, not narrow
    table.columns[4].min_width = len("(default)")
    for number, row in enumerate(found):
        if number == 0 or row.family != found[number - 1].family:
            table.add_row(Text(row.family, style="bold"))
        dials = textwrap.wrap(_setting(row.dials), width - 4, break_on_hyphens=False)
        table.add_row(
            *map(Text, ["\n".join([f"  {row.name}", *(f"    {line}" for line in dials)]), *_cells(row)][: len(headers)])
        )
    console.print(table, soft_wrap=False)
    for row in found:
        if row.problem:
            console.print(f"{row.name} cannot be used here: {row.problem}", markup=False)
    for note in NOTES:
        console.print(note, markup=False)


def _cells(row: TaskRow) -> list[str]:
    if row.problem:
        return ["not available", "", "", "", "", "", "", ""]
    depth = "" if row.known_depth is None else str(row.known_depth)
    measured = [_number(row.trivial), _number(row.best), _number(row.seconds, 2), _number(row.megabytes, 1)]
    return [row.target, row.unit, depth, row.control, *measured]


def _speed(row: TaskRow) -> str:
    """What making data yields in a second: `870 seconds of speech`, to two digits, as it depends on the machine."""
    if not row.amount or not row.seconds:
        return ""
    rate = float(f"{row.amount / row.seconds:.2g}")
    return f"{rate:,.0f} {row.amount_unit}"


def _table(*columns: str, right: Iterable[str] = ("depth", "trivial", "best", "seconds", "MB")) -> Table:
    """The project's table, whose long cells of words may go on in the next line."""
    from benchmark.terminal import plain_table

    table, right = plain_table(*columns), set(right)
    for column in table.columns:
        if column.header not in right:
            column.justify, column.no_wrap, column.overflow = "left", False, "fold"
    return table


def markdown(found: Sequence[TaskRow]) -> str:
    """The same as a table for the documentation, with what each task asks for."""
    header = ["task", "what is asked", "dials", "target", "loss unit", "depth", "control"]
    numbers = ["trivial", "best", "seconds", "MB", "in a second"]
    lines = [header + numbers, ["---"] * len(header) + ["---:"] * len(numbers)]
    family = None
    for row in found:
        if row.family != family:
            lines.append([f"**{row.family}**", *[""] * (len(header) + len(numbers) - 1)])
        family = row.family
        cells = _cells(row)
        what = f"not available: {row.problem}" if row.problem else row.description
        measured = [""] * 9 if row.problem else [*cells, _speed(row)]
        lines.append([f"`{row.name}`", what, _setting(row.dials), *measured])
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def show_all(console: Console, *, as_json: bool, as_markdown: bool) -> None:
    """The list of tasks in the form asked for."""
    found = rows()
    if as_json:
        print(json.dumps([dataclasses.asdict(row) for row in found], indent=2))
    elif as_markdown:
        print(markdown(found))
    else:
        print_rows(found, console)


# --- one task ---------------------------------------------------------------------------------------------------------


def show_one(reference: str, changes: Sequence[str], file: Path | None, folder: Path, console: Console) -> None:
    """Everything about one task, and a picture of an example in `file`, by default in `folder`.

    Raises UserError for a task, parameter or file that cannot be.
    """
    if file is not None and file.suffix not in (".png", ".svg"):
        raise one_line(f"--picture is '{file}': give a name that ends in .png or .svg")
    parameters: dict[str, Any] = {}
    for change in changes:
        override(parameters, change)
    try:
        task = registry.create(reference, parameters)
    except (registry.TaskNotFound, registry.TaskNameClash, registry.TaskParameterError) as error:
        raise one_line(str(error)) from None

    from benchmark.terminal import say_document

    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    say_document(console, f"{task.name} ({task.family}): {task.description}\n\n{inspect.getdoc(type(task)) or ''}")
    _print_parameters(task, console)
    try:
        splits = _splits(task)
        lines = _references_of(task, splits["train"], splits["test"], _control(task, reference))
        example = task.example()
    except (OSError, ImportError, ValueError) as error:
        raise one_line(f"task {task.name}: its data cannot be made here: {error}") from None
    say("\n" + "\n".join(lines) + f"\n\nExample\n{textwrap.indent(example, '  ')}\n")
    path = file or folder / f"{task.name}.png"
    say(f"picture: {_write_picture(task, path)}")
    if (sound := task.sound()) is not None:
        rate, samples = sound
        say(f"sound: {_write_sound(path.with_suffix('.wav'), rate, samples)} ({len(samples) / rate:.1f} s)")


def _print_parameters(task: Task, console: Console) -> None:
    from rich.text import Text

    table, meanings = _table("parameter", "default", "set to", "dial", "meaning"), _meanings(type(task))
    for parameter in dataclasses.fields(task):
        name, value = parameter.name, getattr(task, parameter.name)
        default = "" if parameter.default is dataclasses.MISSING else repr(parameter.default)
        changed = "" if repr(value) == default else repr(value)
        dial = "dial" if name in task.dials else ""
        table.add_row(*map(Text, [name, default, changed, dial, meanings.get(name, "")]))
    if task.parameters():
        console.print(table, soft_wrap=False)


def _meanings(kind: type[Task]) -> dict[str, str]:
    """The strings below the fields, which Python itself does not keep, from the source of the class and its bases."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError, SyntaxError):
            continue  # built in, or its file is gone
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
        for line, below in itertools.pairwise(body):
            match line, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[name] = " ".join(text.split())
    return found


def _references_of(task: Task, train: Split, test: Split, control: str) -> list[str]:
    best = task.best_loss(test, SEED)
    losses = {"trivial": task.trivial_loss(train, test)} | dict(task.baselines(train, test))
    lines = [f"Mean loss on the test split of a development seed, in {task.unit}"]
    if task.replicates == "folds":
        lines = [f"Mean loss on the test split of fold 0 of {task.folds}, in {task.unit}"]
    width = max(map(len, [*losses, "best possible"]))
    lines += [f"  {name:<{width}}  {loss:.4f}" for name, loss in losses.items()]
    lines.append(f"  {'best possible':<{width}}  {'not known' if best is None else f'{best + 0.0:.4f}'}")  # no -0
    return [*lines, f"Control: {control}"] if control else lines


def _write_picture(task: Task, path: Path) -> Path:
    from benchmark.pictures import picture

    drawn = picture(task, task.name)
    return _write(path, drawn.svg if path.suffix == ".svg" else drawn.png)


def _write_sound(path: Path, rate: int, samples: np.ndarray) -> Path:
    """A WAV file of 16 bits."""
    from scipy.io import wavfile

    file = io.BytesIO()
    wavfile.write(file, rate, np.round(32767 * np.clip(samples, -1.0, 1.0)).astype(np.int16))
    return _write(path, file.getvalue())


def _write(path: Path, content: bytes) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise UserError(
            f"{path.name} cannot be written to {path.parent} ({error.strerror}): choose another with --picture"
        ) from None
    return path
