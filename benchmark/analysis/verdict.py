"""The verdict of a contrast: one table, read from the top, the first row that holds decides (PROTOCOL 14)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from benchmark.analysis.kinds import Judged, Verdict


def judge(
    *,
    difference: float,
    low: float | None,
    high: float | None,
    p_adjusted: float,
    p_equivalence_adjusted: float,
    margin: float,
    alpha: float,
) -> Judged:
    """One deeper depth against depth 1; equivalence is tested first, even if p is small. None is an unbounded end."""
    if p_equivalence_adjusted <= alpha:
        return "equivalent"
    if p_adjusted <= alpha and low is not None and low > 0 and difference >= margin:
        return "better"
    if p_adjusted <= alpha and high is not None and high < 0 and difference <= -margin:
        return "worse"
    return "open"


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the table reads of one pair."""

    depth: int
    judged: Judged
    successes: int = 0
    successes_one_layer: int = 0

    @property
    def reliable(self) -> bool:
        """The arm called better trained without diverging at least as often as the other, on the same seeds."""
        if self.judged == "worse":
            return self.successes_one_layer >= self.successes
        return self.successes >= self.successes_one_layer


@dataclass(frozen=True, kw_only=True)
class Case:
    """All that a verdict may depend on. The four gates hold '' or the reason why the contrast cannot be decided."""

    purpose: str = "study"
    incomplete: str = ""
    uninformative: str = ""
    untuned: str = ""
    unconverged: str = ""
    pairs: list[Judgement] = field(default_factory=list)
    more: str = ""
    """What an undecided contrast would need, in words."""

    def which(self, judged: Judged, *, reliable: bool = False) -> list[Judgement]:
        """The pairs judged so."""
        return [pair for pair in self.pairs if pair.judged == judged and (pair.reliable or not reliable)]


@dataclass(frozen=True)
class Ruling:
    """Verdict, the depths that it names, and the reason of an `undecided` (or which depth is which)."""

    verdict: Verdict
    depths: list[int]
    reason: str


@dataclass(frozen=True)
class Row:
    """One row of the table: its name, when it holds, and what it rules."""

    name: str
    holds: Callable[[Case], bool]
    rules: Callable[[Case], Ruling]


def _undecided(reason: str) -> Ruling:
    return Ruling("undecided", [], reason)


def _named(pairs: list[Judgement]) -> list[int]:
    return [pair.depth for pair in pairs]


def _which_is_which(case: Case) -> str:
    return ", ".join(f"depth {pair.depth} {pair.judged}" for pair in case.pairs)


def _less_reliable(judged: Judged) -> Callable[[Case], Ruling]:
    def rule(case: Case) -> Ruling:
        pair = next(pair for pair in case.which(judged) if not pair.reliable)
        return _undecided(
            f"less reliable: depth {pair.depth} is {judged} with {pair.successes} trainings that did not diverge, "
            f"against {pair.successes_one_layer} at depth 1"
        )

    return rule


def _settled(case: Case) -> bool:
    """Every depth equivalent or worse."""
    return bool(case.pairs) and all(pair.judged in ("equivalent", "worse") for pair in case.pairs)


TABLE: list[Row] = [
    Row("smoke", lambda c: c.purpose == "smoke", lambda c: Ruling("no claim", [], "a smoke study claims nothing")),
    Row("incomplete", lambda c: bool(c.incomplete), lambda c: _undecided(f"incomplete: {c.incomplete}")),
    Row("not informative", lambda c: bool(c.uninformative), lambda c: _undecided(c.uninformative)),
    Row("not tuned", lambda c: bool(c.untuned), lambda c: _undecided(f"not tuned: {c.untuned}")),
    Row("not converged", lambda c: bool(c.unconverged), lambda c: _undecided(f"not converged: {c.unconverged}")),
    Row(
        "any better, no fewer successes",
        lambda c: bool(c.which("better", reliable=True)),
        lambda c: Ruling("deeper", _named(c.which("better", reliable=True)), _which_is_which(c)),
    ),
    Row("better, fewer successes", lambda c: bool(c.which("better")), _less_reliable("better")),
    Row(
        "all equivalent",
        lambda c: _settled(c) and not c.which("worse"),
        lambda c: Ruling("no practical difference", [], _which_is_which(c)),
    ),
    Row(
        "all equivalent or worse, no fewer successes",
        lambda c: _settled(c) and len(c.which("worse", reliable=True)) == len(c.which("worse")),
        lambda c: Ruling("wider", _named(c.which("worse")), _which_is_which(c)),
    ),
    Row("worse, depth 1 with fewer successes", _settled, _less_reliable("worse")),
    Row("open", lambda c: True, lambda c: _undecided(c.more)),
]


def rule(case: Case) -> Ruling:
    """The ruling of the first row of `TABLE` that holds; the last one always does."""
    return next(row.rules(case) for row in TABLE if row.holds(case))
