"""Stochastic moving MNIST as coordinates: where its digits are, without their pictures.

Everything random is as in `moving_mnist`, but a frame is 2 numbers a digit, so that claims about what can be foreseen
are tried in minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from vaecore.data.base import SPLITS, Dataset
from vaecore.data.clips import Clips, DrawnConfig, shown_next
from vaecore.data.moving_mnist import trajectories
from vaecore.modalities import Modality
from vaecore.schema import option

if TYPE_CHECKING:
    import torch


class MovingStates(DrawnConfig):
    """Coordinates of moving digits: `frames` (T, 2 × digits), y then x of each digit, from -1 to 1 at the walls.

    Events are as those of moving MNIST: a direction drawn at frame t is first seen in frame t + 1.
    """

    title: ClassVar[str] = "Moving MNIST as coordinates"
    name: Literal["moving-states"] = "moving-states"
    size: int = option(64, "Side of the frame; digits have half of it.", unit="pixels", ge=8, le=1_024, multiple_of=2)
    digits: int = option(2, "Digits in a clip.", unit="digits", ge=1, le=16)
    speed: int = option(4, "Velocities are drawn from minus to plus so many.", unit="pixels a frame", ge=1, le=64)

    def here(self) -> str:
        return "drawn by a program"

    def load(self) -> Dataset:
        make = States(self.digits, self.size, self.speed)
        return self.drawn("moving-states", f"coordinates of {self.digits} moving digit{'s' * (self.digits != 1)} in "
                          f"{self.size} × {self.size} pixels", Modality("trajectory", (self.frames, 2 * self.digits)),
                          dict.fromkeys(SPLITS, make))


@dataclass(frozen=True)
class States:
    """Makes clips of coordinates."""

    digits: int
    size: int
    speed: int

    def __call__(self, count: int, frames: int, generator: torch.Generator) -> Clips:
        positions, bounced = trajectories(count, frames, self.digits, self.size, self.speed, generator)
        scaled = positions.float().mul_(2 / (self.size // 2 - 1)).sub_(1)
        return Clips(scaled.flatten(2), shown_next(bounced.any(-1)))
