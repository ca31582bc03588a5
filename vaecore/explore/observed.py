"""Observations that a checkpoint is shown: of its data where they are here, else what came with package or run."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaecore.data import COVARIATE, DataConfig, DataUnavailable, SplitName
from vaecore.explore.single import Checkpoint
from vaecore.schema import ConfigError
from vaecore.store import StoreError
from vaecore.training.feed import Feed

OBSERVATIONS = 2_000  # at most, whose posteriors make up q(z)


class Observed(NamedTuple):
    """Observations (N, *shape) as the model reads them, with covariates (N, m) and labels (N,) where there are any."""

    x: Tensor
    covariates: Tensor | None
    labels: NDArray[np.int64] | None
    source: str  # which they are, in words


def observed(checkpoint: Checkpoint, count: int, split: SplitName = "validation") -> Observed:
    """At most `count` observations of a split of a run's data.

    Where the data set is not on this machine those of the copy that comes with the package, where there is one, else
    the test observations that travel with the run.
    """
    try:
        wanted = checkpoint.run.config().data
    except (ConfigError, StoreError):
        wanted = None
    for data, whose in ((wanted, ""), (wanted and wanted.shipped(), " of the copy that comes with the package")):
        if data is not None and (found := _read(checkpoint, data, count, split, whose)) is not None:
            return found
    x = checkpoint.examples
    return Observed(x, checkpoint.covariates, checkpoint.labels,
                    f"the {len(x):,} test observations that travel with the run")


def _read(checkpoint: Checkpoint, data: DataConfig, count: int, split: SplitName, whose: str) -> Observed | None:
    model = checkpoint.model
    try:
        dataset = data.load()
    except (DataUnavailable, ConfigError, OSError):
        return None
    if (dataset.modalities != model.modalities or model.covariate not in (None, dataset.covariate)
            or not len(dataset.splits[split])):
        return None
    batch = Feed(dataset, split, torch.device("cpu")).first(count)
    [name] = model.modalities
    labels = dataset.splits[split].labels
    return Observed(batch[name], None if model.covariate is None else batch[COVARIATE],
                    None if labels is None else np.asarray(labels[:len(batch[name])]),
                    f"{len(batch[name]):,} {split} observations{whose}")
