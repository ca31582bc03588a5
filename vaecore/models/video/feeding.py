"""Which frames of a clip a model reads while it learns: the true ones, or what it predicted itself.

A pure function of the step, counted from 0.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from vaecore.schema import Strict, option

FED_ANEW = "how many of its own frames it reads changes from step to step"


class Feeding(Strict):
    """The frames that are read in training: the true ones, or what was predicted of them."""

    @abstractmethod
    def true_share(self, step: int) -> float:
        """Probability that a frame after the context is read as it was, at a training step."""


class TeacherForcing(Feeding):
    """Always the true frames: all are encoded at once, which is quick."""

    title: ClassVar[str] = "Teacher forcing"
    kind: Literal["teacher-forcing"] = "teacher-forcing"

    def true_share(self, step: int) -> float:
        return 1.0


class ScheduledSampling(Feeding):
    """More and more often what the model predicted itself, as it will have to do later (Bengio et al. 2015).

    The share of true frames is k / (k + exp(step / k)), as in SV2P's code.
    """

    title: ClassVar[str] = "Scheduled sampling"
    kind: Literal["scheduled"] = "scheduled"
    k: float = option(900.0, "Speed of the change: after about k ln k steps half of the frames are predicted ones.",
                      unit="steps", ge=1, le=1e6)

    def true_share(self, step: int) -> float:
        return self.k / (self.k + math.exp(min(step / self.k, 700.0)))


FeedingChoice = Annotated[TeacherForcing | ScheduledSampling, Field(discriminator="kind")]
