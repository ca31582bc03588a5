"""Stochastic moving MNIST (Denton & Fergus 2018), by the rules of their code (edenton/svg, data/moving_mnist.py).

Digits cross a frame; at a wall their velocity is drawn anew. A digit's corner starts uniformly among 0..R-1 in each
direction, R = size / 2 = 32, and its velocity among -4..4, so that 1 in 81 stands still. At each frame, first for y and
then for x: beyond a wall it is set back to 0 or R - 1, its velocity in that direction is drawn among the 1..4 that
lead away from the wall, and its velocity in the other direction among -4..4. Then it is drawn, then it moves.
Two quirks belong to the benchmark: R is also where a digit would still fit, so that one row and column stay black; and
a bounce in x may draw anew the y velocity that a bounce in y has just set, towards the wall too.

Pixels are summed and clipped at 1. Digits for training come from the training images of MNIST, those of validation and
test from other ones: a test clip shows no digit that was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from vaecore.data.base import SPLITS, Array, Dataset, SplitName
from vaecore.data.clips import Clips, DrawnConfig, Maker, pasted, shown_next
from vaecore.data.mnist import MNIST
from vaecore.data.placed import Placed
from vaecore.modalities import Modality
from vaecore.schema import option

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class MovingMNIST(DrawnConfig):
    """Digits that move and bounce off the walls in directions drawn anew: `frames` (T, 1, size, size).

    Events are the frames after a bounce: a direction drawn at frame t is first seen in frame t + 1.
    """

    title: ClassVar[str] = "Stochastic moving MNIST"
    name: Literal["moving-mnist"] = "moving-mnist"
    size: int = option(64, "Side of a frame, usually 16, 32 or 64; a digit has half of it.", unit="pixels", ge=8,
                       le=128, multiple_of=2)
    digits: int = option(2, "Digits in a clip.", unit="digits", ge=1, le=8)
    speed: int = option(4, "Velocities are drawn from minus to plus so many; 4 is published, at 64 pixels.",
                        unit="pixels a frame", ge=1, le=16)
    source: Literal["auto", "embedded", "full"] = option(
        "auto", "Which copy of MNIST: the 5,000 embedded digits, the full 70,000, or the full set when it is here.")

    def resolve(self) -> MovingMNIST:
        return self.model_copy(update={"source": MNIST(source=self.source).resolve().source})

    def reads(self) -> tuple[str, ...]:
        return ("mnist",) if self.source == "full" else ()

    def here(self) -> str:
        return f"drawn by a program ({MNIST(source=self.source).here()})"

    def load(self) -> Dataset:
        """Raises `DataUnavailable` where the digits are not on this machine."""
        digits = MNIST(source=self.source).load()
        makers: Mapping[SplitName, Maker] = {
            split: Moving(digits.splits[split].arrays["image"], self.digits, self.size, self.speed)
            for split in SPLITS}
        return self.drawn("moving-mnist", f"{self.digits} moving digit{'s' * (self.digits != 1)} in {self.size} × "
                          f"{self.size} pixels ({digits.source})",
                          Modality("video", (self.frames, 1, self.size, self.size)), makers)


class Moving:
    """Makes clips in which some of `images` (N, 1, 28, 28), in uint8, move."""

    def __init__(self, images: Array, digits: int, size: int, speed: int) -> None:
        import torch

        self.images, self.digits, self.size, self.speed = Placed(torch.from_numpy(images)), digits, size, speed

    def __call__(self, count: int, frames: int, generator: torch.Generator) -> Clips:
        positions, bounced = trajectories(count, frames, self.digits, self.size, self.speed, generator)
        return Clips(pasted(self.stamps(count, generator), positions, self.size), shown_next(bounced.any(-1)))

    def stamps(self, count: int, generator: torch.Generator) -> Tensor:
        """Images drawn with replacement, at half the side of a frame: (count, digits, size / 2, size / 2) in uint8."""
        import torch
        from torch.nn.functional import interpolate

        images = self.images.on(generator.device)
        chosen = torch.randint(len(images), (count * self.digits,), generator=generator, device=generator.device)
        side = self.size // 2
        resized = interpolate(images[chosen].float(), (side, side), mode="bilinear", antialias=True)
        return resized.round_().clamp_(0, 255).to(torch.uint8).view(count, self.digits, side, side)


def trajectories(count: int, frames: int, digits: int, size: int, speed: int, generator: torch.Generator
                 ) -> tuple[Tensor, Tensor]:
    """Where the digits of `count` clips are, and when they bounce, on the generator's device.

    Upper left corners (B, T, digits, 2) as (y, x), 0 to size / 2 - 1, in int64; and (B, T, digits), true at the frame
    at which a velocity is drawn anew. That is first seen in the frame after it.
    """
    import torch

    device, reach = generator.device, size // 2
    y, x = torch.randint(reach, (2, count, digits), generator=generator, device=device)
    # All numbers at once: what each bounce would draw, whether or not there is one.
    dy, dx = torch.randint(-speed, speed + 1, (2, count, digits), generator=generator, device=device)
    away = torch.randint(1, speed + 1, (frames, 2, count, digits), generator=generator, device=device)
    along = torch.randint(-speed, speed + 1, (frames, 2, count, digits), generator=generator, device=device)
    places, bounces = [], []
    for t in range(frames):
        y, inward = settled(y, reach)
        hit_y = inward != 0
        dy = torch.where(hit_y, inward * away[t, 0], dy)
        dx = torch.where(hit_y, along[t, 0], dx)
        x, inward = settled(x, reach)
        hit_x = inward != 0
        dx = torch.where(hit_x, inward * away[t, 1], dx)
        dy = torch.where(hit_x, along[t, 1], dy)
        places.append(torch.stack([y, x], -1))
        bounces.append(hit_y | hit_x)
        y, x = y + dy, x + dx
    return torch.stack(places, 1), torch.stack(bounces, 1)


def settled(place: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """Coordinates set back into 0..reach - 1, and where they were beyond it: 1 below, -1 above, else 0."""
    inside = place.clamp(0, reach - 1)
    return inside, (inside - place).sign()
