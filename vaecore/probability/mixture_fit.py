"""A mixture of Gaussians fitted to codes by expectation-maximisation, which is scikit-learn's.

Codes are standardised first, so that what keeps a Gaussian from shrinking to a point means the same whatever the scale
of a code. Several starts are tried on some of the codes, the best goes on with all of them. The same seed gives the
same mixture. Shapes: N codes, C components, r latent size.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from vaecore.arrays import Numbers
from vaecore.probability.full_covariance import FullMixture
from vaecore.probability.gaussian import GaussianMixture

Covariance = Literal["full", "diagonal"]
STARTS, TRIED_ON, TRIED = 4, 5_000, 10  # starts, codes and steps with which they are tried
STEPS, STEPS_AT_ONCE = 300, 5  # of expectation-maximisation at most; between two looks at how far it is
SETTLED = 1e-4  # nats a code that a step still brings
LEAST_VARIANCE = 1e-4  # that is added to the variances of standardised codes
LEAST_SPREAD = 1e-6  # of a code's dimension, in that of the widest: one that does not vary is as wide

Progress = Callable[[int, int], object]  # steps done, of at most how many


@dataclass(frozen=True)
class MixtureFit:
    """A mixture, the heaviest component first, and how it was found."""

    density: FullMixture | GaussianMixture
    steps: int  # of expectation-maximisation, the tried starts not counted
    converged: bool


def fit_mixture(codes: Tensor, components: int = 10, covariance: Covariance = "full", *, seed: int = 0,
                progress: Progress | None = None) -> MixtureFit:
    """The likeliest mixture found for codes (N, r).

    Raises `ValueError` where there are too few of them for what each component has to learn.
    """
    count, size = codes.shape
    needed = components * (size + 1 if covariance == "full" else 2)
    if count < needed:
        raise ValueError(f"{count:,} codes of {size} dimensions are too few for {components} components of "
                         f"{covariance} covariance, which need {needed:,}.")
    x = codes.double().cpu().numpy()
    centre, spread = x.mean(0), x.std(0)
    spread = np.maximum(spread, LEAST_SPREAD * max(1.0, float(spread.max())))
    x = (x - centre) / spread
    some = x[np.random.default_rng(seed).permutation(count)[:max(TRIED_ON, needed)]]
    tried = [_stepped(_begun(some, components, covariance, seed + start), some, TRIED) for start in range(STARTS)]
    best = max(tried, key=lambda found: float(found.lower_bound_))
    done = 0
    best.converged_ = False
    while done < STEPS and not best.converged_:
        _stepped(best, x, STEPS_AT_ONCE)
        done += STEPS_AT_ONCE if not best.converged_ else int(best.n_iter_)
        if progress:
            progress(done, STEPS)
    return MixtureFit(_density(best, centre, spread), done, bool(best.converged_))


def _begun(x: Numbers, components: int, covariance: Covariance, seed: int) -> Any:
    """A mixture around centres that k-means++ has spread over the codes, each as wide as all are around theirs."""
    from sklearn.cluster import kmeans_plusplus
    from sklearn.metrics import pairwise_distances_argmin
    from sklearn.mixture import GaussianMixture as Mixture

    centres, _ = kmeans_plusplus(x, components, random_state=seed)
    nearest = pairwise_distances_argmin(x, centres)
    within = x - centres[nearest]
    weights = (np.bincount(nearest, minlength=components) + 1.0) / (len(x) + components)
    if covariance == "full":
        precision = np.linalg.inv(within.T @ within / len(x) + LEAST_VARIANCE * np.eye(x.shape[1]))
        precision = 0.5 * (precision + precision.T)
    else:
        precision = 1 / (np.square(within).mean(0) + LEAST_VARIANCE)
    return Mixture(components, covariance_type="full" if covariance == "full" else "diag", tol=SETTLED,
                   reg_covar=LEAST_VARIANCE, weights_init=weights, means_init=centres,
                   precisions_init=np.broadcast_to(precision, (components, *precision.shape)).copy(), warm_start=True)


def _stepped(mixture: Any, x: Numbers, steps: int) -> Any:
    """The mixture after some steps more, or fewer once they bring nothing."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():  # that it has not converged yet is known
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.set_params(max_iter=steps).fit(x)


def _density(mixture: Any, centre: Numbers, spread: Numbers) -> FullMixture | GaussianMixture:
    """The mixture in the codes' own scale, in single precision."""
    order = np.argsort(-mixture.weights_, kind="stable")
    mean = torch.from_numpy(mixture.means_[order] * spread + centre)
    log_weights = torch.from_numpy(mixture.weights_[order]).log()
    if mixture.covariance_type == "full":
        covariances = torch.from_numpy(mixture.covariances_[order] * np.outer(spread, spread))
        return FullMixture(mean.float(), torch.linalg.cholesky(covariances).float(), log_weights.float())
    variances = torch.from_numpy(mixture.covariances_[order] * spread ** 2)
    return GaussianMixture(mean.float(), variances.log().float(), log_weights.float())
