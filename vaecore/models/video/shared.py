"""What every family of clips shares: frames given and frames predicted, the bound, and rolling the future out.

Frames are counted from 0. All families model p(x_1..x_{T-1} | x_0): the first frame is always given, and every later
one is predicted from those before it, so that their bounds compare. In training the frames before are the true ones
(teacher forcing) unless `feeding` says otherwise; in evaluation they always are, as the bound demands.
Shapes: B clips, T frames, N futures of a clip, r latent size, c frames given.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from vaecore.modalities import Modality, Trajectory, Video
from vaecore.models.base import NUMBERS_AT_ONCE, Batch, Family, Modalities, ModelConfig, only_modality
from vaecore.models.evidence import Evidence
from vaecore.nets.frames import FrameDecoder, grouped
from vaecore.probability.gaussian import DiagonalGaussian
from vaecore.probability.likelihoods import (
    BernoulliConfig,
    GaussianFixedConfig,
    GaussianLearnedConfig,
    GaussianOptimalConfig,
    LaplaceConfig,
    Observation,
)
from vaecore.probability.posteriors import Posterior
from vaecore.schema import option, problem

State = tuple[Tensor, Tensor]  # of an LSTM: (layers, B, hidden) twice
ACTIVATIONS_A_PIXEL = 8  # numbers that a network for frames keeps for each one it reads, roughly

VideoLikelihood = Annotated[GaussianFixedConfig | GaussianLearnedConfig | GaussianOptimalConfig | LaplaceConfig
                            | BernoulliConfig, Field(discriminator="kind")]


# -- reading what was predicted -----------------------------------------------------------------------


def step_by_step(h: Tensor, skips: list[Tensor], true: Tensor, context: int, decoder: FrameDecoder,
                 predict: Callable[[Tensor, int, State | None], tuple[Tensor, State]],
                 code_of: Callable[[Tensor], Tensor]) -> Tensor:
    """What a recurrent predictor's decoder gives for frames 1..T-1, (B * (T-1), ...), where it reads its own.

    A frame after the context is read as it was where `true` (B, T), and else as it was predicted. `h` (B, T, g) is of
    the true frames, and so are `skips`, of those of the context; `predict` takes the code (B, g) of the frame before t
    to what the decoder reads of frame t, (B, 1, g); `code_of` takes the decoder's output to the code of that frame.
    """
    clips, frames = h.shape[:2]
    maps = [grouped(skip, clips) for skip in skips]
    outputs: list[Tensor] = []
    state: State | None = None
    read, prepared = h[:, 0], decoder.prepare([skip[:, 0] for skip in maps])
    for t in range(1, frames):
        g, state = predict(read, t, state)
        outputs.append(decoder(g, prepared))
        read = h[:, t]
        if t < context:
            prepared = decoder.prepare([skip[:, t] for skip in maps])
        elif t + 1 < frames:
            read = torch.where(true[:, t, None], read, code_of(outputs[-1]))
    return torch.stack(outputs, 1).flatten(0, 1)


# -- the contract --------------------------------------------------------------------------------------


class VideoConfig(ModelConfig):
    """Fields of every family of clips."""

    reads: ClassVar[tuple[type[Modality], ...]] = (Video, Trajectory)

    context: int = option(5, "Frames given before the first that has to be predicted.", unit="frames", ge=1, le=1000)
    likelihood: VideoLikelihood = option(
        GaussianFixedConfig(sigma=0.2), "p(x|z) of each frame. A squared error averaged over D pixels with a weight "
        "beta of the KL is a Gaussian with variance beta D / 2 (erratum E16).")

    def fits(self, modalities: Modalities) -> None:
        """Raise `ConfigError` where clips are no longer than what is given of them."""
        frames = only_modality(modalities)[1].shape[0]
        if self.context >= frames:
            raise problem("model.context", self.context, f"{self.context} frames are given, and a clip has {frames}: "
                          "nothing is left to predict.",
                          f"Use at most {frames - 1}, or longer clips." if frames > 1 else
                          "Use clips of at least 2 frames.",
                          *([f"model.context={frames - 1}"] if frames > 1 else []), "data.frames=12")


@dataclass(frozen=True)
class Predicted:
    """p(x_t | what is before) for t = 1..T-1, from true frames: an observation of (B * (T-1), *frame), clip by clip."""

    observation: Observation
    clips: int

    @property
    def mean(self) -> Tensor:
        """(B, T-1, *frame)."""
        return grouped(self.observation.mean, self.clips)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p of the frames after the first of clips (B, T, *frame), in nats a frame: (B, T-1)."""
        return self.observation.log_prob(x[:, 1:].flatten(0, 1)).view(self.clips, -1)


@dataclass(frozen=True)
class RollOut:
    """N futures of B clips: frames (B, N, horizon, *frame), means of p(x|z) unless a family draws its pixels.

    `codes` and `prior_sd` (B, N, horizon, r) are z and the standard deviations it was drawn with; None without them.
    """

    frames: Tensor
    codes: Tensor | None = None
    prior_sd: Tensor | None = None


class VideoFamily(Family):
    """A model of clips."""

    one_length: ClassVar[bool] = False  # whether its posterior reads clips of the training's length only

    def __init__(self, modalities: Modalities, config: VideoConfig) -> None:
        super().__init__(modalities)
        config.fits(modalities)
        self.modality, modality = only_modality(modalities)
        self.frame, self.pixels = modality.shape[1:], modality.pixels
        self.context = config.context
        self.likelihood = config.likelihood.build()
        self.likelihood.squashed = self.pixels and not isinstance(config.likelihood, BernoulliConfig)

    @property
    def noise_size(self) -> int:
        """Standard normal numbers that a frame of a future is made from; 0 where there is only one future."""
        return sum(self.latents.values())

    @property
    def one_code(self) -> bool:
        """Whether one code serves all frames of a clip."""
        return False

    @property
    def stochastic(self) -> bool:
        """Whether the family has more than one future."""
        return self.noise_size > 0

    @abstractmethod
    def predictions(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None,
                    *, mean: bool = False) -> Predicted:
        """Every frame but the first from those before it and a code of its posterior, or the posterior's mean."""

    @abstractmethod
    def roll_out(self, past: Tensor, horizon: int, noise: Tensor, generator: torch.Generator | None = None) -> RollOut:
        """Futures of `horizon` frames after `past` (B, c, *frame) from standard normal `noise` (N, horizon, r).

        The same noise serves every clip, and the same row always gives the same future, whatever N is. Codes of the
        past are the means of their posteriors, so that all futures of a clip share one past; SV2P, whose posterior
        needs the whole clip, draws them from N(0, I). Families that draw pixels
        draw them from `generator`.
        """

    def encode(self, batch: Batch) -> dict[str, Posterior]:
        return {}

    def decode(self, z: Mapping[str, Tensor]) -> dict[str, Observation]:
        raise ValueError("frames are decoded from those before them: use predictions or roll_out.")

    def sample(self, count: int, generator: torch.Generator | None = None, covariate: Tensor | None = None
               ) -> dict[str, Tensor]:
        raise ValueError("a future follows frames that are given: use roll_out.")

    def evidence(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None
                 ) -> Evidence:
        """The terms of the ELBO of x_1..x_{T-1} given x_0.

        Reconstruction (B,), KL (B, T-1, r), or (B, 1, r) of one code a clip.
        """
        predicted = self.predictions(batch, posteriors, generator)
        kl = self.divergences(batch, posteriors)
        return Evidence({self.modality: predicted.log_prob(batch[self.modality]).sum(1)}, kl)

    def divergences(self, batch: Batch, posteriors: Mapping[str, Posterior]) -> dict[str, Tensor]:
        """KL of each posterior from its prior by frame and dimension, (B, T-1, r); here from N(0, I)."""
        return {name: q.kl_from_standard() for name, q in posteriors.items() if isinstance(q, DiagonalGaussian)}

    def errors(self, batch: Batch, posteriors: Mapping[str, Posterior]) -> dict[str, Tensor]:
        x = batch[self.modality]
        mean = self.predictions(batch, posteriors, mean=True).mean
        return {self.modality: (mean - x[:, 1:]).square().flatten(1).mean(1)}

    def at_once(self, most: int) -> int:
        numbers = self.modalities[self.modality].size * (ACTIVATIONS_A_PIXEL if self.pixels else 64)
        return max(1, min(most, NUMBERS_AT_ONCE // numbers))


def code(posterior: Posterior, generator: torch.Generator | None, *, mean: bool) -> Tensor:
    """A code of each frame (B, T-1, r): drawn, or the posterior's mean."""
    if mean or not isinstance(posterior, DiagonalGaussian):
        return posterior.mean
    return posterior.rsample(generator)[0]
