"""Lines about evidence that is to be judged, about answers made from it, and about publishing."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pyarrow as pa

import benchmark
from benchmark import evidence as tables
from benchmark import plots
from benchmark.analysis import mixed
from benchmark.recommend import recommend
from benchmark.recommend.published import library
from tests import test_recommend as made_up
from tests.conftest import ROOT
from tests.errors.table import Group, Line, Provocation, Room, command, python, without

PUBLISHED = ROOT / "results" / "published"
FLAT = "tests/test_flat.py::"


def rows() -> pd.DataFrame:
    """Six seeds of two depths, as a person would write them."""
    return pd.DataFrame(
        {
            "task": "echo",
            "depth": np.tile([1, 2], 6),
            "seed": np.repeat(np.arange(6), 2),
            "phase": "confirm",
            "test_loss": np.tile([0.5, 0.25], 6),
            "trivial_loss": 1.0,
        }
    ).astype(object)


def judged(change: Callable[[pd.DataFrame], Any]) -> Provocation:
    """`strata analyse` on the table after a change."""

    def provoke(room: Room) -> str:
        table = rows()
        made = change(table)
        (table if made is None else made).to_csv(room.folder / "a.csv", index=False)
        return room.strata("analyse", "a.csv")

    return provoke


def cell(column: str, value: Any) -> Provocation:
    """The same after a change of one cell."""

    def change(table: pd.DataFrame) -> None:
        if column not in table:
            table[column] = None
        table[column] = table[column].astype(object)
        table.loc[5, column] = value

    return judged(change)


def differing(column: str, value: Any, other: Any, **more: Any) -> Provocation:
    """The same with a new column that has one value but in one row."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        table = table.assign(**more)
        table[column] = [value] * 5 + [other] + [value] * 6
        return table

    return judged(change)


def folder_without_learning(room: Room) -> str:
    """A folder whose tuning has a trivial loss that nothing can be better than."""
    return rewritten(room, lambda runs: runs.assign(trivial_validation_loss=0.0, best_validation_loss=np.nan))


def folder_without_a_score(room: Room) -> str:
    """A folder whose tests have a trivial loss that nothing can be better than."""
    return rewritten(room, lambda runs: runs.assign(trivial_loss=0.0, best_loss=np.nan))


def rewritten(room: Room, change: Callable[[pd.DataFrame], pd.DataFrame], name: str = "runs") -> str:
    """The published study `text` with another table in it, as its report is made again."""
    shutil.copytree(PUBLISHED / "text", room.folder / "text")
    path = room.folder / "text" / f"{name}.parquet"
    table = change(pd.read_parquet(path))
    path.write_bytes(tables.parquet(tables.frame(table.to_dict("records"), name)))
    return room.strata("report", "text")


def unfinished(room: Room) -> str:
    """A folder without one of its tables."""
    shutil.copytree(PUBLISHED / "text", room.folder / "text")
    (room.folder / "text" / "curves.parquet").unlink()
    return room.strata("report", "text")


def bent_away(room: Room) -> str:
    """Strata as it is installed, without its repository."""
    room.bend.setattr(benchmark, "__file__", str(room.folder / "benchmark" / "__init__.py"))
    return room.strata("claims")


def of_schema(version: bytes) -> Provocation:
    """A Parquet table that says of itself what no Strata has written."""

    def provoke(room: Room) -> str:
        import pyarrow as pa
        import pyarrow.parquet as pq

        arrow = pa.table({"task": ["echo"]}).replace_schema_metadata({tables.SCHEMA_KEY.encode(): version})
        pq.write_table(arrow, room.folder / "a.parquet")
        return room.strata("analyse", "a.parquet")

    return provoke


def published(name: str) -> benchmark.Findings:
    """What the evidence of a published study says."""
    return benchmark.analyse(benchmark.load(PUBLISHED / name))


def to_publish(change: Callable[[Any], None] = lambda folder: None, *more: str) -> Provocation:
    """A finished study, spoilt, and published."""

    def provoke(room: Room) -> str:
        folder = room.folder / "results" / "text"
        shutil.copytree(PUBLISHED / "text", folder)
        change(folder)
        return room.strata("publish", "text", *more)

    return provoke


def record(name: str, **changes: Any) -> Callable[[Any], None]:
    """Change keys of a JSON file of the folder."""

    def change(folder: Any) -> None:
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(content | changes))

    return change


def to_cite(**changes: Any) -> Provocation:
    """The same, of a clean commit and as the study that others cite."""

    def change(folder: Path) -> None:
        record("environment.json", dirty=False)(folder)
        record("verdict.json", **changes)(folder)

    return to_publish(change, "--as-instrument", "i.json")


FAILED_CHECK = [{"name": "equal size", "passed": False, "words": "3 cells differ"}]


def lacking(room: Room) -> str:
    """A table without most of its columns."""
    room.bend.setattr(tables, "open_parquet", lambda _: mock.Mock(**{"read.return_value": pa.table({"key": ["x"]})}))
    return python(lambda: tables.read_table(room.folder / "runs.parquet", "runs"))(room)


EVIDENCE = Group(
    "Evidence: `strata analyse`, `strata report`",
    "Lines about tables made by hand name file, line and column. Every column is explained in "
    "[EVIDENCE](../benchmark/EVIDENCE.md), with an example that can be copied.",
    (
        Line("does not exist: give a folder of evidence", "A misspelt path.", command("analyse nowhere.csv")),
        Line("is neither .csv nor .parquet", "Another kind of file, such as a workbook.",
             command("analyse a.xlsx", a_xlsx="x")),
        Line("give a folder with runs and members", "A folder that is no study's, or one that has not ended.",
             command("analyse .")),
        Line("give the results folder of a study that has reached", "The study was stopped; its command goes on.",
             unfinished),
        Line("give a number between 0 and 1", "`--margin` and `--alpha` are shares.", command("analyse . --margin 2")),
        Line("is no text in UTF-8", "Excel's own encodings, or no text at all.",
             command("analyse a.csv", a_csv=bytes(range(256)))),
        Line("… is empty: its first line must name", "Nothing was written into the file.",
             command("analyse a.csv", a_csv="\n")),
        Line("holds no rows: give at least", "A header alone.", judged(lambda table: table.head(0))),
        Line("cells, and the header has", "A comma in a text without quotation marks, or a line cut short.",
             command("analyse a.csv", a_csv="task,depth\necho,1,2\n")),
        Line("correct the quotes of that line", "A quotation mark that is opened and not closed.",
             command("analyse a.csv", a_csv='task,depth\n"echo,1\n')),
        Line("more than one column", "Which of the two counts cannot be told.",
             command("analyse a.csv", a_csv="task,task\na,b\n")),
        Line("… has no column …", "A column that a verdict cannot do without; the nearest that is there is named.",
             judged(lambda table: table.drop(columns="seed"))),
        Line("and none 'skill' in its place", "Scores are made of losses, or given as skill.",
             judged(lambda table: table.drop(columns="test_loss"))),
        Line("is neither true nor false", "A column of yes and no.", cell("superseded", "perhaps")),
        Line("…: … is not a …", "A text in a column of numbers, often a decimal comma.", cell("depth", "two")),
        Line("is empty", "A cell that may not be.", cell("task", "")),
        Line("is below", "A count that is too small, such as a depth of 0.", cell("depth", 0)),
        Line("… is none of …", "A word that the column does not know.", cell("phase", "training")),
        Line("is no JSON object", "Several settings in one cell are written as JSON.", cell("hyperparameters", "0.1")),
        Line("and the training is called done: give the number", "A training that gave no score did not succeed, and "
             "counts as such.", cell("test_loss", "")),
        Line("the training is called done: tuning reads it", "A point of tuning is judged by its validation loss.",
             judged(lambda table: pd.concat([
                 table.assign(validation_loss=0.5),
                 table.assign(phase="tune", validation_loss=None, learning_rate=0.1, trivial_validation_loss=1.0),
             ]))),
        Line("is empty, and the replicates of its task are folds", "Without its fold a row cannot be paired.",
             judged(lambda table: table.assign(replicates="folds", fold=[None, *[0, 1] * 5, 1]))),
        Line("and other rows of the same task have it", "The best possible loss is known for a task, or it is not.",
             differing("best_loss", 0.1, None)),
        Line("so no score can be made of it", "Nobody can be better than a loss of 0: which loss is the trivial one?",
             cell("trivial_loss", 0)),
        Line("…, and other …", "A thing of which a task, an arm or a training has one.",
             differing("control", "depth", "width")),
        Line("add a column budget", "Rows of one arm differ in size, so they are of two budgets.",
             judged(lambda table: table.assign(parameters=[3000] * 11 + [9000]))),
        Line("stands a second time in phase", "The same training is listed twice, or a column that tells two arms "
             "apart is left out.", judged(lambda table: pd.concat([table, table.tail(1)]))),
        Line("… stands twice: runs has one row per training", "Uses of a training belong in `members`.",
             FLAT + "test_faults_of_a_folder_name_the_file"),
        Line("… is no key of runs", "The two tables are not of the same study.",
             FLAT + "test_faults_of_a_folder_name_the_file"),
        Line("no row is of phase confirm", "Tuning alone shows no difference.",
             judged(lambda table: table.assign(phase="tune", validation_loss=0.5, trivial_validation_loss=1.0))),
        Line("every row is of depth 1", "There is nothing to compare.",
             judged(lambda table: table[table["depth"] == 1])),
        Line("is no YAML (", "The folder's `study.yaml` was changed by hand.", FLAT + "test_a_study_that_is_none"),
        Line("it is no resolved study; remove it", "A study file as a person writes it lies where the complete one "
             "belongs.", FLAT + "test_a_study_that_is_none"),
        Line("not what a resolved study has", "The folder's `study.yaml` was changed by hand.",
             FLAT + "test_a_study_that_is_none"),
        Line("a task lacks its label", "The same.", FLAT + "test_a_study_that_is_none"),
        Line("cannot be read as Parquet", "The file is damaged, or another kind of file has this name.",
             command("analyse a.parquet", a_parquet=b"PAR1")),
        Line("which is no number: write it again", "The table's own note of its version is damaged.",
             of_schema(b"two")),
        Line("install a newer one", "The tables were written by a newer Strata.", of_schema(b"99")),
        Line("it was written by another version of Strata", "A column has been added since.", lacking),
        Line("is not of type … (…): write it again", "A table was written by another program.",
             FLAT + "test_a_column_of_another_type_is_named"),
        Line("members names the key", "Tables of two studies lie in one folder.",
             lambda room: rewritten(room, lambda members: members.assign(key="x"), "members")),
        Line("on validation the trivial loss", "The task's references are wrong: its trivial predictor is perfect.",
             folder_without_learning),
        Line("task …, run …: the trivial loss", "The same, on the test split.", folder_without_a_score),
        Line("the mixed model needs statsmodels", "A package that comes with Strata was removed.",
             without("statsmodels.regression.mixed_linear_model",
                     python(lambda: mixed._fitted(mock.Mock(), 2, 0.05)))),
        Line("cannot write the report into", "The folder is full, or belongs to somebody else.",
             "tests/report/test_build.py::test_a_folder_that_cannot_be_written"),
        Line("there is no evidence in", "`load` found neither a folder, nor a table, nor a study of that name.",
             python(lambda: benchmark.load("nowhere"))),
        Line("no published study is here: give", "`strata claims` reads what is published.", bent_away),
        Line("which would count twice", "The same study was given by two paths.",
             command(f"claims {PUBLISHED / 'text'} {PUBLISHED / 'text' / '..' / 'text'}")),
    ),
)  # fmt: skip

PICTURES = Group(
    "Pictures: `benchmark.plots`",
    "The names of tasks are those in the report.",
    (
        Line("to draw; its tasks", "A misspelt task.", python(lambda: plots.task(published("text"), "x"))),
        Line("of the contrasts on … fit", "A task that was asked at several budgets, or by several matches.",
             "tests/test_api.py::test_one_of_several_budgets_is_named"),
        Line("study … has no such figure: …", "The study did not measure what the figure shows.",
             python(lambda: plots.timescales(dataclasses.replace(published("text"), timescales=[])))),
        Line("it is withheld", "A control failed or a comparison was not fair, so answers are not shown.",
             "tests/test_api.py::test_what_is_withheld_is_not_drawn"),
    ),
)  # fmt: skip

GIVEN = f"--evidence {PUBLISHED}"
OWN = "tests/test_recommend.py::test_a_study_that_cannot_answer_is_refused"
BAD = "tests/test_recommend.py::test_bad_input_is_one_line"


def in_two_studies(room: Room) -> str:
    """A task by a name that two published studies have."""
    both = [dataclasses.replace(made_up.verdicts(made_up.contrast("formants")), study=name) for name in ("a", "b")]
    return python(lambda: recommend.of_task(recommend.Question(task="formants"), library(both)))(room)


RECOMMEND = Group(
    "`strata recommend`",
    "It answers from published studies, from one of them by `--task`, or from your own by `--study`.",
    (
        Line("no published study in …: give --evidence", "Outside the repository nothing is published.",
             command("recommend --family speech --inputs 8 --parameters 3000")),
        Line("holds no verdict.json", "The study has not ended; give the sweep's command again.",
             command("recommend --study .")),
        Line("`strata report …` writes it again", "The file is damaged, or of another version.",
             command("recommend --study .", verdict_json="{}")),
        Line("nothing is said of what you can afford", "Size decides.", command(f"recommend --family speech {GIVEN}")),
        Line("or --task NAME, or --study FOLDER", "No family of tasks, or one that is unknown.",
             command(f"recommend --parameters 3000 {GIVEN}")),
        Line("give --inputs N, the features of one step", "A width is counted from what goes in and what comes out.",
             BAD),
        Line("is an amount per sequence: give --length", "FLOPs and milliseconds grow with the length.",
             "tests/test_recommend.py::test_cells_fit_the_limit"),
        Line("--… is …: give a number above 0", "A limit of 0 or less.",
             command(f"recommend --family speech --inputs 8 --parameters 0 {GIVEN}")),
        Line("--parameters is …: give at most", "Beyond what was ever tested.",
             command(f"recommend --family speech --inputs 8 --parameters 99000000000 {GIVEN}")),
        Line("cells take longer on this machine", "Even the smallest layers are too slow.",
             "tests/test_recommend.py::test_the_widest_stack_within_a_time_by_a_clock_that_is_known"),
        Line("--… is …: give a whole number from …", "A length, a number of inputs or outputs below 1.",
             command(f"recommend --family speech --inputs 0 --parameters 3000 {GIVEN}")),
        Line("--… and --… were given: give one of them", "One limit at a time.",
             command(f"recommend --family speech --inputs 8 --parameters 3000 --flops 9 {GIVEN}")),
        Line("a published task has its own family", "A task by name needs no family.",
             command(f"recommend --family speech --task text {GIVEN}")),
        Line("which is not published; the nearest", "A misspelt task; the nearest is named.",
             command(f"recommend --task tekst --parameters 3000 {GIVEN}")),
        Line("is in several studies", "Two published studies have a task of that name.",
             in_two_studies),
        Line("…: …: give --task with one of …", "Your study has several tasks.",
             command(f"recommend --study {PUBLISHED / 'text'} --task x")),
        Line("is a smoke study, which claims nothing", "`smoke` only tests the machinery.", OWN),
        Line("which never enters a recommendation", "A screen is too coarse, except on data of your own.",
             command(f"recommend --study {PUBLISHED / 'text'} --task text")),
        Line("is not known here: give --inputs N", "An older verdict does not carry the task's shape.",
             "tests/test_recommend.py::test_their_own_study_speaks_for_its_own_size"),
        Line("--check asks about every published task", "It takes each published task as if it were yours.",
             command("recommend --check --family speech")),
    ),
)  # fmt: skip

PUBLISH = Group(
    "`strata publish`, `strata qualify`, `strata calibrate`, `strata speed`",
    "Publishing is for the repository's own results; the others measure the instrument.",
    (
        Line("or `strata report` it, before publishing it", "The study has not ended.",
             to_publish(lambda folder: (folder / "report.html").unlink())),
        Line("was run from a working tree with changes", "Numbers that are quoted must belong to a commit.",
             to_publish(record("environment.json", dirty=True))),
        Line("its check of fairness", "An unfair study shows nothing about the instrument.",
             to_cite(checks=FAILED_CHECK)),
        Line("control passed in it", "A study is cited for its controls only when it has all four.",
             to_cite(checks=[], controls=[])),
        Line("a spread needs at least 2", "One seed has no spread.", command("qualify laptop --seeds 1")),
        Line("has no control to qualify by that label", "A task that is no control, or a misspelt label.",
             command("qualify laptop --task formants")),
        Line("--studies is …", "A count below 0.", command("calibrate --studies -1")),
        Line("is not as `strata calibrate` writes it", "The table was changed by hand, or is of an older Strata.",
             "tests/test_calibration.py::test_another_file_in_its_place_is_refused"),
        Line("another `strata calibrate` writes to", "Two at once would mix their rows.",
             "tests/test_calibration.py::test_a_second_run_is_refused"),
        Line("no scenario …", "A misspelt scenario; all are listed.",
             command("calibrate --scenario nothing --studies 1")),
        Line("--out …: the folder …", "The record of `strata speed` is written to a folder that is there.",
             command("speed --out nowhere/speed.json")),
        Line("was not trained: …", "What the training itself said stands at the end: no memory, say.",
             "tests/test_speed.py::test_a_training_that_ends_in_an_error_is_one_line"),
        Line("the whole study was not timed", "The last line that the program said stands at the end.",
             "tests/test_speed.py::test_a_program_that_ends_in_an_error_is_one_line"),
    ),
)  # fmt: skip
