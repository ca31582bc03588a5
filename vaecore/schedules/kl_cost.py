"""What the KL costs: itself, free bits of two kinds, or its distance from a target. beta weighs it in the loss."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from vaecore.schema import Strict, option


class KLTerm(Strict):
    """A cost of the KL, in nats: the mean over a batch of what counts of it at each observation is charged."""

    def at(self, step: int, total: int) -> Charge:
        """The cost at a step, as an objective takes it."""
        return Charge(self, self.nats_at(step, total))

    def nats_at(self, step: int, total: int) -> float:
        """The one number that the cost has at a step, in nats; 0 where it has none."""
        return 0.0

    def counted(self, kl: Tensor, nats: float | Tensor) -> Tensor:
        """What counts of each observation's KL, (B, r): all of it, unless observations are told apart."""
        return kl

    @abstractmethod
    def cost(self, kl: Mapping[str, Tensor], nats: float | Tensor) -> Tensor:
        """A scalar in nats, of the mean by latent and dimension (r,) of what counts.

        `nats` is that one number, a tensor where several models are trained stacked.
        """

    def settled(self, step: int, total: int) -> bool:
        """Whether the cost is what it ends as from `step` on."""
        return True


@dataclass(frozen=True)
class Charge:
    """A cost with its number at one step: what beta weighs then."""

    term: KLTerm
    nats: float | Tensor

    def counted(self, kl: Tensor) -> Tensor:
        """What counts of each observation's KL, (B, r)."""
        return self.term.counted(kl, self.nats)

    def __call__(self, kl: Mapping[str, Tensor]) -> Tensor:
        """The cost of its mean by latent and dimension (r,), a scalar in nats."""
        return self.term.cost(kl, self.nats)


class Plain(KLTerm):
    """The KL itself: the ELBO of equation (9)."""

    kind: Literal["plain"] = "plain"

    def cost(self, kl: Mapping[str, Tensor], nats: float | Tensor) -> Tensor:
        return _sum(kl)


class _Free(KLTerm):
    """Some nats of each group for free."""

    nats: float = option(0.1, "KL that each group has for free, lambda.", unit="nats", ge=0, le=1e4)
    group: Literal["dimension", "latent"] = option("dimension", "What a group is: each dimension, or a whole latent.")

    def nats_at(self, step: int, total: int) -> float:
        return self.nats

    def groups(self, latents: Mapping[str, int]) -> int:
        """How many groups latents of so many dimensions have, each with its own nats for free."""
        return sum(latents.values()) if self.group == "dimension" else len(latents)


class FreeBits(_Free):
    """Free bits (Kingma et al. 2016): sum over groups of max(lambda, mean KL of the group over the batch).

    A dimension of clips is that of all their frames together, in training as in choosing the best weights. Under a
    prior without closed form there is no KL by dimension, so a training with such groups is refused.
    A group below lambda has no gradient, so its KL can sit at lambda while its code says nothing: look at active
    units and mutual information too.
    """

    kind: Literal["free-bits"] = "free-bits"

    def cost(self, kl: Mapping[str, Tensor], nats: float | Tensor) -> Tensor:
        groups = [k if self.group == "dimension" else k.sum() for k in kl.values()]
        return torch.stack([torch.clamp(group, min=nats).sum() for group in groups]).sum()


class MaskedFreeBits(_Free):
    """Free bits of each observation, as the released code of Li et al. (2019) has them: sum of 1[KL > lambda] KL.

    Of a group of one observation at or under lambda nothing is charged and nothing pulled, of one above it the whole
    KL, so the cost jumps at lambda, and is no bound. Dimensions are its `fb 2`, the whole latent is its `fb 1`; the
    paper's target of 8 nats in 32 dimensions is lambda = 0.25. The best weights are those of the best ELBO, as there.
    Plain free bits look at the mean over the batch instead, so that one observation's KL is charged for the others'.
    """

    kind: Literal["free-bits-masked"] = "free-bits-masked"

    def counted(self, kl: Tensor, nats: float | Tensor) -> Tensor:
        group = kl if self.group == "dimension" else kl.sum(-1, keepdim=True)
        return torch.where(group > nats, kl, torch.zeros_like(kl))

    def cost(self, kl: Mapping[str, Tensor], nats: float | Tensor) -> Tensor:
        return _sum(kl)


class Capacity(KLTerm):
    """A target C for the KL (Burgess et al. 2018): |KL - C|, C rising from 0. Give it a large constant beta."""

    kind: Literal["capacity"] = "capacity"
    nats: float = option(10.0, "Target C of the total KL.", unit="nats", ge=0, le=1e4)
    fraction: float = option(0.5, "Share of training in which C rises from 0 to its value.", unit="of training", gt=0,
                             le=1)

    def nats_at(self, step: int, total: int) -> float:
        return self.nats * min(1.0, step / max(1.0, self.fraction * total))

    def cost(self, kl: Mapping[str, Tensor], nats: float | Tensor) -> Tensor:
        return (_sum(kl) - nats).abs()

    def settled(self, step: int, total: int) -> bool:
        return step >= self.fraction * total


KLChoice = Annotated[Plain | FreeBits | MaskedFreeBits | Capacity, Field(discriminator="kind")]


def _sum(kl: Mapping[str, Tensor]) -> Tensor:
    return torch.stack([k.sum() for k in kl.values()]).sum()
