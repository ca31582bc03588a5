"""One small shape that moves, its direction drawn once a clip or at every wall.

What tells a latent variable of the whole clip from one of each frame: where the direction is drawn once, the second
frame gives everything away, and one z for all frames suffices; where it is drawn anew at every wall, it does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from vaecore.data.base import SPLITS, Array, Dataset
from vaecore.data.clips import Clips, DrawnConfig, pasted, shown_next
from vaecore.data.placed import Placed
from vaecore.modalities import Modality
from vaecore.schema import option, problem

if TYPE_CHECKING:
    import torch
    from torch import Tensor

FINE = 8  # points a pixel and direction: the share of them inside the shape is its grey level
DIRECTIONS = {"diagonal": ((-1, -1), (-1, 1), (1, -1), (1, 1)), "straight": ((-1, 0), (1, 0), (0, -1), (0, 1))}


class MovingShape(DrawnConfig):
    """A square or disc that moves in one of four directions: `frames` (T, 1, size, size).

    It turns at a wall: where `turns` is once, it is reflected, so that only its first move (frame 1) is an event;
    where it is bounce, its direction is drawn among those that do not leave the frame, and events are the frames after
    that, wherever there was more than one. The first move is none then, as for moving MNIST, whose first velocity
    is to be seen in the frames given.
    """

    title: ClassVar[str] = "A moving shape"
    name: Literal["moving-shape"] = "moving-shape"
    size: int = option(16, "Side of a frame.", unit="pixels", ge=8, le=64)
    shape: Literal["disc", "square"] = option("disc", "What moves.")
    side: int = option(4, "Width and height of the shape.", unit="pixels", ge=1, le=32)
    turns: Literal["once", "bounce"] = option(
        "once", "When its direction is drawn: once a clip, so that walls reflect it, or anew at every wall.")
    directions: Literal["straight", "diagonal"] = option(
        "straight", "The four directions: up, down, left and right, or along both diagonals.")
    start: Literal["centre", "anywhere"] = option(
        "centre", "Where it is at first. From the centre the first frame tells nothing about what follows.")
    speed: int = option(1, "Pixels a frame, in each direction in which it moves.", unit="pixels a frame", ge=1, le=8)
    binary: bool = option(False, "Black and white pixels instead of grey levels at the edge of a disc.")

    def here(self) -> str:
        return "drawn by a program"

    def load(self) -> Dataset:
        """Raises `ConfigError` where the shape has no room to move, or no wall leaves it a choice."""
        reach = self.size - self.side
        if reach < 2 * self.speed:
            raise problem("data.side", self.side, f"a shape of {self.side} pixels cannot move by {self.speed} in "
                          f"{self.size}.", f"Use at most {max(1, self.size - 2 * self.speed)}, or a lower speed.")
        if (self.turns, self.directions, self.start) == ("bounce", "diagonal", "centre") and not reach % 2:
            raise problem("data.start", self.start, "from the centre every diagonal ends in a corner, where there is "
                          "only one way back and nothing to draw.", "Use anywhere, or data.directions=straight.")
        make = Shape(stamp(self.shape, self.side, binary=self.binary), self)
        turns = "once a clip" if self.turns == "once" else "at every wall"
        return self.drawn("moving-shape", f"a {self.shape} in {self.size} × {self.size} pixels, its direction drawn "
                          f"{turns}", Modality("video", (self.frames, 1, self.size, self.size)),
                          dict.fromkeys(SPLITS, make))


class Shape:
    """Makes clips in which `stamp` (h, w) moves; their labels are the first direction."""

    def __init__(self, stamp: Array, config: MovingShape) -> None:
        import torch

        self.stamp, self.config = Placed(torch.from_numpy(stamp)), config
        self.moves = Placed(torch.tensor(DIRECTIONS[config.directions]) * config.speed)  # (4, 2)

    def __call__(self, count: int, frames: int, generator: torch.Generator) -> Clips:
        config, device = self.config, generator.device
        reach = config.size - config.side
        positions, first, turned = paths(count, frames, reach, self.moves.on(device), config.turns, config.start,
                                         generator)
        stamps = self.stamp.on(device).expand(count, 1, -1, -1)
        return Clips(pasted(stamps, positions[:, :, None], config.size), shown_next(turned), first)


def paths(count: int, frames: int, reach: int, moves: Tensor, turns: Literal["once", "bounce"],
          start: Literal["centre", "anywhere"], generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Corners (B, T, 2) as (y, x), 0 to `reach`; the first direction (B,); and when one was drawn (B, T).

    `moves` (4, 2) are what a shape moves by in each direction.

    A direction counts as drawn where there was a choice; the first one only where it is the only one.
    """
    import torch

    device = generator.device
    place = torch.full((count, 2), reach // 2, device=device)
    if start == "anywhere":  # but at no wall, where a shape could leave at once
        place = torch.randint(1, reach, (count, 2), generator=generator, device=device)
    first = torch.randint(len(moves), (count,), generator=generator, device=device)
    turned = torch.zeros(count, frames, dtype=torch.bool, device=device)
    if turns == "once":
        turned[:, 0] = True
        along = torch.arange(frames, device=device)[:, None]
        unfolded = place[:, None] + moves[first][:, None] * along  # as if there were no walls: (B, T, 2)
        return reach - (unfolded.remainder(2 * reach) - reach).abs(), first, turned
    lots = torch.rand(frames, count, len(moves), generator=generator, device=device)
    velocity, places = moves[first], []
    for t in range(frames):
        at = place.clamp(0, reach)
        leaves = (_beyond(at, velocity, reach)).any(-1)
        allowed = ~_beyond(at[:, None], moves, reach).any(-1)  # (B, 4)
        chosen = moves[lots[t].masked_fill(~allowed, -1).argmax(-1)]
        velocity = torch.where(leaves[:, None], chosen, velocity)
        turned[:, t] = leaves & (allowed.sum(-1) > 1)
        places.append(at)
        place = at + velocity
    return torch.stack(places, 1), first, turned


def stamp(shape: Literal["disc", "square"], side: int, *, binary: bool = False) -> Array:
    """A white shape on black, (side, side) in uint8, drawn with soft edges, or with 0 and 255 only."""
    points = ((np.arange(side * FINE) + 0.5) / FINE - side / 2) / (side / 2)
    inside = np.ones((side * FINE, side * FINE), bool)
    if shape == "disc":
        inside = points[:, None] ** 2 + points**2 <= 1
    share = inside.reshape(side, FINE, side, FINE).mean((1, 3))
    grey: Array = np.rint(255 * (share >= 0.5 if binary else share)).astype(np.uint8)
    return grey


def _beyond(place: Tensor, velocity: Tensor, reach: int) -> Tensor:
    """Where a shape at a wall moves out of the frame, in each direction."""
    return (place <= 0) & (velocity < 0) | (place >= reach) & (velocity > 0)
