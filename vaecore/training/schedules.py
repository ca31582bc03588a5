"""Schedules of beta and of the learning rate: pure functions of the step, each a choice with its fields.

`step` counts updates from 0 to `total` - 1.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Annotated, Literal

from pydantic import Field

from vaecore.schema import Strict, option


class BetaSchedule(Strict):
    """The weight of the KL in the loss, equation (38)."""

    @abstractmethod
    def __call__(self, step: int, total: int) -> float: ...

    @abstractmethod
    def final(self) -> float:
        """The value it ends at."""


class ConstantBeta(BetaSchedule):
    """One beta throughout: 1 is the VAE, anything else a beta-VAE (Higgins et al. 2017)."""

    kind: Literal["constant"] = "constant"
    value: float = option(1.0, "Weight of the KL.", ge=0, le=1e4)

    def __call__(self, step: int, total: int) -> float:
        return self.value

    def final(self) -> float:
        return self.value


class LinearBeta(BetaSchedule):
    """KL annealing (Bowman et al. 2015): a straight ramp, then level."""

    kind: Literal["linear"] = "linear"
    start: float = option(0.0, "Beta at the first step.", ge=0, le=1e4)
    end: float = option(1.0, "Beta after the ramp.", ge=0, le=1e4)
    fraction: float = option(0.1, "Share of training the ramp takes; the lecture's T/10.", unit="of training",
                             gt=0, le=1)

    def __call__(self, step: int, total: int) -> float:
        progress = step / max(1.0, self.fraction * total)
        if progress >= 1:
            return self.end  # not a rounding error beside it: patience waits for this value
        return self.start + (self.end - self.start) * progress

    def final(self) -> float:
        return self.end


class RateSchedule(Strict):
    """The learning rate as a multiple of its base value."""

    @abstractmethod
    def __call__(self, step: int, total: int) -> float: ...


class ConstantRate(RateSchedule):
    """The same learning rate throughout."""

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
        progress = (step - ramp) / max(1.0, total - ramp)
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * progress))


class StepRate(RateSchedule):
    """The learning rate multiplied by a factor at regular intervals."""

    kind: Literal["step"] = "step"
    factor: float = option(0.3, "What each drop multiplies by.", gt=0, lt=1)
    drops: int = option(2, "Drops, evenly spaced over training.", ge=1, le=20)

    def __call__(self, step: int, total: int) -> float:
        return self.factor ** math.floor(step * (self.drops + 1) / max(1, total))


Beta = Annotated[LinearBeta | ConstantBeta, Field(discriminator="kind")]
Rate = Annotated[ConstantRate | CosineRate | StepRate, Field(discriminator="kind")]
