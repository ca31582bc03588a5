"""Independent sources that are mixed: what independent component analysis and the iVAE are to separate.

As in the released code of Khemakhem et al. (2020): in each segment every source is scaled by a number L of its own,
drawn uniformly between 0.5 and 3, and a network with random, well-conditioned weights mixes them. The segment is the
covariate u. Theirs uses one matrix in all layers where no size changes; here each layer has its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np

from vaecore.arrays import Numbers
from vaecore.data.base import MAX_DRAWN_NUMBERS, SPLITS, DataConfig, Dataset, Split, SplitName
from vaecore.modalities import Modality
from vaecore.schema import option, problem

LEAST_SCALE, LARGEST_SCALE = 0.5, 3.0  # of L
SLOPE = 0.1  # of xtanh's linear part, and of a leaky ReLU below 0
CANDIDATES = 10_000  # matrices of which a quarter is conditioned well enough, and a tenth as many of large ones
LARGE = 10  # rows
FLAT = 1e-9  # of the largest variance



class Sources(DataConfig):
    """Mixtures of independent sources whose variances change from segment to segment."""

    title: ClassVar[str] = "Mixed sources by segment"
    observation: ClassVar[str] = "vector"
    training_only: ClassVar[frozenset[str]] = frozenset()  # the limit decides the whitening
    name: Literal["sources"] = "sources"
    dimensions: int = option(5, "Sources, the true causes.", unit="sources", ge=1, le=32)
    observed: int = option(0, "Numbers observed, at least one a source; 0 takes as many as there are sources.",
                           unit="numbers", ge=0, le=256)
    segments: int = option(40, "Segments: values of the covariate u.", unit="segments", ge=1, le=1_000)
    per_segment: int = option(1_000, "Training vectors of a segment; a tenth as many for validation and for test.",
                              unit="vectors", ge=10, le=100_000)
    sources: Literal["gaussian-modulated", "laplace-modulated", "laplace", "gaussian"] = option(
        "gaussian-modulated", "Law of a source. A modulated one has a variance of its own in each segment; of others "
        "every segment is alike, so that there is no covariate.")
    mixing: Literal["network", "linear"] = option("network", "How sources become observations.")
    layers: int = option(3, "Layers of the mixing network; the last is linear.", ge=2, le=8)
    activation: Literal["xtanh", "leaky-relu"] = option(
        "xtanh", "Between its layers: tanh(a) + 0.1 a, or a leaky ReLU with slope 0.1.")
    whiten: bool = option(True, "Give the vectors mean 0 and the identity as covariance, by the training ones, as is "
                          "usual before sources are looked for. Without it weak directions are lost in the noise of "
                          "the likelihood.")
    noise: float = option(0.0, "Standard deviation of Gaussian noise on the observations.", ge=0, le=10)
    shuffled: bool = option(False, "Give every observation the segment of another: a control in which the covariate "
                            "tells nothing.")
    data_seed: int = option(0, "Seed of sources, mixing and noise.", ge=0, le=2**31 - 1, advanced=True)

    @property
    def modulated(self) -> bool:
        """Whether segments differ, hence whether there is a covariate."""
        return self.sources.endswith("-modulated")

    def here(self) -> str:
        return "drawn by a program"

    def load(self) -> Dataset:
        """Raises `ConfigError` where fewer numbers are observed than there are sources, or too many in all."""
        observed = self.observed or self.dimensions
        if observed < self.dimensions:
            raise problem("data.observed", observed, f"{observed} numbers cannot tell {self.dimensions} sources.",
                          f"Use 0 or at least {self.dimensions}.")
        total = self.segments * self.per_segment
        if total * observed > MAX_DRAWN_NUMBERS:
            raise problem("data.per_segment", self.per_segment, f"{total:,} vectors of {observed} are more than "
                          f"{MAX_DRAWN_NUMBERS:,} numbers.",
                          f"Use at most {MAX_DRAWN_NUMBERS // (self.segments * observed):,}.")
        generator = np.random.default_rng(self.data_seed)
        scales = generator.uniform(LEAST_SCALE, LARGEST_SCALE, (self.segments, self.dimensions))  # L
        matrices = self._matrices(observed, generator)
        counts = {"train": self.per_segment, "validation": self.per_segment // 10, "test": self.per_segment // 10}
        splits: dict[SplitName, Split] = {}
        for split in SPLITS:
            splits[split] = self._drawn(counts[split], scales, matrices, generator)
        splits["train"] = self.limited(splits["train"])
        if self.whiten:
            splits = _whitened(splits)
        what = f"{self.segments} segments" if self.modulated else "no segments"
        shuffled = ", shuffled" if self.shuffled and self.modulated else ""
        return Dataset("sources", f"{self.dimensions} {self.sources} sources, {self.mixing} mixing, {what}{shuffled}, "
                       f"drawn with seed {self.data_seed}", {"vector": Modality("vector", (observed,))}, splits,
                       factors={f"source {index + 1}": 0 for index in range(self.dimensions)})

    def _drawn(self, per_segment: int, scales: Numbers, matrices: list[Numbers], generator: np.random.Generator
               ) -> Split:
        segment = generator.permutation(np.repeat(np.arange(self.segments), per_segment))  # so that a part has all
        shape = (len(segment), self.dimensions)
        if self.sources.startswith("laplace"):
            sources = generator.laplace(scale=np.sqrt(0.5), size=shape)  # variance 1
        else:
            sources = generator.standard_normal(shape)
        if self.modulated:
            sources *= scales[segment]
        x = self._mixed(sources, matrices)
        if self.noise:
            x += self.noise * generator.standard_normal(x.shape)
        told = generator.permutation(segment) if self.shuffled else segment
        return Split({"vector": x.astype(np.float32)}, told.astype(np.int64) if self.modulated else None,
                     factors=sources)

    def _matrices(self, observed: int, generator: np.random.Generator) -> list[Numbers]:
        layers = 1 if self.mixing == "linear" else self.layers
        return [mixing_matrix(self.dimensions if layer == 0 else observed, observed, generator)
                for layer in range(layers)]

    def _mixed(self, sources: Numbers, matrices: list[Numbers]) -> Numbers:
        *hidden, last = matrices
        x = sources
        for matrix in hidden:
            a = x @ matrix
            x = np.tanh(a) + SLOPE * a if self.activation == "xtanh" else np.where(a > 0, a, SLOPE * a)
        return x @ last


def _whitened(splits: dict[SplitName, Split]) -> dict[SplitName, Split]:
    """All vectors along the principal components of the training ones, which get mean 0 and variance 1.

    A direction in which they do not vary, of a linear mixture into more numbers, is left out of the scaling.
    """
    x = splits["train"].arrays["vector"].astype(np.float64)
    mean = x.mean(0)
    variances, directions = np.linalg.eigh(np.atleast_2d(np.cov(x.T, bias=True)))
    scale = np.where(variances > FLAT * variances.max(), 1 / np.sqrt(np.maximum(variances, 1e-300)), 1.0)
    return {name: replace(split, arrays={"vector": ((split.arrays["vector"] - mean) @ (directions * scale))
                                         .astype(np.float32)}) for name, split in splits.items()}


def mixing_matrix(rows: int, columns: int, generator: np.random.Generator) -> Numbers:
    """Uniform entries, columns of length 1, (rows, columns); the first draw conditioned as the best quarter are."""
    count = CANDIDATES if columns <= LARGE else CANDIDATES // 10 if columns <= 4 * LARGE else CANDIDATES // 100
    drawn = generator.uniform(-1, 1, (count, rows, columns))
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    condition = np.linalg.cond(drawn)
    chosen: Numbers = drawn[np.flatnonzero(condition <= np.percentile(condition, 25))[0]]
    return chosen
