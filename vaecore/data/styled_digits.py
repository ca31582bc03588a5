"""A digit, and another digit of the same class in a planted style: what is shared and what is private are known.

In place of MNIST and SVHN (Lee & Pavlovic 2021, DMVAE), in the manner of coloured and rotated MNIST: the class is
shared, and one number, the style, is private to the second modality.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vaecore.arrays import Floats
from vaecore.data.base import SPLITS, Array, Dataset, Split, SplitName, mapped
from vaecore.data.image_label import Source
from vaecore.data.missing import MultimodalConfig
from vaecore.data.mnist import MNIST
from vaecore.modalities import Modality
from vaecore.schema import option

SIDE = 28  # pixels
FIRST, LAST = np.array([0.1, 0.3, 1.0]), np.array([1.0, 0.3, 0.1])  # blue and red, as (R, G, B)
GLOW = 0.15  # of the colour behind the digit: without it a thin digit would tell less of its colour than a thick one
WIDEST = 60.0  # degrees either way
THICKEST = 2.0  # pixels added on either side of a stroke
IMAGES_AT_ONCE = 2_048  # images

STYLES = {"coloured": "colour from blue, 0, to red, 1", "rotated": "angle in degrees, -60 to 60",
          "thick": "pixels added on either side of a stroke, 0 to 2"}


class StyledDigits(MultimodalConfig):
    """Modalities `digit` (1, 28, 28) and `styled`, which is (3, 28, 28) in colour. The factor `style` is known."""

    title: ClassVar[str] = "Digit + styled partner"
    name: Literal["styled-digits"] = "styled-digits"
    style: Literal["coloured", "rotated", "thick"] = option(
        "coloured", "What the partner has of its own: a colour between blue and red, a rotation by up to 60° either "
        "way, or strokes made up to 2 pixels thicker on either side. Each is drawn uniformly.")
    source: Source = option("embedded", "Which copy of MNIST: the 5,000 embedded digits, the full 70,000, or the full "
                            "set when it is here.")
    seed: int = option(0, "Seed of partners and styles.", ge=0, le=2**31 - 1, advanced=True)

    def resolve(self) -> StyledDigits:
        return self.model_copy(update={"source": MNIST(source=self.source).resolve().source})

    def reads(self) -> tuple[str, ...]:
        return ("mnist",) if self.source == "full" else ()

    def here(self) -> str:
        return f"{MNIST(source=self.source).here()}, each with a {self.style} partner of its class"

    def load(self) -> Dataset:
        """Partners never leave their split. Raises `DataUnavailable` where the full MNIST is wanted and not here."""
        config = self.resolve()
        digits = MNIST(source=config.source).load()
        splits: dict[SplitName, Split] = {}
        for index, name in enumerate(SPLITS):
            images, labels = digits.splits[name].arrays["image"], digits.splits[name].labels
            assert labels is not None
            generator = np.random.default_rng([self.seed, index])
            others = images[partners(labels, generator)]
            amount = amounts(self.style, len(images), generator)
            styled = mapped(f"styled-digits-1-{self.style}-{config.source}-{self.seed}-{name}",
                            partial(in_style, self.style, others, amount))
            splits[name] = Split({"digit": images, "styled": styled}, labels, factors=amount[:, None])
        splits["train"] = self.with_missing(splits["train"])
        channels = 3 if self.style == "coloured" else 1
        modalities = {"digit": Modality("image", (1, SIDE, SIDE)), "styled": Modality("image", (channels, SIDE, SIDE))}
        return Dataset("styled-digits", f"{digits.source}, each with a {self.style} partner of its class", modalities,
                       splits, factors={"style": 0})


def partners(labels: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    """For each of N observations another of its label, (N,): the next in a random circle of all that have it."""
    found = np.arange(len(labels))
    for label in np.unique(labels):
        circle = generator.permutation(np.flatnonzero(labels == label))
        found[circle] = np.roll(circle, -1)
    return found


def amounts(style: str, count: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """How much of a style each of `count` images gets, (N,), in the unit that `STYLES` names."""
    low, high = {"coloured": (0.0, 1.0), "rotated": (-WIDEST, WIDEST), "thick": (0.0, THICKEST)}[style]
    return generator.uniform(low, high, count)


def in_style(style: str, images: Array, amount: NDArray[np.float64]) -> Array:
    """Grey uint8 images (N, 1, 28, 28) in a style, of which each has its `amount` (N,): uint8, (N, 3 or 1, 28, 28)."""
    drawn = []
    for start in range(0, len(images), IMAGES_AT_ONCE):
        part = slice(start, start + IMAGES_AT_ONCE)
        ink = np.asarray(images[part, 0], np.float32) / np.float32(255)
        drawn.append(np.rint(255 * STYLED[style](ink, amount[part].astype(np.float32))).astype(np.uint8))
    return np.concatenate(drawn)


def _coloured(ink: Floats, t: Floats) -> Floats:
    """Ink (n, 28, 28) in the colour that is `t` (n,) of the way from blue to red."""
    colour = (FIRST + t[:, None] * (LAST - FIRST)).astype(np.float32)  # (n, 3)
    return np.asarray(colour[:, :, None, None] * (GLOW + (1 - GLOW) * ink[:, None]))


def _rotated(ink: Floats, degrees: Floats) -> Floats:
    """Ink turned counter-clockwise about its centre, read between pixels by bilinear interpolation."""
    turn = np.deg2rad(degrees)[:, None, None]
    centre = (SIDE - 1) / 2
    down, across = np.meshgrid(np.arange(SIDE) - centre, np.arange(SIDE) - centre, indexing="ij")
    x = np.cos(turn) * across - np.sin(turn) * down + centre  # (n, 28, 28): where each pixel comes from
    y = np.sin(turn) * across + np.cos(turn) * down + centre
    inside = np.pad(ink, ((0, 0), (1, 1), (1, 1)))  # black all around: what comes from outside is black
    x, y = np.clip(x + 1, 0, SIDE + 0.999), np.clip(y + 1, 0, SIDE + 0.999)
    left, top = x.astype(np.int64), y.astype(np.int64)
    right, low = x - left, y - top  # shares
    row = np.arange(len(ink))[:, None, None]
    turned = ((1 - low) * ((1 - right) * inside[row, top, left] + right * inside[row, top, left + 1])
              + low * ((1 - right) * inside[row, top + 1, left] + right * inside[row, top + 1, left + 1]))
    return np.asarray(turned[:, None], np.float32)


def _thick(ink: Floats, radius: Floats) -> Floats:
    """Grey dilation by a disc of `radius` (n,) pixels with a soft edge, so that it grows continuously."""
    reach = int(np.ceil(THICKEST))
    padded = np.pad(ink, ((0, 0), (reach, reach), (reach, reach)))
    thick = ink.copy()
    for down, across in np.ndindex(2 * reach + 1, 2 * reach + 1):
        distance = np.hypot(down - reach, across - reach)
        share = np.clip(radius + 1 - distance, 0, 1)[:, None, None]  # 1 inside the disc, 0 a pixel outside it
        if share.any():
            np.maximum(thick, share * padded[:, down:down + SIDE, across:across + SIDE], out=thick)
    return thick[:, None]


STYLED = {"coloured": _coloured, "rotated": _rotated, "thick": _thick}
