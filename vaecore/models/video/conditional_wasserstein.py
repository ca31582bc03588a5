"""A Wasserstein counterpart of SVG-LP, after the conditional Wasserstein generator of Kim, Lee & Paik (2022).

From its abstract: distances of joint distributions are related to expected distances of conditional ones, and a
Wasserstein distance of joints bounds the latter and has a tractable form like that of a Wasserstein autoencoder:
E c(x_t, Dec(z_t, x_0..x_{t-1})) + lambda D, with D between the laws of (z_t, history) for z_t from the posterior and
for z_t from the prior.

The rest is ours, and simple: the networks are SVG-LP's; the history is the state of the prior's own LSTM, held fixed,
mapped at random onto as many numbers as a code has; pairs of all frames of all clips of a batch are compared at once,
by a maximum mean discrepancy (of more than 500 pairs, so many at random), a critic, or pair by pair the closed form of
two Gaussians. Codes are measured from the prior's mean in units of its standard deviation, so that the prior's are
N(0, I) whatever the history: otherwise a learned prior would bring any distance to nothing by making all codes small.
The KL is in no loss; it is computed, so that curves and bounds compare.
Shapes: B clips, T frames, P = B (T - 1) pairs, r latent size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from vaecore.data import Modality
from vaecore.models.base import Batch, Family, Given, Modalities, described
from vaecore.models.evidence import Objective
from vaecore.models.video.svg import SVG, SVGConfig
from vaecore.probability.auxiliary import Auxiliary
from vaecore.probability.densities import Density
from vaecore.probability.divergences import CriticConfig, Divergence, MMDConfig, PerObservationConfig, mmd
from vaecore.probability.gaussian import DiagonalGaussian, StandardNormal
from vaecore.probability.posteriors import Posterior
from vaecore.probability.whole import whole_rows
from vaecore.schema import option

MAX_PAIRS = 500  # pairs between which all kernels are computed: more would take longer than the rest of a step


class PairedMMDConfig(MMDConfig):
    """Maximum mean discrepancy of pairs of code and history."""

    title: ClassVar[str] = "MMD of code and history"
    kind: Literal["mmd"] = "mmd"

    def build(self, size: int, covariate: Modality | None) -> Divergence:
        return PairedMMD(self.kernel)


PairedDivergence = Annotated[PairedMMDConfig | CriticConfig | PerObservationConfig, Field(discriminator="kind")]


class ConditionalWassersteinConfig(SVGConfig):
    """SVG with a learned prior, with a distance of code and history in the place of the KL."""

    title: ClassVar[str] = "Conditional Wasserstein SVG"
    family: Literal["conditional-wasserstein"] = "conditional-wasserstein"
    divergence: PairedDivergence = option(PairedMMDConfig(), "What pulls codes towards the learned prior, for each "
                                          "frame.")

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return ConditionalWasserstein(modalities, self)


class ConditionalWasserstein(SVG):
    mix: Tensor

    def __init__(self, modalities: Given, config: ConditionalWassersteinConfig | None = None, **fields: Any) -> None:
        config, modalities = described(ConditionalWassersteinConfig, config, fields, modalities)
        super().__init__(modalities, config)
        self.weight = config.divergence.weight
        built = config.divergence.build(self.latent_size, Modality("vector", (self.latent_size,)))
        assert built is not None  # none of the choices is the KL
        self.measure: Divergence = built
        self.register_buffer("mix", torch.randn(config.hidden, self.latent_size) / config.hidden ** 0.5)

    def objective(self, batch: Batch, generator: torch.Generator | None = None) -> Objective:
        """E log p(x_t | z_1..z_t, x_0..x_{t-1}), less the distance of the laws of (z_t, history)."""
        posteriors = self.encode(batch)
        evidence = self.evidence(batch, posteriors, generator)
        return Objective([(1.0, evidence)], divergence=self.divergence(batch, posteriors, generator))

    def divergence(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None
                   ) -> Tensor:
        """A distance of pairs, summed over the frames of a clip as the KL is; in nats by its weight."""
        q, history = self._pairs(batch, posteriors)
        z = q.rsample(generator)[0]
        distance: Tensor = self.measure(q, z, StandardNormal(self.latent_size, z.device), history, generator)
        return self.weight * (batch[self.modality].shape[1] - 1) * distance

    def auxiliaries(self) -> dict[str, Auxiliary]:
        return self.measure.auxiliaries(self._codes_and_draws)

    @torch.no_grad()
    def _codes_and_draws(self, batch: Batch, generator: torch.Generator | None) -> tuple[Tensor, Tensor, Tensor]:
        """A code of each frame and a draw from the prior, in the prior's units, and the history before it."""
        q, history = self._pairs(batch, self.encode(batch))
        z = q.rsample(generator)[0]
        return z, StandardNormal(self.latent_size, z.device).sample(len(z), generator), history

    def _pairs(self, batch: Batch, posteriors: Mapping[str, Posterior]) -> tuple[DiagonalGaussian, Tensor]:
        """Of each frame after the first the posterior in the prior's units, and the history before it, (P, r) each."""
        q, prior = posteriors["z"], self.learned_prior
        assert isinstance(q, DiagonalGaussian) and prior is not None
        h, _ = self.read(batch[self.modality], q)
        states, _ = prior.lstm(prior.embed(h[:, :-1]))
        u = states.detach().flatten(0, 1) @ self.mix
        [everyone] = whole_rows(u)
        u = (u - everyone.mean(0)) / everyone.std(0).clamp(min=1e-6)
        return in_units_of(DiagonalGaussian.bounded(prior.head(states)), q), u


def in_units_of(p: DiagonalGaussian, q: DiagonalGaussian) -> DiagonalGaussian:
    """The law of (z - mean of p) / (standard deviation of p) for z ~ q: of (B, T-1, r) each as (P, r).

    For z ~ p it is N(0, I).
    """
    return DiagonalGaussian(((q.mean - p.mean) * (-0.5 * p.logvar).exp()).flatten(0, 1),
                            (q.logvar - p.logvar).flatten(0, 1))


class PairedMMD(Divergence):
    def __init__(self, kernel: Literal["imq", "rbf"]) -> None:
        super().__init__()
        self.kernel: Literal["imq", "rbf"] = kernel

    def forward(self, q: DiagonalGaussian, z: Tensor, prior: Density, u: Tensor | None,
                generator: torch.Generator | None) -> Tensor:
        assert u is not None
        z, u, drawn = whole_rows(z, u, prior.sample(len(z), generator))
        ours, theirs = torch.cat([z, u], 1), torch.cat([drawn, u], 1)
        if len(z) > MAX_PAIRS:  # the kernel's tables grow with the square
            chosen = torch.randperm(len(z), generator=generator, device=z.device)[:MAX_PAIRS]
            ours, theirs = ours[chosen], theirs[chosen]
        return mmd(ours, theirs, self.kernel, paired=True)
