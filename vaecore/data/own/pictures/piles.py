"""N pictures, wherever they lie: in files of their own or in arrays. Read in any order, a block at a time."""

from __future__ import annotations

import io
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from math import prod
from typing import IO, Protocol, TypeVar

import numpy as np
from PIL import Image

from vaecore.data import npz
from vaecore.data.own.pictures.decoding import (
    MAX_PICTURE_BYTES,
    PAGED,
    Pixels,
    Unreadable,
    decoded,
    opened,
    pages,
)
from vaecore.data.own.pictures.folder import File, Listing, Packed
from vaecore.data.own.pictures.stacks import Stack
from vaecore.data.own.splitting import Rows
from vaecore.schema import ConfigError

T = TypeVar("T")
CHUNK = 64  # pictures that threads are given at a time
BLOCK_BYTES = 2**24  # of rows of an array that are read at a time
KEPT_OPEN = 8  # files of several pages
THREADS = min(8, os.cpu_count() or 1)


class Pile(Protocol):
    """Pictures by number, from 0."""

    def __len__(self) -> int: ...

    def name(self, picture: int) -> str:
        """What messages call it."""

    def read(self, pictures: Rows, then: Callable[[Pixels], T], enough: int = 0
             ) -> Iterator[tuple[Rows, T | Unreadable]]:
        """What `then` makes of these pictures, several of one size at a time, with their places among `pictures`.

        Where `enough` pixels a side are, large ones may be given smaller.
        """


class Arrays:
    """The pictures of arrays, one array after the other."""

    def __init__(self, stacks: Sequence[Stack]) -> None:
        self.stacks = stacks
        self.starts = np.cumsum([0, *(stack.shape[0] for stack in stacks)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def name(self, picture: int) -> str:
        stack = int(np.searchsorted(self.starts, picture, "right")) - 1
        called = f" of '{self.stacks[stack].called}'" if self.stacks[stack].called else ""
        return f"picture {picture - int(self.starts[stack]):,}{called} (the first is 0)"

    def read(self, pictures: Rows, then: Callable[[Pixels], T], enough: int = 0
             ) -> Iterator[tuple[Rows, T | Unreadable]]:
        of = np.searchsorted(self.starts, pictures, "right") - 1
        for number, stack in enumerate(self.stacks):
            places = np.flatnonzero(of == number)
            each = max(1, BLOCK_BYTES // max(1, prod(stack.shape[1:]) * stack.dtype.itemsize))
            for start in range(0, len(places), each):
                block = places[start:start + each]
                rows = pictures[block] - self.starts[number]
                try:
                    pixels = stack.rows(rows)
                except Unreadable as error:
                    if len(block) == 1:
                        yield block, error
                        continue
                    for place, row in zip(block, rows, strict=True):  # which of them it is
                        one = np.array([place])
                        try:
                            alone = stack.rows(np.array([row]))
                        except Unreadable as fault:
                            yield one, fault
                        else:
                            yield one, then(alone)
                    continue
                yield block, then(pixels)


class Files:
    """Pictures in files of their own, or pages of them. Use it as a context, at the end of which files are closed."""

    def __init__(self, listing: Listing, files: Sequence[File]) -> None:
        self.listing = listing
        self.pages: list[tuple[File, int]] = []
        self.several: set[str] = set()  # files of more than one page
        self._open: OrderedDict[str, tuple[ExitStack, Image.Image]] = OrderedDict()
        self._lock = threading.Lock()
        for file in files:
            pages = _pages(file) if file.name.lower().endswith(PAGED) else 1
            if pages > 1:
                self.several.add(file.name)
            self.pages += [(file, page) for page in range(pages)]

    def __enter__(self) -> Files:
        return self

    def __exit__(self, *_: object) -> None:
        for kept in self._open.values():
            kept[0].close()
        self._open.clear()

    def __len__(self) -> int:
        return len(self.pages)

    def name(self, picture: int) -> str:
        file, page = self.pages[picture]
        return self.listing.named(file.name) + (f", page {page + 1:,}" if file.name in self.several else "")

    def read(self, pictures: Rows, then: Callable[[Pixels], T], enough: int = 0
             ) -> Iterator[tuple[Rows, T | Unreadable]]:
        def one(picture: int) -> T | Unreadable:
            try:
                return then(self._decoded(picture, enough))
            except Unreadable as error:
                return error

        for start in range(0, len(pictures), CHUNK):
            for place, result in enumerate(_mapped(one, pictures[start:start + CHUNK].tolist()), start):
                yield np.array([place]), result

    def _decoded(self, picture: int, enough: int) -> Pixels:
        file, page = self.pages[picture]
        try:
            if file.name not in self.several:
                with _seekable(file) as content:
                    found = decoded(opened(content), enough=enough)
                file.check()
                return found
            with self._lock:  # of a file of many pages each would else begin at the first
                if file.name not in self._open:
                    kept = ExitStack()
                    self._open[file.name] = kept, opened(kept.enter_context(_seekable(file)))
                    if len(self._open) > KEPT_OPEN:
                        self._open.popitem(last=False)[1][0].close()
                found = decoded(self._open[file.name][1], page)
                file.check()
                return found
        except (ConfigError, Unreadable):
            raise
        except npz.DAMAGED as error:
            raise Unreadable(f"cannot be read ({error}).") from None


def _pages(file: File) -> int:
    """How many pages a file has; 1 of one that cannot be read, which is said when it is decoded."""
    try:
        with _seekable(file) as content:
            return pages(opened(content))
    except ConfigError:  # a ValueError, as `Unreadable` is
        raise
    except npz.DAMAGED:
        return 1


def _seekable(file: File) -> IO[bytes]:
    """The file in which decoders go back and forth; a member of a zip is unpacked into memory, with a bound."""
    if not isinstance(file, Packed):
        return file.open()
    if file.size > MAX_PICTURE_BYTES:
        raise Unreadable(f"declares {file.size:,} bytes, and at most {MAX_PICTURE_BYTES:,} are read: make it smaller.")
    return io.BytesIO(file.content(MAX_PICTURE_BYTES))


def _mapped(function: Callable[[T], object], values: Sequence[T]) -> Iterator:  # type: ignore[type-arg]
    """As `map`, in threads where there is enough to do: decoders work beside each other."""
    if len(values) < CHUNK // 4 or THREADS == 1:
        yield from map(function, values)
        return
    with ThreadPoolExecutor(THREADS) as pool:
        yield from pool.map(function, values)
