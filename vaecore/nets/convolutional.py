"""Convolutional networks, plain and residual: each stage halves the image, odd sizes included.

Without stages of one's own the network is sized to its images: halved until at most 8 pixels are left of the longer
side, so that what is fully connected stays small however large they are. Memory format is channels-last, which oneDNN
and cuDNN run fastest (6 to 11 % of a step on two CPU cores).
"""

from __future__ import annotations

from abc import abstractmethod
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, Self, TypeVar

import torch
from pydantic import Field
from torch import Tensor, nn

from vaecore.modalities import Image, Modality
from vaecore.nets.base import ACTIVATIONS, ActivationName, NetworkConfig, widened
from vaecore.schema import option, problem

M = TypeVar("M", bound=nn.Module)
Channels = Annotated[int, Field(ge=1, le=2048)]
SMALL, NARROW = 8, 4  # pixels: the longer side of the last map at most, the shorter at least
LARGE = 64  # pixels of the longer side, above which the first stage is half as wide: its maps are that much larger
FEW = 1_000  # observations, below which all stages are half as wide
MOST_CHANNELS = 256  # of a stage that was not asked for


class _ConvolutionalConfig(NetworkConfig):
    channels: tuple[Channels, ...] = option((32, 64), "Channels of the stages; each halves height and width. Empty: "
                                            "as many stages as the images need.", max_length=8)
    dense: int = option(64, "Width of the fully connected layer between the last stage and the code; 0: as many units "
                        "as the last stage has channels.", unit="units", ge=0, le=8192)
    # On digits ELU reaches in eight epochs a validation ELBO 23 nats above ReLU's, at the same cost.
    activation: ActivationName = option("elu", "Nonlinearity between layers.", advanced=True)

    def sized(self, modality: Modality, observations: int) -> Self:
        if not isinstance(modality, Image):
            return self
        channels = usual_channels(modality.shape[1:], observations)
        return self.model_copy(update={"channels": channels, "dense": channels[-1]})

    def encoder(self, modality: Modality, size: int) -> nn.Module:
        channels, dense, sizes = self._layers(modality)
        act = ACTIVATIONS[self.activation]
        stages = [stage for a, b in pairwise((modality.shape[0], *channels)) for stage in self.down(a, b)]
        flat = channels[-1] * sizes[-1][0] * sizes[-1][1]
        return channels_last(nn.Sequential(_ChannelsLast(), *stages, nn.Flatten(), nn.Linear(flat, dense), act(),
                                           nn.Linear(dense, size)))

    def decoder(self, modality: Modality, size: int, channels: int) -> nn.Module:
        own, dense, sizes = self._layers(modality)
        act = ACTIVATIONS[self.activation]
        height, width = sizes[-1]
        widths = (*reversed(own), widened(modality.shape, channels)[0])
        stages: list[nn.Module] = []
        for index, (a, b) in enumerate(pairwise(widths)):
            small, large = sizes[-1 - index], sizes[-2 - index]
            # Halving rounds up, so doubling overshoots an odd side by one: output_padding says which it was.
            padding = (large[0] - 2 * small[0] + 1, large[1] - 2 * small[1] + 1)
            stages += self.up(a, b, padding, last=index == len(own) - 1)
        return channels_last(nn.Sequential(
            nn.Linear(size, dense), act(), nn.Linear(dense, own[-1] * height * width), act(),
            nn.Unflatten(1, (own[-1], height, width)), _ChannelsLast(), *stages))

    @abstractmethod
    def down(self, a: int, b: int) -> list[nn.Module]:
        """One stage, (B, a, H, W) -> (B, b, ceil(H/2), ceil(W/2))."""

    @abstractmethod
    def up(self, a: int, b: int, padding: tuple[int, int], *, last: bool) -> list[nn.Module]:
        """One stage back, (B, a, h, w) -> (B, b, 2h - 1 + padding, 2w - 1 + padding)."""

    def _layers(self, modality: Modality) -> tuple[tuple[int, ...], int, list[tuple[int, int]]]:
        """Channels of the stages, width of the dense layer, and height and width before and after each stage."""
        if not isinstance(modality, Image):
            raise problem("model.network.kind", self.tag, "a convolutional network needs "
                          f"images, but this data set has {modality.plural}.", "Use mlp or linear.",
                          "model.network.kind=mlp")
        height, width = modality.shape[1:]
        channels = self.channels or usual_channels((height, width))
        sizes = [(height, width)]
        for _ in channels:
            if min(sizes[-1]) < 2:
                raise problem("model.network.channels", list(self.channels), f"{len(channels)} "
                              f"stage{'s' * (len(channels) > 1)} halve{'s' * (len(channels) == 1)} {height} x {width} "
                              "images to nothing.",
                              f"Use at most {len(sizes) - 1} stages." if len(sizes) > 1 else "Use mlp or linear.",
                              f"model.network.channels={list(channels[:len(sizes) - 1])}" if len(sizes) > 1 else
                              "model.network.kind=mlp")
            sizes.append(_halved(sizes[-1]))
        return channels, self.dense or channels[-1], sizes


class ConvConfig(_ConvolutionalConfig):
    """Convolutions of stride two, and transposed ones back."""

    title: ClassVar[str] = "Convolutional"
    kind: Literal["conv"] = "conv"

    def down(self, a: int, b: int) -> list[nn.Module]:
        return [nn.Conv2d(a, b, 3, stride=2, padding=1), ACTIVATIONS[self.activation]()]

    def up(self, a: int, b: int, padding: tuple[int, int], *, last: bool) -> list[nn.Module]:
        grow = nn.ConvTranspose2d(a, b, 3, stride=2, padding=1, output_padding=padding)
        return [grow] if last else [grow, ACTIVATIONS[self.activation]()]


class ResConvConfig(_ConvolutionalConfig):
    """Convolutions with residual blocks at every scale: slower and sharper than plain ones."""

    title: ClassVar[str] = "Residual convolutional"
    kind: Literal["resconv"] = "resconv"
    blocks: int = option(1, "Residual blocks at each scale.", ge=1, le=8)

    def down(self, a: int, b: int) -> list[nn.Module]:
        return [nn.Conv2d(a, b, 3, stride=2, padding=1), *self._residual(b)]

    def up(self, a: int, b: int, padding: tuple[int, int], *, last: bool) -> list[nn.Module]:
        grow = nn.ConvTranspose2d(a, b, 3, stride=2, padding=1, output_padding=padding)
        return [*self._residual(a), ACTIVATIONS[self.activation](), grow]

    def _residual(self, width: int) -> list[nn.Module]:
        return [_Residual(width, ACTIVATIONS[self.activation]) for _ in range(self.blocks)]


def usual_channels(size: tuple[int, ...], observations: int = FEW) -> tuple[int, ...]:
    """Channels of the stages of a network for so many images of this height and width.

    (32, 64) for 28 x 28, (16, 32, 64, 128, 256) for 256 x 192, and half of that for fewer than 1,000 images.
    """
    small = (size[0], size[1])
    stages = 1
    while max(small := _halved(small)) > SMALL and min(_halved(small)) >= NARROW and stages < 8:
        stages += 1
    first = (32 if max(size) <= LARGE else 16) // (2 if observations < FEW else 1)
    return tuple(min(first * 2**stage, MOST_CHANNELS) for stage in range(stages))


def _halved(size: tuple[int, int]) -> tuple[int, int]:
    return (size[0] + 1) // 2, (size[1] + 1) // 2


def channels_last(module: M) -> M:
    """The module with its convolution weights laid out channels-last; nothing else changes."""
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return module


class _Residual(nn.Module):
    """x + f(x); normalised by group, which has no running averages to go wrong in evaluation."""

    def __init__(self, width: int, act: type[nn.Module]) -> None:
        super().__init__()
        groups = next(g for g in (8, 4, 2, 1) if width % g == 0)
        self.body = nn.Sequential(nn.GroupNorm(groups, width), act(), nn.Conv2d(width, width, 3, padding=1),
                                  nn.GroupNorm(groups, width), act(), nn.Conv2d(width, width, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


class _ChannelsLast(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.contiguous(memory_format=torch.channels_last)
