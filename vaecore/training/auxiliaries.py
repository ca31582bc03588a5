"""The networks inside a family that learn by a loss of their own: a critic, a density ratio.

Before each update of the model each makes its own, on fresh minibatches. What is summed between two evaluations is in
`state`, so that a run can be stopped and go on with the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from vaecore.models.base import Batch
from vaecore.probability.auxiliary import Auxiliary

MAX_LOSS = 1e6  # of a loss; beyond it a network has diverged, though its numbers are still finite


class Auxiliaries:
    """Optimizers of critics and the like, and the mean of each one's loss since it was last asked for."""

    def __init__(self, members: dict[str, Auxiliary], device: torch.device) -> None:
        self.members = members
        self.optimizers = {name: torch.optim.Adam(member.parameters, lr=member.learning_rate, betas=member.betas,
                                                  fused=True) for name, member in members.items()}
        self.sums = {name: torch.zeros((), device=device) for name in members}
        self.worst = {name: torch.zeros((), device=device) for name in members}
        self.updates = dict.fromkeys(members, 0)

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All that the model's own optimizer leaves alone."""
        return [parameter for member in self.members.values() for parameter in member.parameters]

    def update(self, fresh: Callable[[], Batch], generator: torch.Generator) -> None:
        """Every member's updates before one of the model."""
        for name, member in self.members.items():
            for _ in range(member.updates):
                loss = member.loss(fresh(), generator)
                torch.autograd.backward(loss, inputs=member.parameters)
                self.follow(name, loss.detach())

    def follow(self, name: str, loss: Tensor) -> None:
        """An update of one along its gradient, noting the loss that this is of."""
        self.optimizers[name].step()
        self.optimizers[name].zero_grad(set_to_none=True)
        self.sums[name] += loss
        torch.maximum(self.worst[name], loss.abs(), out=self.worst[name])  # NaN stays NaN
        self.updates[name] += 1

    def replayed(self) -> None:
        """Count what a captured step has made, of which Python does not hear."""
        for name, member in self.members.items():
            self.updates[name] += member.updates

    def diverged(self) -> str:
        """The first whose loss was not finite, or beyond `MAX_LOSS`; waits for the device. Empty where all is well."""
        worst = {name: float(value) for name, value in self.worst.items()}
        return next((name for name, value in worst.items() if not (math.isfinite(value) and value < MAX_LOSS)), "")

    def take(self) -> dict[str, float]:
        """Mean loss by name since the last time, as it stood before each update."""
        means = {name: float(self.sums[name]) / count for name, count in self.updates.items() if count}
        for name in self.members:
            self.sums[name].zero_()
            self.updates[name] = 0
        return means

    def state(self) -> dict[str, Any]:
        """What `take` would need, as JSON."""
        return {name: [float(self.sums[name]), count] for name, count in self.updates.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a `state`; raises `KeyError`, `TypeError` or `ValueError` for what is not one."""
        for name in self.members:
            total, count = state[name]
            self.sums[name].fill_(float(total))
            self.updates[name] = int(count)
