"""Moving through the latent space as a film: a traversal, a walk or an interpolation, as GIF, WebP or MP4.

Every film closes: after its last frame comes its first, as the step before was, so that it loops without a seam.
Shapes: S frames, r latent size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from vaecore.explore.clips.films import MOST_FRAMES, Strip, gif, mp4, webp
from vaecore.explore.codes import Codes, Route
from vaecore.explore.pictures import Images, legible
from vaecore.schema import problem

if TYPE_CHECKING:
    from vaecore.explore import Checkpoint

Kind = Literal["traversal", "walk", "interpolation"]
KINDS: tuple[Kind, ...] = get_args(Kind)
FILMS: dict[str, Callable[..., bytes]] = {".gif": gif, ".webp": webp, ".mp4": mp4}
WAVES = 3  # of a walk in one loop, at most: slow enough to be followed
FARTHEST = 10.0  # units
FRAMES, RATE, SPAN = 60, 20.0, 3.0


@dataclass(frozen=True)
class Motion:
    """A closed way through the latent space, in S `frames`; the same fields give the same codes.

    A `traversal` moves one `dimension`, without one the most informative, from 0 to `span` units, through 0 to -`span`
    and back, around the code `start` (r,) in units. A `walk` is endless and smooth: a sum of slow waves drawn by
    `seed`, as far from the centre on average as a draw from N(0, I) in units. An `interpolation` goes from test
    observation `first` to `last` and back, `straight`, `spherical` or on the `shortest` path of the decoder.
    """

    kind: Kind = "traversal"
    frames: int = FRAMES
    seed: int = 0
    dimension: int | None = None
    span: float = SPAN
    start: tuple[float, ...] = ()  # units; what is missing is 0
    first: int = 0
    last: int = 1
    path: Route = "straight"

    def codes(self, checkpoint: Checkpoint) -> Codes:
        """The codes (S, r) of the frames; raises `ConfigError` for what the checkpoint does not have."""
        self._check(checkpoint)
        if self.kind == "interpolation":
            half = self.frames // 2 + 1
            start, end = checkpoint.encode([self.first, self.last])
            there = checkpoint.way(start, end, half, self.path)
            codes: Codes = np.concatenate([there, there[-2:0:-1]]).astype(np.float32)
            return codes
        if self.kind == "walk":
            return checkpoint.place(walk(self.frames, checkpoint.size, self.seed))
        units = np.tile(padded(self.start, checkpoint.size), (self.frames, 1))
        dimension = checkpoint.order[0] if self.dimension is None else self.dimension
        units[:, dimension] = self.span * np.sin(2 * np.pi * np.arange(self.frames) / self.frames)
        return checkpoint.place(units)

    def _check(self, checkpoint: Checkpoint) -> None:
        if not 4 <= self.frames <= MOST_FRAMES:
            raise problem("--count", self.frames, "a film has 4 to 1,000 frames.", f"Use e.g. {FRAMES}.")
        if self.kind == "interpolation" and self.frames % 2:
            raise problem("--count", self.frames, "there and back takes an even number of frames.",
                          f"Use {self.frames + 1}.")
        if self.dimension is not None and not 0 <= self.dimension < checkpoint.size:
            raise problem("--dimension", self.dimension, f"{checkpoint.run.id} has {checkpoint.size} dimensions.",
                          f"Use 0 to {checkpoint.size - 1}.")
        if not 0 < self.span <= FARTHEST:
            raise problem("--span", self.span, f"dimensions move by up to {FARTHEST:g} units.", f"Use e.g. {SPAN:g}.")
        for option, place in (("--from", self.first), ("--to", self.last)):
            if self.kind == "interpolation" and not 0 <= place < len(checkpoint.examples):
                raise problem(option, place, f"{checkpoint.run.id} keeps {len(checkpoint.examples)} test images.",
                              f"Use 0 to {len(checkpoint.examples) - 1}.")
        padded(self.start, checkpoint.size)


def walk(frames: int, size: int, seed: int) -> Codes:
    """A closed smooth random way (frames, size) in units: each number is N(0, 1) over seeds."""
    waves = np.arange(1, WAVES + 1)
    drawn = np.random.default_rng(seed).standard_normal((2, WAVES, size)) / np.sqrt(WAVES)
    angle = 2 * np.pi * np.arange(frames)[:, None] * waves / frames
    units: Codes = (np.cos(angle) @ drawn[0] + np.sin(angle) @ drawn[1]).astype(np.float32)
    return units


def padded(units: tuple[float, ...], size: int) -> Codes:
    """A code (size,) in units, what is missing 0; raises `ConfigError` for too many numbers or far ones."""
    if len(units) > size:
        raise problem("--z", ",".join(f"{value:g}" for value in units), f"the code has {size} dimensions.",
                      f"Give at most {size} numbers.")
    if not all(abs(value) <= 1e4 for value in units):
        raise problem("--z", ",".join(f"{value:g}" for value in units), "these are no positions in units.",
                      "Give numbers, joined by commas.")
    code: Codes = np.zeros(size, np.float32)
    code[:len(units)] = units
    return code


def pictures(checkpoint: Checkpoint, motion: Motion) -> Images:
    """What is decoded along the way, (S, H, W) or (S, H, W, 3); vectors as stripes."""
    codes = motion.codes(checkpoint)
    most = checkpoint.model.at_once(500)
    return np.concatenate([legible(checkpoint.decode(codes[at:at + most])) for at in range(0, len(codes), most)])


def film(checkpoint: Checkpoint, motion: Motion, ending: str = ".gif", *, rate: float = RATE, scale: int | None = None
         ) -> bytes:
    """The way as a file: `ending` is .gif, .webp or .mp4, `rate` frames a second, `scale` screen pixels to a pixel.

    Raises `ConfigError` for what the checkpoint does not have, for another ending, and for a film that is too large or
    whose encoder is not installed.
    """
    if ending not in FILMS:
        raise problem("--output", ending, "it is no kind of file that films are saved as.",
                      f"End it in {', '.join(FILMS)}.")
    images = pictures(checkpoint, motion)
    frames = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    try:
        return FILMS[ending]([Strip("", np.ascontiguousarray(frames))], rate=rate, scale=scale, gap=0)
    except ValueError as error:
        raise problem("--frames", ending, str(error), "Change --scale, --rate or --count.") from None
