"""What a prior is made of, and how it lies beside the aggregated posterior q(z) = 1/N sum_n q(z|x_n).

Shapes: N observations, C components, r latent size, G grid points a side.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from vaecore.explore.codes import Codes
from vaecore.explore.densities import Vector, held, marginal, moments, plane, weights_of
from vaecore.explore.observed import OBSERVATIONS, observed
from vaecore.explore.pictures import Images, as_images
from vaecore.explore.single import Checkpoint
from vaecore.models.single.latent import GaussianLatent
from vaecore.probability.full_covariance import FullMixture
from vaecore.probability.gaussian import DiagonalGaussian, GaussianMixture, Point, scott_logvar
from vaecore.probability.priors import ComponentInputs

SIDE, CURVE = 96, 240  # grid points
REACH = 3.5  # standard deviations of either density that a picture covers


@dataclass(frozen=True)
class Plane:
    """Two dimensions of prior and aggregated posterior on one grid; arrays (G, G) have rows by `y`."""

    dimensions: tuple[int, int]
    x: Vector
    y: Vector
    prior: Vector  # share of the mass where the density is higher: 0.5 on the line that holds half of it
    aggregated: Vector  # the same of q(z)
    centres: Vector  # (C, 2) means of the prior's components; empty where it has none to be shown


@dataclass(frozen=True)
class Curve:
    """One dimension of both: densities at points z, (G,) each."""

    dimension: int
    z: Vector
    prior: Vector
    aggregated: Vector


@dataclass(frozen=True)
class Pair:
    """Prior and aggregated posterior of one checkpoint, both as mixtures of Gaussians."""

    prior: GaussianMixture | FullMixture
    aggregated: GaussianMixture
    source: str  # of the observations, in words
    centred: bool  # whether the prior's components are its own, to be shown as points

    def plane(self, dimensions: tuple[int, int], side: int = SIDE) -> Plane:
        """Both in two dimensions."""
        x, y = (self._grid(d, side) for d in dimensions)
        prior, aggregated = (held(plane(mixture, dimensions, x, y)) for mixture in (self.prior, self.aggregated))
        centres = self.prior.mean[:, list(dimensions)].double().numpy() if self.centred else np.empty((0, 2))
        return Plane(dimensions, x, y, prior, aggregated, centres)

    def curve(self, dimension: int, points: int = CURVE) -> Curve:
        """Both in one dimension."""
        z = self._grid(dimension, points)
        return Curve(dimension, z, marginal(self.prior, dimension, z), marginal(self.aggregated, dimension, z))

    def _grid(self, dimension: int, points: int) -> Vector:
        low = min(mean[dimension] - REACH * std[dimension] for mean, std in self._moments)
        high = max(mean[dimension] + REACH * std[dimension] for mean, std in self._moments)
        return np.linspace(low, high, points)

    @cached_property
    def _moments(self) -> list[tuple[Vector, Vector]]:
        return [moments(mixture) for mixture in (self.prior, self.aggregated)]


def pair(checkpoint: Checkpoint, observations: int = OBSERVATIONS) -> Pair:
    """Prior and aggregated posterior of a run, side by side.

    Of validation observations where the data set is on this machine, else of the examples that travel with the run.

    Raises `ValueError` for a family without a prior.
    """
    if not checkpoint.has_prior:
        raise ValueError(f"{checkpoint.run.id} is of a family without a prior.")
    seen = observed(checkpoint, observations)
    q = checkpoint.posteriors(seen.x, seen.covariates)
    density = checkpoint.priors(seen.covariates)[checkpoint.latent]
    full = density if isinstance(density, FullMixture) else density.as_mixture()
    return Pair(full, GaussianMixture.equal(smoothed(q) if isinstance(q, Point) else q), seen.source,
                isinstance(density, GaussianMixture | FullMixture))


def smoothed(codes: Point) -> DiagonalGaussian:
    """Codes that are points as Gaussians around them, as wide as Scott's rule has them for pictures of a plane."""
    logvar = scott_logvar(codes.mean.var(0), len(codes.mean), 2)
    return DiagonalGaussian(codes.mean, logvar.expand_as(codes.mean))


# -- components ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Components:
    """The Gaussians that a prior mixes, the heaviest first."""

    numbers: tuple[int, ...]  # of each in the model
    weights: Vector  # (C,)
    mean: Codes  # (C, r)
    std: Codes  # (C, r)
    factor: Codes | None = None  # (C, r, r): Cholesky factors of whole covariances

    def draw(self, place: int, count: int, seed: int = 0) -> Codes:
        """Codes (count, r) of one component."""
        noise = np.random.default_rng(seed).standard_normal((count, self.mean.shape[1]), np.float32)
        spread = self.std[place] * noise if self.factor is None else noise @ self.factor[place].T
        codes: Codes = self.mean[place] + spread
        return codes


def components(checkpoint: Checkpoint) -> Components | None:
    """The components of its prior; None where that is no mixture, or one for each covariate."""
    density = checkpoint.prior if checkpoint.has_prior else None
    if not isinstance(density, GaussianMixture | FullMixture):
        return None
    mixture = density.as_mixture()
    weights = weights_of(mixture)
    order = np.argsort(-weights, kind="stable")
    factor = density.factor.detach().numpy()[order] if isinstance(density, FullMixture) else None
    return Components(tuple(order.tolist()), weights[order], mixture.mean.numpy()[order],
                      (0.5 * mixture.logvar).exp().numpy()[order], factor)


@dataclass(frozen=True)
class PriorInputs:
    """What a prior gives to the encoder to have its components: learned pseudo-inputs, or training observations."""

    images: Images  # (C, H, W[, 3])
    learned: bool


def inputs(checkpoint: Checkpoint) -> PriorInputs | None:
    """Pictures of what a VampPrior or an aggregated posterior is made of, in the order of components; else None."""
    with torch.inference_mode():
        found = _component_inputs(checkpoint)
        return None if found is None else PriorInputs(as_images(found.inputs), found.learned)


@dataclass(frozen=True)
class Overfit:
    """Mean KL of q(z|x) from an aggregated posterior, in nats: of the observations that it averages, and of others."""

    own: float  # at most the logarithm of their number, as each has a component to itself
    count: int
    others: float
    source: str  # of the others, in words


@torch.inference_mode()
def overfit(checkpoint: Checkpoint, observations: int = OBSERVATIONS) -> Overfit | None:
    """How much better the prior knows its own observations than others; None for other priors.

    An estimate with 8 codes of each observation and a fixed seed.
    """
    found = _component_inputs(checkpoint)
    if found is None or found.learned:
        return None
    own = found.inputs
    prior = checkpoint.priors(None)[checkpoint.latent]
    generator = torch.Generator().manual_seed(0)
    [name] = checkpoint.model.modalities

    def rate(x: torch.Tensor) -> float:
        total = 0.0
        for part in torch.split(x, checkpoint.model.at_once(500)):
            q = checkpoint.model.encode({name: part})[checkpoint.latent]
            assert isinstance(q, DiagonalGaussian)
            total += float(prior.kl(q, q.rsample(generator, 8)).sum())
        return total / len(x)

    others = observed(checkpoint, observations)
    return Overfit(rate(own), len(own), rate(others.x), others.source)


def by_label(checkpoint: Checkpoint, columns: int, most: int, seed: int = 0) -> list[tuple[int, Images]]:
    """Samples for each of the first `most` labels of a conditional prior: a row a label.

    The noise is the same down each column.
    """
    return [(label, checkpoint.sample(columns, seed=seed, labels=[label] * columns))
            for label in range(min(most, checkpoint.classes))]


def normaliser(checkpoint: Checkpoint) -> tuple[float, float] | None:
    """log Z of the implicit prior with its standard error, as of the weights; None for other priors."""
    model = checkpoint.model
    return model.normaliser() if isinstance(model, GaussianLatent) else None


def _component_inputs(checkpoint: Checkpoint) -> ComponentInputs | None:
    model = checkpoint.model
    return model.latent_prior.component_inputs() if isinstance(model, GaussianLatent) else None
