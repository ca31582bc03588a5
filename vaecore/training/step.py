"""One training step, the same for every family: a batch, beta and the learning rate come in, the loss goes down.

Read `Trainer.update`. Which batch comes when, and which beta, says `course`; what is kept of a run, `session`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vaecore.config import Training
from vaecore.models import Batch, Family, KLCost
from vaecore.training import device as devices
from vaecore.training.auxiliaries import Auxiliaries


class Step(NamedTuple):
    """What a step says of itself: detached scalars on the device, in nats but for the length of the gradient."""

    loss: Tensor
    reconstruction: Tensor
    kl: Tensor
    grad_norm: Tensor


class Trainer:
    """A model with its optimizers and its noise."""

    def __init__(self, model: Family, training: Training, device: torch.device, seed: int) -> None:
        self.model, self.training = model.to(device), training
        self.auxiliaries = Auxiliaries(self.model.auxiliaries(), device)
        self.learned_apart = self.auxiliaries.parameters
        apart = {id(parameter) for parameter in self.learned_apart}
        self.parameters = [p for p in self.model.parameters() if id(p) not in apart]
        self.generator = torch.Generator(device).manual_seed(seed)
        self.optimizer = self._optimizer() if self.parameters else None
        self.precision = devices.precision(training, device)

    def update(self, batch: Batch, beta: float | Tensor, rate: float | Tensor, kl_cost: KLCost | None = None) -> Step:
        """One step down the loss, beta * KL - reconstruction + penalties, by everything that is not frozen.

        `kl_cost` charges something else than the KL itself, as free bits do. Numbers may be scalars on the device.
        """
        assert self.optimizer is not None
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with self.precision, frozen(self.learned_apart):
            objective = self.model.objective(batch, self.generator)
        terms = objective.terms(kl_cost)
        loss = terms.loss(beta)
        torch.autograd.backward(loss)
        norm = self._clipped()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return Step(loss.detach(), terms.reconstruction.detach(), terms.kl.detach(), norm)

    def update_auxiliaries(self, fresh_batch: Callable[[], Batch]) -> None:
        """The updates of critics and the like that come before one of the model, each on a batch of its own."""
        if self.auxiliaries.members:
            self.auxiliaries.update(fresh_batch, self.generator)

    @property
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """The model's own and those of critics and the like, by the name under which a checkpoint keeps them."""
        return ({"optimizer": self.optimizer} if self.optimizer else {}) | {
            f"auxiliary {name}": optimizer for name, optimizer in self.auxiliaries.optimizers.items()}

    def _clipped(self) -> Tensor:
        """The length of the gradient as it was; it is cut to `clip_norm` where that is not 0."""
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if self.training.clip_norm:
            torch.nn.utils.clip_grads_with_norm_(self.parameters, self.training.clip_norm, norm)
        return norm

    def _optimizer(self) -> torch.optim.Optimizer:
        if self.training.optimizer == "sgd":
            return torch.optim.SGD(self.parameters, lr=self.training.learning_rate,
                                   weight_decay=self.training.weight_decay, fused=True)
        kind = torch.optim.AdamW if self.training.optimizer == "adamw" else torch.optim.Adam
        return kind(self.parameters, lr=self.training.learning_rate, weight_decay=self.training.weight_decay,
                    fused=True)


@contextmanager
def frozen(parameters: list[nn.Parameter]) -> Iterator[None]:
    """Parameters that get no gradient, and for which none is computed."""
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
