"""What a visitor draws, brought into the form of a data set's images; `uploads.py` does so for pictures in files.

`Ink` says of images that are drawn on plain paper how they look. The pad's own twin of `drawn_as`, which answers while
the pen moves, is `pages/components/lib/digit.js`; a test holds both to the same pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Grey = NDArray[np.uint8]

BOX = 20 / 28  # of a side: MNIST fits each digit into 20 of its 28 pixels
INK = 32  # of 255: what is fainter is the soft edge of a stroke
SMALLEST_INK = 1 / 8  # of the longer side: ink that reaches no further is a dot, not a digit
PLAIN = 0.9  # of the images of a data set have an edge of paper, if it is drawn as ink


def as_digit(ink: Grey, size: tuple[int, int] = (28, 28), box: float = BOX, least: float = SMALLEST_INK) -> Grey | None:
    """White ink on black, uint8 (h, w), as MNIST was made: uint8 (H, W), or None for a sheet that is as good as blank.

    The ink is cropped, scaled with its aspect ratio kept until it fits into `box` of the size, and placed with its
    centre of mass in the middle, or as near to it as the edges allow. Raises ValueError for another array or size.
    """
    if ink.dtype != np.uint8 or ink.ndim != 2:
        raise ValueError(f"ink must be uint8 (h, w), not {ink.dtype} {ink.shape}")
    height, width = size
    if height < 1 or width < 1:
        raise ValueError(f"size must be positive, not {size}")
    rows, columns = (np.flatnonzero((ink >= INK).any(axis)) for axis in (1, 0))
    if not len(rows):
        return None
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    if max(bottom - top, right - left) < least * max(ink.shape):
        return None
    ink = ink[top:bottom, left:right]
    high, wide = ink.shape
    pixel = max(high / (box * height), wide / (box * width))  # side of a pixel of the result, in those of the ink
    y, x = (_window(ink.sum(axis, dtype=np.int64), pixel * n) for axis, n in ((1, height), (0, width)))
    # One resampling of a window with fractional edges does crop, scale and shift: each further one would blur. The
    # window must lie within the picture, hence the black around.
    margin = int(np.ceil(pixel * max(height, width))) + 1
    picture = Image.fromarray(np.pad(ink, margin))
    window = (margin + x, margin + y, margin + x + pixel * width, margin + y + pixel * height)
    return np.asarray(picture.resize((width, height), Image.Resampling.HAMMING, box=window)).copy()


def _window(mass: NDArray[np.int64], length: float) -> float:
    """Where a window of this length begins that has the centre of mass (n,) in its middle.

    It is moved so far that all of the ink lies within: a heavy end and a long tail would else lose the tail.
    """
    n = len(mass)
    centre = float(np.average(np.arange(n) + 0.5, weights=mass))
    return min(max(centre - length / 2, n - length), 0.0)


@dataclass(frozen=True)
class Ink:
    """How images that are drawn on plain paper look."""

    light: bool  # whether the paper is
    box: float  # the longer side of what is drawn, as a share of the image's: the median

    @classmethod
    def of(cls, images: Grey) -> Ink | None:
        """Ink of grey images of the data, uint8 (N, C, H, W).

        None of colour, and of photographs, whose edges are no paper.
        """
        if images.ndim != 4 or images.shape[1] != 1 or not len(images):
            return None
        edges = np.concatenate([images[:, 0, 0], images[:, 0, -1], images[:, 0, :, 0], images[:, 0, :, -1]], 1)
        edge = np.median(edges, 1)
        light = bool((edge > 255 - INK).mean() >= PLAIN)
        if not light and (edge < INK).mean() < PLAIN:
            return None
        extents = [max(found) for image in images[:, 0] if (found := extent_of(255 - image if light else image))]
        return cls(light, float(np.median(extents))) if extents else None


def extent_of(image: Grey) -> tuple[float, float] | None:
    """Height and width of the ink, white on black, as shares of the image; None of a blank one."""
    rows, columns = (np.flatnonzero((image >= INK).any(axis)) for axis in (1, 0))
    if not len(rows):
        return None
    return (int(np.ptp(rows)) + 1) / image.shape[0], (int(np.ptp(columns)) + 1) / image.shape[1]


def drawn_as(sheet: Grey, size: tuple[int, int], ink: Ink) -> Grey | None:
    """A drawing in white on black, uint8 (h, w), as data drawn with `ink` have it: uint8 (H, W), or None while blank.

    Its longer side is as long as theirs, and on light paper it is dark.
    """
    digit = as_digit(sheet, size, ink.box)
    return digit if digit is None or not ink.light else 255 - digit
