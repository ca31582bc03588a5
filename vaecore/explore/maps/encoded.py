"""The codes of a split, and what the bound says of each observation.

Shapes: N observations, B of them, r latent size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaecore.evaluate.likelihood import DECODED_AT_ONCE, importance_log_weights
from vaecore.explore.codes import Codes
from vaecore.explore.maps.population import Population, Rows
from vaecore.models import Family
from vaecore.probability.gaussian import DiagonalGaussian

Numbers = NDArray[np.float32]
Progress = Callable[[int, int], object]  # done, of how many
LARGEST_HALF = 65504  # of float16


def unheard(done: int, total: int) -> None:
    """Nobody wants to know how far it is."""


@dataclass(frozen=True)
class Measure:
    """A number of each observation, in words."""

    title: str
    unit: str
    help: str


MEASURES = {
    "kl": Measure("KL", "nats", "KL(q(z|x) || p(z)): what the code costs of this observation."),
    "reconstruction": Measure("Reconstruction", "nats", "log p(x|z) at one code z drawn from q(z|x), the same draw "
                              "each time."),
    "elbo": Measure("ELBO", "nats", "Reconstruction less KL: a bound on log p(x), estimated with one code."),
    "error": Measure("Squared error", "per number", "Mean squared error of the decoded posterior mean."),
    "spread": Measure("Spread of q(z|x)", "", "Root mean square of the posterior's standard deviations: how uncertain "
                      "the encoder is.")}


@dataclass(frozen=True)
class Encoded:
    """Posterior means of N observations and the `MEASURES` of each that the family has."""

    means: Codes  # (N, r)
    measures: dict[str, Numbers]  # (N,) each

    def __len__(self) -> int:
        return len(self.means)

    @property
    def size(self) -> int:
        """Latent size r."""
        return int(self.means.shape[1])

    def halved(self) -> bytes:
        """The codes for a browser, little-endian float16; what that cannot hold is as large as it can."""
        return self.means.clip(-LARGEST_HALF, LARGEST_HALF).astype("<f2").tobytes()

    def column(self, name: str) -> Numbers | None:
        """A measure, or a dimension of the codes by its name, as z3: (N,); None for another name."""
        digits = name.removeprefix("z")
        if name.startswith("z") and digits.isascii() and digits.isdigit() and len(digits) < 8:
            place = int(digits)
            return self.means[:, place] if place < self.size else None
        return self.measures.get(name)


def ends(values: NDArray[np.floating]) -> tuple[float, float]:
    """The 1st and the 99th percentile of finite values; (0, 0) without any."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 0.0
    low, high = np.percentile(finite, [1, 99])
    return float(low), float(high)


@torch.inference_mode()
def encode(population: Population, progress: Progress = unheard, seed: int = 0,
           cancelled: Callable[[], bool] = lambda: False) -> Encoded:
    """Encode all observations, a batch at a time; `progress` is told how many are done of all.

    Codes are drawn with `seed`. Where it is `cancelled`, which is asked after each batch, these are the first so many
    that were done by then.
    """
    model, latent = population.checkpoint.model, population.checkpoint.latent
    generator = torch.Generator().manual_seed(seed)
    means: list[Tensor] = []
    measures: dict[str, list[Tensor]] = {}
    done = 0
    for batch in population.batches(model.at_once(DECODED_AT_ONCE)):
        posteriors = model.encode(batch)
        means.append(posteriors[latent].mean)
        evidence = model.evidence(batch, posteriors, generator)
        found = {"reconstruction": evidence.total_reconstruction(),
                 "error": next(iter(model.errors(batch, posteriors).values()))}
        if evidence.kl:
            found |= {"kl": evidence.total_kl(), "elbo": evidence.elbo()}
        if isinstance(q := posteriors[latent], DiagonalGaussian):
            found["spread"] = q.logvar.expand_as(q.mean).exp().mean(1).sqrt()
        for name, values in found.items():
            measures.setdefault(name, []).append(values)
        done += len(means[-1])
        progress(done, population.count)
        if cancelled():
            break
    return Encoded(torch.cat(means).float().numpy(),
                   {name: torch.cat(measures[name]).float().numpy() for name in MEASURES if name in measures})


def log_likelihoods(population: Population, rows: Rows, samples: int = 100, seed: int = 0,
                    cancelled: Callable[[], bool] = lambda: False) -> Numbers:
    """log p(x) of some observations by importance sampling with K = `samples`, (B,) in nats.

    Raises `ValueError` for a family without a prior, and `vaecore.evaluate.likelihood.Cancelled`.
    """
    model: Family = population.checkpoint.model
    if not population.checkpoint.has_prior:
        raise ValueError(f"{population.checkpoint.run.id} has no prior, so log p(x) is not defined for it.")
    generator = torch.Generator().manual_seed(seed)
    found = []
    for start in range(0, len(rows), 100):
        batch = population.batch(rows[start:start + 100])
        weights = importance_log_weights(model, batch, samples, generator, cancelled=cancelled)
        found.append(weights.logsumexp(0) - math.log(samples))
    return torch.cat(found).float().numpy() if found else np.zeros(0, np.float32)
