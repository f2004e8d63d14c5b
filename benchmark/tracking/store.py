"""Where a study's MLflow lives: the database, the two experiments, and how they are removed."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmark import addresses
from benchmark.errors import UserError
from benchmark.tracking.mlflow_api import (
    Experiment,
    LifecycleStage,
    MlflowClient,
    MlflowException,
    Run,
    ViewType,
    mlflow,
)

PROJECT = "strata"
TRAININGS = "{study}/trainings"
"""Name of the experiment with every training; the study's own name is the experiment that people read."""


class TrackingUnavailable(Exception):
    """MLflow cannot be written now: nothing is lost, the journal is replayed later. One line."""


@contextmanager
def reachable(uri: str) -> Iterator[None]:
    """Turn whatever a database, a server or a disk raises into one TrackingUnavailable."""
    import sqlalchemy.exc

    # A failed HTTP request is an OSError too.
    try:
        yield
    except (MlflowException, sqlalchemy.exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
        where = addresses.shown(uri)
        raise TrackingUnavailable(f"MLflow at {where} cannot be used now ({_one_line(error)})") from error


def _one_line(error: Exception) -> str:
    return addresses.hidden(" ".join(str(error).split("\n[SQL")[0].split("(Background on")[0].split()))[:200]


def resolve_uri(workspace: Path, uri: str | None = None) -> str:
    """The tracking URI: the one given, else `MLFLOW_TRACKING_URI`, else SQLite in the workspace."""
    given = uri or os.environ.get("MLFLOW_TRACKING_URI")
    return addresses.with_driver(given) if given else f"sqlite:///{workspace.resolve() / 'mlflow.db'}"


def local_database(uri: str) -> Path | None:
    """The file behind a SQLite URI; None for a server or another database."""
    return Path(uri.removeprefix("sqlite:///")).resolve() if uri.startswith("sqlite:///") else None


def connect(uri: str) -> MlflowClient:
    """A client whose store answers. Creates a local database when there is none.

    Raises UserError when the file is no database or another program's, when its schema is of another MLflow, when the
    folder cannot be written, and when a server does not answer.
    """
    import sqlalchemy.exc

    database, place = local_database(uri), addresses.shown(uri)
    try:
        if database is not None:
            _prepare(database)
        with addresses.first_use(uri):
            client = MlflowClient(tracking_uri=uri)
            client.get_experiment_by_name(PROJECT)
        if database is not None:
            _sync_at_checkpoints_only(client)
    except (MlflowException, OSError, sqlite3.Error, sqlalchemy.exc.SQLAlchemyError, ImportError) as error:
        if "out-of-date database schema" in str(error):
            raise UserError(
                f"{database or place} was written by another version of MLflow: back it up and run "
                f"`python -m mlflow db upgrade {place}`"
            ) from error
        where = "" if database else ": start the server, or unset MLFLOW_TRACKING_URI to use a local database"
        if isinstance(error, ImportError) and addresses.is_postgres(uri):
            where = ": install its driver with `pip install 'strata-lstm[postgres]'`"
        raise UserError(f"MLflow at {place} cannot be used ({_one_line(error)}){where}") from error
    return client


def _prepare(database: Path) -> None:
    """See that the file is an MLflow database, or make it, whole: a kill meanwhile leaves none, not half of one.

    Looked at before MLflow does, which tries ten times for a minute on a file that is no database.
    """
    if database.exists() and database.stat().st_size > 0:
        mend = "move it away and run the same command again: MLflow is rebuilt from the journal"
        try:
            with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
                tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        except sqlite3.DatabaseError as error:
            raise UserError(f"{database} is not a database ({error}): {mend}") from error
        if not {"experiments", "runs", "alembic_version"} <= tables:
            raise UserError(f"{database} is not an MLflow database (it lacks the tables of one): {mend}")
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    part = database.with_name(f"{database.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    database.unlink(missing_ok=True)  # an empty file
    try:
        _make_tables(part)
        with closing(sqlite3.connect(part)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")  # stays with the file; readers no longer wait for the writer
        try:
            os.link(part, database)  # unlike a rename, never replaces a database that another study made meanwhile
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            part.replace(database)
    finally:
        part.unlink(missing_ok=True)


def _make_tables(part: Path) -> None:
    """What `mlflow db upgrade` does on an empty database: a hundred migrations, synced to disk once instead of each."""
    import sqlalchemy

    make = mlflow.db.upgrade.callback
    assert make is not None
    sqlalchemy.event.listen(sqlalchemy.Engine, "connect", _never_sync)
    try:
        make(f"sqlite:///{part}")
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "connect", _never_sync)
    with part.open("rb+") as file:
        os.fsync(file.fileno())


def _never_sync(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA synchronous=OFF")


def _sync_at_checkpoints_only(client: MlflowClient) -> None:
    """Do not wait for the disk at each of the dozen commits that MLflow makes for a run.

    With a write-ahead log a kill loses nothing, and a power cut only the last runs, which the journal brings back.
    """
    import sqlalchemy

    engine = client._tracking_client.store.engine
    if not sqlalchemy.event.contains(engine, "connect", _relax):
        sqlalchemy.event.listen(engine, "connect", _relax)
        engine.dispose()  # connections opened before


def _relax(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA synchronous=NORMAL")


def ensure_experiment(client: MlflowClient, name: str, artifacts: Path | None) -> Experiment:
    """The experiment of this name, created when absent, with its artifacts in `artifacts` (None: the server decides).

    Raises UserError when it was deleted in the UI: MLflow keeps the name of a deleted experiment.
    """
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        location = None if artifacts is None else str(artifacts)
        try:
            return client.get_experiment(client.create_experiment(name, artifact_location=location))
        except MlflowException as error:  # a server is shared: another driver, or our own first try, made it meanwhile
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            experiment = client.get_experiment_by_name(name)
            assert experiment is not None
    if artifacts is not None and artifacts.is_dir() and not Path(experiment.artifact_location).is_dir():
        _move_artifacts(client, experiment, artifacts)
    if experiment.lifecycle_stage == LifecycleStage.DELETED:
        study, place = name.removesuffix("/trainings"), addresses.shown(client.tracking_uri)
        raise UserError(
            f"the MLflow experiment {name!r} was deleted in the UI: restore it with `MLFLOW_TRACKING_URI="
            f"{place} python -m mlflow experiments restore --experiment-id {experiment.experiment_id}`, "
            f"or give the study another name, or remove it from every store with `strata clean {study}`"
        )
    return experiment


def _move_artifacts(client: MlflowClient, experiment: Experiment, artifacts: Path) -> None:
    """The workspace was moved or renamed: MLflow froze absolute paths, and would write to the old place."""
    database = local_database(client.tracking_uri)
    assert database is not None
    old, new, number = experiment.artifact_location, str(artifacts), int(experiment.experiment_id)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (new, number))
        connection.execute(
            "UPDATE runs SET artifact_uri = replace(artifact_uri, ?, ?) WHERE experiment_id = ?", (old, new, number)
        )


def born(experiment: Experiment) -> int:
    """When the experiment was made, in milliseconds: the one date of a study that never moves."""
    return experiment.creation_time or 0


def search(
    client: MlflowClient, experiment_id: str, filter_string: str = "", view: int = ViewType.ACTIVE_ONLY
) -> list[Run]:
    """Every run that fits, oldest first, past MLflow's page size."""
    runs: list[Run] = []
    token: str | None = None
    while token is None or token:
        page = client.search_runs([experiment_id], filter_string, view, 5000, ["attributes.start_time ASC"], token)
        runs += page
        token = page.token or ""
    return runs


def clean(study: str, workspace: Path, uri: str | None = None) -> int:
    """Remove both experiments of one study with their runs and artifacts; returns how many runs went.

    In a database reached directly they are gone for good, so that the name is free again. A server deletes nothing for
    good through its API: there the experiments are renamed and put in its bin, which frees the name too.
    """
    uri = resolve_uri(workspace, uri)
    database = local_database(uri)
    if database is not None and not database.exists():
        return 0
    client = connect(uri)
    removed = 0
    with reachable(uri):
        for name in (study, TRAININGS.format(study=study)):
            if (experiment := client.get_experiment_by_name(name)) is not None:
                removed += _remove(client, experiment)
    if database is not None:
        shutil.rmtree(artifact_folder(workspace, study), ignore_errors=True)
    return removed


def artifact_folder(workspace: Path, study: str) -> Path:
    """Where a study's artifacts lie when MLflow is a local SQLite database."""
    return workspace.resolve() / "mlartifacts" / study


def _remove(client: MlflowClient, experiment: Experiment) -> int:
    store = client._tracking_client.store
    runs = search(client, experiment.experiment_id, view=ViewType.ALL)
    for_good = hasattr(store, "_hard_delete_run") and hasattr(store, "_hard_delete_experiment")
    if experiment.lifecycle_stage == LifecycleStage.DELETED and not for_good:
        client.restore_experiment(experiment.experiment_id)
    if not for_good:
        client.rename_experiment(experiment.experiment_id, f"{experiment.name} (removed {time.time_ns()})")
    if client.get_experiment(experiment.experiment_id).lifecycle_stage != LifecycleStage.DELETED:
        client.delete_experiment(experiment.experiment_id)
    if for_good:
        # Not `mlflow gc`, which takes the deleted runs of every other experiment along. Run by run, since deleting the
        # experiment alone would load every metric of every run first.
        for run in runs:
            store._hard_delete_run(run.info.run_id)
        store._hard_delete_experiment(experiment.experiment_id)
    return len(runs)
