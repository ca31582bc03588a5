"""How long a training will take here: what a step takes, measured on a few of its own, and what that makes in all.

`vaecore.comparison.durations.estimate` asks this where no run of this machine can be heard.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

from vaecore.config import RunConfig
from vaecore.data import Dataset
from vaecore.schedules.inference import Aggressive
from vaecore.training import device as devices
from vaecore.training.build import Fit, build
from vaecore.training.course import FLUSH_STEPS, Course
from vaecore.training.feed import Feed

MAX_MEASURED_KINDS = 8  # of trainings that differ in more than numbers
BURSTS, BURST_SECONDS = 5, 0.12  # in which steps are timed
NOISY = 1.25  # from this ratio on, of a usual burst to the fastest, a range is told
# Fields that are numbers in a training and make no step of it longer.
NUMBERS = {"model": ("likelihood",), "training": ("beta", "rate", "learning_rate", "weight_decay", "clip_norm")}
# Fields that say how many steps there are, and what is kept beside them, but not what a step takes.
LENGTH = ("epochs", "evaluate_every", "patience", "keep", "pace", "snapshots", "snapshot_points", "checkpoints")


@dataclass(frozen=True)
class Speed:
    """Seconds that a step takes: at least, and as usual where the machine is restless.

    `busy` is by how much longer the measurement took as others had the processor; the seconds are without it.
    """

    least: float
    most: float
    busy: float = 1.0


@dataclass(frozen=True)
class Work:
    """What a training consists of, in steps: evaluations, one in `every` steps, take as much as `share` steps each."""

    share: float
    every: float

    def of(self, steps: float) -> float:
        """How many steps so many steps are worth with their evaluations."""
        return steps + (steps / self.every + 1) * self.share


@dataclass(frozen=True)
class Estimate:
    """What a training will take here, in seconds of computing.

    From `seconds` on to `at_most`, which are one number where it is known well. `source` is a sentence on where that is
    known from.
    """

    parameters: int
    steps: int
    seconds: float
    at_most: float
    busy: float = 1.0  # by how much longer the measurement took as others had the processor; the times are without it
    evaluating: float = 0.0  # of these seconds those of evaluations, which a stack takes model by model
    source: str = ""


def kind(config: RunConfig) -> str:
    """What decides how long a step takes, as text.

    Equal for trainings that differ in their length, in numbers and in their seed alone.
    """
    return kind_of(config.resolve().model_dump(mode="json"))


def kind_of(values: Mapping[str, Any]) -> str:
    """What decides how long a step takes, of a configuration's plain values."""
    told = {part: dict(section) for part, section in values.items() if isinstance(section, Mapping)}
    aggressive = told["training"].get("inference", {}).get("kind") == "aggressive"
    for section, names in NUMBERS.items():
        for name in (*names, *(LENGTH if section == "training" and not aggressive else ())):
            told[section].pop(name, None)
    return json.dumps(told, sort_keys=True)


def work(config: RunConfig, dataset: Dataset, size: Fit) -> Work:
    """What a training consists of.

    An evaluation decodes twice and has no backward pass: about half a step's cost an observation.
    """
    return Work(len(dataset.splits["validation"]) / config.training.batch_size * 0.5,
                max(1, round(config.training.evaluate_every * size.per_epoch)))


def in_whole(config: RunConfig, size: Fit, unit: Work, speed: Speed, source: str = "", *,
             trained: bool = False) -> Estimate:
    """What all steps and evaluations take at a speed; with a pace, at least what that asks for.

    How many updates an aggressive encoder takes a step nobody knows before; the speed of runs that were `trained` has
    them in it.
    """
    inference, steps = config.training.inference, size.steps
    plain = unit.of(steps)
    most = plain + (steps * inference.most if isinstance(inference, Aggressive) and not trained else 0)
    paced = steps / config.training.pace if config.training.pace else 0.0
    return Estimate(size.parameters, steps, max(paced, speed.least * plain), max(paced, speed.most * most), speed.busy,
                    speed.least * (plain - steps), source)


def measure(config: RunConfig, *, bursts: int = BURSTS, budget: float = BURST_SECONDS,
            now: Callable[[], float] = time.perf_counter, worked: Callable[[], float] = time.thread_time) -> Speed:
    """Time real training steps in some bursts of about `budget` seconds each; the fastest counts.

    Leaves no trace: nothing is written, and the global random state and thread count stay. `now` is the clock on the
    wall, `worked` that of this thread.
    """
    dataset = config.data.load()
    model = build(config, dataset)
    threads, step = torch.get_num_threads(), 0
    walls: list[float] = []
    spent: list[float] = []  # seconds a step, a burst each
    try:
        device = devices.choose(config.training)
        devices.set_threads(config.training)
        course = Course(config, model, Feed(dataset, "train", device), device)
        course.update(0)
        course.synchronise()  # the first one chooses kernels, and may capture
        for _ in range(bursts):
            start, used, first = now(), worked(), step
            while step == first or now() - start < budget:
                course.update(step % course.total)
                step += 1
                if len(course.pending) == FLUSH_STEPS:
                    course.flush()
            course.synchronise()
            wall, used = now() - start, worked() - used
            # On a CPU this thread's own time: waiting while others have the processor is none of the training's work.
            took = min(wall, used) if device.type == "cpu" and used > 0 else wall
            walls.append(wall / (step - first))
            spent.append(took / (step - first))
    finally:
        torch.set_num_threads(threads)
    return of_bursts(spent, walls)


def of_bursts(spent: Sequence[float], walls: Sequence[float]) -> Speed:
    """Seconds a step from those of several bursts, by this thread's clock and by that on the wall.

    What disturbs only adds, so the fastest is the truth; where the usual one is much slower, the range is told.
    """
    least, usual = min(spent), median(spent)
    return Speed(least, usual if usual > NOISY * least else least, median(walls) / usual if usual else 1.0)


def in_all(configs: Sequence[RunConfig], measured: Callable[[RunConfig], tuple[float, float]]) -> tuple[float, float]:
    """Seconds that all of these take at least and at most, one after the other, each by `measured`.

    Of those that differ only in numbers and seeds one is measured; of more than eight kinds, eight, evenly spaced, and
    the others take as long as the one measured before them.
    """
    kinds: dict[str, list[RunConfig]] = {}
    for config in configs:
        long = {name: getattr(config.training, name) for name in LENGTH}
        kinds.setdefault(f"{kind(config)} {long}", []).append(config)
    least = most = 0.0
    every = max(1.0, len(kinds) / MAX_MEASURED_KINDS)
    due, one = 0.0, (0.0, 0.0)
    for place, alike in enumerate(kinds.values()):
        if place >= due:
            one, due = measured(alike[0]), due + every
        least, most = least + len(alike) * one[0], most + len(alike) * one[1]
    return least, most
