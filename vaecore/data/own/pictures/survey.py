"""What each of many pictures is, one row of numbers each, so that what is done to all of them can be decided by all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vaecore.arrays import Numbers
from vaecore.data.base import Array
from vaecore.data.own.pictures.decoding import Pixels, Unreadable
from vaecore.data.own.pictures.levels import brightness, is_coloured
from vaecore.data.own.pictures.piles import Pile

(READ, HEIGHT, WIDTH, CHANNELS, ALPHA, DEEP, LOW, HIGH, WHOLE, COLOURED, LIGHT, EDGE, TURNED, ANIMATED, CUT) = range(15)
FACTS = 15
BLOCK = 1024  # pictures
SAMPLED = 512  # pixels a side of a large picture that are enough to know it
EIGHT_BITS, MORE_BITS, FLOAT = range(3)  # how deep numbers are


@dataclass(frozen=True)
class Survey:
    """Facts (N, 15) of N pictures; all 0 of one that cannot be read."""

    facts: Numbers

    def __len__(self) -> int:
        return len(self.facts)

    def of(self, fact: int, rows: Array | slice = slice(None)) -> Numbers:
        column: Numbers = self.facts[rows, fact]
        return column


def surveyed(pile: Pile, start: int = 0) -> Iterator[Numbers]:
    """The facts of the pictures from one on, in consecutive parts."""
    for first in range(start, len(pile), BLOCK):
        rows = np.arange(first, min(first + BLOCK, len(pile)))
        facts = np.zeros((len(rows), FACTS))
        for places, found in pile.read(rows, _measured, SAMPLED):
            if not isinstance(found, Unreadable):
                facts[places] = found
        yield facts


def _measured(pixels: Pixels) -> Numbers:
    """The facts of pictures (n, H, W, C) of one size."""
    alpha, values = pixels.alpha, pixels.values.astype(np.uint8 if pixels.values.dtype == np.bool_ else
                                                       pixels.values.dtype, copy=False)
    base = values[..., :-1] if alpha else values
    n, height, width, channels = base.shape
    deep = EIGHT_BITS if values.dtype == np.uint8 else FLOAT if values.dtype.kind == "f" else MORE_BITS
    facts = np.zeros((n, FACTS))
    flat = base.reshape(n, -1)
    facts[:, READ] = 1
    facts[:, HEIGHT], facts[:, WIDTH] = pixels.size or (height, width)
    facts[:, CHANNELS], facts[:, ALPHA] = channels, alpha
    facts[:, DEEP], facts[:, LOW], facts[:, HIGH] = deep, flat.min(1), flat.max(1)
    facts[:, WHOLE] = (flat == np.rint(flat)).all(1) if deep == FLOAT else 1
    if channels == 3:
        facts[:, COLOURED] = [is_coloured(each) for each in base]
    if alpha:
        facts[:, ALPHA] = np.where(values[..., -1].reshape(n, -1).min(1) < 255, 2, 1)
        every = max(1, max(height, width) // SAMPLED)  # of a large one some pixels tell how light it is
        part: Array = values[:, ::every, ::every]
        cover = part[..., -1].reshape(n, -1).astype(np.float64)
        total = cover.sum(1)
        seen: Numbers = _grey(part[..., :-1]).reshape(n, -1) * cover
        facts[:, LIGHT] = seen.sum(1) / np.where(total > 0, total, 1)
    edges = [base[:, 0], base[:, -1], base[:, :, 0], base[:, :, -1]]
    facts[:, EDGE] = np.median(np.concatenate([_grey(edge).reshape(n, -1) for edge in edges], 1), 1)
    facts[:, TURNED], facts[:, ANIMATED], facts[:, CUT] = pixels.turned, pixels.animated, pixels.cut
    return facts


def _grey(base: Array) -> Numbers:
    """Brightness (..., 1) of levels (..., C); of numbers of more than 8 bits, or other channels, the first one."""
    grey = brightness(base.astype(np.uint8)) if base.shape[-1] == 3 and base.dtype == np.uint8 else base[..., :1]
    return grey.astype(np.float64)
