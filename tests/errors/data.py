"""Lines about a person's own file, and about tasks and their dials."""

from __future__ import annotations

import contextlib
import gzip
import importlib.util
import io
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from tasks.finance import prices
from tasks.finance.market import Market
from tasks.images import digits
from tasks.speech import sphere, voice
from tasks.synthetic.copy_memory import Copy
from tests.errors.table import Group, Line, Provocation, Room, closed, command, dial, python, without

DAYS = "date,sales,heat\n2024-01-01,1,5\n2024-01-02,2,6\n2024-01-03,4,7\n"
SALES = "--target sales --time date"


def csv(content: str | bytes, options: str = SALES, name: str = "shop.csv") -> Provocation:
    """A sweep of a file with this content."""

    def provoke(room: Room) -> str:
        room.write(name, content)
        return command(f"sweep --csv {name} {options}")(room)

    return provoke


def series(values: Callable[[np.ndarray], Any], options: str = "--target y", rows: int = 600) -> Provocation:
    """A sweep of a longer series, its values made from the numbers of its rows."""
    at = np.arange(rows)
    made = np.asarray(values(at)).tolist()
    return csv("t,y\n" + "".join(f"{time},{value}\n" for time, value in zip(at.tolist(), made, strict=True)), options)


def packed(*names: str) -> bytes:
    """An archive with files of these names."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, DAYS)
    return file.getvalue()


def parquet(room: Room) -> str:
    """A Parquet file that ends too early."""
    room.write("a.parquet", b"PAR1 and no more")
    return room.strata("sweep", "--csv", "a.parquet", "--target", "y")


def parquet_of_no_rows(room: Room) -> str:
    """A Parquet file with columns and nothing in them."""
    import pandas as pd

    pd.DataFrame({"y": [1.0]}).head(0).to_parquet(room.folder / "a.parquet")
    return room.strata("sweep", "--csv", "a.parquet", "--target", "y")


def bent(place: str, value: object, then: Provocation) -> Provocation:
    """With another limit, for a file that need not be large."""

    def provoke(room: Room) -> str:
        room.bend.setattr(place, value)
        return then(room)

    return provoke


def walk(at: np.ndarray) -> np.ndarray:
    """Any series."""
    return np.cumsum(np.sin(at * at * 0.7)).round(3)


def shops(at: np.ndarray) -> str:
    """Two series, of which one never changes where it is learnt from."""
    rows = [f"{t},a,{walk(at)[t]}\n" for t in at] + [f"{t},b,{0 if t < 500 else t}\n" for t in at]
    return "t,shop,y\n" + "".join(rows)


FILE = Group(
    "Your own file: `--csv`",
    "The file comes first, then the line in it as an editor counts. The recipes of "
    "[the page on files](files.md) mend most of them.",
    (
        Line("…: there is no such file", "A misspelt path, or another folder.",
             command("sweep --csv no.csv --target y")),
        Line("this is not a file; give one table", "A folder.", command("sweep --csv . --target y --time t")),
        Line("…: the file cannot be read: …", "Permissions, or a packed file that is none.",
             csv(DAYS, name="a.csv.bz2")),
        Line("…: the file is empty", "Nothing was written into it.", csv("")),
        Line("this is a workbook", "Excel and LibreOffice save a sheet as CSV.", csv("PK", name="a.xlsx")),
        Line("the archive holds", "A .zip of one file is read.", csv(packed("a.csv", "b.csv"), name="a.zip")),
        Line("cannot be unpacked", "A download that was cut short.", csv(gzip.compress(DAYS.encode())[:-10],
             name="a.csv.gz")),
        Line("this Parquet file cannot be read", "Damaged, or cut short.", parquet),
        Line("this is no table that can be read", "Rows without an end.",
             bent("tasks.own.files.LONGEST_CHUNK", 100, csv('date,sales\n"' + "1,1\n" * 60))),
        Line("has over a million characters", "A file of another kind.",
             bent("tasks.own.files.LONGEST_LINE", 100, csv("date,sales\n" + "1" * 300 + "\n"))),
        Line("line 1 holds zero bytes", "Often UTF-16, as Excel's \"Unicode text\".", csv("date,sa\0les\n1,2\n")),
        Line("holds zero bytes: this is no text file", "A file of another kind.", csv(bytes(range(256)) * 9)),
        Line("add --encoding utf-16", "Saved as UTF-16.", csv(DAYS.encode("utf-16"))),
        Line("try --encoding cp1252", "Saved by a Windows program that does not write UTF-8.",
             csv(DAYS.replace("heat", "Wärme").encode("cp1252"))),
        Line("…; give its --encoding", "The encoding that was named is not the file's.",
             csv("date,sales,é\n".encode(), SALES + " --encoding ascii")),
        Line("there is no encoding", "A misspelt encoding.", csv(DAYS, SALES + " --encoding utf-9")),
        Line("line 1 is empty; it must name", "The first line has to name the columns.", csv("\n\n1,2\n")),
        Line("the separator is", "One character, or the word `tab`.", csv(DAYS, SALES + " --separator ab")),
        Line("line 1 has no comma", "Where commas are decimal, columns are often separated by semicolons.",
             csv(DAYS.replace(",", ";"))),
        Line("fields and line 1 names", "A comma in a text or a number, or columns without a name.",
             csv(DAYS + "2024-01-04,1,1,1\n")),
        Line("a quotation mark is opened and never closed", "Everything after it would be one cell.",
             csv(DAYS + '2024-01-04,"1,1\n2024-01-05,1,1\n')),
        Line("the file has no rows below its header", "A header alone.", csv("date,sales\n")),
        Line("…: the file has no rows below its header", "The same.", parquet_of_no_rows),
        Line("there is no column", "Names are compared to the letter; quote those with blanks: "
             "`--target \"CO2 (ppm)\"`.", csv(DAYS, "--target sale")),
        Line("columns are named", "Which of the two is meant cannot be told.", csv("y,y\n1,2\n", "--target y")),
        Line("is asked for twice", "A column is target, input, time or series. The target's past is an input always.",
             csv(DAYS, SALES + " --inputs sales")),
        Line("which is not a number; …", "What ails it is said in the rest of the line, one of the next three.",
             csv(DAYS.replace("4,7", "n.a.,7"))),
        Line("write a point for the decimal comma", "Programs in many languages write a comma.",
             csv('date;sales\n2024-01-01;1,5\n', SALES + " --separator ;")),
        Line("write plain numbers, or add --classify", "A text in the column that is to be predicted.",
             csv("date,sales\n2024-01-01,up\n")),
        Line("write plain numbers, with a point", "A unit, a percent sign, or thousands set apart.",
             csv("date,sales\n2024-01-01,5 EUR\n")),
        Line("column … is …, …", "A time that is none; the rest of the line is one of the next two.",
             csv(DAYS + "soon,1,1\n")),
        Line("which is not a number, as the times before", "A date below whole numbers.",
             csv("date,sales\n1,1\n2,2\n2024-01-03,3\n")),
        Line("which cannot be read as a date", "One date is written in another way than those above it.",
             csv(DAYS + "soon,1,1\n")),
        Line("column … is empty or NaN", "A missing value is never made up. Fill it in as you know best, or leave "
             "such rows out with `--missing drop`.", csv(DAYS + "2024-01-04,,1\n")),
        Line("column … is infinite", "Often a division by zero.", csv(DAYS + "2024-01-04,inf,1\n")),
        Line("the row is empty", "An empty line within the file.", csv(DAYS + ",,\n2024-01-05,1,1\n", SALES)),
        Line("every row lacks a value", "With `--missing drop` nothing was left.",
             csv("date,sales\n2024-01-01,\n2024-01-02,\n", SALES + " --missing drop")),
        Line("keep one row per time", "Two rows of one time: several series in one file, or years without their "
             "months. Leave out `--time` where rows are in order and evenly spaced.", csv(DAYS + "2024-01-03,1,1\n")),
        Line("sort rows from old to new", "The newest row is first, or dates were read the other way round.",
             csv(DAYS + "2023-01-03,1,1\n")),
        Line("a gap of", "More than two usual steps lie between two rows.",
             csv(DAYS + "2024-02-04,1,1\n2024-02-05,1,1\n2024-02-06,1,1\n")),
        Line("in every row: there is nothing to predict", "A constant column.", csv("y\n1\n1\n1\n", "--target y")),
        Line("column … holds …", "The rest is the next line.", csv(
            "y\n" + "".join(f"{k}\n" for k in range(1200)), "--target y --classify")),
        Line("different names; …", "So many classes or series: is it a column of numbers or of rows?", csv(
            "y\n" + "".join(f"{k}\n" for k in range(1200)), "--target y --classify")),
        Line("rows of several series; leave out", "More rows than fit into memory.",
             bent("tasks.own.rows.MOST_ROWS", 3, bent("tasks.own.files.CELLS", 4, csv(
                 "s,y\n" + "".join(f"a,{k}\n" for k in range(30)), "--target y --series s")))),
        Line("…: too short", "Ten test periods and their training parts need their windows. Lengths that would do are "
             "named: `--window`, or `--origins 6` for fewer periods.", series(walk, rows=300)),
        Line("in all of the first train part, until", "A class that only turns up later.",
             series(lambda at: np.where(at < 500, "a", "b"), "--target y --classify")),
        Line("train part; there is nothing to learn", "Constant, or growing by the same amount, for the first periods.",
             series(lambda at: np.where(at < 500, 0, at * at % 7))),
        Line("series are left out of fold", "Some series are too short or too flat.",
             csv(shops(np.arange(230)), "--target y --series shop --time t --window 9")),
        Line("season is … rows", "0 is for none.", series(walk, "--target y --season -1")),
        Line("origins is … folds", "Fewer than 6 test periods decide nothing.",
             series(walk, "--target y --origins 5")),
        Line("… is … rows: it must be from", "A window or horizon out of range.",
             series(walk, "--target y --window 1")),
        Line("past ones are inputs, of which there may be", "Each past class would be an input of its own.",
             series(lambda at: at % 60, "--target y --classify")),
        Line("with horizon 0 the class must follow", "Without other columns there is nothing to tell the class from.",
             series(lambda at: np.where(at % 3, "a", "b"), "--target y --classify --horizon 0")),
        Line("--budget is …", "The rest of the line is of the group on sizes.",
             series(walk, "--target y --budget 100")),
        Line("features a row are too many", "Each input column makes every layer larger.",
             csv(",".join(f"c{k}" for k in range(120)) + "\n"
                 + "\n".join(",".join(map(str, (walk(np.arange(120) + 120 * t)))) for t in range(600)),
                 "--target c0 --inputs " + ",".join(f"c{k}" for k in range(1, 120)))),
    ),
)  # fmt: skip


def elsewhere(package: str, call: Callable[[], object]) -> Provocation:
    """With another package of that name, which does not hold the data."""

    def provoke(room: Room) -> str:
        found = importlib.util.spec_from_loader(package, None, is_package=True)
        assert found is not None
        found.submodule_search_locations = [str(room.folder)]
        room.bend.setattr(importlib.util, "find_spec", lambda name: found)
        return python(call)(room)

    return provoke


def elsewhere_voice(room: Room) -> str:
    """A synthesiser's package without its library."""
    room.bend.setattr(voice, "package", lambda: room.folder)
    return python(voice._library.__wrapped__)(room)


SPEAKING = {"espeak_Initialize": voice.RATE, "espeak_SetVoiceByName": 0, "espeak_Synth": 0}


def speaking(**answers: int) -> Provocation:
    """A synthesiser whose library gives other answers than it should."""

    def provoke(room: Room) -> str:
        library = mock.Mock(**{f"{name}.return_value": code for name, code in (SPEAKING | answers).items()})
        room.bend.setattr(voice, "_loaded", lambda: contextlib.nullcontext(library))
        room.bend.setattr(voice, "_data_folder", lambda: room.folder)
        room.bend.setattr(voice, "check", lambda name: None)
        return python(lambda: voice.say("Well.", "gmw/en-US+m1"))(room)

    return provoke


def voices(call: Callable[[], object]) -> Provocation:
    """A synthesiser that has one language and no variant of its voice."""

    def provoke(room: Room) -> str:
        room.write("espeak-ng-data/lang/gmw/en", "")
        room.bend.setattr(voice, "package", lambda: room.folder)
        room.bend.setattr(voice, "check", mock.Mock(__wrapped__=voice.check.__wrapped__))
        return python(call)(room)

    return provoke


def still_loaded(room: Room) -> str:
    """A synthesiser that another library of the process uses too."""
    room.bend.setattr(voice.ctypes, "CDLL", lambda *_, **__: None)
    room.bend.setattr(voice, "_library", lambda: room.folder / "library.so")
    return python(lambda: voice._loaded().__enter__())(room)


MINE = '''
from tasks.task import Task

class Empty(Task):
    """A task that does nothing."""

class Other:
    pass
'''
REGISTRY = "tests/tasks/test_registry.py::"
TIMIT = "tests/tasks/test_timit.py::"
SPHERE = TIMIT + "test_a_file_that_cannot_be_read_is_told_in_one_line"
PHONES = TIMIT + "test_phones_that_cannot_be_read_are_told"


def mine(reference: str, content: str = MINE) -> Provocation:
    """A task of one's own; the module made of its file is forgotten again."""

    def provoke(room: Room) -> str:
        before = set(sys.modules)
        said = command(f"tasks {reference}", mine_py=content)(room)
        for name in set(sys.modules) - before:
            if name.startswith("strata_task_"):
                del sys.modules[name]
        return said

    return provoke


TASKS = Group(
    "Tasks",
    "`strata tasks` lists the tasks and, with a name, the dials of one. In a study these lines follow "
    "`FILE: tasks[0].task:` or `FILE: tasks[0].parameters:`.",
    (
        Line("there is no task named", "A misspelt name; the nearest is named.", command("tasks recal")),
        Line("task …: there is no parameter", "A misspelt dial; those that there are follow.",
             command("tasks recall --set dealy=2")),
        Line("task …: …", "The rest of the line is what the task says of its dial: the next group.",
             command("tasks recall --set delay=0")),
        Line("… is …: it must be of type", "A text for a number, or a fraction for a count.",
             command("tasks recall --set delay=x")),
        Line("… is …: it must be one of …", "A word that the dial does not know.",
             command("tasks own_series --set predict=rank")),
        Line("task …: there is no file", "A misspelt path.", command("tasks nowhere.py:Mine")),
        Line("name the class, as in", "A file may hold several tasks.", mine("mine.py")),
        Line("has no class", "A misspelt class.", mine("mine.py:Full")),
        Line("is no subclass of", "A class that is no task.", mine("mine.py:Other")),
        Line("is not complete, it lacks", "[What a task must have](../tasks/README.md#add-a-task).",
             mine("mine.py:Empty")),
        Line("is not valid Python", "A mistake in the file; its line is named.", mine("mine.py:Empty", "class\n")),
        Line("cannot be imported", "The file stops with an error of its own.",
             mine("mine.py:Empty", "import nothing_\n")),
        Line("task file … cannot be read", "The reason is the system's.",
             closed("mine.py", mine("mine.py:Empty"))),
        Line("two tasks are named", "Both would be found by the name.",
             REGISTRY + "test_two_tasks_with_one_name_are_refused"),
        Line("its data cannot be made here: …", "The rest of the line says what is missing.", command("tasks timit")),
        Line("give a name that ends in .png or .svg", "The picture's form follows from its name.",
             command("tasks recall --picture a.gif")),
        Line("choose another with --picture", "The folder of the picture cannot be written to.",
             command("tasks recall --picture nowhere/a.png", nowhere="")),
        Line("digits needs scikit-learn", "A package that comes with Strata was removed.",
             without("sklearn", python(lambda: digits.digits_file()))),
        Line("digits: there is no …", "The package is there without its data.",
             elsewhere("sklearn", digits.digits_file)),
        Line("real markets are read from files", "The prices lie in another package.",
             without("arch", python(lambda: prices.price_file("oil")))),
        Line("prices: there is no …", "Another package of that name has no prices.",
             elsewhere("arch", lambda: prices.price_file("oil"))),
        Line("espeak needs the synthesiser", "The synthesiser is an extra.",
             "tests/test_bad_input.py::test_data_that_are_not_here_are_told_before_anything_is_written"),
        Line("there is no shared library in", "The synthesiser's package is incomplete.",
             elsewhere_voice),
        Line("the speech synthesiser cannot read its data", "The same.",
             speaking(espeak_Initialize=-1)),
        Line("the speech synthesiser has no voice", "The same.",
             speaking(espeak_SetVoiceByName=1)),
        Line("did not speak with voice", "The same.",
             speaking(espeak_Synth=1)),
        Line("the speech synthesiser is still loaded", "It keeps a state between two phrases, so each is said by a "
             "fresh copy.", still_loaded),
        Line("timit needs the folder", "The corpus is sold, and nobody may pass it on.", command("tasks timit")),
        Line("there is no such folder; set it to your copy", "A misspelt path.",
             TIMIT + "test_a_folder_that_is_none_or_another_is_refused"),
        Line("it has no TRAIN and TEST", "A folder above or below the right one.",
             TIMIT + "test_a_folder_that_is_none_or_another_is_refused"),
        Line("it has no sentence of any", "Folders of these names without the corpus in them.",
             TIMIT + "test_a_folder_that_is_none_or_another_is_refused"),
        Line("speakers are there; copy the corpus again", "A part of the corpus.",
             TIMIT + "test_a_copy_that_is_not_complete_is_refused_unless_asked_for"),
        Line("sentences are there; copy the corpus again", "A part of the corpus.",
             TIMIT + "test_a_complete_copy_is_taken_and_one_without_a_sentence_is_not"),
        Line("folder …: sentence … has no", "A sound without its phones, or the other way round.",
             TIMIT + "test_a_sentence_with_one_file_is_told"),
        Line("has no phones; copy the corpus again", "A file of phones that is empty.", PHONES),
        Line("is not `first last phone`", "A file of phones that is damaged.", PHONES),
        Line("TIMIT has no phone", "A file of phones that was changed.", PHONES),
        Line("… cannot be read: …", "A file of phones; the reason is the system's.", PHONES),
        Line("samples per second: TIMIT has", "Sound that was resampled.", TIMIT + "test_another_rate_is_refused"),
        Line("is neither SPHERE nor RIFF", "A sound of another kind.", SPHERE),
        Line("is compressed (", "Some copies of the corpus are.", SPHERE),
        Line("is cut short", "A copy that did not come to its end.", SPHERE),
        Line("one channel of 16 bits is read", "A sound of another kind.", SPHERE),
        Line("one channel of 16-bit samples is read", "A sound of another kind.",
             TIMIT + "test_sound_that_is_not_there_or_is_stereo"),
        Line("its SPHERE header has no end", "A damaged file.", SPHERE),
        Line("its SPHERE header lacks or garbles", "A damaged file.", SPHERE),
        Line("its SPHERE header says", "A damaged file.", SPHERE),
        Line("sound file … cannot be read: …", "The reason is the system's.",
             SPHERE),
        Line("file … cannot be read: …", "The same, before it is known to be a sound.",
             python(lambda: sphere.content_of(Path("nowhere.wav")))),
        Line("text: there is no …", "A misspelt path.", command("tasks text --set path=nowhere.txt")),
        Line("text: no file in", "A folder without text.", command("tasks text --set path=.")),
        Line("text: … cannot be read", "The reason is the system's.",
             closed("a.txt", command("tasks text --set path=a.txt", a_txt="a"))),
        Line("save it as UTF-8", "Another encoding.", command("tasks text --set path=a.txt", a_txt=b"\xff")),
        Line("characters and windows of … need", "A text that is too short.",
             command("tasks text --set path=a.txt", a_txt="abc")),
    ),
)  # fmt: skip


Dial = tuple[str, str, dict[str, Any]]
_DIALS: tuple[Dial, ...] = (
    ("train is … sequences: at least 32 are needed", "recall", {"train": 31}),
    ("beam is …: it must be at least 1", "formants_ctc", {"beam": 0}),
    ("source is …: it must be one of …", "direction", {"source": "gold"}),
    ("alpha must be above 0, beta at least 0", "garch", {"alpha": 0.0}),
    ("or the variance has no variance", "garch", {"alpha": 0.9}),
    ("bars is … and time", "garch", {"bars": 0}),
    ("components is …", "market", {"components": 0}),
    ("leverage is …", "market", {"leverage": 2.0}),
    ("and with bars a multiple of", "market", {"time": 1}),
    ("(a trading month)", "equity_variance", {"window": 3}),
    ("labels cannot come before their frames", "espeak", {"delay": -1}),
    ("few phrases are said in under half a second", "espeak_ctc", {"time": 10}),
    ("time is … frames: it must be …", "formants", {"time": 1, "delay": 0}),
    ("at least 8 are needed so that validation has one", "formants", {"speakers": 2}),
    ("every speaker needs at least 1", "formants", {"utterances": 0}),
    ("overlap is … ms", "formants", {"overlap": 900.0}),
    ("it must be from 0 (none) to 100", "formants", {"noise": 200.0}),
    ("or the narrowest hold no frequency", "formants", {"bands": 1}),
    ("delay is … frames: it must be from 0", "formants", {"delay": 999}),
    ("time is … frames: at least 4 are needed", "espeak", {"time": 2}),
    ("from 4 to 64 can be told apart", "espeak", {"bands": 2}),
    ("frames follow each other by 5 to 50 ms", "espeak", {"hop_ms": 90.0}),
    ("so that validation has two", "espeak", {"sequences": 3}),
    ("one step for each marked number", "adding", {"time": 1}),
    ("with the delimiter … it must be at least", "copy", {"delay": -1}),
    ("items is …: at least 1 is needed", "copy", {"items": 0}),
    ("it must be from 2 to 52, one letter each", "copy", {"symbols": 99}),
    ("types is …", "dyck", {"types": 0}),
    ("time is …: it must be at least 2", "dyck", {"time": 1}),
    ("max_depth is …", "dyck", {"max_depth": 0}),
    ("test_time is …: it must be 0, or at least time", "dyck", {"test_time": 1}),
    ("so that not every word is spelled", "hierarchical", {"rules": 10**9}),
    ("noise is …: it is a probability below 1", "hierarchical", {"noise": 1.0}),
    ("it must be at least branching^levels", "hierarchical", {"time": 1}),
    ("… is …: it must be from … to …", "hierarchical", {"levels": 99}),
    ("observed is …", "lorenz", {"observed": 2}),
    ("to 10 Lyapunov times", "lorenz", {"horizon": 99.0}),
    ("to 10 units of time", "lorenz", {"interval": 99.0}),
    ("the equation comes to rest", "mackey_glass", {"tau": 1}),
    ("it is a standard deviation, finite", "mackey_glass", {"noise": -1.0}),
    ("… is …: it must be at least 1", "mackey_glass", {"horizon": 0}),
    ("modulus is …", "modular_arithmetic", {"modulus": 1}),
    ("operators is …", "modular_arithmetic", {"operators": "/"}),
    ("time is …: it must be odd", "modular_arithmetic", {"time": 4}),
    ("test_time is …: it must be 0, or odd", "modular_arithmetic", {"test_time": 4}),
    ("scales is …", "multi_scale", {"scales": 0}),
    ("tempos is …", "multi_scale", {"tempos": 0}),
    ("stretch is …", "multi_scale", {"stretch": 1.0, "tempos": 2}),
    ("horizon is …: it must be at least 1", "multi_scale", {"horizon": 0}),
    ("fastest is …", "multi_scale", {"fastest": 1.0}),
    ("ratio is …", "multi_scale", {"ratio": 1.0}),
    ("coherence is …", "multi_scale", {"coherence": 0.0}),
    ("the slowest period is", "multi_scale", {"time": 3}),
    ("order is …: …", "narma10", {"order": 0}),
    ("memories is …", "parallel_memories", {"memories": 0}),
    ("or nothing has to be held", "parallel_memories", {"time": 1}),
    ("iterations is …", "parity", {"iterations": 0}),
    ("delay is …: it must be from 1 to time - 1", "recall", {"delay": 0}),
    ("it must be from 2 to 26, one letter each", "recall", {"symbols": 1}),
    ("elements is …", "s5_word_problem", {"elements": 9}),
    ("generators is …", "s5_word_problem", {"generators": 1}),
    ("at least 1 blank is needed", "selective_copy", {"length": 0}),
    ("weight_scale is …", "stacked_teacher", {"weight_scale": 0.0}),
    ("or half of the places is none", "start_end_similarity", {"length": 1}),
    ("gap is …", "start_end_similarity", {"gap": -1}),
    ("symbols_to_order is …", "temporal_order", {"symbols_to_order": 4}),
    ("or the first symbol falls on the start", "temporal_order", {"time": 5}),
    ("a window needs at least 2 characters", "text", {"time": 1}),
    ("symbols is …: it must be from 2 to 1024", "text", {"symbols": 1}),
    ("embedding_size is …", "text", {"embedding_size": -1}),
    ("train, validation and test must be at least 1 window", "text", {"train": 0}),
    ("characters is …: windows of", "text", {"characters": 10}),
)

DIALS = Group(
    "Dials of tasks",
    "Dials are set in a study under `parameters`, and with `--set` of `strata tasks`; the line says what may be "
    "given. The tasks named beside a line are those that say it.",
    (
        *(Line(words, "", dial(task, **parameters)) for words, task, parameters in _DIALS),
        Line("step is …: it must be day or bar", "", python(lambda: Market(step="week"))),  # type: ignore[arg-type]
        Line("by is …: it must be 'rows' or", "", python(lambda: digits.Digits(by="columns"))),  # type: ignore[arg-type]
        Line("it must be 'before' or 'at'", "", python(lambda: Copy(delimiter="after"))),  # type: ignore[arg-type]
        Line("there is no language file", "", voices(lambda: voice.check.__wrapped__("gmw/klingon+m1"))),
        Line("there is no variant", "", voices(lambda: voice.check.__wrapped__("gmw/en+zz9"))),
        Line("words per minute: the synthesiser keeps", "", voices(lambda: voice.say("Well.", "gmw/en+m1", rate=9))),
    ),
)
