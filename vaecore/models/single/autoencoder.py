"""The autoencoder (Bengio et al. 2006): nonlinear maps to a code and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from vaecore.data import Modality
from vaecore.models.base import Autoencoding, Batch, Family, Given, Modalities, ModelConfig, described
from vaecore.models.evidence import Evidence, Objective
from vaecore.nets import ConvConfig, Network
from vaecore.probability.likelihoods import GaussianLearnedConfig, LikelihoodChoice, Observation
from vaecore.probability.priors import AfterwardsChoice, NoPriorConfig
from vaecore.schema import option


class AEConfig(ModelConfig):
    """An encoder and a decoder trained on the reconstruction alone: a code, but no prior to sample from."""

    title: ClassVar[str] = "Autoencoder"
    has_kl: ClassVar[bool] = False
    family: Literal["ae"] = "ae"
    latent_size: int = option(20, "Size of the code.", symbol="z", unit="dimensions", ge=1, le=4096)
    network: Network = option(ConvConfig(), "Encoder and decoder.")
    likelihood: LikelihoodChoice = option(GaussianLearnedConfig(), "p(x|z): how a reconstruction is scored.")
    prior: AfterwardsChoice = option(NoPriorConfig(), "p(z): none, until one is fitted to the codes of a finished run.")

    def unread(self, modalities: Modalities) -> set[str]:
        return {"prior"}  # no training reads one

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return AE(modalities, self)


class AE(Autoencoding):
    """Deterministic code; the objective is log p(x | z = code(x))."""

    def __init__(self, modalities: Given, config: AEConfig | None = None, **fields: Any) -> None:
        config, modalities = described(AEConfig, config, fields, modalities)
        super().__init__(modalities, config.latent_size, config.prior)
        likelihood = config.likelihood.build()
        self.encoder = config.network.encoder(self.shape, config.latent_size)
        self.decoder = config.network.decoder(self.shape, config.latent_size, likelihood.channels)
        self.likelihood = likelihood

    def objective(self, batch: Batch, generator: torch.Generator | None = None) -> Objective:
        """Less the reconstruction error, log p(x | z = code of x); there is nothing else."""
        x = batch[self.modality]
        z = self.code(x)  # (B, r)
        p_x = self.likelihood(self.decoder(z))
        return Objective([(1.0, Evidence({self.modality: p_x.log_prob(x)}, {}))])

    def code(self, x: Tensor) -> Tensor:
        z: Tensor = self.encoder(x)
        return z.float()

    def decode(self, z: Mapping[str, Tensor]) -> dict[str, Observation]:
        return {self.modality: self.likelihood(self.decoder(z["z"]))}
