"""What each way to fit does is told true by its picture."""

from __future__ import annotations

import numpy as np

from vaecore.explore.fits import drawn, shown

RED, BLUE, SUN = (200, 60, 60), (60, 70, 200), (250, 210, 70)


def extent(picture: np.ndarray, colour: tuple[int, int, int]) -> tuple[int, int]:
    """Height and width of what has about this colour."""
    there = (np.abs(picture.astype(int) - colour) < 40).all(-1)
    return int(there.any(1).sum()), int(there.any(0).sum())


def test_what_each_fit_does_to_a_drawn_picture() -> None:
    pictures = {each.fit: each.picture for each in shown(size=(48, 48))}
    assert list(pictures) == ["pad", "crop", "stretch", "as they are"]
    assert {each.shape for name, each in pictures.items() if name != "as they are"} == {(48, 48, 3)}
    assert (pictures["as they are"] == drawn()).all() and extent(drawn(), SUN) == (29, 29)
    for name, round_sun, posts in (("pad", True, True), ("crop", True, False), ("stretch", False, True)):
        height, width = extent(pictures[name], SUN)
        assert (abs(height - width) <= 2) == round_sun, name
        assert all((extent(pictures[name], colour)[1] > 0) == posts for colour in (RED, BLUE)), name
    assert (pictures["pad"][:9] == 128).all() and (pictures["pad"][9:39] != 128).any(-1).all()


def test_a_grey_picture_of_ones_own() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (20, 20), np.uint8)
    for each in shown(picture, (20, 20)):
        assert (each.picture == picture[..., None]).all() and each.meaning
