"""A family with one Gaussian latent z, whose prior and divergence are choices: what VAEs of all data share.

Shapes: B observations, K samples, r latent size, m size of the covariate.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from vaecore.data import COVARIATE, Modality
from vaecore.models.base import Batch, Family, Modalities, only_modality
from vaecore.probability.auxiliary import Auxiliary
from vaecore.probability.densities import Density
from vaecore.probability.divergences import DivergenceConfig, Weighted
from vaecore.probability.gaussian import DiagonalGaussian
from vaecore.probability.posteriors import Posterior
from vaecore.probability.priors import (
    Inputs,
    PriorConfig,
)
from vaecore.schema import problem


class GaussianLatent(Family):
    """Holds p(z) and what may stand in the place of the KL; a subclass has q(z|x), p(x|z) and the objective."""

    encoder: torch.nn.Module

    def __init__(self, modalities: Modalities, latent_size: int, prior: PriorConfig, divergence: DivergenceConfig,
                 inputs: Inputs, covariate: Modality | None) -> None:
        super().__init__(modalities)
        self.modality, self.shape = only_modality(modalities)
        self.latent_size = latent_size
        _check(prior, divergence)
        self.prior_observations = prior.observations
        self.weight = divergence.weight if isinstance(divergence, Weighted) else 0.0
        self.latent_prior = prior.build(latent_size, inputs, covariate)
        if prior.conditional:
            self.covariate = covariate
        self.reads_covariate = prior.informs_encoder
        self.latent_divergence = divergence.build(latent_size, self.covariate)

    @abstractmethod
    def posterior(self, x: Tensor, u: Tensor | None = None) -> DiagonalGaussian:
        """q(z|x), or q(z|x, u), of observations or of a prior's own inputs (B, *shape)."""

    def pseudo_inputs(self, x: Tensor) -> Tensor:
        """Observations (B, *shape) as the encoder's first layer reads them, where pseudo-inputs live."""
        return x

    @property
    def latents(self) -> dict[str, int]:
        return {"z": self.latent_size}

    @property
    def prior_moves(self) -> bool:
        return self.covariate is not None

    def encode(self, batch: Batch) -> dict[str, Posterior]:
        return {"z": self.posterior(batch[self.modality], batch[COVARIATE] if self.reads_covariate else None)}

    def prior(self, batch: Batch | None = None) -> dict[str, Density]:
        u = None if batch is None or self.covariate is None else batch[COVARIATE]
        device = next(self.encoder.parameters()).device
        return {"z": self.latent_prior(self.posterior, u, device)}

    def divergence(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None
                   ) -> Tensor | None:
        if self.latent_divergence is None:
            return None
        q = posteriors["z"]
        assert isinstance(q, DiagonalGaussian)
        u = None if self.covariate is None else batch[COVARIATE]
        distance: Tensor = self.latent_divergence(q, q.rsample(generator)[0], self.prior(batch)["z"], u, generator)
        return self.weight * distance

    def begin(self, train: Callable[[int], Batch]) -> None:
        if self.prior_observations:
            x = train(self.prior_observations)[self.modality]
            self.latent_prior.begin(x, self.pseudo_inputs(x))

    def calibrate(self) -> None:
        self.latent_prior.calibrate()

    def normaliser(self) -> tuple[float, float] | None:
        return self.latent_prior.normaliser()

    def auxiliaries(self) -> dict[str, Auxiliary]:
        found = self.latent_prior.auxiliaries(self._codes)
        if self.latent_divergence is not None:
            found |= self.latent_divergence.auxiliaries(self._codes_and_draws)
        return found

    @torch.no_grad()
    def _codes(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        """One code of each observation, (B, r)."""
        q = self.encode(batch)["z"]
        assert isinstance(q, DiagonalGaussian)
        return q.rsample(generator)[0]

    def _codes_and_draws(self, batch: Batch, generator: torch.Generator | None
                         ) -> tuple[Tensor, Tensor, Tensor | None]:
        """The same beside as many draws from the prior, and the covariate of both."""
        z = self._codes(batch, generator)
        with torch.no_grad():
            drawn = self.prior(batch)["z"].sample(len(z), generator)
        return z, drawn, None if self.covariate is None else batch[COVARIATE]


def _check(prior: PriorConfig, divergence: DivergenceConfig) -> None:
    """Raise `ConfigError` for a prior and a divergence that do not go together."""
    if prior.only_kl and not divergence.is_kl:
        raise problem("model.divergence.kind", divergence.tag, "the implicit optimal prior is found by its KL alone.",
                      "Use kl, or another prior.", "model.divergence.kind=kl", "model.prior.kind=standard")
    if divergence.gaussian and not prior.by_dimension:
        raise problem("model.divergence.kind", divergence.tag, "the Wasserstein distance of each x has a closed form "
                      "only from one Gaussian.", "Use mmd, sliced or critic, or the standard prior.",
                      "model.prior.kind=standard", "model.divergence.kind=mmd")
