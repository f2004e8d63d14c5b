"""How one group of arms goes from nothing to confirmed: tune, extend an edge once, tune again, confirm, double.

`conduct` is a generator that asks for trainings and is sent their results. It keeps nothing: run again over the same
journal it asks for the same trainings in the same order, which is what makes a killed sweep resume exactly.

Where a study asks for it, one layer is tuned once more with as many points as all deeper depths together. It moves
nothing else: what the other arms are asked, and when an edge is extended, does not depend on it.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from benchmark import halving
from benchmark.analysis.selection import Choice, candidates, choose, tuning_score
from benchmark.plan import Arm, Domain, Group, member
from benchmark.spec import RunResult, RunSpec

Phase = Literal["tune", "rerank", "confirm", "converge"]
Setting = Mapping[str, float]
EDGES: tuple[Literal["high"], Literal["low"]] = ("high", "low")


@dataclass(frozen=True)
class Request:
    """One training asked for, and what it is for."""

    group: Group
    arm: Arm
    spec: RunSpec
    phase: Phase
    point: int
    member: dict[str, Any]
    rung: int | None = None
    """Step at which it halts until the other points of its arm are there; None: it is trained to its end."""
    after_rung: Literal["", "goes on", "stops"] = ""
    """What became of it at the rung where it halted; '' when it is asked for the first time."""


Asked = Generator[list[Request], Mapping[str, RunResult], None]


@dataclass
class _ArmTuning:
    """What tuning has found of one arm: scores of the points, and of those trained again."""

    scores: dict[int, float] = field(default_factory=dict)
    reranked: dict[int, list[float]] = field(default_factory=dict)
    again: list[Request] = field(default_factory=list)


def conduct(group: Group, seeds: int, domain: Domain = "confirm") -> Asked:
    """Every arm gets the same points (depth 1 tuned more: further ones), second tries, and `seeds` confirmation seeds.

    The first `doubled` of these are then trained anew with twice the steps, the schedule stretched (PROTOCOL 10).
    Yields batches of requests and is sent a mapping from key to result that holds all of the batch. With
    `domain="development"` the whole runs on development seeds (qualification).
    """
    study, points = group.study, group.study.points()
    tuning = {arm: _ArmTuning() for arm in group.alike}
    yield from _tune(group, tuning, points, range(len(points)), domain, study.tuning.rungs)
    finalists = yield from _rerank(group, tuning, points, domain)
    found = {_choose(group, tuning[arm], points, finalists[arm]).edge for arm in tuning}
    edges = [edge for edge in EDGES if edge in found]
    if edges:
        for edge in edges:
            beyond = study.points_beyond(edge)
            points = [*points, *beyond]
            yield from _tune(group, tuning, points, range(len(points) - len(beyond), len(points)), domain)
        finalists = yield from _rerank(group, tuning, points, domain)
        for arm in tuning:
            for request in tuning[arm].again:
                request.member["superseded"] = request.point not in finalists[arm]
    if group.tuned_more:
        points = [*points, *study.further_points(points)]
        more = {group.tuned_more: _ArmTuning()}
        yield from _tune(group, more, points, range(len(points)), domain)
        finalists |= yield from _rerank(group, more, points, domain)
        tuning |= more
    chosen = {arm: _choose(group, tuning[arm], points, finalists[arm]).point for arm in tuning}
    yield [
        _request(group, arm, points[chosen[arm]], "confirm", chosen[arm], domain, index)
        for index in range(seeds)
        for arm in group.arms
    ]
    if domain == "confirm" and study.confirmation.doubled:
        yield [
            _request(group, arm, points[chosen[arm]], "converge", chosen[arm], domain, index)
            for index in range(study.confirmation.doubled)
            for arm in group.arms
            if not arm.replica  # copies of depth 1 ask other things than how long they train
        ]


def replay(group: Group, seeds: int, known: Mapping[str, RunResult]) -> tuple[list[Request], bool]:
    """Everything that a sweep would have asked of a group by now, and whether it would ask for more.

    `known` maps keys to results; asking ends with the first batch that it does not answer in full.
    """
    asks = conduct(group, seeds)
    batch = next(asks)
    asked = first_asked(batch)
    while all(request.spec.key in known for request in batch):
        try:
            batch = asks.send({request.spec.key: known[request.spec.key] for request in batch})
        except StopIteration:
            return asked, True
        asked += first_asked(batch)
    return asked, False


def first_asked(batch: Sequence[Request]) -> list[Request]:
    """The requests of a batch that were not asked before, up to a rung."""
    return [request for request in batch if not request.after_rung]


def _tune(
    group: Group,
    tuning: Mapping[Arm, _ArmTuning],
    points: Sequence[Setting],
    asked: Sequence[int],
    domain: Domain,
    rungs: Sequence[float] = (),
) -> Asked:
    """Ask every arm of `tuning` the same points, a batch at a time; what stops at a rung scores as a diverged one.

    What an edge or more tuning adds has no rungs: those points are few. With rungs all points are one batch, or the
    size of a batch, which only sets the pace, would decide what is compared with what.
    """
    size = len(asked) if rungs else group.study.tuning.batch
    for start in range(0, len(asked), size):
        batch = [
            _request(group, arm, points[point], "tune", point, domain, point)
            for arm in tuning
            for point in asked[start : start + size]
        ]
        ended = yield from _halve(batch, rungs, group.study.tuning.rerank.points)
        for request in batch:
            stopped = RunResult(key=request.spec.key, status="pruned")
            tuning[request.arm].scores[request.point] = score(request, ended.get(request.spec.key, stopped))


def _halve(
    batch: list[Request], shares: Sequence[float], finalists: int
) -> Generator[list[Request], Mapping[str, RunResult], dict[str, RunResult]]:
    """Train a batch, every arm from rung to rung by itself. The results of what was trained to its end, by key."""
    asked = going = batch
    for rung in halving.steps_of(shares, batch[0].spec):
        results = yield [request if request.after_rung == "stops" else replace(request, rung=rung) for request in asked]
        ahead = _ahead(going, results, rung, finalists)
        asked = [replace(one, after_rung="goes on" if one.spec.key in ahead else "stops") for one in going]
        going = [one for one in asked if one.after_rung == "goes on"]
    results = yield asked
    return {request.spec.key: results[request.spec.key] for request in going}


def _ahead(going: Sequence[Request], results: Mapping[str, RunResult], rung: int, finalists: int) -> set[str]:
    """Keys of what goes on beyond a rung."""
    arms: dict[Arm, dict[int, Request]] = {}
    for request in going:
        arms.setdefault(request.arm, {})[request.point] = request
    found = set[str]()
    for requests in arms.values():
        losses = {point: halving.loss_at(results[one.spec.key], rung) for point, one in requests.items()}
        found |= {requests[point].spec.key for point in halving.kept(losses, finalists)}
    return found


def _rerank(
    group: Group, tuning: Mapping[Arm, _ArmTuning], points: Sequence[Setting], domain: Domain
) -> Generator[list[Request], Mapping[str, RunResult], dict[Arm, list[int]]]:
    """Train each arm's best points again on further tuning seeds; returns those points."""
    rerank = group.study.tuning.rerank
    finalists = {
        arm: candidates(found.scores, _rates(points, found.scores), rerank.points) for arm, found in tuning.items()
    }
    batch = [
        _request(group, arm, points[point], "rerank", point, domain, index)
        for index in range(rerank.seeds)
        for arm in tuning
        for point in finalists[arm]
        if point not in tuning[arm].reranked
    ]
    if batch:
        results = yield batch
        for request in batch:
            tuning[request.arm].again.append(request)
            scores = tuning[request.arm].reranked.setdefault(request.point, [])
            scores.append(score(request, results[request.spec.key]))
    return finalists


def _choose(group: Group, found: _ArmTuning, points: Sequence[Setting], finalists: Sequence[int]) -> Choice:
    reranked = {point: found.reranked[point] for point in finalists}
    return choose(reranked, _rates(points, found.scores), group.study.analysis.margin)


def _rates(points: Sequence[Setting], asked: Mapping[int, float]) -> dict[int, float]:
    return {point: points[point]["learning_rate"] for point in asked}


def score(request: Request, result: RunResult) -> float:
    """Tuning score of a result; a training that could not be done scores as a diverged one."""
    multiple = request.spec.divergence_multiple
    if result.status != "done":
        return tuning_score(None, 1.0, None, "diverged", multiple)
    assert result.trivial_validation_loss is not None
    return tuning_score(
        result.validation_loss, result.trivial_validation_loss, result.best_validation_loss, result.status, multiple
    )


def _request(group: Group, arm: Arm, setting: Setting, phase: Phase, point: int, domain: Domain, index: int) -> Request:
    if domain == "development":
        offset = {"confirm": 0, "tune": 10_000, "rerank": 20_000}[phase]
        spec = group.spec(arm, setting, "development", offset + index, reads_test=phase == "confirm")
    elif phase == "converge":
        spec = group.spec(arm, setting, "confirm", index, steps=2 * group.steps)
    else:
        spec = group.spec(arm, setting, phase, index)
    return Request(group, arm, spec, phase, point, member(arm, spec, phase, point))
