"""What runs in the background besides trainings: a study, an evaluation, a judge's training, a prior's fit, a map.

Each runs once at a time, whether a page has started it or a terminal. A study that is stopped keeps nothing, and its
earlier result stays, nor does a judge or a prior; an evaluation keeps what it has found by then, and a map its codes.
"""

from __future__ import annotations

import re
from hashlib import sha256

from vaecore import mapping
from vaecore.evaluate.kept import folder_of
from vaecore.evaluate.parts import PARTS, STEPS
from vaecore.lab.task import Task
from vaecore.mapping import Settings, folder
from vaecore.store import Run, Store
from vaecore.training import FITTING

JUDGE = "judge"  # what a judge's training is called in the lines of its log
PRIOR = "prior"  # and what a prior's fit is
MADE = "made "  # how the last line of such a fit begins: the new run
KEPT = "kept in "  # how the last line of an evaluation or a map that came to its end begins
BROKEN_OFF = "Cancelled: "  # how a line of one begins that was stopped before its end
REACHED = re.compile(r"(\w+): ([0-9]{1,15}) of ([0-9]{1,15})")


def study(store: Store, name: str) -> Task:
    """The experiment of a study by its id; its result goes to the store."""
    return Task(store.claims, name, name, ("claims", "run", name, "--store", str(store.root)))


def evaluation(run: Run) -> Task:
    """The evaluation of `run`, which is started with the words of its `Settings`."""
    return Task(folder_of(run), run.id.replace("/", "~"), f"The evaluation of {run.id}",
                ("evaluate", run.id, "--store", str(run.store_root)))


def judging(run: Run) -> Task:
    """The training of the judges of a run's data, which all runs of the same data share."""
    from vaecore.data.identity import identity

    return Task(folder_of(run), f"{JUDGE}-{identity(run.config().data)[:16]}", f"The judge of the data of {run.id}",
                (JUDGE, run.id, "--store", str(run.store_root)))


def fitting_prior(run: Run) -> Task:
    """The fit of a prior to the codes of `run`, which is started with components, covariance, seed and name."""
    return Task(folder_of(run), f"{PRIOR}-{run.id.replace('/', '~')}", f"The fit of a prior to {run.id}",
                ("fit-prior", run.id, "--store", str(run.store_root)))


def latent_map(run: Run, settings: Settings) -> Task:
    """The making of a latent map of `run`, which is started with the words of `settings`.

    Other settings are another task; but which dimensions are drawn decides nothing of what is made.
    """
    made = settings.model_dump_json(exclude={"across", "up"})
    name = f"{run.id.replace('/', '~')}-{settings.split}-{settings.method}-{sha256(made.encode()).hexdigest()[:12]}"
    return Task(folder(), name, f"The map of {run.id}", ("map", run.id, "--store", str(run.store_root)))


# -- how far it is ---------------------------------------------------------------------------------


def line(part: str, done: int, total: int) -> str:
    """How far a part is, as a line of the log."""
    return f"{part}: {done} of {total}"


def reached(lines: tuple[str, ...]) -> tuple[str, float] | None:
    """What of an evaluation or a map is being done, or the judge or prior, and its share; None where no line says."""
    for said in reversed(lines):
        if (found := REACHED.fullmatch(said)) and found[1] in {*PARTS, *STEPS, *mapping.STEPS, *FITTING, JUDGE}:
            done, total = int(found[2]), int(found[3])
            return found[1], min(1.0, done / total) if total else 0.0
    return None
