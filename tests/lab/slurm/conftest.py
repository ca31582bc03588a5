"""A real SLURM of a controller and two nodes on this machine, in namespaces of its own: no port of it is seen outside.

SLURM's commands are called in those namespaces by small scripts that come first in PATH. Everything ends with its
first process. What it needs is root and Debian's packages slurmctld, slurmd, slurm-client, munge, iproute2, util-linux.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from vaecore import lab
from vaecore.lab import cluster, jobs, scheduler, state

STAND_IN = [sys.executable, str(Path(__file__).parents[1] / "stand_in.py")]
NEEDED = ("slurmctld", "slurmd", "sbatch", "munged", "mungekey", "ip", "unshare", "nsenter")
COMMANDS = ("sbatch", "scancel", "scontrol", "sinfo", "squeue", "srun", "sacct")
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
NODES = {"ctl": "10.77.0.10", "n1": "10.77.0.11", "n2": "10.77.0.12"}

# Requeueing waits until a job's credential has expired, hence `cred_expire`.
CONF = """
ClusterName=lab
SlurmctldHost=ctl(10.77.0.10)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=cred_expire=10,socket={place}/munge.socket
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool-%n
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd-%n.pid
SlurmctldLogFile={place}/slurmctld.log
SlurmdLogFile={place}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MailProg=/bin/true
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1,sched_min_interval=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
KillWait=3
MinJobAge=3600
SlurmctldTimeout=60
SlurmdTimeout=120
NodeName=n[1-2] NodeAddr=10.77.0.[11-12] Port=[17001-17002] CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=n[1-2] Default=YES MaxTime=60 DefaultTime=60 PriorityTier=1 PreemptMode=REQUEUE GraceTime=10
PartitionName=urgent Nodes=n[1-2] MaxTime=INFINITE PriorityTier=10 PreemptMode=OFF
PartitionName=closed Nodes=n[1-2] State=DOWN
"""
# A name is only looked up where there is an address besides that of the loop: some are put on it. The last line reaps.
START = """
set -e
cd {place}
hostname ctl
ip link set lo up
for address in {addresses}; do ip addr add $address/32 dev lo; done
mount --bind {place}/hosts /etc/hosts
mungekey -c -k {place}/munge.key
munged --force --key-file={place}/munge.key --socket={place}/munge.socket --pid-file={place}/munged.pid \
  --log-file={place}/munged.log --seed-file={place}/munge.seed
slurmctld
for node in n1 n2; do unshare --uts sh -c "hostname $node; exec slurmd"; done
echo up
while sleep 0.5; do :; done
"""
COMMAND = """#!/bin/sh
export SLURM_CONF={place}/slurm.conf
[ -n "$SLURM_JOB_ID" ] && exec {real} "$@"
exec nsenter -t {first} --net --uts --mount {real} "$@"
"""


class Cluster:
    """The cluster that runs, and what one does to it."""

    def __init__(self, place: Path, first: int) -> None:
        self.place, self.first = place, first
        self.bin = place / "bin"

    def inside(self, *command: str, check: bool = True) -> str:
        """What a command prints that is run on the machine of the controller; what it leaves running ends with that."""
        return subprocess.run(["nsenter", "-t", str(self.first), "--net", "--uts", "--mount", "--pid", *command],
                              env={**os.environ, "PATH": PATH, "SLURM_CONF": str(self.place / "slurm.conf")},
                              capture_output=True, text=True, check=check, timeout=60).stdout

    def down(self) -> None:
        """End the controller, which keeps what it knows."""
        controller = self._controller()
        os.kill(controller, signal.SIGTERM)
        until(lambda: not Path(f"/proc/{controller}").exists())

    def up(self) -> None:
        """Start the controller again."""
        self.inside("slurmctld")
        until(lambda: self.inside("scontrol", "ping", check=False).strip().endswith("UP"))

    def _controller(self) -> int:
        inner = (self.place / "slurmctld.pid").read_text().strip()
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                text = status.read_text()
            except OSError:
                continue
            fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
            if fields.get("Name") == "slurmctld" and fields["NSpid"].split()[-1] == inner and _parent(
                    int(fields["NSpid"].split()[0]), self.first):
                return int(fields["NSpid"].split()[0])
        raise AssertionError("no controller runs")


def _parent(pid: int, first: int) -> bool:
    """Whether a process lives in the namespaces of the cluster's first one."""
    return Path(f"/proc/{pid}/ns/pid").readlink() == Path(f"/proc/{first}/ns/pid").readlink()


def until(true: Callable[[], Any], seconds: float = 90.0) -> Any:  # a limit for a machine that is busy
    deadline = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)
    return value


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("a SLURM of our own needs root")
    if missing := [name for name in NEEDED if shutil.which(name, path=PATH) is None]:
        pytest.skip(f"a SLURM of our own needs {', '.join(missing)}; CI installs them")
    place = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool-n1", "spool-n2", "bin"):
        (place / name).mkdir()
    (place / "hosts").write_text("127.0.0.1 localhost\n" + "".join(f"{NODES[name]} {name}\n" for name in NODES))
    (place / "slurm.conf").write_text(CONF.format(place=place))
    with (place / "start.log").open("w") as log:
        process = subprocess.Popen(
            ["unshare", "--net", "--uts", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c",
             START.format(place=place, addresses=" ".join(NODES.values()))], stdout=log, stderr=log, cwd=place,
            env={**os.environ, "PATH": PATH, "SLURM_CONF": str(place / "slurm.conf")}, start_new_session=True)
    try:
        said = (place / "start.log")
        until(lambda: process.poll() is not None or "up" in said.read_text().split(), 30)
        if process.poll() is not None:
            pytest.skip(f"a SLURM of our own cannot be started here: {said.read_text()[-300:]}")
        first = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
        found = Cluster(place, first)
        until(lambda: found.inside("sinfo", "-h", "-p", "main", "-t", "idle", "-o", "%D", check=False).strip() == "2")
        for name in COMMANDS:
            script = found.bin / name
            script.write_text(COMMAND.format(place=place, first=first, real=shutil.which(name, path=PATH)))
            script.chmod(0o755)
        yield found
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def slurm(started: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """The cluster, empty, as a login node sees it; jobs run a trainer without torch."""
    monkeypatch.setenv("PATH", f"{started.bin}:{os.environ['PATH']}")
    monkeypatch.setattr(cluster, "WORKER", [*STAND_IN, "worker"])
    monkeypatch.setattr(jobs, "SUPERVISOR", [*STAND_IN, "supervisor"])
    monkeypatch.setattr(scheduler, "_jobs", scheduler.Asked(scheduler._ask, 0.2, 12.0))
    monkeypatch.setattr(scheduler, "_partitions", scheduler.Asked(scheduler._ask_partitions, 0.2, 12.0))
    monkeypatch.setattr(scheduler, "PATIENCE", 10.0)
    monkeypatch.setattr(scheduler, "_seen", {})
    yield started
    started.inside("scancel", "-u", "root", "-f", "-s", "KILL", check=False)
    started.inside("scancel", "-u", "root", check=False)
    until(lambda: not started.inside("squeue", "-h", "-o", "%i", check=False).strip(), 30)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    (tmp_path / "runs").mkdir()

    def make(name: str, **config: Any) -> Path:
        folder = tmp_path / "runs" / name
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"steps": 3, **config}))
        return folder

    yield make
    for ticket in state.tickets(tmp_path):
        ticket.unlink()
    for folder in (tmp_path / "runs").iterdir():
        (folder / "stop").touch()


def reached(folder: Path, step: int) -> None:
    """Wait until a run has taken so many steps."""
    def there() -> bool:
        now = lab.status(folder)
        assert now.state not in ("failed", "lost"), now
        return (folder / "step.json").exists() and int((folder / "step.json").read_text()) >= step

    until(there)
