"""One VAE a modality, trained side by side: what the lecture compares the joint VAE with.

Nothing is shared, so nothing crosses: a modality that is not given is generated from the prior.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from vaecore.data import Modality
from vaecore.models.base import Batch, Family, Given, Modalities, described
from vaecore.models.evidence import Objective
from vaecore.models.multimodal.shared import ModalConfig, Multimodal, observed_mask
from vaecore.probability.gaussian import DiagonalGaussian
from vaecore.probability.posteriors import Posterior
from vaecore.schema import option


class SeparateVAEsConfig(ModalConfig):
    """Modality-specific VAEs: one latent each, nothing in common."""

    title: ClassVar[str] = "Separate VAEs"
    family: Literal["separate-vaes"] = "separate-vaes"
    latent_size: int = option(16, "Size of each modality's latent.", symbol="z", unit="dimensions", ge=1, le=4096)

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return SeparateVAEs(modalities, self)


class SeparateVAEs(Multimodal):
    def __init__(self, modalities: Given, config: SeparateVAEsConfig | None = None, **fields: Any) -> None:
        config, modalities = described(SeparateVAEsConfig, config, fields, modalities)
        super().__init__(modalities, config, dict.fromkeys(modalities, config.latent_size))
        self.latent_size = config.latent_size
        self.encoder = nn.ModuleList(config.networks.encoder(m, 2 * config.latent_size) for m in modalities.values())

    @property
    def latents(self) -> dict[str, int]:
        return {_own(name): self.latent_size for name in self.names}

    def codes_for(self, name: str, z: Mapping[str, Tensor]) -> Tensor:
        return z[_own(name)]

    def encode(self, batch: Batch) -> dict[str, Posterior]:
        """The posterior of what is not observed is its prior."""
        observed = observed_mask(batch, self.names)
        count = len(next(batch[name] for name in self.names if name in batch))
        found: dict[str, Posterior] = {}
        for m, (name, encoder) in enumerate(zip(self.names, self.encoder, strict=True)):
            if name in batch:
                head = encoder(batch[name])
                head = head if observed is None else head * observed[m][:, None]
            else:  # a mean of 0 and a log-variance of 0 are the prior
                head = torch.zeros(count, 2 * self.latent_size, device=next(self.parameters()).device)
            found[_own(name)] = DiagonalGaussian.bounded(head)
        return found

    def objective(self, batch: Batch, generator: torch.Generator | None = None) -> Objective:
        return Objective([(1.0, self.evidence(batch, self.encode(batch), generator))], weights=self.weights)


def _own(name: str) -> str:
    return f"z {name}"
