"""A network inside a prior or a divergence that learns by a loss of its own: a critic, a density ratio."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Batch = Mapping[str, Tensor]
Codes = Callable[[Batch, torch.Generator | None], Tensor]  # one code of each observation of a batch, (B, r)
# The same with as many draws from the prior (B, r), and the covariate (B, m) where there is one.
CodesAndDraws = Callable[[Batch, torch.Generator | None], tuple[Tensor, Tensor, Tensor | None]]


@dataclass(frozen=True)
class Auxiliary:
    """What a network that learns by a loss of its own learns, and how.

    The model's optimizer leaves its parameters alone; its own, an Adam, makes `updates` updates before each of the
    model's, each on a fresh minibatch.
    """

    parameters: list[nn.Parameter]
    loss: Callable[[Batch, torch.Generator | None], Tensor]  # a scalar
    learning_rate: float
    updates: int
    betas: tuple[float, float] = (0.9, 0.999)
