"""The processes that share a training, and what they tell each other: sums of numbers, and words of the first one.

Which process this is, and where the others are found, stands in the environment as torchrun has it: RANK, WORLD_SIZE,
LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT; or in the place of the latter two RENDEZVOUS, a file.
NCCL carries what is on GPUs, each of which belongs to one process, gloo all else. Sums and broadcasts are all that is
asked of them: both have these everywhere, and in both a sum is the same to the bit in every process.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from collections.abc import Callable, Mapping
from typing import Any, Self

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import FileStore, Store  # type: ignore[attr-defined]
from torch.distributed.rendezvous import rendezvous

from vaecore.config import Training
from vaecore.errors import short_of_memory
from vaecore.schema import problem
from vaecore.training import Control
from vaecore.training import device as devices

RENDEZVOUS = "VAECORE_RENDEZVOUS"
JOINING = datetime.timedelta(minutes=5)  # until all are there: each has to load what it is made of
WAITING = datetime.timedelta(days=7)  # for the others: the first may fetch data, or evaluate, for as long as it takes
HEARD_EVERY = 10  # updates between two looks at what a GPU has summed, as each of them waits for it


class RankLost(Exception):
    """Another process of a shared training has ended; the message says which, unless that is `unknown`."""

    def __init__(self, message: str, *, unknown: bool = False) -> None:
        super().__init__(message)
        self.unknown = unknown


class Ranks:
    """All processes of a shared training; `rank` is which of `size` this one is. The first, 0, decides and writes."""

    def __init__(self, rank: int, size: int, here: int, device: torch.device, store: Store) -> None:
        self.rank, self.size, self.here, self.device = rank, size, here, device
        self.asked = self.stopping = False  # whether the first was asked to stop; whether all know it
        self._store, self._updates = store, 0

    @classmethod
    def join(cls, training: Training) -> Self:
        """Meet the others, as the environment says; raises `RankLost` where not all have come in time."""
        rank, size, local = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
        here = int(os.environ.get("LOCAL_WORLD_SIZE", 1))  # where nobody says it, each has its own cores
        device = devices.choose(training)
        cards = torch.cuda.device_count() if device.type == "cuda" else 0
        if cards:
            torch.cuda.set_device(local % cards)
        backend = "nccl" if cards and here <= cards else "gloo"
        store: Store
        try:
            if path := os.environ.get(RENDEZVOUS):
                store = FileStore(path, size)
                store.set_timeout(JOINING)
            else:
                store, rank, size = next(rendezvous("env://", rank, size, timeout=JOINING))
            dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=WAITING)
        except dist.DistError as error:
            raise RankLost(f"Rank {rank} of {size} has waited {JOINING.total_seconds() / 60:g} minutes for the others "
                           "that share this training, and not all have come: the log of what started them tells which "
                           "could not begin. Resume starts all again.", unknown=True) from error
        return cls(rank, size, here, device, store)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        dist.destroy_process_group()

    def part(self, count: int) -> Rows:
        """The rows of a batch of `count` that are this process's; raises `ConfigError` where some would have none."""
        if count < self.size:
            raise problem("training.batch_size", count, f"{self.size} processes share every batch, and each needs a "
                          "row of it.", f"Use at least {self.size}, or at most {count} "
                          f"process{'es' * (count != 1)}.", f"training.batch_size={self.size}")
        return Rows(self, count)

    def sum(self, numbers: Tensor) -> Tensor:
        """`numbers`, summed over all processes in place."""
        self._together(lambda: dist.all_reduce(numbers))
        return numbers

    def greatest(self, number: int) -> int:
        """The largest of a number that each has."""
        numbers = torch.tensor([number], device=self.device)
        self._together(lambda: dist.all_reduce(numbers, dist.ReduceOp.MAX))
        return int(numbers)

    def say(self, words: Mapping[str, Any] | None) -> None:
        """Tell the others, which `hear`, something that JSON holds; None where there is nothing for them to do."""
        written = json.dumps(words).encode()
        self._give(torch.tensor([len(written)], device=self.device))
        self._give(torch.frombuffer(bytearray(written), dtype=torch.uint8).to(self.device))

    def hear(self) -> dict[str, Any] | None:
        """What the first process says."""
        length = self._give(torch.zeros(1, dtype=torch.long, device=self.device))
        found: dict[str, Any] | None = json.loads(bytes(self._give(
            torch.zeros(int(length), dtype=torch.uint8, device=self.device)).tolist()))
        return found

    def as_first(self, tensors: Mapping[str, Tensor]) -> None:
        """Make these tensors those of the first process: what is the same by right stays so between unlike machines."""
        for tensor in tensors.values():
            plain = tensor.detach().contiguous()
            tensor.detach().copy_(self._give(plain))

    def asking(self, device: torch.device) -> Tensor:
        """What to sum with an update, (1,), so that all learn after the same one that the first was asked to stop."""
        return torch.full((1,), float(self.rank == 0 and self.asked), device=device)

    def answered(self, summed: Tensor) -> None:
        """Take in the sum of what all were `asking`."""
        self._updates += 1
        if summed.device.type == "cpu" or self._updates % HEARD_EVERY == 0:
            self.stopping = self.stopping or bool(summed > 0)

    def heeding(self, control: Control) -> Heeding:
        """`control` of the first process, whose wish to stop all learn of before it is told."""
        return Heeding(self, control)

    def fail(self, why: str) -> None:
        """Leave word of why this process ends, for the first one to tell."""
        self._store.set(f"failed {self.rank}", why)

    def lost(self) -> RankLost:
        """What is known of one that ended: what it left word of, else that there is one."""
        with contextlib.suppress(RuntimeError):  # the store may have gone with it
            for rank in range(self.size):
                if self._store.check([f"failed {rank}"]):
                    return RankLost(f"Rank {rank} of {self.size} failed: {self._store.get(f'failed {rank}').decode()}")
        return RankLost(f"One of the {self.size} processes that share this training has ended, other than rank "
                        f"{self.rank}: the log of what started them tells which. Resume continues from the last "
                        "checkpoint.", unknown=True)

    def _give(self, numbers: Tensor) -> Tensor:
        self._together(lambda: dist.broadcast(numbers, 0))
        return numbers

    def _together(self, act: Callable[[], Any]) -> None:
        try:
            act()
        except RuntimeError as error:  # the connection to one that ended is closed by its kernel
            if short_of_memory(error):
                raise
            raise self.lost() from error


class Rows:
    """The part of a batch of `count` rows that one process has: as equal as they can be, in the order of the ranks."""

    def __init__(self, ranks: Ranks, count: int) -> None:
        self.ranks, self.count = ranks, count
        self.start = count * ranks.rank // ranks.size
        self.length = count * (ranks.rank + 1) // ranks.size - self.start
        self.share = self.length / count

    def own(self, whole: Tensor) -> Tensor:
        """The rows that this process has; where there are several for each observation, they stand together."""
        each = len(whole) // self.count
        return whole.narrow(0, self.start * each, self.length * each)

    def gathered(self, rows: Tensor) -> Tensor:
        """The rows of all, in order: a sum of what is 0 but for each one's own."""
        each = len(rows) // self.length
        kind = torch.uint8 if rows.dtype == torch.bool else rows.dtype
        whole = torch.zeros(self.count * each, *rows.shape[1:], dtype=kind, device=rows.device)
        self.own(whole).copy_(rows.detach())
        return self.ranks.sum(whole).to(rows.dtype)

    def mean(self, rows: Tensor) -> Tensor:
        """The mean over the rows of all."""
        return self.ranks.sum(rows.detach().mean(0) * self.share)

    def greatest(self, number: int) -> int:
        """The largest of a number that each has."""
        return self.ranks.greatest(number)

    def all_of(self, count: int) -> int:
        """How many rows all have, where this one has `count`."""
        return count // self.length * self.count


class Heeding:
    """A control whose stop all processes take up after the same update."""

    def __init__(self, ranks: Ranks, control: Control) -> None:
        self._ranks, self._control = ranks, control

    def stop_requested(self) -> bool:
        self._ranks.asked = self._control.stop_requested()
        return self._ranks.stopping

    def progress(self, step: int, total: int, epoch: float) -> None:
        self._control.progress(step, total, epoch)
