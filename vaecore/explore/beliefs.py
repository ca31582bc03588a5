"""What is known of a latent that several modalities share: by the prior, by each modality given, and by all together.

Shapes: r latent size, G points of a curve.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from vaecore.arrays import Numbers
from vaecore.models import Family
from vaecore.models.multimodal.dmvae import SHARED
from vaecore.models.multimodal.shared import Multimodal
from vaecore.probability.gaussian import DiagonalGaussian, Point
from vaecore.probability.posteriors import PosteriorMixture

Rule = Literal["product", "mixture", "network", "prior"]
POINTS = 161  # of a curve, before those near its peaks
REACH = 3.4  # of a curve, in standard deviations of the prior


@dataclass(frozen=True)
class Belief:
    """A Gaussian in each latent dimension: `mean` and `std`, (r,) each. A factor that knows nothing has std inf."""

    name: str
    mean: Numbers
    std: Numbers
    weight: float = 1.0  # in a mixture

    def density(self, dimension: int, z: Numbers) -> Numbers:
        """The belief's density of one dimension at points (G,)."""
        mean, std = float(self.mean[dimension]), float(self.std[dimension])
        if not math.isfinite(std):
            return np.zeros_like(z)
        found: Numbers = np.exp(-0.5 * ((z - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))
        return found


class Curves(NamedTuple):
    """Densities of one latent dimension at points `z` (G,); `parts` by name."""

    dimension: int
    z: Numbers
    prior: Numbers
    parts: dict[str, Numbers]
    posterior: Numbers


@dataclass(frozen=True)
class Beliefs:
    """What is known of a latent: by the prior, by each given modality, and together.

    `product`: the posterior is the prior times the parts, each a factor of one modality. `mixture`: it is the mean of
    the parts, each the prior times what some modalities say. `network`: one network read everything, so there are no
    parts. `prior`: nothing is given. `order` has the dimensions, those that are narrowed most first.
    """

    latent: str
    rule: Rule
    prior: Belief
    parts: tuple[Belief, ...]
    posterior: Belief  # mean and standard deviation, of a mixture too
    order: list[int]

    def certainty(self, dimension: int) -> dict[str, float]:
        """1 / variance by name. Those of the prior and of a product's factors add up to the posterior's."""
        each = (self.prior, *self.parts, self.posterior)
        return {belief.name: float(belief.std[dimension]) ** -2 for belief in each}

    def curves(self, dimension: int) -> Curves:
        """The densities, on points that lie close together where one of them peaks."""
        peaks = [b for b in (self.prior, *self.parts, self.posterior) if math.isfinite(b.std[dimension])]
        middle, aside = float(self.posterior.mean[dimension]), 3 * float(self.posterior.std[dimension])
        low, high = min(-REACH, middle - aside), max(REACH, middle + aside)
        near = [b.mean[dimension] + b.std[dimension] * np.linspace(-4, 4, 81) for b in peaks]
        z = np.unique(np.concatenate([np.linspace(low, high, POINTS), *near]))
        z = z[(z >= low) & (z <= high)]
        parts = {part.name: part.density(dimension, z) for part in self.parts}
        whole = sum((part.weight * parts[part.name] for part in self.parts), np.zeros_like(z)) \
            if self.rule == "mixture" else self.posterior.density(dimension, z)
        return Curves(dimension, z, self.prior.density(dimension, z), parts, whole)


@torch.inference_mode()
def beliefs(model: Family, batch: Mapping[str, Tensor]) -> Beliefs | None:
    """What the prior, each modality of a batch of one, and all of them together know of the latent they share.

    None for a family without a prior, or without a Gaussian latent that its modalities share.
    """
    latent = "z" if "z" in model.latents else SHARED
    if not isinstance(model, Multimodal) or latent not in model.latents or not model.prior():
        return None
    size = model.latents[latent]
    prior = Belief("prior", np.zeros(size), np.ones(size))
    if not batch:
        return Beliefs(latent, "prior", prior, (), Belief("posterior", prior.mean, prior.std), list(range(size)))
    q = model.encode(batch)[latent]
    if isinstance(q, PosteriorMixture):
        parts = _components(model, q)
        mean = sum((part.weight * part.mean for part in parts), np.zeros(size))
        square = sum((part.weight * (part.std**2 + part.mean**2) for part in parts), np.zeros(size))
        posterior = Belief("mixture", mean, np.sqrt(np.maximum(square - mean**2, 1e-12)))
        narrowed = -sum((part.weight * np.log(part.std) for part in parts), np.zeros(size))
        return Beliefs(latent, "mixture", prior, parts, posterior, largest_first(narrowed))
    if isinstance(q, Point):
        return None
    factors = _factors(model, batch, latent)
    posterior = Belief("product" if factors else "posterior", *_moments(q))
    return Beliefs(latent, "product" if factors else "network", prior, factors, posterior,
                   largest_first(-np.log(posterior.std)))


def largest_first(values: Numbers) -> list[int]:
    """The places of the numbers (r,), those of the largest first."""
    return [int(place) for place in np.argsort(-values, kind="stable")]


def _factors(model: Family, batch: Mapping[str, Tensor], latent: str) -> tuple[Belief, ...]:
    """The factor of each given modality; none where one network reads them all."""
    if not isinstance(model, Multimodal):
        return ()
    experts = model.experts(batch).get(latent)
    if experts is None:
        return ()
    found = []
    for m, name in enumerate(model.modalities):
        if name in batch:
            precision = experts.precision[m, 0].double()
            mean, std = experts.shift[m, 0].double() / precision.clamp(min=1e-12), precision.rsqrt()
            found.append(Belief(name, mean.numpy(), std.numpy()))
    return tuple(found)


def _components(model: Family, q: PosteriorMixture) -> tuple[Belief, ...]:
    """The Gaussians of a mixture that weigh something, named by the modalities that each was read from."""
    subsets = model.subsets if isinstance(model, Multimodal) else None
    found = []
    for place, (part, weight) in enumerate(zip(q.components, q.weights[:, 0].tolist(), strict=True)):
        if weight > 0:
            members = [] if subsets is None else subsets[place].tolist()
            read = [name for name, member in zip(model.modalities, members, strict=False) if member]
            mean, std = _moments(part)
            found.append(Belief(" + ".join(read) or f"component {place}", mean, std, weight))
    return tuple(found)


def _moments(q: DiagonalGaussian) -> tuple[Numbers, Numbers]:
    return q.mean[0].double().numpy(), (0.5 * q.logvar[0].double()).exp().numpy()
