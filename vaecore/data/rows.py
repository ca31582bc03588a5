"""Rows of an array in a file, read by their place into memory of the reader's own.

A memory-mapped array counts as resident wherever it was touched. What is read by position does not: of a data set of
any size only the rows in use are in memory, and what the system keeps of the file besides, it gives away when asked.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vaecore.data.base import MAPPED_FROM, Array, DataUnavailable

MEMORY_SHARE = 4  # arrays may take a quarter of what is free: weights, activations and other programs need the rest
READ_AT_ONCE = 2**26  # bytes that are read, or moved to a device, at once


class Rows:
    """The rows of a memory-mapped array (N, ...), or of a part of one, without touching the map."""

    def __init__(self, array: Array, path: Path, offset: int) -> None:
        self.shape: tuple[int, ...] = array.shape
        self.dtype, self.path = array.dtype, path
        self.size = int(np.prod(array.shape[1:], dtype=np.int64)) * array.dtype.itemsize  # bytes of one
        self.place, self._stride = offset, array.strides[0]  # of the first row in the file, and between rows
        try:
            self._file = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise self._unreadable(error.strerror or str(error)) from None
        if hasattr(os, "posix_fadvise"):  # rows come in any order: what lies beside one is not wanted
            os.posix_fadvise(self._file, 0, 0, os.POSIX_FADV_RANDOM)
        self._end = weakref.finalize(self, os.close, self._file)

    @classmethod
    def of(cls, array: Array) -> Rows | None:
        """The rows of an array that is memory-mapped, or a view of one with whole rows; None for any other array."""
        if not isinstance(array, np.memmap) or not array.filename or not array.size:
            return None
        if not array[:1].flags.c_contiguous:
            return None
        root: NDArray[np.generic] = array
        while isinstance(root.base, np.ndarray):
            root = root.base
        assert isinstance(root, np.memmap)
        return cls(array, Path(array.filename), root.offset + array.ctypes.data - root.ctypes.data)

    @property
    def nbytes(self) -> int:
        return self.shape[0] * self.size

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, rows: NDArray[np.int64], into: Array) -> None:
        """Fill `into` (n, ...), which is contiguous, with `rows` (n,); raises `DataUnavailable` naming the file."""
        target = into.reshape(-1).view(np.uint8).data
        # Rows that follow each other in the file, as in a pass in order, are read at once.
        together = np.diff(rows) == 1 if self._stride == self.size else np.zeros(max(0, len(rows) - 1), bool)
        starts = [0, *(np.flatnonzero(~together) + 1).tolist(), len(rows)] if len(rows) else []
        for first, last in pairwise(starts):
            self._read(target[first * self.size:last * self.size], self.place + int(rows[first]) * self._stride)

    def part(self, start: int, stop: int) -> Array:
        """The rows from `start` to `stop`, in memory."""
        rows = np.arange(*slice(start, stop).indices(len(self)), dtype=np.int64)
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        self.read(rows, found)
        return found

    def wanted(self, rows: NDArray[np.int64]) -> None:
        """Tell the system that `rows` will be read, so that the disk looks for many of them at once."""
        if hasattr(os, "posix_fadvise"):
            for row in rows.tolist():
                os.posix_fadvise(self._file, self.place + row * self._stride, self.size, os.POSIX_FADV_WILLNEED)

    def close(self) -> None:
        """Close the file."""
        self._end()

    def _read(self, target: memoryview, place: int) -> None:
        while target:
            try:
                count = os.preadv(self._file, [target], place)
            except OSError as error:
                raise self._unreadable(error.strerror or str(error)) from None
            if not count:
                raise self._unreadable("it is shorter than it was")
            target, place = target[count:], place + count

    def _unreadable(self, why: str) -> DataUnavailable:
        return DataUnavailable(f"{self.path} cannot be read: {why}. If it is in the cache, delete it and start again: "
                               "it is made anew.")


def in_parts(array: Array, at_once: int = READ_AT_ONCE) -> Iterator[Array]:
    """An array (N, ...) in consecutive parts of about `at_once` bytes; of a mapped one no more than that is held."""
    file = Rows.of(array)
    step = max(1, at_once * len(array) // max(1, array.nbytes))
    for start in range(0, len(array), step):
        yield array[start:start + step] if file is None else file.part(start, start + step)


def stored(arrays: dict[str, Array]) -> dict[str, Rows]:
    """The arrays of a split that are to stay in their files: none where memory has room for all of them.

    `VAECORE_MEMORY` says in bytes what they may take, else it is a quarter of what is free. Raises `DataUnavailable`.
    """
    mapped = {name: array for name, array in arrays.items() if isinstance(array, np.memmap)}
    if sum(array.nbytes for array in mapped.values()) <= room():
        return {}
    found = {name: Rows.of(array) for name, array in mapped.items()}
    return {name: rows for name, rows in found.items() if rows is not None}


def room() -> int:
    """Bytes that the arrays of a split may take in memory, never less than what is held without being asked."""
    chosen = os.environ.get("VAECORE_MEMORY", "")
    if not chosen:
        return max(MAPPED_FROM, free_memory() // MEMORY_SHARE)
    try:
        return int(float(chosen))
    except (ValueError, OverflowError):
        raise DataUnavailable(f"VAECORE_MEMORY is '{chosen}'. Give the bytes that data may take in memory, as 2e9, or "
                              "unset it.") from None


def free_memory() -> int:
    """Bytes that this process may still take: of the machine, or of the group of processes that it is limited with."""
    found = [_machine()]
    try:
        group = Path("/proc/self/cgroup").read_text().partition("::")[2].split("\n")[0].strip("/")
    except OSError:
        return found[0]
    for folder in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup") / group):
        try:
            limit, used = int((folder / "memory.max").read_text()), int((folder / "memory.current").read_text())
            pages = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            found.append(max(0, limit - used + int(pages.get("inactive_file", 0))))  # the system gives these away
        except (OSError, ValueError):  # no such group, or "max"
            continue
    return min(found)


def _machine() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:  # macOS does not say what is free: half of what there is
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (OSError, ValueError, AttributeError):
        return 2**32
