"""One training step whose batch several processes share, each with its rows of it, along the gradient of all.

A rank's loss is a mean over its own rows and counts by their share of the batch; its gradients lie beside the terms of
the log in one buffer that is summed once. What couples rows asks `vaecore.probability.whole`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from vaecore.config import Training
from vaecore.data import Dataset, SplitName
from vaecore.models import Batch, Family, KLCost
from vaecore.models.evidence import Terms
from vaecore.training.feed import Feed
from vaecore.training.ranks.group import Ranks, Rows
from vaecore.training.ranks.noise import Narrowed, Noise
from vaecore.training.step import Step, Trainer, frozen


class SharedTrainer(Trainer):
    """A model with its optimizers and its noise, the same in every process."""

    def __init__(self, model: Family, training: Training, device: torch.device, seed: int, ranks: Ranks) -> None:
        super().__init__(model, training, device, seed)
        self.ranks, self.rows = ranks, ranks.part(training.batch_size)
        self.noise = Noise(model, self.rows, type(model).__name__,
                           half=isinstance(self.precision, torch.autocast))

    def update(self, batch: Batch, beta: float | Tensor, rate: float | Tensor, kl_cost: KLCost | None = None) -> Step:
        """One step on own rows of a batch, as `Trainer.update` takes it on all of them."""
        assert self.optimizer is not None
        for group in self.optimizer.param_groups:
            group["lr"] = rate

        def compute(batch: Batch, generator: torch.Generator) -> Terms:
            with self.precision, frozen(self.learned_apart):
                objective = self.model.objective(batch, generator)
            return objective.terms(kl_cost)

        terms = self.noise.shared("objective", compute, Terms.loss, batch, self.generator)
        loss = terms.loss(beta)
        torch.autograd.backward(loss * self.rows.share)
        loss, reconstruction, kl = self._summed(self.parameters, (loss, terms.reconstruction, terms.kl))
        norm = self._clipped()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return Step(loss, reconstruction, kl, norm)

    def update_auxiliaries(self, fresh_batch: Callable[[], Batch]) -> None:
        """The updates of critics and the like, each on own rows of a batch of its own."""
        for name, member in self.auxiliaries.members.items():
            for _ in range(member.updates):
                loss = self.noise.shared(f"auxiliary {name}", member.loss, lambda loss: loss, fresh_batch(),
                                         self.generator, differentiates=True)
                torch.autograd.backward(loss * self.rows.share, inputs=member.parameters)
                [loss] = self._summed(member.parameters, (loss,))
                self.auxiliaries.follow(name, loss)

    def _summed(self, parameters: Sequence[nn.Parameter], scalars: Sequence[Tensor]) -> Sequence[Tensor]:
        """Make gradients those of the whole batch, and give the scalars of the whole batch."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        terms = torch.stack([scalar.detach() for scalar in scalars]) * self.rows.share
        asking = self.ranks.asking(terms.device)
        flat = self.ranks.sum(torch.cat([*(each.flatten() for each in gradients), terms, asking]))
        *parts, terms, asking = torch.split(flat, [*(each.numel() for each in gradients), len(terms), 1])
        torch._foreach_copy_(gradients, [part.view(each.shape) for part, each in zip(parts, gradients, strict=True)])
        self.ranks.answered(asking)
        return list(terms.clone())


class SharedFeed(Feed):
    """The training set, of whose batches a process gets its own rows, as one process would have got them."""

    def __init__(self, dataset: Dataset, split: SplitName, device: torch.device, rows: Rows) -> None:
        super().__init__(dataset, split, device)
        self.rows = rows

    def batch(self, indices: Tensor, generator: torch.Generator) -> Batch:
        """Own rows of the observations at `indices`, those of a whole batch; of another number of them all."""
        if len(indices) != self.rows.count:
            return super().batch(indices, generator)
        if self.drawn is not None:  # by a program of its own, which draws all
            return {name: self.rows.own(x) for name, x in super().batch(indices, generator).items()}
        with Narrowed(self.rows, None):
            return super().batch(self.rows.own(indices), generator)

    def follow(self, coming: Iterator[Tensor]) -> None:
        """Read ahead what own rows of the batches to come are."""
        super().follow(self.rows.own(each) for each in coming)
