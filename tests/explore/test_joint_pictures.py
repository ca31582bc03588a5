"""Pictures of several modalities: what belongs together stands together, whatever the sizes."""

from __future__ import annotations

import numpy as np

from vaecore.explore.pictures import legible, stacked, striped


def test_images_of_different_sizes_stand_in_columns() -> None:
    small, large = np.full((3, 5, 4), 255, np.uint8), np.zeros((3, 12, 8, 3), np.uint8)
    large[1, :, :, 0] = 200
    sheet = stacked([small, large], gap=1)
    assert sheet.shape == (2 * 12 + 1, 3 * 8 + 2, 4)
    assert sheet[1:11, 0:8, :3].min() == 255  # twice its size, centred: 10 of 12 rows
    assert sheet[0, 0:8, :3].max() == 0 and sheet[11, 0:8, :3].max() == 0
    assert (sheet[13:25, 9:17, :3] == [200, 0, 0]).all()  # the second column of the second row
    assert sheet[12, 0, 3] == 0  # the page shines through the gap


def test_vectors_become_a_stripe_each_no_wider_than_asked_for() -> None:
    blocks = [np.full((4, 1, 3000), 10, np.uint8), np.full((4, 1, 1000), 90, np.uint8)]
    blocks[0][2] = 200
    sheet = striped(blocks, width=400, height=5)
    assert sheet.shape == (20, 400)
    assert (sheet[10:15, :290] == 200).all() and (sheet[:10, :290] == 10).all()
    assert (sheet[:, 310:] == 90).all()
    assert striped([np.zeros((2, 1, 3), np.uint8)]).shape == (16, 3)  # never stretched


def test_a_vector_of_very_many_numbers_is_no_larger_picture_than_one_of_many() -> None:
    wide = np.repeat(np.array([[[0, 100, 200, 40]]], np.uint8), 16_384, axis=2)
    sheet = legible(np.concatenate([wide, wide + 7]))
    assert sheet.shape == (2, 256, 512)  # 65,536 numbers, of which 128 are a stripe
    np.testing.assert_array_equal(sheet[:, 0, ::128], [[0, 100, 200, 40], [7, 107, 207, 47]])
    assert legible(np.zeros((1, 1, 9), np.uint8)).shape == (1, 4, 9) and legible(sheet) is sheet
