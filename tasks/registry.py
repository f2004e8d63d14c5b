"""Find tasks by name or by file, make them from plain parameters, and give each source an identity."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import functools
import hashlib
import importlib
import importlib.util
import inspect
import math
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tasks
from tasks.task import Task

NOT_TASKS = {"registry.py", "losses.py", "memoryless.py", "task.py"}
STATED = ("name", "family", "description", "target", "loss", "unit")


class TaskNotFound(LookupError):
    """A reference names no task; the one line says what there is instead."""


class TaskParameterError(ValueError):
    """A parameter that the task does not have, or a value it cannot take; one line."""


class TaskNameClash(ValueError):
    """Two built-in tasks call themselves the same; one line naming both files."""


def names() -> list[str]:
    """Names of the built-in tasks, sorted: every Task in any file under the `tasks` package.

    Raises TaskNameClash when two have one name, TaskNotFound for a file that cannot be imported or is not complete.
    """
    return sorted(_built_in())


def load(reference: str) -> type[Task]:
    """The task class of a built-in name or of `path/to/file.py:Class`. Raises TaskNotFound."""
    if _names_a_file(reference):
        return _from_file(reference)
    built_in = _built_in()
    if reference not in built_in:
        nearest = difflib.get_close_matches(reference, built_in, n=1, cutoff=0.0)[0]
        raise TaskNotFound(
            f"there is no task named {reference!r}; the nearest is {nearest!r} (all: {', '.join(sorted(built_in))}; "
            f"your own: path/to/file.py:Class)"
        )
    return built_in[reference]


def create(reference: str, parameters: Mapping[str, Any] | None = None) -> Task:
    """The task with its parameters set from plain values, as YAML gives them.

    A whole number is taken for a float, and a list for a tuple. Raises TaskNotFound and TaskParameterError.
    """
    task, parameters = load(reference), parameters or {}
    types_of = _parameter_types(task)
    for name in parameters:
        if name not in types_of:
            nearest = difflib.get_close_matches(str(name), types_of, n=1, cutoff=0.0)
            known = f"the nearest is {nearest[0]!r} (all: {', '.join(types_of)})" if nearest else "it has none"
            raise TaskParameterError(f"task {reference}: there is no parameter {name!r}; {known}")
    try:
        values = {name: _convert(name, value, types_of[name]) for name, value in parameters.items()}
        return task(**values)
    except (TypeError, ValueError) as error:
        raise TaskParameterError(f"task {reference}: {error}") from error


def digest(reference: str) -> str:
    """16 hex digits of the SHA-256 of the source file, and of the files of this package that it imports.

    Nothing is run. Comments, docstrings and formatting do not count: the syntax tree is hashed, and only its node types
    and values are, as these are the same in every supported Python, which `ast.unparse` and `ast.dump` are not.
    The contract itself and what scores a task (`NOT_TASKS`) are the engine's, whose version the protocol has.
    Raises TaskNotFound.
    """
    if _names_a_file(reference):
        path, _ = _split_reference(reference)
    else:
        path = Path(inspect.getsourcefile(load(reference)) or "")
    own, helpers = _digest_of(path), _helpers(path)
    if not helpers:
        return own
    together = [own, *(f"{name} {_digest_of(at)}" for name, at in helpers)]
    return hashlib.sha256("\n".join(together).encode()).hexdigest()[:16]


def _digest_of(path: Path) -> str:
    return hashlib.sha256(repr(_canonical(_parse(_read(path), path))).encode()).hexdigest()[:16]


def _helpers(path: Path) -> list[tuple[str, Path]]:
    """Name and file, in order of names, of every file of the package that a file imports, directly or not."""
    found: dict[str, Path] = {}
    waiting = [path]
    while waiting:
        here = waiting.pop()
        for name, at in _imported(_parse(_read(here), here), here):
            if name not in found and at.resolve() != path.resolve():
                found[name] = at
                waiting.append(at)
    return sorted(found.items())


def _imported(tree: ast.Module, here: Path) -> Iterator[tuple[str, Path]]:
    """Files of the package named by the import statements of one file; `from tasks.own import rows` names rows.py."""
    named: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            named += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = node.module or ""
            if node.level:
                start = ".".join([_package_of(here, node.level), start]).strip(".")
            named += [start, *(f"{start}.{alias.name}" for alias in node.names)]
    for name in named:
        parts = name.split(".")
        if parts[0] != tasks.__name__ or not parts[1:]:
            continue
        for folder in map(Path, tasks.__path__):
            at = folder.joinpath(*parts[1:]).with_suffix(".py")
            if at.is_file() and str(at.relative_to(folder)) not in NOT_TASKS:
                yield name, at


def _package_of(here: Path, level: int) -> str:
    """The package that a relative import of so many dots starts from; '' outside of ours."""
    for folder in map(Path, tasks.__path__):
        if here.resolve().is_relative_to(folder.resolve()):
            inside = here.resolve().relative_to(folder.resolve()).parts[:-level]
            return ".".join([tasks.__name__, *inside])
    return ""


# --- built-in tasks ---------------------------------------------------------------------------------------------------


def _built_in() -> dict[str, type[Task]]:
    found: dict[str, type[Task]] = {}
    for task in _walk():
        if found.setdefault(task.name, task) is not task:
            files = " and ".join(f"{c.__module__.replace('.', '/')}.py" for c in (found[task.name], task))
            raise TaskNameClash(f"two tasks are named {task.name!r}: {files}; rename one")
    return found


def _walk() -> Iterator[type[Task]]:
    for folder in map(Path, tasks.__path__):
        # Files, not packages: a new folder needs no __init__.py for its tasks to be found.
        for path in sorted(folder.rglob("*.py")):
            relative = path.relative_to(folder)
            if path.name == "__init__.py" or str(relative) in NOT_TASKS or any(p[0] == "." for p in relative.parts):
                continue
            try:
                module = importlib.import_module(".".join([tasks.__name__, *relative.with_suffix("").parts]))
            except Exception as error:
                raise TaskNotFound(f"task file {path} cannot be imported: {_one_line(error)}") from error
            for task in _tasks_of(module):
                yield _complete(task, str(path))


def _tasks_of(module: types.ModuleType) -> list[type[Task]]:
    """Tasks defined, not merely imported, in a module: the subclasses of Task that state a name.

    One that states none is taken for a base class; one that does and is not complete is a mistake to be told.
    """
    subclasses = (value for value in vars(module).values() if inspect.isclass(value) and issubclass(value, Task))
    return [value for value in subclasses if value.__module__ == module.__name__ and hasattr(value, "name")]


def _complete(task: type[Task], where: str) -> type[Task]:
    missing = sorted(task.__abstractmethods__) + [stated for stated in STATED if not hasattr(task, stated)]
    if missing:
        raise TaskNotFound(f"task {where}: {task.__name__} is not complete, it lacks {', '.join(missing)}")
    return task


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


# --- a person's own file ----------------------------------------------------------------------------------------------


def _names_a_file(reference: str) -> bool:
    return ".py:" in reference or reference.endswith(".py")


def _split_reference(reference: str) -> tuple[Path, str]:
    path, found, name = reference.rpartition(":") if ".py:" in reference else (reference, "", "")
    if not Path(path).is_file():
        raise TaskNotFound(f"task {reference}: there is no file {path}")
    return Path(path), name


def _from_file(reference: str) -> type[Task]:
    path, name = _split_reference(reference)
    module = _import_file(str(path.resolve()), _read(path))
    there = [task.__name__ for task in _tasks_of(module)]
    offer = f"its tasks: {', '.join(there)}" if there else "it defines no task"
    if not name:
        raise TaskNotFound(f"task {reference}: name the class, as in {path}:{there[0] if there else 'Class'} ({offer})")
    task = getattr(module, name, None)
    if task is None:
        raise TaskNotFound(f"task {reference}: {path} has no class {name} ({offer})")
    if not (inspect.isclass(task) and issubclass(task, Task)):
        raise TaskNotFound(f"task {reference}: {name} is no subclass of tasks.task.Task ({offer})")
    return _complete(task, reference)


@functools.cache
def _import_file(path: str, source: bytes) -> types.ModuleType:
    """Import a file under a name made from its path and content: unchanged, it is the same module again."""
    name = f"strata_task_{hashlib.sha256(path.encode() + source).hexdigest()[:16]}"
    tree = _parse(source, Path(path))
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None and specification.loader is not None  # true of every path that ends in .py
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # dataclasses look their own module up
    try:
        exec(compile(tree, path, "exec"), module.__dict__)
    except Exception as error:
        del sys.modules[name]
        raise TaskNotFound(f"task file {path} cannot be imported: {_one_line(error)}") from error
    return module


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TaskNotFound(f"task file {path} cannot be read: {error.strerror}") from error


def _parse(source: bytes, path: Path) -> ast.Module:
    try:
        return ast.parse(source, filename=str(path))
    except (SyntaxError, ValueError) as error:
        raise TaskNotFound(f"task file {path} is not valid Python: {error}") from error


# --- parameters and identity ------------------------------------------------------------------------------------------


def _parameter_types(task: type[Task]) -> dict[str, Any]:
    hints = typing.get_type_hints(task)
    return {field.name: hints[field.name] for field in dataclasses.fields(task) if field.init}


def _convert(name: str, value: Any, expected: Any) -> Any:
    """The value as the annotated type. Raises TypeError."""
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if origin is typing.Literal:
        if any(value == choice and type(value) is type(choice) for choice in arguments):
            return value
        raise TypeError(f"{name} is {value!r}: it must be one of {', '.join(map(repr, arguments))}")
    if origin in (typing.Union, types.UnionType):
        for choice in arguments:
            try:
                return _convert(name, value, choice)
            except TypeError:
                continue
    elif origin is tuple and isinstance(value, list | tuple):
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_convert(name, item, arguments[0]) for item in value)
        if len(arguments) == len(value):
            return tuple(_convert(name, *pair) for pair in zip(value, arguments, strict=True))
    elif expected is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    elif isinstance(expected, type) and type(value) is expected and expected is not float:
        return value  # compared by type and not isinstance: True is no whole number
    wanted = expected.__name__ if isinstance(expected, type) and not arguments else str(expected)
    raise TypeError(f"{name} is {value!r}: it must be of type {wanted}")


def _canonical(node: Any) -> Any:
    """A syntax tree as nested tuples, without positions, docstrings and fields that only some Pythons have."""
    if isinstance(node, ast.AST):
        kept = ((field, value) for field, value in ast.iter_fields(node) if field not in ("kind", "type_comment"))
        return type(node).__name__, *((field, _canonical(value)) for field, value in kept if value not in (None, []))
    if isinstance(node, list):
        return tuple(_canonical(item) for item in node if not _is_docstring(item))
    return repr(node)


def _is_docstring(node: Any) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
