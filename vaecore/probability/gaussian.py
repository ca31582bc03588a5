"""Gaussians with a diagonal covariance: posteriors, the standard normal, mixtures, products, and the KL. In nats.

Shapes: B observations, K samples, r latent size, C components, M experts, S subsets of them. Log-variances
of q(z|x) are bounded by a hard tanh to [-6, 2], as in the released code of Tomczak & Welling (2018).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from vaecore.probability.densities import Density

POSTERIOR_LOGVAR = (-6.0, 2.0)
EXPERT_LOGVAR = (-14.0, 14.0)  # of a factor of a product: one that knows nothing is as wide as it likes
LOG_2PI = math.log(2 * math.pi)
MAX_COMPONENTS = 20_000  # of a mixture that stands for a density; what is more is left out
LEAST_VARIANCE = 1e-12  # of draws that kernels stand around: one that they all share has a width too


@dataclass(frozen=True)
class DiagonalGaussian:
    """q(z|x) = N(mean, diag(exp(logvar))), both (B, r); as a `Density`, p(z|u) of B observations."""

    mean: Tensor
    logvar: Tensor

    @classmethod
    def bounded(cls, parameters: Tensor) -> DiagonalGaussian:
        """The posterior of an encoder head (B, 2r): means, then log-variances to be bounded."""
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

    @property
    def gaussian(self) -> bool:
        return True

    def tempered(self, temperature: float) -> DiagonalGaussian:
        return self if temperature == 1 else replace(self, logvar=self.logvar + log_square(temperature))

    @torch.inference_mode()
    def as_mixture(self) -> GaussianMixture:
        return GaussianMixture.equal(DiagonalGaussian(self.mean[:MAX_COMPONENTS], self.logvar[:MAX_COMPONENTS]))

    @torch.inference_mode()
    def from_noise(self, uniform: Tensor, normal: Tensor) -> Tensor:
        return self.mean + (0.5 * self.logvar).exp() * normal


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

    @property
    def gaussian(self) -> bool:
        return True

    def tempered(self, temperature: float) -> StandardNormal:
        return self

    @torch.inference_mode()
    def as_mixture(self) -> GaussianMixture:
        zero = torch.zeros(1, self.size)
        return GaussianMixture(zero, zero, torch.zeros(()))

    @torch.inference_mode()
    def from_noise(self, uniform: Tensor, normal: Tensor) -> Tensor:
        return normal


@dataclass(frozen=True)
class GaussianMixture:
    """sum_k w_k N(mean_k, diag(exp(logvar_k))): `mean` and `logvar` (C, r), `log_weights` (C,) or () for equal ones."""

    mean: Tensor
    logvar: Tensor
    log_weights: Tensor

    @classmethod
    def equal(cls, q: DiagonalGaussian) -> GaussianMixture:
        """The components weighed alike: an aggregated posterior."""
        return cls(q.mean, q.logvar, q.mean.new_full((), -math.log(len(q.mean))))

    def log_prob(self, z: Tensor) -> Tensor:
        """A quadratic form in (z^2, z), so that all pairs of code and component are one matrix product.

        In it large squares cancel: in single precision narrow components a hundred apart were off by 56 nats. So it is
        taken in double precision and centred first; the result has the precision of `z`.
        """
        centre = self.mean.detach().double().mean(0)
        mean, logvar, rows = self.mean.double() - centre, self.logvar.double(), z.double().flatten(0, -2) - centre
        precision = (-logvar).exp()
        weights = torch.cat([-0.5 * precision, mean * precision], 1).T  # (2r, C)
        constant = self.log_weights.double() - 0.5 * (mean.square() * precision + logvar + LOG_2PI).sum(1)  # (C,)
        pairs = torch.addmm(constant, torch.cat([rows.square(), rows], 1), weights)  # (..., C)
        return pairs.logsumexp(1).to(z.dtype).view(z.shape[:-1])

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Components are drawn at random, each code from its own."""
        chosen = choose(self.log_weights.expand(count, len(self.mean)), generator)  # (count, C)
        noise = torch.randn(count, self.mean.shape[1], generator=generator, device=self.mean.device)
        return torch.addcmul(chosen @ self.mean, chosen @ (0.5 * self.logvar).exp(), noise)

    def kl(self, q: DiagonalGaussian, z: Tensor) -> Tensor:
        return sampled_kl(self, q, z)

    @property
    def gaussian(self) -> bool:
        return True

    def tempered(self, temperature: float) -> GaussianMixture:
        return self if temperature == 1 else replace(self, logvar=self.logvar + log_square(temperature))

    @torch.inference_mode()
    def as_mixture(self) -> GaussianMixture:
        return GaussianMixture(self.mean.detach(), self.logvar.detach(), self.log_weights.detach())

    @torch.inference_mode()
    def from_noise(self, uniform: Tensor, normal: Tensor) -> Tensor:
        weights = self.log_weights.expand(len(self.mean)).double().exp()
        chosen = chosen_by(weights.expand(len(uniform), -1), uniform)
        return self.mean[chosen] + (0.5 * self.logvar[chosen]).exp() * normal


@dataclass(frozen=True)
class Experts:
    """Gaussian factors of a posterior, one a modality: precision T_m and T_m mu_m, both (M, B, r).

    A factor is q(z|x_m) / p(z) of equation (23), not a density: it becomes a posterior only with the prior N(0, I),
    alone or with others (erratum E10). One that is missing has precision 0.
    """

    precision: Tensor
    shift: Tensor

    @classmethod
    def bounded(cls, parameters: Tensor) -> Experts:
        """Factors from heads (M, B, 2r) of encoders that give them themselves: means, then log-variances."""
        mean, logvar = parameters.float().chunk(2, dim=-1)
        precision = (-F.hardtanh(logvar, *EXPERT_LOGVAR)).exp()
        return cls(precision, precision * mean)

    @classmethod
    def quotients(cls, parameters: Tensor) -> Experts:
        """Factors from heads (M, B, 2r) that give posteriors q(z|x_m), each divided by the prior.

        A quotient is a factor only where the posterior is narrower than the prior, so variances are kept below 1.
        """
        mean, raw = parameters.float().chunk(2, dim=-1)
        logvar = -F.softplus(-raw).clamp(max=-EXPERT_LOGVAR[0])
        return cls(torch.expm1(-logvar), (-logvar).exp() * mean)

    def where(self, observed: Tensor) -> Experts:
        """Only those that `observed` (M, B) says are there."""
        there = observed.to(self.precision)[..., None]
        return Experts(self.precision * there, self.shift * there)

    def product(self, subsets: Tensor) -> DiagonalGaussian:
        """The prior N(0, I) times the experts of each subset, `subsets` (S, M) of 0 and 1: S posteriors, (S, B, r).

        T = 1 + sum T_m and T mu = sum T_m mu_m (Wu & Goodman 2018): sums of positive numbers, in which nothing cancels.
        """
        shape = self.precision.shape
        chosen = subsets.to(self.precision)
        precision = 1 + (chosen @ self.precision.flatten(1)).view(-1, *shape[1:])
        shift = (chosen @ self.shift.flatten(1)).view(-1, *shape[1:])
        return DiagonalGaussian(shift / precision, -precision.log())


def gaussian_kl(q: DiagonalGaussian, p: DiagonalGaussian) -> Tensor:
    """KL(q || p) a latent dimension: equation (15)."""
    return 0.5 * (p.logvar - q.logvar - 1 + (q.logvar.exp() + (q.mean - p.mean).square()) * (-p.logvar).exp())


def sampled_kl(p: Density, q: DiagonalGaussian, z: Tensor) -> Tensor:
    """KL(q || p) in all, (B, 1), as the mean of log q(z|x) - log p(z) over codes z ~ q (K, B, r)."""
    return (q.log_prob(z) - p.log_prob(z)).mean(0)[:, None]


def gaussian_log_prob(x: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    """log N(x; mean, exp(logvar)) elementwise: the summand of equation (12)."""
    return -0.5 * (LOG_2PI + logvar + (x - mean).square() * (-logvar).exp())


def scott_logvar(variance: Tensor, count: float | Tensor, dimensions: int) -> Tensor:
    """Log-variances (r,) of Gaussian kernels around `count` draws, by Scott's rule for a density of `dimensions`.

    `variance` (r,) is that of the draws; a width is sd * count^(-1 / (dimensions + 4)).
    """
    return (variance.clamp(min=LEAST_VARIANCE) * count ** (-2 / (dimensions + 4))).log()


def choose(logits: Tensor, generator: torch.Generator | None = None, temperature: float = 0.1) -> Tensor:
    """One-hot draws (B, C) with probabilities softmax(logits), logits (B, C).

    Their gradient is that of the relaxed draw at `temperature`, straight through (Jang et al. 2017): without one the
    weights of a mixture could not learn from its samples.
    """
    uniform = torch.rand(logits.shape, generator=generator, device=logits.device).clamp(1e-20, 1 - 1e-7)
    noisy = logits - (-uniform.log()).log()
    hard = F.one_hot(noisy.argmax(1), logits.shape[1]).to(logits)
    if not logits.requires_grad:
        return hard
    soft = (noisy / temperature).softmax(1)
    return hard + soft - soft.detach()


def chosen_by(weights: Tensor, uniform: Tensor) -> Tensor:
    """For each row of weights (B, C) the one in whose share of the sum `uniform` (B,) in [0, 1) falls: (B,)."""
    ends = weights.cumsum(1)
    found = torch.searchsorted(ends, (uniform.double() * ends[:, -1])[:, None], right=True)[:, 0]
    return found.clamp(max=weights.shape[1] - 1)


def log_square(temperature: float) -> float:
    """What a temperature, a factor of a standard deviation, adds to a log-variance: -inf at 0."""
    return 2 * math.log(temperature) if temperature > 0 else -math.inf
