"""Schedules of the learning rate, apart from those of beta: multiples of its base value, pure functions of the step.

`step` counts updates from 0 to `total` - 1.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Annotated, Literal

from pydantic import Field

from vaecore.schema import Strict, option, problem


class RateSchedule(Strict):
    """The learning rate as a multiple of its base value."""

    @abstractmethod
    def __call__(self, step: int, total: int) -> float: ...

    def check(self, total: int) -> None:
        """Raise `ConfigError` where the schedule does not fit into `total` steps."""


class ConstantRate(RateSchedule):
    """A learning rate that never changes."""

    kind: Literal["constant"] = "constant"

    def __call__(self, step: int, total: int) -> float:
        return 1.0


class CosineRate(RateSchedule):
    """A linear warm-up, then half a cosine down to the final share."""

    kind: Literal["cosine"] = "cosine"
    warmup: float = option(0.02, "Share of training spent warming up.", unit="of training", ge=0, le=0.9)
    final: float = option(0.01, "Final share of the learning rate.", ge=0, le=1)

    def __call__(self, step: int, total: int) -> float:
        ramp = self.warmup * total
        if step < ramp:
            return (step + 1) / (ramp + 1)
        return _fall(self.final, (step - ramp) / max(1.0, total - ramp))


class RestartsRate(RateSchedule):
    """Half a cosine down, again and again, as in the released code of cyclical annealing (Fu et al. 2019)."""

    kind: Literal["restarts"] = "restarts"
    cycles: int = option(4, "Number of falls.", unit="cycles", ge=1, le=1000)
    final: float = option(0.0, "Share of the learning rate at the end of each.", ge=0, le=1)

    def __call__(self, step: int, total: int) -> float:
        return _fall(self.final, (step * self.cycles % max(1, total)) / max(1, total))

    def check(self, total: int) -> None:
        if total and self.cycles > max(1, total // 2):
            raise problem("training.rate.cycles", self.cycles, f"{self.cycles} restarts do not fit into {total:,} "
                          f"training steps.", f"Use at most {max(1, total // 2):,}, or train longer.",
                          f"training.rate.cycles={max(1, total // 2)}")


class StepRate(RateSchedule):
    """The learning rate multiplied by a factor at regular intervals."""

    kind: Literal["step"] = "step"
    factor: float = option(0.3, "What each drop multiplies by.", gt=0, lt=1)
    drops: int = option(2, "Drops, evenly spaced over training.", ge=1, le=20)

    def __call__(self, step: int, total: int) -> float:
        return self.factor ** math.floor(step * (self.drops + 1) / max(1, total))


def _fall(final: float, progress: float) -> float:
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))


Rate = Annotated[ConstantRate | CosineRate | RestartsRate | StepRate, Field(discriminator="kind")]
