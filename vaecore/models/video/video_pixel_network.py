"""A small video pixel network (Kalchbrenner et al. 2017): log p of a clip frame by frame, of a frame pixel by pixel.

Each frame before is encoded at full resolution by gated residual convolutions with growing dilations, all frames in one
batched call; a convolutional LSTM carries the codes over time; a gated PixelCNN that is told its state gives every
pixel from the frames before and from the pixels above and to the left. Without `spatial` the same encoder is followed
by convolutions that do not see the frame itself, the paper's baseline: pixels are independent given the past.

Pixels are black or white; a grey level is scored as a probability of white, as the paper does on moving MNIST, so that
no model gets below the mean binary entropy of the targets. Ours is smaller, and its gates are those of the PixelCNN,
not multiplicative units. A future is drawn pixel by pixel, so it comes from a generator and not from given noise.
Shapes: B clips, T frames, N futures of a clip, M channels of what is known of the frames before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from vaecore.modalities import Modality, Video
from vaecore.models.base import NUMBERS_AT_ONCE, Approach, Batch, Family, Given, Modalities, described
from vaecore.models.evidence import Evidence, Objective
from vaecore.models.video.shared import Predicted, RollOut, VideoConfig, VideoFamily
from vaecore.nets.autoregressive import GatedNetwork
from vaecore.nets.convolutional import channels_last
from vaecore.nets.frames import grouped
from vaecore.nets.recurrent import ConvLSTMCell, State
from vaecore.probability.likelihoods import BernoulliConfig, Observation
from vaecore.probability.posteriors import Posterior
from vaecore.schema import option, problem

Dilation = Annotated[int, Field(ge=1, le=64)]


class VideoPixelNetworkConfig(VideoConfig):
    """Frames one after another, and the pixels of each one after another."""

    title: ClassVar[str] = "Video pixel network"
    approach: ClassVar[Approach] = "autoregressive"
    has_kl: ClassVar[bool] = False
    exact: ClassVar[bool] = True
    reads: ClassVar[tuple[type[Modality], ...]] = (Video,)
    family: Literal["video-pixel-network"] = "video-pixel-network"
    context: int = option(2, "Frames given before the first that has to be predicted.", unit="frames", ge=1, le=1000)
    likelihood: BernoulliConfig = option(BernoulliConfig(), "p of each pixel: black or white.")
    spatial: bool = option(True, "Whether a pixel sees those before it in its own frame. Without, pixels are "
                           "independent given the frames before.")
    channels: int = option(16, "Channels of the frame encoder and of each stack of the decoder.", ge=1, le=512)
    hidden: int = option(32, "Channels of the recurrent state.", ge=1, le=512)
    dilations: tuple[Dilation, ...] = option((1, 2, 4), "Spacing of each encoder block's kernel.", unit="pixels",
                                             min_length=1, max_length=16)
    layers: int = option(4, "Layers of the decoder.", unit="layers", ge=1, le=64)
    first_kernel: int = option(7, "Side of the decoder's first kernel, an odd number.", unit="pixels", ge=3, le=31)
    kernel: int = option(3, "Side of all other kernels, an odd number.", unit="pixels", ge=3, le=31)

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return VideoPixelNetwork(modalities, self)


class VideoPixelNetwork(VideoFamily):
    """Frames one after another, and the pixels of each one after another: log p of a clip, exact."""

    def __init__(self, modalities: Given, config: VideoPixelNetworkConfig | None = None, **fields: Any) -> None:
        config, modalities = described(VideoPixelNetworkConfig, config, fields, modalities)
        for name, side in (("first_kernel", config.first_kernel), ("kernel", config.kernel)):
            if side % 2 == 0:
                raise problem(f"model.{name}", side, f"{side} is even, so that a kernel has no middle.",
                              f"Use {side - 1} or {side + 1}.", f"model.{name}={side - 1}")
        super().__init__(modalities, config)
        colours, channels, kernel = self.frame[0], config.channels, config.kernel
        self.spatial = config.spatial
        self.width = 2 * max(channels, config.hidden)
        self.encoder = channels_last(nn.Sequential(
            nn.Conv2d(colours, channels, kernel, padding=kernel // 2),
            *(_Block(channels, kernel, dilation) for dilation in config.dilations)))
        self.memory = ConvLSTMCell(channels, config.hidden, kernel)
        self.decoder: GatedNetwork | _Factorised = (
            GatedNetwork(self.frame, channels, config.layers, config.first_kernel, kernel, config.hidden)
            if config.spatial else _Factorised(colours, channels, config.layers, kernel, config.hidden))

    def objective(self, batch: Batch, generator: torch.Generator | None = None) -> Objective:
        """log p(x_1..x_{T-1} | x_0), exact, as no code stands between: pixel by pixel, or pixels by themselves."""
        x = batch[self.modality]
        log_prob = self.next_frames(x).log_prob(x[:, 1:].flatten(0, 1)).view(len(x), -1)  # (B, T-1)
        return Objective([(1.0, Evidence({self.modality: log_prob.sum(1)}, {}))])

    def next_frames(self, x: Tensor) -> Observation:
        """p(x_t | x_0..x_{t-1}) for t = 1..T-1, of (B * (T-1), *frame), clip by clip.

        Every pixel from the frames before and, if `spatial`, from the true pixels before it in its frame.
        """
        known, _ = self.remember(x[:, :-1])
        return self.likelihood.observed(self.decoder(x[:, 1:].flatten(0, 1), known.flatten(0, 1)))

    def remember(self, x: Tensor) -> tuple[Tensor, State]:
        """What is known after each of the frames (B, S, *frame), (B, S, M, H, W), and the state after the last."""
        frames = x.transpose(0, 1)  # step by step, as the memory reads them
        known, state = self.memory.over(self.encoder(frames.flatten(0, 1)), len(frames))
        return grouped(known, len(frames)).transpose(0, 1), state

    def roll_out(self, past: Tensor, horizon: int, noise: Tensor, generator: torch.Generator | None = None) -> RollOut:
        """Futures (B, N, horizon, *frame) of black and white draws.

        The n-th depends on N and on `generator`, and of `noise` (N, horizon, 0) only N counts.
        """
        clips, futures = len(past), len(noise)
        _, state = self.remember(past)
        h, c = (part.repeat_interleave(futures, 0) for part in state)
        frames = []
        for t in range(horizon):
            x = self.decoder.sample(len(h), generator, h)
            frames.append(grouped(x, clips))
            if t + 1 < horizon:
                h, c = self.memory(self.encoder(x), (h, c))
        return RollOut(torch.stack(frames, 2))

    # -- what is asked of every family of clips

    @property
    def latents(self) -> dict[str, int]:
        return {}

    @property
    def sampling_passes(self) -> int:
        """One for each pixel of a frame, where they see each other."""
        return self.frame[1] * self.frame[2] if self.spatial else 1

    @property
    def stochastic(self) -> bool:
        """True though no noise is read: each future is a draw of its pixels."""
        return True

    def predictions(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None,
                    *, mean: bool = False) -> Predicted:
        x = batch[self.modality]
        return Predicted(self.next_frames(x), len(x))

    def at_once(self, most: int) -> int:
        return max(1, min(most, NUMBERS_AT_ONCE // (self.modalities[self.modality].size * self.width)))


class _Block(nn.Module):
    """x + convolution of gated convolution: (N, C, H, W) at full resolution, (C,) channels throughout."""

    def __init__(self, channels: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(channels, 2 * channels, kernel, padding=dilation * (kernel // 2), dilation=dilation)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.gates(x).chunk(2, 1)
        return x + self.out(value.tanh() * gate.sigmoid())  # type: ignore[no-any-return]


class _Factorised(nn.Module):
    """The same depth of convolutions of what is known (N, M, H, W), which do not see the frame: (N, C, H, W)."""

    def __init__(self, colours: int, channels: int, layers: int, kernel: int, condition: int) -> None:
        super().__init__()
        self.network = channels_last(nn.Sequential(
            nn.Conv2d(condition, channels, 1), *(_Block(channels, kernel, 1) for _ in range(layers)), nn.ELU(),
            nn.Conv2d(channels, 2 * channels, 1), nn.ELU(), nn.Conv2d(2 * channels, colours, 1)))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        return self.network(condition)  # type: ignore[no-any-return]

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator | None, condition: Tensor) -> Tensor:
        return torch.bernoulli(self.network(condition).sigmoid(), generator=generator)
