"""Batches by index from arrays that stay on the device.

A data loader costs more than a small model's whole step; indexing a tensor costs a fortieth of it. Only what memory has
no room for stays in its file: see `vaecore.data.rows` and `vaecore.training.ahead`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaecore.data import COVARIATE, OBSERVED, Array, Dataset, SplitName
from vaecore.data.base import binarise
from vaecore.data.rows import in_parts, stored
from vaecore.modalities import Clip, Modality, Vector
from vaecore.models.base import Batch
from vaecore.training.ahead import Ahead, read

STILL_SEED = 4_321  # of the one draw of redrawn pixels that is not for training


class Feed:
    """One split of a data set on a device; what does not fit stays in main memory and follows batch by batch.

    What does not fit there either is read from its file while the steps compute; the batches are the same.
    """

    def __init__(self, dataset: Dataset, split: SplitName, device: torch.device) -> None:
        arrays = {name: _cut(array, dataset.modalities[name]) for name, array in dataset.splits[split].arrays.items()}
        self.device = device
        self.redraw = dataset.dynamic and split == "train"
        self.drawn = dataset.drawn if split == "train" else None
        self.kept = len(dataset.splits[split])
        self.length = dataset.size(split)
        home = device if sum(a.nbytes for a in arrays.values()) < _room(device) else torch.device("cpu")
        self.files = stored(arrays) if home.type == "cpu" else {}
        self.tensors = {name: _placed(array, home) for name, array in arrays.items() if name not in self.files}
        self.arrays, self.home = arrays, home
        self.ahead: Ahead | None = None
        self.covariate, self.classes = _covariate(dataset, split, home)
        observed, labels = dataset.splits[split].observed, dataset.splits[split].labels
        self.observed = None if observed is None else torch.from_numpy(observed).to(home)
        self.partners: dict[str, Partners] = {}
        if split == "train" and labels is not None:
            for name in dataset.paired_anew:
                has = None if observed is None else observed[:, list(arrays).index(name)]
                self.partners[name] = Partners(labels, has, home)

    def __len__(self) -> int:
        return self.length

    def order(self, seed: int, epoch: int) -> Tensor:
        """The order of an epoch, a pure function of seed and epoch, so that resuming needs nothing saved."""
        return order(self.length, seed, epoch).to(self.home)

    def batch(self, indices: Tensor, generator: torch.Generator) -> Batch:
        """The observations at `indices` as a model reads them, pixels drawn anew where the data set says so.

        Where whole observations are drawn anew, indices say only how many.
        """
        if self.drawn is not None:
            return self.drawn(len(indices), generator)
        batch: dict[str, Tensor] = {}
        ready = self.ahead.take(indices) if self.ahead else {}
        for m, name in enumerate(self.arrays):
            rows = indices
            if name in self.partners:
                rows = self.partners[name].draw(indices, generator)
                if self.observed is not None:  # what is missing stays zeros
                    rows = torch.where(self.observed[indices, m], rows, indices)
            if name in self.tensors:
                x = self.tensors[name].index_select(0, rows)
            else:
                x = self._own(ready[name]) if name in ready and rows is indices else self._read(name, rows)
            batch[name] = self._redrawn(x.to(self.device, non_blocking=True), generator)
        if self.covariate is not None:
            batch[COVARIATE] = self._known(self.covariate.index_select(0, indices))
        if self.observed is not None:
            batch[OBSERVED] = self.observed.index_select(0, indices).to(self.device, non_blocking=True)
        return batch

    def batches(self, indices: Sequence[Tensor], generators: Sequence[torch.Generator]) -> Batch:
        """The batch of each of several trainings, (M, B, ...): what `batch` gives each of them alone."""
        if self.redraw or self.drawn is not None or self.partners:
            each = [self.batch(*own) for own in zip(indices, generators, strict=True)]
            return {name: torch.stack([batch[name] for batch in each]) for name in each[0]}
        together = self.batch(torch.cat(list(indices)), generators[0])  # which draws nothing
        return {name: x.view(len(indices), -1, *x.shape[1:]) for name, x in together.items()}

    def follow(self, coming: Iterator[Tensor]) -> None:
        """What `batch` will be asked for, in this order, so that it can be read before: the indices of each batch.

        Other batches may be asked for in between. Nothing to do for what is in memory.
        """
        if self.files:
            self.close()
            # A partner is drawn at the visit: nobody knows it before.
            self.ahead = self._reading(coming, [name for name in self.files if name not in self.partners])

    def close(self) -> None:
        """End what reads in the background, if anything does."""
        if self.ahead is not None:
            self.ahead.close()
            self.ahead = None

    def spans(self) -> dict[str, tuple[float, float]]:
        """The least and the largest number of each modality whose numbers have no range of their own."""
        found: dict[str, tuple[float, float]] = {}
        for name, array in self.arrays.items():
            if np.issubdtype(array.dtype, np.floating) and array.size:
                ends = [(float(part.min()), float(part.max())) for part in in_parts(array)]
                found[name] = min(low for low, _ in ends), max(high for _, high in ends)
        return found

    def random(self, count: int, generator: torch.Generator) -> Tensor:
        """Indices of `count` observations drawn with replacement."""
        return torch.randint(self.length, (count,), generator=generator, device=self.device).to(self.home)

    def first(self, count: int) -> Batch:
        """The first `count` observations, with the same pixels whenever they are asked for.

        Where observations are drawn anew, these are some that were set aside.
        """
        return self._part(slice(count))

    def all(self) -> Batch:
        """Everything at once, for families solved in closed form; `build.check` says whether memory has room for it."""
        return self._part(slice(None))

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        """Every observation once, in order, the last batch smaller."""
        starts = range(0, self.kept, batch_size)
        if not self.files:
            for start in starts:
                yield self._part(slice(start, start + batch_size))
            return
        parts = [torch.arange(start, min(start + batch_size, self.kept)) for start in starts]
        ahead = self._reading(iter(parts), list(self.files))
        try:
            for part in parts:
                yield self._part(part, ahead.take(part))
        finally:
            ahead.close()

    def at(self, indices: Tensor) -> Batch:
        """The observations at `indices`; of what is drawn anew, any that were set aside."""
        return self._part((indices if self.drawn is None else indices % self.kept).to(self.home))

    def _part(self, part: slice | Tensor, ready: Mapping[str, Tensor] | None = None) -> Batch:
        batch: dict[str, Tensor] = {}
        for name in self.arrays:
            if name in self.files:
                rows = torch.arange(*part.indices(self.kept)) if isinstance(part, slice) else part
                x = self._stilled(self._own(ready[name]) if ready else self._read(name, rows), rows)
            else:
                x = self._still[name][part]
            batch[name] = scaled(x.to(self.device))
        if self.covariate is not None:
            batch[COVARIATE] = self._known(self.covariate[part])
        if self.observed is not None:
            batch[OBSERVED] = self.observed[part].to(self.device)
        return batch

    def _reading(self, coming: Iterator[Tensor], names: list[str]) -> Ahead:
        return Ahead({name: self.files[name] for name in names}, coming, pinned=self.device.type == "cuda")

    def _read(self, name: str, rows: Tensor) -> Tensor:
        return read({name: self.files[name]}, rows, pinned=self.device.type == "cuda")[name]

    def _own(self, x: Tensor) -> Tensor:
        """What was read ahead, so that a batch does not change when that memory is used again.

        Pixels become numbers elsewhere anyway, and a GPU has its own copy.
        """
        return x if x.dtype == torch.uint8 or self.device.type == "cuda" else x.clone()

    def _stilled(self, x: Tensor, rows: Tensor) -> Tensor:
        """`rows` of a file, as `_still` has them of what is in memory."""
        if not (self.redraw and x.dtype == torch.uint8):
            return x
        return torch.from_numpy(binarise(x.numpy(), STILL_SEED, rows.numpy()))

    @cached_property
    def _still(self) -> dict[str, Tensor]:
        """What is looked at and not trained on: of pixels that each visit draws anew, one fixed draw. The grey levels
        behind them are what a model never sees, and would be scored as something else."""
        if not self.redraw:
            return self.tensors
        return {name: torch.from_numpy(binarise(tensor.cpu().numpy(), STILL_SEED)).to(self.home)
                if tensor.dtype == torch.uint8 else tensor for name, tensor in self.tensors.items()}

    def _known(self, u: Tensor) -> Tensor:
        """A covariate as a model reads it: labels as one-hot rows, a missing one as zeros."""
        u = u.to(self.device, non_blocking=True)
        return u if self.classes is None else (u[:, None] == self.classes).float()

    def _redrawn(self, x: Tensor, generator: torch.Generator) -> Tensor:
        pixels, x = x.dtype == torch.uint8, scaled(x)
        if not (self.redraw and pixels):
            return x
        return (torch.rand(x.shape, generator=generator, device=x.device) < x).float()


def order(length: int, seed: int, epoch: int) -> Tensor:
    """The order of the observations in an epoch."""
    return torch.randperm(length, generator=torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63))


class Splits:
    """A data set on a device, each split placed there once, however many trainings read it."""

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        self.dataset, self.device = dataset, device
        self._feeds: dict[SplitName, Feed] = {}

    def share(self, feed: Feed) -> None:
        """Let the training set be `feed`, which gives a part of each batch."""
        self._feeds["train"] = feed

    def __getitem__(self, split: SplitName) -> Feed:
        if split not in self._feeds:
            self._feeds[split] = Feed(self.dataset, split, self.device)
        return self._feeds[split]


class Partners:
    """For each observation another one of the same label that has the modality in question, drawn at every visit."""

    def __init__(self, labels: NDArray[np.int64], has: NDArray[np.bool_] | None, home: torch.device) -> None:
        having = np.arange(len(labels)) if has is None else np.flatnonzero(has)
        by_label = having[np.argsort(labels[having], kind="stable")]
        ordered = labels[by_label]
        starts, ends = np.searchsorted(ordered, labels, "left"), np.searchsorted(ordered, labels, "right")
        self.by_label = torch.from_numpy(by_label).to(home)
        self.starts = torch.from_numpy(starts).to(home)  # of the observations of each one's label, (N,)
        self.counts = torch.from_numpy(ends - starts).to(home)

    def draw(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        """A partner of each of `indices` (B,); itself where no observation of its label has the modality."""
        if not len(self.by_label):
            return indices
        counts = self.counts.index_select(0, indices)
        uniform = torch.rand(len(indices), generator=generator, device=generator.device).to(counts.device)
        places = self.starts.index_select(0, indices) + (uniform * counts).long().clamp(max=counts.sub(1).clamp(min=0))
        return torch.where(counts > 0, self.by_label[places.clamp(max=len(self.by_label) - 1)], indices)


def _cut(array: Array, modality: Modality) -> Array:
    """Clips cut to the frames that a model learns from."""
    return array[:, :modality.shape[0]] if isinstance(modality, Clip) else array


def scaled(x: Tensor) -> Tensor:
    """What a model reads: pixels in [0, 1], tokens as indices, vectors as they are."""
    if x.dtype == torch.uint8:
        return x.float().div_(255)
    return x if x.is_floating_point() else x.long()


def _placed(array: Array, home: torch.device) -> Tensor:
    """An array where it stays; on its way to a device a mapped one is not held in memory as a whole."""
    if home.type == "cpu":
        return torch.from_numpy(array)
    found, start = torch.empty(array.shape, dtype=torch.from_numpy(array[:0]).dtype, device=home), 0
    for part in in_parts(array):
        found[start:start + len(part)] = torch.from_numpy(part).to(home)
        start += len(part)
    return found


def _covariate(dataset: Dataset, split: SplitName, home: torch.device) -> tuple[Tensor | None, Tensor | None]:
    """The covariate of a split and, where it is a label, the classes; None for what there is not."""
    kind, part = dataset.covariate, dataset.splits[split]
    if kind is None:
        return None, None
    if isinstance(kind, Vector):
        assert part.covariate is not None
        return torch.from_numpy(part.covariate).to(home), None
    assert part.labels is not None
    return torch.from_numpy(part.labels).to(home), torch.arange(kind.size, device=home)


def _room(device: torch.device) -> float:
    """Bytes the training set may take on the device: a third of what is free there."""
    return torch.cuda.mem_get_info(device)[0] / 3 if device.type == "cuda" else float("inf")
