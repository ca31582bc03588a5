"""The aggregated posterior q(z) = 1/N sum_n q(z|x_n), and what it says about a latent code. In nats.

Shapes: N observations, r latent size. All pairs (sample, component) are compared, in blocks of bounded memory:
10,000 x 10,000 pairs in 32 dimensions take about a second on two CPU cores.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vaecore.distributions import LOG_2PI, DiagonalGaussian

PAIRS_AT_ONCE = 5_000_000  # doubles: 40 MB a block, and as much again while it is reduced


def aggregate_log_prob(q: DiagonalGaussian, z: Tensor) -> Tensor:
    """log q(z) of codes (S, r) under the mixture of the N posteriors of `q`, (S,), in double precision.

    A quadratic form in (z^2, z), so that a block of pairs is one matrix product. Codes are centred first: with
    narrow posteriors far from 0 the squares would cancel.
    """
    centre = q.mean.double().mean(0)
    mean, logvar, z = q.mean.double() - centre, q.logvar.double(), z.double() - centre
    precision = (-logvar).exp()
    weights = torch.cat([-0.5 * precision, mean * precision], 1).T.contiguous()  # (2r, N)
    constant = -0.5 * (mean.square() * precision + logvar + LOG_2PI).sum(1) - math.log(len(mean))
    rows = max(1, PAIRS_AT_ONCE // len(mean))
    return torch.cat([torch.addmm(constant, torch.cat([part.square(), part], 1), weights).logsumexp(1)
                      for part in torch.split(z, rows)])


@dataclass(frozen=True)
class Information:
    """What a code says about the observations; `rate` = `mutual_information` + `aggregate_kl` but for noise.

    The identity is Hoffman & Johnson's (2016). Both right-hand terms are estimated with one sample of z an
    observation; the rate is exact. Small negative values are noise.
    """

    rate: float  # E_x KL(q(z|x) || p(z))
    mutual_information: float  # I_q(x; z), at most log N
    minibatch: float  # the same with q(z) of a minibatch only, as He et al. (2019) report it: at most log B
    aggregate_kl: float  # KL(q(z) || p(z)) against the standard normal
    observations: int  # N
    batch_size: int  # B


@torch.no_grad()
def information(q: DiagonalGaussian, generator: torch.Generator | None = None, *, batch_size: int = 32) -> Information:
    """Estimate `Information` from the posteriors of N observations, (N, r) each.

    `minibatch` is the mean over consecutive batches of `batch_size`, or of all N where there are fewer; a last
    batch that is not full is left out.
    """
    z = q.rsample(generator)[0]
    own = q.log_prob(z).double()
    total = aggregate_log_prob(q, z)
    prior = -0.5 * (z.double().square() + LOG_2PI).sum(1)
    size = min(batch_size, len(z))
    starts = range(0, len(z) - size + 1, size)
    parts = torch.cat([aggregate_log_prob(DiagonalGaussian(q.mean[s : s + size], q.logvar[s : s + size]),
                                          z[s : s + size]) for s in starts])
    return Information(
        rate=float(q.kl_from_standard().sum(1).mean()),
        mutual_information=float((own - total).mean()),
        minibatch=float((own[: len(parts)] - parts).mean()),
        aggregate_kl=float((total - prior).mean()),
        observations=len(z), batch_size=size)
