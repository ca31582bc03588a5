"""What q(z|x) can be: one Gaussian, or a mixture of them.

Shapes: B observations, K samples, r latent size, C components.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vaecore.probability.gaussian import DiagonalGaussian, Point, gaussian_log_prob


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
