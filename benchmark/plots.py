"""The report's figures for a notebook: findings in, a matplotlib figure out, drawn as the report draws it.

    from benchmark import analyse, load, plots

    findings = analyse(load("published/laptop"))
    plots.differences(findings)                          # shown where it is the last value of a cell
    plots.task(findings, "formants").savefig("formants.png")

What the report withholds, as while a control fails, is withheld here too. Each function raises UserError, in one line,
where the study has nothing to draw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from benchmark.analysis.findings import Findings
    from benchmark.report.groups import Group
    from benchmark.report.style import Picture


def differences(findings: Findings) -> Figure:
    """The answer: difference in test score of every depth from one layer, with its interval and the margin."""
    from benchmark.report.differences import differences as drawn

    return drawn(findings).figure


def task(findings: Findings, name: str, *, budget: int = 0, match: str = "", variant: str = "") -> Figure:
    """One task: the score of every seed by depth, and the learning curves.

    `budget` (parameters), `match` and `variant` need to be given only where the task was asked at several.
    """
    from benchmark.report.figures import name_of
    from benchmark.report.groups import depths, groups
    from benchmark.report.seeds import seeds

    there = [(place, group) for place, group in enumerate(groups(findings)) if group.arms]
    named = [(place, group) for place, group in there if group.arms[0].task == name]
    if not named:
        known = ", ".join(dict.fromkeys(group.arms[0].task for _, group in there)) or "none"
        raise UserError(f"study {findings.study!r} has no task {name!r} to draw; its tasks: {known}")
    found = [(place, group) for place, group in named if _is(group, budget, match, variant)]
    if len(found) != 1:
        known = "; ".join(_place(group) for _, group in named)
        raise UserError(f"{'several' if found else 'none'} of the contrasts on {name} fit: give one of {known}")
    place, group = found[0]
    return seeds(name_of(place, group), group, depths(findings)).figure


def sizes(findings: Findings) -> Figure:
    """Score against parameters and against total state: at equal parameters a deeper stack has more state."""
    from benchmark.report.sizes import sizes as drawn

    return _figure(drawn(findings), findings, "no task has a score to draw")


def tuning(findings: Findings) -> Figure:
    """Tuning score against learning rate by depth; the chosen rate is ringed."""
    from benchmark.report.tuning import tuning as drawn

    return _figure(drawn(findings), findings, "its evidence shows no tuning")


def phase(findings: Findings) -> Figure:
    """The gain of depth against each dial that the study turns, at every budget."""
    from benchmark.report.phase import phase as drawn

    return _figure(drawn(findings), findings, "it turns no dial of a task")


def fronts(findings: Findings) -> Figure:
    """Score against parameters and against FLOPs, with the cells that none beats for less."""
    from benchmark.report.fronts import picture

    return _figure(picture(findings), findings, "every task has one budget and one match, so all cells cost the same")


def effort(findings: Findings) -> Figure:
    """The best validation score to be expected after n tuning points, by depth."""
    from benchmark.report.effort import picture

    return _figure(picture(findings), findings, "its evidence shows no tuning")


def trainability(findings: Findings) -> Figure:
    """The lowest layer's gradient over the top layer's while the confirmed trainings ran, by depth."""
    from benchmark.report.trainability import picture

    return _figure(picture(findings), findings, "its evidence holds no gradients by layer")


def timescales(findings: Findings) -> Figure:
    """How long each layer remembers a changed input."""
    from benchmark.report.timescales import picture

    return _figure(picture(findings), findings, f"run `strata timescales {findings.study}` first")


def families(findings: Findings) -> Figure:
    """The tasks of each family together: difference of interquartile means, and probability of improvement."""
    from benchmark.report.across import pooled

    _refuse_withheld(findings)
    why = next((one.reason for one in findings.pooled), "no family of tasks can be pooled")
    return _figure(pooled(findings.pooled), findings, why)


def exchange(findings: Findings) -> Figure:
    """How many times the parameters of a deeper network one layer needs for the same score."""
    from benchmark.report.across import exchange as drawn

    _refuse_withheld(findings)
    why = next((one.reason for one in findings.exchange), "no task was asked at several budgets")
    return _figure(drawn(findings.exchange), findings, why)


def every(findings: Findings) -> dict[str, Figure]:
    """All the figures of the report, by the name of their file."""
    from benchmark.report.figures import pictures

    return {name: picture.figure for name, picture in pictures(findings).items()}


def _figure(picture: Picture | None, findings: Findings, why: str) -> Figure:
    if picture is None:
        raise UserError(f"study {findings.study!r} has no such figure: {why}")
    return picture.figure


def _refuse_withheld(findings: Findings) -> None:
    """Answers over several tasks or sizes are not shown while a control does not hold."""
    from benchmark.report.words import smoke, withheld

    if held := withheld(findings) or ("a smoke study claims nothing" if smoke(findings) else ""):
        raise UserError(f"study {findings.study!r} has no such figure: it is withheld, as {held}")


def _is(group: Group, budget: int, match: str, variant: str) -> bool:
    arm = group.arms[0]
    return budget in (0, arm.budget) and match in ("", arm.match) and variant in ("", arm.variant)


def _place(group: Group) -> str:
    arm = group.arms[0]
    return f"budget={arm.budget}, match={arm.match!r}, variant={arm.variant!r}"
