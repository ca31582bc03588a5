"""Densities of codes, p(z) and p(z|u): what a prior is, whatever it is made of. In nats.

Shapes: B observations, K samples, r latent size.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from vaecore.probability.gaussian import DiagonalGaussian, GaussianMixture


class Density(Protocol):
    """p(z), or p(z|u) of B observations at once, of codes (..., B, r)."""

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z), (..., B)."""
        ...

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """`count` codes (count, r), differentiable in what the prior has learned where that is possible.

        Of p(z|u) one for each of the B observations, so `count` has to be B.
        """
        ...

    def kl(self, q: DiagonalGaussian, z: Tensor) -> Tensor:
        """KL(q || p) for posteriors (B, r): a dimension (B, r) where it has a closed form, else in all (B, 1).

        What has none is estimated from codes z ~ q (K, B, r).
        """
        ...

    @property
    def gaussian(self) -> bool:
        """Whether codes come from Gaussians, alone or mixed."""
        ...

    def tempered(self, temperature: float) -> Density:
        """The density with the standard deviation of each Gaussian multiplied by `temperature`, which may be 0.

        N(0, I) stays as it is, for its draws can be multiplied, and so does what has no Gaussians.
        """
        ...

    def as_mixture(self) -> GaussianMixture:
        """The density as a mixture of diagonal Gaussians; p(z|u) averaged over its covariates.

        All marginals of a mixture are mixtures too.

        Exact but for a density without Gaussians, which becomes kernels around weighted draws, but for whole
        covariances, of which only marginals of one dimension stay, and but for what is beyond `MAX_COMPONENTS`
        observations or components.
        """
        ...

    def from_noise(self, uniform: Tensor, normal: Tensor) -> Tensor:
        """Codes (B, r) as a fixed function of noise, so that the same noise can go through several densities.

        `uniform` (B,) in [0, 1) decides for each code which component it comes from, `normal` (B, r) where in it. Exact
        but for a density without Gaussians, whose codes are chosen by `uniform` alone among weighted draws of N(0, I):
        exact as these grow in number. A density p(z|u) must be of B observations.
        """
        ...
