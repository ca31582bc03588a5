"""The aggregated posterior q(z) = 1/N sum_n q(z|x_n), and what it says about a latent code. In nats.

Shapes: N observations, r latent size. All pairs (sample, component) are compared, in blocks of bounded memory:
10,000 x 10,000 pairs in 32 dimensions take about a second on two CPU cores.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vaecore.distributions import Density, DiagonalGaussian, GaussianMixture, StandardNormal

PAIRS_AT_ONCE = 5_000_000  # doubles: 40 MB a block, and as much again while it is reduced


def aggregate_log_prob(q: DiagonalGaussian, z: Tensor) -> Tensor:
    """log q(z) of codes (S, r) under the mixture of the N posteriors of `q`, (S,), in double precision."""
    mixture = GaussianMixture.equal(DiagonalGaussian(q.mean.double(), q.logvar.double()))
    rows = max(1, PAIRS_AT_ONCE // len(q.mean))
    return torch.cat([mixture.log_prob(part) for part in torch.split(z.double(), rows)])


@dataclass(frozen=True)
class Information:
    """What a code says about the observations; `rate` = `mutual_information` + `aggregate_kl` but for noise.

    The identity is Hoffman & Johnson's (2016). Both right-hand terms are estimated with one sample of z an
    observation; the rate is exact where the KL has a closed form. Small negative values are noise. With a conditional
    prior p(z|u) the aggregate KL is the mean of log q(z) - log p(z|u), and says less.
    """

    rate: float  # E_x KL(q(z|x) || p(z))
    mutual_information: float  # I_q(x; z), at most log N
    minibatch: float  # the same with q(z) of a minibatch only, as He et al. (2019) report it: at most log B
    aggregate_kl: float  # KL(q(z) || p(z))
    observations: int  # N
    batch_size: int  # B


@torch.no_grad()
def information(q: DiagonalGaussian, generator: torch.Generator | None = None, *, batch_size: int = 32,
                prior: Density | None = None) -> Information:
    """Estimate `Information` from the posteriors of N observations, (N, r) each; without a `prior` against N(0, I).

    `minibatch` is the mean over consecutive batches of `batch_size`, or of all N where there are fewer; a last
    batch that is not full is left out.
    """
    z = q.rsample(generator)[0]
    own = q.log_prob(z).double()
    total = aggregate_log_prob(q, z)
    p = StandardNormal(z.shape[1]) if prior is None else prior
    size = min(batch_size, len(z))
    starts = range(0, len(z) - size + 1, size)
    parts = torch.cat([aggregate_log_prob(DiagonalGaussian(q.mean[s : s + size], q.logvar[s : s + size]),
                                          z[s : s + size]) for s in starts])
    return Information(
        rate=float(p.kl(q, z[None]).sum(1).mean()),
        mutual_information=float((own - total).mean()),
        minibatch=float((own[: len(parts)] - parts).mean()),
        aggregate_kl=float((total - p.log_prob(z.double())).mean()),
        observations=len(z), batch_size=size)
