"""Lines about trainings that run elsewhere: clusters, and evidence of several machines."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from benchmark import parts, ui_cost
from benchmark.executors import cluster, credentials, dask
from benchmark.executors.cluster import Cluster
from tests.errors.table import Group, Line, Provocation, Room, command, python, without

SLURM = "cluster slurm smoke --nodes 3 --time 8:00:00"
OPTIONS = "tests/test_cluster_scripts.py::test_a_wrong_option_is_one_line"
MERGE = "tests/test_merge.py::"
AGAIN = "tests/test_reproduce.py::test_what_cannot_be_run_again_is_refused_in_one_line"


def refusing_sbatch(room: Room) -> str:
    """A queue that takes nothing."""
    room.write("sbatch", "#!/bin/sh\necho no such partition >&2; exit 1\n")
    (room.folder / "sbatch").chmod(0o755)
    room.bend.setenv("PATH", f"{room.folder}{os.pathsep}{os.environ['PATH']}")
    return room.strata(*SLURM.split(), "--workers-per-node", "1", "--submit")


def keys(change: Callable[[Room], object]) -> Provocation:
    """Keys that were made, and then changed."""

    def provoke(room: Room) -> str:
        credentials.make(room.folder / "tls")
        change(room)
        return python(lambda: credentials.load(room.folder / "tls"))(room)

    return provoke


def seen(status: str) -> Provocation:
    """What the driver sees when it looks around: its connection, no worker, and one that it refused."""
    state = mock.Mock(_where="tls://x:1", _workers={}, _refused={"w": "torch 1 and not 2"})
    state._client = mock.Mock(status=status, **{"nthreads.return_value": {}})
    return python(lambda: dask.DaskExecutor._look_around(state))


def silent(room: Room) -> str:
    """A scheduler that does not answer."""
    room.bend.setattr(dask, "CONNECT", 0.0)
    return python(lambda: dask._connect(Cluster("", Path("none.json"), None, False), print))(room)


def no_proc(room: Room) -> str:
    """A system without /proc."""
    room.bend.setattr(ui_cost, "Path", lambda *_: SimpleNamespace(exists=lambda: False))
    return python(ui_cost.main)(room)


def strange_row(room: Room) -> str:
    """A table that another program wrote."""
    room.bend.setattr(parts.evidence, "read", lambda _: None)
    room.bend.setattr(parts, "results", lambda _: [({"key": "x"}, None)])
    return python(lambda: parts._of_evidence(parts.Part("a"), Path("a"), mock.Mock()))(room)


def broken_json(room: Room) -> str:
    """A file that was cut short."""
    room.write("environment.json", "{")
    return python(lambda: parts._json(room.folder / "environment.json"))(room)


CLUSTERS = Group(
    "A cluster: `strata cluster`, `scheduler`, `worker`, and `--scheduler`",
    "[cluster](cluster.md) and [cluster_dask](cluster_dask.md) say how it is meant to be used.",
    (
        Line("say what a node gives", "One of the two says how many workers a node has.", OPTIONS),
        Line("--… is …: give 1 or more", "A count below 1.", OPTIONS),
        Line("give hours:minutes:seconds", "SLURM reads times in these forms.", OPTIONS),
        Line("has a line break", "Each line of the scripts' beginning is given by itself.", OPTIONS),
        Line("give an option of sbatch", "Options of sbatch begin with two hyphens.", OPTIONS),
        Line("is not there: give the Python", "The nodes would not find it either.", OPTIONS),
        Line("there is no sbatch here", "SLURM's commands are on a login node.", OPTIONS),
        Line("sbatch refused", "What the queue said stands in the brackets.", refusing_sbatch),
        Line("--scheduler and --scheduler-file were given", "Both name a scheduler.",
             python(lambda: Cluster.asked("tls://x:1", Path("x"), environment={}))),
        Line("--workers counts processes of this machine", "A study trains here or on the cluster.",
             python(lambda: Cluster.asked("tls://x:1", None, instead=True, environment={}))),
        Line("STRATA_SCHEDULER and STRATA_SCHEDULER_FILE are both set", "Both name a scheduler.",
             python(lambda: Cluster.asked(None, None, environment={"STRATA_SCHEDULER": "x:1",
                                                                   "STRATA_SCHEDULER_FILE": "x"}))),
        Line("says how a scheduler is reached", "An option about a scheduler that was not named.",
             python(lambda: Cluster.asked(None, None, insecure=True, environment={}))),
        Line("a Dask cluster was asked for", "Dask is an extra.", without("distributed", python(cluster.require_dask))),
        Line("a worker needs its scheduler", "A worker serves one scheduler.", command("worker")),
        Line("is no address: write", "A port is part of an address.",
             python(lambda: cluster.check("http://x:1", insecure=False))),
        Line("is plain TCP to another machine", "Whoever reaches a Dask cluster runs code on it.",
             python(lambda: cluster.check("tcp://10.0.0.5:8786", insecure=False))),
        Line("needs keys: name their folder", "An address alone does not say where the keys are.",
             python(lambda: Cluster("tls://x:1", None, None, False).keys)),
        Line("scheduler file … cannot be read", "A folder, or a file of somebody else.",
             python(lambda: Cluster("", Path("."), None, False).find())),
        Line("the keys are made by strata scheduler", "The folder is another one, or nothing was started yet.",
             python(lambda: credentials.load(Path("nowhere")))),
        Line("make keys of your own", "Keys of another user are not trusted.",
             keys(lambda room: room.bend.setattr(os, "getuid", lambda: 12345))),
        Line("can be read by others, who could run code", "Whoever has the keys is let in.",
             keys(lambda room: (room.folder / "tls").chmod(0o755))),
        Line("no Dask scheduler answers at", "It was not started, or another machine cannot be reached.", silent),
        Line("is gone (…): everything finished is kept", "The scheduler was stopped or its node was lost.",
             seen("closed")),
        Line("can be given work", "Workers of other versions or data would give other numbers.", seen("running")),
        Line("no scheduler answered at", "A worker waits `--patience` seconds.",
             command("worker --scheduler-file none.json --patience 0")),
        Line("no scheduler can be started on", "The address is not of this machine, or the port is taken.",
             command("scheduler --scheduler-file s.json --host 203.0.113.1")),
        Line("memory is read from /proc", "Of `python -m benchmark.ui_cost`.", no_proc),
    ),
)  # fmt: skip

REFUSED = MERGE + "test_what_cannot_be_merged_is_refused_in_one_line"
MERGING = Group(
    "Evidence of several machines: `strata merge` and `strata reproduce`",
    "Both read the results folders that they are given and change nothing in them.",
    (
        Line("is no folder: give the results folder", "A misspelt path, or a file.", REFUSED),
        Line("holds neither journal.jsonl nor runs.parquet", "A folder of something else.", REFUSED),
        Line("holds a row that Strata did not write", "The table was made or changed by another program.",
             strange_row),
        Line("is damaged (…): restore it, or move it away", "The file was cut short or changed.", broken_json),
        Line("a folder was given twice", "Its trainings would be counted once all the same.", REFUSED),
        Line("itself is kept: name the other folders only", "What is here already takes part by itself.", REFUSED),
        Line("is none of the parts", "A misspelt folder.", REFUSED),
        Line("no training of", "Other tasks, settings or seeds than the study's.", REFUSED),
        Line("trainings have different numbers in", "Two machines gave the same training different numbers.",
             MERGE + "test_a_conflict_shows_both_values_and_writes_nothing"),
        Line("is no folder: give a published study", "A misspelt path, or a file.", AGAIN),
        Line("--tasks: … has no task", "A misspelt label.", AGAIN),
        Line("--seeds is …: … has …; give 2 to", "Only seeds that the study had can be compared.", AGAIN),
    ),
)  # fmt: skip
