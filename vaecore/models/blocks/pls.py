"""Multi-block partial least squares as a family: super scores of all modalities, or those that predict one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from vaecore.data import Modality
from vaecore.models.base import Family, Given, Modalities, described
from vaecore.models.blocks.shared import LinearBlocksConfig, Matrix, Projected
from vaecore.multiblock.pls import multiblock_pls
from vaecore.schema import option, problem


class MultiblockPLSConfig(LinearBlocksConfig):
    """Multi-block partial least squares (Westerhuis et al. 1998, Chen et al. 2009): every block counts the same."""

    title: ClassVar[str] = "Multi-block PLS"
    family: Literal["multiblock-pls"] = "multiblock-pls"
    latent_size: int = option(4, "Components r, each a super score.", symbol="z", unit="dimensions", ge=1, le=256)
    outcome: str = option("", "A modality that the components are to predict, by its name. Empty: the blocks among "
                              "themselves, which is principal components of blocks scaled alike.")

    def enough(self, modalities: Modalities, rows: int) -> None:
        super().enough(modalities, rows)
        if self.latent_size > rows - 1:
            raise problem("model.latent_size", self.latent_size, f"{self.latent_size} components of {rows} training "
                          "observations.", f"Use at most {rows - 1}.", f"model.latent_size={rows - 1}")

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return MultiblockPLS(modalities, self)


class MultiblockPLS(Projected):
    """The code `super` are the super scores, with variance 1.

    An outcome has no part in them where blocks are given; they are predicted from it where it alone is.
    """

    def __init__(self, modalities: Given, config: MultiblockPLSConfig | None = None, **fields: Any) -> None:
        config, modalities = described(MultiblockPLSConfig, config, fields, modalities)
        if config.outcome and config.outcome not in modalities:
            raise problem("model.outcome", config.outcome, f"this data set has no modality {config.outcome!r}.",
                          f"Choose one of {', '.join(modalities)}, or leave it empty.", "model.outcome=''")
        most = sum(m.size for name, m in modalities.items() if name != config.outcome)
        if config.latent_size > most:
            raise problem("model.latent_size", config.latent_size, f"{config.latent_size} components of {most} "
                          "numbers.", f"Use at most {most}.", f"model.latent_size={most}")
        super().__init__(modalities, "super", config.latent_size)
        self.config = config

    def learn(self, blocks: Sequence[Matrix]) -> None:
        """Raises `ConfigError` where there are fewer components than `latent_size`."""
        size, outcome = self.config.latent_size, self.config.outcome
        predictors = [block for name, block in zip(self.names, blocks, strict=True) if name != outcome]
        y = blocks[self.names.index(outcome)] if outcome else None
        try:
            found = multiblock_pls(predictors, size, y)
        except ValueError as error:
            raise problem("model.latent_size", size, f"in the training data {error}",
                          "Or use more training observations.") from None
        deviation = np.sqrt(np.square(found.super_scores).mean(0))
        rotations = iter(found.rotations)
        kept, projected, spread = [], [], []
        for name, block in zip(self.names, blocks, strict=True):
            centred = block - block.mean(0)
            if name == outcome:
                # The outcome's own projections: the least-squares prediction of super scores from it.
                rotation = np.linalg.lstsq(centred, found.super_scores / deviation, rcond=None)[0]
                weight = np.zeros(size)
            else:
                rotation, weight = next(rotations) / deviation, np.ones(size)
            each = centred @ rotation
            scale = np.sqrt(np.square(each).mean(0))
            scale[scale == 0] = 1
            kept.append(rotation / scale)
            projected.append(each / scale)
            spread.append(weight * scale)
        self.keep(blocks, projected, kept, np.stack(spread))
