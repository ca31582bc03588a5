"""Stochastic variational video prediction (SV2P, Babaeizadeh et al. 2017): equations (28) to (31).

One code for a whole clip, or one for each frame, by a posterior that has seen all frames; a recurrent generator that
moves pixels (CDNA). History stays in the likelihood, p(x_t | z, x_0..x_{t-1}), as in (28) and unlike the last line
of (29) (erratum E5). Time-variant codes have the same posterior density at each t, and a new draw each: they are i.i.d.
given the clip only (E6).
The posterior reads clips of the training length, frames laid channel by channel on one another, and no future needs
it: in a roll-out every code is drawn from N(0, I), those of the past too.
Shapes: B clips, T frames, N futures, c frames given, (C, H, W) a frame, r = (H / 8) * (W / 8) latent size.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from vaecore.modalities import Modality, Video
from vaecore.models.base import Approach, Batch, Family, Given, Modalities, described
from vaecore.models.evidence import Evidence, Objective
from vaecore.models.video.feeding import FED_ANEW, FeedingChoice, ScheduledSampling, TeacherForcing
from vaecore.models.video.shared import (
    Predicted,
    RollOut,
    VideoConfig,
    VideoFamily,
    code,
)
from vaecore.nets.cdna import CDNA, SCALE, Layers, States
from vaecore.nets.convolutional import channels_last
from vaecore.probability.gaussian import POSTERIOR_LOGVAR, DiagonalGaussian
from vaecore.probability.likelihoods import (
    GaussianFixedConfig,
    GaussianLearnedConfig,
    GaussianOptimalConfig,
    Observation,
)
from vaecore.probability.posteriors import Posterior
from vaecore.probability.whole import own_rows, whole_count, whole_rows
from vaecore.schema import Strict, option, problem

FLOOR = -5.0  # of a log-variance of the posterior, as published; what leads to it is not: see `bounded_logvar`
PAST_SEED = 6_789  # of the codes of the frames given, the same for all futures
PAST_AT_ONCE = 8  # frames of the past that are run together, so that memory does not grow with how many are given


class SV2P(VideoFamily):
    """SV2P: a recurrent generator that moves pixels reads the frame before and z; z from what has seen all frames."""

    one_length: ClassVar[bool] = True

    def __init__(self, modalities: Given, config: SV2PConfig | None = None, **fields: Any) -> None:
        config, modalities = described(SV2PConfig, config, fields, modalities)
        super().__init__(modalities, config)
        if any(side % SCALE for side in self.frame[1:]):
            raise problem("model.family", config.family, f"SV2P needs frames whose sides are multiples of {SCALE} "
                          f"pixels, and these are {' x '.join(map(str, self.frame))}.",
                          "Use sides of 16, 32 or 64 (data.size, and data.width of own clips).", "data.size=32")
        self.frames = modalities[self.modality].shape[0]
        self.size = (self.frame[1] // SCALE) * (self.frame[2] // SCALE)
        self.config = config
        self.at_step(0, 1)
        self.likelihood.squashed = False  # a convex combination of pixels is a mean in [0, 1] as it is
        self.encoder = _Inference(self.frames * self.frame[0], config.channels)
        self.generator = CDNA(self.frame, Layers(config.channels, config.reach, config.kernels, config.kernel))

    def objective(self, batch: Batch, generator: torch.Generator | None = None) -> Objective:
        """The bound of (28), or with a code for each frame of (30); in training as far as the stage has come."""
        used, weight = self.stage if self.training else (True, 1.0)
        posteriors = self.encode(batch) if used else self.prior_instead(batch)
        return Objective([(1.0, self.evidence(batch, posteriors, generator))], kl_weight=weight)

    def encode(self, batch: Batch) -> dict[str, Posterior]:
        """q(z | x_0..x_{T-1}), (B, 1, r) or the same for each t, (B, T-1, r).

        Raises `ValueError` for clips that are not as long as those of the training.
        """
        x = batch[self.modality]
        if x.shape[1] != self.frames:
            raise ValueError(f"SV2P's posterior reads clips of {self.frames} frames, and these have {x.shape[1]}.")
        mean, logvar = self.encoder(x.flatten(1, 2))
        return {"z": DiagonalGaussian(*(part[:, None].expand(-1, self.places, -1) for part in (mean, logvar)))}

    def prior_instead(self, batch: Batch) -> dict[str, Posterior]:
        """A posterior that is the prior N(0, I): what the generator learns on alone."""
        x = batch[self.modality]
        zeros = x.new_zeros(len(x), self.places, self.size)
        return {"z": DiagonalGaussian(zeros, zeros)}

    def evidence(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None
                 ) -> Evidence:
        """The terms of the bound, of x_1..x_{T-1} given x_0: reconstruction (B,), KL (B, 1 or T-1, r)."""
        x, q = batch[self.modality], posteriors["z"]
        assert isinstance(q, DiagonalGaussian)
        z = q.rsample(generator)[0]  # z ~ q(z | x_0..x_{T-1}), for each frame anew where it is time-variant
        frames = self.next_frames(x, z, generator)  # p(x_t | z, x_0..x_{t-1})
        log_prob = frames.log_prob(x[:, 1:].flatten(0, 1)).view(len(x), -1)  # (B, T-1)
        return Evidence({self.modality: log_prob.sum(1)}, {"z": q.kl_from_standard()})

    def next_frames(self, x: Tensor, z: Tensor, generator: torch.Generator | None = None) -> Observation:
        """p(x_t | z, x_0..x_{t-1}) for t = 1..T-1, of (B * (T-1), *frame), clip by clip.

        From codes (B, 1 or T-1, r), and from true frames unless `feeding` says otherwise in training.
        """
        clips = whole_count(len(x)) if self.training and self.true_share < 1 else len(x)
        z = z.expand(-1, x.shape[1] - 1, -1)
        # As published, a whole number of clips of the batch reads the true frame at each step.
        true = round(self.true_share * clips) if self.training else clips
        means = self.generator(x[:, :-1], z)[0] if true == clips else self.fed_back(x, z, true, generator)
        return self.likelihood.observed(means.flatten(0, 1))

    def fed_back(self, x: Tensor, z: Tensor, true: int, generator: torch.Generator | None) -> Tensor:
        """Means (B, T-1, *frame) of frames where the generator reads some that it predicted.

        After the context only `true` clips, drawn anew at each step, read the frame before as it was, and the others as
        it was predicted.
        """
        clips, frames = x.shape[:2]
        [drawn] = whole_rows(torch.rand(clips, frames, generator=generator, device=x.device))
        ranks = own_rows(drawn.argsort(0))
        means, states = self.generator(x[:, :self.context], z[:, :self.context])
        means = [means]
        for t in range(self.context, frames - 1):
            read = torch.where((ranks[:, t] < true)[:, None, None, None, None], x[:, t:t + 1], means[-1][:, -1:])
            after, states = self.generator(read, z[:, t:t + 1], states)
            means.append(after)
        return torch.cat(means, 1)

    def roll_out(self, past: Tensor, horizon: int, noise: Tensor, generator: torch.Generator | None = None) -> RollOut:
        """Futures of clips, frame by frame, from codes of N(0, I).

        Of time-invariant codes `noise[:, 0]` is that of the whole clip, so the past is run once for each future. Of
        time-variant ones each frame has its own; those of the past are one fixed draw from N(0, I), shared by all.
        """
        clips, given, futures = *past.shape[:2], len(noise)
        invariant = self.config.latent == "invariant"
        if invariant:
            noise = noise[:, :1].expand(-1, horizon, -1)
        codes = noise.to(past)[None].expand(clips, -1, -1, -1)  # (B, N, horizon, r)
        z = codes.flatten(0, 1)
        states: States | None = None
        if given > 1:
            before = z[:, :1].expand(-1, given - 1, -1) if invariant else _of_past(past, given - 1, self.size)
            pieces = (torch.split(part, PAST_AT_ONCE, 1) for part in (past[:, :-1], before))
            for x, of_x in zip(*pieces, strict=True):
                _, states = self.generator(_repeated(x, futures) if invariant else x, of_x, states)
            if states is not None and not invariant:
                states = [(_repeated(h, futures), _repeated(c, futures)) for h, c in states]
        x, frames = _repeated(past[:, -1:], futures), []
        for t in range(horizon):
            x, states = self.generator(x, z[:, t:t + 1], states)
            frames.append(x)
        return RollOut(torch.cat(frames, 1).view(clips, futures, horizon, *self.frame), codes)

    # -- what is asked of every family of clips

    @property
    def latents(self) -> dict[str, int]:
        return {"z": self.size}

    @property
    def one_code(self) -> bool:
        return self.config.latent == "invariant"

    @property
    def places(self) -> int:
        """Codes of a clip: 1, or one for each frame after the first."""
        return 1 if self.one_code else self.frames - 1

    def at_step(self, step: int, total: int) -> None:
        self.stage = self.config.stages.at(step, total)  # whether the posterior is used, and the weight of its KL
        self.true_share = self.config.feeding.true_share(step)

    def varies(self, total: int) -> str:
        if not isinstance(self.config.stages, OneStage):
            return "what is trained changes from stage to stage"
        return "" if isinstance(self.config.feeding, TeacherForcing) else FED_ANEW

    def predictions(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None,
                    *, mean: bool = False) -> Predicted:
        x, z = batch[self.modality], code(posteriors["z"], generator, mean=mean)
        return Predicted(self.next_frames(x, z, generator), len(x))

    def inference_parameters(self) -> list[nn.Parameter]:
        return list(self.encoder.parameters())


class _Inference(nn.Module):
    """All frames of a clip (B, T * C, H, W) -> mean and log-variance of its code, (B, r) each."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        c = channels
        self.body = nn.Sequential(
            nn.Conv2d(inputs, c, 3, 2, 1), nn.GroupNorm(1, c), nn.ReLU(),
            nn.Conv2d(c, 2 * c, 3, 2, 1), nn.GroupNorm(1, 2 * c), nn.ReLU(),
            nn.Conv2d(2 * c, 2 * c, 3, 1, 1), nn.GroupNorm(1, 2 * c), nn.ReLU())
        self.head = nn.Conv2d(2 * c, 2, 3, 2, 1)
        channels_last(self)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, logvar = self.head(self.body(x.contiguous(memory_format=torch.channels_last))).float().unbind(1)
        return mean.flatten(1), bounded_logvar(logvar).flatten(1)


def bounded_logvar(raw: Tensor) -> Tensor:
    """A log-variance between the floor and the ceiling of posteriors, with a gradient everywhere, of the same shape.

    As published it is a rectifier less 5, which has no gradient once it lies at its floor: the KL of a number of the
    code that says nothing then stays at 2 nats for good.
    """
    return FLOOR + F.softplus(raw) - F.softplus(raw - (POSTERIOR_LOGVAR[1] - FLOOR))


def _repeated(x: Tensor, times: int) -> Tensor:
    """Rows (B, ...) so many times each, clip by clip: (B * times, ...)."""
    return x if times == 1 else x.repeat_interleave(times, 0)


def _of_past(past: Tensor, steps: int, size: int) -> Tensor:
    """Codes (B, steps, r) of the frames given."""
    drawn = torch.randn(steps, size, generator=torch.Generator().manual_seed(PAST_SEED))
    return drawn.to(past).expand(len(past), -1, -1)


# -- what is trained when, as published ------------------------------------------------------------


class Stages(Strict):
    """The parts of the bound that are trained at a step."""

    @abstractmethod
    def at(self, step: int, total: int) -> tuple[bool, float]:
        """Whether the posterior is used at a step of `total`, and the weight of its KL, which beta multiplies."""


class ThreeStages(Stages):
    """The published three stages: the generator alone, then the posterior without a KL, then the whole bound.

    The generator learns on codes from N(0, I): one that learns beside an untrained posterior may learn to do without a
    code.
    """

    title: ClassVar[str] = "Three stages"
    kind: Literal["three"] = "three"
    generator: float = option(0.5, "Share of training in which the generator learns alone, on codes drawn from the "
                              "prior.", unit="of training", ge=0, le=1)
    inference: float = option(0.25, "Share of training after that in which the posterior learns too, at no KL.",
                              unit="of training", ge=0, le=1)
    ramp: float = option(0.5, "Share of the last stage over which the weight of the KL rises from 0 to 1 (times "
                         "beta).", unit="of the stage", ge=0, le=1)

    @model_validator(mode="after")
    def _end(self) -> ThreeStages:
        if self.generator + self.inference > 1:
            raise ValueError(f"generator and inference take {self.generator + self.inference:g} of training, and there "
                             "is only 1. Make one of them smaller.")
        return self

    def at(self, step: int, total: int) -> tuple[bool, float]:
        # Where a stage begins, in whole steps: the sum of two shares may miss 1 by a rounding.
        second, third = round(self.generator * total), round((self.generator + self.inference) * total)
        if step < third:
            return step >= second, 0.0
        rise = self.ramp * (total - third)
        return True, min(1.0, (step - third) / rise) if rise else 1.0


class OneStage(Stages):
    """All from the start, as a VAE is usually trained."""

    title: ClassVar[str] = "One stage"
    kind: Literal["one"] = "one"

    def at(self, step: int, total: int) -> tuple[bool, float]:
        return True, 1.0


StagesChoice = Annotated[ThreeStages | OneStage, Field(discriminator="kind")]


# -- the choice ------------------------------------------------------------------------------------


class SV2PConfig(VideoConfig):
    """A recurrent generator that moves pixels, with one code a clip or one a frame."""

    title: ClassVar[str] = "SV2P"
    equations: ClassVar[str] = "28–31"
    approach: ClassVar[Approach] = "variational autoencoder"
    reads: ClassVar[tuple[type[Modality], ...]] = (Video,)
    family: Literal["sv2p"] = "sv2p"

    latent: Literal["invariant", "variant"] = option("variant", "One code for the whole clip (28), or a new one for "
                                                     "each frame (30).")
    context: int = option(2, "Frames given before the first that has to be predicted.", unit="frames", ge=1, le=1000)
    # What the generator gives is a mean of pixels, not a logit.
    likelihood: Annotated[GaussianFixedConfig | GaussianLearnedConfig | GaussianOptimalConfig,
                          Field(discriminator="kind")] = option(
        GaussianFixedConfig(sigma=0.2), "p(x|z) of each frame. The published squared error averaged over D pixels with "
        "a weight beta of the KL is a Gaussian with variance beta D / 2 (erratum E16).")
    channels: int = option(8, "Channels of the largest maps of the generator; smaller ones have two and four times as "
                           "many. Published: 32.", ge=1, le=256)
    reach: Literal[3, 5] = option(3, "Side of the kernels inside the LSTMs. Published: 5, which is "
                                  "slower.", unit="pixels", advanced=True)
    kernels: int = option(10, "Ways in which a pixel can move at each step.", ge=1, le=64)
    kernel: Literal[3, 5, 7, 9] = option(5, "Side of a kernel: pixels move by at most half of it a frame.",
                                         unit="pixels")
    feeding: FeedingChoice = option(ScheduledSampling(), "Which frames the generator reads in training.")
    stages: StagesChoice = option(ThreeStages(), "What is trained when.")

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return SV2P(modalities, self)
