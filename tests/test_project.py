"""The project as a newcomer meets it: a wheel that runs anywhere, a Makefile that explains itself, pinned versions."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from benchmark import __version__, shipped
from benchmark.errors import UserError
from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAKEFILE = (ROOT / "Makefile").read_text()


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", *arguments]
    subprocess.run([*command], check=True, env={**os.environ, "PIP_NO_INDEX": "1"})


def sources(package: str) -> set[str]:
    return {str(path.relative_to(ROOT)) for path in (ROOT / package).rglob("*.py")}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources and unpacked into an empty folder."""
    room = tmp_path_factory.mktemp("wheel")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.so")
    for name in ("benchmark", "tasks", "configs"):
        shutil.copytree(ROOT / name, room / "source" / name, ignore=ignored)
    for name in ("pyproject.toml", "LICENSE", "README.md"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, room / "source")
    # A task in a folder of its own, as someone might drop it in: nothing but the file is there.
    (room / "source" / "tasks" / "dropped").mkdir()
    (room / "source" / "tasks" / "dropped" / "__init__.py").write_text('"""New."""\n')
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(room), str(room / "source"))
    (wheel,) = room.glob("*.whl")
    assert wheel.name.startswith(f"strata_lstm-{__version__}-")  # of this machine's kind: it may carry the kernel
    pip("install", "--no-deps", "--target", str(room / "installed"), str(wheel))
    return room / "installed"


def run_installed(installed: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_wheel_holds_the_kernel_where_a_compiler_is(installed: Path) -> None:
    assert list((installed / "benchmark").glob("_recurrence*.so")) or shutil.which("cc") is None


def test_the_wheel_holds_every_source_and_every_configuration(installed: Path) -> None:
    there = {str(path.relative_to(installed)) for path in installed.rglob("*.py")}
    assert sources("benchmark") | sources("tasks") | {"tasks/dropped/__init__.py"} == there - {"bin/strata"}
    configs = ROOT / "configs"
    shipped_files = [*configs.glob("*.yaml"), *configs.glob("*.json"), *configs.glob("qualified/*.json")]
    assert {str(path.relative_to(configs)) for path in shipped_files} == {
        str(path.relative_to(installed / "benchmark" / "configs"))
        for path in (installed / "benchmark" / "configs").rglob("*.*")
    }


def test_the_wheel_runs_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    size = ["size", "--inputs", "8", "--outputs", "1", "--budget", "6000"]
    for command in (["-m", "benchmark"], [str(installed / "bin" / "strata")]):
        done = run_installed(installed, tmp_path, *command, *size)
        assert done.returncode == 0, done.stderr
        assert "total state" in done.stdout
    where = "from benchmark import shipped; print(shipped.folder()); print(*shipped.configurations())"
    folder, names = run_installed(installed, tmp_path, "-c", where).stdout.splitlines()
    assert Path(folder) == installed.resolve() / "benchmark" / "configs"
    assert names.split() == shipped.configurations()
    assert list(tmp_path.iterdir()) == []


def test_shipped_studies_are_found_by_name() -> None:
    assert {"laptop", "smoke", "full"} <= set(shipped.configurations())
    assert shipped.configuration("laptop") == shipped.configuration("laptop.yaml") == ROOT / "configs" / "laptop.yaml"
    for name in ("laptpo", "../configs/laptop", ""):
        with pytest.raises(UserError, match="laptop"):
            shipped.configuration(name)


def test_make_alone_prints_every_target_with_its_help() -> None:
    done = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True)
    joined = MAKEFILE.replace("\\\n", "")
    declared = re.findall(r"^\.PHONY: (.*)$", joined, flags=re.MULTILINE)[0].split()
    defined = re.findall(r"^([a-z][\w-]*):", joined, flags=re.MULTILINE)
    assert sorted(declared) == sorted(defined)
    assert {"setup", "sweep", "plan", "status", "test", "lint", "ui", "report", "clean"} <= set(declared)
    for target in declared:
        assert re.search(rf"^  {target} +\S", done.stdout, flags=re.MULTILINE), f"no help for '{target}'"


def test_every_target_that_needs_the_environment_makes_it() -> None:
    for target, needs in re.findall(r"^([a-z][\w-]*):([^#\n]*)", MAKEFILE, flags=re.MULTILINE):
        assert (".venv/.ok" in needs) == (target not in ("help", "ci")), target


def test_constraints_pin_every_dependency_and_leave_torch_to_the_machine() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pinned = {}
    for line in lines:
        match = re.fullmatch(r"([\w.-]+)==([\w.]+)", line)
        assert match, f"constraints.txt: '{line}' is not an exact public version"
        pinned[match[1].lower().replace("_", "-")] = match[2]
    optional = PROJECT["project"]["optional-dependencies"]
    for requirement in PROJECT["project"]["dependencies"] + optional["dev"] + optional["browser"]:
        name = re.match(r"[\w.-]+", requirement)
        assert name is not None
        assert (name[0].lower() in pinned) == (name[0] not in ("torch", "setuptools")), name[0]
    # Some versions of torch allow only certain versions of these: a pin here would force another torch on a machine.
    assert not {"torch", "setuptools", "sympy", "mpmath", "networkx", "triton"} & set(pinned)
    torch = (ROOT / "constraints-cpu.txt").read_text()
    assert re.search(r"^torch==[\d.]+$", torch, flags=re.MULTILINE)


def test_the_version_is_one() -> None:
    assert PROJECT["project"]["version"] == __version__


def test_the_checks_script_runs_lint_tests_proofs_and_a_browser() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert re.findall(r"^make --no-print-directory ([\w-]+)", script.read_text(), flags=re.MULTILINE) == [
        "lint",
        "test",
        "proofs",
        "test-triton",
        "test-browser",
        "test-cluster",
        "scale",
    ]
