"""What happens in one simulated study, by the code that judges a person's."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import tempfile
import textwrap
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import yaml

from benchmark import evidence
from benchmark.analysis.analyse import analyse
from benchmark.analysis.decisions import decisions
from benchmark.analysis.outcome import Contrast
from benchmark.analysis.outline import outline, with_limits
from benchmark.calibration.scenarios import COUNTED, Scenario
from benchmark.calibration.simulate import looks, simulate
from benchmark.judging import judge

CHECKED = 20
"""The first so many studies of a row are also written to a folder and judged by `strata analyse`."""


def happened(scenario: Scenario, index: int) -> list[str]:
    """Names of the counted events that happen in the study with that number, at the look at which its person stops.

    A person stops at the first look that calls any depth better or worse, else at the last one. Raises RuntimeError
    where the verb `strata analyse` on the written files says anything else than the analysis in memory.
    """
    contrasts: Sequence[Contrast] = []
    for seen in looks(scenario, simulate(scenario, index)):
        contrasts = decisions(seen).contrasts
        if index < CHECKED:
            compare(seen, contrasts)
        if any(pair.judged in ("better", "worse") for contrast in contrasts for pair in contrast.pairs):
            break
    return [name for name in scenario.counted if COUNTED[name].happens(scenario, contrasts)]


def compare(seen: evidence.Evidence, contrasts: Sequence[Contrast]) -> None:
    """Hold the contrasts, and the findings around them, against what the command line says of the same evidence in
    files, bit for bit.
    """
    findings = analyse(seen)
    if findings.contrasts != list(contrasts):
        raise RuntimeError(f"{seen.study['name']}: the whole analysis decides otherwise than its deciding part")
    tuned = bool(seen.study.get("tuning"))
    expected = outline(with_limits(findings, tuned), [], [], tuned)
    found = through_files(seen)
    # Files say that nothing was trained with twice the steps; memory has nobody to say it to.
    expected["absent"] = found["absent"]
    if json.dumps(found) != json.dumps(expected):
        parts = [name for name in expected if json.dumps(found.get(name)) != json.dumps(expected[name])]
        raise RuntimeError(
            f"{seen.study['name']}: `strata analyse` on the written files differs from the analysis in memory "
            f"in {', '.join(parts)}"
        )


def through_files(seen: evidence.Evidence) -> dict[str, object]:
    """What `strata analyse FOLDER --json` prints of the evidence, written to a folder as a study writes it."""
    with tempfile.TemporaryDirectory(prefix="strata-calibrate-") as name:
        folder = Path(name)
        evidence.write(folder, seen)
        (folder / "study.yaml").write_text(yaml.safe_dump(dict(seen.study), sort_keys=False))
        return judge(folder).outline


def sources(scenario: Scenario) -> list[str]:
    """Code of whatever decides what happens in a study: the simulator, the analysis, and the events counted.

    Comments and docstrings decide nothing and are left out, so that wording costs nobody a new simulation.
    """
    counted = [_wordless(textwrap.dedent(inspect.getsource(COUNTED[name].happens))) for name in scenario.counted]
    return [_wordless(Path(inspect.getfile(simulate)).read_text(encoding="utf-8")), *_analysis(), *counted]


@lru_cache(maxsize=1)
def _analysis() -> tuple[str, ...]:
    """The modules of the analysis that `decisions` imports, directly or through others, in the order of their names."""
    waiting, found = ["benchmark.analysis.decisions"], dict[str, str]()
    while waiting:
        module = waiting.pop()
        place = None if module in found else importlib.util.find_spec(module)
        if place is None or place.origin is None:
            continue
        text = Path(place.origin).read_text(encoding="utf-8")
        found[module] = _wordless(text)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.module == "benchmark.analysis":
                waiting += [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("benchmark.analysis."):
                waiting.append(str(node.module))
    return tuple(found[module] for module in sorted(found))


def _wordless(text: str) -> str:
    """Python code without comments and docstrings, strings below a field among them."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            body = [part for part in node.body if not _is_words(part)]
            node.body = body or [ast.Pass()]
    return ast.unparse(tree)


def _is_words(part: ast.stmt) -> bool:
    return isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant) and isinstance(part.value.value, str)
