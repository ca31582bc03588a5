"""Layers of the Liberated Pixel Cup, a sheet of 21 × 13 tiles each, as the frames of three actions in three directions.

The tiles are those of the code of Li & Mandt (2018), frame_to_npy.py: a walk of eight frames, and a spell and a slash
of seven and six that go back the way they came.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from vaecore.data.base import Array
from vaecore.data.characters import LAYERS, SIDE

ROWS, COLUMNS = 21, 13  # tiles of a sheet
ACTIONS = {  # the rows of front, left and right, and the columns of the eight frames
    "walk": ((10, 9, 11), (8, 1, 2, 3, 4, 5, 6, 7)),
    "spell": ((2, 1, 3), (0, 1, 2, 3, 4, 5, 4, 6)),
    "slash": ((14, 13, 15), (0, 1, 2, 3, 4, 5, 4, 0))}
DIRECTIONS = ("front", "left", "right")


def convert(folder: Path) -> dict[str, Array]:
    """The arrays of lpc_sprite_layers.npz out of body/0.png and its kin."""
    layers = {name: np.stack([_frames(folder / name / f"{number}.png") for number in range(count)])
              for name, count in LAYERS.items()}
    return {**layers, "actions": np.array(list(ACTIONS)), "directions": np.array(DIRECTIONS)}


def _frames(sheet: Path) -> Array:
    """(3 actions, 3 directions, 8 frames, 64, 64, RGBA)."""
    with Image.open(sheet) as picture:
        pixels = np.asarray(picture.convert("RGBA"))
    tiles = pixels.reshape(ROWS, SIDE, COLUMNS, SIDE, 4).swapaxes(1, 2)
    return np.stack([tiles[np.ix_(rows, columns)] for rows, columns in ACTIONS.values()])
