"""Multi-set canonical correlation analysis as a family: what all modalities say of an observation, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from vaecore.modalities import Label, Modality
from vaecore.models.base import Family, Given, Modalities, described
from vaecore.models.blocks.shared import LinearBlocksConfig, Matrix, Projected
from vaecore.multiblock.cca import Criterion, multiset_cca
from vaecore.schema import option, problem


class MultisetCCAConfig(LinearBlocksConfig):
    """Multi-set canonical correlation analysis (Kettenring 1971): one correlated variate of every modality a stage."""

    title: ClassVar[str] = "Multi-set CCA"
    family: Literal["cca"] = "cca"
    latent_size: int = option(4, "Stages r: sets of canonical variates.", symbol="z", unit="dimensions", ge=1, le=256)
    criterion: Criterion = option(
        "maxvar", "What the correlations R between the variates of a stage have to be: sumcor the largest sum, ssqcor "
        "the largest sum of squares, maxvar the largest first eigenvalue, minvar the smallest last one, genvar the "
        "smallest determinant. For two modalities all are the same.")
    ridge: float = option(0.1, "Kappa, how much of the identity is in each covariance matrix: 0 is CCA, which finds "
                               "correlation 1 between noise where there are more variables than samples; 1 is PLS.",
                          ge=0, le=1)
    starts: int = option(3, "Random starts of a criterion without a closed form: sumcor, ssqcor, genvar.", ge=0,
                         le=100, advanced=True)

    def enough(self, modalities: Modalities, rows: int) -> None:
        super().enough(modalities, rows)
        # The shares of all classes add up to 1, which takes a direction away.
        least, name = min((m.size - isinstance(m, Label), name) for name, m in modalities.items())
        _room(self, max(1, least), f"{name}, which varies in {least} directions")
        _room(self, rows - 1, f"{rows} training observations")

    def unread(self, modalities: Modalities) -> set[str]:
        return {"starts"} if self.criterion in ("maxvar", "minvar") else set()

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return MultisetCCA(modalities, self)


def _room(config: MultisetCCAConfig, most: int, where: str) -> None:
    """Raise `ConfigError` for more stages than `most`."""
    if config.latent_size > most:
        raise problem("model.latent_size", config.latent_size, f"{config.latent_size} variates of {where}.",
                      f"Use at most {most}.", f"model.latent_size={most}")


class MultisetCCA(Projected):
    """The code `canonical` is the first principal component of the M variates of a stage, with variance 1.

    It is what they have in common: their sum, where all are equally correlated.
    """

    stage_correlations: Tensor  # (r, M, M)

    def __init__(self, modalities: Given, config: MultisetCCAConfig | None = None, **fields: Any) -> None:
        config, modalities = described(MultisetCCAConfig, config, fields, modalities)
        least, name = min((m.size, name) for name, m in modalities.items())
        _room(config, least, f"{name}, which has {least} numbers")
        super().__init__(modalities, "canonical", config.latent_size)
        self.config = config
        blocks = len(self.names)
        self.register_buffer("stage_correlations", torch.zeros(config.latent_size, blocks, blocks))

    def learn(self, blocks: Sequence[Matrix]) -> None:
        """Raises `ConfigError` where a modality varies in fewer directions than there are stages."""
        config = self.config
        try:
            found = multiset_cca(blocks, config.latent_size, config.criterion, config.ridge, starts=config.starts)
        except ValueError as error:
            raise problem("model.latent_size", config.latent_size, f"in the training data {error}",
                          "Use fewer, or more training observations.") from None
        values, vectors = np.linalg.eigh(found.correlations)  # of each stage, ascending
        first = vectors[:, :, -1]  # (r, M)
        first = first * np.sign(first.sum(1, keepdims=True))
        self.keep(blocks, found.scores(blocks), found.weights, (first / np.sqrt(values[:, -1:])).T)
        self.stage_correlations.copy_(torch.as_tensor(found.correlations))

    def correlations(self) -> dict[tuple[str, str], Tensor]:
        """Canonical correlations (r,) of each pair of modalities on the training set."""
        return {(a, b): self.stage_correlations[:, i, j] for i, a in enumerate(self.names)
                for j, b in enumerate(self.names) if i < j}
