"""Fashion-MNIST: ten kinds of clothing, from `VAECORE_DATA`, a download, or Debian's package."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

from vaecore.data import idx
from vaecore.data.base import Dataset, DataUnavailable, ImageConfig, folders

COPY = "Fashion-MNIST: 50,000 / 10,000 / 10,000"
ADDRESS = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
CLOTHES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
DEBIAN = "/usr/share/datasets/fashion-mnist"
DOWNLOADED = dict(zip(idx.FILES, (  # MD5 of the published .gz
    "8d4fb7e6c68d591d4c3dfef9ec88bf0d", "25c81989df183df01b3e8a0aad5dffbe",
    "bef4ecab320f06d8554ea6380940ec79", "bb300cfdad3c16e7a12a480ee83cd310"), strict=True))
CHECKSUMS = dict(zip(idx.FILES, (  # MD5 of the uncompressed bytes
    "f4a8712d7a061bf5bd6d2ca38dc4d50a", "9018921c3c673c538a1fc5bad174d6f9",
    "8181f5470baa50b63fa0f6fddb340f0a", "15d484375f8d13e6eb1aabb0c3f46965"), strict=True))


class FashionMNIST(ImageConfig):
    """Clothing, 28 x 28, ten classes, 70,000 images (MIT licence)."""

    title: ClassVar[str] = "Fashion-MNIST"
    name: Literal["fashion-mnist"] = "fashion-mnist"

    def here(self) -> str:
        _folder()
        return COPY

    def load(self) -> Dataset:
        images = self.finish("fashion-mnist", COPY, *idx.load("fashion-mnist", _folder(), CHECKSUMS))
        return replace(images, classes=CLOTHES)

    @staticmethod
    def download() -> None:
        """Fetch the set; the network is touched here and nowhere else."""
        idx.download("fashion-mnist", ADDRESS, DOWNLOADED)


def _folder() -> Path:
    folder = idx.find(_places())
    if folder is None:
        raise DataUnavailable("Fashion-MNIST is not on this machine. Fetch it with `vaecore data --download "
                              "fashion-mnist`, install Debian's dataset-fashion-mnist, or put "
                              f"{idx.wanted('fashion-mnist')}. torchvision's folder FashionMNIST/raw is found "
                              "there too.")
    return folder


def _places() -> list[Path]:
    """Folders that may hold the four files: our own, torchvision's beside and in it, Debian's."""
    return [place for folder in folders("fashion-mnist", DEBIAN)
            for place in (folder, folder / "FashionMNIST/raw", folder.parent / "FashionMNIST/raw")]
