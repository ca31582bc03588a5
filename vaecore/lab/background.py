"""What runs in the background besides trainings: a study's experiment, and an evaluation, which says how far it is.

Each runs once at a time, whether a page has started it or a terminal. A study that is stopped keeps nothing, and its
earlier result stays; an evaluation keeps what it has found by then.
"""

from __future__ import annotations

import re

from vaecore.evaluate.kept import folder_of
from vaecore.evaluate.parts import PARTS, STEPS
from vaecore.lab.task import Task
from vaecore.store import Run, Store

KEPT = "kept in "  # how the last line of an evaluation that came to its end begins
REACHED = re.compile(r"(\w+): ([0-9]{1,15}) of ([0-9]{1,15})")


def study(store: Store, name: str) -> Task:
    """The experiment of a study by its id; its result goes to the store."""
    return Task(store.claims, name, name, ("claims", "run", name, "--store", str(store.root)))


def evaluation(run: Run) -> Task:
    """The evaluation of `run`, which is started with the words of its `Settings`."""
    return Task(folder_of(run), run.id.replace("/", "~"), f"The evaluation of {run.id}",
                ("evaluate", run.id, "--store", str(run.path.parents[1])))


# -- how far an evaluation is ----------------------------------------------------------------------


def line(part: str, done: int, total: int) -> str:
    """How far a part is, as a line of the log."""
    return f"{part}: {done} of {total}"


def reached(lines: tuple[str, ...]) -> tuple[str, float] | None:
    """The part that is being done, and its share that is; None where the log does not say."""
    for said in reversed(lines):
        if (found := REACHED.fullmatch(said)) and found[1] in {*PARTS, *STEPS}:
            done, total = int(found[2]), int(found[3])
            return found[1], min(1.0, done / total) if total else 0.0
    return None
