"""JIVE as a family: joint scores of all modalities, and individual scores of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from vaecore.data import Modality
from vaecore.models.base import Batch, Family, Given, Modalities, described
from vaecore.models.blocks.shared import FLAT, LinearBlocks, LinearBlocksConfig, Matrix
from vaecore.multiblock.jive import choose_ranks, jive
from vaecore.schema import Strict, option, problem

JOINT = "joint"
MAX_PERMUTED = 2_000_000_000  # numbers in all permutations of one round, a few minutes


class PermutedRanks(Strict):
    """Ranks chosen by permutation: a direction counts where chance seldom makes one as strong."""

    kind: Literal["permutation"] = "permutation"
    permutations: int = option(100, "Permutations of each test.", ge=10, le=10_000)
    alpha: float = option(0.05, "Share of permutations that may be stronger.", gt=0, lt=1)
    most: int = option(40, "Largest rank, joint or individual: what there is room for.", unit="dimensions", ge=1,
                       le=256)

    @property
    def room(self) -> tuple[int, int]:
        """Largest joint and individual rank."""
        return self.most, self.most


class FixedRanks(Strict):
    """Ranks as given; those of all modalities are the same, or as many as a smaller modality has numbers."""

    kind: Literal["fixed"] = "fixed"
    joint: int = option(2, "Joint rank.", unit="dimensions", ge=0, le=256)
    individual: int = option(4, "Individual rank of each modality.", unit="dimensions", ge=0, le=256)

    @property
    def room(self) -> tuple[int, int]:
        """Largest joint and individual rank."""
        return self.joint, self.individual


class JIVEConfig(LinearBlocksConfig):
    """Joint and individual variation explained (Lock et al. 2013): low ranks, orthogonal to each other."""

    title: ClassVar[str] = "JIVE"
    usual: ClassVar[Literal["", "few", "many"]] = "few"
    family: Literal["jive"] = "jive"
    ranks: Annotated[PermutedRanks | FixedRanks, Field(discriminator="kind")] = option(
        PermutedRanks(), "How many joint and individual dimensions.")
    orthogonal: bool = option(True, "Individual parts of different modalities are orthogonal too: the default of the "
                                    "authors' r.jive, though not in their paper.", advanced=True)

    def enough(self, modalities: Modalities, rows: int) -> None:
        super().enough(modalities, rows)
        if isinstance(self.ranks, PermutedRanks):
            numbers = rows * sum(m.size for m in modalities.values()) * self.ranks.permutations
            if numbers > MAX_PERMUTED:
                raise problem("model.ranks.permutations", self.ranks.permutations, f"permutations of {numbers:,} "
                              f"numbers in all take very long; the most are {MAX_PERMUTED:,}.",
                              "Use fewer, a data.train_limit, or fixed ranks.", "model.ranks.kind=fixed")
            return
        for name, modality in modalities.items():
            most, asked = rows - 1 - self.ranks.joint, min(self.ranks.individual, modality.size)
            if asked > most:
                fewer = max(1, (rows - 1) // 3)
                raise problem("model.ranks", self.ranks.kind, f"an individual rank of {asked} for {name}, beside a "
                              f"joint rank of {self.ranks.joint}, is more than {rows} training observations have.",
                              "Use smaller ranks, or more training observations.",
                              (f"model.ranks.joint={min(self.ranks.joint, fewer)}",
                               f"model.ranks.individual={min(self.ranks.individual, fewer)}"))

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return JIVE(modalities, self)


class JIVE(LinearBlocks):
    """Codes `joint` and `individual <modality>` have a mean square of 1 on the training set; none of rank 0.

    Loadings have room for the largest ranks, with zeros beyond those found, so that weights fit a model that does not
    know them yet. From any blocks, codes are least squares on the loadings of these, each divided by its `scale`.
    """

    ranks: Tensor  # (1 + M,) joint, then individual
    scale: Tensor  # (M,) Frobenius norms over the square root of the number of observations

    def __init__(self, modalities: Given, config: JIVEConfig | None = None, **fields: Any) -> None:
        config, modalities = described(JIVEConfig, config, fields, modalities)
        if not sum(config.ranks.room):
            raise problem("model.ranks.joint", 0, "without joint and individual dimensions there is nothing.",
                          "Give model.ranks.joint or model.ranks.individual 1 or more.")
        joint, individual = config.ranks.room
        room = [joint, *(min(individual, m.size) for m in modalities.values())]
        super().__init__(modalities, sum(room))
        self.config, self.room = config, room
        self.register_buffer("ranks", torch.tensor(room, dtype=torch.long))
        self.known_ranks = room  # the same numbers where no tensor has to be read for them
        self.register_load_state_dict_post_hook(_read_ranks)  # type: ignore[no-untyped-call]
        self.register_buffer("scale", torch.ones(len(self.names)))

    @property
    def latents(self) -> dict[str, int]:
        """What was found; before a fit, and of a model without numbers, what there is room for."""
        names = [JOINT, *(f"individual {name}" for name in self.names)]
        return {name: rank for name, rank in zip(names, self.known_ranks, strict=True) if rank}

    def learn(self, blocks: Sequence[Matrix]) -> None:
        """Says its progress in the log; raises `ConfigError` where ranks are not possible, or nothing is found."""
        ranks = self.config.ranks
        if isinstance(ranks, FixedRanks):
            try:
                found = jive(blocks, ranks.joint, self.room[1:], orthogonal=self.config.orthogonal)
            except ValueError as error:
                raise problem("model.ranks", ranks.kind, f"{error}", "Use smaller ranks, or more training "
                              "observations.") from None
        else:
            self.config.enough(self.modalities, len(blocks[0]))
            found = choose_ranks(blocks, permutations=ranks.permutations, alpha=ranks.alpha, most=ranks.most,
                                 orthogonal=self.config.orthogonal, progress=lambda line: print(line, flush=True))
        chosen = [found.joint_rank, *found.individual_ranks]
        if not sum(chosen):
            raise problem("model.ranks", ranks.kind, "nothing in the training data is stronger than chance.",
                          "Choose model.ranks.kind fixed, or more training observations.")
        parts = []
        for m, (u, w) in enumerate(zip(found.joint_loadings, found.individual_loadings, strict=True)):
            own = [w if i == m else np.zeros((len(w), r)) for i, r in enumerate(found.individual_ranks)]
            parts.append(np.concatenate([u, *own], axis=1))
        self.ranks.copy_(torch.tensor(chosen))
        self.known_ranks = chosen
        self.centre.copy_(torch.as_tensor(np.concatenate(found.centres)))
        self.scale.copy_(torch.as_tensor(np.array(found.scales) / np.sqrt(len(blocks[0]))))
        self.loadings_matrix.zero_()
        self.loadings_matrix[:, :sum(chosen)] = torch.as_tensor(np.concatenate(parts)).to(self.loadings_matrix)

    def codes_of(self, x: Tensor, given: Sequence[int]) -> Tensor:
        scaled, loadings = self._scaled(x, given)
        normal = loadings.T @ loadings
        inverse: Tensor = torch.linalg.pinv(normal, rtol=FLAT**2, hermitian=True)
        return scaled @ loadings @ inverse

    def explained(self, batch: Batch) -> dict[str, dict[str, float]]:
        """Shares of each modality's sum of squares about its mean that are `joint`, `individual`, `residual`.

        Of the observations of `batch` that have every block, by their codes: on those of the fit nearly what the fit
        says itself. `individual` is what that part takes away after the joint one. On other observations a share may
        be negative. Raises `ValueError` where there are none.
        """
        x, z = self._complete(batch)
        loadings, r = self.loadings_matrix.double(), int(self.ranks[0])
        joint, individual = (z[:, part] @ loadings[:, part].T for part in (slice(r), slice(r, None)))
        return self._shares(x, {"joint": joint, "individual": individual})

    def _scaled(self, x: Tensor, given: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Centred blocks (B, D) and loadings (D, R), divided by scales; zeros for what is not given."""
        factor = torch.zeros(len(self.names), dtype=x.dtype, device=x.device)
        factor[list(given)] = 1 / self.scale.double()[list(given)]
        each = torch.cat([one.expand(size) for one, size in zip(factor, self.sizes, strict=True)])
        return x * each, self.loadings_matrix.double() * each[:, None]


def _read_ranks(model: JIVE, _: object) -> None:
    """Know the ranks of weights that were loaded."""
    if not model.ranks.is_meta:  # a file may say anything
        told = zip(model.ranks.tolist(), model.room, strict=True)
        model.known_ranks = [max(0, min(rank, most)) for rank, most in told]
