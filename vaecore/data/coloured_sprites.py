"""Coloured sprites with known factors: the shapes of `sprites`, twice as large, each in some hues on black.

As there, every combination of the factors is an image once, so that what a dimension of a code means can be measured;
a colour is a factor that no black and white picture has.
"""

from __future__ import annotations

import colorsys
import itertools
from typing import ClassVar, Literal

import numpy as np

from vaecore.data import sprites
from vaecore.data.base import Array, Dataset, ImageConfig, mapped
from vaecore.data.sprites import SHAPES, draw, with_factors
from vaecore.schema import option

LARGER = 2  # times the pixels of `sprites`, from side to side
SIDE = LARGER * sprites.SIDE


class ColouredSprites(ImageConfig):
    """Squares, ellipses and hearts of 64 x 64 in colour, one image for each combination of their factors."""

    title: ClassVar[str] = "Coloured sprites with known factors"
    name: Literal["coloured-sprites"] = "coloured-sprites"
    colours: int = option(6, "Hues, evenly around the circle of colours, from red.", unit="values", ge=1, le=12)
    scales: int = option(3, "Sizes of a shape.", unit="values", ge=1, le=6)
    orientations: int = option(4, "Angles, over a quarter turn.", unit="values", ge=1, le=12)
    positions: int = option(6, "Places from left to right, and as many from top to bottom.", unit="values", ge=4,
                            le=12)

    def here(self) -> str:
        return "drawn by a program"

    def load(self) -> Dataset:
        """Shuffled once and for all; a tenth is for validation and as many for test."""
        counts = {"shape": len(SHAPES), "colour": self.colours, "scale": self.scales,
                  "orientation": self.orientations, "x": self.positions, "y": self.positions}
        key = f"coloured-sprites-1-{self.colours}-{self.scales}-{self.orientations}-{self.positions}"
        return with_factors(self, self.name, mapped(key, self._drawn, at_least=0), counts)

    def _drawn(self) -> Array:
        """All images (N, 3, 64, 64) in the order of the factors: the last, y, changes fastest."""
        sizes = LARGER * np.linspace(sprites.SMALLEST_SHAPE, sprites.LARGEST_SHAPE, self.scales + 1)[1:]
        turns = np.arange(self.orientations) * (np.pi / 2 / self.orientations)
        places = LARGER * np.linspace(sprites.MARGIN, sprites.SIDE - sprites.MARGIN, self.positions)
        hues = np.array([colorsys.hsv_to_rgb(hue / self.colours, 1, 1) for hue in range(self.colours)])
        parts = []
        for shape in SHAPES:
            white = np.concatenate([draw(shape, size, turn, places, SIDE)
                                    for size, turn in itertools.product(sizes, turns)])[:, None]
            parts += [np.rint(white * hue[:, None, None].astype(np.float32)).astype(np.uint8) for hue in hues]
        return np.concatenate(parts)
