"""Networks whose output for a number sees only the numbers before it: masked layers, and masked convolutions.

Both give log odds: of the number at d given those before d. Both sample without passing the whole network for every
number: what a new number changes is computed, and nothing else.
Shapes: B observations, D numbers of one, (C, H, W) an image, S channels of a stack, M channels of a condition.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Masked(nn.Linear):
    """A linear layer in which a unit sees units of at most its degree; below its degree, where `strict`.

    The degrees are kept, not the mask that follows from them: it is as large as the weights.
    """

    before: Tensor  # degrees of the inputs
    after: Tensor  # degrees of the outputs

    def __init__(self, before: Tensor, after: Tensor, *, strict: bool = False) -> None:
        super().__init__(len(before), len(after))
        self.register_buffer("before", before.clone())  # weights are saved without shared memory
        self.register_buffer("after", after.clone())
        self.strict = strict

    @property
    def masked(self) -> Tensor:
        """The weights (out, in), 0 where there is no connection."""
        after = self.after[:, None]
        return self.weight * (after > self.before if self.strict else after >= self.before)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.masked, self.bias)


class MaskedNetwork(nn.Module):
    """Fully connected layers (B, D) -> (B, D) of Germain et al. (2015); `order` (D,) lists the numbers as they come.

    A hidden unit has a degree m from 1 to D - 1 and sees the first m numbers; degrees are spread evenly over the units
    of a layer, and a unit sees units of at most its degree. The d-th number sees units of degrees below d.
    """

    order: Tensor

    def __init__(self, order: Tensor, hidden: Sequence[int]) -> None:
        super().__init__()
        size = len(order)
        self.register_buffer("order", order)
        place = order.argsort() + 1  # of each number in the order
        spread = [1 + torch.arange(width, device=order.device) * (size - 1) // width for width in hidden]
        degrees = [place, *spread]
        self.layers = nn.ModuleList([Masked(a, b) for a, b in pairwise(degrees)]
                                    + [Masked(degrees[-1], place, strict=True)])

    def forward(self, x: Tensor) -> Tensor:
        for layer in list(self.layers)[:-1]:
            x = layer(x).relu()
        return self.layers[-1](x)  # type: ignore[no-any-return]

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """`count` draws (count, D) of 0 and 1, number by number.

        A new number adds its column to the first layer's sums, and of the last layer only one row is needed.
        """
        first, *between, last = self.layers
        assert isinstance(first, Masked) and isinstance(last, Masked)
        columns, rows = first.masked.T.contiguous(), last.masked
        sums = first.bias.expand(count, -1).clone()
        x = torch.zeros(count, len(self.order), device=sums.device)
        for d in self.order.tolist():
            h = sums.relu()
            for layer in between:
                h = layer(h).relu()
            x[:, d] = torch.bernoulli((h @ rows[d] + last.bias[d]).sigmoid(), generator=generator)
            sums.addr_(x[:, d], columns[d])
        return x


class GatedLayer(nn.Module):
    """A layer of the gated PixelCNN (van den Oord et al. 2016): two stacks, so that nothing above is a blind spot.

    The vertical stack at row i has seen rows up to i; the horizontal one at column j the columns of its row up to j
    (before j, for the first layer), and by `link` what the vertical stack has of the row above. Inputs come padded, so
    that the same layer serves a whole image, one row or one pixel. With `condition` channels, a map of what is known
    beforehand enters both stacks before their gates.
    """

    def __init__(self, inputs: int, channels: int, kernel: int, *, first: bool, condition: int = 0) -> None:
        super().__init__()
        self.reach, self.first = kernel // 2, first
        self.down = nn.Conv2d(inputs, 2 * channels, (self.reach + 1, kernel))
        self.link = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.across = nn.Conv2d(inputs, 2 * channels, (1, self.reach + (0 if first else 1)))
        self.out = nn.Conv2d(channels, channels, 1)
        self.given = nn.Conv2d(condition, 4 * channels, 1) if condition else None

    def known(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """What a condition (B, M, H, W) adds to the vertical and to the horizontal stack, (B, 2 S, H, W) each."""
        assert self.given is not None
        vertical, horizontal = self.given(condition).chunk(2, 1)
        return vertical, horizontal

    def vertical(self, padded: Tensor, known: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The vertical stack and what `link` carries, from rows with `reach` more above and columns on both sides."""
        a = self.down(padded)
        if known is not None:
            a = a + known
        return _gate(a), self.link(a)

    def horizontal(self, padded: Tensor, linked: Tensor) -> Tensor:
        """The horizontal stack, from columns with `reach` more on the left and the link with what is known.

        The first layer reads the columns without the column itself.
        """
        h = self.out(_gate(self.across(padded) + linked))
        return h if self.first else h + padded[..., self.reach:]  # type: ignore[no-any-return]


class GatedNetwork(nn.Module):
    """Gated masked convolutions (B, C, H, W) -> (B, C, H, W); colours of one pixel do not see each other.

    With `condition` channels every pixel also sees the whole of a map (B, `condition`, H, W), as a frame sees those
    before it.
    """

    def __init__(self, shape: tuple[int, ...], channels: int, layers: int, first_kernel: int, kernel: int,
                 condition: int = 0) -> None:
        super().__init__()
        self.shape, self.channels = shape, channels
        self.layers = nn.ModuleList(GatedLayer(channels if i else shape[0], channels, kernel if i else first_kernel,
                                               first=not i, condition=condition) for i in range(layers))
        self.head = nn.Sequential(nn.ELU(), nn.Conv2d(channels, 2 * channels, 1), nn.ELU(),
                                  nn.Conv2d(2 * channels, shape[0], 1))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        v = h = x
        for layer in self.layers:
            assert isinstance(layer, GatedLayer)
            reach = layer.reach
            above, beside = (None, None) if condition is None else layer.known(condition)
            v, linked = layer.vertical(F.pad(v, (reach, reach, reach, 0)), above)
            # A row's link comes from the row above, a first layer's column from the columns before it.
            linked = F.pad(linked, (0, 0, 1, 0))[:, :, :-1]
            if beside is not None:
                linked = linked + beside
            h = layer.horizontal(F.pad(h[..., :-1] if layer.first else h, (reach, 0)), linked)
        return self.head(h)  # type: ignore[no-any-return]

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator | None = None, condition: Tensor | None = None) -> Tensor:
        """`count` draws (count, C, H, W) of 0 and 1, pixel by pixel, each given its `condition` (count, M, H, W).

        Every layer keeps what it has computed, padded; a row costs one row of the vertical stack, a pixel one column
        of the horizontal one.
        """
        colours, height, width = self.shape
        stacks = [layer for layer in self.layers if isinstance(layer, GatedLayer)]
        weight = stacks[0].down.weight
        x = torch.zeros(count, colours, height, width, dtype=weight.dtype, device=weight.device)
        inputs = [colours] + [self.channels] * (len(stacks) - 1)
        above = [x.new_zeros(count, c, height + s.reach, width + 2 * s.reach)
                 for c, s in zip(inputs, stacks, strict=True)]
        linked = [x.new_zeros(count, 2 * self.channels, 1, width) for _ in stacks]
        known = None if condition is None else [layer.known(condition) for layer in stacks]
        for i in range(height):
            if known is not None:
                linked = [part + beside[:, :, i : i + 1] for part, (_, beside) in zip(linked, known, strict=True)]
            left = [x.new_zeros(count, c, 1, width + s.reach) for c, s in zip(inputs, stacks, strict=True)]
            for j in range(width):
                for index, layer in enumerate(stacks):
                    seen = left[index][..., j : j + layer.reach + (0 if layer.first else 1)]
                    h = layer.horizontal(seen, linked[index][..., j : j + 1])
                    if index + 1 < len(stacks):
                        left[index + 1][..., j + stacks[index + 1].reach] = h[..., 0]
                x[..., i, j] = torch.bernoulli(self.head(h)[..., 0, 0].sigmoid(), generator=generator)
                left[0][..., 0, j + stacks[0].reach] = x[..., i, j]
            v = x[:, :, i : i + 1]
            for index, layer in enumerate(stacks):
                reach = layer.reach
                above[index][:, :, i + reach, reach : reach + width] = v[:, :, 0]
                v, carried = layer.vertical(above[index][:, :, i : i + reach + 1],
                                            None if known is None else known[index][0][:, :, i : i + 1])
                linked[index] = carried
        return x


def _gate(a: Tensor) -> Tensor:
    """Half of the channels, each let through as far as one of the other half says."""
    value, gate = a.chunk(2, 1)
    return value.tanh() * gate.sigmoid()
