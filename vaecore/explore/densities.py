"""Mixtures of Gaussians as they are drawn: marginals, planes, moments, and the smallest regions that hold a share.

A marginal of a mixture of Gaussians is the mixture of the marginals, so all of these are exact, and every density has
its `as_mixture`, in which whole covariances leave the marginals of one dimension. Shapes: C components, r latent size,
G grid points.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vaecore.probability.full_covariance import FullMixture
from vaecore.probability.gaussian import GaussianMixture

Vector = NDArray[np.float64]


def weights_of(mixture: GaussianMixture | FullMixture) -> Vector:
    """The weights of its components, (C,)."""
    weights: Vector = mixture.log_weights.expand(len(mixture.mean)).double().exp().numpy()
    return weights


def moments(mixture: GaussianMixture | FullMixture) -> tuple[Vector, Vector]:
    """Mean and standard deviation, (r,) each."""
    mixture = mixture.as_mixture()
    weights, means = weights_of(mixture), mixture.mean.double().numpy()
    mean = weights @ means
    variance = weights @ (mixture.logvar.double().exp().numpy() + (means - mean) ** 2)
    return mean, np.sqrt(variance)


def marginal(mixture: GaussianMixture | FullMixture, dimension: int, z: Vector) -> Vector:
    """Density of one dimension at points (G,): (G,)."""
    density: Vector = _components(mixture.as_mixture(), dimension, z) @ weights_of(mixture)
    return density


def plane(mixture: GaussianMixture | FullMixture, dimensions: tuple[int, int], x: Vector, y: Vector) -> Vector:
    """Density of two dimensions on a grid: rows by `y`, columns by `x`.

    Within a diagonal component the two are independent, so that all of the grid is one matrix product.
    """
    if isinstance(mixture, FullMixture):
        return _correlated(mixture, dimensions, x, y)
    across, up = (_components(mixture, d, z) for d, z in zip(dimensions, (x, y), strict=True))
    density: Vector = (up * weights_of(mixture)) @ across.T
    return density


def _correlated(mixture: FullMixture, dimensions: tuple[int, int], x: Vector, y: Vector) -> Vector:
    """The same where the two dimensions of a component vary together, one component after another."""
    density: Vector = np.zeros((len(y), len(x)))
    means = mixture.mean[:, list(dimensions)].double().numpy()
    for weight, (along, up), ((a, b), (_, c)) in zip(weights_of(mixture), means,
                                                     mixture.covariances(dimensions).numpy(), strict=True):
        # At least what rounding leaves of it: a file may hold covariances of lower rank.
        dx, dy, determinant = x - along, (y - up)[:, None], max(a * c - b * b, 1e-12 * a * c, 1e-300)
        square = (c * dx ** 2 - 2 * b * dx * dy + a * dy ** 2) / determinant
        density += weight * np.exp(-0.5 * square) / (2 * math.pi * math.sqrt(determinant))
    return density


def _components(mixture: GaussianMixture, dimension: int, z: Vector) -> Vector:
    """Density of each component in one dimension, (G, C)."""
    mean = mixture.mean[:, dimension].double().numpy()
    sigma = (0.5 * mixture.logvar[:, dimension]).double().exp().numpy()
    density: Vector = np.exp(-0.5 * ((z[:, None] - mean) / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
    return density


def held(density: Vector) -> Vector:
    """At each point of an even grid the share of the mass that lies where the density is higher.

    Its level line at 0.9 encloses the smallest region that holds nine tenths of the mass on the grid.
    """
    flat = density.ravel()
    order = np.argsort(-flat, kind="stable")
    share = np.empty_like(flat)
    share[order] = np.cumsum(flat[order]) / max(flat.sum(), 1e-300)
    return share.reshape(density.shape)
