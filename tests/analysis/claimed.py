"""Findings made by hand for the ledger: studies of tasks that are better, worse, equivalent or open at every depth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmark.analysis.beyond import BeyondTwo
from benchmark.analysis.controls import PASSED
from benchmark.analysis.diagnoses import Effort, Paired, Searched, Trainability, Trained
from benchmark.analysis.estimates import EqualCost, Estimate, Rate, Ratio
from benchmark.analysis.findings import Arm, Control, Findings
from benchmark.analysis.fronts import SWEEP_SECONDS
from benchmark.analysis.kinds import Judged, Role
from benchmark.analysis.outcome import Contrast, Look, Pair
from benchmark.analysis.skill import Score
from benchmark.analysis.traces import Separation, State, Timescale
from benchmark.analysis.verdict import Case, Judgement, rule

DEPTHS = (2, 4)
SEEDS = 10
Numbers = Mapping[Judged, tuple[float, float, float, float, float]]
"""Value, low, high, p and p of equivalence of a pair that is judged so."""
NUMBERS: Numbers = {
    "better": (0.06, 0.04, 0.08, 0.001, 1.0),
    "worse": (-0.06, -0.08, -0.04, 0.001, 1.0),
    "equivalent": (0.001, -0.009, 0.011, 0.8, 0.001),
    "open": (0.01, -0.03, 0.05, 0.5, 0.4),
}
WIDE: Numbers = {
    "better": (0.06, 0.001, 0.3, 0.04, 1.0),
    "worse": (-0.06, -0.3, -0.001, 0.04, 1.0),
}
"""The same judgements, so wide that the two do not differ by more than chance."""


@dataclass(frozen=True)
class Task:
    """One task of a study; `judged` holds for every deeper depth at every match, unless `at_state` says otherwise."""

    name: str
    judged: Judged
    family: str = "speech"
    role: Role = "natural"
    at_state: Judged | None = None
    budget: int = 6000
    matches: Sequence[str] = ("parameters", "state")
    source: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    score: Score = "skill"
    numbers: Numbers = field(default_factory=lambda: NUMBERS)
    depths: Sequence[int] = DEPTHS


def families(speech: Judged, finance: Judged, **fields: Any) -> list[Task]:
    """Two natural tasks of each of two families."""
    of_speech = [Task(name, speech, **fields) for name in ("formants", "vowels")]
    return of_speech + [Task(name, finance, "finance", **fields) for name in ("oil", "vix")]


def contrast(task: Task, match: str) -> Contrast:
    judged = task.at_state if match == "state" and task.at_state else task.judged
    pairs = [_pair(task, depth, judged) for depth in task.depths]
    ruling = rule(Case(pairs=[Judgement(depth=one.depth, judged=one.judged) for one in pairs], more="5 more seeds"))
    return Contrast(
        task=task.name, family=task.family, role=task.role, budget=task.budget, match=match, variant="plain",
        verdict=ruling.verdict, depths=ruling.depths, reason=ruling.reason,
        sentence=f"At equal {match}, 6,000 parameters, converged at 400 steps: on {task.name}, {ruling.verdict}",
        seeds=SEEDS, replicates="seeds", more_seeds=5 if ruling.verdict == "undecided" else None, pairs=pairs,
        metric="squared_error", unit="nats", score=task.score, margin=0.02, margin_in_unit=0.02, steps=400,
        source=task.source or task.name, parameters=dict(task.parameters),
    )  # fmt: skip


def _pair(task: Task, depth: int, judged: Judged) -> Pair:
    value, low, high, p, p_equivalence = task.numbers[judged]
    return Pair(
        depth=depth, difference=value, low=low, high=high, p=p, p_adjusted=p, p_equivalence=p_equivalence,
        p_equivalence_adjusted=p_equivalence, judged=judged, spread=0.02, successes=SEEDS, successes_one_layer=SEEDS,
    )  # fmt: skip


def study(tasks: Iterable[Task], name: str = "first", **fields: Any) -> Findings:
    """A study whose controls passed; `fields` replace those of `Findings`."""
    tasks = list(tasks)
    contrasts = [contrast(task, match) for task in tasks for match in task.matches]
    known: dict[str, Any] = {
        "purpose": "study",
        "protocol": "1",
        "headline": "",
        "controls_line": PASSED,
        "look": Look(seeds=SEEDS, alpha=0.05),
        "looks": [Look(seeds=SEEDS, alpha=0.05)],
        "next_look": None,
        "exploratory": "",
        "controls": [Control("depth", "teacher", True, "as expected", "qualified (table)")],
        "contrasts": contrasts,
        "arms": [],
        "failures": [],
        "notes": [],
        "trainings": 0,
        "seconds": 0.0,
    }
    return Findings(study=name, **known | fields)


# What the claims read beside contrasts.


def beyond(tasks: Iterable[Task], judged: Mapping[str, Judged], **fields: Any) -> list[BeyondTwo]:
    """Depth 4 against two layers, by task, at every match."""
    found = []
    for task in tasks:
        for match in task.matches:
            value, low, high, p, p_equivalence = NUMBERS[judged[task.name]]
            known: dict[str, Any] = {
                "task": task.name, "role": task.role, "budget": task.budget, "match": match, "variant": "plain",
                "kind": task.score, "depth": 4, "units": SEEDS, "difference": value, "low": low, "high": high,
                "p_adjusted": p, "p_equivalence_adjusted": p_equivalence, "judged": judged[task.name],
                "successes": SEEDS, "successes_two_layers": SEEDS, "reason": "",
            }  # fmt: skip
            found.append(BeyondTwo(**known | fields))
    return found


def arm(task: Task, depth: int, *, seconds: float = 1.0, dropout: float = 0.0, match: str = "parameters") -> Arm:
    return Arm(
        arm=f"{task.name} L{depth}", task=task.name, role=task.role, budget=task.budget, match=match, variant="plain",
        depth=depth, replica="", width=32 // depth, parameters=6000, state_size=30 + 10 * depth, flops=10**6,
        seconds=seconds, hyperparameters={"learning_rate": 0.01, "dropout": dropout, "weight_decay": 0.0},
        at_edge=False, complete=True, score_mean=0.5, score_low=0.4, score_high=0.6, score_median=0.5,
        successes=SEEDS, runs=SEEDS, clipped_share=0.0, train_loss=0.4, validation_loss=0.5, test_loss=0.5,
        scores=[], curve=[], tuning=[],
    )  # fmt: skip


def arms(tasks: Iterable[Task], *, slower: Mapping[str, float] | None = None, dropout: float = 0.0) -> list[Arm]:
    """Every depth of every task; `slower` is how many times the seconds of one layer each deeper depth takes."""
    return [
        arm(task, depth, seconds=(slower or {}).get(task.name, 1.0) if depth > 1 else 1.0, dropout=dropout)
        for task in tasks
        for depth in (1, *task.depths)
    ]


GAPS = {"wider": (0.06, 0.04, 0.08), "as wide": (0.0, -0.006, 0.006), "narrower": (-0.06, -0.08, -0.04)}
Gap = Literal["wider", "as wide", "narrower"]


def trainability(tasks: Iterable[Task], gaps: Mapping[str, Gap]) -> list[Trainability]:
    """How much wider the gap of every deeper depth is than one layer's, by task."""
    found = []
    for task in tasks:
        value, low, high = GAPS[gaps[task.name]]
        deeper = [
            Trained(
                depth=depth, tuned=8, tuned_diverged=0, confirmed=SEEDS, confirmed_diverged=0, clipped_share=0.0,
                test_gap_widened=Paired(value=value, low=low, high=high),
            )
            for depth in task.depths
        ]  # fmt: skip
        one = Trained(depth=1, tuned=8, tuned_diverged=0, confirmed=SEEDS, confirmed_diverged=0, clipped_share=0.0)
        found.append(
            Trainability(
                task=task.name, role=task.role, budget=task.budget, match="parameters", variant="plain",
                kind=task.score, share=0.9, validation_score=0.5, steps=400, depths=[one, *deeper], limits=[],
                sentence="",
            )
        )  # fmt: skip
    return found


def effort(tasks: Iterable[Task], rises: Mapping[str, float]) -> list[Effort]:
    """What tuning still gains at every deeper depth; one layer gains nothing."""
    return [
        Effort(
            task=task.name, role=task.role, budget=task.budget, match="parameters", variant="plain", kind=task.score,
            points=8, sentence="",
            depths=[
                Searched(depth=depth, expected=[], diverged=0, rise=rises[task.name] if depth > 1 else 0.0)
                for depth in (1, *task.depths)
            ],
        )
        for task in tasks
    ]  # fmt: skip


def equal(tasks: Iterable[Task], judged: Mapping[str, Judged], quantity: str, timed: bool = True) -> list[EqualCost]:
    """Scores at one cost, at both ends and the middle of the shared range, by task."""
    found = []
    for task in tasks:
        value, low, high, _, _ = NUMBERS[judged[task.name]]
        for depth in task.depths:
            for cost in (100.0, 200.0, 400.0):
                found.append(
                    EqualCost(
                        task=task.name, role=task.role, match="parameters", variant="plain", kind=task.score,
                        depth=depth, quantity=quantity, cost=cost,
                        difference=Estimate(value=value, low=low, high=high),
                        limits=[] if timed or quantity != "seconds" else [SWEEP_SECONDS], sentence="",
                    )
                )  # fmt: skip
    return found


def rate(task: Task, depth: int, times: float, spread: float = 0.02) -> Rate:
    """One layer must be `times` as wide to score what `depth` layers score."""
    return Rate(
        task=task.name, role=task.role, match="parameters", variant="plain", kind="skill", depth=depth,
        budget=task.budget, reached="inside", wider=Ratio(value=times, low=times / (1 + spread),
        high=times * (1 + spread)), limits=[], sentence="",
    )  # fmt: skip


STATES: tuple[State, ...] = ("h", "c")
Answer = Literal["slower", "faster", "undecided"]


def timescales(tasks: Iterable[Task], answers: Mapping[str, Answer]) -> list[Timescale]:
    """What training did to the highest layer's half-life over the lowest's, by task, in c; h stays undecided."""
    ratio = {"slower": (2.0, 1.7, 2.4, 0.002), "faster": (0.5, 0.42, 0.6, 0.002), "undecided": (1.1, 0.9, 1.3, 0.4)}
    found = []
    for task in tasks:
        separations = []
        for state in STATES:
            answer: Answer = answers[task.name] if state == "c" else "undecided"
            value, low, high, p = ratio[answer]
            separations.append(
                Separation(
                    state=state, ratio=value, low=low, high=high, p=p, p_adjusted=p, area_ratio=value, area_p=p,
                    censored=0, overstated=0, answer=answer, reason="",
                )
            )  # fmt: skip
        found.append(
            Timescale(
                task=task.name, budget=task.budget, match="parameters", variant="plain", depth=4, width=8,
                seeds=list(range(SEEDS)), window=50, sites=1000, metric="squared_error", unit="nats", traces=[],
                ablations=[], separations=separations, limits=[], sentence="",
            )
        )  # fmt: skip
    return found
