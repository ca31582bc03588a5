"""MADE, the masked autoencoder for distribution estimation (Germain et al. 2015): log p(x) pixel by pixel.

log p(x) = sum_d log p(x_d | x_before d), Bernoulli factors from one pass through a network whose masks keep each from
seeing what comes after. The likelihood is exact, there is no latent, and a sample takes D passes, one a pixel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from vaecore.modalities import Image, Modality
from vaecore.models.base import Approach, Batch, Family, Given, Modalities, ModelConfig, described, only_modality
from vaecore.models.evidence import Evidence, Objective
from vaecore.nets.autoregressive import GatedNetwork, MaskedNetwork
from vaecore.nets.mlp import Width
from vaecore.probability.likelihoods import BernoulliPixels, Observation
from vaecore.probability.posteriors import Posterior
from vaecore.schema import option


class MADEConfig(ModelConfig):
    """Pixels one after another, by a fully connected network with masks."""

    title: ClassVar[str] = "MADE"
    approach: ClassVar[Approach] = "autoregressive"
    has_kl: ClassVar[bool] = False
    exact: ClassVar[bool] = True
    reads: ClassVar[tuple[type[Modality], ...]] = (Image,)
    likelihood_name: ClassVar[str] = "bernoulli"
    family: Literal["made"] = "made"
    hidden: tuple[Width, ...] = option((500,), "Widths of the hidden layers.", unit="units", min_length=1,
                                       max_length=16)
    ordering: Literal["raster", "random"] = option("raster", "The order of pixels: row by row from the top, or drawn "
                                                   "once.")
    ordering_seed: int = option(0, "Seed of the random order.", ge=0, le=2**31 - 1, advanced=True)

    def unread(self, modalities: Modalities) -> set[str]:
        return {"ordering_seed"} if self.ordering == "raster" else set()

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return MADE(modalities, self)


class Autoregressive(Family):
    """A family whose network gives the log odds of every pixel from the pixels before it, and draws them one by one.

    It is exact for black and white pixels. Grey levels are scored as by other families, by the mean over their draws,
    but are read as they are, so that theirs is a cross-entropy and no log p.
    """

    def __init__(self, modalities: Modalities, network: MaskedNetwork | GatedNetwork, *, flat: bool) -> None:
        super().__init__(modalities)
        self.modality, self.shape = only_modality(modalities)
        self.network, self.flat = network, flat

    @property
    def latents(self) -> dict[str, int]:
        return {}

    @property
    def sampling_passes(self) -> int:
        """One for each pixel; the colours of one do not see each other in a network of convolutions."""
        return self.shape.size if self.flat else self.shape.size // self.shape.shape[0]

    def encode(self, batch: Batch) -> dict[str, Posterior]:
        return {}

    def decode(self, z: Mapping[str, Tensor]) -> dict[str, Observation]:
        """Nothing: there is no code, and without the pixels before it no pixel has a distribution at hand."""
        return {}

    def objective(self, batch: Batch, generator: torch.Generator | None = None) -> Objective:
        """log p(x) itself, equation (3): every pixel given those before it."""
        x = batch[self.modality]
        return Objective([(1.0, Evidence({self.modality: self.predict(x).log_prob(x)}, {}))])

    def predict(self, x: Tensor) -> BernoulliPixels:
        """Every pixel of (B, C, H, W) given those before it."""
        logits = self.network(x.flatten(1) if self.flat else x)
        return BernoulliPixels(logits.float().view(x.shape))

    def evidence(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None
                 ) -> Evidence:
        x = batch[self.modality]
        return Evidence({self.modality: self.predict(x).log_prob(x)}, {})

    def sample(self, count: int, generator: torch.Generator | None = None, covariate: Tensor | None = None
               ) -> dict[str, Tensor]:
        """Black and white draws; they have no mean of which one could give a grey level."""
        return {self.modality: self.network.sample(count, generator).view(-1, *self.shape.shape)}


class MADE(Autoregressive):
    """A fully connected network whose masks keep each pixel from seeing itself and those after it."""

    def __init__(self, modalities: Given, config: MADEConfig | None = None, **fields: Any) -> None:
        config, modalities = described(MADEConfig, config, fields, modalities)
        size = only_modality(modalities)[1].size
        # On the CPU also where the model is built without numbers: the masks follow from the order.
        generator = torch.Generator("cpu").manual_seed(config.ordering_seed)
        order = (torch.randperm(size, generator=generator, device="cpu") if config.ordering == "random"
                 else torch.arange(size, device="cpu"))
        super().__init__(modalities, MaskedNetwork(order, config.hidden), flat=True)
