"""A convolutional LSTM (Shi et al. 2015), without peepholes.

Shapes: B maps, S steps, C channels in, K channels out, (H, W) pixels.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from vaecore.nets.convolutional import channels_last

Gate = Literal["sigmoid", "hard"]
State = tuple[Tensor, Tensor]  # h and c, (B, K, H, W) each


class ConvLSTMCell(nn.Module):
    """One step of an LSTM whose products are convolutions: maps (B, C, H, W) and a state -> the next state (h, c).

    `h` of the state is the output, (B, K, H, W); no state is one of zeros. `gate` "hard" is the piecewise linear
    sigmoid clip(x / 5 + 1/2, 0, 1) of PredNet's code.
    """

    def __init__(self, channels: int, hidden: int, kernel: int = 3, *, gate: Gate = "sigmoid") -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"a kernel of {kernel} pixels has no middle: use an odd one.")
        self.hidden, self.hard = hidden, gate == "hard"
        self.gates = nn.Conv2d(channels + hidden, 4 * hidden, kernel, padding=kernel // 2)
        bias = self.gates.bias
        assert bias is not None
        with torch.no_grad():
            bias.zero_()
            bias[hidden:2 * hidden] = 1.0  # of the gate that keeps the cell's content: it is kept at first
        channels_last(self)

    def forward(self, x: Tensor, state: State | None = None) -> State:
        h, c = self.start(x) if state is None else state
        enter, keep, show, candidate = self.gates(torch.cat([x, h], 1)).chunk(4, 1)
        squash = _hard_sigmoid if self.hard else torch.sigmoid
        c = torch.addcmul(squash(enter) * candidate.tanh(), squash(keep), c)
        return squash(show) * c.tanh(), c

    def start(self, x: Tensor) -> State:
        """The state before the first map: zeros."""
        zeros = x.new_zeros(len(x), self.hidden, *x.shape[2:]).contiguous(memory_format=torch.channels_last)
        return zeros, zeros

    def over(self, x: Tensor, steps: int, state: State | None = None) -> tuple[Tensor, State]:
        """Several steps, (S * B, C, H, W) step by step: outputs (S * B, K, H, W) and the state after the last."""
        outputs = []
        # Convolving what enters for all steps in one call was no quicker.
        for part in x.chunk(steps):
            state = self(part, state)
            outputs.append(state[0])
        assert state is not None
        return (outputs[0] if steps == 1 else torch.cat(outputs)), state


def _hard_sigmoid(x: Tensor) -> Tensor:
    """clip(x / 5 + 1/2, 0, 1); torch's own has a slope of 1/6."""
    return torch.clamp(0.2 * x + 0.5, 0, 1)
