"""A GPU on paper: tensors that say they lie on one and hold no numbers, where there is none.

Torch computes what operation gives which shape on which device, and refuses what a GPU would refuse: operands on two
devices, a generator of another one. Its build for CPUs alone lacks the guard that a few methods of tensors ask for;
here these take the way round it. Gradients ask for it too, so what is tried is what a forward pass does.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

CUDA = torch.device("cuda", 0)
NOT_LINKED = "not linked with support for cuda"
# What somebody is told who reads numbers that are not there.
READING: dict[Any, Callable[[Tensor], Any]] = {
    Tensor.item: lambda x: _one(x).item(), Tensor.tolist: lambda x: _one(x).tolist(), Tensor.numpy: lambda x: _one(x),
    Tensor.__float__: lambda x: float(_one(x)), Tensor.__int__: lambda x: int(_one(x)),
    Tensor.__bool__: lambda x: bool(_one(x)), Tensor.__index__: lambda x: int(_one(x))}


class Generator(torch.Generator):
    """A generator that says that it is a GPU's."""

    where: torch.device

    def __new__(cls, device: Any = "cpu") -> Generator:
        made = super().__new__(cls)
        made.where = torch.device(device)
        return made

    def __init__(self, device: Any = "cpu") -> None:
        pass

    @property
    def device(self) -> torch.device:
        return CUDA if self.where.type == "cuda" else self.where

    def get_state(self) -> Tensor:
        return torch.zeros(16, dtype=torch.uint8)

    def set_state(self, state: Tensor) -> Generator:
        assert state.device.type == "cpu", "a generator's state is set from main memory"
        return self


def placed(module: nn.Module, device: Any) -> nn.Module:
    """`module.to(device)` for tensors on paper: what is no parameter and no buffer stays where it is, as there."""
    known: dict[int, nn.Parameter] = {}
    for part in module.modules():
        for name, parameter in part._parameters.items():
            if parameter is not None:
                part._parameters[name] = known.setdefault(id(parameter), nn.Parameter(
                    parameter.detach().to(device), requires_grad=False))
        for name, buffer in part._buffers.items():
            if buffer is not None:
                part._buffers[name] = buffer.to(device)
    return module


class WayRound(TorchFunctionMode):
    """Indexing and what else asks for a device guard, by the operations behind it; numbers read are made up."""

    def __init__(self, noted: Noted) -> None:
        super().__init__()
        self.noted = noted

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is Tensor.__getitem__:
            found, rest = _sliced(*args)
            return torch.ops.aten.index(found, rest) if any(each is not None for each in rest) else found
        if func is Tensor.__setitem__:
            found, rest = _sliced(*args[:2])
            value = args[2]
            if any(each is not None for each in rest):
                value = value if isinstance(value, Tensor) else torch.full((), value, dtype=found.dtype,
                                                                           device=found.device)
                return torch.ops.aten.index_put_(found, rest, value)
            return (torch.ops.aten.copy_ if isinstance(value, Tensor) else torch.ops.aten.fill_)(found, value)
        if func is Tensor.contiguous:
            return torch.clone(args[0], memory_format=kwargs.get("memory_format", torch.contiguous_format))
        if func is Tensor.__invert__:
            return torch.ops.aten.bitwise_not(args[0])
        if func in READING:
            if args[0].device.type == "cuda":
                self.noted.waits.append(_told(func.__name__))
            return READING[func](args[0])
        if func is F.unfold:
            return _unfold(*args, **kwargs)
        if func is Tensor.log_softmax:
            return args[0] - args[0].logsumexp(args[1], keepdim=True)
        try:
            return func(*args, **kwargs)
        except RuntimeError as error:
            if NOT_LINKED not in str(error):
                raise
            return getattr(torch.ops.aten, func.__name__)(*args, **kwargs)


def _unfold(x: Tensor, kernel_size: int, dilation: int = 1, padding: int = 0, stride: int = 1) -> Tensor:
    """Of the shape of `torch.nn.functional.unfold`."""
    height, width = ((side + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1 for side in x.shape[2:])
    return x.new_empty(len(x), x.shape[1] * kernel_size**2, height * width)


def _sliced(x: Tensor, key: Any) -> tuple[Tensor, list[Tensor | None]]:
    """What numbers and slices of an index leave, and the tensors of the index by dimension."""
    keys = [torch.tensor(each) if isinstance(each, list) else each for each in (key if isinstance(key, tuple) else
                                                                                (key,))]
    takes = [each.ndim if isinstance(each, Tensor) and each.dtype == torch.bool else each is not None for each in keys]
    if not any(each is Ellipsis for each in keys):
        keys, takes = [*keys, Ellipsis], [*takes, 0]
    rest: list[Tensor | None] = []
    for place, each in enumerate(keys):
        at = len(rest)
        if each is None:
            x = torch.ops.aten.unsqueeze(x, at)
            rest.append(None)
        elif each is Ellipsis:
            rest += [None] * (x.ndim - at - sum(takes[place + 1:]))
        elif isinstance(each, slice):
            x = torch.ops.aten.slice(x, at, each.start, each.stop, each.step or 1)
            rest.append(None)
        elif isinstance(each, Tensor):
            rest += [each] + [None] * (takes[place] - 1)
        else:
            x = torch.ops.aten.select(x, at, int(each))
    if any(each is not None and each.dtype == torch.bool and each.ndim > 1 for each in rest):
        rest = [each for each in rest if each is not None]  # a mask of several dimensions stands for all of them
    return x, rest


class Noted(TorchDispatchMode):
    """Notes what a GPU would refuse, and what makes a step wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: list[str] = []
        self.waits: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.partition("::")[2]
        given = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        found = func(*args, **kwargs)
        gives = [each for each in tree_leaves(found) if isinstance(each, Tensor)]
        for each in tree_leaves((args, kwargs)):
            if isinstance(each, torch.Generator) and gives and gives[0].device.type != each.device.type:
                self.refused.append(_told(f"{name} on {gives[0].device.type} by a generator of {each.device.type}"))
        devices = {each.device.type for each in (*given, *gives) if each.ndim or "copy" in name}
        if len(devices) > 1:
            self.waits.append(_told(name))
        return found


@contextmanager
def bfloat16() -> Iterator[None]:
    """A GPU's autocast, which `torch.autocast` turns on only where there is one."""
    before = torch.get_autocast_dtype("cuda")
    torch.set_autocast_dtype("cuda", torch.bfloat16)
    torch.set_autocast_enabled("cuda", True)
    try:
        yield
    finally:
        torch.set_autocast_enabled("cuda", False)
        torch.set_autocast_dtype("cuda", before)
        torch.clear_autocast_cache()


def _told(what: str) -> str:
    """An operation with the line of ours that asked for it."""
    ours = [each for each in traceback.extract_stack() if "/vaecore/" in each.filename]
    return f"{what} at {ours[-1].filename.partition('/vaecore/')[2]}:{ours[-1].lineno}" if ours else what


def _one(x: Tensor) -> Any:
    return np.ones(x.shape, np.float32 if x.is_floating_point() else np.int64)


@contextmanager
def gpu() -> Iterator[Noted]:
    """Within it tensors may be made on "cuda", though there is no GPU; what is wanted of one is noted."""
    with ExitStack() as stack:
        for target, name, instead in ((torch, "Generator", Generator), (nn.Module, "to", placed),
                                      (nn.LSTM, "flatten_parameters", nn.Module.extra_repr)):  # which does nothing
            stack.enter_context(mock.patch.object(target, name, instead))
        stack.enter_context(mock.patch("vaecore.training.feed._room", mock.Mock(return_value=float("inf"))))
        stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        noted = Noted()
        stack.enter_context(WayRound(noted))
        stack.enter_context(torch.no_grad())
        yield stack.enter_context(noted)
