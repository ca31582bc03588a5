"""Batches of rows from files, read in the background in the order in which they will be asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from vaecore.data.rows import Rows

READERS = 2  # threads: one waits for the disk while another copies
AHEAD = 4  # batches that are read before they are asked for, at most
AHEAD_BYTES = 32 * 2**20  # and how much they may hold; two are read however large they are

Room = dict[str, Tensor]  # by file, memory for the rows of a batch


class Ahead:
    """The batches that `coming` says, one after the other, each read while those before it are computed with.

    They are read into the same memory again and again: the system's own way of giving memory out keeps several times as
    much. What a GPU copies from is `pinned`, and torch knows when that may be used again.
    """

    def __init__(self, files: Mapping[str, Rows], coming: Iterator[Tensor], *, pinned: bool) -> None:
        self._files, self._coming, self._pinned = files, coming, pinned
        self._waiting: deque[tuple[Tensor, Room, Future[dict[str, Tensor]]]] = deque()
        self._free: list[Room] = []
        self._lent: Room | None = None
        self._pool = ThreadPoolExecutor(READERS, "rows")
        self._fill()

    def take(self, indices: Tensor) -> dict[str, Tensor]:
        """What was read for `indices`, (B, ...) a file, if they are the next ones; else nothing.

        It stays as it is until the next call. Raises what reading raised.
        """
        if not self._waiting or not torch.equal(self._waiting[0][0], indices):
            return {}
        if self._lent is not None and not self._pinned:
            self._free.append(self._lent)
        _, self._lent, found = self._waiting.popleft()
        self._fill()
        return found.result()

    def close(self) -> None:
        """End the threads, as soon as what they read now is there."""
        self._pool.shutdown(cancel_futures=True)
        self._waiting.clear()

    def _fill(self) -> None:
        row = sum(rows.size for rows in self._files.values())
        while len(self._waiting) < AHEAD:
            if len(self._waiting) >= 2 and sum(len(indices) for indices, *_ in self._waiting) * row >= AHEAD_BYTES:
                return
            if (indices := next(self._coming, None)) is None:
                return
            room = self._free.pop() if self._free else {}
            found = self._pool.submit(read, self._files, indices, pinned=self._pinned, room=room)
            self._waiting.append((indices, room, found))


def read(files: Mapping[str, Rows], indices: Tensor, *, pinned: bool, room: Room | None = None) -> dict[str, Tensor]:
    """The rows (B, ...) of each file at `indices` (B,), in `room` as far as that reaches, else in new memory."""
    rows, found, room = indices.numpy(), dict[str, Tensor](), {} if room is None else room
    for file in files.values():
        file.wanted(rows)
    for name, file in files.items():
        if name not in room or len(room[name]) < len(rows):
            kind = torch.from_numpy(np.empty(0, file.dtype)).dtype
            room[name] = torch.empty(len(rows), *file.shape[1:], dtype=kind, pin_memory=pinned)
        found[name] = room[name][:len(rows)]
        file.read(rows, found[name].numpy())
    return found
