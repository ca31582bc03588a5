"""The terms of the ELBO, and what of them training maximises. In nats per observation.

Shapes: B observations, r latent size. The ELBO is maximised; a loss is its negative, and no name says the opposite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from vaecore.probability.whole import whole_mean

Bound = Callable[[float | Tensor], Tensor]  # beta -> a scalar in nats


class KLCost(Protocol):
    """What is charged in the place of the KL, as free bits are."""

    def counted(self, kl: Tensor) -> Tensor:
        """What counts of each observation's KL, (B, r)."""
        ...

    def __call__(self, kl: Mapping[str, Tensor]) -> Tensor:
        """The cost of its mean over the batch, by latent and dimension (r,); a scalar in nats."""
        ...


@dataclass(frozen=True)
class Evidence:
    """The terms of one ELBO by name: `reconstruction[modality]` (B,) is E_q log p(x|z), `kl[latent]` (B, r).

    Where it has no closed form by dimension the KL is (B, 1); of clips of T frames it is (B, T-1, r), or (B, 1, r) of
    one code a clip.
    """

    reconstruction: Mapping[str, Tensor]
    kl: Mapping[str, Tensor]

    def total_reconstruction(self) -> Tensor:
        """Summed over modalities, (B,)."""
        return _sum(self.reconstruction.values())

    def total_kl(self) -> Tensor:
        """Summed over latents and their dimensions, (B,); zero for a family without a KL."""
        if not self.kl:
            return torch.zeros_like(next(iter(self.reconstruction.values())))
        return _sum(kl.flatten(1).sum(1) for kl in self.kl.values())

    def mean_kl(self, cost: KLCost) -> dict[str, Tensor]:
        """A mean over the batch of what counts for `cost`, by latent and dimension (r,).

        Of clips, (B, T-1, r), frames are summed before.
        """
        return {name: whole_mean(cost.counted(k.flatten(1, -2).sum(1) if k.ndim > 2 else k))
                for name, k in self.kl.items()}

    def elbo(self) -> Tensor:
        """Equation (9), (B,)."""
        return self.total_reconstruction() - self.total_kl()


class Terms(NamedTuple):
    """The terms of an objective, scalars in nats.

    `reconstruction` and `kl` are batch means of its first ELBO, unweighted.
    """

    reconstruction: Tensor
    kl: Tensor
    fit: Tensor  # what is maximised: the weighted reconstructions of all ELBOs
    charged: Tensor  # what beta weighs: the KL of all, or what it costs
    penalty: Tensor
    bound: Bound | None = None  # what is maximised in the place of fit less beta times what is charged

    def loss(self, beta: float | Tensor = 1.0) -> Tensor:
        """What an optimizer minimises, a scalar in nats: for a plain VAE with beta 1 the negative ELBO."""
        if self.bound is not None:
            return self.penalty - self.bound(beta)
        return beta * self.charged - self.fit + self.penalty


@dataclass(frozen=True)
class Objective:
    """What a family trains: a weighted list of ELBOs, and named penalties (scalars, nats per observation).

    The first ELBO is the one that curves show. `weights` multiply the reconstruction of a modality, 1 where not given.
    """

    elbos: list[tuple[float, Evidence]]
    penalties: Mapping[str, Tensor] = field(default_factory=dict)
    divergence: Tensor | None = None  # a scalar in nats that beta weighs in the place of the KL
    weights: Mapping[str, float] = field(default_factory=dict)
    kl_weight: float = 1.0  # of what the KL costs, beside beta: less where a family lets its codes in by and by
    bound: Bound | None = None  # what is maximised in the place of the ELBOs, where that is no sum of their terms

    def terms(self, cost: KLCost | None = None) -> Terms:
        """The terms of the loss, charged * beta - fit + penalty.

        `cost` charges the KL by latent and dimension with something else than its sum, as free bits do.
        """
        first = self.elbos[0][1]
        reconstruction, kl = first.total_reconstruction().mean(), first.total_kl().mean()
        if len(self.elbos) == 1 and self.elbos[0][0] == 1 and not self.weights:
            fit, charged = reconstruction, kl
        else:
            fit = _sum(w * self.weights.get(name, 1.0) * log_prob.mean()
                       for w, e in self.elbos for name, log_prob in e.reconstruction.items())
            charged = _sum(w * e.total_kl().mean() for w, e in self.elbos)
        if self.divergence is not None:
            charged = self.divergence
        elif cost is not None:
            charged = _sum(w * cost(e.mean_kl(cost)) if e.kl else torch.zeros_like(kl) for w, e in self.elbos)
        if self.kl_weight != 1:
            charged = self.kl_weight * charged
        penalty = _sum(self.penalties.values()) if self.penalties else torch.zeros_like(kl)
        return Terms(reconstruction, kl, fit, charged, penalty, self.bound)


def _sum(terms: Iterable[Tensor]) -> Tensor:
    """One after the other: a single term, the usual case, costs nothing."""
    return reduce(torch.add, terms)
