"""Lines about sizes, about a study while it runs and what it is kept in, and about what is made of its networks."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import optuna
import pandas as pd

from benchmark import optuna_ui, servers, size, train_cell
from benchmark.export import predict
from benchmark.journal import Journal
from benchmark.sizing import check, solve
from tests.errors.table import Group, Line, Provocation, Room, command, python
from tests.studies import NAME, run

SIZE = "size --inputs 8 --outputs 1"

SIZES = Group(
    "Sizes: `strata size`, and `size` and `train_cell` in a notebook",
    "In a study these lines follow the task and the match that they are about.",
    (
        Line("no depths given: name at least one, such as 1,2,4", "An empty list of depths.",
             python(lambda: solve(budget=3_000, depths=[], inputs=8, outputs=1))),
        Line("the budget is", "A budget below 1, or beyond what can be counted.", command(f"{SIZE} --budget 0")),
        Line("cells a layer; raise the budget", "So few parameters leave layers too narrow to be compared.",
             command("plan smoke --set 'budgets=[100]'")),
        Line("no widths are equal in", "Whole cells come in steps, which are large where layers are small.",
             python(lambda: check(solve(budget=2_595, depths=[1, 2, 3, 4, 6], inputs=1, outputs=1)))),
        Line("… is …: give a whole number from 1", "A count of inputs, outputs, steps or layers below 1.",
             command("size --inputs 0 --outputs 1 --budget 3000")),
        Line("… is …: give a whole number from …", "The same in a notebook, where 8.5 is no number of cells.",
             python(lambda: size(width=8.5, inputs=2, outputs=1))),  # type: ignore[arg-type]
        Line("give either a budget, in parameters", "One of the two says how large the networks are.",
             python(lambda: size(task="recall"))),
        Line("no depths given: name at least one, such as [1", "An empty list of depths.",
             python(lambda: size(width=8, inputs=2, outputs=1, depths=[]))),
        Line("nothing says what the network is for", "A width is counted from what goes in and what comes out.",
             python(lambda: size(3_000))),
        Line("a task has its own shape; give one", "Two answers to the same question.",
             python(lambda: size(3_000, task="recall", inputs=2))),
        Line("task_parameters were given without a task", "Dials are of one task.",
             python(lambda: size(3_000, inputs=2, outputs=1, task_parameters={"delay": 1}))),
        Line("learning_rate is …", "Out of its range.", python(lambda: train_cell("recall", 1, 8, learning_rate=0))),
        Line("weight_decay is …", "Out of its range.", python(lambda: train_cell("recall", 1, 8, weight_decay=-1))),
        Line("dropout is …", "Out of its range.", python(lambda: train_cell("recall", 1, 8, dropout=1))),
    ),
)  # fmt: skip

JOURNAL = "tests/test_journal.py::"
SWEEP = "tests/test_sweep.py::"
TRACKING = "tests/test_tracking.py::"
BAD = "tests/test_bad_input.py::"
UI = "tests/test_ui.py::"


def silent(room: Room) -> str:
    """A server that neither answers nor ends."""
    room.bend.setattr(servers, "PATIENCE", 0.0)
    with tempfile.TemporaryFile() as log:
        server = servers.Server("MLflow's server", "", mock.Mock(), log)
        return python(lambda: servers.wait_until_healthy(server, 1, "/health"))(room)


def ended(room: Room) -> str:
    """A server that answers, and then ends before Ctrl-C."""
    with tempfile.TemporaryFile() as log:
        server = servers.Server("MLflow's server", "", mock.Mock(**{"wait.return_value": 3}), log)
        return python(server.wait)(room)


def nothing_tuned(room: Room) -> str:
    """A storage that was made, and no trial in it."""
    url = f"sqlite:///{room.folder / 'optuna.db'}"
    optuna.storages.get_storage(url)
    return python(lambda: optuna_ui.find(url, None))(room)


RUNNING = Group(
    "While a study runs, and where it is kept",
    "A workspace holds `results/`, `mlflow.db` and `optuna.db`; it is the current folder unless `--workspace` says "
    "otherwise. The journal of a study is the truth, and everything else is made again from it.",
    (
        Line("cannot write in … (…): make it writable", "The folder belongs to somebody else, or a file has its name.",
             BAD + "test_a_results_folder_that_cannot_be_written"),
        Line("a few steps were tried to price the study", "The task fails as soon as it is trained; the plan finds it "
             "before anything is spent.", "tests/test_verbs.py::test_a_task_that_cannot_be_trained_is_told_by_plan"),
        Line("failed before anything was trained", "The comparison would not be fair, and the check says why.",
             "tests/test_planted_bugs.py::test_a_study_with_the_bug_does_not_start"),
        Line("STRATA_ENGINE=…: this machine has", "A misspelt engine, or one that was not built or installed here.",
             SWEEP + "test_an_engine_that_is_not_there_is_said_before_anything_is_written"),
        Line("workers die as they start", "Often too little memory; fewer `--workers` need less.",
             "tests/test_executors.py::test_workers_that_cannot_start_are_an_error"),
        Line("another sweep of this study is running", "Two would train the same things twice.",
             SWEEP + "test_a_second_sweep_of_a_running_study_is_refused"),
        Line("has finished runs that this configuration would alter", "Finished trainings are never mixed with "
             "those of another setting.", SWEEP + "test_a_change_that_would_alter_finished_runs_is_refused"),
        Line("has changed since runs of study", "The same, for the source or the data of a task.",
             SWEEP + "test_another_source_of_a_task_is_refused"),
        Line("would look at … seeds", "Looks are declared beforehand: more seeds until it works would err.",
             SWEEP + "test_a_declared_look_adds_seeds_and_an_undeclared_one_is_refused"),
        Line("disk full while writing …: free space and run", "The journal ends with its last whole line.",
             JOURNAL + "test_a_full_disk_leaves_no_trace"),
        Line("cannot open the journal", "The reason is the system's.",
             JOURNAL + "test_a_journal_that_cannot_be_opened_is_one_line"),
        Line("cannot read the journal", "The same, where nothing is to be written.",
             python(lambda: Journal.read(Path("nowhere")))),
        Line("line … of … is damaged", "The line was changed by hand or by a failing disk.",
             JOURNAL + "test_a_damaged_line_is_named"),
        Line("the Optuna storage … cannot be opened", "The file is damaged, or is none; what Optuna shows is made "
             "again from the journal.",
             BAD + "test_an_optuna_database_that_is_none"),
        Line("is not a database", "A file of another kind has its name; MLflow is made again from the journal.",
             TRACKING + "test_a_file_that_is_no_database_is_named_and_left_as_it_is"),
        Line("is not an MLflow database", "Another program's database has its name.",
             TRACKING + "test_another_programs_database_is_not_touched"),
        Line("was written by another version of MLflow", "MLflow changes its tables from version to version.",
             TRACKING + "test_a_database_of_another_mlflow_is_told_with_the_command"),
        Line("MLflow at … cannot be used (", "The server that MLFLOW_TRACKING_URI names does not answer.",
             TRACKING + "test_a_server_that_does_not_answer_is_told_in_one_line"),
        Line("MLflow at … cannot be used now", "A server or a disk that failed meanwhile. A sweep goes on and sends "
             "what was missed at its end.", TRACKING + "test_a_database_that_cannot_be_written_is_told_in_one_line"),
        Line("was deleted in the UI", "MLflow keeps the names of what was deleted.",
             TRACKING + "test_an_experiment_deleted_in_the_ui_is_told_with_the_command_that_restores_it"),
        Line("there is no mlflow.db in", "Nothing was run in this folder yet.", command("ui")),
        Line("MLflow at … holds …", "A misspelt study, or one of another workspace.",
             UI + "test_an_unknown_study_is_named_before_a_server_starts"),
        Line("port … cannot be used", "Another program listens there, or it is no port.",
             UI + "test_a_port_that_is_taken_is_refused_and_stepped_over"),
        Line("no port from", "A hundred ports are taken.",
             UI + "test_a_port_that_is_taken_is_refused_and_stepped_over"),
        Line("there is no … in …: run a sweep first", "Nothing was tuned in this folder yet.",
             UI + "test_a_workspace_that_tuned_nothing_is_sent_to_the_sweep"),
        Line("holds no trials of", "A misspelt study, or one of another workspace.",
             UI + "test_a_study_without_trials_is_named_with_those_that_there_are"),
        Line("holds no study: run a sweep first", "Nothing was tuned in this workspace yet.", nothing_tuned),
        Line("… did not start: …", "Its last line is told.",
             UI + "test_a_server_that_cannot_start_is_told_by_its_last_line"),
        Line("… did not answer within", "A machine that is very busy.",
             silent),
        Line("… ended by itself with code", "It was stopped by somebody else, or had no memory left.",
             ended),
    ),
)  # fmt: skip


@cache
def _ran() -> Path:
    """The tiny study at its end, made once: 25 trainings of a fraction of a second."""
    folder = Path(tempfile.mkdtemp())
    run(folder)
    return folder / "results" / NAME


def finished(change: Callable[[Path], None], words: str) -> Provocation:
    """A verb on the tiny study after a change of its folder."""

    def provoke(room: Room) -> str:
        folder = room.folder / "results" / NAME
        shutil.copytree(_ran(), folder)
        change(folder)
        return command(words)(room)

    return provoke


def as_it_is(folder: Path) -> None:
    """No change."""


def no_journal(folder: Path) -> None:
    """As on a machine to which only the tables were copied."""
    (folder / "journal.jsonl").unlink()


def journal(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    """Change every training in the journal."""

    def apply(folder: Path) -> None:
        path = folder / "journal.jsonl"
        records = [json.loads(line) for line in path.read_text().splitlines()]
        for record in records:
            if record["kind"] == "result":
                change(record)
        path.write_text("".join(json.dumps(record) + "\n" for record in records))

    return apply


def lost(record: dict[str, Any]) -> None:
    """A training that diverged."""
    record["result"] |= {"status": "diverged", "test_loss": None, "validation_loss": None}


def other_losses(record: dict[str, Any]) -> None:
    """What another machine would have found."""
    for name in ("test_loss", "validation_loss"):
        if record["result"][name] is not None:
            record["result"][name] *= 1.01


def another(what: str, words: str) -> Provocation:
    """A verb after the source or the data of the tasks were changed."""

    def provoke(room: Room) -> str:
        if what == "source":
            room.bend.setattr("tasks.registry.digest", lambda task: "another")
        else:
            from tasks.synthetic.recall import Recall

            room.bend.setattr(Recall, "data_digest", lambda task: "another")
        return finished(as_it_is, words)(room)

    return provoke


EXPORT = f"export {NAME} --task recall --depth 1"
SCALES = "tests/test_own.py::test_new_rows_and_rows_that_do_not_fit"


def says(settings: dict[str, Any], table: pd.DataFrame) -> Provocation:
    """The exported file, asked about a table."""

    def provoke(room: Room) -> str:
        room.bend.setattr(predict, "load", lambda *_: (None, settings))
        return python(lambda: predict.predict(table))(room)

    return provoke


OWN = {"columns": ["y"], "series": "", "label": "", "past": False, "window": 3, "time": "",
       "scales": {"": {part: [1.0] for part in ("mean", "sd", "change_sd", "horizon_sd")}}}  # fmt: skip
ROWS = pd.DataFrame({"y": np.arange(5.0), "shop": "b", "kind": "new"})

NETWORKS = Group(
    "The chosen network: `strata export` and `predict.py`",
    "A study keeps no weights: the network is trained once more, and must be the one that was judged. The last lines "
    "are of the exported file and begin with `predict:`.",
    (
        Line("gives no advice on a series of your own", "Only a study of your own series ends in advice.",
             finished(as_it_is, f"export {NAME}")),
        Line("has no plain network for a task", "A misspelt task, or a variant.",
             finished(as_it_is, f"export {NAME} --task x --depth 1")),
        Line("has no plain network of depth", "A depth that was not asked.",
             finished(as_it_is, f"export {NAME} --task recall --depth 7")),
        Line("several tasks have depth", "Each has a network of its own.",
             finished(as_it_is, f"export {NAME} --depth 1")),
        Line("how to train its networks: export on its machine", "The tables alone do not suffice.",
             finished(no_journal, EXPORT)),
        Line("there is nothing to export", "All its trainings diverged.", finished(journal(lost), EXPORT)),
        Line("undo that to export it", "Another source would be another network.", another("source", EXPORT)),
        Line("put the old file back", "Other data would be another network.", another("data", EXPORT)),
        Line("has a test loss of", "Another version of torch, or another processor, computes other last digits.",
             finished(journal(other_losses), EXPORT)),
        Line("this network reads arrays and not tables", "It was made for a task that is no table.",
             says({}, ROWS)),
        Line("the table has no column", "The columns are those of the training data.",
             says({"table": OWN | {"columns": ["x"]}}, ROWS)),
        Line("the table is too short", "A prediction needs a whole window behind it.",
             says({"table": OWN | {"window": 9}}, ROWS)),
        Line("was not in the training data; known", "A new series has no scale.",
             says({"table": OWN | {"series": "shop"}}, ROWS)),
        Line("the table has missing or infinite values", "They are never made up.",
             says({"table": OWN}, ROWS.assign(y=np.nan))),
        Line("holds a class that was not", "A new class has no number.",
             says({"table": OWN | {"label": "kind", "past": True, "classes": ["old"]}}, ROWS)),
    ),
)  # fmt: skip

SCALE = f"timescales {NAME} --task recall --seeds 1 --workers 0"
MEMORY = "tests/test_timescales.py::"


def both_ways(room: Room) -> str:
    """A study of networks that read from both ends."""
    run(room.folder, variants=["bidirectional"], budgets=[6000])
    return command(SCALE)(room)


MEMORIES = Group(
    "`strata timescales`",
    "The networks are trained once more, and must be those that were judged, unless `--other-machine` allows others.",
    (
        Line("--seeds is …: give a whole number from 1", "Nothing is measured on no network.",
             finished(as_it_is, f"timescales {NAME} --seeds 0")),
        Line("measure on the machine it ran on", "The tables alone do not suffice.", finished(no_journal, SCALE)),
        Line("has not confirmed: give one of", "A misspelt task, or a depth that was not asked.",
             finished(as_it_is, f"timescales {NAME} --depth 7")),
        Line("came to its end: there is nothing to measure", "All its trainings diverged.",
             finished(journal(lost), SCALE)),
        Line("undo that change", "Another source would be another network.", another("source", SCALE)),
        Line("has a validation loss of", "Another version of torch, or another processor, computes other last digits.",
             finished(journal(other_losses), SCALE)),
        Line("came to no end", "Another version, or another processor, made it diverge.",
             MEMORY + "test_a_network_that_comes_to_no_end_here_is_never_measured"),
        Line("…: timescales are measured on stacks that read one way", "Read from both ends, no step comes first.",
             both_ways),
        Line("a bidirectional network has no steps before", "The same, for one network.",
             MEMORY + "test_a_bidirectional_network_is_refused_in_one_line"),
        Line("a layer of a bidirectional network has two outputs", "The same, where a layer is left out.",
             MEMORY + "test_a_bidirectional_network_is_refused_in_one_line"),
        Line("are too few or too short to follow a change", "A change must be followed for some steps.",
             MEMORY + "test_what_cannot_be_measured_is_said"),
        Line("all inputs are one symbol", "There is no other symbol to change one to.",
             MEMORY + "test_what_cannot_be_measured_is_said"),
    ),
)  # fmt: skip
