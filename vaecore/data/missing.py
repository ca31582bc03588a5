"""Which modalities each training observation has: block-missing data, made to measure.

Shapes: N observations, M modalities. Validation and test stay complete, so that evaluations compare.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vaecore.data.base import DataConfig, Split
from vaecore.schema import Strict, option

Mask = NDArray[np.bool_]


class MissingConfig(Strict):
    """A choice of what is missing from the training set."""

    @abstractmethod
    def apply(self, train: Split) -> Split:
        """The training split (N observations) with what is missing set to zeros and noted in `observed`."""


class Complete(MissingConfig):
    """Every observation has every modality, as far as the data have them."""

    title: ClassVar[str] = "Nothing"
    kind: Literal["nothing"] = "nothing"

    def apply(self, train: Split) -> Split:
        return train


class Unpaired(MissingConfig):
    """A fraction is paired; every other observation is torn into its modalities, each seen alone: weak supervision."""

    title: ClassVar[str] = "Pairing"
    kind: Literal["pairing"] = "pairing"
    paired: float = option(0.1, "Share of observations whose modalities are seen together (Wu & Goodman 2018, weak "
                           "supervision). The others become M observations of one modality each, in random order.",
                           unit="of observations", ge=0, le=1)
    seed: int = option(0, "Seed of which are paired.", ge=0, le=2**31 - 1, advanced=True)

    def apply(self, train: Split) -> Split:
        count, modalities = len(train), len(train.arrays)
        generator = np.random.default_rng(self.seed)
        order = generator.permutation(count)
        paired, alone = np.split(order, [round(self.paired * count)])
        rows = np.concatenate([paired, np.repeat(alone, modalities)])
        mask = np.ones((len(rows), modalities), bool)
        mask[len(paired):] = np.tile(np.eye(modalities, dtype=bool), (len(alone), 1))
        if train.observed is not None:  # what an observation never had is no piece of it
            there = (mask & train.observed[rows]).any(1)
            rows, mask = rows[there], mask[there]
        shuffle = generator.permutation(len(rows))
        return masked(train.part(rows[shuffle]), mask[shuffle])


class AtRandom(MissingConfig):
    """Each modality of each observation is missing by chance; one always stays."""

    title: ClassVar[str] = "At random"
    kind: Literal["random"] = "random"
    missing: float = option(0.3, "Probability that a modality of an observation is missing.", unit="of modalities",
                            ge=0, lt=1)
    seed: int = option(0, "Seed of the patterns.", ge=0, le=2**31 - 1, advanced=True)

    def apply(self, train: Split) -> Split:
        return masked(train, _patterns(len(train), len(train.arrays), self.missing, self.seed))


class ByBlock(MissingConfig):
    """Consecutive blocks of observations, as from several sites, each of which lacks the same modalities."""

    title: ClassVar[str] = "By block"
    kind: Literal["block"] = "block"
    blocks: int = option(4, "Blocks of equal size; every one has a pattern of its own.", unit="blocks", ge=1, le=1000)
    missing: float = option(0.3, "Probability that a block lacks a modality; one always stays.", unit="of modalities",
                            ge=0, lt=1)
    seed: int = option(0, "Seed of the patterns.", ge=0, le=2**31 - 1, advanced=True)

    def apply(self, train: Split) -> Split:
        patterns = _patterns(self.blocks, len(train.arrays), self.missing, self.seed)
        return masked(train, patterns[np.arange(len(train)) * self.blocks // max(1, len(train))])


MissingChoice = Annotated[Complete | Unpaired | AtRandom | ByBlock, Field(discriminator="kind")]


class MultimodalConfig(DataConfig):
    """A data set of several modalities: which of them its training observations have."""

    observation: ClassVar[str] = "sample"

    missing: MissingChoice = option(Complete(), "What is missing from the training observations.")

    def with_missing(self, train: Split) -> Split:
        """The training split cut to `train_limit`, with what is to be missing."""
        return self.missing.apply(self.limited(train))


def _patterns(count: int, modalities: int, missing: float, seed: int) -> Mask:
    """Random patterns (count, M); where all would be missing, one modality chosen at random stays."""
    generator = np.random.default_rng(seed)
    mask = generator.random((count, modalities)) >= missing
    kept = generator.integers(modalities, size=count)
    mask[np.arange(count), kept] |= ~mask.any(1)
    return mask


def masked(split: Split, mask: Mask) -> Split:
    """`split` with only those modalities of each observation that `mask` (N, M), and the split itself, have."""
    mask = mask if split.observed is None else _some_left(mask & split.observed, split.observed)
    arrays = {name: np.where(mask[:, m].reshape(-1, *[1] * (array.ndim - 1)), array, np.zeros((), array.dtype))
              for m, (name, array) in enumerate(split.arrays.items())}
    return Split(arrays, split.labels, split.covariate, split.factors, None if mask.all() else mask)


def _some_left(mask: Mask, before: Mask) -> Mask:
    """Where nothing would be left, everything that was there stays."""
    return np.where(mask.any(1, keepdims=True), mask, before)
