"""Quantiles of each dimension of a latent: of the prior, or of the aggregated posterior, so that ranges fit the codes.

The marginal of a mixture of diagonal Gaussians is the mixture of the marginals: its distribution function is known, and
is inverted here. Shapes: C components, r latent size, P probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaecore.explore.observed import OBSERVATIONS, observed
from vaecore.explore.single import Checkpoint
from vaecore.probability.gaussian import DiagonalGaussian, GaussianMixture

Whose = Literal["prior", "aggregated"]
REACH = 9.0  # standard deviations beyond which a Gaussian has no mass that counts
HALVINGS = 60
NO_WIDTH = -60.0  # log-variance of a point
NUMBERS = 4_000_000  # of components, dimensions and probabilities at once


def shares(values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """The shares of a standard normal below these values, (P,): of N(0, 1) quantiles by them are the values again."""
    found: NDArray[np.float64] = torch.special.ndtr(torch.as_tensor(np.asarray(values, np.float64))).numpy()
    return found


def ranges(checkpoint: Checkpoint, whose: Whose, probabilities: Sequence[float] | NDArray[np.float64]
           ) -> NDArray[np.float64]:
    """Quantiles of each dimension of a checkpoint's code, (P, r), in units of its `scale`.

    Of the prior, or of the aggregated posterior of validation observations (of the examples that travel with the run
    where its data set is not here). Raises `ValueError` for the prior of a family without one.
    """
    if whose == "prior" and not checkpoint.has_prior:
        raise ValueError(f"{checkpoint.run.id} is of a family without a prior. Take quantiles of the aggregated "
                         "posterior, which are those of its codes.")
    mixture = checkpoint.prior.as_mixture() if whose == "prior" else _aggregated(checkpoint)
    centre, unit = checkpoint.scale()
    found: NDArray[np.float64] = (quantiles(mixture, probabilities) - centre) / unit
    return found


def _aggregated(checkpoint: Checkpoint) -> GaussianMixture:
    """q(z), of which codes that are points, as an autoencoder's, are components of no width."""
    seen = observed(checkpoint, OBSERVATIONS)
    q = checkpoint.posteriors(seen.x, seen.covariates)
    return GaussianMixture.equal(q if isinstance(q, DiagonalGaussian) else
                                 DiagonalGaussian(q.mean, torch.full_like(q.mean, NO_WIDTH)))


def quantiles(mixture: GaussianMixture, probabilities: Sequence[float] | NDArray[np.float64]
              ) -> NDArray[np.float64]:
    """The numbers below which these shares of a mixture's mass lie in each dimension, (P, r), by halving an interval.

    Raises `ValueError` for a probability that is not between 0 and 1, which no number has.
    """
    wanted = torch.tensor(list(probabilities), dtype=torch.float64)
    if not len(wanted) or not bool(((wanted > 0) & (wanted < 1)).all()):
        raise ValueError(f"probabilities {tuple(probabilities)}: a quantile is of a share between 0 and 1.")
    mean, sigma = mixture.mean.double(), (0.5 * mixture.logvar.double()).exp()
    weights = mixture.log_weights.double().expand(len(mean)).exp()
    weights = weights / weights.sum()
    together = max(1, NUMBERS // (len(mean) * len(wanted)))
    parts = [_inverted(m, s, weights, wanted) for m, s in zip(
        torch.split(mean, together, 1), torch.split(sigma, together, 1), strict=True)]
    return torch.cat(parts, 1).numpy()


def _inverted(mean: Tensor, sigma: Tensor, weights: Tensor, wanted: Tensor) -> Tensor:
    if len(mean) == 1:  # one Gaussian: its quantile in closed form
        normal: Tensor = torch.special.ndtri(wanted)
        return mean + sigma * normal[:, None]
    low = (mean - REACH * sigma).amin(0).expand(len(wanted), -1).clone()
    high = (mean + REACH * sigma).amax(0).expand(len(wanted), -1).clone()
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        below = torch.einsum("c,pcr->pr", weights, torch.special.ndtr((middle[:, None] - mean) / sigma))
        left = below < wanted[:, None]
        low, high = torch.where(left, middle, low), torch.where(left, high, middle)
        if bool((high - low <= 1e-12 * (1 + middle.abs())).all()):
            break
    return 0.5 * (low + high)
