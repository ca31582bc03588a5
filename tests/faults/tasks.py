"""SIGKILL of what runs besides a training: `python -m tests.faults.tasks --kills 60`.

A sweep's own process, the supervisors and workers of its trainings; the queue of evaluations and an evaluation. After
each kill what is shown as at work is at work; started again, a sweep ends with each of its trainings once and with the
bits of one that nobody killed, and evaluations end with the same numbers.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.faults import forked
from tests.faults.kills import LATEST, disagreement, kill, lives, supervisors, workers
from tests.training.runs import small
from tests.training.test_resume import same
from vaecore import lab
from vaecore.config import RunConfig
from vaecore.evaluate import kept
from vaecore.evaluate.settings import Settings
from vaecore.lab import background, evaluations
from vaecore.lab.task import Task
from vaecore.schema import parse
from vaecore.store import Run, Store
from vaecore.sweeps import keeping, tending
from vaecore.sweeps.planning import declare, plan

SEEDS, RATES = 2, "0.001,0.002"
# Such encoders are not trained stacked, where the bits would hang on who was in the stack.
CONFIG = parse(RunConfig, small(epochs=25, threads=1, device="cpu", checkpoints=0, snapshots=0,
                                inference={"kind": "aggressive", "most": 5, "window": 2}))
TIMES = ("seconds", "date")  # words in the names of what a clock writes


def pid_of(task: Task) -> list[int]:
    """The process of a task that is at work."""
    try:
        pid = int(task._file("pid").read_text())
    except (OSError, ValueError):
        return []
    return [pid] if lives(pid) and task.progress().running else []


class Campaign:
    """Sweeps and evaluations that are killed at, each in a store of its own."""

    def __init__(self, root: Path, seed: int) -> None:
        forked.use()
        self.root, self.random = root, random.Random(seed)
        self.kills: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self.faults: list[str] = []
        self.late = 0.0

    def run(self, count: int) -> None:
        """Kill so often, by turns at a sweep and at evaluations."""
        whole = self.swept(self.root / "whole", 0)
        expected = self.evaluated(self.root / "numbers", whole, 0)
        round_ = 0
        while sum(self.kills.values()) < count:
            store = self.swept(self.root / f"sweep-{round_}", 5)
            for run in whole.runs():
                try:
                    same(run.path, store.root / "runs" / run.path.name)
                except (AssertionError, OSError) as error:
                    self.faults.append(f"{store.root.name}/{run.id}: {str(error)[:200]}")
            if (names := sorted(run.id for run in store.runs())) != sorted(run.id for run in whole.runs()):
                self.faults.append(f"{store.root.name}: its runs are {names}")
            found = self.evaluated(self.root / f"evaluations-{round_}", whole, 4)
            if found != expected:
                self.faults.append(f"evaluations-{round_}: other numbers")
            round_ += 1

    def swept(self, root: Path, kills: int) -> Store:
        """A sweep of two rates and two seeds, killed at so often, to its end."""
        store = Store(root)
        (root / "runs").mkdir(parents=True)
        sweep, chosen = declare(CONFIG, {"training.learning_rate": RATES}, name="s", seeds=SEEDS, at_once=2)
        tending.start(store, plan(sweep, chosen))
        task, deadline = keeping.tending(store, "s"), time.monotonic() + 300
        while True:
            time.sleep(self.random.random() * 0.7)
            now = tending.standing(store, "s")
            folders = [trial.run.path for trial in now.trials]
            if len(folders) == 2 * SEEDS and all(lab.status(each).state == "finished" for each in folders):
                break
            if kills:
                target = self.random.choice(["the sweep's process", "a worker", "a supervisor", "all of these"])
                pids = pid_of(task) if target in ("the sweep's process", "all of these") else []
                if target in ("a worker", "all of these"):
                    pids = pids + [pid for each in folders for pid in workers(each)]
                if target in ("a supervisor", "all of these"):
                    pids = pids + supervisors(root)
                if kill(pids):
                    self.kills[target] += 1
                    kills -= 1
                    for each in folders:
                        self.true(root, each)
            if pid_of(task) == [] and not task.progress().running:
                tending.resume(store, "s")
            elif not now.live and not any(trial.state == "new" for trial in now.trials):
                for trial in tending.standing(store, "s").trials:  # a sweep at work queues again what nobody killed
                    if trial.state in ("lost", "failed", "stopped"):
                        lab.submit(trial.run.path)
            else:
                lab.kick(root)
            assert time.monotonic() < deadline, f"{root.name} does not end: {tending.standing(store, 's').sentence}"
        while task.progress().running:
            assert time.monotonic() < deadline, "its process does not end"
            time.sleep(0.05)
        self.ends["sweeps"] += 1
        return store

    def evaluated(self, root: Path, whole: Store, kills: int) -> list[Any]:
        """What the queue of evaluations finds of two runs, killed at so often."""
        store = Store(root)
        (root / "runs").mkdir(parents=True)
        for run in whole.runs()[:2]:
            shutil.copytree(run.path, root / "runs" / run.path.name)
        settings = Settings(parts=())
        wanted = [Run(path) for path in sorted((root / "runs").iterdir())]
        evaluations.submit(wanted, settings, store=store)
        deadline = time.monotonic() + 300
        while True:
            time.sleep(self.random.random() * 0.4)
            items = evaluations.items(store)
            if all(item.state in evaluations.ENDED for item in items):
                left = [item for item in items if item.state == "failed"]
                if not left:
                    break
                evaluations.submit([Run(root / "runs" / item.run) for item in left], settings, store=store)
            if kills:
                target = self.random.choice(["the queue of evaluations", "an evaluation"])
                tasks = [evaluations.runner_of(store)] if target == "the queue of evaluations" else [
                    background.evaluation(run) for run in wanted]
                if kill([pid for task in tasks for pid in pid_of(task)]):
                    self.kills[target] += 1
                    kills -= 1
                    start = time.monotonic()
                    while any(task.progress().running and not pid_of(task) for task in tasks):
                        if time.monotonic() > start + LATEST:
                            self.faults.append(f"{root.name}: {target} is killed and shown as running")
                            break
                        time.sleep(0.01)
                    self.late = max(self.late, time.monotonic() - start)
            evaluations.kick(store)
            assert time.monotonic() < deadline, f"{root.name} does not end: {evaluations.items(store)}"
        while evaluations.runner_of(store).progress().running:
            time.sleep(0.05)
        if left_over := [path.name for path in root.rglob("*.tmp-*")]:
            self.faults.append(f"{root.name}: left behind {left_over}")
        self.ends["evaluations"] += len(wanted)
        return [timeless(fact) for run in wanted for fact in kept.evaluations(run)]

    def true(self, root: Path, folder: Path) -> None:
        """Wait until what is shown agrees with what is, and count how long that takes."""
        start = time.monotonic()
        while (fault := disagreement(root, folder)) and lab.status(folder).state != "new" and (
                time.monotonic() < start + LATEST):
            time.sleep(0.01)
        fault = "" if lab.status(folder).state == "new" else fault  # made, and not queued yet: so it is
        self.late = max(self.late, time.monotonic() - start)
        if fault:
            self.faults.append(f"{folder.name}: {fault}")


def timeless(value: Any) -> Any:
    """What an evaluation found, without what a clock wrote."""
    if isinstance(value, dict):
        return {name: timeless(each) for name, each in value.items() if not any(word in name for word in TIMES)}
    return [timeless(each) for each in value] if isinstance(value, list) else value


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=60)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--store", type=Path, required=True)
    asked = options.parse_args()
    campaign = Campaign(asked.store.absolute(), asked.seed)
    campaign.run(asked.kills)
    targets = ", ".join(f"{name} {count}" for name, count in campaign.kills.items())
    print(f"kills           {sum(campaign.kills.values())}: {targets}",
          "ended           " + ", ".join(f"{k} {n}" for k, n in campaign.ends.items()),
          f"states          true after {campaign.late:.1f} s at the latest",
          f"faults          {len(campaign.faults)}", *campaign.faults, sep="\n")
    sys.exit(bool(campaign.faults))
