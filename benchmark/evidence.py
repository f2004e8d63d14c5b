"""Evidence: the tidy tables from which every number and picture is made, and their one reader and writer.

A study's folder holds `runs`, `members`, `blocks` and `curves` as Parquet (and `runs.csv`), beside the resolved
`study.yaml`. Files are replaced whole and atomically: a reader never meets half a table. EVIDENCE.md, beside this file,
says what every column means.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from benchmark.errors import UserError

SCHEMA_VERSION = 1
"""Goes up when a column changes its name or its meaning. Newer files than this are refused, older ones are read."""
SCHEMA_KEY = "strata_schema"
"""Under this name every Parquet file carries its version; a file without it was written as version 1."""

# One row per key. Losses are raw: skill depends on other runs, so it is made in the analysis.
RUNS: dict[str, str] = {
    "key": "string",
    "study": "string",
    "task": "string",  # the label in the study
    "task_source": "string",  # built-in name or path:Class
    "task_parameters": "string",  # JSON
    "task_digest": "string",
    "family": "string",
    "known_depth": "Int64",
    "control": "string",  # '', depth, width, null
    "replicates": "string",  # seeds, folds, groups
    "depth": "Int64",
    "width": "Int64",
    "variant": "string",
    "replica": "string",  # '' or aa
    "fold": "Int64",
    "parameters": "Int64",
    "state_size": "Int64",
    "flops": "Int64",
    "seed": "Int64",  # replicate number, 0, 1, 2, ...: pairs runs across arms within a phase
    "data_seed": "Int64",
    "init_seed": "Int64",
    "order_seed": "Int64",
    "data_hash": "string",
    "order_hash": "string",
    "hyperparameters": "string",  # JSON
    "learning_rate": "Float64",
    "status": "string",
    "train_loss": "Float64",
    "validation_loss": "Float64",
    "test_loss": "Float64",
    "trivial_validation_loss": "Float64",
    "best_validation_loss": "Float64",
    "trivial_loss": "Float64",
    "best_loss": "Float64",
    "second_metric": "Float64",
    "second_metric_name": "string",
    "baselines": "string",  # JSON: name -> test loss
    "metric": "string",
    "unit": "string",
    "best_step": "Int64",
    "steps": "Int64",
    "clipped_share": "Float64",
    "seconds": "Float64",
    "precision": "string",
    "device_type": "string",
    "engine": "string",
    "versions": "string",  # JSON
    "error": "string",
}

# One row per use of a run: a depth-1 cell shared by two arms is trained once and is a member of both.
MEMBERS: dict[str, str] = {
    "key": "string",
    "arm": "string",
    "task": "string",
    "budget": "Int64",
    "match": "string",  # parameters, state, flops
    "variant": "string",
    "depth": "Int64",
    "replica": "string",
    "phase": "string",  # tune, rerank, confirm, converge
    "point": "Int64",  # index of the tuning point whose hyperparameters the run uses
    "seed": "Int64",  # replicate number within the phase
    "superseded": "boolean",
}
BLOCKS: dict[str, str] = {"key": "string", "block": "string", "loss": "Float64", "count": "Int64"}
CURVES: dict[str, str] = {"key": "string", "step": "Int64", "metric": "string", "layer": "Int64", "value": "Float64"}
TABLES = {"runs": RUNS, "members": MEMBERS, "blocks": BLOCKS, "curves": CURVES}

# Written by `strata timescales`: one row per lag of a trace, and one per measure of a layer.
TIMESCALES: dict[str, str] = {
    "key": "string",
    "task": "string",
    "depth": "Int64",
    "layer": "Int64",  # from 0, the lowest
    "state": "string",  # h, c
    "network": "string",  # trained, untrained
    "lag": "Int64",
    "distance": "Float64",
    "low": "Float64",
    "high": "Float64",
}
LAYERS: dict[str, str] = {
    "key": "string",
    "task": "string",
    "depth": "Int64",
    "layer": "Int64",
    "state": "string",  # '' for an ablation and a loss
    "network": "string",
    "measure": "string",  # half_life, one_over_e, area, ablation, validation_loss
    "value": "Float64",
    "low": "Float64",
    "high": "Float64",
    "censored": "boolean",
    "sites": "Int64",
}
OPTIONAL = {"timescales": TIMESCALES, "layers": LAYERS}
"""Tables that a study has where a person asked for them; without them everything else is as it was."""


@dataclass(frozen=True)
class Evidence:
    """The four tables and the resolved study (plain YAML types) they belong to; optional tables where there are any."""

    runs: pd.DataFrame
    members: pd.DataFrame
    blocks: pd.DataFrame
    curves: pd.DataFrame
    study: Mapping[str, Any]
    timescales: pd.DataFrame | None = None
    layers: pd.DataFrame | None = None


def frame(rows: list[dict[str, Any]], table: str) -> pd.DataFrame:
    """Rows as a table of the schema: columns in order, absent values as NA, unknown columns a KeyError."""
    schema = (TABLES | OPTIONAL)[table]
    for row in rows:
        if unknown := row.keys() - schema.keys():
            raise KeyError(f"{table} has no column {sorted(unknown)[0]!r}")
    data = {column: [row.get(column) for row in rows] for column in schema}
    return pd.DataFrame(data).astype(schema)


def replace_file(path: Path, content: bytes) -> None:
    """Write beside, sync, rename: after a crash the old or the new file is there, whole."""
    beside = path.with_name(path.name + ".part")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def write(folder: Path, evidence: Evidence) -> None:
    """Write the tables; rows are sorted so that equal evidence gives equal files, whatever the order of arrival."""
    for name, schema in TABLES.items():
        table: pd.DataFrame = getattr(evidence, name)
        table = table.sort_values([c for c in schema if c in _SORT], kind="stable", ignore_index=True)
        replace_file(folder / f"{name}.parquet", parquet(table))
        if name == "runs":
            replace_file(folder / "runs.csv", table.to_csv(index=False).encode())


_SORT = {"key", "arm", "phase", "point", "seed", "block", "step", "metric", "layer"}


def parquet(table: pd.DataFrame) -> bytes:
    """The table as a Parquet file that carries the version of the schema."""
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    arrow = arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), SCHEMA_KEY: str(SCHEMA_VERSION)})
    file = io.BytesIO()
    pq.write_table(arrow, file)
    return file.getvalue()


def open_parquet(path: Path) -> pq.ParquetFile:
    """A Parquet file of a schema that is known here. Raises UserError for a newer one, and for what is no Parquet."""
    try:
        # Read whole, so that no handle stays open on a file that a sweep may replace.
        file = pq.ParquetFile(io.BytesIO(path.read_bytes()))
    except pa.ArrowException as error:
        raise UserError(f"{path} cannot be read as Parquet ({error}): write it again") from None
    version = (file.schema_arrow.metadata or {}).get(SCHEMA_KEY.encode(), b"1").decode(errors="replace")
    if not version.isdecimal():
        raise UserError(f"{path} carries the schema version {version!r}, which is no number: write it again")
    if int(version) > SCHEMA_VERSION:
        raise UserError(
            f"{path} is of schema version {version}, and this Strata reads up to {SCHEMA_VERSION}: install a newer one"
        )
    return file


def read_table(path: Path, name: str) -> pd.DataFrame:
    """One table of the schema, complete. Raises UserError naming the column that is missing."""
    schema = (TABLES | OPTIONAL)[name]
    arrow = open_parquet(path).read()
    if missing := [column for column in schema if column not in arrow.column_names]:
        raise UserError(f"{path} lacks the column {missing[0]!r}: it was written by another version of Strata")
    table = arrow.to_pandas()[list(schema)]
    for column, kind in schema.items():
        try:
            table = table.astype({column: kind})
        except (TypeError, ValueError) as error:
            raise UserError(f"{path}: the column {column!r} is not of type {kind} ({error}): write it again") from None
    return table


def read(folder: Path) -> Evidence:
    """Read a study's evidence. Raises UserError naming the missing file or column."""
    tables = {}
    for name in TABLES:
        path = folder / f"{name}.parquet"
        if not path.exists():
            raise UserError(
                f"{folder} holds no {path.name}: give the results folder of a study that has reached its end"
            )
        tables[name] = read_table(path, name)
    study = yaml.safe_load((folder / "study.yaml").read_text())
    return Evidence(study=study, **tables, **read_optional(folder))


def read_optional(folder: Path) -> dict[str, pd.DataFrame]:
    """The optional tables that a folder holds, by name."""
    paths = {name: folder / f"{name}.parquet" for name in OPTIONAL}
    return {name: read_table(path, name) for name, path in paths.items() if path.exists()}
