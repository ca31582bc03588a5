"""Codes of groups of observations, between whose means there are directions: of classes, or of rows of a split.

Shapes: N observations, r latent size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from vaecore.data import DataUnavailable
from vaecore.explore.codes import Codes
from vaecore.explore.maps.population import Population, Rows
from vaecore.explore.single import Checkpoint
from vaecore.mapping import Part
from vaecore.schema import ConfigError
from vaecore.store import StoreError

OBSERVATIONS = 2_000  # whose codes make up the means of classes


@dataclass(frozen=True)
class Labelled:
    """Posterior means of observations whose classes are known."""

    codes: Codes  # (N, r)
    labels: NDArray[np.int64]  # (N,)
    names: tuple[str, ...]  # of the labels that occur, by their numbers
    source: str  # which observations they are, in words

    def of(self, label: int) -> Codes:
        """The codes of one class."""
        codes: Codes = self.codes[self.labels == label]
        return codes

    def others(self, label: int) -> Codes:
        """The codes of all other classes."""
        codes: Codes = self.codes[self.labels != label]
        return codes


def labelled(checkpoint: Checkpoint, count: int = OBSERVATIONS) -> Labelled | None:
    """Codes of at most `count` validation observations by class; None where their classes are not known.

    Where the data set is not here, those of the test observations that travel with the run.
    """
    try:
        population = Population.of(checkpoint, "validation", count)
    except (DataUnavailable, ConfigError, StoreError, OSError):
        population = Population.of(checkpoint, "kept", count)
    labels = population.labels
    if labels is None or not (labels >= 0).any():
        return None
    rows = np.flatnonzero(labels >= 0)
    return Labelled(_encoded(population, rows), labels[rows], population.class_names, population.source)


def codes_of(checkpoint: Checkpoint, split: Part, rows: Sequence[int] | Rows) -> Codes:
    """Posterior means (N, r) of observations by their row numbers in a split, or among those kept with the run.

    Raises `DataUnavailable`, `ConfigError` or `StoreError` where the data of the run are not here, and `ValueError`
    for a row that the split does not have.
    """
    population = Population.of(checkpoint, split)
    wanted = np.asarray(rows, np.int64)
    if len(wanted) and (wanted.min() < 0 or wanted.max() >= population.count):
        raise ValueError(f"the {split} split of {checkpoint.run.id} has rows 0 to {population.count - 1}, and not "
                         f"{wanted.max() if wanted.min() >= 0 else wanted.min()}.")
    return _encoded(population, wanted)


@torch.inference_mode()
def _encoded(population: Population, rows: Rows) -> Codes:
    model, latent = population.checkpoint.model, population.checkpoint.latent
    parts = [model.encode(population.batch(some))[latent].mean.numpy()
             for some in np.array_split(rows, max(1, -(-len(rows) // model.at_once(500)))) if len(some)]
    found: Codes = np.concatenate(parts) if parts else np.empty((0, population.checkpoint.size), np.float32)
    return found
