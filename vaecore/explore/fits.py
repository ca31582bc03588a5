"""What bringing a picture of one's own to another size does to it, to be seen before anything is trained."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vaecore.data.own.pictures.fits import MEANINGS, Fit, Levels, fitted
from vaecore.explore.pictures import Picture

SIZE = 64, 64
PAPER = 128  # beside what is padded here, so that it shows on light and dark pages


class Shown(NamedTuple):
    """A picture (H, W, 3) that was brought to a size in one way, and what that way does, in words."""

    fit: Fit
    picture: Picture
    meaning: str


def shown(picture: Levels | None = None, size: tuple[int, int] = SIZE) -> tuple[Shown, ...]:
    """What each way to fit makes of a picture, uint8 (h, w, 3), or (h, w) grey; of a drawn one where none is given.

    The last, as they are, is the picture itself.
    """
    found = drawn() if picture is None else picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, -1)
    paper = np.full(3, PAPER, np.uint8)
    return tuple(Shown(fit, found if fit == "as they are" else fitted(found, size, fit, paper, alpha=False), meaning)
                 for fit, meaning in MEANINGS.items())


def drawn() -> Levels:
    """A picture (60, 96, 3) that shows what becomes of it: a round sun, and a post at either end."""
    y, x = np.mgrid[:60, :96]
    picture = np.full((60, 96, 3), (150, 200, 235), np.uint8)
    picture[y > 44] = 90, 150, 80
    picture[(y - 24) ** 2 + (x - 48) ** 2 < 15 ** 2] = 250, 210, 70
    picture[(np.abs(x - 8) < 4) & (y > 20)] = 200, 60, 60
    picture[(np.abs(x - 87) < 4) & (y > 20)] = 60, 70, 200
    return picture
