"""Does the instrument see what is there, and nothing where nothing is? (PROTOCOL 19)"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any, Literal

from benchmark.analysis import sentences
from benchmark.analysis.family import judged_match
from benchmark.analysis.findings import Control
from benchmark.analysis.kinds import Role
from benchmark.analysis.outcome import Contrast, Pair

Kind = Literal["depth", "width", "null", "A/A"]
KINDS: dict[Role, Kind] = {"depth control": "depth", "width control": "width", "null control": "null", "A/A": "A/A"}
FACTOR = 2
"""How far a budget may lie from the nearest one at which controls of every kind were seen."""
PASSED = "the instrument sees depth, sees width, and sees nothing where nothing is"


def controls(contrasts: Sequence[Contrast], study: Mapping[str, Any]) -> list[Control]:
    """One row per control contrast at equal parameters. `undecided` is not passed.

    "By two margins" is judged on the estimated difference, with its interval off zero.
    """
    qualifications = study.get("state", {}).get("qualifications") or {}
    controlled = {task["label"]: task.get("control") or "" for task in study["tasks"]}
    found = []
    for contrast in contrasts:
        if contrast.role not in KINDS or contrast.match != judged_match(study):
            continue
        kind = KINDS[contrast.role]
        passed, reason = _RULES[kind](contrast)
        qualification = "" if kind == "A/A" else qualifications.get(contrast.task) or "not qualified: no table cited"
        gates = kind != "A/A" or controlled.get(contrast.task) == "null"
        found.append(Control(kind, contrast.task, passed, reason, qualification, gates, contrast.budget))
    return found


def line(
    found: Sequence[Control], purpose: str, cited: Mapping[str, Any] | None = None, budgets: Iterable[int] = ()
) -> str:
    """What the controls say, in one line.

    A study that supports a claim needs its controls qualified; a screen may carry a stand-in, and says so. A person's
    own series carries A/A only and cites the controls of a published study (`cited`, from `benchmark.instrument`).
    `budgets` are the study's: each needs every kind of control within a factor of two.
    """
    if purpose == "smoke":
        return "controls are not judged in a smoke study"
    if failed := [control for control in found if not sound(control, purpose)]:
        return "controls not passed: " + "; ".join(_failure(control) for control in failed)
    if cited:
        return _cited(found, cited)
    carried = {control.kind for control in found if control.gates}
    if missing := _missing(carried):
        return f"instrument not checked at this size: the study carries {missing}"
    for budget in sorted(budgets):
        close = {control.kind for control in found if control.gates and near(control.budget, budget)}
        if missing := _missing(close):
            return (
                f"instrument not checked at {budget:,} parameters: the study carries {missing} within a factor of "
                f"{FACTOR}"
            )
    unqualified = [control for control in found if not qualified(control)]
    if unqualified:
        return PASSED + " (" + "; ".join(f"{c.kind} control {c.task}: {c.qualification}" for c in unqualified) + ")"
    return PASSED


def near(seen: int, budget: int) -> bool:
    """Whether what was seen of a control at one budget says something at another (PROTOCOL 19)."""
    return seen <= FACTOR * budget and budget <= FACTOR * seen


def _missing(carried: Container[Kind]) -> str:
    missing = [kind if kind == "A/A" else f"{kind} control" for kind in KINDS.values() if kind not in carried]
    return ", ".join(f"no {kind}" for kind in missing)


def _cited(found: Sequence[Control], cited: Mapping[str, Any]) -> str:
    if cited["why_not"]:
        return f"instrument not checked at this size: {cited['why_not']}"
    said = f"{PASSED}, at this size, in the published study {cited['study']}"
    own = next((control for control in found if control.kind == "A/A"), None)
    if own is None:
        return f"instrument not checked on these data: no A/A was run; {said}"
    if not own.passed:
        return f"instrument not checked on these data: A/A on {own.task} ({own.reason}); {said}"
    return f"{said}, and in A/A on {own.task} finds nothing where nothing is"


def qualified(control: Control) -> bool:
    """`strata qualify` measured this control at this size, or it needs none."""
    return control.kind == "A/A" or control.qualification.startswith("qualified")


def sound(control: Control, purpose: str) -> bool:
    """Passed and, where a claim hangs on it, qualified."""
    if not control.gates:
        return True
    return control.passed and (qualified(control) or purpose == "screen")


def _failure(control: Control) -> str:
    name = "A/A" if control.kind == "A/A" else f"{control.kind} control"
    return f"{name} on {control.task} ({control.reason if not control.passed else control.qualification})"


def _named(contrast: Contrast) -> list[Pair]:
    return [pair for pair in contrast.pairs if pair.depth in contrast.depths and pair.difference is not None]


def _depth(contrast: Contrast) -> tuple[bool, str]:
    if contrast.verdict != "deeper":
        return False, f"expected deeper, found {sentences.verdict(contrast)}"
    best = max(_named(contrast), key=lambda pair: pair.difference or 0.0)
    return _by_two_margins(best, best.difference or 0.0, "better", contrast.margin)


def _width(contrast: Contrast) -> tuple[bool, str]:
    if contrast.verdict != "wider":
        return False, f"expected wider, found {sentences.verdict(contrast)}"
    deepest = max(contrast.pairs, key=lambda pair: pair.depth)
    if deepest.judged != "worse":
        return False, f"expected the deepest depth worse, found depth {deepest.depth} {deepest.judged}"
    return _by_two_margins(deepest, -(deepest.difference or 0.0), "worse", contrast.margin)


def _by_two_margins(pair: Pair, gap: float, direction: str, margin: float) -> tuple[bool, str]:
    if gap < 2 * margin:
        return False, f"depth {pair.depth} is {direction} by {gap:.3f} only, less than two margins ({2 * margin:g})"
    return True, f"depth {pair.depth} is {direction} by {gap:.3f}, more than two margins ({2 * margin:g})"


def _nothing(contrast: Contrast) -> tuple[bool, str]:
    if contrast.verdict != "no practical difference":
        return False, f"expected no practical difference, found {sentences.verdict(contrast)}"
    return True, f"equivalent within {contrast.margin:g} of {contrast.score}"


_RULES: dict[Kind, Callable[[Contrast], tuple[bool, str]]] = {
    "depth": _depth,
    "width": _width,
    "null": _nothing,
    "A/A": _nothing,
}
