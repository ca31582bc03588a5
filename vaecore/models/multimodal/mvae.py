"""The multimodal VAE with a product of experts (MVAE, Wu & Goodman 2018), equations (22) to (24).

Generation: z ~ N(0, I), then each modality from z by its own decoder: p(z) prod_m p(x_m|z) (22). Inference: the prior
times a Gaussian factor from each modality (23); what is missing is left out of the product. Training sums the ELBO (24)
of all modalities, of each alone, and of random subsets of them.

Shapes: B observations, M modalities, S subsets of them, r latent size; `observed` (M, B) is None where all have all.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from vaecore.models.base import Batch, Family, Given, Modalities
from vaecore.models.evidence import Evidence, Objective
from vaecore.models.multimodal.shared import (
    Encoders,
    MultimodalVAE,
    PosteriorConfig,
    SharedLatentConfig,
    observed_mask,
    shared_latent,
)
from vaecore.probability.gaussian import DiagonalGaussian, Experts
from vaecore.probability.posteriors import Posterior
from vaecore.schema import option


class MVAEConfig(PosteriorConfig):
    """MVAE: the prior times one Gaussian factor a modality; what is missing is left out of the product."""

    title: ClassVar[str] = "Product of experts (MVAE)"
    kind: Literal["product"] = "product"
    marginals: bool = option(True, "Whether each modality's own ELBO is trained besides the joint one. Without these "
                             "terms no expert learns to stand alone.")
    random_subsets: int = option(1, "Random subsets whose ELBO is trained besides, new ones at each step; their size "
                                 "is drawn first, from 2 to M - 1. Two modalities have none.", unit="subsets", ge=0,
                                 le=64)
    quotient: Literal["factor", "posterior"] = option(
        "factor", "What an encoder gives: a factor of the product itself, or a posterior q(z|x) that is divided by the "
        "prior (MVAE-Q).", advanced=True)

    def build(self, modalities: Modalities, config: SharedLatentConfig) -> Family:
        return MVAE(modalities, config)


class MVAE(MultimodalVAE):
    """An encoder for each modality, run once for all subsets, and the product of what they say."""

    choice = MVAEConfig

    def __init__(self, modalities: Given, config: SharedLatentConfig | None = None, **fields: Any) -> None:
        config, choice, modalities = shared_latent(self.choice, config, fields, modalities)
        super().__init__(modalities, config)
        self.marginals, self.quotients = choice.marginals, choice.quotient == "posterior"
        self.random_subsets = choice.random_subsets if len(modalities) > 2 else 0
        self._on: dict[torch.device, tuple[Tensor, list[list[bool]]]] = {}
        self.encoder = Encoders(modalities, 2 * config.latent_size, config.networks)

    def objective(self, batch: Batch, generator: torch.Generator | None = None) -> Objective:
        """The ELBO (24) of every subset of this step, each of which reconstructs only its own members (erratum E11)."""
        observed = observed_mask(batch, self.names)
        subsets, rows = self.subsets_on(next(iter(batch.values())).device, generator)
        experts = self.experts_of(batch, observed)  # q(z|x_m) / p(z), (M, B, r)
        q = experts.product(subsets)  # (23): p(z) times the experts of each subset, (S, B, r)
        z = q.rsample(generator)[0]
        having = [[s for s, row in enumerate(rows) if row[m]] for m in range(len(self.names))]
        # An observation that has nothing of a subset says nothing in its ELBO.
        counts = None if observed is None else subset_counts(subsets, observed)  # (S, B)
        members = dict(zip(self.names, having, strict=True))
        # log p(x_m|z), for the codes of those subsets that have modality m
        scores = self.log_likelihoods(batch, observed, {
            name: torch.stack([z[s] for s in those]) for name, those in members.items()}, generator,
            None if counts is None else {name: torch.stack([counts[s] for s in those])
                                         for name, those in members.items()})
        kl = q.kl_from_standard()
        elbos = []
        for s, subset in enumerate(rows):
            here = 1.0 if counts is None else counts[s]
            terms = {name: scores[name][having[m].index(s)] * here for m, name in enumerate(self.names) if subset[m]}
            elbos.append((1.0, Evidence(terms, {"z": kl[s] if counts is None else kl[s] * counts[s][:, None]})))
        return Objective(elbos, weights=self.weights)

    def varies(self, total: int) -> str:
        return "which subsets of its modalities are trained is drawn anew for each step" if self.random_subsets else ""

    def encode(self, batch: Batch) -> dict[str, Posterior]:
        experts = self.experts_of(batch, observed_mask(batch, self.names))
        q = experts.product(torch.ones(1, len(self.names), device=experts.shift.device))
        return {"z": DiagonalGaussian(q.mean[0], q.logvar[0])}

    def experts(self, batch: Batch) -> dict[str, Experts]:
        return {"z": self.experts_of(batch, observed_mask(batch, self.names))}

    def experts_of(self, batch: Batch, observed: Tensor | None) -> Experts:
        """The factors of what is observed, (M, B, r)."""
        heads = self.encoder(batch)
        found = Experts.quotients(heads) if self.quotients else Experts.bounded(heads)
        return found if observed is None else found.where(observed)

    def subsets_on(self, device: torch.device, generator: torch.Generator | None) -> tuple[Tensor, list[list[bool]]]:
        """The subsets of one step, (S, M) on a device, and as rows: which code goes where is decided on the CPU.

        What is the same at every step is copied to a device once: a copy would wait for it.
        """
        if self.random_subsets:
            drawn = self.drawn_subsets(generator)
            return drawn.to(device), drawn.tolist()
        if device not in self._on:
            always = self.drawn_subsets()
            self._on[device] = always.to(device), always.tolist()
        return self._on[device]

    def drawn_subsets(self, generator: torch.Generator | None = None) -> Tensor:
        """The subsets of modalities of one step, (S, M): all, each alone, and random ones."""
        count = len(self.names)
        rows = [torch.ones(1, count, dtype=torch.bool)]
        if self.marginals:
            rows.append(torch.eye(count, dtype=torch.bool))
        if self.random_subsets:
            drawn = torch.rand(self.random_subsets, count + 1, generator=generator,
                               device=generator.device if generator else None).cpu()
            sizes = 2 + (drawn[:, :1] * (count - 2)).long()  # size first, then a subset of that size
            rows.append(drawn[:, 1:].argsort(1).argsort(1) < sizes)
        return torch.cat(rows)


def subset_counts(subsets: Tensor, observed: Tensor) -> Tensor:
    """Whether the ELBO of a subset counts for an observation, (S, B) of 0 and 1.

    Where one modality is all there is, its own ELBO is the joint one and counts once.
    """
    shown = (subsets.to(observed.device)[..., None] & observed).sum(1)  # (S, B): how many of the subset it has
    counts = shown > 0
    counts[1:] &= observed.sum(0) > 1
    # Of a random subset with one of them there, or all there is, the ELBO counts already.
    drawn = (subsets.sum(1) > 1).to(observed.device) & (torch.arange(len(subsets), device=observed.device) > 0)
    return (counts & (~drawn[:, None] | ((shown > 1) & (shown < observed.sum(0))))).float()
