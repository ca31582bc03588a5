"""Pictures of all sizes at one size: padded, cropped, stretched, or taken as they are."""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import Image

from vaecore.data.own.pictures.levels import Levels

Fit = Literal["pad", "crop", "stretch", "as they are"]


def placed(found: tuple[int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Where a padded picture of a height and width comes to lie in `size`: top, left, height, width."""
    scale = min(size[0] / found[0], size[1] / found[1])
    height, width = (max(1, min(most, round(side * scale))) for side, most in zip(found, size, strict=True))
    return (size[0] - height) // 2, (size[1] - width) // 2, height, width


def window(found: tuple[int, int], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """What is kept of a cropped picture, in its own pixels: left, top, right, bottom."""
    scale = max(size[0] / found[0], size[1] / found[1])
    height, width = size[0] / scale, size[1] / scale
    top, left = (found[0] - height) / 2, (found[1] - width) / 2
    return max(0.0, left), max(0.0, top), min(float(found[1]), left + width), min(float(found[0]), top + height)


def fitted(picture: Levels, size: tuple[int, int], fit: Fit, paper: Levels, *, alpha: bool) -> Levels:
    """A picture (h, w, C) at `size`, height and width: (H, W, C). `paper` (C,) is what lies beside a padded one.

    `alpha` says that its last channel is how opaque it is. Raises ValueError for one of another size that should stay
    as it is.
    """
    found = picture.shape[0], picture.shape[1]
    if found == size:
        return picture
    if fit == "as they are":
        raise ValueError(f"a picture of {found} is not {size}")
    if fit == "crop":
        return _scaled(picture, size, window(found, size), alpha=alpha)
    if fit == "stretch":
        return _scaled(picture, size, (0, 0, found[1], found[0]), alpha=alpha)
    top, left, height, width = placed(found, size)
    whole = np.empty((*size, picture.shape[2]), np.uint8)
    whole[:] = paper
    whole[top:top + height, left:left + width] = _scaled(picture, (height, width), (0, 0, found[1], found[0]),
                                                         alpha=alpha)
    return whole


def _scaled(picture: Levels, size: tuple[int, int], box: tuple[float, float, float, float], *, alpha: bool) -> Levels:
    """What lies in `box` at `size`. With alpha the colours are weighed by it, which Pillow does in these modes."""
    channels = picture.shape[2]
    if channels == 3 or (alpha and channels in (2, 4)):
        parts = [Image.fromarray(np.ascontiguousarray(picture), {2: "LA", 3: "RGB", 4: "RGBA"}[channels])]
    else:
        parts = [Image.fromarray(np.ascontiguousarray(picture[..., channel])) for channel in range(channels)]
    scaled = [np.asarray(part.resize((size[1], size[0]), Image.Resampling.LANCZOS, box=box)) for part in parts]
    return scaled[0] if scaled[0].ndim == 3 else np.stack(scaled, 2)
