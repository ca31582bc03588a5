"""Densities of codes, p(z) and p(z|u): what a prior is, and the mixture of Gaussians that many are. In nats.

Shapes: B observations, K samples, r latent size, C components.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from vaecore.probability.gaussian import LOG_2PI, DiagonalGaussian


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


@dataclass(frozen=True)
class GaussianMixture:
    """sum_k w_k N(mean_k, diag(exp(logvar_k))): `mean` and `logvar` (C, r), `log_weights` (C,) or () for equal ones."""

    mean: Tensor
    logvar: Tensor
    log_weights: Tensor

    @classmethod
    def equal(cls, q: DiagonalGaussian) -> GaussianMixture:
        """The components weighed alike: an aggregated posterior."""
        return cls(q.mean, q.logvar, q.mean.new_tensor(-math.log(len(q.mean))))

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


def sampled_kl(p: Density, q: DiagonalGaussian, z: Tensor) -> Tensor:
    """KL(q || p) in all, (B, 1), as the mean of log q(z|x) - log p(z) over codes z ~ q (K, B, r)."""
    return (q.log_prob(z) - p.log_prob(z)).mean(0)[:, None]


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
