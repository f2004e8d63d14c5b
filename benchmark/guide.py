"""`strata --help` on one screen: the way through the verbs, the verbs in groups, and an example of each."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperGroup

QUESTION = "How many LSTM layers, and how many cells in each? At equal size and tuning."
FLOW = (
    ("strata plan laptop", "what it would run, how long, what it could decide"),
    ("strata sweep laptop", "run it to its verdict; stopped, the same command goes on"),
    ("strata ui laptop", "every training in MLflow; report.html has the answer"),
    ("strata recommend ...", "layers and cells for a problem of yours"),
)
"""The four commands of a first visit, and what each is for."""

RUN, JUDGE, LEARN, MAKE = "Run a study", "Read and judge", "Sizes, tasks, layers", "Keep, check, remove"


@dataclass(frozen=True)
class Verb:
    """Where a verb stands in the help, its line there, and a command that works as it is typed."""

    group: str
    line: str
    example: str


VERBS = {
    "plan": Verb(RUN, "What a study would run, cost and decide; trains nothing.", "strata plan laptop"),
    "sweep": Verb(RUN, "Run a study, or your own CSV, to its verdict.", "strata sweep laptop --workers 2"),
    "status": Verb(RUN, "Where a study stands.", "strata status laptop"),
    "runs": Verb(RUN, "A study's trainings; failed ones with tracebacks.", "strata runs laptop --failed"),
    "merge": Verb(
        RUN, "Evidence of several machines becomes one study's.", "strata merge results/mine results/hers --into laptop"
    ),
    "scheduler": Verb(RUN, "Start a Dask cluster's scheduler.", "strata scheduler --scheduler-file cluster.json"),
    "worker": Verb(RUN, "Join a Dask cluster: one GPU or core.", "strata worker --scheduler-file cluster.json"),
    "cluster": Verb(
        RUN,
        "Batch scripts of a study for SLURM; --submit sends them.",
        "strata cluster slurm full --nodes 4 --gpus-per-node 8 --time 8:00:00",
    ),
    "report": Verb(JUDGE, "Rebuild verdict, figures and report from the evidence.", "strata report laptop"),
    "ui": Verb(JUDGE, "The MLflow dashboard, with links that open on a study.", "strata ui laptop"),
    "optuna-dashboard": Verb(JUDGE, "Optuna's dashboard: how every arm was tuned.", "strata optuna-dashboard laptop"),
    "recommend": Verb(
        JUDGE,
        "Layers and cells for a problem like yours, or 'not known'.",
        "strata recommend --family speech --length 50 --inputs 13 --target step --parameters 6000",
    ),
    "analyse": Verb(JUDGE, "Judge evidence or a table from anywhere.", "strata analyse results/published/laptop"),
    "claims": Verb(JUDGE, "What people say about depth, claim by claim.", "strata claims results/published/laptop"),
    "reproduce": Verb(
        JUDGE,
        "Run a published study again and compare.",
        "strata reproduce results/published/laptop --tasks recall --seeds 5",
    ),
    "size": Verb(
        LEARN,
        "Widths of equal size for each depth.",
        "strata size --inputs 8 --outputs 1 --budget 64000 --depths 1,2,4",
    ),
    "tasks": Verb(LEARN, "The tasks there are; or one, with a picture.", "strata tasks formants"),
    "timescales": Verb(LEARN, "How long each layer remembers a changed input.", "strata timescales laptop --seeds 3"),
    "export": Verb(MAKE, "The chosen network as files that predict.", "strata export prices-close"),
    "publish": Verb(MAKE, "Keep a finished study's evidence and report.", "strata publish laptop"),
    "qualify": Verb(MAKE, "Whether a study's controls do their work.", "strata qualify laptop --seeds 20"),
    "calibrate": Verb(MAKE, "How often the analysis errs, on known truth.", "strata calibrate --studies 20"),
    "speed": Verb(MAKE, "Trainings an hour, against other ways to run them.", "strata speed --repeats 3"),
    "clean": Verb(MAKE, "Remove one study from every store.", "strata clean smoke --yes"),
}
"""Every verb, in the order of the help."""


class FrontPage(TyperGroup):
    """The verbs together. Of the two options on completion the help shows the one that does it."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The options, `--show-completion` hidden."""
        found: list[Any] = list(super().get_params(ctx))
        for option in found:
            if option.name == "show_completion":
                option.hidden = True
        return found


def opening() -> str:
    """The text above the groups of `strata --help`."""
    width = max(len(command) for command, _ in FLOW)
    return "\n".join([QUESTION, "", *(f"{command:<{width}}  {purpose}" for command, purpose in FLOW)])


def arrange(app: typer.Typer) -> None:
    """Put the verbs of `app` in order and in groups, with their line and their example; a new verb stands last."""
    names = list(VERBS)
    app.registered_commands.sort(key=lambda one: names.index(_name(one)) if _name(one) in VERBS else len(names))
    for command in app.registered_commands:
        command.help = _paragraphs(inspect.getdoc(command.callback) or "")
        if verb := VERBS.get(_name(command)):
            command.rich_help_panel, command.short_help = verb.group, verb.line
            command.help += f"\n\nExample: {verb.example}"


def _name(command: typer.models.CommandInfo) -> str:
    return command.name or (command.callback.__name__ if command.callback else "")


def _paragraphs(text: str) -> str:
    """Each paragraph as one line: the help fills it to the terminal's width."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))
