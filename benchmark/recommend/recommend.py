"""From a question to an answer: the person's own study first, then the published task, then the nearest tasks."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.analysis.advice import FAMILY as OWN
from benchmark.analysis.controls import PASSED, sound
from benchmark.analysis.fairness import unfair
from benchmark.errors import UserError
from benchmark.recommend.answer import Answer, Basis, changes, expected, settle
from benchmark.recommend.limit import Cells, Limit, Quantity, cells
from benchmark.recommend.nearest import candidates, nearest
from benchmark.recommend.problem import Facts
from benchmark.recommend.published import Library, PublishedTask, Verdicts, load, read, tasks_of
from benchmark.recommend.spoken import Ground, at, largest, says
from benchmark.sizing import Size

FAMILIES = ("speech", "finance", "text", "images", "synthetic", OWN)
"""Families of the tasks that come with Strata; a published study may add others."""
DEPTHS = (1, 2, 4)
"""Depths whose cells are shown where nothing was tested."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a person asks. `facts` and `limit` may be left out with a study of their own or a task by name."""

    facts: Facts | None = None
    limit: Limit | None = None
    task: str = ""
    study: Path | None = None


def question(*, limits: Mapping[Quantity, float | None], task: str, study: Path | None, **known: Any) -> Question:
    """The question from the words of the command line; `known` are fields of `Facts`. Raises UserError."""
    for name in ("length", "inputs", "outputs", "embedding", "known_depth"):
        if (value := known[name]) is not None and value < (name != "embedding"):
            raise UserError(
                f"--{name.replace('_', '-')} is {value}: give a whole number from {int(name != 'embedding')}"
            )
    given = [Limit(quantity, amount) for quantity, amount in limits.items() if amount is not None]
    if len(given) > 1:
        raise UserError(f"--{given[0].quantity} and --{given[1].quantity} were given: give one of them")
    if task and study is None and known["family"]:
        raise UserError(f"--task {task} and --family {known['family']} were given: a published task has its own family")
    facts = Facts(**known) if known["family"] or known["inputs"] else None
    return Question(facts=facts, limit=given[0] if given else None, task=task, study=study)


def recommend(question: Question, evidence: Path) -> Answer:
    """The answer from the person's own study where one is given, else from the published studies in `evidence`.

    Raises UserError for a question that cannot be understood and for evidence that is not there.
    """
    if question.study is not None:
        return of_own_study(question, read(question.study))
    published = load(evidence)
    return of_task(question, published) if question.task else of_nearest(question, published)


def of_own_study(question: Question, verdicts: Verdicts) -> Answer:
    """Its verdict on its own data outranks everything published; where it is undecided, so is the answer."""
    tested = _own_task(question, verdicts)
    if verdicts.purpose == "smoke":
        raise UserError(f"{verdicts.folder} is a smoke study, which claims nothing: run it as a study")
    if verdicts.purpose == "screen" and tested.family != OWN:
        raise UserError(
            f"{verdicts.folder} is a screen, which never enters a recommendation: run it with purpose: study"
        )
    notes = []
    if verdicts.purpose == "screen":
        notes.append("Your study is a screen: a coarse grid of learning rates, and no check with twice the steps")
    if not verdicts.controls_line.startswith(PASSED):
        notes.append(f"Controls: {verdicts.controls_line}")
    if verdicts.exploratory:
        notes.append(f"Exploratory: {verdicts.exploratory}")
    answer = _of_one(question, tested, "your own study")
    advised = next((one for one in verdicts.advice if one.task == tested.task), None)
    answer = dataclasses.replace(answer, said=list(advised.words) if advised else [])
    failed = [control for control in verdicts.controls if not sound(control, verdicts.purpose)]
    if (found := unfair(verdicts.checks)) or failed:
        found = found or f"the {failed[0].kind} check on {failed[0].task} did not pass"
        reason = f"{found}, so your study's answer is withheld"
        answer = dataclasses.replace(answer, known="not known", depth=None, size=None, reason=reason, said=[])
    elif answer.known == "more layers" and advised and answer.cells and advised.depth in answer.cells.sizes:
        # The report of the study has advised this depth; two answers to one question help nobody.
        answer = dataclasses.replace(answer, depth=advised.depth, size=answer.cells.sizes[advised.depth])
    return dataclasses.replace(answer, notes=[*answer.notes, *notes])


def of_task(question: Question, published: Library) -> Answer:
    """A published task by name, `TASK` or `STUDY/TASK`: its verdict stands."""
    named = [one for one in published.tasks if question.task in (one.task, one.name)]
    if len(named) > 1:
        raise UserError(
            f"{question.task} is in several studies: give --task {' or --task '.join(o.name for o in named)}"
        )
    if named:
        answer = _of_one(question, named[0], "the published task")
        chosen = " control" in named[0].role
        notes = [f"{named[0].task} is a {named[0].role}, chosen for its direction"] if chosen else []
        return dataclasses.replace(answer, kept_out=published.kept_out, notes=[*answer.notes, *notes])
    out = [
        one for one in published.kept_out if question.task in one.tasks or question.task in _names(one.study, one.tasks)
    ]
    if out:
        where = ", ".join(f"{one.study} ({one.reason})" for one in out)
        reason = f"{question.task} is published only where it may not be recommended from: {where}"
        return _unknown(question, "the published task", reason, published)
    every = sorted({one.task for one in published.tasks} | {task for one in published.kept_out for task in one.tasks})
    near = difflib.get_close_matches(question.task, every, n=1, cutoff=0.0)
    raise UserError(
        f"--task is {question.task!r}, which is not published; the nearest is {near[0] if near else 'none'} "
        f"(all: {', '.join(every)})"
    )


def of_nearest(question: Question, published: Library) -> Answer:
    """The tasks of the same family that are nearest in shape and size."""
    facts, limit = question.facts, question.limit
    known = sorted({*FAMILIES, *(one.family for one in published.tasks)})
    if facts is None or facts.family not in known:
        said = f"--family is {facts.family!r}" if facts else "nothing is said of the problem"
        raise UserError(f"{said}: give --family with one of {', '.join(known)}, or --task NAME, or --study FOLDER")
    if limit is None:
        raise UserError("nothing is said of what you can afford: give --parameters N, --flops N or --milliseconds N")
    mine = candidates(published.tasks, facts.family)
    if not mine:
        return _unknown(question, "near tasks", _nothing(facts.family, published), published)
    fitting = cells(limit, facts, _depths(mine))
    grounds, passed = nearest(published.tasks, facts, fitting)
    answer = _answer(grounds, "near tasks", fitting)
    if not grounds:
        reason = f"no published task of {facts.family} speaks of these cells; why not is told below"
        answer = dataclasses.replace(answer, reason=reason)
    return dataclasses.replace(answer, passed_over=passed, kept_out=published.kept_out)


def _of_one(question: Question, tested: PublishedTask, basis: Basis) -> Answer:
    ground = largest(tested) if question.limit is None else at(tested, question.limit)
    if ground is not None:
        return _answer([ground], basis, _tested_cells(ground))
    assert question.limit is not None  # a task is one of a verdict, so that without a limit there is a ground
    facts = tested.facts or question.facts
    if facts is None or facts.inputs is None:
        raise UserError(f"the shape of {tested.task} is not known here: give --inputs N, or leave out the limit")
    fitting = cells(question.limit, facts, _depths([tested]))
    said = says(tested, fitting)
    if isinstance(said, Ground):
        return _answer([said], basis, fitting)
    return dataclasses.replace(_answer([], basis, fitting), reason=f"{tested.task}: {said}")


def _answer(grounds: Sequence[Ground], basis: Basis, fitting: Cells) -> Answer:
    settled = settle(grounds, basis)
    notes = fitting.notes()
    if fitting.limit.quantity == "milliseconds":
        from benchmark.recommend.latency import busy

        notes.append(f"Milliseconds are of one sequence on one thread of this machine, measured now{busy()}")
    if any(one.interpolated for one in grounds):
        notes.append("Read between tested budgets, on intervals of its own: no verdict of a study says this")
    return Answer(
        known=settled.known,
        depth=settled.depth,
        size=fitting.sizes.get(settled.depth) if settled.depth else None,
        basis=basis,
        reason=settled.reason,
        cells=fitting,
        expected=expected(grounds),
        grounds=list(grounds),
        changes=changes(grounds, settled, basis),
        notes=notes,
    )


def _unknown(question: Question, basis: Basis, reason: str, published: Library) -> Answer:
    """Not known, with the cells that the person could afford, where that can be counted."""
    fitting = None
    if question.limit and question.facts and question.facts.inputs:
        fitting = cells(question.limit, question.facts, DEPTHS)
    settled = settle([], basis)
    return Answer(
        known="not known", depth=None, size=None, basis=basis, reason=reason, cells=fitting, expected=[], grounds=[],
        kept_out=published.kept_out, changes=changes([], settled, basis), notes=fitting.notes() if fitting else [],
    )  # fmt: skip


def _nothing(family: str, published: Library) -> str:
    if family == OWN:
        return "families are judged apart, and no published task is of a family like your own data"
    if not published.tasks:
        return "no published study may be recommended from yet"
    there = sorted({one.family for one in published.tasks})
    return f"no published study has a task of {family} that may speak for others (there are: {', '.join(there)})"


def _own_task(question: Question, verdicts: Verdicts) -> PublishedTask:
    mine = tasks_of(verdicts)
    mine = [one for one in mine if one.role in ("natural", "dial")] or mine
    named = [one for one in mine if question.task in ("", one.task)]
    if len(named) == 1:
        return named[0]
    there = ", ".join(one.task for one in mine) or "none"
    said = f"--task is {question.task!r}, which it does not have" if question.task else "it has several tasks"
    raise UserError(f"{verdicts.folder}: {said}: give --task with one of {there}")


def _names(study: str, tasks: Sequence[str]) -> list[str]:
    return [f"{study}/{task}" for task in tasks]


def _depths(tasks: Sequence[PublishedTask]) -> list[int]:
    return sorted({1} | {pair.depth for task in tasks for contrast in task.contrasts for pair in contrast.pairs})


def _tested_cells(ground: Ground) -> Cells:
    """The very cells that were tested."""
    place = (ground.contrast.budget, ground.contrast.match)
    sizes = {
        arm.depth: Size(arm.depth, arm.width, arm.parameters, arm.state_size, arm.flops)
        for arm in ground.task.arms
        if (arm.budget, arm.match) == place
    }
    return Cells(Limit("parameters", ground.contrast.budget), sizes)
