"""Where a set of fixed points stands: the mean of the model posterior p(z|x) beside that of the inference q(z|x).

He et al. (2019) look at training in this plane: while the encoder lags behind, the model posterior moves and the
inference mean stays at 0; when it has caught up, the points lie on the diagonal.
Shapes: N points, K codes a point, r latent size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vaecore.data import OBSERVED
from vaecore.models import Batch, Family
from vaecore.probability.densities import Density
from vaecore.probability.gaussian import DiagonalGaussian, Point
from vaecore.probability.importance import effective
from vaecore.probability.posteriors import PosteriorMixture

GRID = 8.0, 161  # half its width in prior standard deviations, and its points
CODES = 32  # importance samples a point where a grid would be too large
DECODED_AT_ONCE = 4_000  # codes; bounds memory
DIMENSIONS = 32  # kept of a latent, the first ones


@dataclass(frozen=True)
class Snapshot:
    """Posterior means by latent, (N, r) each; `effective` is the effective sample size over K, a mean over points."""

    model: dict[str, Tensor]
    inference: dict[str, Tensor]
    method: str  # grid, or importance
    effective: float

    def as_dict(self) -> dict[str, object]:
        """Plain numbers of the first `DIMENSIONS` of each latent, for JSON."""
        def plain(means: dict[str, Tensor]) -> dict[str, list[list[float]]]:
            return {name: [[round(v, 4) for v in row] for row in mean[:, :DIMENSIONS].tolist()]
                    for name, mean in means.items()}

        return {"model": plain(self.model), "inference": plain(self.inference), "method": self.method,
                "effective": round(self.effective, 4)}


@torch.no_grad()
def snapshot(model: Family, batch: Batch, generator: torch.Generator | None = None, *, codes: int = CODES) -> Snapshot:
    """Both means for every observation of `batch`; by a grid for a single latent number, else by importance weights.

    The proposal of the weights is half q(z|x), half prior, so that a posterior that the encoder misses is still
    found where the prior finds it; `effective` near 1/K says that it was not.
    """
    training = model.training
    model.eval()
    posteriors = {name: q for name, q in model.encode(batch).items() if not isinstance(q, Point)}
    prior = model.prior(batch)
    if sum(model.latents.values()) == 1:
        [(name, q)] = posteriors.items()
        grid = torch.linspace(-GRID[0], GRID[0], GRID[1], device=q.mean.device)
        z = {name: grid[:, None, None].expand(-1, *q.mean.shape)}  # (K, N, 1)
        log_weights = prior[name].log_prob(z[name])
        method = "grid"
    else:
        z, log_weights = _proposals(posteriors, prior, codes, generator, conditional=model.covariate is not None)
        method = "importance"
    log_weights = log_weights + _log_likelihood(model, batch, z)  # (K, N)
    weights = log_weights.softmax(0)
    model.train(training)
    means = {name: (weights[..., None] * codes).sum(0) for name, codes in z.items()}
    share = effective(log_weights).mean() / len(weights)
    return Snapshot({name: mean.cpu() for name, mean in means.items()},
                    {name: q.mean.cpu() for name, q in posteriors.items()}, method, float(share))


def _proposals(posteriors: dict[str, DiagonalGaussian | PosteriorMixture], prior: dict[str, Density], codes: int,
               generator: torch.Generator | None, *, conditional: bool) -> tuple[dict[str, Tensor], Tensor]:
    """Codes (K, N, r) a latent, the first half from q and the others from the prior, and log p(z) / proposal(z)."""
    z: dict[str, Tensor] = {}
    log_q, log_p = torch.zeros(()), torch.zeros(())
    for name, q in posteriors.items():
        own = q.rsample(generator, codes - codes // 2)
        half, points = codes // 2, len(q.mean)
        if conditional:  # each point's own
            drawn = torch.stack([prior[name].sample(points, generator) for _ in range(half)])
        else:
            drawn = prior[name].sample(half * points, generator).view(half, points, -1)
        z[name] = torch.cat([own, drawn])
        log_q = log_q + q.log_prob(z[name])
        log_p = log_p + prior[name].log_prob(z[name])
    return z, log_p - torch.logaddexp(log_q, log_p) + math.log(2)


def _log_likelihood(model: Family, batch: Batch, z: dict[str, Tensor]) -> Tensor:
    """log p(x|z) of every code for its observation, of the modalities that it has: (K, N)."""
    count, points = next(iter(z.values())).shape[:2]
    flat = {name: codes.flatten(0, 1) for name, codes in z.items()}  # (K N, r)
    parts = []
    for rows in torch.split(torch.arange(count * points), model.at_once(DECODED_AT_ONCE)):
        observations = model.decode({name: codes[rows] for name, codes in flat.items()})
        each = torch.stack([p.log_prob(batch[name][rows % points]) for name, p in observations.items()])  # (M, rows)
        if OBSERVED in batch:  # what is missing stands as zeros in the batch, and says nothing about z
            order = [list(model.modalities).index(name) for name in observations]
            observed = batch[OBSERVED].T[order][:, rows % points]
            each = torch.where(observed.to(torch.bool), each, 0.0)
        parts.append(each.sum(0))
    return torch.cat(parts).view(count, points)
