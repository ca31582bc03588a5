"""The variational autoencoder (Kingma & Welling 2014), equations (5) to (16).

Generation: z ~ p(z), N(0, I) unless another prior is chosen, x ~ p(x|z), a decoder and a likelihood (eq. 5).
Inference: q(z|x), a diagonal Gaussian from the encoder. Training maximises the ELBO (eq. 9): the reconstruction by
`n_samples` reparameterised samples (eqs. 11 and 12), the KL in closed form over the r latent dimensions (eq. 16), or
from the same samples where the prior has no closed form. In its place may stand the importance-weighted bound of
`bounds.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from vaecore.data import COVARIATE
from vaecore.modalities import Modality, Vector
from vaecore.models.base import Approach, Batch, Family, Given, Modalities, ModelConfig, described, only_modality
from vaecore.models.evidence import Evidence, Objective
from vaecore.models.single.bounds import BoundChoice, ELBOConfig, ImportanceWeighted, IWAEConfig, Path
from vaecore.models.single.latent import GaussianLatent
from vaecore.nets import ConvConfig, Network
from vaecore.probability.densities import Density
from vaecore.probability.divergences import DivergenceChoice, KLConfig
from vaecore.probability.gaussian import DiagonalGaussian
from vaecore.probability.likelihoods import BernoulliConfig, LikelihoodChoice, Observation
from vaecore.probability.posteriors import Posterior
from vaecore.probability.priors import Inputs, PriorChoice, StandardConfig
from vaecore.schema import option


class VAEConfig(ModelConfig):
    """A variational autoencoder."""

    title: ClassVar[str] = "VAE"
    usual: ClassVar[Literal["", "few", "many"]] = "many"
    equations: ClassVar[str] = "5–16"
    approach: ClassVar[Approach] = "variational autoencoder"
    family: Literal["vae"] = "vae"
    latent_size: int = option(20, "Size r of the latent z.", symbol="z", unit="dimensions", ge=1, le=4096)
    network: Network = option(ConvConfig(), "Encoder and decoder.")
    likelihood: LikelihoodChoice = option(BernoulliConfig(), "p(x|z): what the decoder's output means.")
    prior: PriorChoice = option(StandardConfig(), "p(z): where codes come from.")
    divergence: DivergenceChoice = option(KLConfig(), "What pulls codes towards the prior.")
    bound: BoundChoice = option(ELBOConfig(), "What training maximises: the ELBO, or a bound of several codes that "
                                "lies nearer to log p(x).")
    n_samples: int = option(1, "Monte-Carlo samples of z per image in the reconstruction term (eq. 11).",
                            unit="samples", ge=1, le=256, advanced=True)

    def unread(self, modalities: Modalities) -> set[str]:
        return {"n_samples"} if self.bound.codes else set()

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return VAE(modalities, self, covariate)


class VAE(GaussianLatent):
    """q(z|x), p(x|z) and p(z) of one modality, and the bound that trains them."""

    def __init__(self, modalities: Given, config: VAEConfig | None = None, covariate: Modality | None = None,
                 **fields: Any) -> None:
        config, modalities = described(VAEConfig, config, fields, modalities)
        shape = only_modality(modalities)[1]
        inputs = Inputs(shape.shape, bounded=shape.pixels, observed=shape.shape)
        config.bound.check(config.prior, config.divergence, config.n_samples)
        super().__init__(modalities, config.latent_size, config.prior, config.divergence, inputs, covariate)
        self.weighted = config.bound if isinstance(config.bound, IWAEConfig) else None
        self.n_samples = config.n_samples
        self.likelihood = config.likelihood.build()
        extra = covariate.size if self.reads_covariate and covariate else 0
        self.flat = config.network.flat
        # One head gives means and log-variances: one product instead of two.
        self.encoder = config.network.encoder(_with_covariate(shape, extra, self.flat), 2 * config.latent_size)
        self.decoder = config.network.decoder(shape, config.latent_size, self.likelihood.channels)

    def objective(self, batch: Batch, generator: torch.Generator | None = None) -> Objective:
        """What training maximises: the ELBO of equation (9).

        It is (40) where something else stands in the place of the KL, and of several codes the bound of `bounds.py`.
        """
        x = batch[self.modality]  # (B, *shape)
        q = self.posterior(x, batch[COVARIATE] if self.reads_covariate else None)  # q(z|x)
        if self.weighted is not None:
            return self.importance_weighted(batch, q, self.weighted, generator)
        elbo = self.evidence(batch, {"z": q}, generator)
        if self.latent_divergence is None:
            return Objective([(1.0, elbo)])
        return Objective([(1.0, elbo)], divergence=self.divergence(batch, {"z": q}, generator))

    def evidence(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None
                 ) -> Evidence:
        """The two terms of equation (9): E_q log p(x|z), and KL(q(z|x) || p(z))."""
        q = posteriors["z"]
        assert isinstance(q, DiagonalGaussian)
        z, log_prob, p_z = self.drawn(batch, q, self.n_samples, generator)
        kl = p_z.kl(q, z)  # of N(0, I) equation (16), with r instead of p (erratum E3), (B, r)
        return Evidence({self.modality: log_prob.mean(0)}, {"z": kl})  # the mean over K samples is equation (11)

    def importance_weighted(self, batch: Batch, q: DiagonalGaussian, bound: IWAEConfig,
                            generator: torch.Generator | None = None) -> Objective:
        """L_K of `bounds.py` in the place of the ELBO, which curves show all the same: its mean at the same codes."""
        path = bound.path()
        z, log_prob, p_z = self.drawn(batch, q, bound.samples, generator, path)
        elbo = Evidence({self.modality: log_prob.mean(0)}, {"z": p_z.kl(q, z)})
        return Objective([(1.0, elbo)], bound=ImportanceWeighted.of(q, p_z, z, log_prob, path))

    def drawn(self, batch: Batch, q: DiagonalGaussian, samples: int, generator: torch.Generator | None,
              path: Path | None = None) -> tuple[Tensor, Tensor, Density]:
        """Codes z ~ q(z|x), (K, B, r), with both parts of equation (5): log p(x|z), (K, B), and p(z)."""
        x = batch[self.modality]
        z = q.rsample(generator, samples)  # z = mean + sigma * eps
        if path is not None:
            z = path.through(z)
        p_x = self.likelihood(self.decoder(z.flatten(0, 1)))  # p(x|z)
        repeated = x.expand(samples, *x.shape).flatten(0, 1)  # (K B, *shape)
        log_prob = p_x.log_prob(repeated).view(samples, -1)  # equation (12)
        u = None if self.covariate is None else batch[COVARIATE]
        return z, log_prob, self.latent_prior(self.posterior, u, z.device)

    @property
    def importance_samples(self) -> int:
        return 0 if self.weighted is None else self.weighted.samples

    def posterior(self, x: Tensor, u: Tensor | None = None) -> DiagonalGaussian:
        """q(z|x), or q(z|x, u): means and log-variances from one head of the encoder."""
        if u is not None and self.flat:
            x = torch.cat([x.flatten(1), u], 1)
        elif u is not None:  # a plane for each number
            x = torch.cat([x, u[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1)
        return DiagonalGaussian.bounded(self.encoder(x))

    def decode(self, z: Mapping[str, Tensor]) -> dict[str, Observation]:
        return {self.modality: self.likelihood(self.decoder(z["z"]))}


def _with_covariate(shape: Modality, extra: int, flat: bool) -> Modality:
    """What an encoder reads that is given `extra` numbers besides."""
    if not extra:
        return shape
    if flat or isinstance(shape, Vector):
        return Modality("vector", (shape.size + extra,))
    return Modality(shape.kind, (shape.shape[0] + extra, *shape.shape[1:]))
