"""Evidence from outside: a folder of the schema, or one flat table, filled where it may be and said where it was.

EVIDENCE.md, beside this file, says what a person must give and what is taken in place of the rest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark import inferred
from benchmark.checks import ARM, PLACE, TUNED, Uses, check_cells, check_keys, check_rows
from benchmark.errors import UserError
from benchmark.evidence import MEMBERS, RUNS, TABLES, Evidence, frame, read_optional, read_table
from benchmark.sheets import SUFFIXES, near, read_sheet

SKILL = "skill"
FLAT = {**RUNS, **MEMBERS, SKILL: "Float64"}
"""Columns of the flat form: those of `runs` and `members` in one table, a row for every use of a run."""
NEEDED = ("task", "depth", "seed", "phase")
LOSSES = ("test_loss", "trivial_loss")

TAKEN = {"budget": "0", "match": "parameters", "variant": "plain", "point": "0", "status": "done"}
"""Values in place of absent columns; a budget is rather the parameters of the shallowest arm, where these are known."""
WITHOUT = {
    ("best_loss",): "scores are relative reductions of the trivial loss",
    ("parameters",): "whether the arms are of equal size is not shown",
    ("steps",): "not stated",
    ("hyperparameters",): "whether an arm was confirmed with one setting is not checked",
    ("data_hash", "order_hash"): "whether the arms of a seed received the same batches is not checked",
    ("replicates",): "folds where the column fold is filled, else seeds",
    ("family", "known_depth"): "every task counts as a natural one",
    ("control",): "no task is marked as a control, so the instrument is not checked",
    ("replica",): "no row is a second copy of depth 1, so no A/A is judged",
    ("second_metric",): "not compared",
    ("baselines",): "not compared",
}
"""What follows where columns are absent; any that is neither here nor taken changes no verdict."""


@dataclass(frozen=True)
class Loaded:
    """Evidence ready to be analysed, and what a reader must know of where it came from."""

    evidence: Evidence
    absent: list[str]
    """What the files do not hold and what follows, one phrase each."""
    unread: list[str]
    """Columns that were there and are not of the schema, or lost to another."""


def load(path: Path, margin: float | None = None, alpha: float | None = None) -> Loaded:
    """Read and check a folder of the schema, or a flat table; a study that is not there is inferred from the rows.

    `margin` and `alpha` take the place of the study's own. Raises UserError: file, row, column, and what to do.
    """
    for name, value in (("--margin", margin), ("--alpha", alpha)):
        if value is not None and not 0 < value < 1:
            raise UserError(f"{name} is {value:g}: give a number between 0 and 1")
    if not path.exists():
        raise UserError(f"{path} does not exist: give a folder of evidence, or a table (.csv or .parquet)")
    if path.is_dir():
        return _folder(path, margin, alpha)
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path} is neither .csv nor .parquet: save the table as one of these, or give its folder")
    sheet = read_sheet(path, FLAT)
    sheet.need(*NEEDED)
    rows = np.arange(len(sheet.table))
    uses = Uses(sheet.table, dict.fromkeys(sheet.table, (sheet, rows)))
    unread = sheet.unread + ([SKILL] if uses.has(SKILL, *LOSSES) else [])
    absent = _fill(uses, path)
    study = inferred.inferred(uses, path.stem, margin, alpha)
    absent += _rows_absent(uses, study)
    empty = {name: frame([], name) for name in ("blocks", "curves")}
    return Loaded(Evidence(**_split(uses), **empty, study=study), absent, unread)


def _folder(folder: Path, margin: float | None, alpha: float | None) -> Loaded:
    paths = {name: _table_path(folder, name) for name in TABLES}
    missing = [name for name in ("runs", "members") if paths[name] is None]
    if missing:
        lacking = " and ".join(f"{name}.parquet" for name in missing)
        raise UserError(f"{folder} holds no {lacking}: give a folder with runs and members, or one flat table")
    sheets = {name: read_sheet(path, TABLES[name]) for name in ("runs", "members") if (path := paths[name])}
    runs, members = sheets["runs"], sheets["members"]
    runs.need("key")
    members.need("key")
    for column in NEEDED:
        if column not in runs.table or column == "phase":
            members.need(column)
    keys = runs.table["key"]
    alone = Uses(runs.table, {"key": (runs, np.arange(len(keys)))})
    alone.refuse(keys.fillna("") == "", "key", "is empty")
    alone.refuse(keys.duplicated(), "key", lambda key: f"{key} stands twice: runs has one row per training")
    at = pd.Series(np.arange(len(keys)), index=keys).reindex(members.table["key"]).to_numpy(dtype=float)
    own = np.arange(len(at))
    linked = Uses(members.table, {"key": (members, own)})
    linked.refuse(members.table["key"].fillna("") == "", "key", "is empty")
    linked.refuse(np.isnan(at), "key", lambda key: f"{key} is no key of runs")
    taken = at.astype(int)
    others = [column for column in runs.table if column not in members.table]
    table = pd.concat([members.table, runs.table[others].take(taken).set_axis(members.table.index)], axis=1)
    origins = dict.fromkeys(members.table, (members, own)) | dict.fromkeys(others, (runs, taken))
    uses = Uses(table, origins)
    absent = _fill(uses, folder)
    given = inferred.written(folder / "study.yaml")
    tables = {}
    for name in ("blocks", "curves"):
        path = paths[name]
        if path is None:
            absent.append(f"{name}.parquet: " + _WITHOUT_TABLE[name])
        tables[name] = frame([], name) if path is None else _complete(path, name)
    if given is None:
        absent.append(
            "study.yaml: the study is read off the tables, margin and alpha are the usual ones, and one look is taken"
        )
    study = (
        inferred.inferred(uses, folder.resolve().name, margin, alpha)
        if given is None
        else inferred.altered(given, margin, alpha)
    )
    absent += _rows_absent(uses, study)
    whole = all(set(TABLES[name]) <= set(sheets[name].table) for name in ("runs", "members"))
    if whole and given is not None:
        tables |= {name: _complete(path, name) for name in ("runs", "members") if (path := paths[name])}
    else:
        tables |= _split(uses)
    evidence = Evidence(**tables, **read_optional(folder), study=study)
    return Loaded(evidence, absent, [*runs.unread, *members.unread])


_WITHOUT_TABLE = {
    "blocks": "fixed data are judged without a bootstrap over test blocks",
    "curves": "no learning curve is shown, and no verdict needs one",
}


def _table_path(folder: Path, name: str) -> Path | None:
    return next((path for suffix in (".parquet", ".csv") if (path := folder / f"{name}{suffix}").exists()), None)


def _complete(path: Path, name: str) -> pd.DataFrame:
    """One table with all columns of the schema."""
    if path.suffix == ".parquet":
        return read_table(path, name)
    sheet = read_sheet(path, TABLES[name])
    sheet.need(*TABLES[name])
    return sheet.table[list(TABLES[name])].astype(TABLES[name])


# --- what is absent --------------------------------------------------------------------------------------------------


def _fill(uses: Uses, path: Path) -> list[str]:
    """Check what is there, fill `uses.table` with what may be taken in place of the rest, and say what was."""
    scores = _scores(uses, path)
    absent = [column for column in FLAT if column not in (*uses.origins, SKILL)]
    table = uses.table = uses.table.copy()
    if "status" not in table:
        table["status"] = "done"
    check_cells(uses, scores)
    if scores == [SKILL]:
        for kind, value in (("", 1 - table[SKILL]), ("trivial_", 1.0), ("best_", 0.0)):
            table[f"{kind}validation_loss"] = table[f"{kind or 'test_'}loss"] = value
        table.loc[table["phase"].isin(TUNED), "test_loss"] = pd.NA  # a tuning row's skill is that on validation
        uses.origins |= dict.fromkeys((*LOSSES, "validation_loss"), uses.origins[SKILL])
        scored = [f"{kind}{part}loss" for kind in ("", "trivial_", "best_") for part in ("validation_", "")]
        absent = [column for column in absent if column not in ("test_loss", *scored)]
    for column in FLAT:
        if column not in table and column != SKILL:
            table[column] = pd.NA
    table = uses.table = table.astype({column: kind for column, kind in FLAT.items() if column in table})
    _fill_words(uses)
    _fill_numbers(uses)
    check_rows(uses)
    check_keys(uses, [column for column in RUNS if column not in ("key", *MEMBERS)])
    label = table["task"].str.cat(
        [table[column].astype("string") for column in ("budget", "match", "variant")], sep="/"
    )
    label = label + "/L" + table["depth"].astype("string")
    label = label.where(table["replica"] == "", label + "/" + table["replica"])
    if not uses.has("arm"):
        table["arm"] = label
    if not uses.has("key"):
        each = label.str.cat([table[column].astype("string") for column in ("phase", "point", "seed")], sep="/")
        table["key"] = pd.array([hashlib.sha256(one.encode()).hexdigest()[:16] for one in each], dtype="string")
    return _consequences(absent, sized=uses.has("parameters"))


def _consequences(absent: list[str], *, sized: bool) -> list[str]:
    """One phrase for each thing that the absent columns change."""
    said = []
    if taken := [column for column in TAKEN if column in absent]:
        values = TAKEN | {"budget": "the parameters of the shallowest arm" if sized else TAKEN["budget"]}
        said.append(f"{', '.join(taken)}: taken as {', '.join(values[column] for column in taken)}")
    for columns, words in WITHOUT.items():
        if lacking := [column for column in columns if column in absent]:
            said.append(f"{', '.join(lacking)}: {words}")
    told = {*TAKEN, *(column for columns in WITHOUT for column in columns)}
    if idle := [column for column in absent if column not in told]:
        said.append(f"{', '.join(idle)}: no verdict needs them")
    return said


def _scores(uses: Uses, path: Path) -> list[str]:
    """The columns that the tested score is made of: the losses, or the skill itself."""
    if uses.has(*LOSSES):
        return list(LOSSES)
    if uses.has(SKILL):
        return [SKILL]
    lacking = next(column for column in LOSSES if column not in uses.origins)
    others = [name for sheet, _ in uses.origins.values() for name in sheet.unread]
    there = near(lacking, dict.fromkeys([*others, *uses.origins]))
    raise UserError(f"{path} has no column {lacking!r}, and none 'skill' in its place{there}")


def _fill_words(uses: Uses) -> None:
    table = uses.table
    for column, kind in FLAT.items():
        if kind == "string" and column in table:
            table[column] = table[column].fillna("")
    for column, word in (("variant", "plain"), ("match", "parameters"), ("status", "done")):
        table[column] = table[column].replace("", word)
    table["task_source"] = table["task_source"].where(table["task_source"] != "", table["task"])
    for column in ("task_parameters", "baselines"):
        table[column] = table[column].replace("", "{}")
    folded = table["fold"].notna().groupby(table["task"]).transform("any")
    guess = pd.Series(np.where(folded, "folds", "seeds"), index=table.index, dtype="string")
    table["replicates"] = table["replicates"].where(table["replicates"] != "", guess)
    table["superseded"] = table["superseded"].fillna(False)


def _fill_numbers(uses: Uses) -> None:
    """Sizes that nobody counted are 0; budgets, rates and references come from the columns nearest to them."""
    table = uses.table
    for column in ("point", "width", "parameters", "flops", "steps"):
        table[column] = table[column].fillna(0)
    table["state_size"] = table["state_size"].fillna(table["depth"] * table["width"])
    if not uses.has("budget"):
        if uses.has("parameters"):
            sized = table[table["parameters"] > 0].astype({"parameters": "object"})
            first = sized.groupby([*ARM[:1], *ARM[2:]], sort=False)["parameters"].transform("first")
            other = (sized["parameters"] != first).reindex(table.index, fill_value=False)
            uses.refuse(
                other, "parameters", lambda size: f"{size}, and other rows of this arm differ: add a column budget"
            )
        shallow = table[table["parameters"] > 0].sort_values("depth", kind="stable")
        by = [column for column in PLACE if column != "budget"]
        found = shallow.groupby(by)["parameters"].first().rename("found").reset_index()
        table["budget"] = table[by].merge(found, on=by, how="left")["found"].fillna(0).to_numpy()
        table["budget"] = table["budget"].astype("Int64")
    rates = table["learning_rate"]
    if rates.isna().any() and uses.has("hyperparameters"):
        known = {text: json.loads(text or "{}").get("learning_rate") for text in table["hyperparameters"].unique()}
        numbers = [rate if isinstance(rate := known[text], (int, float)) else None for text in table["hyperparameters"]]
        table["learning_rate"] = rates.fillna(pd.Series(numbers, index=table.index, dtype="Float64"))
    blank = table["hyperparameters"] == ""
    settings = [
        "{}" if pd.isna(rate) else json.dumps({"learning_rate": rate}) for rate in table["learning_rate"][blank]
    ]
    table.loc[blank, "hyperparameters"] = settings
    for which in ("trivial", "best"):
        on_test = table[f"{which}_loss"]
        usual = on_test.astype(float).groupby(table["task"]).transform("median").astype("Float64")
        if not uses.has("trivial_validation_loss"):
            table[f"{which}_validation_loss"] = table[f"{which}_validation_loss"].fillna(on_test).fillna(usual)


def _rows_absent(uses: Uses, study: Mapping[str, Any]) -> list[str]:
    """What no row shows."""
    table, said = uses.table, []
    phases = set(table["phase"])
    if not study.get("tuning"):
        said.append(_why_untuned(uses, phases))
    if "converge" not in phases:
        said.append("rows of phase converge: no verdict was checked with twice the steps")
    if not (table["depth"] == 1).any():
        said.append("rows of depth 1: every contrast compares with it, so each stays incomplete")
    elif only := sorted(set(table["task"]) - set(table.loc[table["depth"] > 1, "task"])):
        said.append(f"deeper rows of {', '.join(only)}: depth 1 alone has nothing to be compared with")
    if uses.has("control") and not (table["control"] != "").any():
        said.append("control: no task is marked as a control, so the instrument is not checked")
    return said


def _why_untuned(uses: Uses, phases: set[str]) -> str:
    if lacking := [phase for phase in TUNED if phase not in phases]:
        return f"rows of phase {' and '.join(lacking)}: tuning not shown"
    if not uses.has("validation_loss"):
        return "validation_loss of the tuning rows: tuning not shown"
    return "learning_rate of the tuning rows: tuning not shown, for an optimum at the edge would not be seen"


def _split(uses: Uses) -> dict[str, pd.DataFrame]:
    """The filled table as `runs`, one row per key, and `members`; rows in an order of their own."""
    table = uses.table.sort_values(["arm", "phase", "point", "seed", "key"], kind="stable", ignore_index=True)
    return {
        "runs": table.drop_duplicates("key", ignore_index=True)[list(RUNS)].astype(RUNS),
        "members": table[list(MEMBERS)].astype(MEMBERS),
    }
