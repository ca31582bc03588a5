"""The numbers of pictures as levels from 0 to 255, their channels, and what lies behind transparent parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vaecore.data.base import Array

Levels = NDArray[np.uint8]
Channels = Literal["auto", "grey", "colour", "colour+alpha", "as they are"]
BITS = (8, 10, 12, 14)  # that cameras and scanners fill of a 16-bit file
GREYS = 19595, 38470, 7471  # of 65536: red, green and blue in brightness, as Pillow and JPEG weigh them


def bits_used(largest: int) -> int:
    """How many of 16 bits numbers up to `largest` are taken to use."""
    used = int(largest).bit_length()
    return next((bits for bits in BITS if 0 < used <= bits), 16)


def in_eight_bits(values: NDArray[np.integer], bits: int) -> Levels:
    """Whole numbers from 0 of which so many bits are used, in 8."""
    scaled: NDArray[Any] = values >> 8 if bits == 16 else np.rint(values * (255 / (2**bits - 1)))
    return scaled.astype(np.uint8)


def stretched(values: Array, low: float, high: float) -> Levels:
    """Numbers from `low` to `high` as levels from 0 to 255."""
    levels: Levels = np.rint((values.astype(np.float64) - low) * (255 / (high - low))).clip(0, 255).astype(np.uint8)
    return levels


@dataclass(frozen=True)
class Scale:
    """How the numbers of all pictures of one kind become levels: from `low` to `high`, or by the `bits` they use."""

    low: float = 0
    high: float = 255
    bits: int = 0
    said: str = ""  # what is done, in words; empty for nothing

    @classmethod
    def of(cls, low: float, high: float, *, whole: bool, levels: bool) -> Scale:
        """The scale of pictures with numbers from `low` to `high`.

        `whole` says that all numbers are, `levels` that they are stored in 8 bits.
        Raises ValueError for one number throughout.
        """
        span = f"{low:,g} to {high:,g}"
        if whole and low == 0 and high == 1:
            return cls(0, 1, said="pictures of 0 and 1 read as black and white")
        if levels:
            return cls()
        if low == high:
            raise ValueError(f"are {low:g} throughout")
        if low >= 0 and high <= 1:
            return cls(0, 1, said="numbers from 0 to 1 read as shares of full brightness")
        if whole and low >= 0 and high <= 255:
            return cls(said="numbers from 0 to 255 read as grey levels")
        if whole and low >= 0 and high < 2**16:
            bits = bits_used(int(high))
            return cls(bits=bits, said=f"numbers of 16 bits, of which {bits} are used ({span}), made 8" if bits < 16
                       else f"numbers of 16 bits ({span}) made 8")
        if low >= -1 and high <= 1:
            return cls(-1, 1, said="numbers from -1 to 1 read as black to white")
        return cls(low, high, said=f"numbers stretched: {span} became 0 to 255")

    def levels(self, values: Array) -> Levels:
        if self.bits:
            return in_eight_bits(values.astype(np.int32), self.bits)
        if values.dtype == np.uint8 and (self.low, self.high) == (0, 255):
            return values.astype(np.uint8, copy=False)
        return stretched(values, self.low, self.high)


# -- channels --------------------------------------------------------------------------------------


def is_coloured(levels: Levels) -> bool:
    """Whether red, green and blue (..., 3) differ anywhere."""
    return bool((levels[..., 0] != levels[..., 1]).any() or (levels[..., 1] != levels[..., 2]).any())


def brightness(colours: Levels) -> Levels:
    """Colours (..., 3) as grey levels (..., 1), as Pillow weighs them."""
    red, green, blue = (colours[..., channel].astype(np.uint32) * weight for channel, weight in enumerate(GREYS))
    grey: NDArray[Any] = (red + green + blue + 32768) >> 16
    return grey.astype(np.uint8)[..., None]


def composited(layers: Levels, paper: Levels) -> Levels:
    """Pictures (..., C + 1) with how opaque each pixel is last, on `paper` (C,): (..., C)."""
    cover = layers[..., -1:].astype(np.uint32)
    mixed: NDArray[Any] = layers[..., :-1] * cover + paper * (255 - cover)
    return ((mixed + 127) // 255).astype(np.uint8)


def in_channels(levels: Levels, channels: Channels, paper: Levels, *, alpha: bool) -> Levels:
    """Pictures (..., C) with the channels that are asked for: 1, 3, 4, or as they are.

    `paper` (3,) lies behind transparent parts where they do not stay so.
    """
    if channels == "as they are":
        return levels
    if channels == "colour+alpha":
        colour = levels[..., :-1] if alpha else levels
        cover = levels[..., -1:] if alpha else np.full_like(levels[..., :1], 255)
        return np.concatenate([_in_colour(colour), cover], -1)
    if alpha:
        levels = composited(levels, paper[:levels.shape[-1] - 1] if levels.shape[-1] == 4 else brightness(paper))
    if channels == "colour":
        return _in_colour(levels)
    return brightness(levels) if levels.shape[-1] == 3 else levels


def _in_colour(levels: Levels) -> Levels:
    return levels if levels.shape[-1] == 3 else np.repeat(levels, 3, -1)
