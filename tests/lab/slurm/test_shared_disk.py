"""Two machines on one store: as each sees it, no lock of the other holds. Each is a mount namespace of its own."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.slurm.conftest import until
from vaecore import lab
from vaecore.lab import owners, state

STAND_IN = str(Path(__file__).parents[1] / "stand_in.py")
# What a machine sees is the store, with lock files of its own over those there, another name and another boot.
MACHINE = """
set -e
hostname {name}
mount --bind {own}/boot /proc/sys/kernel/random/boot_id
for lock in {locks}; do mount --bind {own}/$(basename $(dirname $lock))-$(basename $lock) $lock; done
exec {python} -c {code}
"""
KICK = """
import os, sys, time
from pathlib import Path
from vaecore import lab
from vaecore.lab import jobs, state
jobs.SUPERVISOR = [sys.executable, {stand_in!r}, "supervisor"]
root = Path({root!r})
while not (root / "go").exists():
    time.sleep(0.001)
deadline = time.monotonic() + 60
while state.tickets(root) and time.monotonic() < deadline:
    lab.kick(root)
    time.sleep(0.01)
while any(lab.status(folder).state in lab.LIVE for folder in (root / "runs").iterdir()):
    time.sleep(0.05)
"""

# A supervisor that leaves the other time for all it does, between its last look and its opening of an attempt.
SLOW = """
import os, sys, time
from pathlib import Path
from vaecore.lab import attempts, jobs, state, supervisor
supervisor.WORKER = [sys.executable, {stand_in!r}, "worker"]
root, write = Path({root!r}), attempts.write_json_atomic
def late(path, facts):
    time.sleep(0.5)
    write(path, facts)
attempts.write_json_atomic = late
slot = os.open(root / "slots" / "0", os.O_RDWR)
(root / ("ready-" + os.uname().nodename)).touch()
while not (root / "go").exists():
    time.sleep(0.001)
while state.tickets(root):
    if job := jobs.take_next(root):
        supervisor.run(job, slot_lock=slot)
"""


def start(root: Path, name: str, code: str) -> subprocess.Popen[bytes]:
    """A machine that runs some Python."""
    own = root.parent / name
    own.mkdir()
    (own / "boot").write_text(f"boot of {name}\n")
    locks = [root / "queue" / ".lock", root / "slots" / "0", *(folder / "lock" for folder in (root / "runs").iterdir())]
    for lock in locks:
        lock.touch()
        (own / f"{lock.parent.name}-{lock.name}").touch()
    script = MACHINE.format(name=name, own=own, locks=" ".join(map(str, locks)), python=sys.executable,
                            code="'" + textwrap.dedent(code).replace("'", '"') + "'")
    return subprocess.Popen(["unshare", "--uts", "--mount", "sh", "-c", script],
                            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("machines of our own need root and unshare")
    if subprocess.run(["unshare", "--uts", "--mount", "true"], check=False).returncode:
        pytest.skip("no namespaces can be made here")
    for name in ("runs", "queue", "slots"):
        (tmp_path / "store" / name).mkdir(parents=True)
    return tmp_path / "store"


@pytest.fixture
def make(root: Path) -> Callable[..., Path]:
    def make(name: str, **config: object) -> Path:
        folder = root / "runs" / name
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"steps": 3, **config}))
        return folder

    return make


def test_two_machines_never_train_one_ticket_twice(root: Path, make: Callable[..., Path]) -> None:
    folders = [make(f"run{number}", steps=6, seconds=0.02) for number in range(4)]
    for number, folder in enumerate(folders):
        (root / "queue" / f"5-{number}-1-{folder.name}").touch()
    machines = [start(root, name, SLOW.format(stand_in=STAND_IN, root=str(root))) for name in ("one", "two")]
    until(lambda: len(list(root.glob("ready-*"))) == 2)  # else one might have done all before the other has begun
    (root / "go").touch()
    assert [machine.wait(100) for machine in machines] == [0, 0]
    until(lambda: [lab.status(folder).state for folder in folders] == ["finished"] * 4)
    for folder in folders:
        assert lab.status(folder).attempt == 1
        assert len((folder / "times.jsonl").read_text().splitlines()) == 1, f"{folder.name} was trained twice"
        assert (folder / "log.txt").read_text().count("--- attempt") == 1
    hosts = {json.loads((folder / "launch.json").read_text())["host"] for folder in folders}
    assert hosts == {"one", "two"}  # both have worked, so there was something to dispute


def test_a_run_of_another_machine_is_seen_stopped_and_not_begun_twice(root: Path, make: Callable[..., Path]) -> None:
    folder = make("there", steps=100_000)
    (root / "queue" / "5-1-1-there").touch()
    machine = start(root, "one", KICK.format(stand_in=STAND_IN, root=str(root)))
    (root / "go").touch()
    until(lambda: (folder / "step.json").exists())
    now = lab.status(folder)
    assert (now.state, state.busy(folder)) == ("running", False)  # its lock is not seen here
    with pytest.raises(lab.LabError, match="running already"):
        lab.submit(folder)
    from vaecore.lab import attempts

    with pytest.raises(owners.Elsewhere, match="being trained on one"):
        attempts.begin(folder)
    lab.stop(folder)
    assert lab.wait(folder, 60).state == "stopped"
    assert machine.wait(60) == 0


def test_who_was_thought_dead_ends_without_a_word(root: Path, make: Callable[..., Path]) -> None:
    folder = make("asleep", steps=100_000)
    (root / "queue" / "5-1-1-asleep").touch()
    machine = start(root, "one", KICK.format(stand_in=STAND_IN, root=str(root)))
    (root / "go").touch()
    until(lambda: (folder / "step.json").exists())
    launch = json.loads((folder / "launch.json").read_text())
    (folder / "launch.json").write_text(json.dumps({**launch, "attempt": 2, "host": "two", "machine": "another"}))
    until(lambda: "attempt 1 ends" in (folder / "log.txt").read_text())
    assert not (folder / "exit.json").exists()
    step = (folder / "step.json").read_text()
    machine.kill()
    machine.wait()
    assert (folder / "step.json").read_text() == step
