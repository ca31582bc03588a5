"""Gaussians with a diagonal covariance: posteriors, the standard normal, and the KL between two. In nats.

Shapes: B observations, K samples, r latent size. Log-variances of q(z|x) are bounded by a hard tanh to [-6, 2], as in
the released code of Tomczak & Welling (2018).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

POSTERIOR_LOGVAR = (-6.0, 2.0)
LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class DiagonalGaussian:
    """q(z|x) = N(mean, diag(exp(logvar))), both (B, r); as a `Density`, p(z|u) of B observations."""

    mean: Tensor
    logvar: Tensor

    @classmethod
    def bounded(cls, parameters: Tensor) -> DiagonalGaussian:
        """From an encoder head (B, 2r): means, then log-variances to be bounded."""
        mean, logvar = parameters.float().chunk(2, dim=-1)
        return cls(mean, F.hardtanh(logvar, *POSTERIOR_LOGVAR))

    def rsample(self, generator: torch.Generator | None = None, n_samples: int = 1) -> Tensor:
        """Reparameterised samples (K, B, r): z = mean + sigma * eps, differentiable in both."""
        shape = (n_samples, *self.mean.shape)
        noise = torch.randn(shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype)
        return torch.addcmul(self.mean, (0.5 * self.logvar).exp(), noise)

    def log_prob(self, z: Tensor) -> Tensor:
        """log q(z|x) of samples (..., B, r): (..., B)."""
        return gaussian_log_prob(z, self.mean, self.logvar).sum(-1)

    def kl_from_standard(self) -> Tensor:
        """KL(q || N(0, I)) a latent dimension, (B, r): equation (16) with r, not p (erratum E3)."""
        return 0.5 * (self.mean.square() + self.logvar.exp() - self.logvar - 1)

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """One code for each of the B observations, (B, r); `count` has to be B."""
        if count != len(self.mean):
            raise ValueError(f"{count} codes of a density of {len(self.mean)} observations: give a covariate for each.")
        return self.rsample(generator)[0]

    def kl(self, q: DiagonalGaussian, z: Tensor) -> Tensor:
        """KL(q || self) a latent dimension, (B, r), in closed form. `z` is not needed."""
        return gaussian_kl(q, self)


@dataclass(frozen=True)
class Point:
    """A deterministic code (B, r), as an autoencoder's: it has a mean and no KL."""

    mean: Tensor


@dataclass(frozen=True)
class StandardNormal:
    """N(0, I) in r dimensions: equation (5)."""

    size: int
    device: torch.device | None = None  # of samples

    def log_prob(self, z: Tensor) -> Tensor:
        return -0.5 * (z.square() + LOG_2PI).sum(-1)

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        return torch.randn(count, self.size, generator=generator, device=self.device)

    def kl(self, q: DiagonalGaussian, z: Tensor) -> Tensor:
        return q.kl_from_standard()


def gaussian_kl(q: DiagonalGaussian, p: DiagonalGaussian) -> Tensor:
    """KL(q || p) a latent dimension: equation (15)."""
    return 0.5 * (p.logvar - q.logvar - 1 + (q.logvar.exp() + (q.mean - p.mean).square()) * (-p.logvar).exp())


def gaussian_log_prob(x: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    """log N(x; mean, exp(logvar)) elementwise: the summand of equation (12)."""
    return -0.5 * (LOG_2PI + logvar + (x - mean).square() * (-logvar).exp())
