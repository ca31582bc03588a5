"""What a CUDA graph does, on a CPU: operations are written down once and done again on the same memory.

As in a graph, nothing of Python runs at a replay: numbers, shapes and decisions are those of the capture, every
operation reads and writes the tensors that it read and wrote then, and only generators go on. So a step that would
go wrong in a graph goes wrong here: one that puts another tensor in the place of a buffer, that reads a number of
Python which changes, or that asks the device for a number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from vaecore.training.graphs import StaticStep, warm_up

# What waits for the device, or whose shape its numbers decide: no graph holds it.
REFUSED = {"_local_scalar_dense", "nonzero", "unique_dim", "_unique2", "unique_consecutive", "masked_select", "equal",
           "is_nonzero", "repeat_interleave", "linalg_cholesky", "linalg_eigh", "linalg_svd", "_linalg_svd",
           "linalg_lstsq", "bincount", "allclose"}


class Uncapturable(RuntimeError):
    """An operation that a capture refuses."""


def refused(func: Any, args: tuple[Any, ...]) -> str:
    """Why a graph does not hold an operation; empty where it does."""
    name = func._schema.name.partition("::")[2]
    if name in REFUSED:
        return f"{name} waits for the device"
    if name in ("index", "index_put", "index_put_", "_index_put_impl_") and any(
            isinstance(each, Tensor) and each.dtype in (torch.bool, torch.uint8) for each in args[1]):
        return f"{name} by a mask has a shape that numbers decide"
    if name == "lift_fresh":
        return "a tensor of numbers of Python is copied from main memory"
    return ""


class Tape(TorchDispatchMode):
    """Writes operations down while they are done; `replay` does them again."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if why := refused(func, args):
            raise Uncapturable(why)
        found = func(*args, **kwargs)
        inputs = [each.untyped_storage().data_ptr() for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        outputs = [each for each in tree_leaves(found) if isinstance(each, Tensor)]
        view = not func._schema.is_mutable and outputs and all(
            each.numel() and each.untyped_storage().data_ptr() in inputs for each in outputs)
        if not view:  # a view shows what is written into what it is of
            self.lines.append((func, args, kwargs, found))
        return found

    @torch.no_grad()
    def replay(self) -> None:
        for func, args, kwargs, before in self.lines:
            found = func(*args, **kwargs)
            for old, new in zip(tree_leaves(before), tree_leaves(found), strict=True):
                if isinstance(old, Tensor) and isinstance(new, Tensor) and old is not new:
                    old.copy_(new)


def taped(step: StaticStep) -> Callable[[], None]:
    """The step on a tape, in the place of `vaecore.training.graphs.cuda_graph`."""
    warm_up(step)
    tape = Tape()
    with tape:
        step()
    return tape.replay
