"""The training loop, one for every family. Read `Trainer.update` first: it is what happens at each training step.

No step waits for the device: the terms of a step go into a small log there, read back every few steps.
The noise comes from a generator of its own and the order of the data from (seed, epoch), so a run that is
killed and resumed on a CPU ends with the same bits as one never interrupted.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save
from torch import Tensor

from vaecore.config import RunConfig
from vaecore.data import COVARIATE, EVENTS, OBSERVED, Dataset
from vaecore.files import remove_leftovers, write_bytes_atomic, write_json_atomic
from vaecore.models import Batch, Family
from vaecore.schedules.inference import Aggressive
from vaecore.schedules.kl_cost import Plain
from vaecore.store import STEP_COLUMNS, Run
from vaecore.training import Control
from vaecore.training import device as devices
from vaecore.training.auxiliaries import Auxiliaries
from vaecore.training.checkpoints import (
    CHECKPOINT,
    KEPT,
    WEIGHTS,
    BrokenCheckpoint,
    check_origin,
    check_words,
    inherit,
    kept_weights,
    load_checkpoint,
    load_model,
    save_checkpoint,
    save_weights,
)
from vaecore.training.feed import Feed
from vaecore.training.setup import build
from vaecore.training.snapshots import snapshot
from vaecore.training.turns import Turns
from vaecore.training.validation import Evaluation, evaluate

LOGGED = ("loss", "reconstruction", "kl", "grad_norm")  # of a step, on the device
CAUSES = {"reconstruction": "reconstruction", "kl": "KL", "loss": "penalty", "grad_norm": "gradient"}  # root first
FLUSH_STEPS, FLUSH_SECONDS = 50, 0.5  # how long steps may wait on the device before they are written
CHECKPOINT_SECONDS = 60.0  # between evaluations
EVALUATION_SEED = 1_234  # the same noise at every evaluation, whatever the training drew
FAR_OUT = 1e3  # numbers in data that networks and likelihoods of unit scale do not read
EXAMPLES = 64  # test observations that travel with a run
EXAMPLE_BYTES = 4 * 2**20  # and of clips so many bytes at most, but four clips


class TrainingFailed(Exception):
    """A number that is not finite: says the step and the term that broke, and what to do."""


class Trainer:
    """A model, its optimizer, its noise, and the log of its last steps."""

    def __init__(self, config: RunConfig, model: Family, feed: Feed, device: torch.device) -> None:
        self.config, self.training, self.feed, self.device = config, config.training, feed, device
        self.model = model.to(device)
        self.auxiliaries = Auxiliaries(self.model.auxiliaries(), device)
        theirs = {id(parameter) for parameter in self.auxiliaries.parameters}
        self.parameters = [p for p in self.model.parameters() if id(p) not in theirs]
        self.per_epoch = max(1, len(feed) // self.training.batch_size)  # a closed form may have fewer than a batch
        self.total = self.per_epoch * self.training.epochs if self.parameters else 0  # closed forms take no step
        self.turns = Turns(self.training.inference, device) if isinstance(self.training.inference, Aggressive) else None
        self.inference = self.model.inference_parameters() if self.turns else []
        self.generation = [p for p in self.parameters if not any(p is phi for phi in self.inference)]
        self.evaluate_every = max(1, round(self.training.evaluate_every * self.per_epoch))
        self.generator = torch.Generator(device).manual_seed(config.seed)
        self.optimizer = self._optimizer() if self.parameters else None
        self.log = torch.zeros(FLUSH_STEPS, len(LOGGED), device=device)
        self.pending: list[tuple[int, float, float]] = []  # step, beta, learning rate of each row of the log
        self._epoch, self._order = -1, torch.empty(0)

    def advance(self, step: int) -> bool:
        """One update towards the end of training step `step`; True when it was the last one that it needed."""
        if self.turns is None or not self.turns.aggressive:
            self.update(step)
            return True
        if self.turns.encoder:
            chosen = self.feed.random(self.training.batch_size, self.generator)
            with _held(self.generation):
                loss, *_ = self._descend(step, chosen)
            self.turns.encoder_updated(loss)
            return False
        with _held(self.inference):
            self.update(step)
        self.turns.decoder_updated()
        return True

    def update(self, step: int) -> None:
        """One update on the next batch of the epoch, logged, after those of critics and the like."""
        self.auxiliaries.update(self._fresh, self.generator)
        torch.stack(self._descend(step, self._indices(step)), out=self.log[len(self.pending)])
        self.pending.append((step, *self._weights(step)))

    def _descend(self, step: int, indices: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Move every parameter that is not held; loss, reconstruction, KL and gradient norm, detached scalars."""
        training = self.training
        beta, rate = self._weights(step)
        assert self.optimizer is not None
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        batch = self.feed.batch(indices, self.generator)
        self.model.at_step(step, self.total)
        with devices.precision(training, self.device), _held(self.auxiliaries.parameters):
            objective = self.model.objective(batch, self.generator)
        # Summing the mean KL dimension by dimension costs several small operations: only where it is not the KL itself.
        cost = None if isinstance(training.kl, Plain) else partial(training.kl, step=step, total=self.total)
        terms = objective.terms(cost)
        loss = beta * terms.charged - terms.fit + terms.penalty
        torch.autograd.backward(loss)
        norm = self._clip()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.detach(), terms.reconstruction.detach(), terms.kl.detach(), norm

    def _weights(self, step: int) -> tuple[float, float]:
        """Beta and the learning rate at a step."""
        training = self.training
        return training.beta(step, self.total), training.learning_rate * training.rate(step, self.total)

    def flush(self) -> list[dict[str, float]]:
        """The steps since the last flush, as lines for metrics.jsonl; raises `TrainingFailed` at a broken one."""
        # Here the host waits for the device, and else only at the end of an aggressive encoder's window.
        rows = self.log[: len(self.pending)].tolist()
        if name := self.auxiliaries.diverged():
            self.pending.clear()
            raise TrainingFailed(f"The {name} diverged: its loss stopped being a finite number of reasonable size. The "
                                 "last good checkpoint, if there was one, is kept. Try a smaller learning rate of the "
                                 f"{name}, fewer of its updates, or a larger gradient penalty."
                                 + _far_out(self.config, self.feed))
        lines = []
        for (step, beta, rate), values in zip(self.pending, rows, strict=True):
            terms = dict(zip(LOGGED, values, strict=True))
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

    @property
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """The model's own and those of critics and the like, by the name under which a checkpoint keeps them."""
        return ({"optimizer": self.optimizer} if self.optimizer else {}) | {
            f"auxiliary {name}": optimizer for name, optimizer in self.auxiliaries.optimizers.items()}

    def synchronise(self) -> None:
        """Wait until the device has done what it was given."""
        self.pending.clear()
        self.log.sum().item()

    def _fresh(self) -> Batch:
        """A minibatch drawn at random, for networks that learn on their own."""
        return self.feed.batch(self.feed.random(self.training.batch_size, self.generator), self.generator)

    def _indices(self, step: int) -> Tensor:
        epoch, index = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self.feed.order(self.config.seed, epoch)
        size = self.training.batch_size
        return self._order[index * size : (index + 1) * size]

    def _clip(self) -> Tensor:
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


def train(folder: Path, control: Control) -> Literal["finished", "stopped"]:
    """Train the run in `folder` from where it stands; see `vaecore.training.train`."""
    for place in (folder, folder / KEPT):
        remove_leftovers(place)
    config = Run(folder).config()
    if (folder / CHECKPOINT).exists() and (folder / WEIGHTS).exists():
        check_origin(Run(folder))
    device = devices.choose(config.training)
    threads = devices.set_threads(config.training)
    print(f"data: loading {config.data.name}", flush=True)
    dataset = config.data.load()
    if (folder / CHECKPOINT).exists() and (folder / WEIGHTS).exists():
        check_words(folder, dataset)
    model = build(config, dataset)
    trainer = Trainer(config, model, Feed(dataset, "train", device), device)
    facts = {"parameters": model.parameter_count, "data": dataset.source, "device": _described(device),
             "threads": threads, "torch": torch.__version__, "total_steps": trainer.total,
             "steps_per_epoch": trainer.per_epoch,
             "sizes": {split: dataset.size(split) for split in dataset.splits},
             **({"rate": dataset.rate} if dataset.rate else {})}
    print(f"data: {dataset.source}\nmodel: {config.model.family}, {model.parameter_count:,} parameters, on "
          f"{facts['device']} with {threads} threads", flush=True)
    return _Session(folder, config, dataset, trainer, facts, control).run()


class _Session:
    """One attempt at a run: where it stands, and what it writes into the folder."""

    def __init__(self, folder: Path, config: RunConfig, dataset: Dataset, trainer: Trainer, facts: dict[str, Any],
                 control: Control) -> None:
        self.folder, self.config, self.dataset, self.trainer = folder, config, dataset, trainer
        self.facts, self.control = facts, control
        self.validation = Feed(dataset, "validation", trainer.device)
        self.step, self.best, self.since_best, self.seconds = 0, -math.inf, 0, 0.0
        self.last: Evaluation | None = None

    def run(self) -> Literal["finished", "stopped"]:
        trainer = self.trainer
        resumed = load_checkpoint(self.folder, trainer.model, trainer.optimizers, trainer.generator)
        length = resumed["metrics_bytes"] if resumed else 0
        descriptor = os.open(self.folder / "metrics.jsonl", os.O_RDWR | os.O_CREAT, 0o644)
        with os.fdopen(descriptor, "r+b", buffering=0) as self.metrics:
            # What a killed attempt wrote after its checkpoint is written again, line for line.
            length = _whole_lines(self.metrics.read(length))
            self.metrics.truncate(length)
            self.metrics.seek(length)
            self.started = time.monotonic()
            if resumed:
                self.step, self.best = resumed["step"], resumed["best"] if resumed["best"] is not None else -math.inf
                self.since_best, self.seconds = resumed["since_best"], resumed["seconds"]
                try:
                    if trainer.turns is not None:
                        trainer.turns.restore(resumed["turns"])
                    trainer.auxiliaries.restore(resumed.get("auxiliaries", {}))
                except (KeyError, TypeError, ValueError):
                    raise BrokenCheckpoint(f"{self.folder / CHECKPOINT} does not say whose turn it was. Start a "
                                           "new run with its configuration.") from None
                print(f"resumed at step {self.step} of {trainer.total}", flush=True)
            else:
                trainer.model.begin(self._observations)
                inherit(self.folder, trainer.model)
                self._write_examples()
                if trainer.total == 0:
                    trainer.model.fit(trainer.feed.all())
                self._evaluate()
                self._checkpoint()
            outcome = self._steps()
            self._checkpoint()
            if outcome == "finished":
                self._summarise_test()
            return outcome

    def _steps(self) -> Literal["finished", "stopped"]:
        trainer, control = self.trainer, self.control
        flushed = saved = time.monotonic()
        while self.step < trainer.total:
            if control.stop_requested():
                self._flush()
                return "stopped"
            if self._exhausted():
                print(f"stopped early: no better validation objective in {self.since_best} evaluations", flush=True)
                break
            complete = trainer.advance(self.step)
            self.step += complete
            control.progress(self.step, trainer.total, self.step / trainer.per_epoch)
            now = time.monotonic()
            if complete and (self.step % trainer.evaluate_every == 0 or self.step == trainer.total):
                self._flush()
                self._evaluate()
                self._checkpoint()
                flushed = saved = time.monotonic()
            elif len(trainer.pending) == FLUSH_STEPS or now - flushed > FLUSH_SECONDS:
                self._flush()
                flushed = now
                if now - saved > CHECKPOINT_SECONDS:
                    self._checkpoint()
                    saved = time.monotonic()
        self._flush()
        return "finished"

    def _exhausted(self) -> bool:
        patience = self.config.training.patience
        return patience > 0 and self.since_best >= patience

    def _flush(self) -> None:
        lines = self.trainer.flush()
        if lines:
            self._append({"kind": "step", **line} for line in lines)

    def _evaluate(self) -> None:
        trainer, start = self.trainer, time.monotonic()
        trainer.model.calibrate()
        self.last = evaluate(trainer.model, self.validation, EVALUATION_SEED)
        if not math.isfinite(self.last.elbo):
            raise trainer.failure(self.step, "validation ELBO")
        training, turns = self.config.training, trainer.turns
        if turns is not None and turns.aggressive and self.step:
            turns.judge(self.last.mutual_information)
            if not turns.aggressive:
                print(f"step {self.step}: mutual information stopped climbing; encoder and decoder now learn together",
                      flush=True)
        # Until beta and the cost of the KL are as they end the objective still moves, so patience does not run.
        settled = (training.beta.settled(self.step, trainer.total)
                   and training.kl.settled(self.step, trainer.total))
        score = self.last.objective(training.beta.final(), partial(training.kl, step=trainer.total,
                                                                   total=trainer.total))
        better = score > self.best
        self.since_best = 0 if better or not settled else self.since_best + 1
        if better or training.keep == "last":
            save_weights(self.folder / WEIGHTS, trainer.model, self.config, self.step)
        if self.step and self._due(training.checkpoints):
            save_weights(kept_weights(self.folder, self.step), trainer.model, self.config, self.step)
        self.best = max(self.best, score)
        elapsed = self._elapsed()
        observations = self.step * training.batch_size
        if self.last.information and self._due(training.snapshots):
            batch = self.validation.first(training.snapshot_points)
            generator = torch.Generator(trainer.device).manual_seed(EVALUATION_SEED)
            self._append([{"kind": "snapshot", "step": self.step,
                           **snapshot(trainer.model, batch, generator).as_dict(), "labels": self._labels()}])
        lag: dict[str, Any] = {}
        if turns is not None:
            lag = {"aggressive": turns.aggressive, "encoder_updates": turns.all_updates}
        if trainer.auxiliaries.members:
            lag["auxiliaries"] = trainer.auxiliaries.take()
        self._append([{"kind": "evaluation", "step": self.step,
                       "epoch": self.step / trainer.per_epoch, **self.last.as_dict(), **lag,
                       "seconds": round(elapsed, 3),
                       "samples_per_second": round(observations / elapsed, 1) if observations else 0.0,
                       "evaluation_seconds": round(time.monotonic() - start, 3)}])
        self._summarise({"validation": self.last.as_dict()})
        name = "ELBO" if self.last.kl else "log p(x)" if self.config.model.exact else "log p(x|z)"
        print(f"step {self.step}: validation {name} {self.last.elbo:.2f} nats, {self.last.active} active dimensions",
              flush=True)

    def _checkpoint(self) -> None:
        if self.trainer.pending:
            self._flush()  # never keep weights whose last steps were not seen to be finite
        if not all(bool(p.isfinite().all()) for p in self.trainer.inference):  # updated without a line in the log
            raise self.trainer.failure(self.step, "encoder's loss")
        os.fsync(self.metrics.fileno())  # before what counts on its length
        save_checkpoint(self.folder, self.trainer.model, self.trainer.optimizers, self.trainer.generator,
                        {"step": self.step, "metrics_bytes": self.metrics.tell(),
                         "best": self.best if math.isfinite(self.best) else None, "since_best": self.since_best,
                         "seconds": self._elapsed(),
                         "turns": self.trainer.turns.state() if self.trainer.turns is not None else None,
                         "auxiliaries": self.trainer.auxiliaries.state()})

    def _due(self, count: int) -> bool:
        """Whether this evaluation is one of about `count` that are evenly spaced; the last one is."""
        if count == 0 or self.trainer.total == 0:
            return False
        every = self.trainer.evaluate_every
        index, evaluations = -(-self.step // every), -(-self.trainer.total // every)
        return self.step == self.trainer.total or index % -(-evaluations // count) == 0

    def _labels(self) -> list[int] | None:
        labels = self.dataset.splits["validation"].labels
        return None if labels is None else labels[: self.config.training.snapshot_points].tolist()

    def _summarise_test(self) -> None:
        """The kept weights on the test set: the numbers shown beside a finished run."""
        model = load_model(self.folder).to(self.trainer.device)
        test = evaluate(model, Feed(self.dataset, "test", self.trainer.device), EVALUATION_SEED)
        kept = evaluate(model, self.validation, EVALUATION_SEED)
        self._summarise({"validation": kept.as_dict(), "test": test.as_dict()})

    def _summarise(self, evaluations: dict[str, Any]) -> None:
        write_json_atomic(self.folder / "summary.json", {
            **self.facts, "step": self.step, "epoch": self.step / max(1, self.trainer.per_epoch),
            "seconds": round(self._elapsed(), 3), **evaluations})

    def _observations(self, count: int) -> Batch:
        """`count` random training observations, the same for the same seed."""
        feed = self.trainer.feed
        generator = torch.Generator().manual_seed(self.config.seed)
        return feed.at(torch.randperm(len(feed), generator=generator)[:count])

    def _write_examples(self) -> None:
        """Some test images, so that a checkpoint can be looked at where its data set is not."""
        test = self.dataset.splits["test"].head(EXAMPLES)
        if self.config.data.observation == "clip":
            test = test.head(max(4, EXAMPLE_BYTES * len(test) // sum(x.nbytes for x in test.arrays.values())))
        tensors = {name: torch.from_numpy(array.copy()) for name, array in test.arrays.items()}
        if test.labels is not None:
            tensors["labels"] = torch.from_numpy(test.labels.copy())
        if test.covariate is not None:
            tensors[COVARIATE] = torch.from_numpy(test.covariate.copy())
        if test.observed is not None:
            tensors[OBSERVED] = torch.from_numpy(test.observed.copy())
        if test.events is not None:
            tensors[EVENTS] = torch.from_numpy(test.events.copy())
        named = {"classes": json.dumps(self.dataset.classes)} if self.dataset.classes else None
        write_bytes_atomic(self.folder / "examples.safetensors", save(tensors, named))

    def _append(self, lines: Any) -> None:
        try:
            data = "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines).encode()
        except ValueError:  # the ELBO is finite, but a variance or a square of what is that large is not
            raise self.trainer.failure(self.step, "evaluation") from None
        written = self.metrics.write(data)
        if written != len(data):  # a full disk cuts a write short without an error
            raise OSError(28, "No space left on device", str(self.folder / "metrics.jsonl"))

    def _elapsed(self) -> float:
        return self.seconds + time.monotonic() - self.started


@contextmanager
def _held(parameters: list[torch.nn.Parameter]) -> Iterator[None]:
    """Parameters that get no gradient, and for which none is computed."""
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def _whole_lines(data: bytes) -> int:
    """The length of `data` up to its last line end; less than was asked for where lines were lost."""
    return data.rfind(b"\n") + 1


def _far_out(config: RunConfig, feed: Feed) -> str:
    """Between which numbers the training data lies, and what to do, where that is far beyond what networks read."""
    said = ""
    for name, x in feed.tensors.items():
        if not x.is_floating_point() or not x.numel():  # pixels and words have a range of their own
            continue
        low, high = float(x.min()), float(x.max())
        if max(-low, high) >= FAR_OUT:
            said += f" The training data's numbers in '{name}' reach from {low:.3g} to {high:.3g}:"
            said += (" set data.standardise=true, which gives each column mean 0 and standard deviation 1."
                     if getattr(config.data, "standardise", None) is False else " scale them to a few units.")
    return said


def _described(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
