"""Arrays that may be larger than memory: made once, block by block, in the cache, and memory-mapped from there.

    arrays/<key>.npy.part   grows; whoever makes it holds its lock
           <key>.npy.rows   how many of its rows have reached the disk, of how many
           <key>.npy        the name that the part takes when all have

Rows are noted only after they have reached the disk, so what a kill or a power cut leaves is continued from the last
note and ends with the same bytes. Whoever needs an array that another process is making waits for it, and goes on in
its place where that one dies.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import DTypeLike

from vaecore.data.base import MAX_ARRAYS_BYTES, Array, DataUnavailable, binarise, cache_folder
from vaecore.data.rows import READ_AT_ONCE, Rows, room
from vaecore.files import BrokenFile, read_json, sync_folder, write_bytes_atomic
from vaecore.locks import attempt

NOTE_SECONDS = 1.0  # between notes of how many rows are on the disk: what a kill costs at most
LOOK_SECONDS = 0.2  # between looks at how far another process is
SPARE_BYTES = 64 * 2**20  # of the disk that stay free: a training in progress writes its checkpoints there

Blocks = Callable[[int], Iterable[Array]]  # consecutive parts (n, ...) of the rows from one on


class Stopped(Exception):
    """Raised by whoever watches, to end the making of an array; what is on the disk is continued another time."""


@dataclass(frozen=True)
class Progress:
    """How far an array is."""

    what: str  # as "the pictures of faces.zip"
    done: int  # rows
    total: int
    elsewhere: bool = False  # another process makes it, and this one waits

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return self.done / max(1, self.total)

    def __str__(self) -> str:
        said = f"preparing {self.what}, {100 * self.share:.0f} %"
        return f"another process is {said}" if self.elsewhere else said


_watcher: ContextVar[Callable[[Progress], object] | None] = ContextVar("watcher", default=None)


@contextlib.contextmanager
def watched(tell: Callable[[Progress], object]) -> Iterator[None]:
    """Have `tell` called, in this thread, with the progress of every array that is made meanwhile.

    It is called a few times a second or more often, and may raise `Stopped`.
    """
    before = _watcher.set(tell)
    try:
        yield
    finally:
        _watcher.reset(before)


def told(progress: Progress) -> None:
    """Tell whoever watches, if anybody does."""
    if (tell := _watcher.get()) is not None:
        tell(progress)


def converted(key: str, shape: tuple[int, ...], dtype: DTypeLike, blocks: Blocks, what: str) -> Array:
    """The array of `shape` that is kept in the cache as `key`, memory-mapped; made there first where it is not.

    `blocks(start)` gives the rows from `start` on in consecutive parts, the same ones whenever it is called; `key` says
    all that they depend on. `what` is the array in words, as "the pictures of faces.zip". A cache that cannot be
    written costs memory where the array takes no more than `MAX_ARRAYS_BYTES`. Raises `DataUnavailable` where there is
    no room for a larger one, `ValueError` for blocks that do not fit the shape, and what `blocks` or a watcher raises:
    of these, `Stopped` and interrupts leave what there is to be continued.
    """
    kind, size = np.dtype(dtype), int(np.prod(shape, dtype=np.int64))
    if not size:
        return np.empty(shape, kind)
    making = _Making(cache_folder() / "arrays" / f"{key}.npy", shape, kind, what)
    try:
        return making.made(blocks)
    except _NoPlace as problem:
        if making.bytes > MAX_ARRAYS_BYTES:
            raise DataUnavailable(str(problem)) from None
    return in_memory(shape, kind, blocks, what)


def black_and_white(images: Array, seed: int) -> Array:
    """`binarise` of images (N, C, H, W); where memory has no room for them, memory-mapped from the cache."""
    file = Rows.of(images) if images.nbytes > room() else None
    if file is None:
        return binarise(images, seed)
    # What lies in the cache never changes under its name; of a file elsewhere it is known when it did.
    found = file.path.stat()
    which = hashlib.sha256(repr((str(file.path), file.place, images.shape, found.st_size, found.st_mtime_ns)).encode())

    def blocks(start: int) -> Iterator[Array]:
        step = max(1, READ_AT_ONCE // file.size)
        for row in range(start, len(images), step):
            part = file.part(row, row + step)
            yield binarise(part, seed, np.arange(row, row + len(part)))

    return converted(f"{file.path.stem[:80]}-{which.hexdigest()[:16]}-black-and-white-{seed}", images.shape, np.uint8,
                     blocks, f"{len(images):,} images in black and white")


class _NoPlace(Exception):
    """The cache cannot take the array; the message says why and what to do."""


class _Making:
    """An array that is made in the cache, by this process or another one."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype[np.generic], what: str) -> None:
        self.path, self.shape, self.dtype, self.what = path, shape, dtype, what
        self.part, self.note = path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.rows")
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {
            "descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape})
        self.header = header.getvalue()
        self.row = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize  # bytes
        self.bytes = len(self.header) + shape[0] * self.row

    def made(self, blocks: Blocks) -> Array:
        """The array, as soon as one of those who make it has finished."""
        while (there := self._there()) is None:
            with self._cache():
                self.path.parent.mkdir(parents=True, exist_ok=True)
                descriptor = attempt(self.part)
            if descriptor is None:
                told(Progress(self.what, self._noted(), self.shape[0], elsewhere=True))
                time.sleep(LOOK_SECONDS)
                continue
            with os.fdopen(descriptor, "r+b") as file:
                # Whoever held the lock before may have given the file its name, or taken it away.
                if self._ours(file):
                    if self._there() is None:
                        self._make(file, blocks)
                    else:
                        self.part.unlink()
        if not self.part.exists():  # of a kill between its name and this
            with contextlib.suppress(OSError):
                self.note.unlink(missing_ok=True)
        return there

    def _make(self, file: BinaryIO, blocks: Blocks) -> None:
        """Write what is missing of the part, and give it its name; a failure takes it away, an interrupt does not."""
        try:
            with self._cache():
                rows = self._begun(file)
            self._write(file, rows, blocks)
            with self._cache():
                self.part.replace(self.path)
                sync_folder(self.path.parent)
                self.note.unlink(missing_ok=True)
        except Stopped:
            raise
        except Exception:
            for each in (self.part, self.note):
                with contextlib.suppress(OSError):
                    each.unlink()
            raise

    def _write(self, file: BinaryIO, rows: int, blocks: Blocks) -> None:
        total = self.shape[0]
        self._check_room(rows)
        told(Progress(self.what, rows, total))
        noted = time.monotonic()
        with _given(blocks, rows, total) as parts:
            for part in parts:
                _check(part, rows, self.shape, self.what)
                with self._cache():
                    file.write(np.ascontiguousarray(part, self.dtype).reshape(-1).view(np.uint8).data)
                rows += len(part)
                if time.monotonic() - noted > NOTE_SECONDS:
                    with self._cache():
                        self._noted_now(file, rows)
                    self._check_room(rows)
                    noted = time.monotonic()
                told(Progress(self.what, rows, total))
        if rows != total:
            raise ValueError(f"{self.what}: {rows:,} rows came of {total:,}.")
        with self._cache():
            self._noted_now(file, rows)

    def _begun(self, file: BinaryIO) -> int:
        """How many rows of the part are safe, the file standing behind them; of anything else it begins anew."""
        for leftover in self.note.parent.glob(f"{self.note.name}.tmp-*"):  # of a kill: nobody else writes notes now
            leftover.unlink(missing_ok=True)
        rows = self._noted()
        end = len(self.header) + rows * self.row
        if not 0 <= rows <= self.shape[0] or file.read(len(self.header)) != self.header or \
                os.fstat(file.fileno()).st_size < end:
            rows, end = 0, len(self.header)
            self._noted_now(file, 0)  # before there are other bytes, of which an older note would speak
            file.seek(0)
            file.truncate()
            file.write(self.header)
            file.flush()
        file.seek(end)
        file.truncate()
        return rows

    def _noted_now(self, file: BinaryIO, rows: int) -> None:
        file.flush()
        os.fsync(file.fileno())
        write_bytes_atomic(self.note, json.dumps({"rows": rows, "of": self.shape[0], "what": self.what}).encode())

    def _noted(self) -> int:
        try:
            noted = read_json(self.note)
        except BrokenFile:
            return 0
        rows = noted.get("rows") if isinstance(noted, dict) else 0
        return rows if isinstance(rows, int) else 0

    def _there(self) -> Array | None:
        """The finished array; None where there is none, or another one, or where a power cut left less than all."""
        try:
            # Copy-on-write: torch takes only writable arrays, and nothing is ever written back.
            found: Array = np.load(self.path, mmap_mode="c", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return found if found.shape == self.shape and found.dtype == self.dtype else None

    def _ours(self, file: BinaryIO) -> bool:
        """Whether the locked file is still the one of that name."""
        try:
            return os.path.samestat(os.fstat(file.fileno()), self.part.stat())
        except OSError:
            return False

    def _check_room(self, rows: int) -> None:
        with self._cache():
            free = shutil.disk_usage(self.path.parent).free
        missing = (self.shape[0] - rows) * self.row
        if missing + SPARE_BYTES > free:
            raise _NoPlace(self._full(f"{missing:,} bytes are still to be written", free))

    def _full(self, needed: str, free: int) -> str:
        return (f"There is no room for {self.what}: {needed} to {self.path.parent}, whose disk has {free:,} free "
                f"({SPARE_BYTES:,} of them stay so). Free some (`vaecore data --cached` says what the cache holds), or "
                "set VAECORE_CACHE to a folder on a larger disk.")

    @contextlib.contextmanager
    def _cache(self) -> Iterator[None]:
        """Whatever the cache's disk refuses meanwhile is said in words; what `blocks` is refused is another matter."""
        try:
            yield
        except OSError as error:
            raise _NoPlace(f"{self.what[:1].upper()}{self.what[1:]} cannot be kept: {self.bytes:,} bytes were to be "
                           f"written to {self.path.parent} ({error.strerror or error}). Free some "
                           "(`vaecore data --cached` says what the cache holds), or set VAECORE_CACHE to a folder that "
                           "can be written, on a disk with room.") from None


def in_memory(shape: tuple[int, ...], dtype: DTypeLike, blocks: Blocks, what: str) -> Array:
    """The array of `converted` in memory, of which nothing is kept; who watches is told how far it is all the same."""
    array, rows = np.empty(shape, dtype), 0
    with _given(blocks, 0, shape[0]) as parts:
        for part in parts:
            _check(part, rows, shape, what)
            array[rows:rows + len(part)] = part
            rows += len(part)
            told(Progress(what, rows, shape[0]))
    if rows != shape[0]:
        raise ValueError(f"{what}: {rows:,} rows came of {shape[0]:,}.")
    return array


@contextlib.contextmanager
def _given(blocks: Blocks, start: int, total: int) -> Iterator[Iterable[Array]]:
    """The blocks from a row on; a generator is closed behind them, with the files that it has open."""
    parts = blocks(start) if start < total else ()
    try:
        yield parts
    finally:
        if isinstance(parts, Generator):
            parts.close()


def _check(part: Array, rows: int, shape: tuple[int, ...], what: str) -> None:
    """Raise `ValueError` for a block that is no part of an array of `shape`, or reaches beyond its end."""
    if part.shape[1:] != shape[1:] or rows + len(part) > shape[0]:
        raise ValueError(f"{what}: a block of {part.shape} does not fit at row {rows:,} of {shape}.")
