"""Blocks of vectors with planted joint and individual scores: the model of JIVE (Lock et al. 2013), simulated.

x_m = W_m z + V_m z_m + noise: z are the joint scores of a sample, z_m the individual ones of block m, all of them
independent and N(0, 1); the noise is N(0, sigma^2). Entries of W_m and V_m are N(0, 1) over the square root of the
rank, so that each part gives a feature variance 1 on average. As the parameters are known, so is every posterior.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from vaecore.arrays import Numbers
from vaecore.data.base import MAX_DRAWN_NUMBERS, SPLITS, Dataset, Split, SplitName
from vaecore.data.missing import MultimodalConfig
from vaecore.modalities import Modality
from vaecore.schema import option, problem


class PlantedBlocks(MultimodalConfig):
    """Modalities `block 1` to `block M`, vectors; the scores are the known factors. Nothing is standardised."""

    title: ClassVar[str] = "Planted blocks"
    name: Literal["planted-blocks"] = "planted-blocks"
    blocks: int = option(3, "Modalities M.", unit="blocks", ge=2, le=16)
    features: int = option(10, "Numbers in the vector of a block.", unit="numbers", ge=1, le=1_000)
    joint_rank: int = option(2, "Joint scores z, on which all blocks depend.", unit="scores", ge=0, le=32)
    individual_rank: int = option(1, "Individual scores of each block, on which it alone depends.", unit="scores",
                                  ge=0, le=32)
    noise: float = option(0.5, "Standard deviation sigma of the noise on every number.", ge=0, le=100)
    samples: int = option(2_000, "Training samples; a tenth as many for validation and for test.", unit="samples",
                          ge=10, le=1_000_000)
    seed: int = option(0, "Seed of the loadings and of the draws.", ge=0, le=2**31 - 1, advanced=True)

    def parameters(self) -> tuple[tuple[Numbers, Numbers], ...]:
        """The loadings (W_m, V_m) of each block, (features, joint_rank) and (features, individual_rank)."""
        generator = np.random.default_rng([self.seed, 0])
        return tuple((self._loadings(self.joint_rank, generator), self._loadings(self.individual_rank, generator))
                     for _ in range(self.blocks))

    def load(self) -> Dataset:
        """Raises `ConfigError` where there would be too many numbers, or no score at all."""
        if not self.joint_rank + self.individual_rank:
            raise problem("data.joint_rank", 0, "without joint and individual scores there is only noise.",
                          "Give data.joint_rank or data.individual_rank 1 or more.")
        if self.samples * self.blocks * self.features > MAX_DRAWN_NUMBERS:
            raise problem("data.samples", self.samples, f"{self.samples:,} samples of {self.blocks} blocks of "
                          f"{self.features} are more than {MAX_DRAWN_NUMBERS:,} numbers.",
                          f"Use at most {MAX_DRAWN_NUMBERS // (self.blocks * self.features):,}.")
        parameters = self.parameters()
        counts = (self.samples, self.samples // 10, self.samples // 10)
        splits: dict[SplitName, Split] = {}
        for index, (name, count) in enumerate(zip(SPLITS, counts, strict=True)):
            splits[name] = self._drawn(count, parameters, np.random.default_rng([self.seed, 1 + index]))
        splits["train"] = self.with_missing(splits["train"])
        names = [f"joint {i + 1}" for i in range(self.joint_rank)]
        names += [f"block {m + 1}: {i + 1}" for m in range(self.blocks) for i in range(self.individual_rank)]
        source = f"{self.samples:,} samples of {self.blocks} blocks drawn with seed {self.seed}"
        modalities = {f"block {m + 1}": Modality("vector", (self.features,)) for m in range(self.blocks)}
        return Dataset("planted-blocks", source, modalities, splits, factors=dict.fromkeys(names, 0))

    def _drawn(self, count: int, parameters: tuple[tuple[Numbers, Numbers], ...], generator: np.random.Generator
               ) -> Split:
        joint = generator.standard_normal((count, self.joint_rank))
        own = generator.standard_normal((self.blocks, count, self.individual_rank))
        arrays = {f"block {m + 1}": (joint @ w.T + own[m] @ v.T
                                     + self.noise * generator.standard_normal((count, self.features)))
                  .astype(np.float32) for m, (w, v) in enumerate(parameters)}
        return Split(arrays, factors=np.concatenate([joint, *own], axis=1))

    def _loadings(self, rank: int, generator: np.random.Generator) -> Numbers:
        return np.asarray(generator.standard_normal((self.features, rank)) / np.sqrt(max(1, rank)))
