"""Every write of a training and of every other act, failing once or from then on: `python -m tests.faults.writes`.

Each try is a process of its own. After it nothing that was whole may be broken, what is said must name the disk and the
way out, and once the disk is well again the same act must do what it would have done.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.disk import ERRORS, failing
from tests.training.runs import small
from tests.training.test_resume import same
from vaecore import lab
from vaecore.config import RunConfig
from vaecore.files import parsed_json
from vaecore.schema import parse
from vaecore.store import Store

VALUES = small(epochs=3, evaluate_every=0.5, checkpoints=2, snapshots=2, threads=1, device="cpu")
WAY_OUT = ("Resume", "resume", "again")  # one of these is in what is said


@dataclass
class Tally:
    """What was counted."""

    points: int = 0  # places of an act at which the disk was asked
    tries: Counter[str] = field(default_factory=Counter)  # by error
    ends: Counter[str] = field(default_factory=Counter)  # states, or what became of an act
    faults: list[str] = field(default_factory=list)

    def line(self, name: str) -> str:
        """One row of the table."""
        return (f"{name:12} {self.points:4} places, {sum(self.tries.values()):5} failures ("
                + ", ".join(f"{k} {n}" for k, n in self.tries.items()) + "), ends: "
                + ", ".join(f"{k} {n}" for k, n in self.ends.items()) + f"; faults {len(self.faults)}")


def aside(act: Callable[[], int], log: Path) -> int:
    """Do it in a child process, whose words go to a file; its exit code."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = 99
    try:
        with log.open("w", buffering=1) as said, contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                code = act()
            except BaseException:
                traceback.print_exc(file=said)
    finally:
        os._exit(code)


# -- a training ------------------------------------------------------------------------------------


def trained(folder: Path, log: Path, *fault: Any, lasting: bool = False) -> tuple[int, list[str]]:
    """Train in a child, with the disk failing at a place; the exit code, and what was asked of the disk."""
    told = log.with_suffix(".asked")

    def act() -> int:
        from vaecore.lab import control, worker

        control.Heartbeat.start = lambda _self: None  # type: ignore[method-assign]  # beats come by the clock
        with failing(folder.parents[1], *fault, lasting=lasting) as disk:
            code = worker.main([str(folder)])
        told.write_text("\n".join(disk.asked))
        return code

    code = aside(act, log)
    return code, told.read_text().splitlines() if told.exists() else []


def training(root: Path, errors: list[str], every: int = 1, first: int = 1) -> Tally:
    """A training whose disk fails at each `every`-th place, once and for good, by each of the errors."""
    import sklearn.datasets  # noqa: F401, so that no child imports it
    import torch
    import torch._dynamo

    torch.set_num_threads(1)
    store, tally, log = Store(root / "store"), Tally(), root / "log"
    whole = store.create(parse(RunConfig, VALUES), "whole").path
    code, asked = trained(whole, log)
    assert code == 0, log.read_text()
    tally.points = len(asked)
    for name in errors:
        for at in range(first, tally.points + 1, every):
            for lasting in (False, True):
                tally.tries[name] += 1
                folder = store.create(parse(RunConfig, VALUES), "tried").path
                where = f"{name}{' lasting' * lasting} at {at} ({asked[at - 1]})"
                code, _ = trained(folder, log, at, ERRORS[name], lasting=lasting)
                tally.faults += [f"{where}: {fault}" for fault in _after(folder, log.read_text())]
                tally.ends[lab.status(folder).state] += 1
                if lab.status(folder).state != "finished" and trained(folder, log)[0] != 0:
                    tally.faults.append(f"{where}: does not resume: {log.read_text()[-500:]}")
                try:
                    same(whole, folder)
                except AssertionError as error:
                    tally.faults.append(f"{where}: other bits: {str(error)[:200]}")
                if left := [path.name for path in folder.rglob("*.tmp-*")]:
                    tally.faults.append(f"{where}: left behind {left}")
                shutil.rmtree(folder)
    return tally


def _after(folder: Path, log: str) -> list[str]:
    """What is wrong with a run after its disk has failed."""
    found, now = [], lab.status(folder)
    said = f"{now.detail} {log if now.state == 'new' else ''}"
    if now.state not in ("failed", "lost", "finished", "new") or (now.state == "new" and not log.strip()):
        found.append(f"it is {now.state}: {now.detail}, log {log[-300:]}")
    if now.state != "finished" and not ("disk" in said and any(word in said for word in WAY_OUT)):
        found.append(f"it is {now.state}, and says: {said[:300]}")
    if "Traceback" in log:
        found.append(f"a traceback: {log[-900:]}")
    found += broken(folder)
    return found


def broken(folder: Path) -> list[str]:
    """Files of a folder that are not whole."""
    from safetensors.torch import load_file

    found = []
    for path in folder.rglob("*"):
        try:
            if path.suffix == ".json":
                parsed_json(path.read_bytes(), path.name)
            elif path.suffix == ".safetensors":
                load_file(path)
        except Exception as error:
            found.append(f"{path.name} is broken: {error}")
    return found


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--store", type=Path, required=True)
    options.add_argument("--every", type=int, default=1)
    options.add_argument("--first", type=int, default=1)
    options.add_argument("--errors", nargs="*", default=list(ERRORS))
    asked_for = options.parse_args()
    asked_for.store.mkdir(parents=True)
    tally = training(asked_for.store.absolute(), asked_for.errors, asked_for.every, asked_for.first)
    print(tally.line("training"), *tally.faults, sep="\n")
    sys.exit(bool(tally.faults))
