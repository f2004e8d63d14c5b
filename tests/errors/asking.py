"""Lines about what a person types, and about a study file."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import yaml

from benchmark import cli, shipped
from benchmark.study import Study
from tests.errors.table import Group, Line, Provocation, Room, closed, command, python
from tests.errors.working import as_it_is, finished
from tests.studies import NAME, tiny_study


def study(**changes: Any) -> Provocation:
    """A plan of the tiny study with some keys changed."""

    def provoke(room: Room) -> str:
        room.write(f"{NAME}.yaml", yaml.safe_dump(tiny_study().resolved() | changes))
        return room.strata("plan", f"{NAME}.yaml")

    return provoke


def text(content: str | bytes, more: str = "") -> Provocation:
    """A plan of a file with this text."""
    return command(f"plan own.yaml {more}", own_yaml=content)


def changed(change: str) -> Provocation:
    """A plan of the default study with `--set`."""
    return command(f"plan laptop --set '{change}'")


def failing(what: Callable[[], object]) -> Provocation:
    """A verb that meets what `what` raises."""

    def provoke(room: Room) -> str:
        room.bend.setattr(Study, "load", lambda *_: what())
        return room.strata("plan", "laptop")

    return provoke


def disk(number: int, name: str | None = None) -> Callable[[], object]:
    """What a disk answers."""

    def answer() -> None:
        raise OSError(number, "No", name)

    return answer


def shadowed(found: bool) -> Provocation:
    """Another package `tasks` in the way, or none at all."""

    def provoke(room: Room) -> str:
        room.write("tasks.py", "")
        place = type("Spec", (), {"submodule_search_locations": None, "origin": str(room.folder / "tasks.py")})()
        room.bend.setattr(cli.importlib.util, "find_spec", lambda _: place if found else None)
        return room.strata("--version")

    return provoke


COMMANDS = Group(
    "The command line",
    "The first lines are those of the library that reads the command line. Every verb has `--help`, with its options "
    "and an example.",
    (
        Line("No such command", "A verb that there is none of; `strata --help` lists them.", command("anaylse x"),
             whole="No such command '…'. Did you mean '…'?"),
        Line("No such option", "A misspelt option, or one of another verb.", command("analyse x --marign 0.1"),
             whole="No such option: …"),
        Line("Missing argument", "The verb is about a study or a file that was not named.", command("export"),
             whole="Missing argument '…'."),
        Line("Missing option", "An option that the verb cannot do without.", command("size --inputs 8 --outputs 1"),
             whole="Missing option '…'."),
        Line("requires an argument", "An option that is last in the line and lacks its value.", command("sweep --csv"),
             whole="Option '…' requires an argument."),
        Line("Invalid value", "Text where a number is wanted, or none of the words that may be given.",
             command("size --inputs 8 --outputs 1 --budget 64000 --match cells"), whole="Invalid value for '…': …"),
        Line("unexpected extra", "A word too many: put names with blanks in quotation marks.",
             command("sweep laptop smoke"), whole="Got unexpected extra argument…"),
        Line("disk full while writing…: free some space", "No room is left where Strata writes.",
             failing(disk(errno.ENOSPC, "runs.csv"))),
        Line("no permission for… (…)", "The folder or file belongs to somebody else, or the disk is read-only.",
             failing(disk(errno.EACCES, "runs.csv"))),
        Line("hides Strata's own package", "Python takes the first package `tasks` that it finds.", shadowed(True)),
        Line("that belongs to Strata is missing", "The installation is incomplete.", shadowed(False)),
        Line("--workers is …: give 0 or more", "A count of processes below 0; 0 trains in the process itself.",
             command("sweep laptop --workers -1")),
        Line("--side-by-side is …: give 1 or more", "So many trainings of an arm are stepped at once by a worker.",
             command("sweep smoke --side-by-side 0")),
        Line("--seeds is '…': give how many more", "`--seeds` of a sweep adds to the seeds that are there.",
             command("sweep laptop --seeds 10")),
        Line("is a table and no study", "`--csv` was forgotten before the name of a file.",
             command("sweep prices.csv --target close", prices_csv="date,close\n")),
        Line("says something of a file, and none was given", "An option about a CSV without `--csv`.",
             command("sweep laptop --target close")),
        Line("and --csv … were given", "A study is asked about, or a file is.", command("sweep laptop --csv a.csv")),
        Line("--save and --json were given", "`--save` runs nothing, so there is no verdict to print.",
             command("sweep --csv a.csv --target x --save a.yaml --json")),
        Line("--classify and --level were given", "A class is predicted, or a number.",
             command("sweep --csv a.csv --target x --classify --level")),
        Line("needs --target COLUMN", "What is to be predicted is never guessed; the line names what there is.",
             command("sweep --csv prices.csv", prices_csv="date,close\n1,2\n")),
        Line("--json and --markdown were given", "One form of output at a time.",
             command("calibrate --json --markdown")),
        Line("is about one task: strata tasks NAME", "Dials and pictures are of one task; name it.",
             command("tasks --set delay=4")),
        Line("is for the table of all tasks", "One task is shown as text only.", command("tasks recall --json")),
        Line("give whole numbers separated by commas", "A list of depths that holds something else.",
             command("size --inputs 8 --outputs 1 --budget 64000 --depths one,two")),
        Line("no study named '…' comes with Strata", "The studies that are shipped lie in `configs/`.",
             python(lambda: shipped.configuration("nothing"))),
        Line("no study … in …", "`status`, `report` and others are about a study that was started in this folder; "
             "another is named with `--workspace`.", command("status never")),
        Line("clean would remove", "Nobody was there to answer the question.",
             finished(as_it_is, f"clean {NAME}")),
    ),
)  # fmt: skip

TASK: dict[str, Any] = {"task": "recall", "label": "r", "steps": 12}
SCREEN: dict[str, Any] = {"purpose": "screen", "confirmation": {"seeds": 10, "looks": [10], "doubled": 0}}
RATE: dict[str, Any] = {"low": 0.0003, "high": 0.3, "points": 7}


def tuned(**keys: Any) -> dict[str, Any]:
    """Tuning as a mapping of a file."""
    return {"learning_rate": RATE, **keys}


def screen(tuning: dict[str, Any], **changes: Any) -> Provocation:
    """A screen that tunes like this."""
    return study(**SCREEN | {"tuning": tuning} | changes)


STUDY = Group(
    "A study file",
    "Each line begins with the file and the key. [`configs/`](../configs) has files to start from, and numbers of the "
    "protocol are explained on [its page](protocol.md).",
    (
        Line("…: no such file… (…)", "Neither a file nor a study that is shipped has that name.",
             command("plan labtop")),
        Line("…: is a folder, not a study file; …", "Give the YAML file in it.", command("plan .")),
        Line("…: not UTF-8 text: is it a YAML file?", "A binary file, or one in another encoding.",
             text(b"\xff\xfe\x00")),
        Line("…: cannot be read: …", "The reason is the system's.", closed("own.yaml", text("name: a\n"))),
        Line("…: the file is empty: a study needs", "Nothing but blanks and comments.", text("# nothing\n")),
        Line("expected a mapping of keys to values at the top", "The file is YAML, but a list or a text.",
             text("- recall\n")),
        Line("…:… not valid YAML: …", "Often a tab, a colon without a blank, or a quotation mark left open.",
             text("tasks: [\n")),
        Line("…: not valid YAML: …", "Characters that YAML has no place for.", text("name: a\x07b\n")),
        Line("override …: expected key.path=value", "`--set` takes one key and one value.", changed("margin")),
        Line("is a list with entries", "Entries of a list are numbered from 0.", changed("tasks.99.steps=5")),
        Line("which holds no", "The path goes on below a value.", changed("budgets.0.first=5")),
        Line("is not in the file: give the whole list", "A list that the file leaves out has no entries to change.",
             text("budgets: [3000]\ntasks: [{task: recall, steps: 9}]\n", "--set variants.0.name=a")),
        Line("unknown key…", "A misspelt key, or one at another depth of the file.", study(budgetz=[3000])),
        Line("unknown key (valid keys", "A key that is near to none.", study(zzzzzz=1)),
        Line("…is required", "A key that has no default.", study(tasks=[{"task": "recall", "label": "r"}])),
        Line("…must hold at least …, given …", "A list that is too short.", study(tasks=[])),
        Line("…must hold at most …, given …", "A list that is too long.", study(cells=[[1, 2, 3]])),
        Line("…expected …, given …", "Another kind of value, or one outside its range.", study(depths="two")),
        Line("…, given …", "Another rule of the library that checks the file.", study(match=[{}])),
        Line("expected letters, digits, - and _ only", "Names become names of folders.", study(name="a b")),
        Line("expected small letters, digits", "Labels become parts of names of files.",
             study(tasks=[TASK | {"label": "A b"}], a_a=None)),
        Line("unknown variant", "Neither a named variant nor a mapping.", study(variants=["residuel"])),
        Line("is the name of a built-in variant", "A name means the same everywhere.",
             study(variants=[{"name": "plain", "residual": True}])),
        Line("appears twice: each must be unique", "The same entry is listed twice.", study(depths=[1, 2, 2])),
        Line("must be at seeds", "`looks` starts with the seeds of the first one.",
             study(confirmation={"seeds": 3, "looks": [2], "doubled": 0})),
        Line("looks must increase", "Each look adds seeds.",
             study(confirmation={"seeds": 2, "looks": [2, 2], "doubled": 0})),
        Line("doubled is …", "Too few seeds with twice the steps say nothing.",
             study(confirmation={"seeds": 9, "looks": [9], "doubled": 1})),
        Line("is the folder of published results", "The name is taken.", study(name="published")),
        Line("cells: explicit cells exclude", "Cells by hand have no equal size to be compared at.",
             study(cells=[[1, 16]])),
        Line("sensitivity.one_layer_trials: explicit cells", "There is no comparison to be sensitive.",
             study(cells=[[1, 16]], budgets=[], depths=[], a_a=[], sensitivity={"one_layer_trials": True})),
        Line("explicit cells cannot be run yet", "Ask for the depths at a budget instead.",
             study(cells=[[1, 16]], budgets=[], depths=[], a_a=[])),
        Line("budgets: give at least one budget", "Without a size nothing can be equally large.", study(budgets=[])),
        Line("depths: must contain 1", "One layer is what all others are compared with.", study(depths=[2, 4])),
        Line("a_a: no task has the label", "A/A names a task of the study by its label.", study(a_a="rekall")),
        Line("is a control of depth or width; A/A runs on", "There the copies of one layer would not be alike in what "
             "they have to show.", study(tasks=[TASK | {"control": "depth"}], a_a=["r"])),
        Line("a_a: A/A runs at equal parameters", "The copies of one layer are alike in parameters.",
             study(match=["state"])),
        Line("is not among the study's", "A task stands at some of the study's budgets and matches, at no others.",
             study(tasks=[TASK | {"places": {"parameters": [7]}}])),
        Line("steps are fewer than training.validations", "There cannot be more validations than steps.",
             study(tasks=[TASK | {"steps": 2}], a_a=None)),
        Line("names no class: write path", "A file may hold several tasks.",
             study(tasks=[TASK | {"task": "mine.py"}], a_a=None)),
        Line("…: no such file: … (looked in …)", "Paths are sought beside the study file and in the current folder.",
             study(tasks=[TASK | {"task": "mine.py:Mine"}], a_a=None)),
        Line("…: no such file or folder: …", "The data of a task, sought in the same two places.",
             study(tasks=[TASK | {"task": "text", "parameters": {"path": "book.txt"}}], a_a=None)),
        Line("tasks[…].task: …", "The rest of the line is of the group on tasks.",
             study(tasks=[TASK | {"task": "recal", "parameters": {"a": 1}}], a_a=None)),
        Line("….task: …", "The same, where the study has no parameters.",
             study(tasks=[TASK | {"task": "recal"}], a_a=None)),
        Line("….parameters: …", "The rest of the line is of the group on tasks.",
             study(tasks=[TASK | {"parameters": {"delai": 2}}], a_a=None)),
        Line("values must be finite numbers, text", "A date or an infinite number is no dial.",
             study(tasks=[TASK | {"parameters": {"delay": float("inf")}}], a_a=None)),
        Line("a fixed rate (", "A dropout of 0.2 is not the same for one layer and for four.",
             study(training={"batch_size": 16, "validations": 3}, tuning=tuned(dropout=0.5))),
        Line("low (…) must be below high (…)", "The ends of a range are exchanged.",
             study(tuning={"learning_rate": RATE | {"low": 0.5}})),
        Line("lie closer than 1 %", "So many points in so narrow a range are the same points.",
             study(tuning={"learning_rate": {"low": 0.1, "high": 0.11, "points": 60}})),
        Line("zero: false leaves 0 out", "Whether regularisation helps is part of the question.",
             study(tuning=tuned(method="sobol", points=16, dropout={"low": 0.1, "high": 0.5, "zero": False}))),
        Line("is tuned as a second dimension", "A grid is of learning rates alone.",
             study(tuning=tuned(dropout={"low": 0.1, "high": 0.5}))),
        Line("points is for method: sobol", "A grid counts its points at the rate.", study(tuning=tuned(points=9))),
        Line("learning_rate.points is required by method: grid", "How fine the grid is has no default.",
             study(tuning={"learning_rate": RATE | {"points": None}})),
        Line("points is required by method: sobol", "How many points are asked has no default.",
             study(tuning={"method": "sobol", "points": None, "learning_rate": {"low": 0.003, "high": 0.3}})),
        Line("learning_rate.points is for method: grid", "Sobol's points are counted over all dimensions.",
             study(tuning=tuned(method="sobol", points=16))),
        Line("must ascend: each is a later share", "Rungs are climbed in order, each once.",
             study(tuning=tuned(rungs=[0.5, 0.25]))),
        Line("rerank.points (…) is more than", "Only points that were asked can be tried again.",
             study(tuning=tuned(rerank={"points": 99, "seeds": 1}))),
        Line("tuned dimensions: at least", "More dimensions need more points.",
             screen({"method": "sobol", "points": 2, "learning_rate": {"low": 0.0003, "high": 0.3},
                     "dropout": {"low": 0.1, "high": 0.5}, "rerank": {"points": 2, "seeds": 2}})),
        Line("learning rates are too few for", "The best rate of some depth might not be among them.",
             screen(tuned(learning_rate=RATE | {"points": 2}, rerank={"points": 2, "seeds": 2}))),
        Line("decades, too narrow for", "Depths may need rates that lie far apart.",
             screen(tuned(learning_rate={"low": 0.01, "high": 0.02, "points": 9}))),
        Line("decades are too coarse for", "The best rate may fall between two points.",
             screen(tuned(learning_rate={"low": 1e-6, "high": 0.9, "points": 7}))),
        Line("tuning.rerank.…", "A best point of one seed may be luck.",
             screen(tuned(rerank={"points": 1, "seeds": 1}))),
        Line("analysis.alpha: … is above 0.05", "An error of more than one in twenty is no verdict.",
             screen(tuned(rerank={"points": 3, "seeds": 3}), analysis={"alpha": 0.2})),
        Line("seeds are too few to decide", "So few pairs cannot reach significance, whatever they show.",
             screen(tuned(rerank={"points": 3, "seeds": 3}),
                    confirmation={"seeds": 3, "looks": [3], "doubled": 0})),
        Line("folds, which count as its seeds", "Data that are fixed have only so many repetitions.",
             "tests/test_study.py::test_bad_input_gets_one_clear_line"),
        Line("task …, match …: …", "The rest of the line is of the group on sizes.", study(budgets=[100])),
    ),
)  # fmt: skip
