"""The lecture's estimates of log p(x), equations (13) and (14), as printed and as corrected (errata E1 and E2).

Printed, the logarithm stands inside the mean over M samples. (13) then tends to E_p(z)[log p(x|z)] and (14) is the
reconstruction term alone. Corrected, the mean stands inside the logarithm, and (14) has the ratio p(z) / q(z|x).
Shapes: B observations, M samples, which the lecture writes with that letter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vaecore.data import OBSERVED
from vaecore.evaluate.likelihood import DECODED_AT_ONCE, require_bound
from vaecore.models import Batch, Family
from vaecore.probability.gaussian import Point


@dataclass(frozen=True)
class Estimates:
    """Estimates of log p(x) for each observation, (B,), in nats."""

    prior_printed: Tensor  # (13): mean of log p(x|z), z ~ p(z)
    prior_corrected: Tensor  # log of the mean of p(x|z): tends to log p(x) from below, slowly
    posterior_printed: Tensor  # (14): mean of log p(x|z), z ~ q(z|x)
    elbo: Tensor  # the same less log q(z|x) - log p(z): the bound
    posterior_corrected: Tensor  # log of the mean of p(x|z) p(z) / q(z|x): importance sampling


@torch.inference_mode()
def estimates(model: Family, batch: Batch, samples: int, generator: torch.Generator | None = None) -> Estimates:
    """All five with the same number of samples; raises `ValueError` for a family without a prior or M below 1."""
    if samples < 1:
        raise ValueError(f"{samples} samples estimate nothing. Use at least 1.")
    posteriors, prior = model.encode(batch), model.prior(batch)
    require_bound(posteriors, prior)
    size = len(next(iter(batch.values())))
    blind, seen, ratios = [], [], []
    for _ in range(samples):
        from_q, from_p = {}, {}
        ratio = torch.zeros(size, dtype=torch.double)
        for name, q in posteriors.items():
            assert not isinstance(q, Point)
            z = q.rsample(generator)[0]
            ratio += (prior[name].log_prob(z) - q.log_prob(z)).double()
            from_q[name], from_p[name] = z, prior[name].sample(size, generator)
        blind.append(_log_likelihood(model, batch, from_p))
        seen.append(_log_likelihood(model, batch, from_q))
        ratios.append(ratio)
    p, q_, r = torch.stack(blind), torch.stack(seen), torch.stack(ratios)  # (M, B)
    return Estimates(p.mean(0), p.logsumexp(0) - math.log(samples), q_.mean(0), (q_ + r).mean(0),
                     (q_ + r).logsumexp(0) - math.log(samples))


def _log_likelihood(model: Family, batch: Batch, z: dict[str, Tensor]) -> Tensor:
    """log p(x|z) of a code for each observation, (B,), in double precision."""
    parts = []
    for rows in torch.split(torch.arange(len(next(iter(z.values())))), model.at_once(DECODED_AT_ONCE)):
        decoded = model.decode({name: codes[rows] for name, codes in z.items()})
        parts.append(torch.stack([p.log_prob(batch[name][rows]).double() * _there(model, batch, name, rows)
                                  for name, p in decoded.items() if name in batch]).sum(0))
    return torch.cat(parts)


def _there(model: Family, batch: Batch, name: str, rows: Tensor) -> Tensor | float:
    """1 for observations (B,) that have the modality, 0 for others."""
    if OBSERVED not in batch:
        return 1.0
    return batch[OBSERVED][rows, list(model.modalities).index(name)].double()
