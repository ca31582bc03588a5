"""Mixtures of posteriors: one modality at a time (MMVAE, Shi et al. 2019), or all their products (MoPoE, Sutter et al.
2021).

Generation: as equation (22), z ~ N(0, I), then each modality from z by its own decoder. Inference: posteriors of some
subsets of the modalities, each the prior times its experts (23), mixed with equal weights. Training maximises the mean
of their ELBOs, in which every one has to account for all modalities.

Shapes: B observations, M modalities, S subsets of them, r latent size; `observed` (M, B) is None where all have all.
"""

from __future__ import annotations

from itertools import product as every
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
from vaecore.probability.posteriors import Posterior, PosteriorMixture
from vaecore.schema import problem

MAX_MIXED = 8  # modalities whose 255 subsets are all decoded


class MMVAEConfig(PosteriorConfig):
    """MMVAE: the posteriors of single modalities, mixed; each has to account for everything."""

    title: ClassVar[str] = "Mixture of experts (MMVAE)"
    kind: Literal["mixture"] = "mixture"

    def build(self, modalities: Modalities, config: SharedLatentConfig) -> Family:
        return MMVAE(modalities, config)


class MoPoEConfig(PosteriorConfig):
    """MoPoE: the products of all 2^M - 1 subsets, mixed."""

    title: ClassVar[str] = "Mixture of products (MoPoE)"
    kind: Literal["mixture-of-products"] = "mixture-of-products"

    def build(self, modalities: Modalities, config: SharedLatentConfig) -> Family:
        return MoPoE(modalities, config)


class MMVAE(MultimodalVAE):
    """The posteriors of single modalities, mixed."""

    choice: ClassVar[type[PosteriorConfig]] = MMVAEConfig  # whose fields are keywords as well

    def __init__(self, modalities: Given, config: SharedLatentConfig | None = None, **fields: Any) -> None:
        config, _, modalities = shared_latent(self.choice, config, fields, modalities)
        super().__init__(modalities, config)
        self.subsets: Tensor = self.mixed(len(modalities))  # on the CPU
        self._on: dict[torch.device, Tensor] = {}  # the same on each device: a copy at each step would wait for it
        self.encoder = Encoders(modalities, 2 * config.latent_size, config.networks)

    @staticmethod
    def mixed(count: int) -> Tensor:
        """The subsets of `count` modalities whose posteriors are mixed, (S, M): each one alone."""
        return torch.eye(count, dtype=torch.bool, device="cpu")

    def objective(self, batch: Batch, generator: torch.Generator | None = None) -> Objective:
        """The mean ELBO of the components, a lower bound of the mixture's own: every component reconstructs all."""
        observed = observed_mask(batch, self.names)
        q = self.mixture(batch, observed)  # of each subset the prior times its experts (23), (S, B, r)
        parts = DiagonalGaussian(q.means, q.logvars)
        z = parts.rsample(generator)[0]  # (S, B, r): one code of each, not one of the mixture
        # log p(x_m|z), (S, B) a modality
        scores = self.log_likelihoods(batch, observed, dict.fromkeys(self.names, z), generator,
                                      dict.fromkeys(self.names, q.weights))
        kl = (q.weights[..., None] * parts.kl_from_standard()).sum(0)
        return Objective([(1.0, Evidence({name: (q.weights * s).sum(0) for name, s in scores.items()}, {"z": kl}))],
                         weights=self.weights)

    def encode(self, batch: Batch) -> dict[str, Posterior]:
        return {"z": self.mixture(batch, observed_mask(batch, self.names))}

    def experts(self, batch: Batch) -> dict[str, Experts]:
        return {"z": self.experts_of(batch, observed_mask(batch, self.names))}

    def experts_of(self, batch: Batch, observed: Tensor | None) -> Experts:
        """The factors of what is observed, (M, B, r)."""
        found = Experts.bounded(self.encoder(batch))
        return found if observed is None else found.where(observed)

    def mixture(self, batch: Batch, observed: Tensor | None) -> PosteriorMixture:
        """The components that an observation has in full, with equal weights."""
        experts = self.experts_of(batch, observed)
        device = experts.shift.device
        if device not in self._on:
            self._on[device] = self.subsets.to(device)
        subsets = self._on[device]
        q = experts.product(subsets)
        if observed is None:
            return PosteriorMixture(q.mean, q.logvar, q.mean.new_full(q.mean.shape[:2], 1 / len(subsets)))
        inside = ~(subsets[..., None] & ~observed).any(1)  # (S, B)
        inside |= ~inside.any(0)  # of an observation without anything every component is the prior
        return PosteriorMixture(q.mean, q.logvar, inside.to(q.mean) / inside.sum(0))


class MoPoE(MMVAE):
    """The products of all subsets of modalities, mixed; of at most 8, as all of them are decoded."""

    choice: ClassVar[type[PosteriorConfig]] = MoPoEConfig

    @staticmethod
    def mixed(count: int) -> Tensor:
        """All 2^M - 1 subsets that are not empty; raises `ConfigError` where these are too many."""
        if count > MAX_MIXED:
            raise problem("model.posterior.kind", "mixture-of-products", f"{count} modalities have "
                          f"{2 ** count - 1:,} subsets, all of which it decodes.",
                          f"Use product, or at most {MAX_MIXED} modalities.", "model.posterior.kind=product")
        return torch.tensor([row for row in every([False, True], repeat=count) if any(row)], device="cpu")
