"""The two halves of an image as two modalities: each tells something of the other, and neither tells all."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np

from vaecore.data.base import Dataset, ImageConfig, Split, SplitName
from vaecore.data.image_label import Source, plain, read_of, resolved
from vaecore.data.missing import MultimodalConfig
from vaecore.modalities import Modality
from vaecore.schema import option


class Halves(ImageConfig, MultimodalConfig):
    """Modalities `left` and `right`, (1, 28, 14) of MNIST, or `top` and `bottom`, (1, 14, 28)."""

    title: ClassVar[str] = "Two halves of an image"
    name: Literal["halves"] = "halves"
    images: Literal["mnist", "fashion-mnist", "digits"] = option(
        "mnist", "Handwritten digits of 28 x 28, clothing, or digits of 8 x 8.")
    source: Source = option("auto", "Which copy of MNIST: the 5,000 embedded digits, the full 70,000, or the full set "
                            "when it is here. The others have one copy.")
    cut: Literal["left-right", "top-bottom"] = option("left-right", "Where the image is cut.")

    def resolve(self) -> Halves:
        return self.model_copy(update={"source": resolved(self.images, self.source)})

    def reads(self) -> tuple[str, ...]:
        return read_of(self.images, self.source)

    def here(self) -> str:
        return f"{plain(self, self.images, self.source).here()}, cut {self.cut}"

    def load(self) -> Dataset:
        """Raises `DataUnavailable` where the images are not on this machine."""
        images = plain(self, self.images, self.source).load()
        axis = 3 if self.cut == "left-right" else 2
        names = self.cut.split("-")
        splits: dict[SplitName, Split] = {}
        for name, split in images.splits.items():
            halves = np.split(split.arrays["image"], 2, axis=axis)
            # Copied: a view of every other part of a row would be read slowly, again and again.
            splits[name] = replace(split, arrays=dict(zip(names, map(np.ascontiguousarray, halves), strict=True)))
        splits["train"] = self.with_missing(splits["train"])
        modalities = {name: Modality("image", array.shape[1:]) for name, array in splits["train"].arrays.items()}
        return replace(images, name="halves", source=f"{images.source}, cut {self.cut}", splits=splits,
                       modalities=modalities)
