"""Pictures of states: the numbers of a clip without frames, drawn as discs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Pictures = NDArray[np.uint8]
SIDE, DISC = 64, 6.0  # of the picture of a state, and of a disc: side and radius in pixels
COLOURS = ((255, 255, 255), (255, 170, 60), (90, 170, 255), (120, 220, 120))  # of the discs


def draw_states(frames: Tensor | NDArray[Any], low: float = 0.0, high: float = 1.0) -> Pictures:
    """States (..., 2k) as pictures (..., 3, 64, 64) in uint8: k discs on black, in colours of their own.

    Numbers are positions (y, x) of each disc's centre between `low` and `high`, y downwards.
    """
    x = np.asarray(frames, np.float64)
    discs = x.shape[-1] // 2
    flat = x[..., :2 * discs].reshape(-1, discs, 2)
    margin = DISC + 1
    places = margin + (flat - low) / max(high - low, 1e-9) * (SIDE - 1 - 2 * margin)
    places = np.clip(np.nan_to_num(places), -2 * SIDE, 3 * SIDE)
    axis = np.arange(SIDE, dtype=np.float64)
    sheet = np.zeros((len(flat), 3, SIDE, SIDE), np.float64)
    for disc in range(discs):
        across = (axis - places[:, disc, 1:]) ** 2  # (n, W)
        down = (axis - places[:, disc, :1]) ** 2
        far = np.sqrt(down[:, :, None] + across[:, None, :])
        cover = np.clip(DISC + 0.5 - far, 0, 1)[:, None]  # a soft edge of one pixel
        colour = np.array(COLOURS[disc % len(COLOURS)], np.float64)[None, :, None, None]
        sheet = np.maximum(sheet, cover * colour)
    return np.rint(sheet).astype(np.uint8).reshape(*x.shape[:-1], 3, SIDE, SIDE)
