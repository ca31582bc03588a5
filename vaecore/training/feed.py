"""Batches by index from arrays that stay on the device.

A data loader costs more than a small model's whole step; indexing a tensor costs a fortieth of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaecore.data import COVARIATE, OBSERVED, Array, Dataset, SplitName
from vaecore.data.base import binarise
from vaecore.modalities import Clip, Modality, Vector
from vaecore.models.base import Batch

STILL_SEED = 4_321  # of the one draw of redrawn pixels that is not for training


class Feed:
    """One split of a data set on a device; what does not fit stays in main memory and follows batch by batch."""

    def __init__(self, dataset: Dataset, split: SplitName, device: torch.device) -> None:
        arrays = {name: _cut(array, dataset.modalities[name]) for name, array in dataset.splits[split].arrays.items()}
        self.device = device
        self.redraw = dataset.dynamic and split == "train"
        self.drawn = dataset.drawn if split == "train" else None
        self.kept = len(dataset.splits[split])
        self.length = dataset.size(split)
        home = device if sum(a.nbytes for a in arrays.values()) < _room(device) else torch.device("cpu")
        self.tensors = {name: torch.from_numpy(array).to(home) for name, array in arrays.items()}
        self.home = home
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
        generator = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
        return torch.randperm(self.length, generator=generator).to(self.home)

    def batch(self, indices: Tensor, generator: torch.Generator) -> Batch:
        """The observations at `indices` as a model reads them, pixels drawn anew where the data set says so.

        Where whole observations are drawn anew, indices say only how many.
        """
        if self.drawn is not None:
            return self.drawn(len(indices), generator)
        batch: dict[str, Tensor] = {}
        for m, (name, tensor) in enumerate(self.tensors.items()):
            rows = indices
            if name in self.partners:
                rows = self.partners[name].draw(indices, generator)
                if self.observed is not None:  # what is missing stays zeros
                    rows = torch.where(self.observed[indices, m], rows, indices)
            x = tensor.index_select(0, rows).to(self.device, non_blocking=True)
            batch[name] = self._redrawn(x, generator)
        if self.covariate is not None:
            batch[COVARIATE] = self._known(self.covariate.index_select(0, indices))
        if self.observed is not None:
            batch[OBSERVED] = self.observed.index_select(0, indices).to(self.device, non_blocking=True)
        return batch

    def random(self, count: int, generator: torch.Generator) -> Tensor:
        """Indices of `count` observations drawn with replacement."""
        return torch.randint(self.length, (count,), generator=generator, device=self.device).to(self.home)

    def first(self, count: int) -> Batch:
        """The first `count` observations, with the same pixels whenever they are asked for.

        Where observations are drawn anew, these are some that were set aside.
        """
        return self._part(slice(count))

    def all(self) -> Batch:
        """Everything at once, for families solved in closed form."""
        return self._part(slice(None))

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        """Every observation once, in order, the last batch smaller."""
        for start in range(0, self.kept, batch_size):
            yield self._part(slice(start, start + batch_size))

    def at(self, indices: Tensor) -> Batch:
        """The observations at `indices`; of what is drawn anew, any that were set aside."""
        return self._part((indices if self.drawn is None else indices % self.kept).to(self.home))

    def _part(self, part: slice | Tensor) -> Batch:
        batch = {name: scaled(tensor[part].to(self.device)) for name, tensor in self._still.items()}
        if self.covariate is not None:
            batch[COVARIATE] = self._known(self.covariate[part])
        if self.observed is not None:
            batch[OBSERVED] = self.observed[part].to(self.device)
        return batch

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
