"""The evidence over a whole split, as exact sums: what an evaluation line and a summary hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from vaecore.models import Family
from vaecore.training.feed import Feed

BATCH = 500
ACTIVE = 0.01  # a dimension is active when its posterior mean varies more than this (Burda et al. 2016)


@dataclass(frozen=True)
class Evaluation:
    """Means over a split, in nats per observation unless said otherwise."""

    elbo: float
    reconstruction: Mapping[str, float]  # E_q log p(x|z) by modality
    kl: Mapping[str, list[float]]  # by latent and dimension
    mse: Mapping[str, float]  # of the decoded posterior mean, per observed number
    code_mean: Mapping[str, list[float]]  # of the posterior means, by latent and dimension
    code_variance: Mapping[str, list[float]]
    observations: int

    @property
    def active(self) -> int:
        """Active dimensions: those whose posterior mean has a variance above 0.01."""
        return sum(v > ACTIVE for variances in self.code_variance.values() for v in variances)

    def objective(self, beta: float) -> float:
        """Reconstruction less beta times KL: what training maximises once beta is at its final value."""
        return sum(self.reconstruction.values()) - beta * sum(sum(values) for values in self.kl.values())

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return {**asdict(self), "active": self.active}


@torch.inference_mode()
def evaluate(model: Family, feed: Feed, seed: int) -> Evaluation:
    """Exact sums over every observation of `feed`, with the same noise whenever the seed is the same."""
    generator = torch.Generator(feed.device).manual_seed(seed)
    sums: dict[tuple[str, str], Tensor] = {}

    def add(term: str, name: str, values: Tensor) -> None:
        total = values.double().sum(0)
        sums[term, name] = sums[term, name] + total if (term, name) in sums else total

    training = model.training
    model.eval()
    for batch in feed.in_order(BATCH):
        evidence = model.elbo(batch, generator)
        for name, values in evidence.reconstruction.items():
            add("reconstruction", name, values)
        for name, values in evidence.kl.items():
            add("kl", name, values.flatten(1))
        posteriors = model.encode(batch)
        for name, posterior in posteriors.items():
            add("code", name, posterior.mean.flatten(1))
            add("code2", name, posterior.mean.flatten(1).double().square())
        decoded = model.decode({name: posterior.mean for name, posterior in posteriors.items()})
        for name, p in decoded.items():
            add("mse", name, (p.mean - batch[name]).square().flatten(1).mean(1))
    model.train(training)

    n = len(feed)
    mean = {key: (total / n).cpu() for key, total in sums.items()}

    def scalars(term: str) -> dict[str, float]:
        return {name: float(value) for (t, name), value in mean.items() if t == term}

    def vectors(term: str) -> dict[str, list[float]]:
        return {name: value.tolist() for (t, name), value in mean.items() if t == term}

    codes = [name for term, name in mean if term == "code"]
    variance = {name: (mean["code2", name] - mean["code", name].square()).clamp(min=0).tolist() for name in codes}
    reconstruction, kl = scalars("reconstruction"), vectors("kl")
    elbo = sum(reconstruction.values()) - sum(sum(values) for values in kl.values())
    return Evaluation(elbo, reconstruction, kl, scalars("mse"), vectors("code"), variance, n)
