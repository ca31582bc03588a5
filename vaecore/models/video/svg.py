"""Stochastic video generation with a fixed or a learned prior (SVG-FP and SVG-LP, Denton & Fergus 2018).

Equations (32) to (35): q(z_t | x_0..x_t) by one LSTM, p(z_t) = N(0, I) or p(z_t | x_0..x_{t-1}) by another, and frames
by a third that reads the code of the frame before and z_t. The KL needs no expectation over z, because prior and
posterior read frames only (erratum E16). At t = 1 the prior has seen one frame.
Shapes: B clips, T frames, r latent size, g size of a frame's code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from torch import Tensor, nn

from vaecore.data import Modality
from vaecore.models.base import Approach, Batch, Family, Modalities
from vaecore.models.video.recurrent_video import LSTM, RecurrentVideo, RecurrentVideoConfig, State
from vaecore.probability.gaussian import DiagonalGaussian, gaussian_kl
from vaecore.probability.posteriors import Posterior
from vaecore.schema import option


class SVGConfig(RecurrentVideoConfig):
    """Fields of both."""

    approach: ClassVar[Approach] = "variational autoencoder"
    latent_size: int = option(10, "Size r of the latent z of each frame.", unit="dimensions", ge=1, le=1024)


class SVGFixedPriorConfig(SVGConfig):
    """A code of N(0, I) for each frame: equations (32) and (33)."""

    title: ClassVar[str] = "SVG-FP (fixed prior)"
    family: Literal["svg-fp"] = "svg-fp"

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return SVG(modalities, self, learned=False)


class SVGLearnedPriorConfig(SVGConfig):
    """A code whose prior has read the frames before, so that it knows when something may happen: (34) and (35)."""

    title: ClassVar[str] = "SVG-LP (learned prior)"
    family: Literal["svg-lp"] = "svg-lp"

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return SVG(modalities, self, learned=True)


class SVG(RecurrentVideo):
    def __init__(self, modalities: Modalities, config: SVGConfig, *, learned: bool) -> None:
        super().__init__(modalities, config, config.latent_size)
        self.inference = LSTM(config.code_size, config.hidden, 2 * config.latent_size)
        self.learned_prior = LSTM(config.code_size, config.hidden, 2 * config.latent_size) if learned else None

    @property
    def prior_moves(self) -> bool:
        return self.learned_prior is not None

    def posterior(self, codes: Tensor) -> DiagonalGaussian:
        # The LSTM reads x_0 too: a move is seen from two frames.
        return DiagonalGaussian.bounded(self.inference(codes)[0][:, 1:])

    def next_prior(self, codes: Tensor, state: State | None) -> tuple[DiagonalGaussian, State | None]:
        if self.learned_prior is None:
            zeros = codes.new_zeros(*codes.shape[:2], self.latent_size)
            return DiagonalGaussian(zeros, zeros), None
        parameters, after = self.learned_prior(codes, state)
        return DiagonalGaussian.bounded(parameters), after

    def divergences(self, batch: Batch, posteriors: Mapping[str, Posterior]) -> dict[str, Tensor]:
        q = posteriors["z"]
        assert isinstance(q, DiagonalGaussian)
        if self.learned_prior is None:
            return {"z": q.kl_from_standard()}
        return {"z": gaussian_kl(q, self.priors(batch, posteriors))}

    def priors(self, batch: Batch, posteriors: Mapping[str, Posterior]) -> DiagonalGaussian:
        """p(z_t | x_0..x_{t-1}) for t = 1..T-1, (B, T-1, r)."""
        h, _ = self._read(batch, posteriors)
        return self.next_prior(h[:, :-1], None)[0]

    def inference_parameters(self) -> list[nn.Parameter]:
        return list(self.inference.parameters())
