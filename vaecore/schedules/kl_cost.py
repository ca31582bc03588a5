"""What the KL costs: itself, free bits, or its distance from a target. beta weighs the cost in the loss."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from vaecore.schema import Strict, option


class KLTerm(Strict):
    """A cost of the mean KL over a batch, by latent and dimension (r,) in nats; a scalar in nats."""

    def __call__(self, kl: Mapping[str, Tensor], step: int, total: int) -> Tensor:
        return self.cost(kl, self.nats_at(step, total))

    def nats_at(self, step: int, total: int) -> float:
        """The one number that the cost has at a step, in nats; 0 where it has none."""
        return 0.0

    @abstractmethod
    def cost(self, kl: Mapping[str, Tensor], nats: float | Tensor) -> Tensor:
        """The cost with that number, which is a tensor where several models are trained stacked."""

    def settled(self, step: int, total: int) -> bool:
        """Whether the cost is what it ends as from `step` on."""
        return True


class Plain(KLTerm):
    """The KL itself: the ELBO of equation (9)."""

    kind: Literal["plain"] = "plain"

    def cost(self, kl: Mapping[str, Tensor], nats: float | Tensor) -> Tensor:
        return torch.stack([k.sum() for k in kl.values()]).sum()


class FreeBits(KLTerm):
    """Free bits (Kingma et al. 2016): sum over groups of max(lambda, mean KL of the group over the batch).

    A dimension of clips is that of all their frames together, in training as in choosing the best weights. Under a
    prior without closed form there is no KL by dimension, so a training with such groups is refused.
    A group below lambda has no gradient, so its KL can sit at lambda while its code says nothing: look at active
    units and mutual information too.
    """

    kind: Literal["free-bits"] = "free-bits"
    nats: float = option(0.1, "KL that each group has for free, lambda.", unit="nats", ge=0, le=1e4)
    group: Literal["dimension", "latent"] = option("dimension", "What a group is: each dimension, or a whole latent.")

    def nats_at(self, step: int, total: int) -> float:
        return self.nats

    def cost(self, kl: Mapping[str, Tensor], nats: float | Tensor) -> Tensor:
        groups = [k if self.group == "dimension" else k.sum() for k in kl.values()]
        return torch.stack([torch.clamp(group, min=nats).sum() for group in groups]).sum()


class Capacity(KLTerm):
    """A target C for the KL (Burgess et al. 2018): |KL - C|, C rising from 0. Give it a large constant beta."""

    kind: Literal["capacity"] = "capacity"
    nats: float = option(10.0, "Target C of the total KL.", unit="nats", ge=0, le=1e4)
    fraction: float = option(0.5, "Share of training in which C rises from 0 to its value.", unit="of training", gt=0,
                             le=1)

    def nats_at(self, step: int, total: int) -> float:
        return self.nats * min(1.0, step / max(1.0, self.fraction * total))

    def cost(self, kl: Mapping[str, Tensor], nats: float | Tensor) -> Tensor:
        return (torch.stack([k.sum() for k in kl.values()]).sum() - nats).abs()

    def settled(self, step: int, total: int) -> bool:
        return step >= self.fraction * total


KLChoice = Annotated[Plain | FreeBits | Capacity, Field(discriminator="kind")]
