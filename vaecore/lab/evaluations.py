"""An evaluation in the background: one at a time of each run. Stopped, it keeps what it has found by then."""

from __future__ import annotations

from vaecore.evaluate.kept import folder_of
from vaecore.evaluate.settings import TITLES, Settings
from vaecore.lab.task import Task
from vaecore.store import Run

KEPT = "kept in "  # how the last line of one that came to its end begins


def task(run: Run) -> Task:
    """The task of evaluating `run`."""
    return Task(folder_of(run), run.id.replace("/", "~"), f"The evaluation of {run.id}")


def start(run: Run, settings: Settings) -> None:
    """Begin; raises `LabError` where it is running already."""
    task(run).start(["evaluate", run.id, "--store", str(run.path.parents[1]),
                     "--split", settings.split, "--parts", ",".join(settings.parts) or "none",
                     "--importance-samples", str(settings.importance_samples), "--limit", str(settings.observations),
                     "--naive-samples", str(settings.naive_samples), "--samples", str(settings.samples),
                     "--seed", str(settings.seed)])


def line(part: str, done: int, total: int) -> str:
    """How far a part is, as a line of the log."""
    return f"{part}: {done} of {total}"


def reached(lines: tuple[str, ...]) -> tuple[str, float] | None:
    """The part that is being done, and its share that is; None where the log does not say."""
    for said in reversed(lines):
        part, _, numbers = said.partition(": ")
        done, _, total = numbers.partition(" of ")
        if part in TITLES and done.isdigit() and total.isdigit():
            return part, min(1.0, int(done) / int(total)) if int(total) else 0.0
    return None
