"""What an evaluation is of: a model, the split it is judged on, and what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from vaecore.arrays import Labels
from vaecore.config import RunConfig
from vaecore.data import Dataset, SplitName
from vaecore.data.missing import Complete, MultimodalConfig
from vaecore.evaluate.likelihood import Cancelled
from vaecore.evaluate.points import Points
from vaecore.evaluate.quality import readable
from vaecore.evaluate.settings import Settings
from vaecore.models import Batch, Family
from vaecore.training.feed import Feed

WEIGHED_AT_ONCE = 100  # observations at a time under importance sampling


@dataclass(frozen=True)
class Subject:
    """A model and the split it is judged on, with what was asked for."""

    config: RunConfig
    model: Family
    dataset: Dataset
    feed: Feed
    settings: Settings
    tell: Callable[[str, int, int], object]  # part, done, of how many
    cancelled: Callable[[], bool]
    points: Points = field(default_factory=Points)  # what is found of each observation

    @property
    def observed(self) -> int:
        """Observations for log p(x)."""
        return min(self.settings.observations or len(self.feed), len(self.feed))

    def told(self, part: str) -> Callable[[int, int], None]:
        """A progress callback for `part` that raises `Cancelled` when that was asked for."""
        def tell(done: int, total: int) -> None:
            self.tell(part, done, total)
            if self.cancelled():
                raise Cancelled

        return tell

    @property
    def complete(self) -> Dataset:
        """The data with nothing taken away on purpose: a judge does not depend on what the model had to do without."""
        data = self.config.data
        if not isinstance(data, MultimodalConfig) or isinstance(data.missing, Complete):
            return self.dataset
        return data.model_copy(update={"missing": Complete()}).load()

    def batches(self, size: int) -> Iterator[Batch]:
        """The observations for log p(x), `size` at a time."""
        for start in range(0, self.observed, size):
            yield self.feed.at(torch.arange(start, min(start + size, self.observed)))

    def at(self, split: SplitName) -> Feed:
        """Another split of the same data."""
        return Feed(self.dataset, split, torch.device("cpu"))

    @property
    def other_split(self) -> SplitName:
        """Real observations that are not judged on, to judge real ones by."""
        return "validation" if self.settings.split == "test" else "test"

    def read(self, split: SplitName, labels: Labels | None) -> Labels | None:
        """Labels (N,) of a split, -1 where nothing that codes are judged by is observed: such a code is the prior's."""
        observed = self.dataset.splits[split].observed
        if observed is None or labels is None:
            return labels
        names = readable(self.model)
        return np.where(observed[:, [name in names for name in self.model.modalities]].any(1), labels, -1)
