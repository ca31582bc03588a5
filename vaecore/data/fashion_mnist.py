"""Fashion-MNIST: ten kinds of clothing, from `VAECORE_DATA`, a download, or Debian's package."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

from vaecore.data import idx
from vaecore.data.base import Dataset, DataUnavailable, ImageConfig
from vaecore.data.published import remedy

COPY = "Fashion-MNIST: 50,000 / 10,000 / 10,000"
CLOTHES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
CHECKSUMS = idx.checksums("fashion-mnist")


class FashionMNIST(ImageConfig):
    """Clothing, 28 x 28, ten classes, 70,000 images (MIT licence)."""

    title: ClassVar[str] = "Fashion-MNIST"
    as_several: ClassVar[tuple[str, ...]] = ("data.name=image-label", "data.images=fashion-mnist")
    name: Literal["fashion-mnist"] = "fashion-mnist"

    def reads(self) -> tuple[str, ...]:
        return ("fashion-mnist",)

    def here(self) -> str:
        _folder()
        return COPY

    def load(self) -> Dataset:
        images = self.finish("fashion-mnist", COPY, *idx.load("fashion-mnist", _folder(), CHECKSUMS))
        return replace(images, classes=CLOTHES)


def _folder() -> Path:
    folder = idx.find("fashion-mnist")
    if folder is None:
        raise DataUnavailable(f"Fashion-MNIST is not on this machine. {remedy('fashion-mnist')} Or install Debian's "
                              f"dataset-fashion-mnist, or put {idx.wanted('fashion-mnist')}. torchvision's folder "
                              "FashionMNIST/raw is found there too.")
    return folder
