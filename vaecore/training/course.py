"""The course of a training: which batch, which beta and whose turn at each step, and a log of the last steps.

No step waits for the device: the terms of a step go into a small log there, read back every few steps.
The noise comes from a generator of its own and the order of the data from (seed, epoch), so a run that is
killed and resumed on a CPU ends with the same bits as one never interrupted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from vaecore.config import RunConfig
from vaecore.data.base import Standardising
from vaecore.errors import short_of_memory
from vaecore.models import Batch, Family
from vaecore.schedules.inference import Aggressive
from vaecore.schedules.kl_cost import Plain
from vaecore.store import STEP_COLUMNS
from vaecore.training import memory
from vaecore.training.feed import Feed, order
from vaecore.training.graphs import Captured, captured
from vaecore.training.ranks.group import Ranks
from vaecore.training.ranks.step import SharedTrainer
from vaecore.training.step import Step, Trainer, frozen
from vaecore.training.turns import Turns

CAUSES = {"reconstruction": "reconstruction", "kl": "KL", "loss": "penalty", "grad_norm": "gradient"}  # root first
FLUSH_STEPS = 50  # how many may wait on the device before they are written
FAR_OUT = 1e3  # numbers in data that networks and likelihoods of unit scale do not read


class TrainingFailed(Exception):
    """A number that is not finite: says the step and the term that broke, and what to do."""


class Course:
    """All steps of one training, in order."""

    def __init__(self, config: RunConfig, model: Family, feed: Feed, device: torch.device, ranks: Ranks | None = None
                 ) -> None:
        self.config, self.training, self.feed, self.device = config, config.training, feed, device
        self.trainer = (Trainer(model, config.training, device, config.seed) if ranks is None else
                        SharedTrainer(model, config.training, device, config.seed, ranks))
        self.model, self.generator = self.trainer.model, self.trainer.generator
        parameters = self.trainer.parameters
        self.per_epoch = max(1, len(feed) // self.training.batch_size)  # a closed form may have fewer than a batch
        self.total = self.per_epoch * self.training.epochs if parameters else 0  # closed forms take no step
        self.turns = Turns(self.training.inference, device) if isinstance(self.training.inference, Aggressive) else None
        self.inference = self.model.inference_parameters() if self.turns else []
        self.generation = [p for p in parameters if not any(p is phi for phi in self.inference)]
        self.evaluate_every = max(1, round(self.training.evaluate_every * self.per_epoch))
        self.log = torch.zeros(FLUSH_STEPS, len(Step._fields), device=device)
        self.pending: list[tuple[int, float, float]] = []  # step, beta, learning rate of each row of the log
        self._epoch, self._order, self._next = -1, torch.empty(0), -1
        self.processes = 1 if ranks is None else ranks.size  # that have a part of each batch
        self.graphs = ""  # what became of `training.graphs`, where it is asked for
        self._captured: Captured | None = None

    def advance(self, step: int) -> bool:
        """One update towards the end of training step `step`; True when it was the last one that it needed.

        Raises `OutOfMemory`, which says which batch would fit.
        """
        try:
            return self._advanced(step)
        except (MemoryError, RuntimeError) as error:
            if not short_of_memory(error):
                raise
            raise memory.advised(error, self) from error

    def _advanced(self, step: int) -> bool:
        if self.turns is None or not self.turns.aggressive:
            self.update(step)
            return True
        if self.turns.encoder:
            batch = self.fresh_batch()
            with frozen(self.generation):
                self.turns.encoder_updated(self._take(step, batch).loss)
            return False
        with frozen(self.inference):
            self.update(step)
        self.turns.decoder_updated()
        return True

    def update(self, step: int) -> None:
        """One update on the next batch of the epoch, logged, after those of critics and the like."""
        if self.training.graphs and not self.graphs:  # late: first a checkpoint may be read, and its moments
            self._captured, self.graphs = captured(self)
        if self._captured is not None:
            self._captured.update(step)
        else:
            self._update_eagerly(step)
        self.pending.append((step, *self.beta_and_rate(step)))

    def _update_eagerly(self, step: int) -> None:
        self.trainer.update_auxiliaries(self.fresh_batch)
        batch = self.feed.batch(self.indices(step), self.generator)
        torch.stack(self._take(step, batch), out=self.log[len(self.pending)])

    def beta_and_rate(self, step: int) -> tuple[float, float]:
        """Beta and the learning rate at a step."""
        training = self.training
        return training.beta(step, self.total), training.learning_rate * training.rate(step, self.total)

    def indices(self, step: int) -> Tensor:
        """The observations of a step, the next ones in the order of its epoch."""
        if step != self._next:  # the first one, or where a resumed training goes on
            self.feed.follow(coming(len(self.feed), self.training.batch_size, self.config.seed, step, self.total))
        self._next = step + 1
        epoch, index = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self.feed.order(self.config.seed, epoch)
        size = self.training.batch_size
        return self._order[index * size : (index + 1) * size]

    def fresh_batch(self) -> Batch:
        """A minibatch drawn at random, for networks that learn on their own."""
        return self.feed.batch(self.feed.random(self.training.batch_size, self.generator), self.generator)

    def flush(self) -> list[dict[str, float]]:
        """The steps since the last flush, as lines for metrics.jsonl; raises `TrainingFailed` at a broken one."""
        # Here the host waits for the device, and else only at the end of an aggressive encoder's window.
        rows = self.log[: len(self.pending)].tolist()
        if name := self.trainer.auxiliaries.diverged():
            self.pending.clear()
            raise TrainingFailed(f"The {name} diverged: its loss stopped being a finite number of reasonable size. The "
                                 "last good checkpoint, if there was one, is kept. Try a smaller learning rate of the "
                                 f"{name}, fewer of its updates, or a larger gradient penalty."
                                 + _far_out(self.config, self.feed))
        lines = []
        for (step, beta, rate), values in zip(self.pending, rows, strict=True):
            terms = dict(zip(Step._fields, values, strict=True))
            if not all(map(math.isfinite, values)):
                self.pending.clear()
                term = next(name for name in CAUSES if not math.isfinite(terms[name]))
                raise self.failure(step, term)
            terms |= {"step": step, "beta": beta, "rate": rate, "neg_elbo": terms["kl"] - terms["reconstruction"]}
            lines.append({name: terms[name] for name in STEP_COLUMNS})
        self.pending.clear()
        return lines

    def failure(self, step: int, term: str) -> TrainingFailed:
        """What is said of a term that stopped being finite; first of the data, where its numbers are the cause."""
        return TrainingFailed(f"At step {step} the {CAUSES.get(term, term)} stopped being a finite number."
                              f"{_far_out(self.config, self.feed)} The last good checkpoint, if there was one, is "
                              "kept. Try a smaller training.learning_rate, training.clip_norm=10, or a likelihood "
                              "with a larger sigma.")

    def synchronise(self) -> None:
        """Wait until the device has done what it was given."""
        self.pending.clear()
        self.log.sum().item()

    def _take(self, step: int, batch: Batch) -> Step:
        """The step on a batch, with what the schedules say of it."""
        beta, rate = self.beta_and_rate(step)
        self.model.at_step(step, self.total)
        # Summing the mean KL dimension by dimension costs several small operations: only where it is not the KL itself.
        plain = isinstance(self.training.kl, Plain)
        cost = None if plain else self.training.kl.at(step, self.total)
        return self.trainer.update(batch, beta, rate, cost)


def coming(length: int, batch_size: int, seed: int, step: int, total: int) -> Iterator[Tensor]:
    """The observations of each step from `step` on, as `Course.indices` gives them."""
    per_epoch, epoch, shuffled = max(1, length // batch_size), -1, torch.empty(0)
    for each in range(step, total):
        if each // per_epoch != epoch:
            epoch = each // per_epoch
            shuffled = order(length, seed, epoch)
        index = each % per_epoch
        yield shuffled[index * batch_size:(index + 1) * batch_size]


def _far_out(config: RunConfig, feed: Feed) -> str:
    """Between which numbers the training data lies, and what to do, where that is far beyond what networks read."""
    said = ""
    for name, (low, high) in feed.spans().items():
        if max(-low, high) >= FAR_OUT:
            said += f" The training data's numbers in '{name}' reach from {low:.3g} to {high:.3g}:"
            raw = isinstance(config.data, Standardising) and not config.data.standardise
            said += (" set data.standardise=true, which gives each column mean 0 and standard deviation 1." if raw else
                     " scale them to a few units.")
    return said
