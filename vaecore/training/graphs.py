"""A training step that is captured once and replayed: a CUDA graph, `training.graphs`.

A step of a small model is mostly the cost of asking a GPU for a few hundred small operations. A graph asks for all of
them at once. What is replayed reads and writes the same memory every time, so `StaticStep` is the step of `Course`
with everything that changes from one step to the next in a tensor that stays where it is: the order of the epoch and
the place in it, beta, the learning rate, the number of the KL's cost, the row of the log. The noise stays the
generator's: the graph asks it where it stands at each replay, so checkpoints hold the same as without a graph.

`why_not` says in a sentence for which trainings a step cannot be written so; those are trained as always.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vaecore.schedules.kl_cost import Charge, Plain

if TYPE_CHECKING:
    from vaecore.training.course import Course
    from vaecore.training.step import Trainer

WARM_UP = 3  # steps before a capture, in which libraries choose their kernels and make room for themselves

Replay = Callable[[], None]


class StaticStep:
    """The step of a course that reads only tensors which stay where they are: `__call__` takes it.

    `place` says beforehand which step it will be. Nothing here waits for the device.
    """

    def __init__(self, course: Course) -> None:
        device, training = course.device, course.training
        self.course, self.trainer, self.feed = course, course.trainer, course.feed
        self.order = torch.zeros(len(course.feed), dtype=torch.long, device=device)  # of the epoch
        self.rows = torch.arange(training.batch_size, device=device)
        self.start, self.row = (torch.zeros((), dtype=torch.long, device=device) for _ in range(2))  # in order, in log
        self.beta, self.rate, self.nats = (torch.zeros((), device=device) for _ in range(3))
        plain = isinstance(training.kl, Plain)
        self.cost = None if plain else Charge(training.kl, self.nats)
        self._known: dict[str, float] = {}  # what the tensors hold
        course.model.at_step(0, course.total)  # which says the same at every step: see `why_not`
        self._epoch = -1

    def place(self, step: int) -> None:
        """Write down which step comes next; what has not changed since the last one is not written again."""
        course = self.course
        epoch, index = divmod(step, course.per_epoch)
        if epoch != self._epoch:
            self.order.copy_(self.feed.order(course.config.seed, epoch))
            self._epoch = epoch
        beta, rate = course.beta_and_rate(step)
        wanted = {"start": index * course.training.batch_size, "row": len(course.pending), "beta": beta, "rate": rate,
                  "nats": course.training.kl.nats_at(step, course.total)}
        for name, value in wanted.items():
            if self._known.get(name) != value:
                getattr(self, name).fill_(value)
        # The step itself moves on by a batch and a row.
        self._known = wanted | {"start": wanted["start"] + course.training.batch_size, "row": wanted["row"] + 1}

    def __call__(self) -> None:
        """One step, as `Course.update` takes it."""
        trainer = self.trainer
        trainer.update_auxiliaries(self.course.fresh_batch)
        indices = self.order.index_select(0, self.start + self.rows)
        batch = self.feed.batch(indices, trainer.generator)
        terms = torch.stack(trainer.update(batch, self.beta, self.rate, self.cost))
        self.course.log.index_copy_(0, self.row.view(1), terms[None])
        self.start += len(self.rows)
        self.row += 1

    def rewind(self) -> None:
        """Go back to the first row and batch, where a step may always be taken; `place` then writes everything anew."""
        self.start.zero_()
        self.row.zero_()
        self._known = {}


class Captured:
    """The steps of a course as replays of one that was captured."""

    def __init__(self, course: Course) -> None:
        """Capture the step; the course stands afterwards where it stood. Raises what the capture refuses."""
        self.course, self.step = course, StaticStep(course)
        self.step.place(0)
        self.replay = recorded(self.step)

    def update(self, step: int) -> None:
        """One update on the next batch of the epoch, logged."""
        self.step.place(step)
        self.replay()
        self.course.trainer.auxiliaries.replayed()


def captured(course: Course) -> tuple[Captured | None, str]:
    """The captured step of a course, or None; and what is said of it: "captured", or why the steps stay eager."""
    why = why_not(course)
    if not why:
        try:
            return Captured(course), "captured"
        except (RuntimeError, torch.OutOfMemoryError) as error:  # what a library refuses while it is captured
            why = f"capturing it failed ({' '.join(str(error).split())[:160]})"
    return None, f"eager: {why}"


def why_not(course: Course) -> str:
    """Why the steps of a course are not captured, as the end of a sentence; empty where they can be."""
    model, feed = course.model, course.feed
    if course.total == 0:
        return "it takes no steps"
    if course.device.type not in RECORDERS:
        return f"it runs on {course.device.type}, and graphs are CUDA's"
    if course.processes > 1:
        return f"{course.processes} processes share each step"
    if course.turns is not None:
        return "encoder and decoder take turns, whose length their losses decide"
    if varies := model.varies(course.total):
        return varies
    if feed.files:
        return "its data are read from a file while it trains"
    if feed.home != feed.device:
        return "its data lie in main memory, as the device has no room for them"
    return ""


def recorded(step: StaticStep) -> Replay:
    """What takes the step again each time it is called.

    Recorded after a few warm-up steps, of which nothing is left: neither in what is learned, nor in the optimizer, the
    log and the generator.
    """
    trainer = step.trainer
    kept, noise, updates = _state(step), trainer.generator.get_state(), dict(trainer.auxiliaries.updates)
    try:
        return RECORDERS[step.course.device.type](step)
    finally:
        for optimizer in trainer.optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        _restore(step, kept)
        trainer.auxiliaries.updates = updates
        trainer.generator.set_state(noise)
        step.rewind()


def warm_up(step: StaticStep, steps: int = WARM_UP) -> None:
    """Some steps in which libraries choose their kernels and the optimizer makes its moments."""
    for _ in range(steps):
        step.rewind()
        step()
    step.rewind()


def cuda_graph(step: StaticStep) -> Replay:
    """The step as a CUDA graph, which asks the generator where it stands whenever it is replayed."""
    device, generator = step.course.device, step.trainer.generator
    current = torch.cuda.current_stream(device)
    side = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    side.wait_stream(current)
    with torch.cuda.stream(side):
        warm_up(step, WARM_UP - 1)
        with _never_waiting():
            warm_up(step, 1)
    current.wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(generator)
    _capturable(step.trainer, value=True)
    try:
        with torch.cuda.stream(current), torch.cuda.graph(graph):  # a capture that fails leaves its own stream behind
            step()
    except BaseException:
        # Generators that a failed capture leaves behind refuse to draw: they go on with states of their own.
        for each in (generator, torch.cuda.default_generators[torch.cuda.current_device()]):
            fresh = torch.Generator(each.device)
            fresh.set_state(each.get_state())
            each.graphsafe_set_state(fresh.graphsafe_get_state())
        raise
    finally:
        _capturable(step.trainer, value=False)
    return graph.replay


@contextmanager
def _never_waiting() -> Iterator[None]:
    """An error at whatever waits for the device: better here than in a capture, which is hard to leave."""
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls the mode a prototype
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


RECORDERS: dict[str, Callable[[StaticStep], Replay]] = {"cuda": cuda_graph}  # by the kind of device


def _capturable(trainer: Trainer, *, value: bool) -> None:
    """Whether the updates may be captured. Fused ones are the same either way, but torch asks, and warns outside."""
    for optimizer in trainer.optimizers.values():
        for group in optimizer.param_groups:
            group["capturable"] = value


def _tensors(step: StaticStep) -> list[Tensor]:
    """All that a step writes: what is learned, buffers, the optimizers' moments and the logs."""
    model, apart = step.trainer.model, step.trainer.auxiliaries
    moments = [tensor for optimizer in step.trainer.optimizers.values() for state in optimizer.state.values()
               for tensor in state.values() if isinstance(tensor, Tensor)]
    return [*model.parameters(), *model.buffers(), step.course.log, *apart.sums.values(), *apart.worst.values(),
            *moments]


def _state(step: StaticStep) -> dict[int, tuple[Tensor, Tensor]]:
    return {id(tensor): (tensor, tensor.detach().clone()) for tensor in _tensors(step)}


@torch.no_grad()
def _restore(step: StaticStep, kept: dict[int, tuple[Tensor, Tensor]]) -> None:
    """Back to what was kept, in place; moments that the warm-up made begin at 0, as an optimizer's do."""
    for tensor in _tensors(step):
        if id(tensor) in kept:
            tensor.copy_(kept[id(tensor)][1])
        else:
            tensor.zero_()
