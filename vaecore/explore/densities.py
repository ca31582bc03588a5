"""Priors and aggregated posteriors as mixtures of Gaussians, whose marginals are exact.

A marginal of a mixture of diagonal Gaussians is the mixture of the marginals, so every density that the panel draws is
one; a prior without such a form is one of kernels around draws. Shapes: C components, r latent size, G grid points.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from vaecore.probability.densities import Density, GaussianMixture
from vaecore.probability.gaussian import DiagonalGaussian, StandardNormal
from vaecore.probability.priors import ConditionalMixture, Tilted

Vector = NDArray[np.float64]
PROPOSALS = 20_000  # of N(0, I), to weigh by a density ratio
AT_ONCE = 4_000  # of them through the ratio network
MOST = 20_000  # components; more covariates of a conditional mixture are left out
GAUSSIAN = StandardNormal | DiagonalGaussian | GaussianMixture | ConditionalMixture


def gaussian(density: Density) -> bool:
    """Whether its codes come from Gaussians, alone or mixed."""
    return isinstance(density, GAUSSIAN)


def tempered(density: Density, temperature: float) -> Density:
    """With the standard deviation of each of its Gaussians multiplied by `temperature`, which may be 0."""
    if temperature == 1 or not isinstance(density, DiagonalGaussian | GaussianMixture | ConditionalMixture):
        return density
    shift = 2 * math.log(temperature) if temperature > 0 else -math.inf
    return replace(density, logvar=density.logvar + shift)


@torch.inference_mode()
def from_noise(density: Density, uniform: torch.Tensor, normal: torch.Tensor) -> torch.Tensor:
    """Codes (B, r) of a prior as a fixed function of noise, so that the same noise can go through several priors.

    `uniform` (B,) in [0, 1) decides for each code which component it comes from, `normal` (B, r) where in it. Exact but
    for the implicit prior, whose codes are chosen by `uniform` alone among weighted draws of N(0, I): exact as these
    grow in number. A density p(z|u) must be of B observations. Raises `TypeError` for one that is none of those known.
    """
    if isinstance(density, StandardNormal):
        return normal
    if isinstance(density, DiagonalGaussian):
        return density.mean + (0.5 * density.logvar).exp() * normal
    if isinstance(density, GaussianMixture):
        weights = density.log_weights.expand(len(density.mean)).double().exp()
        chosen = _chosen(weights.expand(len(uniform), -1), uniform)
        return density.mean[chosen] + (0.5 * density.logvar[chosen]).exp() * normal
    if isinstance(density, ConditionalMixture):
        rows, chosen = torch.arange(len(uniform)), _chosen(density.log_weights.double().exp(), uniform)
        return density.mean[rows, chosen] + (0.5 * density.logvar[rows, chosen]).exp() * normal
    if isinstance(density, Tilted):
        z, log_weights = _weighted_draws(density)
        return z[_chosen(log_weights.double().exp().expand(len(uniform), -1), uniform)]
    raise TypeError(f"{type(density).__name__} cannot be drawn")


def _chosen(weights: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """For each row of weights (B, C) the one in whose share of the sum `uniform` (B,) falls: (B,)."""
    ends = weights.cumsum(1)
    found = torch.searchsorted(ends, (uniform.double() * ends[:, -1])[:, None], right=True)[:, 0]
    return found.clamp(max=weights.shape[1] - 1)


def _weighted_draws(density: Tilted) -> tuple[torch.Tensor, torch.Tensor]:
    """Draws of N(0, I), (C, r), always the same, and the logarithms of the weights that the ratio gives them, (C,)."""
    z = torch.randn(PROPOSALS, density.size, generator=torch.Generator().manual_seed(0))
    return z, torch.cat([density.ratio(part) for part in torch.split(z, AT_ONCE)]).log_softmax(0)


@torch.inference_mode()
def as_mixture(density: Density) -> GaussianMixture:
    """A prior as a mixture of Gaussians; p(z|u) averaged over its covariates.

    Exact but for the implicit prior, which becomes kernels around weighted draws. Raises `TypeError` for one that is
    none of those known.
    """
    if isinstance(density, GaussianMixture):
        return GaussianMixture(density.mean.detach(), density.logvar.detach(), density.log_weights.detach())
    if isinstance(density, StandardNormal):
        zero = torch.zeros(1, density.size)
        return GaussianMixture(zero, zero, torch.zeros(()))
    if isinstance(density, DiagonalGaussian):
        return GaussianMixture.equal(DiagonalGaussian(density.mean[:MOST], density.logvar[:MOST]))
    if isinstance(density, ConditionalMixture):
        rows = slice(max(1, MOST // density.mean.shape[1]))
        mean, logvar, weights = density.mean[rows], density.logvar[rows], density.log_weights[rows]
        return GaussianMixture(mean.flatten(0, 1), logvar.flatten(0, 1), weights.flatten() - math.log(len(mean)))
    if isinstance(density, Tilted):
        return _kernels(*_weighted_draws(density))
    raise TypeError(f"{type(density).__name__} cannot be drawn")


def _kernels(z: torch.Tensor, log_weights: torch.Tensor) -> GaussianMixture:
    """Weighted draws (C, r) smoothed for pictures of two dimensions, by Scott's rule with the effective number."""
    weights = log_weights.exp()
    centred = z - weights @ z
    variance = (weights @ centred.square()).clamp(min=1e-6)
    effective = 1 / weights.square().sum()
    logvar = (variance * effective ** (-1 / 3)).log()  # of a width sd * n^(-1/6)
    return GaussianMixture(z, logvar.expand_as(z), log_weights)


def weights_of(mixture: GaussianMixture) -> Vector:
    """The weights of its components, (C,)."""
    weights: Vector = mixture.log_weights.expand(len(mixture.mean)).double().exp().numpy()
    return weights


def moments(mixture: GaussianMixture) -> tuple[Vector, Vector]:
    """Mean and standard deviation, (r,) each."""
    weights, means = weights_of(mixture), mixture.mean.double().numpy()
    mean = weights @ means
    variance = weights @ (mixture.logvar.double().exp().numpy() + (means - mean) ** 2)
    return mean, np.sqrt(variance)


def marginal(mixture: GaussianMixture, dimension: int, z: Vector) -> Vector:
    """Density of one dimension at points (G,): (G,)."""
    density: Vector = _components(mixture, dimension, z) @ weights_of(mixture)
    return density


def plane(mixture: GaussianMixture, dimensions: tuple[int, int], x: Vector, y: Vector) -> Vector:
    """Density of two dimensions on a grid: rows by `y`, columns by `x`.

    Within a component the two are independent, so that all of the grid is one matrix product.
    """
    across, up = (_components(mixture, d, z) for d, z in zip(dimensions, (x, y), strict=True))
    density: Vector = (up * weights_of(mixture)) @ across.T
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
