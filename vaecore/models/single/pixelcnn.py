"""The gated PixelCNN (van den Oord et al. 2016): log p(x) pixel by pixel, by convolutions that see no later pixel.

Row by row from the top, left to right. The two stacks of a gated layer leave no blind spot; how far above and aside a
pixel sees is up to the number of layers and the kernels. No latent, exact likelihood, one pass a pixel to sample.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from vaecore.modalities import Image, Modality
from vaecore.models.base import Approach, Family, Given, Modalities, ModelConfig, described, only_modality
from vaecore.models.single.made import Autoregressive
from vaecore.nets.autoregressive import GatedNetwork
from vaecore.schema import option, problem


class PixelCNNConfig(ModelConfig):
    """Pixels one after another, by masked convolutions."""

    title: ClassVar[str] = "PixelCNN"
    approach: ClassVar[Approach] = "autoregressive"
    has_kl: ClassVar[bool] = False
    exact: ClassVar[bool] = True
    reads: ClassVar[tuple[type[Modality], ...]] = (Image,)
    likelihood_name: ClassVar[str] = "bernoulli"
    family: Literal["pixelcnn"] = "pixelcnn"
    channels: int = option(16, "Channels of each stack.", ge=1, le=512)
    layers: int = option(5, "Gated layers.", unit="layers", ge=1, le=64)
    first_kernel: int = option(7, "Side of the first layer's kernel, an odd number.", unit="pixels", ge=3, le=31)
    kernel: int = option(3, "Side of the other layers' kernels, an odd number.", unit="pixels", ge=3, le=31)

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return PixelCNN(modalities, self)


class PixelCNN(Autoregressive):
    """Gated masked convolutions: each pixel sees what is above it and what is to its left."""

    def __init__(self, modalities: Given, config: PixelCNNConfig | None = None, **fields: Any) -> None:
        config, modalities = described(PixelCNNConfig, config, fields, modalities)
        for name, side in (("first_kernel", config.first_kernel), ("kernel", config.kernel)):
            if side % 2 == 0:
                raise problem(f"model.{name}", side, f"{side} is even, so that a kernel has no middle.",
                              f"Use {side - 1} or {side + 1}.", f"model.{name}={side - 1}")
        shape = only_modality(modalities)[1].shape
        super().__init__(modalities, GatedNetwork(shape, config.channels, config.layers, config.first_kernel,
                                                  config.kernel), flat=False)
