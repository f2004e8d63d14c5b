"""Tables as people hand them over, CSV or Parquet: read and typed, with the place of every row for what is wrong."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmark.errors import UserError
from benchmark.evidence import open_parquet

SUFFIXES = (".csv", ".parquet")
ABSENT = {"", "na", "nan", "null", "none"}
"""What stands for "no number" in a column of numbers; in a column of words only the empty cell does."""
_LARGEST = 2**63 - 1
_TRUTHS = {"true": True, "1": True, "false": False, "0": False, "": False}


@dataclass(frozen=True)
class Sheet:
    """One file: its known columns in the types of the schema, and where each row stands for a person."""

    path: Path
    table: pd.DataFrame
    numbers: np.ndarray
    """Line of the file (CSV) or row of the table, from 1 (Parquet), of every row."""
    word: str
    """What `numbers` count: `line` or `row`."""
    unread: list[str] = field(default_factory=list)
    """Columns of the file that the schema does not know."""

    def place(self, row: int, column: str) -> str:
        """`runs.csv, line 7, column 'depth'`."""
        return f"{self.path}, {self.word} {self.numbers[row]}, column {column!r}"

    def need(self, *columns: str) -> None:
        """Raise UserError for the first of `columns` that is not there, naming the nearest that is."""
        for column in columns:
            if column not in self.table:
                raise UserError(f"{self.path} has no column {column!r}{near(column, [*self.unread, *self.table])}")


def near(word: str, words: Iterable[str]) -> str:
    """`: did you mean 'depth'?` or what there is."""
    lowered = {one.lower(): one for one in words}
    found = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    if found:
        return f": is it the one called {lowered[found[0]]!r}?"
    listed = list(lowered.values())
    return f": it has {', '.join(map(repr, listed[:8]))}{', ...' if len(listed) > 8 else ''}"


def read_sheet(path: Path, schema: Mapping[str, str]) -> Sheet:
    """The columns of `schema` that the file has, typed. Raises UserError naming column and row of what is malformed."""
    raw, numbers, word = (_parquet if path.suffix.lower() == ".parquet" else _csv)(path)
    names = list(raw)
    if repeated := [name for at, name in enumerate(names) if name and name in names[:at]]:
        raise UserError(f"{path} has more than one column {repeated[0]!r}: keep one")
    if not len(raw):
        raise UserError(f"{path} holds no rows: give at least the rows of two depths")
    sheet = Sheet(path, pd.DataFrame(index=raw.index), numbers, word)
    typed = {name: _TYPES[schema[name]](raw[name], name, sheet) for name in names if name in schema}
    unread = [str(name) for name in names if name and name not in schema]
    return Sheet(path, pd.DataFrame(typed, index=raw.index), numbers, word, unread)


def _csv(path: Path) -> tuple[pd.DataFrame, np.ndarray, str]:
    """Every cell as text without the blanks around it; empty lines are passed over."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise UserError(f"{path} is no text in UTF-8: save the table as CSV in UTF-8, or give a .parquet file")
    if not text.strip():
        raise UserError(f"{path} is empty: its first line must name the columns")
    first = text.lstrip().splitlines()[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    header: list[str] = []
    rows: list[list[str]] = []
    numbers: list[int] = []
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise UserError(f"{path}, line {number}: {error}: correct the quotes of that line") from None
        if row is None:
            break
        if not "".join(row).strip():
            continue
        if not header:
            header = [cell.strip() for cell in row]
            continue
        if len(row) != len(header):
            raise UserError(f"{path}, line {number}: {len(row)} cells, and the header has {len(header)} columns")
        rows.append(row)
        numbers.append(number)
    columns: Sequence[Sequence[str]] = list(zip(*rows, strict=True)) if rows else [()] * len(header)
    series = [pd.Series([cell.strip() for cell in column], dtype=object) for column in columns]
    return pd.DataFrame(dict(enumerate(series))).set_axis(header, axis=1), np.array(numbers, dtype=int), "line"


def _parquet(path: Path) -> tuple[pd.DataFrame, np.ndarray, str]:
    """Whole numbers stay whole whatever is missing beside them."""
    file = open_parquet(path)
    try:
        arrow = file.read()
        table = arrow.to_pandas(ignore_metadata=True, types_mapper=_NULLABLE.get)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as Parquet ({error}): write it again") from None
    index = [name for name in table if name.startswith("__index_level_")]  # pandas wrote it, and no person
    return table.drop(columns=index), np.arange(1, len(table) + 1), "row"


_NULLABLE = {
    pa.int8(): pd.Int64Dtype(),
    pa.int16(): pd.Int64Dtype(),
    pa.int32(): pd.Int64Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.Int64Dtype(),
    pa.uint16(): pd.Int64Dtype(),
    pa.uint32(): pd.Int64Dtype(),
}


def _texts(column: pd.Series) -> list[str]:
    if pd.api.types.is_numeric_dtype(column.dtype):  # a label such as 2016 may have become a number on its way
        column = column.convert_dtypes()
    cells = column.tolist()
    if all(type(cell) is str for cell in cells):
        return cells
    return ["" if missing else str(cell) for cell, missing in zip(cells, column.isna(), strict=True)]


def _string(column: pd.Series, name: str, sheet: Sheet) -> pd.Series:
    return pd.Series(_texts(column), index=column.index, dtype="string")


def _boolean(column: pd.Series, name: str, sheet: Sheet) -> pd.Series:
    texts = [text.lower() for text in _texts(column)]
    for row, text in enumerate(texts):
        if text not in _TRUTHS:
            raise UserError(f"{sheet.place(row, name)}: {text!r} is neither true nor false")
    return pd.Series([_TRUTHS[text] for text in texts], index=column.index, dtype="boolean")


def _numbers(column: pd.Series, name: str, sheet: Sheet, read: Callable[[str], Any], what: str) -> list[Any]:
    """Cell by cell, as Python reads a number: a loss keeps its last bit, and a seed of 63 bits all of them."""
    values: list[Any] = []
    texts = _texts(column)
    if "_" not in "".join(texts):
        try:
            return [read(text) for text in texts]
        except (ValueError, OverflowError):
            pass  # a cell is missing or wrong: look at one after the other
    for row, text in enumerate(texts):
        if text.lower() in ABSENT:
            values.append(None)
            continue
        try:
            if "_" in text:
                raise ValueError(text)
            values.append(read(text))
        except ValueError:
            raise UserError(f"{sheet.place(row, name)}: {text!r} is not a {what}") from None
    return values


def _whole(column: pd.Series, name: str, sheet: Sheet) -> pd.Series:
    if isinstance(column.dtype, pd.Int64Dtype):
        return column
    return pd.Series(_numbers(column, name, sheet, _read_whole, "whole number"), index=column.index, dtype="Int64")


def _real(column: pd.Series, name: str, sheet: Sheet) -> pd.Series:
    if not pd.api.types.is_float_dtype(column.dtype):
        column = pd.Series(_numbers(column, name, sheet, float, "number"), index=column.index, dtype=float)
    return column.astype("Float64")


def _read_whole(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        value = float(text)  # a column with gaps is often written as 3.0
        if not value.is_integer():
            raise
        number = int(value)
    if abs(number) > _LARGEST:
        raise ValueError(text)
    return number


_TYPES: dict[str, Callable[[pd.Series, str, Sheet], pd.Series]] = {
    "string": _string,
    "Int64": _whole,
    "Float64": _real,
    "boolean": _boolean,
}
