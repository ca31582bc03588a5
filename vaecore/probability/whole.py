"""The whole batch, where several processes have a part of its rows each.

A loss is a mean over rows, and the mean of the whole is made when gradients are summed over the processes. What is more
than a mean of rows, as a distance between samples, asks here for those of all. One process has all rows: then
everything here is what it was given.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor


class Part(Protocol):
    """The rows of a batch that this process has."""

    share: float  # of all rows, which is what its loss counts

    def gathered(self, rows: Tensor) -> Tensor:
        """The rows (B, ...) of all processes in their order, from its own; without a gradient."""
        ...

    def mean(self, rows: Tensor) -> Tensor:
        """The mean of all rows, (...), from its own (b, ...); without a gradient."""
        ...

    def own(self, whole: Tensor) -> Tensor:
        """The rows of this process among those of all."""
        ...

    def greatest(self, number: int) -> int:
        """The largest of a number that each process has."""
        ...

    def all_of(self, count: int) -> int:
        """How many rows there are in all, where it has `count`."""
        ...


_part: Part | None = None


@contextmanager
def shared(part: Part | None) -> Iterator[None]:
    """What is computed meanwhile is of a part of a batch; with None of a whole one."""
    global _part
    before, _part = _part, part
    try:
        yield
    finally:
        _part = before


def whole_rows(*rows: Tensor) -> tuple[Tensor, ...]:
    """The rows of the whole batch, (B, ...) each, with a gradient in those of this process.

    What is computed from them has to be the same in every process: each then passes the gradient of its own rows on.
    """
    part = _part
    return rows if part is None else tuple(_whole(each, part) for each in rows)


def whole_mean(rows: Tensor) -> Tensor:
    """The mean over the rows of the whole batch, (...), with the gradient of those of this process."""
    own = rows.mean(0)
    return own if _part is None else own + (_part.mean(rows.detach()) - own.detach())


def own_rows(whole: Tensor) -> Tensor:
    """The rows of this process among those of the whole batch."""
    return whole if _part is None else _part.own(whole)


def whole_count(count: int) -> int:
    """How many rows the whole batch has, of which this process has `count`."""
    return count if _part is None else _part.all_of(count)


def longest(length: int) -> int:
    """The largest of a length that follows from the rows of each process."""
    return length if _part is None else _part.greatest(length)


def _whole(rows: Tensor, part: Part) -> Tensor:
    found: Tensor = _Whole.apply(rows, part)  # type: ignore[no-untyped-call]
    return found


class _Whole(torch.autograd.Function):
    """Every process has the gradient of all rows. As its loss counts by its share, and that of its own rows is nobody
    else's, it is divided by that share."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, part: Part) -> Tensor:
        ctx.part = part
        return part.gathered(rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.part.own(gradients[0]) / ctx.part.share, None
