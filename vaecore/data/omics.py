"""Gene expression, methylation and miRNA of 348 breast tumours: the example of JIVE (Lock et al. 2013).

From The Cancer Genome Atlas, as released with r.jive, in `VAECORE_DATA`. Labels are the three clusters of tumours in
that release, for evaluation.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from vaecore.data import npz
from vaecore.data.base import SPLITS, Dataset, Split, SplitName, shuffled_split, standardised
from vaecore.data.missing import MultimodalConfig
from vaecore.modalities import Modality
from vaecore.schema import option

FILE = ("tcga_brca", "tcga_brca.npz")
TUMOURS, HELD_OUT, CLUSTERS = 348, 50, 3
SIZES = {"expression": 645, "methylation": 574, "mirna": 423}


class Omics(MultimodalConfig):
    """Modalities `expression` (645,), `methylation` (574,) and `mirna` (423,) of each tumour."""

    title: ClassVar[str] = "Three omics blocks"
    observation: ClassVar[str] = "tumour"
    name: Literal["omics"] = "omics"
    scale: Literal["standardised", "raw"] = option(
        "standardised", "Every feature with mean 0 and standard deviation 1 by the training tumours, or as measured: "
        "log ratios, shares of methylated sites, and log counts.")

    def reads(self) -> tuple[str, ...]:
        return ("omics",)

    def here(self) -> str:
        npz.located(*FILE, [*SIZES, "cluster"])
        return self._words()

    def load(self) -> Dataset:
        """Shuffled by a seed: 248 / 50 / 50. Raises `DataUnavailable` where the file is not here or damaged."""
        expected = {name: ("f", (TUMOURS, size)) for name, size in SIZES.items()}
        found, path = npz.published(*FILE, {**expected, "cluster": ("iu", (TUMOURS,))})
        rows, labels = shuffled_split(np.arange(TUMOURS), npz.classes(found["cluster"], CLUSTERS, path), HELD_OUT)
        blocks = {name: found[name].astype(np.float32) for name in SIZES}
        if self.scale == "standardised":
            blocks = {name: standardised(x, x[rows["train"]]) for name, x in blocks.items()}
        splits: dict[SplitName, Split] = {
            split: Split({name: x[rows[split]] for name, x in blocks.items()}, labels[split]) for split in SPLITS}
        splits["train"] = self.with_missing(splits["train"])
        return Dataset("omics", self._words(),
                       {name: Modality("vector", (size,)) for name, size in SIZES.items()}, splits)

    def _words(self) -> str:
        return f"three {self.scale} blocks of 348 tumours (TCGA): 248 / 50 / 50"
