"""What is drawn for a part of a batch: the rows that one process would have drawn for it.

All processes have the same generator. Whatever a family asks of it is drawn for the whole batch, and of that a process
takes its own rows. Which axis of a draw follows the rows is found by trying: the same objective for a batch of one row
more. Where an axis has several places a row, as codes of frames or samples of a code, they may stand together or apart:
of the two that is right with which the loss stays what it is when rows and noise are put into another order. The same
trial shows that nothing else depends on the place of a row. Where it cannot be found out, the training is refused.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from vaecore.models import Batch
from vaecore.probability import whole
from vaecore.training.ranks.group import Rows

SHAPED = (torch.randn, torch.rand, torch.randint)  # drawn for a shape
GIVEN = (torch.bernoulli, torch.multinomial)  # drawn for probabilities, a draw a number or a row of them
AGREES = 1e-4  # relative: how far a loss may lie from that of the same rows in another order
AGREES_HALF = 0.05  # ... in bfloat16

Layout = Literal["together", "apart"]  # of several places a row on one axis
T = TypeVar("T")


class Unsharable(Exception):
    """Why processes cannot share a training, as a sentence."""


class Unknown(Exception):
    """A draw that was not heard of before."""


class Axis(NamedTuple):
    """The axis of a draw that follows the rows of a batch, if one does."""

    function: Callable[..., Tensor]
    axis: int | None
    layout: Layout | None  # None where each row was seen with one place alone


class Heard(NamedTuple):
    """A draw in a rehearsal: of which shape, and what came."""

    function: Callable[..., Tensor]
    shape: tuple[int, ...]
    drawn: Tensor


class Noise:
    """Draws of one training, of which each objective is rehearsed when it first draws, or draws otherwise."""

    def __init__(self, model: nn.Module, rows: Rows, title: str, *, half: bool = False) -> None:
        self.model, self.rows, self.title, self.agrees = model, rows, title, AGREES_HALF if half else AGREES
        self.known: dict[str, list[Axis]] = {}

    def shared(self, name: str, compute: Callable[[Batch, torch.Generator], T], value: Callable[[T], Tensor],
               batch: Batch, generator: torch.Generator, *, differentiates: bool = False) -> T:
        """What `compute` makes of this process's rows, with their part of the noise; `value` is its loss.

        One that `differentiates` asks for gradients in itself.
        """
        before = generator.get_state()
        try:
            return self._computed(name, compute, batch, generator)
        except Unknown:
            generator.set_state(before)
        everyone = {key: self.rows.gathered(x) for key, x in batch.items()}
        self.known[name] = self._rehearsed(self.known.get(name, []), lambda *given: value(compute(*given)), everyone,
                                           generator, differentiates=differentiates)
        try:
            return self._computed(name, compute, batch, generator)
        except Unknown:
            raise Unsharable(f"{self.title} draws otherwise for a part of a batch than for a whole one, so processes "
                             "cannot share it. Train it with one.") from None

    def _computed(self, name: str, compute: Callable[[Batch, torch.Generator], T], batch: Batch,
                  generator: torch.Generator) -> T:
        with Narrowed(self.rows, self.known.get(name, [])) as narrowed, whole.shared(self.rows):
            found = compute(batch, generator)
        narrowed.done()
        return found

    def _rehearsed(self, known: Sequence[Axis], value: Callable[[Batch, torch.Generator], Tensor], batch: Batch,
                   generator: torch.Generator, *, differentiates: bool) -> list[Axis]:
        """Which axes of all draws follow the rows of a whole `batch`."""
        count, parameters = self.rows.count, [p for p in self.model.parameters() if p.requires_grad]

        def tried(order: Tensor, mode: _Hearing, everything: Everything, *, gradient: bool = False) -> Tensor:
            """The loss of the rows in an order, (1,), and behind it its gradient where that is asked for."""
            # Of a batch that one process may have no room for, nothing is kept for a gradient that is not asked for.
            with self._left_alone(), mode, whole.shared(everything), torch.set_grad_enabled(gradient or differentiates):
                loss = value({name: x[order.to(x.device)] for name, x in batch.items()}, _copy(generator))
            found = torch.autograd.grad(loss, parameters, allow_unused=True) if gradient else ()
            return torch.cat([part.detach().flatten() for part in (loss, *found) if part is not None])

        order, first, everything = torch.arange(count), _Hearing(self.title), Everything()
        tried(order, first, everything)
        for other in (count + 1, count - 1, 2 * count):
            second = _Hearing(self.title, like=first.heard)
            tried(torch.arange(other) % count, second, Everything())
            if [each.function for each in second.heard] == [each.function for each in first.heard]:
                break
        else:
            raise Unsharable(f"what {self.title} draws depends on the size of its batch, so processes cannot share it. "
                             "Train it with one.")
        axes = [self._axis(*pair, other) for pair in zip(first.heard, second.heard, strict=True)]
        several = sorted({heard.shape[axis] // count for heard, axis in zip(first.heard, axes, strict=True)
                          if axis is not None and heard.shape[axis] > count})
        ways: tuple[Layout, Layout] = ("together", "apart")
        layouts = [dict(zip(several, choice, strict=True)) for choice in itertools.product(ways, repeat=len(several))]
        layout = layouts[0]
        if several or not everything.apart:  # who tells rows apart says himself which are whose
            kept = [heard.drawn for heard in first.heard]
            wanted = tried(order, _Hearing(self.title, given=kept), Everything(), gradient=bool(several))
            off = {}
            for place, layout in enumerate(layouts):
                turned = [_turned(heard, axis, count, layout) for heard, axis in zip(first.heard, axes, strict=True)]
                found = tried(order.roll(1), _Hearing(self.title, given=turned), Everything(), gradient=bool(several))
                off[place] = float((found - wanted).norm() / wanted.norm().clamp(min=1e-3))
            best = min(off, key=lambda place: off[place])
            if off[best] > self.agrees:
                raise Unsharable(f"the loss of {self.title} depends on the order of a batch's rows, so processes "
                                 "cannot share it. Train it with one.")
            layout = layouts[best]
        axes_found = []
        for place, (heard, axis) in enumerate(zip(first.heard, axes, strict=True)):
            here = None if axis is None else layout.get(heard.shape[axis] // count)
            before = known[place] if place < len(known) else None
            if here is None and before is not None and before[:2] == (heard.function, axis):
                here = before.layout
            axes_found.append(Axis(heard.function, axis, here))
        return axes_found

    def _axis(self, one: Heard, other: Heard, others: int) -> int | None:
        count = self.rows.count
        moved = [axis for axis, (a, b) in enumerate(zip(one.shape, other.shape, strict=True)) if a != b]
        if not moved:
            return None
        [axis, *more] = moved
        each = one.shape[axis] // count
        if more or (one.shape[axis], other.shape[axis]) != (each * count, each * others) or (
                one.function is torch.multinomial and axis):
            raise Unsharable(f"{self.title} draws {one.shape} numbers for {count} rows and {other.shape} for {others}, "
                             "so no rows of them are one row's. Train it with one process.")
        return axis

    @contextmanager
    def _left_alone(self) -> Iterator[None]:
        """Whatever an objective moves, as chains, is put back."""
        before = [(buffer, buffer.clone()) for buffer in self.model.buffers()]
        try:
            yield
        finally:
            with torch.no_grad():
                for buffer, value in before:
                    buffer.copy_(value)


class Everything:
    """A whole batch as the part of a process that has all of it; `apart` is whether its rows were told apart."""

    share = 1.0

    def __init__(self) -> None:
        self.apart = False

    def gathered(self, rows: Tensor) -> Tensor:
        return rows.detach().clone()

    def mean(self, rows: Tensor) -> Tensor:
        return rows.mean(0)

    def own(self, whole: Tensor) -> Tensor:
        self.apart = True
        return whole

    def greatest(self, number: int) -> int:
        return number

    def all_of(self, count: int) -> int:
        return count


class Narrowed(TorchFunctionMode):
    """Draws for the whole batch, of which it gives the rows of this process.

    `axes` say where they are; without them all draws have a row a place of their first axis.
    """

    def __init__(self, rows: Rows, axes: Sequence[Axis] | None) -> None:
        super().__init__()
        self.rows, self.left = rows, None if axes is None else list(reversed(axes))

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if kwargs.get("generator") is None:
            return func(*args, **kwargs)
        at = Axis(func, 0, "together")
        if self.left is not None:
            if not self.left or self.left[-1].function is not func:
                raise Unknown
            at = self.left.pop()
        if at.axis is None or func is torch.randperm:  # of a whole batch's rows
            return func(*args, **kwargs)
        return self._drawn(func, at.axis, at.layout, args, kwargs)

    def done(self) -> None:
        """Raise `Unknown` where something was to be drawn that was not."""
        if self.left:
            raise Unknown

    def _drawn(self, func: Any, axis: int, layout: Layout | None, args: Any, kwargs: Any) -> Tensor:
        rows, shape = self.rows, _shape(func, args, kwargs)
        each, rest = divmod(shape[axis], rows.length)
        if rest or (each > 1 and layout is None):
            raise Unknown
        wide = (*shape[:axis], each * rows.count, *shape[axis + 1:])
        if func in GIVEN:
            p = args[0].new_full(wide, 0.5)  # of the others any: how much is drawn does not depend on it
            _own(p, axis, layout, rows).copy_(_parted(args[0], axis, _split(each, rows.length, layout)))
            drawn = func(p, *args[1:], **kwargs)
        else:
            drawn = _of_shape(func, wide, args, kwargs)
        found: Tensor = _own(drawn, axis, layout, rows).flatten(axis, axis + 1)
        return found


class _Hearing(TorchFunctionMode):
    """Notes what is drawn; gives what is `given` in its place, or what was drawn before where its shape is `like`."""

    def __init__(self, title: str, *, like: Sequence[Heard] = (), given: Sequence[Tensor] | None = None) -> None:
        super().__init__()
        self.title, self.like, self.given = title, like, given
        self.heard: list[Heard] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if kwargs.get("generator") is None:
            return func(*args, **kwargs)
        if func not in (*SHAPED, *GIVEN, torch.randperm):
            raise Unsharable(f"{self.title} draws by {func.__name__}, of which nobody knows whose rows it is for. "
                             "Train it with one process.")
        place, shape = len(self.heard), _shape(func, args, kwargs)
        if self.given is not None:
            drawn = self.given[place]
        elif place < len(self.like) and self.like[place][:2] == (func, shape):
            drawn = self.like[place].drawn
        else:
            drawn = func(*args, **kwargs)
        self.heard.append(Heard(func, shape, drawn.clone()))
        return drawn.clone()


def _shape(func: Any, args: Any, kwargs: Any) -> tuple[int, ...]:
    """The shape of a draw; of one for rows of probabilities, theirs."""
    if func in GIVEN:
        return tuple(args[0].shape)
    if func is torch.randperm:
        return (args[0],)
    given = kwargs.get("size", args if args and isinstance(args[-1], int) else args[-1] if args else ())
    return tuple(given)


def _of_shape(func: Any, shape: tuple[int, ...], args: Any, kwargs: Any) -> Tensor:
    bounds = args if "size" in kwargs else args[:-1]
    found: Tensor = func(*(bounds if func is torch.randint else ()), shape,
                         **{name: value for name, value in kwargs.items() if name != "size"})
    return found


def _split(each: int, rows: int, layout: Layout | None) -> tuple[int, int]:
    return (each, rows) if layout == "apart" else (rows, each)


def _parted(drawn: Tensor, axis: int, sizes: tuple[int, int]) -> Tensor:
    return drawn.reshape(*drawn.shape[:axis], *sizes, *drawn.shape[axis + 1:])


def _own(drawn: Tensor, axis: int, layout: Layout | None, rows: Rows) -> Tensor:
    """Own rows of a draw for all, its axis of rows as two: of rows, and of the places of each."""
    each = drawn.shape[axis] // rows.count
    parts = _parted(drawn, axis, _split(each, rows.count, layout))
    return parts.narrow(axis + (layout == "apart"), rows.start, rows.length)


def _turned(heard: Heard, axis: int | None, count: int, layout: dict[int, Layout]) -> Tensor:
    """A draw as it is where each row of the batch stands one place further on, the last one first."""
    if axis is None:
        return heard.drawn
    each = heard.shape[axis] // count
    how = layout.get(each)
    places = torch.arange(each * count).view(_split(each, count, how))
    order: Tensor = places.roll(1, int(how == "apart")).flatten()
    if heard.function is torch.randperm:  # of places, which are told by their number
        return order.argsort().to(heard.drawn.device)[heard.drawn]
    return heard.drawn.index_select(axis, order.to(heard.drawn.device))


def _copy(generator: torch.Generator) -> torch.Generator:
    found = torch.Generator(generator.device)
    found.set_state(generator.get_state())
    return found
