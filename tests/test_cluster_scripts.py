"""`strata cluster slurm`: what it writes, and what it refuses. What SLURM makes of it is in tests/cluster."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from benchmark.cli import main
from benchmark.cluster import Asked, write
from benchmark.errors import UserError
from benchmark.workspace import Workspace

NODES = ("cluster", "slurm", "smoke", "--nodes", "3", "--time", "8:00:00")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "say what a node gives: --gpus-per-node 8"),
        (("--gpus-per-node", "8", "--workers-per-node", "2"), "and not both"),
        (("--gpus-per-node", "0"), "--gpus-per-node is 0: give 1 or more"),
        (("--gpus-per-node", "8", "--nodes", "-1"), "--nodes is -1"),
        (("--gpus-per-node", "8", "--time", "8h"), "--time is '8h': give hours:minutes:seconds"),
        (("--gpus-per-node", "8", "--driver-time", "soon"), "--driver-time is 'soon'"),
        (("--gpus-per-node", "8", "--setup", "a\nb"), "give --setup once for each line"),
        (
            ("--gpus-per-node", "8", "--sbatch", "partition=gpu"),
            "give an option of sbatch, such as --sbatch=--partition",
        ),
        (("--gpus-per-node", "8", "--python", "/no/python"), "--python /no/python is not there"),
        (("--gpus-per-node", "8", "--set", "budgest=[1]"), "budgest"),
        (("--gpus-per-node", "8", "--submit"), "there is no sbatch here"),
    ],
)
def test_a_wrong_option_is_one_line(options, said, workspace, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(workspace))
    assert main([*NODES, *options]) == 2
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1
    if "--submit" not in options:
        assert not list(workspace.iterdir()), "nothing is half written"


@pytest.mark.parametrize("time", ["90", "8:00:00", "30:00", "2-00", "2-12:30", "7-00:00:00"])
def test_every_way_in_which_slurm_writes_a_time_is_taken(time):
    assert Asked(nodes=1, time=time, workers_per_node=1).time == time


def test_both_scripts_are_bash_and_quote_what_they_are_given(tmp_path):
    place = Workspace(tmp_path / "it's 100% a $HOME")
    asked = Asked(nodes=4, time="8:00:00", gpus_per_node=8, python="my python", setup=("module load x",))
    scripts = write(asked, "smoke", "smoke", place)
    for path in (scripts.driver, scripts.workers):
        subprocess.run(["bash", "-n", str(path)], check=True)
        text = path.read_text()
        assert "#SBATCH --array=0-3\n" in text or path == scripts.driver
        assert f"cd {shlex.quote(str(place.root))} || exit 1\nhere=results/smoke/cluster\n" in text
        assert "\nmodule load x\n" in text
        assert "('my python' -P -m benchmark)" in text
        assert "100%% a" in re.findall("--output=.*", text)[0], "% means something in the name of a log"
        assert os.access(path, os.X_OK)


def test_workers_get_no_secret_and_become_srun(tmp_path):
    asked = Asked(nodes=2, time="60", workers_per_node=16, cpus_per_worker=2, sbatch=("--partition=cpu",))
    scripts = write(asked, "smoke", "smoke", Workspace(tmp_path))
    lines = scripts.workers.read_text().splitlines()
    assert "#SBATCH --nodes=1 --ntasks=16 --cpus-per-task=2" in lines and "#SBATCH --partition=cpu" in lines
    assert any(line.startswith("unset ") and "MLFLOW_TRACKING_URI" in line for line in lines)
    assert lines[-1].startswith("exec srun ") and "gpu" not in scripts.workers.read_text()


def test_a_study_that_is_a_file_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("")
    asked = Asked(nodes=1, time="60", workers_per_node=1, sweep=("--seeds", "+10"))
    scripts = write(asked, "mine.yaml", "mine", Workspace(tmp_path / "elsewhere"))
    assert f"sweep {tmp_path}/mine.yaml --seeds +10 --workspace ." in scripts.driver.read_text()


def test_a_time_that_is_none_is_refused():
    with pytest.raises(UserError, match="--time is ''"):
        Asked(nodes=1, time="", workers_per_node=1)
