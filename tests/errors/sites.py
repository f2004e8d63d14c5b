"""Where the code says its error lines, found in the syntax tree: a new one is found without being registered."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.conftest import ROOT

HOLE = "…"
"""Stands in a line for what differs from case to case."""

SPEAKERS = {"UserError", "one_line", "TrackingUnavailable"}
"""Calls of `benchmark` that make a line for a person."""
TASK_SPEAKERS = {
    *("SeriesError", "TaskNotFound", "TaskParameterError", "TaskNameClash", "UnreadableSound", "Layout"),
    *("ValueError", "TypeError", "FileNotFoundError", "ModuleNotFoundError", "RuntimeError", "error"),
}
"""Calls of `tasks`, whose refusals the command line passes on; `error` is that of a reader of rows."""
VALIDATORS = ("benchmark/study/", "benchmark/export/predict.py")
"""Where a ValueError is a line too: pydantic hands it on, and `predict.py` knows no UserError."""
SPOKEN = {
    "benchmark/cli/__init__.py": {"_line_for"},
    "benchmark/study/yaml.py": {"_unknown_key"},
    "benchmark/study/fairness.py": {"_tunes_too_little", "_cannot_decide"},
    "benchmark/checks.py": {"check_cells", "check_rows", "_check_json"},
    "tasks/own/checks.py": {"refuse_flat"},
    "tasks/own/columns.py": {"why_no_number"},
    "tasks/own/reading.py": {"_wrong_order"},
    "tasks/own/rows.py": {"_no_time", "_lacks"},
}
"""Functions that make the words of a line which another one raises: what they return, or call `said`."""
OF_NO_PERSON = (
    "has no test split while tuning",
    "has folds 0 to",
    "of single targets is named",
    "do not fit outputs",
    "no model of one step can be fitted",
    "that MERGED in",
)
"""Words of refusals that only a mistake in the code can bring about."""


@dataclass(frozen=True)
class Site:
    """One place that makes a line. `line` is the text with a hole for everything that is filled in."""

    path: str
    number: int
    line: str

    @property
    def words(self) -> str:
        """What of the line is fixed, to tell one that only passes on what another says."""
        return re.sub(r"[^A-Za-z]+", "", self.line.replace(HOLE, ""))


def pattern(line: str) -> re.Pattern[str]:
    """What a line looks like when its holes are filled."""
    return re.compile(".*?".join(re.escape(part) for part in line.split(HOLE)), re.DOTALL)


def _texts(node: ast.AST, constants: dict[str, str]) -> list[str]:
    """The texts that an expression may make."""
    match node:
        case ast.IfExp(body=one, orelse=other):
            return [*_texts(one, constants), *_texts(other, constants)]
        case ast.Lambda(body=body):
            return _texts(body, constants)
        case _:
            return [_text(node, constants)]


def _text(node: ast.AST, constants: dict[str, str]) -> str:
    """The text that an expression makes, with a hole for what is not written there."""
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.JoinedStr(values=values):
            return "".join(_text(value, constants) for value in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left, constants) + _text(right, constants)
        case ast.Name(id=name) if name in constants:
            return constants[name]
        case ast.Attribute(value=ast.Constant() | ast.JoinedStr() as inner, attr="format"):
            return _text(inner, constants)
        case _:
            return HOLE


def _tidy(text: str) -> str:
    text = re.sub(r"\{[^}]*\}", HOLE, " ".join(text.split()))  # what `format` fills
    return re.sub(rf"{HOLE}(\s*{HOLE})+", HOLE, text)


def _name(call: ast.Call) -> str:
    function = call.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _spoken(tree: ast.Module, functions: set[str]) -> Iterator[ast.expr]:
    """What the functions of these names return, or call `said`."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.name in functions:
            for node in ast.walk(function):
                match node:
                    case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Call):
                        yield value
                    case ast.Assign(targets=[ast.Name(id="said")], value=value):
                        yield value


def _expressions(tree: ast.Module, where: str) -> Iterator[ast.expr]:
    """Every expression that makes a line."""
    speakers = TASK_SPEAKERS if where.startswith("tasks/") else SPEAKERS
    if where.startswith(VALIDATORS):
        speakers = speakers | {"ValueError"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node) in speakers and node.args:
            yield node.args[0]
        elif isinstance(node, ast.Call) and _name(node) == "refuse" and len(node.args) == 3:
            yield node.args[2]
    yield from _spoken(tree, SPOKEN.get(where, set()))


def _sites(path: Path) -> Iterator[Site]:
    where = path.relative_to(ROOT).as_posix()
    tree = ast.parse(path.read_text())
    constants = {
        target.id: _text(node.value, {})
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value, ast.Constant | ast.JoinedStr | ast.BinOp)
    }
    for expression in _expressions(tree, where):
        for text in _texts(expression, constants):
            yield Site(where, expression.lineno, _tidy(text))


@cache
def sites() -> tuple[Site, ...]:
    """Every place of `benchmark` and `tasks` that has words for a person."""
    paths = [path for package in ("benchmark", "tasks") for path in sorted((ROOT / package).rglob("*.py"))]
    found = [site for path in paths for site in _sites(path)]
    return tuple(
        site for site in found if len(site.words) > 1 and not any(words in site.line for words in OF_NO_PERSON)
    )
