"""Whether configurations can be trained as a stack, and how long that takes, found by trying."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from vaecore.config import RunConfig
from vaecore.training import device as devices
from vaecore.training.build import build
from vaecore.training.course import Course
from vaecore.training.feed import Splits
from vaecore.training.stacked.alike import form
from vaecore.training.stacked.engine import Stack, Unstackable

TRIED = 2  # models: what can be done for two can be done for all


@dataclass(frozen=True)
class Trial:
    """What came of trying; `why` is a sentence where they are trained one by one."""

    why: str = ""
    seconds: float = 0.0  # that the steps of all take, evaluations apart; 0 where they cannot be stacked

    @property
    def stacked(self) -> bool:
        return not self.why


def tried(configs: Sequence[RunConfig], *, budget: float = 0.0) -> Trial:
    """Try to take some configurations together; with a `budget` of seconds their steps are measured as well.

    Leaves no trace. Raises what building them raises, as `ConfigError`.
    """
    if len(configs) < 2:
        return Trial("there is one alone")
    if len({form(config) for config in configs}) > 1:
        return Trial("they differ in what their steps read, not only in seeds and numbers of the training")
    training = configs[0].training
    device, threads = devices.choose(training), torch.get_num_threads()
    try:
        devices.set_threads(training)
        splits = Splits(configs[0].data.load(), device)
        models = configs if budget else configs[:TRIED]
        courses = [Course(config, build(config, splits.dataset), splits["train"], device) for config in models]
        stack = Stack(courses)
        return Trial(seconds=_measured(stack, budget) if budget else 0.0)
    except Unstackable as error:
        return Trial(str(error))
    finally:
        torch.set_num_threads(threads)


def _measured(stack: Stack, budget: float) -> float:
    """Seconds that all steps of a stack take, by about `budget` seconds of them."""
    stack.update(dict.fromkeys(range(len(stack.courses)), 0))
    stack.courses[0].synchronise()
    start, worked, steps = time.perf_counter(), time.thread_time(), 0
    while time.perf_counter() - start < budget:
        stack.update(dict.fromkeys(range(len(stack.courses)), steps % stack.courses[0].total))
        steps += 1
        for course in stack.courses:
            course.pending.clear()
    stack.courses[0].synchronise()
    wall, worked = time.perf_counter() - start, time.thread_time() - worked
    # As `estimate` has it: waiting while others have the processor is none of the training's work.
    spent = min(wall, worked) if stack.device.type == "cpu" and worked > 0 else wall
    return spent / steps * max(course.total for course in stack.courses)
