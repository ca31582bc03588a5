"""log p(x_m | the other modalities), the difference of two importance-sampled likelihoods.

log p(x_m | others) = log p(all) - log p(others), each by importance sampling from its own posterior, as Suzuki et al.
(2016) do: of everything from q(z | all), of the others from q(z | others). Both are estimates from below, so their
difference is no bound: where the posterior without modality m fits badly, log p(others) is too low and the difference
too high. The effective share of the samples says so.

Shapes: B observations, K importance samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from vaecore.data import OBSERVED
from vaecore.evaluate.likelihood import importance_log_weights
from vaecore.models import Batch, Family


@dataclass(frozen=True)
class Conditional:
    """Of one modality, a mean over observations in nats."""

    given: list[str]
    log_likelihood: float
    standard_error: float  # of the mean, from the spread over observations
    effective: float  # effective share of the K samples of q(z | given)


@dataclass(frozen=True)
class Conditionals:
    """Of every modality, with log p of everything."""

    modalities: Mapping[str, Conditional]
    joint: float  # log p(all) of the same observations
    effective: float  # effective share of the K samples of q(z | all)
    samples: int
    observations: int


@torch.inference_mode()
def conditional_likelihoods(model: Family, batches: Iterable[Batch], samples: int, *, seed: int = 0,
                            progress: Callable[[int], object] | None = None,
                            cancelled: Callable[[], bool] = lambda: False) -> Conditionals:
    """With K = `samples`, over the observations of `batches` that have all modalities.

    `progress` is told how many are done. Raises `ValueError` for a model of one modality or without a prior, for K
    below 1 and where no observation has everything, and `Cancelled`.
    """
    names = list(model.modalities)
    if len(names) < 2:
        raise ValueError("one modality has no others to be conditioned on.")
    generator = torch.Generator().manual_seed(seed)
    whole: list[Tensor] = []
    shares: dict[str, list[Tensor]] = {name: [] for name in ["", *names]}
    rest: dict[str, list[Tensor]] = {name: [] for name in names}
    done = 0
    for batch in batches:
        done += len(next(iter(batch.values())))
        if OBSERVED in batch:
            there = batch[OBSERVED].all(1)
            batch = {name: x[there] for name, x in batch.items() if name != OBSERVED}
        if not len(next(iter(batch.values()))):
            continue
        for without in ["", *names]:
            part = {name: x for name, x in batch.items() if name != without}
            weights = importance_log_weights(model, part, samples, generator, cancelled=cancelled).cpu()
            (rest[without] if without else whole).append(weights.logsumexp(0) - math.log(samples))
            shares[without].append((2 * weights.logsumexp(0) - (2 * weights).logsumexp(0)).exp() / samples)
        if progress:
            progress(done)
    if not whole:
        raise ValueError("no observation has all modalities.")
    joint = torch.cat(whole)
    effective = {name: float(torch.cat(parts).mean()) for name, parts in shares.items()}
    found = {}
    for name in names:
        values = joint - torch.cat(rest[name])
        error = float(values.std() / math.sqrt(len(values))) if len(values) > 1 else math.nan
        found[name] = Conditional([other for other in names if other != name], float(values.mean()), error,
                                  effective[name])
    return Conditionals(found, float(joint.mean()), effective[""], samples, len(joint))
