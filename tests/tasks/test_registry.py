import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import tasks
from tasks import registry
from tasks.registry import TaskNameClash, TaskNotFound, TaskParameterError

SOURCE = '''
"""A task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from tasks.task import Split, Task


@dataclass(frozen=True)
class Base(Task):
    family: ClassVar[str] = "example"


@dataclass(frozen=True)
class Sum(Base):
    """Sum of noise."""

    name: ClassVar[str] = "NAME"
    description: ClassVar[str] = "the sum of what was seen"
    target: ClassVar = "sequence"
    loss: ClassVar = "squared_error"
    unit: ClassVar[str] = "squared units"

    inputs: int = 1
    outputs: int = 1
    time: int = 5
    scale: float = 1.0
    kind: Literal["normal", "uniform"] = "normal"
    sizes: tuple[int, ...] = (16, 8)
    limit: float | None = None

    def data(self, split, seed, fold=None):
        noise = np.random.default_rng(seed).normal(size=(16, self.time, 1)).astype(np.float32)  # a comment
        return Split(noise * self.scale, noise.sum(1))

    def trivial_loss(self, train, split):
        return float(split.targets.var())

    def example(self, seed=0):
        return "1 + 2 = 3"
'''


@pytest.fixture
def drop_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is part of the `tasks` package while the test runs."""
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(tmp_path)])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("tasks."):
            del sys.modules[name]


@pytest.fixture
def own_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(SOURCE.replace("NAME", "mine"))
    return path


# --- finding ----------------------------------------------------------------------------------------------------------


def test_a_file_dropped_into_a_new_folder_is_found_with_no_other_edit(drop_in: Path) -> None:
    before = registry.names()
    (drop_in / "weather").mkdir()
    (drop_in / "weather" / "rain.py").write_text(SOURCE.replace("NAME", "rain"))
    assert registry.names() == sorted([*before, "rain"])
    assert registry.create("rain", {"time": 7}).data("train", 0).inputs.shape == (16, 7, 1)
    assert registry.digest("rain") != registry.digest(before[0])


def test_two_tasks_with_one_name_are_refused(drop_in: Path) -> None:
    for folder in ("clash_a", "clash_b"):
        (drop_in / folder).mkdir()
        (drop_in / folder / "rain.py").write_text(SOURCE.replace("NAME", "rain"))
    with pytest.raises(TaskNameClash, match=r"'rain': tasks/clash_a/rain.py and tasks/clash_b/rain.py"):
        registry.names()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("import numpy as np", "import numpyy as np", "broken.py cannot be imported: ModuleNotFoundError"),
        ("def example", "def exampel", "Sum is not complete, it lacks example"),
        ("    unit: ", "    units: ", "Sum is not complete, it lacks unit"),
    ],
)
def test_a_broken_file_is_named_and_not_passed_over(drop_in: Path, old: str, new: str, message: str) -> None:
    (drop_in / "broken.py").write_text(SOURCE.replace(old, new))
    with pytest.raises(TaskNotFound, match=message) as caught:
        registry.names()
    assert "\n" not in str(caught.value)


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(TaskNotFound, match="no task named 'formant'; the nearest is 'formants'"):
        registry.load("formant")
    with pytest.raises(TaskNotFound, match="nearest"):
        registry.load("")


# --- a person's own file ----------------------------------------------------------------------------------------------


def test_a_file_of_ones_own_is_loaded_and_is_the_same_class_again(
    own_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = registry.load(f"{own_file}:Sum")
    assert kind.name == "mine" and np.isfinite(kind().data("train", 3).targets).all()
    monkeypatch.chdir(own_file.parent)
    assert registry.load("mine.py:Sum") is kind
    own_file.write_text(own_file.read_text().replace("time: int = 5", "time: int = 6"))
    assert registry.load("mine.py:Sum")().time == 6
    assert "mine" not in registry.names()


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nowhere.py:Sum", "there is no file nowhere.py"),
        ("mine.py:Product", r"mine.py has no class Product \(its tasks: Sum\)"),
        ("mine.py", "name the class, as in mine.py:Sum"),
        ("mine.py:", "name the class, as in mine.py:Sum"),
        ("mine.py:Split", "Split is no subclass of tasks.task.Task"),
        ("mine.py:np", "np is no subclass of tasks.task.Task"),
        ("mine.py:Base", "Base is not complete, it lacks data, example"),
        ("wrong.py:Sum", "not valid Python"),
        ("raises.py:Sum", "raises.py cannot be imported: ZeroDivisionError: division by zero"),
    ],
)
def test_what_a_file_does_not_hold_is_said_in_one_line(
    own_file: Path, monkeypatch: pytest.MonkeyPatch, reference: str, message: str
) -> None:
    monkeypatch.chdir(own_file.parent)
    Path("wrong.py").write_text("class Sum(:\n")
    Path("raises.py").write_text("1 / 0\n")
    with pytest.raises(TaskNotFound, match=message) as caught:
        registry.load(reference)
    assert "\n" not in str(caught.value)
    assert not [
        name for name in sys.modules if name.startswith("strata_task_") and not hasattr(sys.modules[name], "Sum")
    ]


# --- parameters -------------------------------------------------------------------------------------------------------


def test_plain_values_become_the_annotated_types(own_file: Path) -> None:
    made = registry.create(f"{own_file}:Sum", {"scale": 2, "sizes": [3, 4], "limit": 1, "kind": "uniform"})
    assert made.parameters() == {
        "inputs": 1, "outputs": 1, "time": 5, "scale": 2.0, "kind": "uniform", "sizes": (3, 4), "limit": 1.0,
    }  # fmt: skip
    assert type(made.parameters()["scale"]) is float
    assert registry.create(f"{own_file}:Sum", {"limit": None}) == registry.create(f"{own_file}:Sum")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"tiem": 3}, "no parameter 'tiem'; the nearest is 'time'"),
        ({"name": "x"}, "no parameter 'name'"),
        ({"time": 2.0}, "time is 2.0: it must be of type int"),
        ({"time": True}, "time is True: it must be of type int"),
        ({"scale": "2"}, "scale is '2': it must be of type float"),
        ({"scale": False}, "scale is False: it must be of type float"),
        ({"scale": float("nan")}, "scale is nan: it must be of type float"),
        ({"kind": "exponential"}, "kind is 'exponential': it must be one of 'normal', 'uniform'"),
        ({"sizes": [1, "b"]}, "sizes is 'b': it must be of type int"),
        ({"sizes": 3}, "sizes is 3: it must be of type tuple"),
        ({"limit": "no"}, "limit is 'no': it must be of type float | None"),
    ],
)
def test_a_bad_parameter_is_refused_in_one_line(own_file: Path, parameters: dict, message: str) -> None:
    with pytest.raises(TaskParameterError) as caught:
        registry.create(f"{own_file}:Sum", parameters)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("formants", {"speakers": 4}), ("formants", {"noise": -1.0}), ("equity_variance", {"window": 10})],
)
def test_a_value_that_the_task_refuses_is_a_parameter_error(name: str, parameters: dict) -> None:
    with pytest.raises(TaskParameterError, match=f"task {name}: .*{next(iter(parameters))}"):
        registry.create(name, parameters)


# --- identity ---------------------------------------------------------------------------------------------------------


def test_comments_docstrings_and_formatting_are_not_identity(own_file: Path) -> None:
    reference = f"{own_file}:Sum"
    before = registry.digest(reference)
    assert len(before) == 16 and int(before, 16) >= 0
    source = own_file.read_text()
    same = source.replace("  # a comment", "").replace('"""Sum of noise."""', '"""The sum\n    of noise."""')
    same = same.replace("Split(noise * self.scale, noise.sum(1))", "(Split(noise\n  * self.scale,\n  noise.sum( 1 )))")
    assert same != source
    own_file.write_text("# new\n" + same)
    assert registry.digest(reference) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("= 5", "= 6"),
        ("scale: float = 1.0", "scale: float = 1"),
        ("noise.sum(1)", "noise.sum(0)"),
        ('"1 + 2 = 3"', '""'),
        ("noise * self", "noise / self"),
        ("limit: float | None = None", "limit: float | None = 0"),
    ],
)
def test_whatever_runs_is_identity(own_file: Path, old: str, new: str) -> None:
    before = registry.digest(f"{own_file}:Sum")
    own_file.write_text(own_file.read_text().replace(old, new))
    assert registry.digest(f"{own_file}:Sum") != before


def test_a_digest_is_taken_without_running_the_file(own_file: Path) -> None:
    own_file.write_text("raise SystemExit\n")
    assert registry.digest(f"{own_file}:Sum")


def test_the_files_of_the_package_that_a_task_imports_are_identity(
    own_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Directly or through another, by any form of import; the contract and other packages are not followed."""
    package = tmp_path / "more_tasks"
    (package / "sound").mkdir(parents=True)
    inner, outer = package / "sound" / "inner.py", package / "outer.py"
    inner.write_text("a = 1\n")
    outer.write_text("from tasks.sound.inner import a\n")
    monkeypatch.setattr(registry.tasks, "__path__", [str(package)])
    alone, plain = registry.digest(f"{own_file}:Sum"), own_file.read_text()
    found = set()
    for imported in ("import tasks.outer", "from tasks import outer", "from tasks.outer import a"):
        own_file.write_text(f"{plain}\n{imported}\n")
        before = registry.digest(f"{own_file}:Sum")
        inner.write_text("a = 2\n")
        assert registry.digest(f"{own_file}:Sum") != before, imported
        inner.write_text("a = 1  # the same\n")
        assert registry.digest(f"{own_file}:Sum") == before
        found.add(before)
    assert alone not in found
    own_file.write_text(plain + "\nimport tasks\nimport numpy.linalg\n")
    (package / "task.py").write_text("changed = 1\n")
    assert registry._helpers(own_file) == [], "the contract is the engine's"


def test_relative_imports_inside_the_package_are_followed() -> None:
    here = Path(registry.tasks.__path__[0]) / "own" / "series.py"
    for source in ("from . import rows", "from .rows import x", "from ..own import rows"):
        tree = registry._parse(source.encode(), here)
        assert [name for name, _ in registry._imported(tree, here)] == ["tasks.own.rows"], source


def test_a_digest_does_not_depend_on_how_a_python_prints_its_trees() -> None:
    """Made with Python 3.11, to fail wherever another version's digest differs: f-strings, decorators, empty fields.

    A change here orphans every committed qualification table.
    """
    source = b'''
@d(1)
class A:
    """Doc."""
    x: int = 1
    def f(self, *, a=f"{1!r:>{2}} {3}'", **rest):
        return None, -1e-3, b"b", a[1:, ...], 1j
'''
    canonical = repr(registry._canonical(registry._parse(source, Path("a.py"))))
    assert hashlib.sha256(canonical.encode()).hexdigest()[:16] == "daea0ac15cae3a5e"
