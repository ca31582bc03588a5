"""Images of any size, aspect and number of channels as pictures: their colours, their shape, and how large they get."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from vaecore.data import Dataset, Split
from vaecore.explore.look import look
from vaecore.explore.pictures import (
    CHEQUERS,
    as_images,
    grid,
    hues,
    in_colour,
    labelled,
    legible,
    on_screen,
    stacked,
    to_save,
)
from vaecore.modalities import Modality

SHAPES = [(1, 28, 20), (2, 28, 20), (1, 105, 105), (3, 64, 64), (4, 64, 64), (3, 128, 128), (3, 256, 192), (7, 32, 40)]


def opened(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def one(*channels: int) -> np.ndarray:
    """The colour in which a pixel with these channels is seen."""
    seen = in_colour(np.array(channels, np.uint8)[None, :, None, None])
    return seen[0, 0, 0]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_shape_is_a_picture_of_its_size(shape: tuple[int, ...]) -> None:
    x = torch.rand(5, *shape)
    images = as_images(x)
    assert images.shape == (5, *shape[1:], *([] if shape[0] == 1 else [3])) and images.dtype == np.uint8
    assert legible(images) is images
    sheet = grid(images, 3)
    across, down = 3 * shape[2] + 2, 2 * shape[1] + 1
    kept = opened(to_save(sheet, 1))
    assert kept.shape[:2] == (down, across) and kept.shape[2:] in ((2,), (4,))
    np.testing.assert_array_equal(kept[:shape[1], :shape[2], :-1].squeeze(), images[0])
    screen = opened(on_screen(sheet))
    assert screen.shape[1] <= 1100
    assert screen.shape[0] / screen.shape[1] == pytest.approx(down / across, abs=0.51 / screen.shape[1])  # the aspect
    assert opened(labelled([("a", images)])).shape[1] < 1500
    assert stacked([images, images[:, ::2, ::2]]).shape == (2 * shape[1] + 1, 5 * shape[2] + 4, 4)


def test_colours_of_channels() -> None:
    assert one(77) == 77
    assert one(10, 20, 30).tolist() == [10, 20, 30]
    assert one(200, 0).tolist() == [200, 0, 200] and one(0, 90).tolist() == [0, 90, 0]  # magenta and green
    assert one(200, 90).tolist() == [200, 90, 200]
    assert one(10, 20, 30, 255).tolist() == [10, 20, 30]
    assert one(10, 20, 30, 0).tolist() == [CHEQUERS[0]] * 3
    assert one(0, 0, 0, 51).tolist() == [round(0.8 * CHEQUERS[0])] * 3
    for channels in (5, 7, 40):
        colours = (255 * hues(channels)).round().astype(int).tolist()
        assert len({tuple(colour) for colour in colours}) == channels and colours[0] == [255, 0, 255]
        for channel in range(channels):
            alone = [255 * (channel == other) for other in range(channels)]
            assert one(*alone).tolist() == colours[channel]
        assert one(*[255] * channels).tolist() == [255] * 3 and one(*[0] * channels).tolist() == [0] * 3


def test_transparency_is_seen_as_a_chequerboard() -> None:
    images = in_colour(np.zeros((2, 4, 64, 48), np.uint8))
    assert set(np.unique(images)) == set(CHEQUERS)
    assert (images[0, :6, :6] == CHEQUERS[0]).all() and (images[0, :6, 6:12] == CHEQUERS[1]).all()  # squares of 48 / 8
    assert (images[0, 6:12, :6] == CHEQUERS[1]).all() and (images[0] == images[1]).all()


def test_an_image_is_seen_alike_whatever_stands_beside_it() -> None:
    x = torch.rand(6, 7, 9, 11)
    np.testing.assert_array_equal(as_images(x)[2:3], as_images(x[2:3]))


def test_what_is_saved_has_all_pixels_and_small_sheets_are_enlarged() -> None:
    assert opened(to_save(np.zeros((20, 30), np.uint8))).shape == (80, 120)
    assert opened(to_save(np.zeros((20, 30), np.uint8), 7)).shape == (140, 210)
    assert opened(to_save(np.zeros((10, 800), np.uint8))).shape == (20, 1600)
    assert opened(to_save(np.zeros((10, 3000), np.uint8))).shape == (10, 3000)
    assert opened(on_screen(np.zeros((20, 30), np.uint8))).shape == (20, 30)
    assert opened(on_screen(np.zeros((20, 30), np.uint8), most=4)).shape == (80, 120)
    assert opened(on_screen(np.zeros((400, 3000), np.uint8), most=4)).shape == (147, 1100)
    halves = np.zeros((2, 4, 4), np.uint8)
    halves[:, ::2] = 255  # transparent black beside opaque white: no grey seam where they meet
    assert opened(on_screen(halves, 2)).tolist() == [[[255, 255, 255, 128]] * 2]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_first_look_at_a_data_set(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    split = Split({"image": rng.integers(0, 256, (30, *shape), np.uint8)})
    dataset = Dataset("x", "x", {"image": Modality("image", shape)}, {"train": split, "validation": split,
                                                                     "test": split})
    found = look(dataset)
    picture = opened(found.picture)
    assert picture.shape[1] <= 1100
    across, down = 7 * (shape[2] + 1) - 1, 3 * (shape[1] + 1) - 1
    assert picture.shape[0] / picture.shape[1] == pytest.approx(down / across, rel=0.01)
    colour = {1: "", 2: ", 2 channels", 3: ", colour", 4: ", colour with opacity", 7: ", 7 channels"}[shape[0]]
    assert found.shape == f"{shape[1]} × {shape[2]} pixels{colour}"
