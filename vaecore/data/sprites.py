"""Sprites with known factors: small white shapes on black, drawn here, in the manner of dSprites (Matthey et al. 2017).

Every combination of the factors is there once. Orientation runs over a quarter turn only, because a square looks the
same after one: no two images are alike, so that factors can be read from an image, and no test image was trained on.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vaecore.arrays import Floats
from vaecore.data.base import SPLITS, Array, Dataset, ImageConfig, mapped, shuffled_split
from vaecore.schema import option

SIDE = 32  # pixels
FINE = 4  # points a pixel and direction: the share of them inside a shape is its grey level
SHAPES = ("square", "ellipse", "heart")
SMALLEST_SHAPE, LARGEST_SHAPE = 3.0, 5.5  # half the extent of a shape, pixels
MARGIN = 9.0  # pixels from a centre to the border: the largest shape still fits, and 8 places are 2 pixels apart



class Sprites(ImageConfig):
    """Squares, ellipses and hearts of 32 x 32, one image for each combination of their factors."""

    title: ClassVar[str] = "Sprites with known factors"
    name: Literal["sprites"] = "sprites"
    scales: int = option(4, "Sizes of a shape.", unit="values", ge=1, le=6)
    orientations: int = option(8, "Angles, over a quarter turn.", unit="values", ge=1, le=12)
    positions: int = option(8, "Places from left to right, and as many from top to bottom.", unit="values",
                            ge=4, le=16)

    def here(self) -> str:
        return "drawn by a program"

    def load(self) -> Dataset:
        """Shuffled once and for all; a tenth is for validation and as many for test."""
        counts = {"shape": len(SHAPES), "scale": self.scales, "orientation": self.orientations,
                  "x": self.positions, "y": self.positions}
        images = mapped(f"sprites-2-{self.scales}-{self.orientations}-{self.positions}", self._drawn, at_least=0)
        return with_factors(self, "sprites", images, counts)

    def _drawn(self) -> Array:
        """All images (N, 1, 32, 32) in the order of the grid: the last factor, y, changes fastest."""
        sizes = np.linspace(SMALLEST_SHAPE, LARGEST_SHAPE, self.scales + 1)[1:]
        turns = np.arange(self.orientations) * (np.pi / 2 / self.orientations)
        places = np.linspace(MARGIN, SIDE - MARGIN, self.positions)
        return np.concatenate([draw(shape, size, turn, places)
                               for shape, size, turn in itertools.product(SHAPES, sizes, turns)])[:, None]


def with_factors(config: ImageConfig, name: str, images: Array, counts: Mapping[str, int]) -> Dataset:
    """A data set of an image for each combination of factors, of which there are so many values, the last fastest.

    Shuffled once and for all; a tenth is for validation and as many for test. Labels are the values of the first.
    """
    grid = np.array(list(itertools.product(*map(range, counts.values()))), np.int64)  # (N, F)
    pictures, rows = shuffled_split(images, np.arange(len(grid)), len(grid) // 10)
    sizes = " / ".join(f"{len(rows[split]):,}" for split in SPLITS)
    dataset = config.finish(name, f"{len(grid):,} drawn sprites: {sizes}", pictures,
                            {split: grid[rows[split], 0] for split in SPLITS})
    varied = [index for index, count in enumerate(counts.values()) if count > 1]
    splits = {split: replace(part, factors=grid[rows[split][:len(part)]][:, varied].astype(np.float64))
              for split, part in dataset.splits.items()}
    return replace(dataset, splits=splits, factors={factor: n for factor, n in counts.items() if n > 1})


def draw(shape: str, size: float, turn: float, places: NDArray[np.float64], side: int = SIDE) -> NDArray[np.uint8]:
    """One shape at every pair of `places` for its centre, x then y, in pixels: (places², side, side), anti-aliased.

    `size` is half its extent in pixels, `turn` its rotation in radians, clockwise as rows run downwards.
    """
    points = ((np.arange(side * FINE) + 0.5) / FINE).astype(np.float32)
    offsets = (points - places[:, None].astype(np.float32)) / np.float32(size)  # (P, S) from each centre
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    images = np.empty((len(places), len(places), side, side), np.uint8)
    for x, y in np.ndindex(len(places), len(places)):
        across, down = offsets[x][None, :], offsets[y][:, None]
        inside = INSIDE[shape](cos * across + sin * down, cos * down - sin * across)  # (S, S)
        share = inside.reshape(side, FINE, side, FINE).mean((1, 3))
        images[x, y] = np.rint(share * 255)
    return images.reshape(-1, side, side)


def _square(u: Floats, v: Floats) -> NDArray[np.bool_]:
    return np.maximum(np.abs(u), np.abs(v)) <= 1


def _ellipse(u: Floats, v: Floats) -> NDArray[np.bool_]:
    return (u / 1.3) ** 2 + (v / 0.75) ** 2 <= 1


def _heart(u: Floats, v: Floats) -> NDArray[np.bool_]:
    """Inside of (u² + v² - 1)³ = u² v³, point down."""
    u, v = u * np.float32(0.95), np.float32(0.1) - v * np.float32(0.95)
    return (u**2 + v**2 - 1) ** 3 <= u**2 * v**3


INSIDE = {"square": _square, "ellipse": _ellipse, "heart": _heart}
