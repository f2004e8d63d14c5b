"""The notes on the verdict, on the experiment and on a comparison, in markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from benchmark.analysis.findings import Findings
from benchmark.analysis.outcome import Contrast

NOTE = "mlflow.note.content"
"""MLflow's tag for the description of a run or an experiment."""
LENGTH = 7500
"""Characters. MLflow cuts a run's tag at 8000."""
_PAIRS = ("depth", "difference from depth 1", "interval", "p")


def note(findings: Findings) -> str:
    """The answer as markdown: headline, controls, a row per pair of depths, limits."""
    lines = [findings.headline, ""]
    lines += [text for text in (findings.controls_line, findings.exploratory) if text and text != findings.headline]
    lines += ["", *_verdicts(findings.contrasts)]
    scale = " or ".join(dict.fromkeys(c.score for c in findings.contrasts)) or "skill"
    lines += ["", f"Differences are in {scale}; {findings.look.seeds} seeds; {findings.trainings} trainings.", ""]
    lines += [f"- {limit}" for limit in findings.notes]
    lines += ["", "The whole report is the artifact `report.html` of the run `verdict`."]
    return _cut("\n".join(lines))


def partial_note(findings: Findings, standing: Sequence[Sequence[str]]) -> str:
    """What stands while a study runs: comparisons that are complete, and `standing`, a header and rows on tuning."""
    complete = [contrast for contrast in findings.contrasts if contrast.pairs]
    waiting = len(findings.contrasts) - len(complete)
    lines = [
        f"**Partial: {len(complete)} of {len(findings.contrasts)} comparisons have all their trainings.** "
        "Controls are not judged yet, and whatever is here may change until all is in. Decide nothing by it, and do "
        "not stop the study on it."
    ]
    if complete:
        lines += ["", *_verdicts(complete)]
    if waiting:
        lines += ["", f"{waiting} more: no test score is shown before all depths have theirs."]
    if len(standing) > 1:
        lines += ["", "Best on validation so far, where tuning looks for a setting:", "", *_table(*standing)]
    return _cut("\n".join(lines))


def contrast_note(contrast: Contrast) -> str:
    """One comparison: its sentence, and a row per pair of depths."""
    lines = [f"{contrast.sentence}.", "", *_table(_PAIRS, *_pairs(contrast))] if contrast.pairs else [contrast.reason]
    return _cut("\n".join(lines))


def _verdicts(contrasts: Iterable[Contrast]) -> list[str]:
    rows = []
    for contrast in contrasts:
        names = [contrast.task, contrast.role, f"**{contrast.verdict}**"]
        if contrast.match != "parameters":
            names[0] += f", equal {contrast.match}"
        if contrast.variant != "plain":
            names[0] += f", {contrast.variant}"
        why = contrast.reason
        for pair in _pairs(contrast):
            rows.append([*names, *pair, why])
            names, why = ["", "", ""], ""
    return _table(("task", "role", "verdict", *_PAIRS, "why"), *rows)


def _pairs(contrast: Contrast) -> Iterator[list[str]]:
    for pair in contrast.pairs:
        depth = f"{pair.depth} (A/A)" if pair.replica else str(pair.depth)
        interval = f"[{_bound(pair.low, '−∞')}, {_bound(pair.high, '∞')}]"
        p = "" if pair.p_adjusted is None else f"{pair.p_adjusted:.3f}"
        yield [depth, _bound(pair.difference, "none"), interval, p]


def _table(header: Sequence[str], *rows: Sequence[str]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |"

    return [line(header), "|" + "---|" * len(header), *map(line, rows)]


def _bound(value: float | None, absent: str) -> str:
    return absent if value is None else f"{value:+.3f}"


def _cut(text: str) -> str:
    if len(text) <= LENGTH:
        return text
    return text[:LENGTH].rsplit("\n", 1)[0] + "\n\n(Cut here: the rest is in `report.html` of the run `verdict`.)"
