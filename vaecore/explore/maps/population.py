"""The observations of a map: a split of the run's data as its model reads them, or those kept with the checkpoint.

Shapes: N observations, B of them, m numbers of a covariate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaecore.data import COVARIATE, DataConfig, Dataset, DataUnavailable
from vaecore.explore.pictures import Images, as_images
from vaecore.explore.single import Checkpoint
from vaecore.mapping import MAX_OBSERVATIONS, Part
from vaecore.models import Batch
from vaecore.training.feed import Feed

Rows = NDArray[np.int64]


class Group(NamedTuple):
    """A column of words: what it says, and the place of each observation among that, (N,), -1 where it says nothing."""

    names: tuple[str, ...]
    places: Rows


@dataclass(frozen=True)
class Population:
    """Observations by their row numbers in a split, 0 to `count` - 1."""

    checkpoint: Checkpoint
    split: Part
    count: int
    source: str  # which they are, in words
    feed: Feed | None  # None: those kept with the checkpoint
    labels: NDArray[np.int64] | None  # (N,), -1 where one is missing
    classes: tuple[str, ...]  # what labels are called, by their numbers; empty: numbers from 0
    groups: Mapping[str, Group] = field(default_factory=dict)  # what columns of words of one's own file say

    @classmethod
    def of(cls, checkpoint: Checkpoint, split: Part = "test", limit: int = MAX_OBSERVATIONS) -> Population:
        """The first `limit` observations of a split, or of those kept with the checkpoint.

        Where the data of the run are not on this machine, those of the copy that comes with the package, where there is
        one. Raises `DataUnavailable` where there is none, or they are not those it was trained on; `ConfigError` or
        `StoreError` where its configuration cannot be read.
        """
        run = checkpoint.run
        if split == "kept":
            count = min(limit, len(checkpoint.examples))
            return cls(checkpoint, split, count, f"the {count:,} test observations kept with {run.id}", None,
                       _head(checkpoint.labels, count), checkpoint.known)
        model = checkpoint.model
        [(name, modality)] = model.modalities.items()
        dataset = _loaded(run.config().data)
        if dict(dataset.modalities) != {name: modality} or model.covariate not in (None, dataset.covariate):
            raise DataUnavailable(f"The data set {dataset.name} on this machine is not what {run.id} was trained on: "
                                  "its observations have another form. Use the observations kept with the checkpoint.")
        feed = Feed(dataset, split, torch.device("cpu"))
        if not feed.kept:
            raise DataUnavailable(f"The data of {run.id} have no observations in the {split} split. Choose another.")
        count = min(limit, feed.kept)
        return cls(checkpoint, split, count, f"{count:,} of {feed.kept:,} {split} observations of {dataset.source}",
                   feed, _head(dataset.splits[split].labels, count), dataset.classes,
                   {name: Group(dataset.groups[name], places[:count])
                    for name, places in dataset.splits[split].groups.items()})

    @property
    def class_names(self) -> tuple[str, ...]:
        """What each label that occurs is called."""
        most = -1 if self.labels is None or not len(self.labels) else int(self.labels.max())
        return tuple(self.classes[label] if label < len(self.classes) else str(label) for label in range(most + 1))

    def batch(self, rows: Sequence[int] | Rows) -> Batch:
        """Observations as the model reads them."""
        places = torch.as_tensor(np.asarray(rows, np.int64))
        if self.feed is not None:
            found = dict(self.feed.at(places))
            if self.checkpoint.model.covariate is None:
                found.pop(COVARIATE, None)
            return found
        [name] = self.checkpoint.model.modalities
        kept = {name: self.checkpoint.examples[places]}
        if self.checkpoint.covariates is not None:
            kept[COVARIATE] = self.checkpoint.covariates[places]
        return kept

    def batches(self, size: int) -> Iterator[Batch]:
        """All observations in order, `size` at a time."""
        for start in range(0, self.count, size):
            yield self.batch(np.arange(start, min(start + size, self.count)))

    def values(self, rows: Sequence[int] | Rows) -> Tensor:
        """Observations themselves, (B, *shape)."""
        return next(iter(self.batch(rows).values()))

    def images(self, rows: Sequence[int] | Rows) -> Images:
        """Observations as images."""
        return as_images(self.values(rows))


def _loaded(data: DataConfig) -> Dataset:
    try:
        return data.load()
    except DataUnavailable:
        if (shipped := data.shipped()) is None:
            raise
        return shipped.load()


def _head(labels: NDArray[np.int64] | None, count: int) -> NDArray[np.int64] | None:
    usable = labels is not None and labels.dtype.kind in "iu" and labels.ndim == 1
    return labels[:count] if usable and labels is not None else None
