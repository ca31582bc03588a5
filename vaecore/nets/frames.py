"""Encoders and decoders of single frames: DCGAN- and VGG-like convolutions, and an MLP for vectors.

What the encoder saw at each scale reaches the decoder by skip connections (Denton & Fergus 2018), which carry the
background past the recurrent state. A convolution of two maps laid one on the other is the sum of a convolution of
each, so a decoder convolves the skips of one frame once (`prepare`) for all frames and futures that are decoded with
them. Normalised by group: running averages, and their trap of batch statistics at test, do not exist.
Shapes: N frames, (C, H, W) or (D,) a frame, g size of its code, S sets of skips.
"""

from __future__ import annotations

from abc import abstractmethod
from itertools import pairwise, product
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vaecore.nets.base import widened
from vaecore.nets.convolutional import channels_last
from vaecore.nets.mlp import Width
from vaecore.schema import Strict, option, problem

Frame = tuple[int, ...]
SMALLEST = 4  # shorter side of the last map before the code, pixels
FEW_CHANNELS = 8  # to which oneDNN's transposed convolution is slow
STRIDE_AND_PADDING = 2, 1


class FrameEncoder(nn.Module):
    """Frames (N, *frame) to codes (N, g) and skips: maps (N, c, h, w) from the largest to the smallest scale."""

    @abstractmethod
    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]: ...


class FrameDecoder(nn.Module):
    """Codes back to frames, with prepared skips."""

    @abstractmethod
    def prepare(self, skips: list[Tensor]) -> list[Tensor]:
        """Skips of S frames as `forward` adds them, from the smallest to the largest scale."""

    @abstractmethod
    def forward(self, h: Tensor, prepared: list[Tensor]) -> Tensor:
        """Codes (S, N, g) with skips of S frames -> (S * N, channels * frame[0], *frame[1:])."""


class FrameNetworkConfig(Strict):
    """A choice of networks for frames."""

    @abstractmethod
    def encoder(self, frame: Frame, size: int) -> FrameEncoder:
        """(N, *frame) -> (N, `size`); raises `ConfigError` for frames it cannot take."""

    @abstractmethod
    def decoder(self, frame: Frame, size: int, channels: int) -> FrameDecoder:
        """(N, `size`) -> (N, `channels` * frame[0], *frame[1:])."""


class _ConvolutionalConfig(FrameNetworkConfig):
    channels: int = option(16, "Channels of the first stage; each later one has twice as many, at most eight times.",
                           ge=1, le=512)
    skips: bool = option(True, "Whether the decoder sees what the encoder saw of the last context frame, at every "
                         "scale. Without, all has to pass through the code.")

    def encoder(self, frame: Frame, size: int) -> FrameEncoder:
        return _ConvolutionalEncoder(self, self._widths(frame), size, self._last(frame))

    def decoder(self, frame: Frame, size: int, channels: int) -> FrameDecoder:
        return _ConvolutionalDecoder(self, self._widths(frame), size, widened(frame, channels)[0], self._last(frame))

    @abstractmethod
    def down(self, a: int, b: int) -> nn.Module:
        """One stage, (N, a, H, W) -> (N, b, H/2, W/2)."""

    @abstractmethod
    def up(self, a: int, b: int, skip: int) -> _Up:
        """One stage back, (N, a, h, w) -> (N, b, 2h, 2w), with a skip of so many channels."""

    def _widths(self, frame: Frame) -> list[int]:
        """Channels of the frame and of each stage; raises `ConfigError` for sides that do not halve to 4 pixels."""
        kind = self.tag
        if len(frame) != 3:
            raise problem("model.network.kind", kind, "a convolutional network needs pictures, but these frames are "
                          "vectors.", "Use mlp.", "model.network.kind=mlp")
        height, width = frame[1:]
        stages = max(0, min(height, width).bit_length() - SMALLEST.bit_length())
        whole = height % 2**stages == 0 and width % 2**stages == 0
        if min(height, width) != SMALLEST * 2**stages or not whole or not stages:
            raise problem("model.network.kind", kind, f"frames of {height} x {width} pixels do not halve to "
                          + (f"{SMALLEST} x {SMALLEST}." if height == width else f"a shorter side of {SMALLEST}."),
                          "Use mlp, or frames of 16, 32 or 64 pixels (data.size)"
                          + ("." if height == width else ", and a width that halves as often."),
                          "model.network.kind=mlp", "data.size=32")
        return [frame[0], *(self.channels * 2 ** min(stage, 3) for stage in range(stages))]

    def _last(self, frame: Frame) -> tuple[int, int]:
        """Height and width of the last map, of which the shorter is `SMALLEST`."""
        shorter = min(frame[1:])
        return SMALLEST * frame[1] // shorter, SMALLEST * frame[2] // shorter


class DCGANConfig(_ConvolutionalConfig):
    """Convolutions of 4 x 4 and stride two, and transposed ones back: quick, for simple pictures."""

    title: ClassVar[str] = "DCGAN-like"
    kind: Literal["dcgan"] = "dcgan"

    def down(self, a: int, b: int) -> nn.Module:
        return nn.Sequential(Halving(a, b), norm(b), nn.LeakyReLU(0.2, inplace=True))

    def up(self, a: int, b: int, skip: int) -> _Up:
        return _Up(Doubling(a, b), Doubling(skip, b, bias=False) if skip else None)


class VGGConfig(_ConvolutionalConfig):
    """Pairs of 3 x 3 convolutions at each scale: several times slower, for real footage."""

    title: ClassVar[str] = "VGG-like"
    kind: Literal["vgg"] = "vgg"

    def down(self, a: int, b: int) -> nn.Module:
        return nn.Sequential(_block(a, b), _block(b, b), nn.MaxPool2d(2))

    def up(self, a: int, b: int, skip: int) -> _Up:
        def grow(width: int, *, bias: bool) -> nn.Module:
            return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(width, b, 3, 1, 1, bias=bias))

        return _Up(grow(a, bias=True), grow(skip, bias=False) if skip else None)


class FrameMLPConfig(FrameNetworkConfig):
    """Fully connected layers for frames that are vectors, as coordinates; no skips."""

    title: ClassVar[str] = "MLP"
    kind: Literal["mlp"] = "mlp"
    hidden: tuple[Width, ...] = option((64,), "Widths of the hidden layers from a frame to its code; the decoder "
                                       "mirrors them.", unit="units", min_length=1, max_length=8)

    def encoder(self, frame: Frame, size: int) -> FrameEncoder:
        return _VectorEncoder(self._layers((_flat(frame), *self.hidden)), nn.Linear(self.hidden[-1], size))

    def decoder(self, frame: Frame, size: int, channels: int) -> FrameDecoder:
        shape = widened(frame, channels)
        return _VectorDecoder(self._layers((size, *reversed(self.hidden))), nn.Linear(self.hidden[0], _flat(shape)),
                              shape)

    def _layers(self, widths: tuple[int, ...]) -> list[nn.Module]:
        return [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), nn.ReLU())]


FrameNetwork = Annotated[DCGANConfig | VGGConfig | FrameMLPConfig, Field(discriminator="kind")]


def encode_clips(encoder: FrameEncoder, x: Tensor, context: int) -> tuple[Tensor, list[Tensor]]:
    """Codes (B, T, g) of frames (B, T, *frame), and skips of the first `context` (or T) frames of each, clip by clip.

    No other skips are seen by a decoder, and gradients of a part of a map would be as large as all of it.
    """
    parts = [encoder(part.flatten(0, 1)) for part in (x[:, :context], x[:, context:]) if part.shape[1]]
    return torch.cat([grouped(h, len(x)) for h, _ in parts], 1), parts[0][1]


def decode_clips(decoder: FrameDecoder, h: Tensor, skips: list[Tensor], context: int) -> Tensor:
    """Codes (B, T-1, g) of predicted frames, with the skips of `encode_clips` -> (B * (T-1), ...), clip by clip.

    Frames of the context see the skips of the frame before them, later ones those of the last frame given.
    """
    clips, given = len(h), min(context, h.shape[1])
    if context > given:  # the last frame of so short a clip predicts nothing
        skips = [grouped(skip, clips)[:, :given].flatten(0, 1) for skip in skips]
    prepared = [torch.split(grouped(part, clips), [given - 1, 1], 1) for part in decoder.prepare(skips)]
    later: Tensor = decoder(h[:, given - 1:], [last[:, 0] for _, last in prepared])
    if given == 1:
        return later
    first = decoder(h[:, :given - 1].flatten(0, 1)[:, None], [before.flatten(0, 1) for before, _ in prepared])
    return torch.cat([grouped(part, clips) for part in (first, later)], 1).flatten(0, 1)


def grouped(x: Tensor, groups: int) -> Tensor:
    """(groups * S, ...) as (groups, S, ...): what was flattened, clip by clip."""
    return x.view(groups, -1, *x.shape[1:])


def norm(width: int) -> nn.GroupNorm:
    """Groups of at least four channels."""
    return nn.GroupNorm(next(g for g in (8, 4, 2, 1) if width % (4 * g) == 0 or g == 1), width)


class _Up(nn.Module):
    """A stage of a decoder before its nonlinearity; the skip's part apart, so that it is computed once."""

    def __init__(self, own: nn.Module, skip: nn.Module | None) -> None:
        super().__init__()
        self.own, self.skip = own, skip


class Halving(nn.Conv2d):
    """A convolution of 4 x 4 and stride two, (N, a, 2h, 2w) -> (N, b, h, w)."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__(a, b, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        if _slow_to(x, self.in_channels):
            return _Halved.apply(x, self.weight, self.bias)  # type: ignore[no-untyped-call, no-any-return]
        return super().forward(x)


class Doubling(nn.ConvTranspose2d):
    """A transposed convolution of 4 x 4 and stride two, (N, a, h, w) -> (N, b, 2h, 2w)."""

    def __init__(self, a: int, b: int, *, bias: bool = True) -> None:
        super().__init__(a, b, 4, 2, 1, bias=bias)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        if _slow_to(x, self.out_channels):
            return _Doubled.apply(x, self.weight, self.bias)  # type: ignore[no-untyped-call, no-any-return]
        return super().forward(x, output_size)


class _Halved(torch.autograd.Function):
    """Forward as it is; the gradient of its input is a transposed convolution."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, bias, *STRIDE_AND_PADDING)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        of_weight, of_bias = _gradients(gradient, x, weight, len(weight), (False, *wanted[1:]), transposed=False)[1:]
        return doubled(gradient, weight) if wanted[0] else None, of_weight, of_bias


class _Doubled(torch.autograd.Function):
    """Backward as it is."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return doubled(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        return _gradients(gradient, x, weight, weight.shape[1], ctx.needs_input_grad, transposed=True)


def doubled(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`Doubling` as a convolution: to few channels two to four times as fast as oneDNN's transposed one.

    The 2 x 2 pixels of the result that meet where four of the map's do read these four. So a convolution of 2 x 2 to
    4 b channels at the (h + 1) x (w + 1) corners gives all of them, with no product in vain.
    """
    a, b = weight.shape[:2]
    size, height, width = len(x), *x.shape[2:]
    # In one direction 2p - 1 + s, one of the two pixels s at corner p, reads pixel p - 1 + t by weight 2 (1 - t) + s.
    corners = weight.reshape(a, b, 2, 2, 2, 2).flip(2, 4).permute(3, 5, 1, 0, 2, 4).reshape(4 * b, a, 2, 2)
    found = F.conv2d(x, corners.contiguous(memory_format=torch.channels_last),
                     None if bias is None else bias.repeat(4), padding=1).permute(0, 2, 3, 1)
    result = x.new_empty(size, height, 2, width, 2, b)
    for place, (s, t) in enumerate(product((0, 1), repeat=2)):
        result[:, :, 1 - s, :, 1 - t] = found[:, 1 - s:height + 1 - s, 1 - t:width + 1 - t, place * b:(place + 1) * b]
    return result.view(size, 2 * height, 2 * width, b).permute(0, 3, 1, 2)


def _gradients(gradient: Tensor, x: Tensor, weight: Tensor, outputs: int, wanted: tuple[bool, ...], *, transposed: bool
               ) -> tuple[Tensor | None, ...]:
    """Of input, weights and bias of a (transposed) convolution of 4 x 4 and stride two, those that are wanted."""
    found: tuple[Tensor | None, ...] = torch.ops.aten.convolution_backward(
        gradient, x, weight, [outputs], [2, 2], [1, 1], [1, 1], transposed, [0, 0], 1, list(wanted))
    return found


def _slow_to(x: Tensor, channels: int) -> bool:
    return channels <= FEW_CHANNELS and x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")


class _ConvolutionalEncoder(FrameEncoder):
    def __init__(self, config: _ConvolutionalConfig, widths: list[int], size: int, last: tuple[int, int]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(config.down(a, b) for a, b in pairwise(widths))
        self.code = _Whole(widths[-1], size, last)
        channels_last(self)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        x = x.contiguous(memory_format=torch.channels_last)
        skips: list[Tensor] = []
        for stage in self.stages:
            x = stage(x)
            skips.append(x)
        return self.code(x).flatten(1).tanh(), skips


class _ConvolutionalDecoder(FrameDecoder):
    def __init__(self, config: _ConvolutionalConfig, widths: list[int], size: int, channels: int, last: tuple[int, int]
                 ) -> None:
        super().__init__()
        outputs = [*reversed(widths[1:-1]), channels]
        inputs = list(reversed(widths[1:]))
        self.code = _Spread(size, inputs[0], last)
        self.first = nn.Sequential(norm(inputs[0]), nn.LeakyReLU(0.2, inplace=True))
        self.ups = nn.ModuleList(config.up(a, b, a if config.skips else 0)
                                 for a, b in zip(inputs, outputs, strict=True))
        self.norms = nn.ModuleList(nn.Sequential(norm(b), nn.LeakyReLU(0.2, inplace=True)) for b in outputs[:-1])
        channels_last(self)

    def prepare(self, skips: list[Tensor]) -> list[Tensor]:
        return [up.skip(skip) for up, skip in zip(self._stages(), reversed(skips), strict=True) if up.skip is not None]

    def forward(self, h: Tensor, prepared: list[Tensor]) -> Tensor:
        sets = len(h)
        x: Tensor = self.first(self.code(h.flatten(0, 1)[:, :, None, None]))
        for index, up in enumerate(self._stages()):
            x = up.own(x)
            if prepared:
                x = (grouped(x, sets) + prepared[index][:, None]).flatten(0, 1)
            if index < len(self.norms):
                x = self.norms[index](x)
        return x

    def _stages(self) -> list[_Up]:
        return [up for up in self.ups if isinstance(up, _Up)]


class _VectorEncoder(FrameEncoder):
    def __init__(self, layers: list[nn.Module], head: nn.Module) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Flatten(), *layers, head)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        return self.network(x), []


class _VectorDecoder(FrameDecoder):
    def __init__(self, layers: list[nn.Module], head: nn.Module, shape: Frame) -> None:
        super().__init__()
        self.network = nn.Sequential(*layers, head, nn.Unflatten(1, shape))

    def prepare(self, skips: list[Tensor]) -> list[Tensor]:
        return []

    def forward(self, h: Tensor, prepared: list[Tensor]) -> Tensor:
        x: Tensor = self.network(h.flatten(0, 1))
        return x


class _Whole(nn.Conv2d):
    """A convolution of a map no larger than its filters, (N, a, h, w) -> (N, b, 1, 1), as the one product it is."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(_last_channels(x), _last_channels(self.weight), self.bias)[:, :, None, None]


class _Spread(nn.ConvTranspose2d):
    """The way back, (N, a, 1, 1) -> (N, b, h, w): likewise."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        assert self.bias is not None
        bias = self.bias.repeat(self.weight.shape[2] * self.weight.shape[3])
        rows = torch.addmm(bias, x.flatten(1), _last_channels(self.weight))
        return rows.view(-1, *self.weight.shape[2:], len(self.bias)).permute(0, 3, 1, 2)


def _last_channels(x: Tensor) -> Tensor:
    """Maps or filters (N, C, H, W) as rows (N, H W C): in channels-last nothing moves."""
    return x.permute(0, 2, 3, 1).flatten(1)


def _block(a: int, b: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(a, b, 3, 1, 1), norm(b), nn.LeakyReLU(0.2, inplace=True))


def _flat(frame: Frame) -> int:
    size = 1
    for side in frame:
        size *= side
    return size
