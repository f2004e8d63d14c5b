"""SLURM as Debian packages it: four nodes on this machine, all on loopback, nothing written outside its folder."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from tests.cluster.processes import Program, free_port, wait_until

NODES, CPUS, GPUS = 4, 16, 8
CONFIGURATION = """
ClusterName=sandbox
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={port}
AuthType=auth/munge
AuthInfo=socket={folder}/run/munge.socket,cred_expire=5
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core,CR_LLN
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
ReturnToService=1
JobRequeue=1
MinJobAge=300
KillWait=5
SlurmdParameters=config_overrides
GresTypes=gpu
{nodes}
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=ALL MaxTime=INFINITE State=UP
PartitionName=cpu Nodes=ALL MaxTime=INFINITE State=UP
"""


class Slurm:
    """A cluster of `NODES` nodes, with `CPUS` cores and `GPUS` GPUs each in name only: jobs share this machine."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="strata-slurm-"))
        for name in ("state", "log", "run", *(f"spool/n{i}" for i in range(1, NODES + 1))):
            (self.folder / name).mkdir(parents=True)
        self.folder.chmod(0o755)
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o600)
        host = socket.gethostname().split(".")[0]
        nodes = [
            f"NodeName=n{i} NodeHostname={host} NodeAddr=127.0.0.1 Port={free_port()} CPUs={CPUS} RealMemory=4000 "
            f"Gres=gpu:{GPUS} State=UNKNOWN"
            for i in range(1, NODES + 1)
        ]
        user = "root" if os.geteuid() == 0 else os.environ["USER"]
        text = CONFIGURATION.format(host=host, user=user, port=free_port(), folder=self.folder, nodes="\n".join(nodes))
        (self.folder / "slurm.conf").write_text(text.strip() + "\n")
        for number in range(GPUS):  # SLURM counts them by their files, and opens none
            (self.folder / f"gpu{number}").touch()
        devices = f"AutoDetect=off\nName=gpu File={self.folder}/gpu[0-{GPUS - 1}] Flags=nvidia_gpu_env\n"
        (self.folder / "gres.conf").write_text(devices)
        self.programs: list[Program] = []

    @property
    def environment(self) -> dict[str, str]:
        """What makes SLURM's commands talk to this cluster."""
        path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        return {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": path}

    def start(self) -> None:
        folder = self.folder
        self._start(
            "munged",
            "--foreground",
            "--force",
            f"--key-file={folder}/munge.key",
            f"--socket={folder}/run/munge.socket",
            f"--pid-file={folder}/run/munged.pid",
            f"--log-file={folder}/log/munged.log",
            f"--seed-file={folder}/run/munge.seed",
        )
        wait_until(lambda: (folder / "run/munge.socket").exists(), "munged listens")
        self._start("slurmctld", "-D", "-c")
        for number in range(1, NODES + 1):
            self._start("slurmd", "-D", "-N", f"n{number}")
        wait_until(lambda: self.nodes() == {f"n{i}": "idle" for i in range(1, NODES + 1)}, "all nodes are idle")

    def _start(self, *command: str) -> None:
        environment = os.environ | self.environment
        self.programs.append(Program(command, self.folder / "log" / f"{len(self.programs)}.txt", environment))

    def stop(self) -> None:
        """Cancel what still runs, then stop the daemons, and remove the folder."""
        if len(self.programs) > 1 and self.jobs():
            self.run("scancel", "--full", "--signal=KILL", *self.jobs())
            self.run("scancel", *self.jobs())
            wait_until(lambda: not self.jobs(), "cancelled jobs are gone")
        for program in reversed(self.programs):
            program.stop()
        shutil.rmtree(self.folder)

    def run(self, *command: str) -> str:
        """One of SLURM's commands; what it said."""
        done = subprocess.run(command, env=os.environ | self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def nodes(self) -> dict[str, str]:
        """State of each node, as `sinfo` has it; empty while the controller does not answer."""
        try:
            lines = self.run("sinfo", "-h", "-N", "-o", "%N %t").split("\n")
        except AssertionError:
            return {}
        return {line.split()[0]: line.split()[1] for line in lines if line}

    def lose(self, node: str) -> None:
        """Set a node DOWN: what runs there is killed, and requeued elsewhere."""
        self.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")

    def resume(self, node: str) -> None:
        """Bring back a node that was set DOWN."""
        self.run("scontrol", "update", f"NodeName={node}", "State=RESUME")

    def jobs(self, state: str = "all", name: str = "") -> dict[str, dict[str, str]]:
        """Jobs in the queue, an array's tasks one by one: their name, state, node and reason, by number."""
        chosen = ["-t", state] if state != "all" else []
        lines = self.run("squeue", "-h", "-r", *chosen, "-o", "%i|%j|%T|%N|%r").splitlines()
        rows = [line.split("|") for line in lines]
        return {
            row[0]: dict(zip(("name", "state", "node", "reason"), row[1:], strict=True))
            for row in rows
            if name in row[1]
        }
