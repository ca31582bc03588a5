"""Mixtures of Gaussians with whole covariances, as a density of codes. In nats.

A covariance is held by its Cholesky factor, S = L L', so that its determinant and its inverse need no second thought.
Shapes: B observations, C components, r latent size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vaecore.probability.gaussian import LOG_2PI, DiagonalGaussian, GaussianMixture, choose, chosen_by, sampled_kl


@dataclass(frozen=True)
class FullMixture:
    """sum_k w_k N(mean_k, L_k L_k'): `mean` (C, r), `factor` L (C, r, r) lower triangular, `log_weights` (C,)."""

    mean: Tensor
    factor: Tensor
    log_weights: Tensor

    @classmethod
    def gaussian_of(cls, codes: Tensor) -> FullMixture:
        """The Gaussian with mean and covariance of codes (N, r): the likeliest one."""
        codes = codes.double()
        centred = codes - codes.mean(0)
        covariance = centred.T @ centred / len(codes)
        least = 1e-9 * covariance.diagonal().max().clamp(min=1e-9)  # a code that does not vary has no density
        factor = torch.linalg.cholesky(covariance + least * torch.eye(codes.shape[1], dtype=codes.dtype))
        return cls(codes.mean(0)[None], factor[None], torch.zeros(1, dtype=codes.dtype))

    def log_prob(self, z: Tensor) -> Tensor:
        """Logarithm of the density, by |L^-1 (z - mean)|^2 in double precision; the result has the precision of `z`."""
        rows = z.double().flatten(0, -2)
        factor, mean = self.factor.double(), self.mean.double()
        unit = torch.eye(mean.shape[1], dtype=factor.dtype, device=factor.device)
        inverse = torch.linalg.solve_triangular(factor, unit.expand_as(factor), upper=False)
        constant = self.log_weights.double() - factor.diagonal(dim1=1, dim2=2).log().sum(1) - (
            0.5 * LOG_2PI * mean.shape[1])  # (C,)
        pairs = [log_weight - 0.5 * ((rows - centre) @ whiten.T).square().sum(1)  # one by one: (N, C, r) can be large
                 for log_weight, centre, whiten in zip(constant, mean, inverse, strict=True)]
        return torch.stack(pairs, 1).logsumexp(1).to(z.dtype).view(z.shape[:-1])

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Components are drawn at random, each code from its own."""
        chosen = choose(self.log_weights.expand(count, -1), generator).argmax(1)
        noise = torch.randn(count, self.mean.shape[1], generator=generator, device=self.mean.device,
                            dtype=self.mean.dtype)
        return self._placed(chosen, noise)

    def kl(self, q: DiagonalGaussian, z: Tensor) -> Tensor:
        return sampled_kl(self, q, z)

    @property
    def gaussian(self) -> bool:
        return True

    def tempered(self, temperature: float) -> FullMixture:
        return self if temperature == 1 else replace(self, factor=temperature * self.factor)

    @torch.inference_mode()
    def as_mixture(self) -> GaussianMixture:
        """A mixture of diagonal Gaussians with its means and its marginals of one dimension, without correlations."""
        return GaussianMixture(self.mean, self.factor.square().sum(2).log(), self.log_weights)

    @torch.inference_mode()
    def from_noise(self, uniform: Tensor, normal: Tensor) -> Tensor:
        return self._placed(chosen_by(self.log_weights.double().exp().expand(len(uniform), -1), uniform), normal)

    def covariances(self, dimensions: tuple[int, ...]) -> Tensor:
        """Covariances of some dimensions (C, d, d), which are those of their marginal."""
        rows = self.factor[:, list(dimensions)].double()
        return rows @ rows.mT

    def _placed(self, chosen: Tensor, noise: Tensor) -> Tensor:
        """Codes (B, r) at standard normal `noise` (B, r) of the components `chosen` (B,)."""
        codes = self.mean[chosen]
        for component, factor in enumerate(self.factor):
            rows = chosen == component
            codes[rows] += noise[rows] @ factor.T
        return codes
