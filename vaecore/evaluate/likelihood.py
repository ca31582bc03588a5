"""log p(x) by importance sampling from the posterior (Burda et al. 2016): the estimate the ELBO stays below.

log p(x) ~ log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x), z_k ~ q(z|x). The mean stands inside the logarithm: the lecture's
(13) and (14) put it outside, and estimate something smaller and something larger (errata E1 and E2, and `naive.py`).
Shapes: B observations, K importance samples, r latent size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaecore.data import OBSERVED
from vaecore.evaluate.parts.likelihood import Likelihood
from vaecore.models import Batch, Family
from vaecore.probability.bootstrap import means
from vaecore.probability.densities import Density
from vaecore.probability.gaussian import Point
from vaecore.probability.importance import effective
from vaecore.probability.posteriors import Posterior

DECODED_AT_ONCE = 500  # codes: what they decode to stays in a cache of the processor, and memory is bounded
WEIGHTS_AT_ONCE = 2_000_000  # doubles of one batch's log-weights: 16 MB


class Cancelled(Exception):
    """Somebody asked an evaluation to stop, before there was anything to tell."""


def require_bound(posteriors: Mapping[str, Posterior], prior: Mapping[str, Density]) -> None:
    """Pass where log p(x) can be estimated by codes of q(z|x); raises `ValueError` that says why not."""
    if not prior:
        raise ValueError("this family has a code but no prior, so log p(x) is not defined for it.")
    if any(isinstance(q, Point) for q in posteriors.values()):
        raise ValueError("its encoder gives a point and no distribution of codes, so no bound of log p(x) is known; a "
                         "prior that was fitted to the points is one to sample from.")


@torch.inference_mode()
def importance_log_weights(model: Family, batch: Batch, samples: int, generator: torch.Generator | None = None, *,
                           cancelled: Callable[[], bool] = lambda: False) -> Tensor:
    """log p(x|z) + log p(z) - log q(z|x) at z ~ q(z|x), (K, B), in double precision.

    The model should be in evaluation mode. Raises `ValueError` for a family without a prior or for K below 1, and
    `Cancelled`, which is asked for before each few thousand codes.
    """
    if samples < 1:
        raise ValueError(f"{samples} importance samples estimate nothing. Use at least 1.")
    posteriors, prior = model.encode(batch), model.prior(batch)
    require_bound(posteriors, prior)
    size = len(next(iter(batch.values())))
    place = {name: m for m, name in enumerate(model.modalities)}
    at_once = max(1, model.at_once(DECODED_AT_ONCE) // size)
    # What was observed once for each code: the same for all parts, the last of which may be shorter.
    repeated = {name: batch[name].expand(min(at_once, samples), *batch[name].shape).flatten(0, 1)
                for name in model.modalities if name in batch}
    # Filled in place: small tensors kept between the large temporary ones would pin hundreds of MB of the heap.
    found = torch.zeros(samples, size, dtype=torch.double, device=next(iter(batch.values())).device)
    for start in range(0, samples, at_once):
        if cancelled():
            raise Cancelled
        weights = found[start : start + at_once]
        count = len(weights)
        codes: dict[str, Tensor] = {}
        for name, q in posteriors.items():
            assert not isinstance(q, Point)  # which `require_bound` refuses
            z = q.rsample(generator, count)  # (K, B, r)
            weights += prior[name].log_prob(z).double() - q.log_prob(z).double()
            codes[name] = z.flatten(0, 1)
        for name, p in model.decode(codes).items():
            if name not in repeated:  # log p of what is given
                continue
            found_here = p.log_prob(repeated[name][:count * size]).view(count, size)
            weights += found_here if OBSERVED not in batch else found_here * batch[OBSERVED][:, place[name]]
    return found


def log_likelihood(model: Family, batches: Iterable[Batch], samples: int, *, seed: int = 0,
                   progress: Callable[[int], object] | None = None, cancelled: Callable[[], bool] = lambda: False,
                   each: Callable[[Tensor], object] | None = None, groups: NDArray[np.int64] | None = None
                   ) -> Likelihood:
    """The estimate with K = `samples` over `batches`; `progress` is told how many observations are done.

    `each` is told the estimate of every observation at the end, (N,). `groups` (N,) says which observations go
    together, as windows of one clip do.

    Cancelled, it is that of the observations done, or `Cancelled` where there is none. What `progress` raises ends
    it. Raises `ValueError` for K below 1 or a family without a prior.
    """
    if samples < 1:
        raise ValueError(f"{samples} importance samples estimate nothing. Use at least 1.")
    generator: torch.Generator | None = None
    chain = divisors(samples)
    curves: dict[int, list[Tensor]] = {k: [] for k in chain}
    shares: list[Tensor] = []
    done = 0
    for batch in _smaller(batches, max(1, min(model.at_once(DECODED_AT_ONCE), WEIGHTS_AT_ONCE // samples))):
        x = next(iter(batch.values()))
        generator = generator or torch.Generator(x.device).manual_seed(seed)
        try:
            weights = importance_log_weights(model, batch, samples, generator, cancelled=cancelled).cpu()  # (K, B)
        except Cancelled:
            if not shares:
                raise
            break
        for k in chain:
            averaged = weights.view(samples // k, k, -1).logsumexp(1) - math.log(k)  # (K / k, B)
            curves[k].append(averaged.mean(0))
        shares.append(effective(weights) / samples)
        done += len(x)
        if progress:
            progress(done)
    values, share = torch.cat(curves[samples]), torch.cat(shares)
    if each is not None:
        each(values)
    return _summarised(values, samples, share, {k: float(torch.cat(parts).mean()) for k, parts in curves.items()},
                       groups)


def exact_likelihood(values: Tensor, groups: NDArray[np.int64] | None = None) -> Likelihood:
    """log p(x) of a family whose reconstruction is just that, (N,): no samples, no bound."""
    return _summarised(values.double(), 0, torch.ones(len(values)), {}, groups)


def _summarised(values: Tensor, samples: int, share: Tensor, curve: dict[int, float],
                groups: NDArray[np.int64] | None) -> Likelihood:
    """From log p(x) and effective shares of the observations, (N,) each."""
    [mean] = means(values.numpy()[:, None], None if groups is None else groups[:len(values)])
    known = bool(values.isfinite().all()) and math.isfinite(mean.low)
    return Likelihood(log_likelihood=float(values.mean()), standard_error=mean.error if known else math.nan,
                      interval=(mean.low, mean.high) if known else None, samples=samples,
                      observations=len(values), effective=float(share.mean()),
                      effective_low=float(share.quantile(0.05)), curve=curve)


def divisors(samples: int) -> list[int]:
    """1, ..., K, each dividing the next: 500 gives 1, 2, 4, 20, 100, 500.

    Averaged over disjoint groups of such sizes, the estimate cannot fall from one to the next, noise included: a
    larger group is the union of smaller ones, and the logarithm of a mean is at least the mean of logarithms.
    """
    chain, left, factor = [1], samples, 2
    while left > 1:
        if left % factor == 0:
            chain.append(chain[-1] * factor)
            left //= factor
        else:
            factor = factor + 1 if factor * factor <= left else left
    return chain


def _smaller(batches: Iterable[Batch], size: int) -> Iterable[Batch]:
    """The same observations in batches of `size` at most."""
    for batch in batches:
        length = len(next(iter(batch.values())))
        for start in range(0, length, size):
            yield {name: x[start : start + size] for name, x in batch.items()}
