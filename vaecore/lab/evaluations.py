"""An evaluation in the background: one at a time of each run. Stopped, it keeps what it has found by then."""

from __future__ import annotations

import re

from vaecore.evaluate.kept import folder_of
from vaecore.evaluate.settings import TITLES, Settings
from vaecore.lab.task import Task
from vaecore.schema import flag
from vaecore.store import Run

KEPT = "kept in "  # how the last line of one that came to its end begins
REACHED = re.compile(r"(\w+): ([0-9]{1,15}) of ([0-9]{1,15})")


def task(run: Run) -> Task:
    """The task of evaluating `run`."""
    return Task(folder_of(run), run.id.replace("/", "~"), f"The evaluation of {run.id}")


def start(run: Run, settings: Settings) -> None:
    """Begin; raises `LabError` where it is running already."""
    asked = [word for name, value in settings.words().items() for word in (flag(name), value)]
    task(run).start(["evaluate", run.id, "--store", str(run.path.parents[1]), *asked])


def line(part: str, done: int, total: int) -> str:
    """How far a part is, as a line of the log."""
    return f"{part}: {done} of {total}"


def reached(lines: tuple[str, ...]) -> tuple[str, float] | None:
    """The part that is being done, and its share that is; None where the log does not say."""
    for said in reversed(lines):
        if (found := REACHED.fullmatch(said)) and found[1] in TITLES:
            done, total = int(found[2]), int(found[3])
            return found[1], min(1.0, done / total) if total else 0.0
    return None
