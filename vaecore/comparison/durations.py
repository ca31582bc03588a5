"""How long a training takes on this machine: by the runs that were trained here, else by some of its own steps.

Pages, command line and Python ask `estimate`, so that all of them say the same. What a step takes is told of CPU time
where a single thread of a single process trained, as other work adds nothing to that; and it is kept by the kind of
training, whatever the number of epochs, so that the same question has the same answer. torch comes with the estimate.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

from vaecore.comparison.cost import Cost, cost
from vaecore.lab.state import Launch, told
from vaecore.library.records import records
from vaecore.memory import held
from vaecore.store import Store

if TYPE_CHECKING:
    from vaecore.config import RunConfig
    from vaecore.data import Dataset
    from vaecore.training.estimate import Estimate, Speed

MOST_RUNS = 8  # the newest of one kind that are heard
LEAST_STEPS = 100  # of a run that is heard: the first ones are slow
measuring = threading.Lock()  # one at a time, or two visitors would measure each other


def estimate(config: RunConfig, *, store: Store | None = None, dataset: Dataset | None = None) -> Estimate:
    """How long a training takes here: seconds of computing, a range where they are noisy, and how that is known.

    By the runs of `store`, or of the default one, that were trained on this machine and take the same steps; where
    there are none, by the fastest of several short bursts of its own steps. `dataset` is its data where they are
    loaded already. Raises `ConfigError` where model, training
    and data do not fit, and `DataUnavailable`.
    """
    from vaecore.training.build import fit
    from vaecore.training.estimate import Estimate, in_whole, kind, work

    config = config.resolve()
    dataset = dataset or config.data.load()
    size = fit(config, dataset)
    if not size.steps:
        return Estimate(size.parameters, 0, 1.0, 1.0, source="Solved in closed form: there are no training steps.")
    unit = work(config, dataset, size)
    like = [seconds for each in _trained_here(kind(config), store or Store.default())
            if (seconds := seconds_a_step(each, unit.share, unit.every)) is not None]
    if like:
        speed = of_runs(like)
        several = f"the {len(like)} newest runs" if len(like) > 1 else "a run"
        source = f"By {several} of this kind that trained on this machine."
    else:
        speed = _measured(_Asked(kind(config), config))
        source = "Measured here on some of its own steps."
    return in_whole(config, size, unit, speed, source, trained=bool(like))


def of_runs(seconds: Sequence[float]) -> Speed:
    """Seconds a step from those of several runs: their median, and a range where they differ much."""
    from vaecore.training.estimate import NOISY, Speed

    least, most = min(seconds), max(seconds)
    return Speed(least, most) if most > NOISY * least else Speed(median(seconds), median(seconds))


def seconds_a_step(each: Cost, share: float, every: float) -> float | None:
    """Seconds that a step of a run took, without its evaluations.

    Of these there was one in `every` steps, which took as long as `share` steps. None where too few steps were taken,
    or where several models shared the seconds.
    """
    if each.steps is None or each.steps < LEAST_STEPS or each.stacked > 1:
        return None
    alone = each.device == "cpu" and each.threads == 1 and each.processes == 1
    seconds = each.cpu_seconds if alone and each.cpu_seconds is not None else each.seconds
    return None if seconds is None else seconds / (each.steps + (each.steps / every + 1) * share)


def _trained_here(wanted: str, store: Store) -> list[Cost]:
    """What the newest runs of one kind cost that were trained on this machine; one's own come first, newest first."""
    from vaecore.training.estimate import kind_of

    found: list[Cost] = []
    for record in records(store):
        if record.place == "own" and record.values and record.steps and kind_of(record.values) == wanted:
            launch = told(record.run.path, Launch, [])
            if launch is not None and launch.host == socket.gethostname():
                found.append(cost(record.run))
        if len(found) == MOST_RUNS:
            break
    return found


class _Asked:
    """A configuration that is known by the kind of its training."""

    def __init__(self, kind: str, config: RunConfig) -> None:
        self.kind, self.config = kind, config

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asked) and other.kind == self.kind

    def __hash__(self) -> int:
        return hash(self.kind)


@held
def _measured(asked: _Asked) -> Speed:
    """Seconds a step of a kind of training, measured once."""
    from vaecore.training.estimate import measure

    with measuring:
        return measure(asked.config)


def duration(seconds: float | None) -> str:
    """Seconds as a person says them: "12 s", "4 min", "2 h 10 min"; a dash for none."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return "1 s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours / 24:.0f} days"
    return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"


def span(least: float, most: float) -> str:
    """A range of seconds in words, a single number where both ends say the same: "≈ 47 s", "40 s – 2 min"."""
    low, high = duration(least), duration(most)
    return f"≈ {low}" if low == high else f"{low} – {high}"
