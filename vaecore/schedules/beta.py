"""Schedules of beta, the weight of the KL: pure functions of the step, each a choice with its fields.

`step` counts updates from 0 to `total` - 1.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, field_validator

from vaecore.schema import Strict, option, problem

Shape = Literal["linear", "sigmoid", "cosine"]
STEEPNESS = 6.0  # a sigmoid ramp runs over the logistic function from -6 to 6


def ramp(shape: Shape, progress: float) -> float:
    """The ramp's value at a progress: exactly 0 at 0, exactly 1 at 1, half way at 0.5."""
    if shape == "linear":
        return progress
    if shape == "cosine":
        return 0.5 * (1 - math.cos(math.pi * progress))
    low, here = (1 / (1 + math.exp(-STEEPNESS * x)) for x in (-1, 2 * progress - 1))
    return (here - low) / (1 - 2 * low)


class BetaSchedule(Strict):
    """The weight of the KL in the loss, equation (38)."""

    @abstractmethod
    def __call__(self, step: int, total: int) -> float: ...

    @abstractmethod
    def final(self) -> float:
        """The value it ends at."""

    @abstractmethod
    def settled(self, step: int, total: int) -> bool:
        """Whether beta stays at its final value from `step` on."""

    def check(self, total: int) -> None:
        """Raise `ConfigError` where the schedule does not fit into `total` steps."""


class ConstantBeta(BetaSchedule):
    """One beta throughout: 1 is the VAE, anything else a beta-VAE (Higgins et al. 2017)."""

    kind: Literal["constant"] = "constant"
    value: float = option(1.0, "Weight of the KL.", symbol="β", ge=0, le=1e4)

    def __call__(self, step: int, total: int) -> float:
        return self.value

    def final(self) -> float:
        return self.value

    def settled(self, step: int, total: int) -> bool:
        return True


class _Ramp(BetaSchedule):
    start: float = option(0.0, "Beta at the first step.", ge=0, le=1e4)
    end: float = option(1.0, "Beta after the ramp.", symbol="β", ge=0, le=1e4)

    def between(self, shape: Shape, progress: float) -> float:
        """The value at `progress` of the ramp; after it exactly `end`."""
        return self.end if progress >= 1 else self.start + (self.end - self.start) * ramp(shape, progress)

    def final(self) -> float:
        return self.end


class LinearBeta(_Ramp):
    """KL annealing (Bowman et al. 2016): a straight ramp, then level."""

    kind: Literal["linear"] = "linear"
    fraction: float = option(0.1, "Share of training the ramp takes; the lecture's T/10.", unit="of training",
                             gt=0, le=1)

    def __call__(self, step: int, total: int) -> float:
        return self.between("linear", step / max(1.0, self.fraction * total))

    def settled(self, step: int, total: int) -> bool:
        return step >= self.fraction * total


class SigmoidBeta(_Ramp):
    """KL annealing along a logistic curve, as in Bowman et al. (2016): slow, fast, slow, then level."""

    kind: Literal["sigmoid"] = "sigmoid"
    fraction: float = option(0.2, "Share of training the ramp takes; half of it is reached half way.",
                             unit="of training", gt=0, le=1)

    def __call__(self, step: int, total: int) -> float:
        return self.between("sigmoid", step / max(1.0, self.fraction * total))

    def settled(self, step: int, total: int) -> bool:
        return step >= self.fraction * total


class CyclicalBeta(_Ramp):
    """Cyclical annealing (Fu et al. 2019): the ramp again and again, each time followed by a level part."""

    kind: Literal["cyclical"] = "cyclical"
    cycles: int = option(4, "Number of cycles M.", unit="cycles", ge=1, le=1000)
    ramp: float = option(0.5, "Share R of a cycle that the ramp takes; the rest is level.", unit="of a cycle", gt=0,
                         le=1)
    shape: Shape = option("linear", "How beta rises.")

    def __call__(self, step: int, total: int) -> float:
        # In whole numbers, so that there are exactly so many cycles whether or not they divide the training.
        within = (step * self.cycles % max(1, total)) / max(1, total)
        return self.between(self.shape, within / self.ramp)

    def settled(self, step: int, total: int) -> bool:
        return step >= total * (self.cycles - 1 + self.ramp) / self.cycles

    def check(self, total: int) -> None:
        """Each cycle has two steps, and the last step is on the level part if there is one."""
        # 1 - 0.9 is a little less than a tenth: ten steps, of which the last is level, do fit
        most = int(total * min(0.5, 1 - self.ramp) + 1e-9) if self.ramp < 1 else total // 2
        if total and self.cycles > max(1, most):
            raise problem("training.beta.cycles", self.cycles, f"{self.cycles} cycles do not fit into {total:,} "
                          f"training steps with a ramp over {self.ramp:g} of each.", f"Use at most {max(1, most):,}, "
                          "or train longer.", f"training.beta.cycles={max(1, most)}")


Point = tuple[Annotated[float, Field(title="Share of training", ge=0, le=1)],
              Annotated[float, Field(title="Beta", ge=0, le=1e4)]]


class PointsBeta(BetaSchedule):
    """Straight lines between points of your own, level before the first and after the last."""

    kind: Literal["points"] = "points"
    points: tuple[Point, ...] = option(((0.0, 0.0), (0.1, 1.0)), "Pairs of share of training (0 to 1) and beta, in "
                                       "order.", min_length=1, max_length=64)

    @field_validator("points")
    @classmethod
    def _ascend(cls, points: tuple[Point, ...]) -> tuple[Point, ...]:
        for (a, _), (b, _) in pairwise(points):
            if b <= a:
                raise ValueError(f"the share {b:g} does not come after {a:g}. Give each point a larger share of "
                                 "training than the one before.")
        return points

    def __call__(self, step: int, total: int) -> float:
        shares, values = zip(*self.points, strict=True)
        return float(np.interp(step / max(1, total), shares, values))

    def final(self) -> float:
        return self.points[-1][1]

    def settled(self, step: int, total: int) -> bool:
        return step >= self.points[-1][0] * total


class ThereAndBackBeta(BetaSchedule):
    """Up and down again, so slowly that the model follows: dimensions die one after another, and come back.

    Level at first, until there is something to lose; then by equal factors up to the top, where it stays for a moment,
    and as slowly down again, to be level until the end.
    """

    kind: Literal["there-and-back"] = "there-and-back"
    start: float = option(1.0, "Beta at both ends.", gt=0, le=1e4)
    top: float = option(100.0, "Beta half way.", symbol="β", gt=0, le=1e4)
    level: float = option(0.1, "Share of training that is level at first, and again at the end.", unit="of training",
                          ge=0, lt=0.5)
    stay: float = option(0.05, "Share of training that is spent at the top.", unit="of training", ge=0, lt=1)

    def __call__(self, step: int, total: int) -> float:
        # How far it is from the nearer end, as a share of training, less what is level there.
        way = min(step, total - step) / max(1, total) - self.level
        slope = self._slope
        if way <= 0:
            return self.start
        return self.top if way >= slope else self.start * (self.top / self.start) ** (way / slope)

    @property
    def _slope(self) -> float:
        """Share of training in which it rises, and falls."""
        return max(0.0, 0.5 * (1 - self.stay) - self.level)

    def final(self) -> float:
        return self.start

    def settled(self, step: int, total: int) -> bool:
        return step >= total * (1 - self.level)


Beta = Annotated[LinearBeta | ConstantBeta | SigmoidBeta | CyclicalBeta | PointsBeta | ThereAndBackBeta,
                 Field(discriminator="kind")]
