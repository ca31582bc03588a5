"""How long a training will take here, measured on a few of its own steps."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from vaecore.config import RunConfig
from vaecore.schedules.inference import Aggressive
from vaecore.training import device as devices
from vaecore.training.build import build
from vaecore.training.course import FLUSH_STEPS, Course
from vaecore.training.feed import Feed

MAX_MEASURED_KINDS = 8  # of trainings that differ in more than numbers
# Fields that are numbers in a training and make no step of it longer.
NUMBERS = {"model": ("likelihood",), "training": ("beta", "rate", "learning_rate", "weight_decay", "clip_norm")}


@dataclass(frozen=True)
class Estimate:
    """What a training will take, measured on a few real steps here."""

    parameters: int
    steps: int
    seconds: float
    at_most: float  # seconds; more than `seconds` only where the encoder is trained aggressively to the end
    busy: float = 1.0  # by how much longer the measurement took as others had the processor; the times are without it
    evaluating: float = 0.0  # of these seconds those of evaluations, which a stack takes model by model


def estimate(config: RunConfig, *, budget: float = 0.6) -> Estimate:
    """Time real training steps for about `budget` seconds, evaluations included in proportion.

    Leaves no trace: nothing is written, and the global random state and thread count stay.
    """
    dataset = config.data.load()
    model = build(config, dataset)
    threads = torch.get_num_threads()
    try:
        device = devices.choose(config.training)
        devices.set_threads(config.training)
        course = Course(config, model, Feed(dataset, "train", device), device)
        if course.total == 0:
            return Estimate(model.parameter_count, 0, 1.0, 1.0)
        course.update(0)
        course.synchronise()  # the first one chooses kernels, and may capture
        start, worked, steps = time.perf_counter(), time.thread_time(), 0
        while time.perf_counter() - start < budget and steps < course.total:
            course.update(steps)
            steps += 1
            if len(course.pending) == FLUSH_STEPS:
                course.flush()
        course.synchronise()
        wall, worked = time.perf_counter() - start, time.thread_time() - worked
        # On a CPU this thread's own time: waiting while others have the processor is none of the training's work.
        spent = min(wall, worked) if device.type == "cpu" and worked > 0 else wall
        per_step = spent / steps
    finally:
        torch.set_num_threads(threads)
    # An evaluation decodes twice and has no backward pass: about half a step's cost an observation.
    share = len(dataset.splits["validation"]) / config.training.batch_size * 0.5
    evaluations = course.total / course.evaluate_every + 1
    plain = course.total + evaluations * share
    inference = config.training.inference
    most = course.total * inference.most if isinstance(inference, Aggressive) else 0
    paced = course.total / config.training.pace if config.training.pace else 0.0  # seconds that it takes at least
    return Estimate(model.parameter_count, course.total, max(paced, per_step * plain),
                    max(paced, per_step * (plain + most)), wall / spent, per_step * evaluations * share)


def in_all(configs: Sequence[RunConfig], measured: Callable[[RunConfig], tuple[float, float]]) -> tuple[float, float]:
    """Seconds that all of these take at least and at most, one after the other, each by `measured`.

    Of those that differ only in numbers and seeds one is measured; of more than eight kinds, eight, evenly spaced, and
    the others take as long as the one measured before them.
    """
    kinds: dict[str, list[RunConfig]] = {}
    for config in configs:
        plain = config.resolve().model_dump(mode="json")
        plain.pop("seed")
        for section, names in NUMBERS.items():
            for name in names:
                plain[section].pop(name, None)
        kinds.setdefault(json.dumps(plain, sort_keys=True), []).append(config)
    least = most = 0.0
    every = max(1.0, len(kinds) / MAX_MEASURED_KINDS)
    due, one = 0.0, (0.0, 0.0)
    for place, alike in enumerate(kinds.values()):
        if place >= due:
            one, due = measured(alike[0]), due + every
        least, most = least + len(alike) * one[0], most + len(alike) * one[1]
    return least, most
