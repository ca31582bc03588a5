"""What each way to fit does is told true by its picture."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from vaecore.data.own.pictures.fits import Fit, fitted

FITS: tuple[Fit, ...] = ("pad", "crop", "stretch")
PAPER = np.full(3, 128, np.uint8)
RED, BLUE, SUN = (200, 60, 60), (60, 70, 200), (250, 210, 70)


def drawn() -> np.ndarray:
    """A picture (60, 96, 3) that shows what becomes of it: a round sun, and a post at either end."""
    y, x = np.mgrid[:60, :96]
    picture = np.full((60, 96, 3), (150, 200, 235), np.uint8)
    picture[y > 44] = 90, 150, 80
    picture[(y - 24) ** 2 + (x - 48) ** 2 < 15 ** 2] = 250, 210, 70
    picture[(np.abs(x - 8) < 4) & (y > 20)] = 200, 60, 60
    picture[(np.abs(x - 87) < 4) & (y > 20)] = 60, 70, 200
    return picture


def extent(picture: np.ndarray, colour: tuple[int, int, int]) -> tuple[int, int]:
    """Height and width of what has about this colour."""
    there = (np.abs(picture.astype(int) - colour) < 40).all(-1)
    return int(there.any(1).sum()), int(there.any(0).sum())


def test_what_each_fit_does_to_a_drawn_picture() -> None:
    assert get_args(Fit) == ("pad", "crop", "stretch", "as they are")
    assert (fitted(drawn(), (60, 96), "as they are", PAPER, alpha=False) == drawn()).all()
    with pytest.raises(ValueError, match=r"\(60, 96\) is not \(48, 48\)"):
        fitted(drawn(), (48, 48), "as they are", PAPER, alpha=False)
    assert extent(drawn(), SUN) == (29, 29)
    pictures = {fit: fitted(drawn(), (48, 48), fit, PAPER, alpha=False) for fit in FITS}
    assert {each.shape for each in pictures.values()} == {(48, 48, 3)}
    for name, round_sun, posts in (("pad", True, True), ("crop", True, False), ("stretch", False, True)):
        height, width = extent(pictures[name], SUN)
        assert (abs(height - width) <= 2) == round_sun, name
        assert all((extent(pictures[name], colour)[1] > 0) == posts for colour in (RED, BLUE)), name
    assert (pictures["pad"][:9] == 128).all() and (pictures["pad"][9:39] != 128).any(-1).all()


@pytest.mark.parametrize("fit", [*FITS, "as they are"])
def test_a_picture_of_the_size_stays_as_it_is(fit: Fit) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (20, 20, 1), np.uint8)
    assert (fitted(picture, (20, 20), fit, PAPER[:1], alpha=False) == picture).all()
