"""log p(x) by importance sampling from the posterior (Burda et al. 2016): the estimate the ELBO stays below.

log p(x) ~ log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x), z_k ~ q(z|x). The mean stands inside the logarithm:
the lecture's (13) and (14) put it outside, which estimates something smaller (errata E1 and E2).
Shapes: B observations, K importance samples, r latent size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from vaecore.distributions import DiagonalGaussian, gaussian_log_prob
from vaecore.models import Batch, Family

DECODED_AT_ONCE = 4_000  # codes; bounds memory whatever K and B are


@dataclass(frozen=True)
class Likelihood:
    """Mean log p(x) over observations in nats, its standard error, and the K it was estimated with."""

    log_likelihood: float
    standard_error: float
    samples: int
    observations: int


@torch.inference_mode()
def importance_log_weights(model: Family, batch: Batch, samples: int, generator: torch.Generator | None = None
                           ) -> Tensor:
    """log p(x|z) + log p(z) - log q(z|x) at z ~ q(z|x), (K, B); raises `ValueError` for a family without a prior."""
    posteriors = model.encode(batch)
    size = len(next(iter(batch.values())))
    codes: dict[str, Tensor] = {}
    weights = torch.zeros(samples, size)
    for name, q in posteriors.items():
        if not isinstance(q, DiagonalGaussian):
            raise ValueError("this family has a code but no prior, so log p(x) is not defined for it.")
        z = q.rsample(generator, samples)  # (K, B, r)
        weights = weights + gaussian_log_prob(z, torch.zeros(()), torch.zeros(())).sum(-1) - q.log_prob(z)
        codes[name] = z.flatten(0, 1)
    for name, p in model.decode(codes).items():
        repeated = batch[name].expand(samples, *batch[name].shape).flatten(0, 1)
        weights = weights + p.log_prob(repeated).view(samples, size)
    return weights


def log_likelihood(model: Family, batches: Iterable[Batch], samples: int, *, seed: int = 0,
                   progress: Callable[[int], object] | None = None) -> Likelihood:
    """The estimate with K = `samples` over `batches`; `progress` is told how many observations are done.

    Raises `ValueError` for K below 1 or a family without a prior.
    """
    if samples < 1:
        raise ValueError(f"{samples} importance samples estimate nothing. Use at least 1.")
    generator = torch.Generator().manual_seed(seed)
    estimates: list[Tensor] = []
    for batch in batches:
        size = len(next(iter(batch.values())))
        total = torch.full((size,), -math.inf)
        left = samples
        while left:
            part = min(left, max(1, model.at_once(DECODED_AT_ONCE) // size))
            weights = importance_log_weights(model, batch, part, generator)
            total = torch.logaddexp(total, weights.logsumexp(0))
            left -= part
        estimates.append(total - math.log(samples))
        if progress:
            progress(sum(map(len, estimates)))
    values = torch.cat(estimates).double()
    return Likelihood(float(values.mean()), float(values.std() / math.sqrt(len(values))), samples, len(values))
