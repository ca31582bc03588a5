"""scikit-learn's digits: 1,797 handwritten digits of 8 x 8, inside the package; trains in seconds."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from vaecore.data.base import Dataset, ImageConfig, shuffled_split

COPY = "1,797 digits of scikit-learn: 1,297 / 250 / 250"


class Digits(ImageConfig):
    """Handwritten digits, 8 x 8, ten classes, 1,797 images."""

    title: ClassVar[str] = "8×8 digits"
    name: Literal["digits"] = "digits"

    def here(self) -> str:
        return COPY

    def load(self) -> Dataset:
        from sklearn.datasets import load_digits

        bunch = load_digits()
        images = np.rint(bunch.images[:, None] * (255 / 16)).astype(np.uint8)  # stored as counts 0..16
        return self.finish("digits", COPY, *shuffled_split(images, bunch.target.astype(np.int64), held_out=250))
