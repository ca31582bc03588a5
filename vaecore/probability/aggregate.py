"""The aggregated posterior q(z) = 1/N sum_n q(z|x_n), and what it says about a latent code. In nats.

Shapes: N observations, r latent size. All pairs (sample, component) are compared, in blocks of bounded memory:
10,000 x 10,000 pairs in 32 dimensions take about a second on two CPU cores.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vaecore.probability.densities import Density
from vaecore.probability.gaussian import DiagonalGaussian, GaussianMixture, StandardNormal
from vaecore.probability.posteriors import PosteriorMixture
from vaecore.probability.saturation import Bound, saturated

PAIRS_AT_ONCE = 5_000_000  # doubles: 40 MB a block, and as much again while it is reduced


def aggregate_log_prob(q: DiagonalGaussian | PosteriorMixture, z: Tensor) -> Tensor:
    """log q(z) of codes (S, r) under the mixture of the N posteriors of `q`, (S,), in double precision."""
    if isinstance(q, PosteriorMixture):  # a mixture of mixtures is one of all their components
        there = q.weights > 0  # (C, N)
        mixture = GaussianMixture(q.means[there].double(), q.logvars[there].double(),
                                  q.weights[there].double().log() - math.log(q.weights.shape[1]))
    else:
        mixture = GaussianMixture.equal(DiagonalGaussian(q.mean.double(), q.logvar.double()))
    rows = max(1, PAIRS_AT_ONCE // len(mixture.mean))
    return torch.cat([mixture.log_prob(part) for part in torch.split(z.double(), rows)])


@dataclass(frozen=True)
class Information:
    """What a latent says about the observations; `rate` = `mutual_information` + `aggregate_kl` but for noise.

    The identity is Hoffman & Johnson's (2016). Both right-hand terms are estimated with one sample of z an
    observation; the rate is exact where the KL has a closed form. Small negative values are noise. With a conditional
    prior p(z|u) the aggregate KL is the mean of log q(z) - log p(z|u), and says less.

    Mutual information of N observations cannot be seen above log N. Once it is there `aggregate_kl` is the rate less
    log N, whatever the model: `bound` then says "at most". `aggregate_kl_least` does not saturate: KL(q(z) || N(0, I))
    is never below that of the Gaussian with the mean and covariance of q(z), which are exact.

    Informations of several latents do not add: they may say the same.
    """

    rate: float  # E_x KL(q(z|x) || p(z))
    mutual_information: float  # I_q(x; z), at most log N
    minibatch: float  # the same with q(z) of a minibatch only, as He et al. (2019) report it: at most log B
    aggregate_kl: float  # KL(q(z) || p(z)), or a bound of it: see `bound`
    observations: int  # N
    batch_size: int  # B
    bound: Bound = "estimate"  # what `aggregate_kl` is
    aggregate_kl_least: float | None = None  # None where the prior is not N(0, I)


@torch.no_grad()
def information(q: DiagonalGaussian | PosteriorMixture, generator: torch.Generator | None = None, *,
                batch_size: int = 32, prior: Density | None = None) -> Information:
    """Estimate `Information` from the posteriors of N observations, (N, r) each; without a `prior` against N(0, I).

    `minibatch` is the mean over consecutive batches of `batch_size`, or of all N where there are fewer; a last
    batch that is not full is left out. The rate of mixtures has no closed form and is estimated like the rest.
    """
    z = q.rsample(generator)[0]
    own = q.log_prob(z).double()
    total = aggregate_log_prob(q, z)
    p = StandardNormal(z.shape[1]) if prior is None else prior
    under_prior = p.log_prob(z.double())
    size = min(batch_size, len(z))
    starts = range(0, len(z) - size + 1, size)
    parts = torch.cat([aggregate_log_prob(_rows(q, s, s + size), z[s : s + size]) for s in starts])
    rate = (own - under_prior).mean() if isinstance(q, PosteriorMixture) else p.kl(q, z[None]).sum(1).mean()
    told = float((own - total).mean())
    return Information(
        rate=float(rate),
        mutual_information=told,
        minibatch=float((own[: len(parts)] - parts).mean()),
        aggregate_kl=float((total - under_prior).mean()),
        observations=len(z), batch_size=size,
        bound="at most" if saturated(told, len(z)) else "estimate",
        aggregate_kl_least=_gaussian_kl(q) if isinstance(p, StandardNormal) else None)


def _rows(q: DiagonalGaussian | PosteriorMixture, start: int, end: int) -> DiagonalGaussian | PosteriorMixture:
    """The posteriors of observations `start` to `end` - 1."""
    if isinstance(q, PosteriorMixture):
        return PosteriorMixture(q.means[:, start:end], q.logvars[:, start:end], q.weights[:, start:end])
    return DiagonalGaussian(q.mean[start:end], q.logvar[start:end])


def _gaussian_kl(q: DiagonalGaussian | PosteriorMixture) -> float:
    """KL(N(m, S) || N(0, I)) with m and S the mean and covariance of q(z), in double precision."""
    if isinstance(q, PosteriorMixture):
        means, logvars = q.means.double(), q.logvars.double()
        weights = (q.weights.double() / q.weights.shape[1])[..., None]  # (C, N, 1), summing to 1
    else:
        means, logvars = q.mean.double()[None], q.logvar.double()[None]
        weights = means.new_full((1, len(q.mean), 1), 1 / len(q.mean))
    mean = (weights * means).sum((0, 1))
    away = ((means - mean) * weights.sqrt()).flatten(0, 1)
    covariance = away.T @ away + ((weights * logvars.exp()).sum((0, 1))).diag()
    return float(0.5 * (covariance.trace() + mean.square().sum() - len(mean) - covariance.logdet()))
