"""Six views of the same 2,000 handwritten digits (UCI Multiple Features, van Breukelen et al. 1998).

Profile correlations (fac, 216 numbers), Fourier coefficients (fou, 76), Karhunen-Loeve coefficients (kar, 64),
morphological features (mor, 6), pixel averages (pix, 16 x 15) and Zernike moments (zer, 47).
The file has six of the digits twice; they are left as they are.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from vaecore.data import npz
from vaecore.data.base import SPLITS, Array, Dataset, Split, SplitName, shuffled_split, standardised
from vaecore.data.missing import MultimodalConfig
from vaecore.modalities import Modality

FILE, COPY = ("mfeat", "mfeat.npz"), "six views of 2,000 digits (UCI): 1,600 / 200 / 200"
DIGITS, HELD_OUT = 2_000, 200
SIZES = {"fac": 216, "fou": 76, "kar": 64, "mor": 6, "pix": 240, "zer": 47}
MAX_INK = 6  # of a pixel


class DigitViews(MultimodalConfig):
    """Modalities `fac`, `fou`, `kar`, `mor`, `pix` and `zer`: `pix` an image (1, 16, 15), the others vectors.

    Vectors have mean 0 and standard deviation 1 by the training digits.
    """

    title: ClassVar[str] = "Six views of digits"
    name: Literal["digit-views"] = "digit-views"

    def reads(self) -> tuple[str, ...]:
        return ("digit-views",)

    def here(self) -> str:
        npz.located(*FILE, [*SIZES, "y"])
        return COPY

    def load(self) -> Dataset:
        """Shuffled by a seed, as the file is sorted. Raises `DataUnavailable` where it is not here or damaged."""
        expected = {name: ("iuf", (DIGITS, size)) for name, size in SIZES.items()}
        found, path = npz.published(*FILE, {**expected, "y": ("iu", (DIGITS,))})
        rows, labels = shuffled_split(np.arange(DIGITS), npz.classes(found["y"], 10, path), HELD_OUT)
        views = {name: self._view(name, found[name], rows["train"]) for name in SIZES}
        splits: dict[SplitName, Split] = {
            split: Split({name: view[rows[split]] for name, view in views.items()}, labels[split]) for split in SPLITS}
        splits["train"] = self.with_missing(splits["train"])
        modalities = {name: Modality("image" if name == "pix" else "vector", view.shape[1:])
                      for name, view in views.items()}
        return Dataset("digit-views", COPY, modalities, splits)

    @staticmethod
    def _view(name: str, x: Array, train: Array) -> Array:
        if name == "pix":
            return np.rint(x.reshape(DIGITS, 1, 16, 15).clip(0, MAX_INK) * (255 / MAX_INK)).astype(np.uint8)
        return standardised(x, x[train])
