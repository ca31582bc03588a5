"""One VAE of all modalities joined end to end, as if they were one: what the lecture compares the joint VAE with.

Encoder and decoder know of no modalities; only the likelihoods do. What is missing is read as zeros.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from vaecore.modalities import Image, Label, Modality, Vector
from vaecore.models.base import Batch, Family, Given, Modalities, described
from vaecore.models.evidence import Objective
from vaecore.models.multimodal.shared import Multimodal, MultimodalConfig, observed_mask, with_zeros
from vaecore.nets import LinearConfig, MLPConfig
from vaecore.nets.base import widened
from vaecore.nets.modal import likelihoods
from vaecore.probability.gaussian import DiagonalGaussian
from vaecore.probability.likelihoods import Observation, counted
from vaecore.probability.posteriors import Posterior
from vaecore.schema import option


class ConcatenatedVAEConfig(MultimodalConfig):
    """A single VAE of the modalities joined end to end: common hidden layers, no modality on its own."""

    title: ClassVar[str] = "Concatenated VAE"
    family: Literal["concatenated-vae"] = "concatenated-vae"
    reads: ClassVar[tuple[type[Modality], ...]] = (Image, Vector, Label)
    latent_size: int = option(32, "Size r of the latent z.", symbol="z", unit="dimensions", ge=1, le=4096)
    joined: Annotated[MLPConfig | LinearConfig, Field(discriminator="kind")] = option(
        MLPConfig(hidden=(512, 256)), "The one network that reads and writes everything.")

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return ConcatenatedVAE(modalities, self)


class ConcatenatedVAE(Multimodal):
    def __init__(self, modalities: Given, config: ConcatenatedVAEConfig | None = None, **fields: Any) -> None:
        config, modalities = described(ConcatenatedVAEConfig, config, fields, modalities)
        super().__init__(modalities, config, {})
        self.latent_size = config.latent_size
        chosen = likelihoods(config.likelihoods, config.sigma, modalities)
        built = [choice.build() for choice in chosen.values() if choice is not None]
        self.likelihoods = nn.ModuleList(built)
        self.shapes = [widened(modality.shape, likelihood.channels)
                       for modality, likelihood in zip(modalities.values(), built, strict=True)]
        read = Modality("vector", (sum(m.size for m in modalities.values()),))
        written = Modality("vector", (sum(map(math.prod, self.shapes)),))
        self.encoder = config.joined.encoder(read, 2 * config.latent_size)
        self.decoder = config.joined.decoder(written, config.latent_size, 1)

    @property
    def latents(self) -> dict[str, int]:
        return {"z": self.latent_size}

    def encode(self, batch: Batch) -> dict[str, Posterior]:
        observed_mask(batch, self.names)  # refuses a batch with nothing in it
        whole = with_zeros(self.modalities, batch)
        return {"z": DiagonalGaussian.bounded(self.encoder(torch.cat([x.flatten(1) for x in whole.values()], 1)))}

    def decode(self, z: Mapping[str, Tensor], predict: Collection[str] | None = None,
               generator: torch.Generator | None = None) -> dict[str, Observation]:
        parts = self.decoder(z["z"]).split([math.prod(shape) for shape in self.shapes], 1)
        return {name: likelihood(part.unflatten(1, shape)) for name, likelihood, part, shape
                in zip(self.names, self.likelihoods, parts, self.shapes, strict=True)
                if predict is None or name in predict}

    def log_likelihoods(self, batch: Batch, observed: Tensor | None, codes: Mapping[str, Tensor],
                        generator: torch.Generator | None = None, counts: Mapping[str, Tensor] | None = None
                        ) -> dict[str, Tensor]:
        [z] = next(iter(codes.values()))  # the same for every modality, and one for each observation
        found = self.decode({"z": z}, codes)
        if observed is None:
            return {name: p.log_prob(batch[name])[None] for name, p in found.items()}
        there = dict(zip(self.names, observed, strict=True))
        return {name: counted(p, there[name].to(z)).log_prob(batch[name])[None] * there[name]
                for name, p in found.items()}

    def objective(self, batch: Batch, generator: torch.Generator | None = None) -> Objective:
        return Objective([(1.0, self.evidence(batch, self.encode(batch), generator))], weights=self.weights)
