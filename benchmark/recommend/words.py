"""The answer and the check as a person reads them, in 80 columns, and as plain data for another program."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from benchmark.analysis import sentences
from benchmark.recommend.answer import Answer, Expected
from benchmark.recommend.check import RIGHT, Case, Check, Tally
from benchmark.recommend.nearest import MOST
from benchmark.recommend.published import KeptOut
from benchmark.recommend.spoken import Ground
from benchmark.sizing import Size

COLUMNS = 80


def answer_lines(found: Answer) -> list[str]:
    """The recommendation in plain words: answer, cells and gains, what it rests on, what would change it."""
    return [line for part in _parts(found) for line in [*part, ""]][:-1]


def _parts(found: Answer) -> Iterator[list[str]]:
    own = [line for said in found.said for line in _filled(f"It advised: {said}.")]
    yield [_headline(found), *_filled(f"{_from(found)}: {found.reason}."), *own, *_meanwhile(found)]
    if table := _table(found):
        yield table
    if found.grounds:
        yield ["It rests on", *(line for one in found.grounds for line in _ground(one)), *_weights(found)]
    if found.passed_over:
        yield ["Of the same family, and not counted", *_items(f"{o.task}: {o.reason}" for o in found.passed_over)]
    if found.notes:
        yield ["What to know", *_items(found.notes)]
    if found.changes:
        yield ["What would change the answer", *_items(found.changes)]
    if found.kept_out:
        yield ["Kept out", *_items(_kept_out(found.kept_out))]


def _headline(found: Answer) -> str:
    if found.depth is None:
        return "Not known."
    layers = "One layer" if found.depth == 1 else f"{found.depth} layers"
    return f"{layers} of {cells(found.size)}." if found.size else f"{layers}."


def _meanwhile(found: Answer) -> list[str]:
    """What to use while it is not known: the fewest layers, which is no finding and says so."""
    if found.depth is not None or found.cells is None or 1 not in found.cells.sizes:
        return []
    return _filled(f"Until it is, begin with the simplest: one layer of {cells(found.cells.sizes[1])}.")


def cells(size: Size) -> str:
    """`25 cells each (6,011 parameters)`."""
    each = " each" if size.depth > 1 else ""
    return f"{size.width:,} cell{'s' * (size.width != 1)}{each} ({size.parameters:,} parameters)"


def _from(found: Answer) -> str:
    return {"your own study": "From your own study", "the published task": "From the published task itself"}.get(
        found.basis, "From the nearest published tasks" if found.grounds else "From published studies"
    )


def _table(found: Answer) -> list[str]:
    """The cell of every depth and what it gains; then what the interval is."""
    sizes = found.cells.sizes if found.cells else {}
    if not sizes:
        return []
    gains = {one.depth: one for one in found.expected}
    lines = [f"{'layers':>6}  {'cells':>6}  {'parameters':>12}" + ("  gain over one layer" if gains else "")]
    for depth, size in sorted(sizes.items()):
        gain = f"  {_gain(gains[depth])}" if depth in gains else "  -" if gains else ""
        lines.append(f"{depth:>6}  {size.width:>6,}  {size.parameters:>12,}{gain}")
    for what in dict.fromkeys(one.what for one in found.expected):
        lines += _filled(f"gain: {what}.")
    return lines


def _gain(one: Expected) -> str:
    ends = f"[{_end(one.low)}, {_end(one.high)}]"
    return ends if one.value is None else f"{one.value:+.3f} {ends}"


def _end(value: float | None) -> str:
    return "unbounded" if value is None else f"{value:+.3f}"


def _ground(one: Ground) -> list[str]:
    contrast = one.contrast
    how = "read between its budgets" if one.interpolated else f"at {contrast.budget:,} parameters"
    said = f"{sentences.verdict(contrast)}; {sentences.interval(contrast)}"
    role = "" if contrast.role == "natural" else f", a {contrast.role}"
    lines = _items([f"{one.task.name}{role}, {how}: {said}"])
    if one.terms:
        lines += _filled(f"{one.distance:.1f} doublings away: {_terms(one)}", "  ")
    return [*lines, f"  {one.task.folder}/report.html"]


def _terms(one: Ground) -> str:
    stated = [term for term in one.terms if term.asked]
    parts = [
        f"{term.name} {term.found or 'none'}" + ("" if term.found == term.asked else f" for {term.asked}")
        + f" ({term.doublings:.1f})"
        for term in stated
    ]  # fmt: skip
    unsaid = [term.name for term in one.terms if not term.asked]
    return ", ".join(parts) + (f"; not said: {', '.join(unsaid)}" if unsaid else "")


def _weights(found: Answer) -> list[str]:
    if found.basis != "near tasks":
        return []
    return _filled(
        f"The {MOST} nearest sources of one family count, and what lies as near, each the same; doublings are added "
        "up, and nothing is learned."
    )


def _kept_out(several: Sequence[KeptOut]) -> list[str]:
    by_reason: dict[str, list[str]] = {}
    for one in several:
        by_reason.setdefault(one.reason, []).append(one.study)
    plural = "it is a screen, which never enters a recommendation"
    return [
        f"{', '.join(studies)}: "
        + ("screens, which never enter a recommendation" if reason == plural and len(studies) > 1 else reason)
        for reason, studies in by_reason.items()
    ]


# --- the check -------------------------------------------------------------------------------------------------------


def check_lines(found: Check) -> list[str]:
    """The table of tallies, every case, and what was left out."""
    lines = [
        "Each published task hidden once, with all settings of its source, and",
        "asked about from the others.",
        "",
    ]
    if not found.cases:
        lines += _filled("There is no published task with a verdict to hide: how often it is right is not known.")
    else:
        lines += [_row("", "right", "of", "share", "95 % interval"), "of all tasks", *map(_tally, found.over_all)]
        lines += ["of those that were answered", *map(_tally, found.over_answered)] if found.over_answered else []
        lines += ["", f"Not known: {len(found.cases) - _answered(found)} of {len(found.cases)}."]
        lines += _filled("Intervals are Wilson's, as if the tasks had been drawn at random from all there are.")
        if found.coin_as_good is None:
            lines += _filled('Every answer was "not known": nothing was recommended, rightly or wrongly.')
        else:
            lines += _filled(
                f"A coin is right at least as often, where a recommendation was made, with probability "
                f"{found.coin_as_good:.2f}."
            )
        lines += ["", *_filled(f"{RIGHT}.")]
        lines += ["", *(line for one in found.cases for line in _items([_case(one)]))]
    if found.left_out:
        lines += ["", "Left out", *_items(found.left_out)]
    return lines


def _answered(found: Check) -> int:
    return sum(one.right is not None for one in found.cases)


def _tally(one: Tally) -> str:
    interval = "exact" if one.low is None or one.high is None else f"{one.low:.0%} to {one.high:.0%}"
    return _row(f"  {one.who}", f"{one.right:g}", f"{one.of}", f"{one.right / one.of:.0%}", interval)


def _row(who: str, right: str, of: str, share: str, interval: str) -> str:
    return f"{who:<20}{right:>7}{of:>7}{share:>9}{interval:>17}"


def _case(one: Case) -> str:
    named = f" ({', '.join(map(str, one.depths))})" if one.depths else ""
    said = "not known" if one.recommended is None else f"{one.recommended} layer{'s' * (one.recommended > 1)}"
    ruled = {None: "", True: ", right", False: ", wrong"}[one.right]
    return f"{one.task} at {one.budget:,} is {one.verdict}{named}; recommended: {said}{ruled} ({one.reason})"


# --- for another program ---------------------------------------------------------------------------------------------


def answer_record(found: Answer) -> dict[str, Any]:
    """The answer as plain JSON types."""
    record: dict[str, Any] = {name: getattr(found, name) for name in ("known", "depth", "basis", "reason")}
    record |= {"width": found.size.width if found.size else None}
    record |= {"parameters": found.size.parameters if found.size else None}
    record["limit"] = dataclasses.asdict(found.cells.limit) if found.cells else None
    record["cells"] = [dataclasses.asdict(size) for _, size in sorted(found.cells.sizes.items())] if found.cells else []
    record["expected"] = [dataclasses.asdict(one) for one in found.expected]
    record["grounds"] = [_ground_record(one) for one in found.grounds]
    record |= {name: [dataclasses.asdict(o) for o in getattr(found, name)] for name in ("passed_over", "kept_out")}
    return record | {name: list(getattr(found, name)) for name in ("said", "changes", "notes")}


_CONTRAST = ("budget", "match", "role", "verdict", "depths", "reason", "sentence", "score", "margin", "seeds", "steps")
_PAIR = ("depth", "difference", "low", "high", "judged")


def _ground_record(one: Ground) -> dict[str, Any]:
    record = {"study": one.task.study, "task": one.task.task, "folder": one.task.folder, "family": one.task.family}
    record |= {name: getattr(one.contrast, name) for name in _CONTRAST}
    pairs = [{name: getattr(pair, name) for name in _PAIR} for pair in one.contrast.pairs]
    terms = [dataclasses.asdict(term) for term in one.terms]
    return record | {"pairs": pairs, "interpolated": one.interpolated, "distance": one.distance, "terms": terms}


def check_record(found: Check) -> dict[str, Any]:
    """The check as plain JSON types, with what "right" means."""
    return {"right": RIGHT, **dataclasses.asdict(found)}


def _items(texts: Iterable[str]) -> list[str]:
    return [line for text in texts for line in _filled(f"{text}.", "  ", "- ")]


def _filled(text: str, indent: str = "", mark: str = "") -> list[str]:
    return textwrap.wrap(
        text.replace("..", "."), COLUMNS, initial_indent=mark or indent, subsequent_indent=indent,
        break_on_hyphens=False, break_long_words=False,
    )  # fmt: skip
