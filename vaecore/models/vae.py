"""The variational autoencoder (Kingma & Welling 2014), equations (5) to (16).

Generation: z ~ N(0, I), x ~ p(x|z), a decoder and a likelihood (eq. 5). Inference: q(z|x), a diagonal
Gaussian from the encoder. Training maximises the ELBO (eq. 9): the reconstruction by `n_samples`
reparameterised samples (eqs. 11 and 12), the KL in closed form over the r latent dimensions (eq. 16).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor

from vaecore.distributions import Bernoulli, DiagonalGaussian, LikelihoodChoice, Observation, Posterior
from vaecore.models.base import Batch, Evidence, Family, Modalities, ModelConfig, single
from vaecore.nets import Conv, Network
from vaecore.schema import option


class VAE(ModelConfig):
    """A variational autoencoder with a standard normal prior."""

    title: ClassVar[str] = "VAE"
    family: Literal["vae"] = "vae"
    latent_size: int = option(20, "Size r of the latent z.", unit="dimensions", ge=1, le=4096)
    network: Network = option(Conv(), "Encoder and decoder.")
    likelihood: LikelihoodChoice = option(Bernoulli(), "p(x|z): what the decoder's output means.")
    n_samples: int = option(1, "Monte-Carlo samples of z per image in the reconstruction term (eq. 11).",
                            unit="samples", ge=1, le=256, advanced=True)

    def build(self, modalities: Modalities) -> Family:
        return VariationalAutoEncoder(modalities, self)


class VariationalAutoEncoder(Family):
    def __init__(self, modalities: Modalities, config: VAE) -> None:
        super().__init__(modalities)
        self.modality, shape = single(modalities)
        self.latent_size, self.n_samples = config.latent_size, config.n_samples
        self.likelihood = config.likelihood.build()
        # One head gives means and log-variances: one product instead of two.
        self.encoder = config.network.encoder(shape, 2 * config.latent_size)
        self.decoder = config.network.decoder(shape, config.latent_size, self.likelihood.channels)

    @property
    def latents(self) -> dict[str, int]:
        return {"z": self.latent_size}

    def encode(self, batch: Batch) -> dict[str, Posterior]:
        return {"z": DiagonalGaussian.bounded(self.encoder(batch[self.modality]))}

    def decode(self, z: Mapping[str, Tensor]) -> dict[str, Observation]:
        return {self.modality: self.likelihood(self.decoder(z["z"]))}

    def evidence(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None
                 ) -> Evidence:
        x = batch[self.modality]  # (B, *shape)
        q = posteriors["z"]
        assert isinstance(q, DiagonalGaussian)
        z = q.rsample(generator, self.n_samples)  # (K, B, r)
        repeated = x.expand(self.n_samples, *x.shape).flatten(0, 1)  # (K B, *shape)
        log_prob = self.decode({"z": z.flatten(0, 1)})[self.modality].log_prob(repeated)  # (K B,)
        return Evidence({self.modality: log_prob.view(self.n_samples, -1).mean(0)},
                        {"z": q.kl_from_standard()})
