"""SIGKILL of worker, supervisor and server at random moments: `python -m tests.faults.kills --kills 200`.

A run is submitted by the server, as by a visitor's click, and then killed at. After every kill three things are asked:
whether the state that is shown agrees with the processes there are, at the latest after 10 s; whether everything that
had finished before is there, byte for byte; and, once the run has been resumed to its end, whether it has the bits of
one that was left alone. What the processes are is read from the system's table of them, not from the lab's files.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults import forked, server
from tests.faults.families import TRAININGS
from tests.training.test_resume import same
from vaecore import lab
from vaecore.config import RunConfig
from vaecore.lab import state
from vaecore.schema import parse
from vaecore.store import Store

ROOT = Path(__file__).resolve().parents[2]
LATEST = 10.0  # seconds after which a state that is shown has to be true
TARGETS = {"worker": 8, "supervisor": 4, "server": 3, "worker and supervisor": 3, "all three": 2,  # how often, of 24
           "worker, suspended before": 2, "worker, asked by SIGTERM": 2}
MOMENTS = ("queued", "loading", "stepping", "ending")


def processes(role: str, path: Path) -> list[int]:
    """Those that are alive, and are the supervisor of a store or the worker of a run; forks are known by their name."""
    found, called = [], forked.name(role, path)
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                pid, _, rest = Path(entry.path, "stat").read_text().partition(" (")
                comm, _, rest = rest.rpartition(") ")
                words = Path(entry.path, "cmdline").read_bytes().decode(errors="replace").split("\0")
                if rest[0] != "Z" and (comm == called or (f"vaecore.lab.{role}" in words and str(path) in words)):
                    found.append(int(pid))
    return found


def workers(folder: Path) -> list[int]:
    """The processes that train into a folder."""
    return processes("worker", folder)


def supervisors(root: Path) -> list[int]:
    """The processes that look after a store's queue."""
    return processes("supervisor", root)


def kill(pids: list[int], by: signal.Signals = signal.SIGKILL) -> int:
    """How many of these processes were there to get the signal."""
    killed = 0
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, by)
            killed += 1
    while by == signal.SIGKILL and any(map(lives, pids)):  # it takes the kernel a moment
        time.sleep(0.001)
    return killed


def lives(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


class Server:
    """The dashboard, on a port of its own; a fork where the lab's processes are forks."""

    def __init__(self, root: Path, *, forks: bool) -> None:
        self.root, self.forks = root, forks
        self.pid = 0

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        environment = {**os.environ, "VAECORE_STORE": str(self.root), "PYTHONPATH": str(ROOT)}
        given, told = os.pipe(), os.pipe()
        if self.forks:
            def act() -> int:
                server.main(self.root, port, given[0], told[1])
                return 0

            self.pid = forked.fork(act, "server", env=environment, keep=(given[0], told[1]))
        else:
            words = [str(self.root), str(port), str(given[0]), str(told[1])]
            self.pid = subprocess.Popen([sys.executable, "-m", "tests.faults.server", *words], cwd=ROOT,
                                        env=environment, start_new_session=True, pass_fds=(given[0], told[1]),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid
        os.close(given[0])
        os.close(told[1])
        self.tells = os.fdopen(given[1], "w", 1)
        self.hears = os.fdopen(told[0])
        self.address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 120
        while not self.answers():
            assert time.monotonic() < deadline, "the dashboard did not start"
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether it is healthy."""
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=5) as page:
            return bool(page.read() == b"ok")
        return False

    def do(self, *words: str) -> str:
        """Have it done in the server's process; its answer."""
        self.tells.write(" ".join(words) + "\n")
        self.tells.flush()
        return self.hears.readline().strip()

    def kill(self) -> int:
        """Kill it with its process group, as a terminal that is closed takes it."""
        os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.tells.close()
        self.hears.close()
        self.pid = 0
        return 1


@dataclass
class Tally:
    """What a campaign has counted."""

    kills: Counter[str] = field(default_factory=Counter)  # by target
    moments: Counter[str] = field(default_factory=Counter)  # by what the run was doing
    shown: Counter[str] = field(default_factory=Counter)  # states after a kill
    runs: int = 0
    equal: int = 0
    late: float = 0.0  # the longest time until a state was true, seconds
    faults: list[str] = field(default_factory=list)  # false states, what was lost, other bits
    families: set[str] = field(default_factory=set)

    def lines(self) -> list[str]:
        """The counts, as a person reads them."""
        return [f"kills           {sum(self.kills.values())}: " + ", ".join(f"{k} {n}" for k, n in self.kills.items()),
                "moments         " + ", ".join(f"{k} {n}" for k, n in self.moments.items()),
                "states shown    " + ", ".join(f"{k} {n}" for k, n in self.shown.items()),
                f"runs            {self.runs} of {len(self.families)} kinds, {self.equal} with the bits of one left "
                "alone",
                f"states          true after {self.late:.1f} s at the latest",
                f"faults          {len(self.faults)}", *self.faults]


class Campaign:
    """Runs that are killed at, in a store of their own."""

    def __init__(self, root: Path, seed: int, *, forks: bool = True) -> None:
        self.root, self.store, self.random = root, Store(root), random.Random(seed)
        (root / "runs").mkdir(parents=True, exist_ok=True)
        self.forks = forks
        if forks:
            forked.use()
        self.server, self.tally = Server(root, forks=forks), Tally()
        self.kept: dict[Path, str] = {}  # digests of what has finished
        self.steps: dict[str, float] = {}  # seconds that a kind trains, left alone

    def run(self, kills: int, names: list[str]) -> Tally:
        """Kill so often at runs of these kinds, one after the other."""
        self.server.start()
        try:
            round_ = 0
            while sum(self.tally.kills.values()) < kills:
                for name in names:
                    if sum(self.tally.kills.values()) < kills:
                        self.one(name, f"{name}-{round_}")
                round_ += 1
        finally:
            if self.server.pid:
                self.server.kill()
            for folder in (self.root / "runs").iterdir():
                kill(workers(folder))
            kill(supervisors(self.root))
        return self.tally

    def one(self, kind: str, name: str) -> None:
        """One run, killed at one to four times, beside one of the same kind that is left alone."""
        whole = self.whole(kind)
        folder = self.made(kind, name)
        self.tally.runs += 1
        self.tally.families.add(kind)
        for _ in range(self.random.randint(1, 4)):
            self.submitted(folder)
            if not self.killed(folder):
                break
            self.true(folder)
            self.nothing_lost()
            if lab.status(folder).state == "finished":
                break
        self.to_its_end(folder)
        try:
            same(whole, folder)
            self.tally.equal += 1
        except AssertionError as error:
            self.tally.faults.append(f"{name}: other bits: {str(error)[:200]}")
        if left := [path.name for path in folder.rglob("*.tmp-*")]:
            self.tally.faults.append(f"{name}: left behind: {left}")
        self.kept[folder] = digest(folder)

    def made(self, kind: str, name: str) -> Path:
        """A run's folder."""
        values = TRAININGS[kind]
        config = parse(RunConfig, {**values, "training": {"threads": 1, "device": "cpu", **values["training"]}})
        return self.store.create(config, name).path

    def whole(self, kind: str) -> Path:
        """The run of a kind that nobody kills; trained by a worker as well."""
        folder = self.root / "runs" / f"whole-{kind}"
        if not folder.exists():
            self.made(kind, folder.name)
            command = [sys.executable, "-m", "vaecore.lab.worker", str(folder)]
            given: dict[str, Any] = {"env": {**os.environ, "PYTHONPATH": str(ROOT)}, "stdout": subprocess.DEVNULL}
            if self.forks:
                given["stdout"] = None
                code = forked.Forked(command, pass_fds=(), **given).wait()
            else:
                code = subprocess.run(command, cwd=ROOT, **given).returncode
            assert code == 0, lab.log(folder)
            self.steps[kind] = json.loads((folder / "summary.json").read_text())["seconds"]
            self.kept[folder] = digest(folder)
        return folder

    def submitted(self, folder: Path) -> None:
        """Have the server queue the run, or go on with it."""
        if lab.status(folder).state in ("new", "lost", "failed", "stopped"):
            answer = self.server.do("submit", folder.name)
            if answer != "done":
                self.tally.faults.append(f"{folder.name}: {answer}")
        else:
            self.server.do("kick", "-")

    def killed(self, folder: Path) -> bool:
        """Kill at a moment, and say so; False where the run was at its end first."""
        moment = self.random.choice(MOMENTS)
        targets = {name: often for name, often in TARGETS.items() if moment != "queued" or "worker" not in name}
        [target] = self.random.choices(list(targets), list(targets.values()))
        trains = self.steps[folder.name.rpartition("-")[0]]
        slow = 1 if self.forks else 6  # what starts anew imports torch first
        delay = self.random.random() * {"queued": 0.2 * slow, "loading": 0.5 * slow, "stepping": max(0.3, trains),
                                        "ending": 0.4}[moment]
        if moment == "stepping" and not self.reached(folder, 1):
            return False
        if moment == "ending" and not self.reached(folder, None):
            return False
        end = time.monotonic() + delay
        while time.monotonic() < end:
            if moment != "ending" and lab.status(folder).state not in ("queued", "running"):
                return False
            time.sleep(0.002)
        if lab.status(folder).state not in ("queued", "running") and moment != "ending":
            return False
        count = 0
        if target == "worker, asked by SIGTERM":
            count += kill(workers(folder), signal.SIGTERM)
        if target == "worker, suspended before":
            count += kill(workers(folder), signal.SIGSTOP)
            self.true(folder)
            kill(workers(folder))
        if target in ("supervisor", "worker and supervisor", "all three"):
            count += kill(supervisors(self.root))
        if target in ("worker", "worker and supervisor", "all three"):
            count += kill(workers(folder))
        if target in ("server", "all three"):
            count += self.server.kill()
        if not count:  # it had ended, or not begun, just then
            return lab.status(folder).state in ("queued", "running") and self.killed(folder)
        self.tally.kills[target] += 1
        self.tally.moments[moment] += 1
        print(f"{sum(self.tally.kills.values()):3} {target}, {moment}: {folder.name}", flush=True)
        return True

    def reached(self, folder: Path, step: int | None) -> bool:
        """Wait until a run has taken so many steps, or all; False where it has ended before."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            now = lab.status(folder)
            if now.state not in ("queued", "running"):
                return False
            checkpoint = (folder / "checkpoint.safetensors").exists()
            if now.rate is not None and now.step >= (step if step is not None else now.total):
                return True
            if checkpoint and step is not None:
                return True
            if step is None and (folder / "summary.json").exists() and '"test"' in (folder / "summary.json"
                                                                                    ).read_text():
                return True
            lab.kick(self.root)
            time.sleep(0.005)
        raise TimeoutError(f"{folder.name} does not begin: {lab.status(folder)}")

    def true(self, folder: Path) -> None:
        """Wait until what is shown agrees with what is, and count how long that takes."""
        start = time.monotonic()
        while (fault := disagreement(self.root, folder)) and time.monotonic() < start + LATEST:
            time.sleep(0.01)
        self.tally.late = max(self.tally.late, time.monotonic() - start)
        now = lab.status(folder)
        print(f"      {now.state}: {now.detail}", flush=True)
        if fault:
            self.tally.faults.append(f"{folder.name}: {fault}")
        self.tally.shown[now.state] += 1
        if not self.server.pid:
            self.server.start()

    def to_its_end(self, folder: Path) -> None:
        """Resume it, as often as needed, until it has finished."""
        deadline = time.monotonic() + 300
        while (now := lab.status(folder)).state != "finished":
            if now.state not in ("queued", "running"):
                self.submitted(folder)
            lab.kick(self.root)
            assert time.monotonic() < deadline, f"{folder.name} does not end: {now}"
            time.sleep(0.05)
        while lab.busy(folder) or workers(folder):  # its last words come before its last breath
            assert time.monotonic() < deadline, f"{folder.name} is held still"
            time.sleep(0.02)

    def nothing_lost(self) -> None:
        """What has finished is there as it was."""
        for folder, known in self.kept.items():
            if lab.status(folder).state != "finished" or digest(folder) != known:
                self.tally.faults.append(f"lost: {folder.name} is {lab.status(folder)}")


def disagreement(root: Path, folder: Path) -> str:
    """In what the state that is shown differs from the processes that there are; empty where in nothing."""
    now, alive = lab.status(folder), bool(workers(folder))
    waits = state.ticket_of(folder, state.tickets(root)) is not None
    said = f"{now.state} ({now.detail})"
    if waits:
        return "" if now.state == "queued" else f"it waits, and is shown as {said}"
    if alive:
        return "" if now.state == "running" else f"its process lives, and it is shown as {said}"
    if now.state in ("queued", "running", "new"):
        return f"no process trains it, and it is shown as {said}"
    if now.state == "finished":
        done: Any = json.loads((folder / "summary.json").read_text())
        return "" if "test" in done else "it is shown as finished and was not trained to its end"
    return "" if now.detail else f"{now.state} without a word"


def digest(folder: Path) -> str:
    """Of all that a run keeps, but its lock."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "lock":
            found.update(str(path.relative_to(folder)).encode() + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--store", type=Path, required=True)
    options.add_argument("--anew", action="store_true", help="start every process anew, as a lab does: 10 s a kill")
    options.add_argument("--kinds", nargs="*", default=list(TRAININGS))
    asked = options.parse_args()
    found = Campaign(asked.store.absolute(), asked.seed, forks=not asked.anew).run(asked.kills, asked.kinds)
    print("\n".join(found.lines()))
    sys.exit(bool(found.faults))
