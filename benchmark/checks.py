"""What evidence from a person's hand must hold before it is analysed: each fault one line, with column and row."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmark.analysis.replicas import NAMES
from benchmark.errors import UserError
from benchmark.sheets import Sheet

PLACE = ["task", "budget", "match", "variant"]
"""What makes a contrast; with depth and replica it makes an arm."""
ARM = [*PLACE, "depth", "replica"]
TESTED, TUNED = ("confirm", "converge"), ("tune", "rerank")
WORDS: dict[str, tuple[str, ...]] = {
    "phase": ("tune", "rerank", "confirm", "converge"),
    "status": ("done", "diverged", "pruned", "failed"),
    "match": ("parameters", "state", "flops"),
    "replica": ("", *NAMES),
    "control": ("", "depth", "width", "null"),
    "replicates": ("seeds", "folds", "groups"),
}
_LEAST = {"depth": 1, "seed": 0, "point": 0, "fold": 0, "budget": 0, "width": 0, "parameters": 0, "known_depth": 0}
_JSON = ("hyperparameters", "task_parameters", "baselines")


@dataclass
class Uses:
    """One row per use of a run, with the columns of `members` and `runs`, and where each cell of a file stands."""

    table: pd.DataFrame
    origins: dict[str, tuple[Sheet, np.ndarray]]
    """Sheet of a column, and the row of that sheet for every row here."""

    def has(self, *columns: str) -> bool:
        """Whether the files had all these columns."""
        return all(column in self.origins for column in columns)

    def place(self, row: int, column: str) -> str:
        """File, row and column of a cell."""
        sheet, rows = self.origins[column]
        return sheet.place(int(rows[row]), column)

    def number(self, row: int, column: str) -> int:
        """Line or row number of a cell in its file."""
        sheet, rows = self.origins[column]
        return int(sheet.numbers[rows[row]])

    def word(self, column: str) -> str:
        """What `number` counts: `line` or `row`."""
        return self.origins[column][0].word

    def values(self, column: str) -> np.ndarray:
        """A column of numbers, missing ones NaN."""
        return self.table[column].to_numpy(dtype=float, na_value=np.nan)

    def refuse(self, bad: np.ndarray | pd.Series, column: str, say: Callable[[Any], str] | str) -> None:
        """Raise UserError for the first row of the file that is `bad`; `say` gets its cell."""
        found = np.flatnonzero(np.asarray(bad, dtype=bool))
        if len(found):
            row = int(found[np.argmin(self.origins[column][1][found])])
            cell = self.table[column].iloc[row]
            said = say if isinstance(say, str) else say("empty" if pd.isna(cell) else cell)
            raise UserError(f"{self.place(row, column)}: {said}")


def check_cells(uses: Uses, scores: Sequence[str]) -> None:
    """Every cell by itself, and the losses of what is called done. `scores`: the columns a tested score is made of."""
    for column in ("task", "phase", "status", "arm", "key"):
        if uses.has(column):
            uses.refuse(uses.table[column].fillna("") == "", column, "is empty")
    for column in ("depth", "seed", "budget"):
        if uses.has(column):
            uses.refuse(uses.table[column].isna(), column, "is empty")
    for column, known in WORDS.items():
        if uses.has(column):
            _check_words(uses, column, known)
    for column, least in _LEAST.items():
        if uses.has(column):
            uses.refuse(uses.values(column) < least, column, f"{{}} is below {least}".format)
    for column in _JSON:
        if uses.has(column):
            _check_json(uses, column)
    done, tested, tuned = _phases(uses)
    for column in scores:
        said = "{} is no finite number, and the training is called done: give the number, or status diverged or failed"
        read = tested | tuned if column == "skill" else tested
        uses.refuse(read & done & ~np.isfinite(uses.values(column)), column, said.format)
    if uses.has("validation_loss"):
        said = "{} is no finite number, and the training is called done: tuning reads it"
        uses.refuse(tuned & done & ~np.isfinite(uses.values("validation_loss")), "validation_loss", said.format)


def check_rows(uses: Uses) -> None:
    """Rows against each other: references, arms, keys, and what stands twice. Needs every column filled."""
    done, tested, tuned = _phases(uses)
    _check_references(uses, done & tested, "trivial_loss", "best_loss")
    if uses.has("trivial_validation_loss"):
        _check_references(uses, done & tuned, "trivial_validation_loss", "best_validation_loss")
    for column in ("control", "replicates"):
        if uses.has(column):
            _check_one(uses, ["task"], column, "rows of the same task say")
    if uses.has("arm"):
        for column in ARM:
            if uses.has(column):
                _check_one(uses, ["arm"], column, "rows of the same arm say")
    if uses.has("replicates", "fold"):
        folds = (uses.table["replicates"] == "folds").to_numpy() & tested
        uses.refuse(folds & np.isnan(uses.values("fold")), "fold", "is empty, and the replicates of its task are folds")
    used = ~uses.table["superseded"].fillna(False).to_numpy(dtype=bool)
    place = [*ARM, "phase", "point", "seed"]
    again = np.zeros(len(used), dtype=bool)
    again[used] = uses.table.loc[used, place].duplicated().to_numpy()
    if again.any():
        row = int(np.flatnonzero(again)[0])
        same = (uses.table[place] == uses.table[place].iloc[row]).all(axis=1).to_numpy() & used
        first = uses.number(int(np.flatnonzero(same)[0]), "seed")
        phase, point = uses.table["phase"].iloc[row], uses.table["point"].iloc[row]
        said = (
            f"stands a second time in phase {phase}, point {point} of this arm (first in {uses.word('seed')} {first})"
        )
        also = "remove one, or tell them apart by budget, variant or point"
        uses.refuse(np.arange(len(used)) == row, "seed", lambda cell: f"{cell} {said}: {also}")


def check_keys(uses: Uses, columns: Collection[str]) -> None:
    """Rows of one key are one training: whatever `columns` tell of a training must agree."""
    if not uses.has("key"):
        return
    repeated = uses.table["key"].duplicated(keep=False).to_numpy()
    for column in columns if repeated.any() else ():
        if uses.has(column):
            _check_one(uses, ["key"], column, "rows of the same key say", repeated)


def _phases(uses: Uses) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which rows are done, which are of a tested phase, which of tuning."""
    phase = uses.table["phase"]
    done = (uses.table["status"] == "done").to_numpy(dtype=bool)
    return done, phase.isin(TESTED).to_numpy(dtype=bool), phase.isin(TUNED).to_numpy(dtype=bool)


def _check_words(uses: Uses, column: str, known: Sequence[str]) -> None:
    said = ", ".join(word or "(empty)" for word in known)
    allowed = {*known, ""}  # where empty is no answer it was refused before, or the default is taken
    uses.refuse(~uses.table[column].fillna("").isin(allowed), column, lambda cell: f"{cell!r} is none of {said}")


def _check_json(uses: Uses, column: str) -> None:
    for text in uses.table[column].dropna().unique():
        try:
            fine = not text or isinstance(json.loads(text), dict)
        except ValueError:
            fine = False
        if not fine:
            said = f'{text!r} is no JSON object such as {{"learning_rate": 0.01}}'
            uses.refuse((uses.table[column] == text).fillna(False), column, said)


def _check_references(uses: Uses, rows: np.ndarray, trivial: str, best: str) -> None:
    """The trivial loss lies above the best possible one, which is known for all of a task or for none of it."""
    low = uses.values(best)
    known = pd.Series(~np.isnan(low[rows])).groupby(uses.table["task"].to_numpy()[rows])
    mixed = known.transform("nunique").to_numpy() > 1
    bad = np.zeros(len(rows), dtype=bool)
    bad[np.flatnonzero(rows)[mixed]] = True
    if uses.has(best):
        uses.refuse(bad & np.isnan(low), best, "is empty, and other rows of the same task have it")
    high, low = uses.values(trivial), np.where(np.isnan(low), 0.0, low)
    if uses.has(trivial):
        uses.refuse(
            rows & ~(high > low),
            trivial,
            f"{{}} is not above {best}, or above 0 where there is none, so no score can be made of it".format,
        )


def _check_one(uses: Uses, by: list[str], column: str, said: str, among: np.ndarray | None = None) -> None:
    """`column` has one value within each group."""
    table = uses.table if among is None else uses.table[among]
    cells = table[column].astype("object").where(table[column].notna(), "")
    first = cells.groupby([table[name] for name in by], sort=False).transform("first")
    differs = (cells != first).to_numpy()
    if differs.any():
        rows = np.arange(len(uses.table)) if among is None else np.flatnonzero(among)
        at = int(np.flatnonzero(differs)[0])
        other = first.iloc[at]
        uses.refuse(
            np.arange(len(uses.table)) == rows[at], column, lambda cell: f"{cell!r}, and other {said} {other!r}"
        )
