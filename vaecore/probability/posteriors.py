"""What q(z|x) can be besides one Gaussian: a mixture of them, or a product of the experts of several modalities.

Shapes: B observations, K samples, r latent size, C components, M experts, S subsets of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vaecore.probability.gaussian import DiagonalGaussian, Point, gaussian_log_prob

EXPERT_LOGVAR = (-14.0, 14.0)  # of a factor of a product: one that knows nothing is as wide as it likes


@dataclass(frozen=True)
class PosteriorMixture:
    """q(z|x) as a mixture of C Gaussians for each observation: `mean`s and `logvar`s (C, B, r), weights (C, B).

    The weights of an observation sum to one; a component may weigh nothing.
    """

    means: Tensor
    logvars: Tensor
    weights: Tensor

    @property
    def mean(self) -> Tensor:
        """The mixture's mean, (B, r)."""
        return (self.weights[..., None] * self.means).sum(0)

    @property
    def components(self) -> list[DiagonalGaussian]:
        """The C Gaussians, (B, r) each."""
        return [DiagonalGaussian(mean, logvar) for mean, logvar in zip(self.means, self.logvars, strict=True)]

    def rsample(self, generator: torch.Generator | None = None, n_samples: int = 1) -> Tensor:
        """Samples (K, B, r), each from a component drawn by weight; differentiable in means and variances only."""
        chosen = torch.multinomial(self.weights.T, n_samples, replacement=True, generator=generator).T  # (K, B)
        index = chosen[:, None, :, None].expand(-1, -1, -1, self.means.shape[2])  # (K, 1, B, r)
        mean, logvar = (x.expand(n_samples, *x.shape).gather(1, index)[:, 0] for x in (self.means, self.logvars))
        noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
        return torch.addcmul(mean, (0.5 * logvar).exp(), noise)

    def log_prob(self, z: Tensor) -> Tensor:
        """log q(z|x) of samples (..., B, r): (..., B)."""
        each = gaussian_log_prob(z[..., None, :, :], self.means, self.logvars).sum(-1)  # (..., C, B)
        return (each + self.weights.log()).logsumexp(-2)


Posterior = DiagonalGaussian | PosteriorMixture | Point


def together(parts: Sequence[DiagonalGaussian | PosteriorMixture]) -> DiagonalGaussian | PosteriorMixture:
    """The posteriors of several batches, one kind, as those of one: its observations in a row."""
    mixtures = [q for q in parts if isinstance(q, PosteriorMixture)]
    if mixtures:
        return PosteriorMixture(*(torch.cat([getattr(q, part) for q in mixtures], 1)
                                  for part in ("means", "logvars", "weights")))
    plain = [q for q in parts if isinstance(q, DiagonalGaussian)]
    return DiagonalGaussian(torch.cat([q.mean for q in plain]), torch.cat([q.logvar for q in plain]))


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
