"""A recurrent network that moves the pixels of the frame before it, SV2P's generator (Finn et al. 2016, CDNA).

Each step gives a few kernels and a mask for each: the frame before convolved with a kernel is that frame moved, and
masks say for each pixel which of the candidates it is taken from. Two more candidates are the frame before as it was
and a synthesised one, for what comes into view. A mask for each candidate: the published code has one fewer than
candidates, and `zip` drops the last moved frame without a word.
Layers run one after another over all steps whose frames are known, so that only the recurrences go step by step.
Shapes: B clips, S steps, C channels, (H, W) pixels, K kernels of k x k, r latent size = (H / 8) * (W / 8).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vaecore.nets.convolutional import channels_last
from vaecore.nets.recurrent import ConvLSTMCell, State

States = list[State]  # of the seven LSTMs, in the order in which they run
SCALE = 8  # the latent map and the smallest maps are so many times smaller than a frame
POSITIVE = 1e-12  # added to kernels after their rectifier, as published: one of zeros becomes a blur, not 0 / 0


class Layers(NamedTuple):
    """Sizes of the generator."""

    channels: int  # of the largest maps; the published 32
    reach: int  # side of the kernels inside the LSTMs, pixels; the published 5
    kernels: int  # K
    kernel: int  # their side k, pixels


class CDNA(nn.Module):
    """x_{t-1} and z_t to the mean of x_t, each pixel a convex combination of pixels in [0, 1]."""

    def __init__(self, frame: tuple[int, ...], layers: Layers) -> None:
        super().__init__()
        image, height, width = frame
        self.small, self.layers = (height // SCALE, width // SCALE), layers
        c, reach = layers.channels, layers.reach

        def memory(a: int, b: int) -> Memory:
            return Memory(ConvLSTMCell(a, b, reach))

        self.enter = nn.Sequential(nn.Conv2d(image, c, 5, 2, 2), nn.GroupNorm(1, c))
        self.large = nn.ModuleList([memory(c, c), memory(c, c)])
        self.halve = _down(c, 2 * c)
        self.middle = nn.ModuleList([memory(2 * c, 2 * c), memory(2 * c, 2 * c)])
        self.quarter = _down(2 * c, 2 * c)
        self.with_code = nn.Sequential(nn.Conv2d(2 * c + 1, 2 * c, 1), nn.ReLU())
        self.least = memory(2 * c, 4 * c)
        self.up_middle, self.back_middle = _up(4 * c, 4 * c), memory(4 * c, 2 * c)
        self.up_large, self.back_large = _up(4 * c, 2 * c), memory(2 * c, c)
        self.up_frame = nn.Sequential(_up(2 * c, c), nn.GroupNorm(1, c))
        self.synthesise = nn.Conv2d(c, image, 1)
        self.mask = nn.Conv2d(c, layers.kernels + 2, 1)
        self.kernel = nn.Linear(4 * c * self.small[0] * self.small[1], layers.kernels * layers.kernel**2)
        channels_last(self)

    def forward(self, x: Tensor, z: Tensor, states: States | None = None) -> tuple[Tensor, States]:
        """The frame after each of x (B, S, C, H, W) in [0, 1] given codes z (B, S, r), of the shape of x.

        Besides the states to go on from.
        """
        clips, steps = x.shape[:2]
        # Step by step, so that the maps of one step lie together.
        before = x.transpose(0, 1).flatten(0, 1).contiguous(memory_format=torch.channels_last)
        code = z.transpose(0, 1).reshape(steps * clips, 1, *self.small)
        parts, after = self.parts(before, code, steps, states)
        mean = composed(before, parts).view(steps, clips, *x.shape[2:])
        return mean.transpose(0, 1), after

    def parts(self, x: Tensor, code: Tensor, steps: int, states: States | None = None) -> tuple[Parts, States]:
        """What frames (S * B, C, H, W) and code maps (S * B, 1, H / 8, W / 8), step by step, say of the next ones."""
        given = iter(states) if states is not None else None
        after: States = []

        def remember(memory: nn.Module, h: Tensor) -> Tensor:
            h, state = memory(h, steps, None if given is None else next(given))
            after.append(state)
            return h

        entered = self.enter(x)
        h = remember(self.large[1], remember(self.large[0], entered))
        halved = self.halve(h)
        h = self.quarter(remember(self.middle[1], remember(self.middle[0], halved)))
        least = remember(self.least, self.with_code(torch.cat([h, code.to(h.dtype)], 1)))
        h = remember(self.back_middle, self.up_middle(least))
        h = remember(self.back_large, self.up_large(torch.cat([h, halved], 1)))
        h = self.up_frame(torch.cat([h, entered], 1))
        return Parts(normalised(self.kernel(least.flatten(1)), self.layers.kernels), self.mask(h).float().softmax(1),
                     self.synthesise(h).float().sigmoid()), after


class Parts(NamedTuple):
    """What the next frames are composed of, (N, ...) each."""

    kernels: Tensor  # (N, K, k, k), each sums to 1
    masks: Tensor  # (N, K + 2, H, W): of the frame before, of the synthesised one, of the moved ones; they sum to 1
    synthesised: Tensor  # (N, C, H, W) in [0, 1]


def normalised(raw: Tensor, kernels: int) -> Tensor:
    """Numbers (N, K * k * k) as K kernels (N, K, k, k) without negative entries, each with sum 1."""
    side = round((raw.shape[1] / kernels) ** 0.5)
    positive = raw.float().relu() + POSITIVE
    positive = positive.view(len(raw), kernels, side * side)
    return (positive / positive.sum(2, keepdim=True)).view(len(raw), kernels, side, side)


def warped(x: Tensor, kernels: Tensor) -> Tensor:
    """Each frame (N, C, H, W) under each of its own kernels (N, K, k, k): (N, K, C, H, W), zeros beyond the edges.

    As convolutions of networks go, a kernel is not mirrored: weight at (i, j) takes the pixel i - k // 2 rows below and
    j - k // 2 columns to the right.
    """
    count, channels, height, width = x.shape
    many, side = kernels.shape[1], kernels.shape[2]
    # Patches and one batched product: grouped convolutions with a group for each frame are several times slower here.
    patches = F.unfold(x, side, padding=side // 2).view(count, channels, side * side, height * width)
    moved = kernels.flatten(2)[:, None] @ patches  # (N, C, K, H W)
    return moved.view(count, channels, many, height, width).transpose(1, 2)


def composed(x: Tensor, parts: Parts) -> Tensor:
    """Frames (N, C, H, W) after the frames x: of each pixel the candidates, weighed by their masks."""
    candidates = torch.cat([x[:, None], parts.synthesised[:, None], warped(x, parts.kernels)], 1)
    return (candidates * parts.masks[:, :, None]).sum(1)


class Memory(nn.Module):
    """A convolutional LSTM whose output is normalised; what it carries on is not, as published."""

    def __init__(self, cell: ConvLSTMCell) -> None:
        super().__init__()
        self.cell, self.norm = cell, nn.GroupNorm(1, cell.hidden)

    def forward(self, x: Tensor, steps: int, state: State | None) -> tuple[Tensor, State]:
        """Run the cell over all steps, as `ConvLSTMCell.over` does."""
        h, after = self.cell.over(x, steps, state)
        return self.norm(h), after


def _down(a: int, b: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), nn.ReLU())


def _up(a: int, b: int) -> nn.Module:
    return nn.Sequential(nn.ConvTranspose2d(a, b, 3, 2, 1, output_padding=1), nn.ReLU())
