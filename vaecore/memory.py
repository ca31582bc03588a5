"""What a process holds in memory because it was costly to make: one pool of all sessions, bounded in bytes.

    @held
    def loaded(path: Path, stamp: int) -> Checkpoint: …      # made once a path and stamp, and given to all who ask

Once all that is held takes more than the bound, what was asked for longest ago goes, whoever made it: a few large
models, or many small ones. What is held is shared: nobody changes it. `VAECORE_HELD` says the bound, in MB.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import FunctionType, MethodType, ModuleType
from typing import Any, Generic, ParamSpec, TypeVar, overload

P = ParamSpec("P")
T = TypeVar("T")
HELD, USUAL_MB = "VAECORE_HELD", 1024
AGAIN = 30.0  # seconds after which what is asked for is measured anew: it may have grown
ENTRY = 500  # bytes for the name of a thing and its place here
# What takes no memory of its own, or belongs to the process and not to what is held.
NOT_ITS_OWN = (type, ModuleType, FunctionType, MethodType, threading.Thread)


def most_bytes() -> int:
    """The bound of what is held, by `VAECORE_HELD`; what is no number of at least 1 MB is as if it were not set."""
    told = os.environ.get(HELD, "")
    usable = told.isascii() and told.isdigit() and 0 < len(told) < 10 and int(told) > 0
    return (int(told) if usable else USUAL_MB) * 2**20


@dataclass
class _Thing:
    """Something that is held, with its bytes as they were measured at a time."""

    value: Any
    size: int
    measured: float


@dataclass
class Pool:
    """Things by name, the longest unasked first; `most` says how many bytes they may take, the newest aside.

    A name begins with whose it is, which is there anyway: its rest counts with the thing.
    """

    most: Callable[[], int] = most_bytes
    _things: OrderedDict[tuple[Hashable, ...], _Thing] = field(default_factory=OrderedDict)
    _making: dict[tuple[Hashable, ...], threading.Lock] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def size(self) -> int:
        """Bytes of all that is held."""
        with self._lock:
            return sum(thing.size for thing in self._things.values())

    def __len__(self) -> int:
        return len(self._things)

    def __contains__(self, name: tuple[Hashable, ...]) -> bool:
        return name in self._things

    def get(self, name: tuple[Hashable, ...], make: Callable[[], T]) -> T:
        """What is held under `name`, or what `make` gives, held from now on. Who come at once wait for one.

        What `make` raises is raised, and nothing is held.
        """
        if (found := self._asked(name)) is not None:
            value: T = found.value
            return value
        with self._lock:
            making = self._making.setdefault(name, threading.Lock())
        try:
            with making:
                if (found := self._asked(name)) is not None:  # made while this one waited
                    value = found.value
                    return value
                value = make()
                self.put(name, value)
                return value
        finally:
            with self._lock:
                self._making.pop(name, None)

    def peek(self, name: tuple[Hashable, ...]) -> Any:
        """What is held under `name`, as if nobody had asked; None where nothing is."""
        thing = self._things.get(name)
        return None if thing is None else thing.value

    def put(self, name: tuple[Hashable, ...], value: object) -> None:
        """Hold `value` under `name`, in the place of what was there."""
        thing = _Thing(value, size_of((name[1:], value)) + ENTRY, time.monotonic())
        with self._lock:
            self._things[name] = thing
            self._things.move_to_end(name)
            self._let_go()

    def forget(self, *name: Hashable) -> None:
        """Let go of all whose name begins so; of everything where nothing is said."""
        with self._lock:
            for each in list(self._things):
                if each[:len(name)] == name:
                    del self._things[each]

    def _asked(self, name: tuple[Hashable, ...]) -> _Thing | None:
        with self._lock:
            thing = self._things.get(name)
            if thing is None:
                return None
            self._things.move_to_end(name)
            if time.monotonic() < thing.measured + AGAIN:
                return thing
            thing.measured = time.monotonic()
        size = size_of((name[1:], thing.value)) + ENTRY
        with self._lock:
            thing.size = size
            self._let_go()
        return thing

    def _let_go(self) -> None:
        taken, most = self.size, self.most()
        while taken > most and len(self._things) > 1:
            taken -= self._things.popitem(last=False)[1].size


pool = Pool()


class Held(Generic[P, T]):
    """A function whose answers are held in the pool, by its arguments."""

    def __init__(self, function: Callable[P, T], meanwhile: Callable[[], AbstractContextManager[object]]) -> None:
        functools.update_wrapper(self, function)
        self.function, self.meanwhile = function, meanwhile
        self.signature = inspect.signature(function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        def make() -> T:
            with self.meanwhile():
                return self.function(*args, **kwargs)

        return pool.get((self, *self._key(*args, **kwargs)), make)

    def clear(self) -> None:
        """Let go of all its answers."""
        pool.forget(self)

    def _key(self, *args: Any, **kwargs: Any) -> Iterable[Hashable]:
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return (value for name, value in bound.arguments.items() if not (name.startswith("_") and len(name) > 1))


@overload
def held(function: Callable[P, T], /) -> Held[P, T]: ...


@overload
def held(*, meanwhile: Callable[[], AbstractContextManager[object]]) -> Callable[[Callable[P, T]], Held[P, T]]: ...


def held(function: Callable[..., Any] | None = None, /, *,
         meanwhile: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext) -> Any:
    """A decorator: answers of the function are held in the pool, by all arguments but those named `_something`.

    `meanwhile` makes a context in which a new answer is made, as one that tells who waits what is done.
    """
    if function is None:
        return lambda each: Held(each, meanwhile)
    return Held(function, meanwhile)


def size_of(thing: object) -> int:
    """Bytes of memory that a thing takes, with all that it refers to, each counted once.

    Arrays on disk count for nothing, nor do classes, functions and modules, which are there anyway.
    """
    np: Any = sys.modules.get("numpy")  # nothing is an array where nobody has imported it
    not_its_own = NOT_ITS_OWN if np is None else (*NOT_ITS_OWN, np.dtype, np.memmap)
    taken, seen, left = 0, set[int](), [thing]
    while left:
        each = left.pop()
        if id(each) in seen or isinstance(each, not_its_own):
            continue
        seen.add(id(each))
        if np is not None and isinstance(each, np.ndarray):
            if each.base is None or not isinstance(each.base, np.ndarray):
                taken += each.nbytes + 100
            else:
                left.append(each.base)  # a view keeps the whole of what it looks at
            if each.dtype.hasobject:
                left += each.ravel().tolist()
            continue
        storage = getattr(each, "untyped_storage", None)  # of torch, which is not imported for this
        if storage is not None and callable(storage):
            held_in = storage()
            if held_in.data_ptr() not in seen:
                seen.add(held_in.data_ptr())
                taken += held_in.nbytes() + 100
            gradient = getattr(each, "grad", None) if getattr(each, "is_leaf", False) else None
            left += [] if gradient is None else [gradient]
            continue
        taken += sys.getsizeof(each, 50)
        if isinstance(each, str | bytes | bytearray | int | float):
            continue
        if isinstance(each, Mapping):
            left += [*each.keys(), *each.values()]
        elif isinstance(each, list | tuple | set | frozenset):
            left += each
        left += vars(each).values() if hasattr(each, "__dict__") else ()
        left += [getattr(each, name) for kind in type(each).__mro__ for name in _slots(kind) if hasattr(each, name)]
    return taken


def _slots(kind: type) -> tuple[str, ...]:
    told = vars(kind).get("__slots__", ())
    return (told,) if isinstance(told, str) else tuple(name for name in told if not name.startswith("__"))
