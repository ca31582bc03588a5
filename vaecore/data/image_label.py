"""An image and its label as two modalities: the first test of JMVAE and MVAE (Suzuki 2016, Wu & Goodman 2018)."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

from vaecore.data.base import Dataset, ImageConfig, Split, SplitName, one_hot
from vaecore.data.digits import Digits
from vaecore.data.fashion_mnist import CLOTHES, FashionMNIST
from vaecore.data.missing import MultimodalConfig
from vaecore.data.mnist import MNIST
from vaecore.modalities import Modality
from vaecore.schema import option

Source = Literal["auto", "embedded", "full"]
CLASSES = 10


class ImageLabel(ImageConfig, MultimodalConfig):
    """Modalities `image` (1, 28, 28) and `label`, one of ten."""

    title: ClassVar[str] = "Image + label"
    as_one: ClassVar[tuple[str, ...]] = ("data.name=mnist",)
    name: Literal["image-label"] = "image-label"
    images: Literal["mnist", "fashion-mnist"] = option("mnist", "Handwritten digits, or clothing.")
    source: Source = option("auto", "Which copy of MNIST: the 5,000 embedded digits, the full 70,000, or the full set "
                            "when it is here. Clothing has one copy.")

    def resolve(self) -> ImageLabel:
        return self.model_copy(update={"source": resolved(self.images, self.source)})

    def reads(self) -> tuple[str, ...]:
        return read_of(self.images, self.source)

    def here(self) -> str:
        return f"{plain(self, self.images, self.source).here()}, with labels"

    def known_of(self, name: str, modality: Modality) -> Modality:
        clothes = name == "label" and self.images == "fashion-mnist"
        return replace(modality, classes=CLOTHES) if clothes and modality.size == CLASSES else modality

    def load(self) -> Dataset:
        """Raises `DataUnavailable` where the images are not on this machine."""
        images = plain(self, self.images, self.source).load()
        splits: dict[SplitName, Split] = {}
        for name, split in images.splits.items():
            assert split.labels is not None
            splits[name] = replace(split, arrays={**split.arrays, "label": one_hot(split.labels, CLASSES)})
        splits["train"] = self.with_missing(splits["train"])
        return replace(images, name="image-label", source=f"{images.source}, with labels", splits=splits,
                       modalities={**images.modalities, "label": self.known_of("label", Modality("label", (CLASSES,)))})


def resolved(images: str, source: Source) -> Source:
    """The copy of MNIST that `source` means on this machine, where `images` are MNIST."""
    return MNIST(source=source).resolve().source if images == "mnist" else source


def read_of(images: str, source: Source) -> tuple[str, ...]:
    """The published data sets that have the plain `images`; none where the embedded copy of MNIST would do."""
    return (images,) if images == "fashion-mnist" or (images == "mnist" and source == "full") else ()


def plain(config: ImageConfig, images: str, source: Source) -> ImageConfig:
    """The plain `images`, a data set's name, with the pixels that `config` chooses, and cut to its `train_limit`."""
    chosen = {"pixels": config.pixels, "binarisation_seed": config.binarisation_seed,
              "train_limit": config.train_limit}
    others = {"fashion-mnist": FashionMNIST(**chosen), "digits": Digits(**chosen)}
    return others[images] if images in others else MNIST(source=source, **chosen)
