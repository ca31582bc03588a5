"""Gaussian vectors with a known covariance spectrum: the data on which a linear VAE has a closed form."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from vaecore.data.base import SPLITS, DataConfig, Dataset, Split, SplitName
from vaecore.modalities import Modality
from vaecore.schema import option

Variance = Annotated[float, Field(ge=0)]


class Gaussian(DataConfig):
    """Draws of N(0, U diag(eigenvalues) U') with a random rotation U."""

    title: ClassVar[str] = "Gaussian vectors"
    observation: ClassVar[str] = "vector"
    name: Literal["gaussian"] = "gaussian"
    eigenvalues: tuple[Variance, ...] = option(
        (4.0, 2.0, 1.0, 0.5, 0.25, 0.1, 0.05, 0.02), "Variances along the principal directions, which also set "
        "the observed size.", min_length=1, max_length=256)
    size: int = option(5_000, "Training vectors; a tenth as many for validation and for test.", unit="vectors",
                       ge=10, le=1_000_000)
    data_seed: int = option(0, "Seed of the draws and of the rotation.", ge=0, le=2**31 - 1, advanced=True)

    def load(self) -> Dataset:
        generator = np.random.default_rng(self.data_seed)
        variances = np.asarray(self.eigenvalues)
        rotation, _ = np.linalg.qr(generator.standard_normal((len(variances), len(variances))))
        counts = {"train": self.size, "validation": self.size // 10, "test": self.size // 10}
        splits: dict[SplitName, Split] = {}
        for split in SPLITS:
            codes = generator.standard_normal((counts[split], len(variances))) * np.sqrt(variances)
            splits[split] = Split({"vector": (codes @ rotation.T).astype(np.float32)})
        splits["train"] = self.limited(splits["train"])
        return Dataset("gaussian", f"{self.size:,} Gaussian vectors drawn with seed {self.data_seed}",
                       {"vector": Modality("vector", (len(variances),))}, splits)
