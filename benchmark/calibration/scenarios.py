"""What is simulated: kinds of studies whose truth is known, and the errors that are counted in each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmark.analysis.outcome import Contrast, Pair
from benchmark.errors import UserError

MARGIN, ALPHA = 0.02, 0.05
WIDE = 0.1
"""Standard deviation of a paired difference, five margins: here nearly every small p is a difference above the margin,
so that the condition "at least one margin" hides little of what the tests do."""
USUAL = 0.02
"""One margin: about what a study with a chance of an answer meets."""
LOOK_TIMES = 10
"""Studies of a row on optional stopping, for each study of another row."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One row of the simulation: what is true, how runs scatter, and how the person looks."""

    name: str
    truth: str
    """What is true, in words."""
    counted: tuple[str, ...]
    """Names in `COUNTED`."""
    contrasts: int = 1
    """Tasks of the family, one contrast each."""
    depths: tuple[int, ...] = (1, 2, 4)
    effects: tuple[float, ...] = (0.0, 0.0, 0.0)
    """Score of each depth above depth 1, in margins."""
    affected: int | None = None
    """The first so many contrasts have the effects, the others none; None for all."""
    seeds: int = 10
    spread: float = WIDE
    """Standard deviation of a paired difference, where `spreads` are 1."""
    law: Literal["normal", "t3", "skewed"] = "normal"
    """Of a run's own noise, always of mean 0 and variance 1: Student's t with 3 degrees, or an exponential whose long
    tail are bad runs."""
    spreads: tuple[float, ...] = (1.0, 1.0, 1.0)
    """Noise of each depth, as a multiple of the usual."""
    failures: tuple[float, ...] = (0.0, 0.0, 0.0)
    """Share of each depth's confirmed runs that diverge; tuning runs do not."""
    correlated: Literal["", "neighbours", "blocks"] = ""
    """Noise of an arm along its seeds: independent, autoregressive of order 1, or with a part shared by five seeds."""
    correlation: float = 0.0
    """Between neighbouring seeds, or between seeds of one block."""
    penalty: float = 0.08
    """Score lost one point of the learning rate's grid away from its best; it grows with the square."""
    tuning_spread: float = 0.002
    """Standard deviation of a tuning run's score. Small beside `penalty`, every arm gets its best rate."""
    rerank: tuple[int, int] = (2, 2)
    """Best points that are trained again, and on how many seeds: as in a screen."""
    looks: tuple[int, ...] = ()
    """Numbers of seeds at which the person looks, until something is found; () for one look at `seeds`."""
    looking: Literal["declared", "undeclared", "hidden"] = "declared"
    """Looks declared by the study; all but the first undeclared, which Strata says and analyses alone; or each passed
    off as the only look of a new study, which nobody can see."""

    @property
    def most_seeds(self) -> int:
        """Confirmed seeds of an arm at the last look."""
        return max(self.looks, default=self.seeds)

    @property
    def times(self) -> int:
        """Studies for each one asked."""
        return LOOK_TIMES if len(self.looks) > 1 else 1

    def effect(self, task: str, depth: int) -> float:
        """True score of a depth above depth 1, in margins."""
        number = self.tasks.index(task)
        there = self.affected is None or number < self.affected
        return self.effects[self.depths.index(depth)] if there else 0.0

    @property
    def tasks(self) -> list[str]:
        """Labels of the tasks."""
        return [f"task_{number:02d}" for number in range(self.contrasts)]


# --- what is counted -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Counted:
    """An event that a study has or has not, and how often it may happen (None: as often as possible)."""

    words: str
    nominal: float | None
    happens: Callable[[Scenario, Sequence[Contrast]], bool]


def _pairs(scenario: Scenario, contrasts: Sequence[Contrast]) -> Iterator[tuple[Contrast, Pair, float]]:
    """Every pair of the study with its true effect."""
    for contrast in contrasts:
        for pair in contrast.pairs:
            yield contrast, pair, scenario.effect(contrast.task, pair.depth)


def _wrong_pair(scenario: Scenario, contrasts: Sequence[Contrast]) -> bool:
    """Better where the depth is not, or worse where it is not."""
    return any(
        (pair.judged == "better" and effect <= 0) or (pair.judged == "worse" and effect >= 0)
        for _, pair, effect in _pairs(scenario, contrasts)
    )


def _wrong_verdict(scenario: Scenario, contrasts: Sequence[Contrast]) -> bool:
    named = [found for found in _pairs(scenario, contrasts) if found[1].depth in found[0].depths]
    return any(
        (contrast.verdict == "deeper" and effect <= 0) or (contrast.verdict == "wider" and effect >= 0)
        for contrast, _, effect in named
    )


def _wrong_deeper(scenario: Scenario, contrasts: Sequence[Contrast]) -> bool:
    return any(
        contrast.verdict == "deeper" and pair.depth in contrast.depths and effect <= 0
        for contrast, pair, effect in _pairs(scenario, contrasts)
    )


def _wrong_equivalent(scenario: Scenario, contrasts: Sequence[Contrast]) -> bool:
    return any(
        pair.judged == "equivalent" and abs(effect) >= 1 - 1e-9 for _, pair, effect in _pairs(scenario, contrasts)
    )


def _wrong_nothing(scenario: Scenario, contrasts: Sequence[Contrast]) -> bool:
    return any(
        contrast.verdict == "no practical difference" and abs(effect) >= 1 - 1e-9
        for contrast, _, effect in _pairs(scenario, contrasts)
    )


def _missed(scenario: Scenario, contrasts: Sequence[Contrast]) -> bool:
    """Some pair's interval does not hold the true difference."""
    return any(
        (pair.low is not None and pair.low > effect * MARGIN) or (pair.high is not None and pair.high < effect * MARGIN)
        for _, pair, effect in _pairs(scenario, contrasts)
    )


def _found_deeper(scenario: Scenario, contrasts: Sequence[Contrast]) -> bool:
    affected = scenario.tasks[: scenario.affected]
    return all(contrast.verdict == "deeper" for contrast in contrasts if contrast.task in affected)


def _found_nothing(scenario: Scenario, contrasts: Sequence[Contrast]) -> bool:
    return all(contrast.verdict == "no practical difference" for contrast in contrasts)


COUNTED = {
    "pair": Counted("a pair is judged better or worse, and is not", ALPHA, _wrong_pair),
    "verdict": Counted("`deeper` or `wider`, and it is not so", ALPHA, _wrong_verdict),
    "deeper": Counted("`deeper`, and it is not so", ALPHA, _wrong_deeper),
    "equivalent": Counted("a pair is judged equivalent, and is not", ALPHA, _wrong_equivalent),
    "nothing": Counted("`no practical difference`, and there is one", ALPHA, _wrong_nothing),
    "interval": Counted("an interval does not hold the truth", ALPHA, _missed),
    "finds deeper": Counted("`deeper`, as is true", None, _found_deeper),
    "finds nothing": Counted("`no practical difference`, as is true", None, _found_nothing),
}
"""By the name that a scenario gives. Errors are family-wise: at least one in the study."""

# --- the rows --------------------------------------------------------------------------------------------------------

_NO_EFFECT = ("pair", "verdict")
_PLANTED: dict[str, tuple[float, ...]] = {"one": (0.0, 0.0, 1.0), "two": (0.0, 0.0, 2.0)}

SCENARIOS = [
    Scenario(name="null", truth="no effect", counted=(*_NO_EFFECT, "interval")),
    Scenario(name="null-usual", truth="no effect, a spread of one margin", counted=_NO_EFFECT, spread=USUAL),
    Scenario(name="null-5", truth="no effect", counted=_NO_EFFECT, contrasts=5),
    Scenario(name="null-20", truth="no effect", counted=_NO_EFFECT, contrasts=20),
    Scenario(name="null-60", truth="no effect, 14 seeds", counted=_NO_EFFECT, contrasts=60, seeds=14),
    Scenario(name="heavy-tails", truth="no effect, noise by t with 3 degrees", counted=_NO_EFFECT, law="t3"),
    Scenario(
        name="unequal-variances",
        truth="no effect, depths 2 and 4 scatter twice and three times as much",
        counted=_NO_EFFECT,
        spreads=(1.0, 2.0, 3.0),
    ),
    Scenario(
        name="unequal-skewed",
        truth="no effect, skewed noise, depths 2 and 4 scatter twice and three times as much",
        counted=_NO_EFFECT,
        law="skewed",
        spreads=(1.0, 2.0, 3.0),
    ),
    Scenario(
        name="equal-failures",
        truth="no effect, 10 % of all runs diverge",
        counted=_NO_EFFECT,
        failures=(0.1, 0.1, 0.1),
    ),
    Scenario(
        name="unequal-failures",
        truth="runs that do not diverge are alike; 5, 15 and 30 % diverge at depths 1, 2 and 4",
        counted=(*_NO_EFFECT, "deeper"),
        failures=(0.05, 0.15, 0.3),
    ),
    Scenario(
        name="unequal-failures-usual",
        truth="the same, a spread of one margin",
        counted=(*_NO_EFFECT, "deeper"),
        spread=USUAL,
        failures=(0.05, 0.15, 0.3),
    ),
    Scenario(
        name="correlated-neighbours",
        truth="no effect, noise of neighbouring seeds correlates by 0.5",
        counted=_NO_EFFECT,
        correlated="neighbours",
        correlation=0.5,
    ),
    Scenario(
        name="correlated-blocks",
        truth="no effect, noise within blocks of five seeds correlates by 0.3",
        counted=_NO_EFFECT,
        correlated="blocks",
        correlation=0.3,
    ),
    Scenario(
        name="selection",
        truth="no effect, tuning noise of one margin, rates next to the best lose half a margin",
        counted=_NO_EFFECT,
        spread=0.03,
        penalty=0.01,
        tuning_spread=0.02,
    ),
    Scenario(
        name="selection-steep",
        truth="no effect, tuning noise of one and a half margins, rates next to the best lose as much",
        counted=_NO_EFFECT,
        spread=0.04,
        penalty=0.03,
        tuning_spread=0.03,
    ),
    Scenario(
        name="selection-steep-study",
        truth="the same, and three points are trained again on three seeds each, as in a study",
        counted=_NO_EFFECT,
        spread=0.04,
        penalty=0.03,
        tuning_spread=0.03,
        rerank=(3, 3),
    ),
    Scenario(
        name="planted-one",
        truth="depth 4 better by one margin, depth 2 alike",
        counted=("pair", "equivalent", "nothing", "interval", "finds deeper"),
        effects=_PLANTED["one"],
        spread=USUAL,
    ),
    Scenario(
        name="planted-two",
        truth="depth 4 better by two margins, depth 2 alike",
        counted=("pair", "equivalent", "nothing", "interval", "finds deeper"),
        effects=_PLANTED["two"],
        spread=USUAL,
    ),
    Scenario(
        name="planted-some",
        truth="in 5 of 10 contrasts depth 4 is better by two margins, else no effect",
        counted=("pair", "equivalent", "nothing", "finds deeper"),
        contrasts=10,
        effects=_PLANTED["two"],
        affected=5,
        spread=USUAL,
    ),
    Scenario(
        name="planted-equivalence",
        truth="no effect, a spread of half a margin",
        counted=("pair", "verdict", "finds nothing"),
        spread=USUAL / 2,
    ),
    Scenario(
        name="looks-declared",
        truth="no effect, looks declared at 10 and 20 seeds, stopping at the first difference",
        counted=("pair",),
        looks=(10, 20),
    ),
    Scenario(
        name="looks-undeclared",
        truth="no effect, looks at 10, 15, 20 and 25 seeds, only the first declared",
        counted=("pair",),
        looks=(10, 15, 20, 25),
        looking="undeclared",
    ),
    Scenario(
        name="looks-hidden",
        truth="no effect, looks at 10, 15, 20 and 25 seeds, each passed off as the only one",
        counted=("pair",),
        looks=(10, 15, 20, 25),
        looking="hidden",
    ),
]


def named(name: str) -> Scenario:
    """One scenario. Raises UserError with the names that there are."""
    for scenario in SCENARIOS:
        if scenario.name == name:
            return scenario
    raise UserError(f"no scenario {name!r}: there are {', '.join(scenario.name for scenario in SCENARIOS)}")
