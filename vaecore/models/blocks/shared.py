"""What the linear families of several blocks share: a decoder x = centre + loadings z, and a Gaussian around it.

Shapes: B observations, M blocks, D_m numbers of block m and D of all, R latent dimensions of all latents. Images and
labels are read as vectors, pixels in [0, 1]. Blocks are kept end to end, so that the buffers of a model have names and
shapes that do not depend on what its modalities are called.

A fit uses the observations that have every block. Afterwards any non-empty subset of blocks has codes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaecore.modalities import Image, Label, Modality, Vector
from vaecore.models.base import Batch, Family, Modalities, ModelConfig
from vaecore.models.evidence import Evidence
from vaecore.models.multimodal.shared import check_several, observed_mask
from vaecore.probability.gaussian import Point
from vaecore.probability.likelihoods import GaussianPixels, Observation
from vaecore.probability.posteriors import Posterior
from vaecore.schema import problem

Matrix = NDArray[np.float64]
MIN_OBSERVATIONS = 3  # complete observations
SMALLEST_VARIANCE = 1e-6  # of what a reconstruction leaves
FLAT = 1e-6  # of the largest eigenvalue: what is below it is single precision


class LinearBlocksConfig(ModelConfig):
    """A linear method for several blocks: no training by gradient."""

    multimodal: ClassVar[bool] = True
    closed_form: ClassVar[bool] = True
    has_kl: ClassVar[bool] = False
    reads: ClassVar[tuple[type[Modality], ...]] = (Image, Vector, Label)
    likelihood_name: ClassVar[str] = "gaussian-learned"

    def enough(self, modalities: Modalities, rows: int) -> None:
        if rows < MIN_OBSERVATIONS:
            raise problem("model.family", self.tag, f"{rows} training observations have every modality, and "
                          f"{self.title} needs {MIN_OBSERVATIONS}.",
                          "Leave fewer modalities out of the data, or choose a multimodal VAE.",
                          "model.family=multimodal-vae", "data.missing.kind=nothing")


class LinearBlocks(Family):
    """x = `centre` + `loadings` z with codes of all latents end to end; `logvar[m]` is what is left of block m."""

    centre: Tensor  # (D,)
    loadings_matrix: Tensor  # (D, R)
    logvar: Tensor  # (M,)

    def __init__(self, modalities: Modalities, width: int) -> None:
        """`width` is R. Raises `ConfigError` for fewer than two modalities."""
        super().__init__(modalities)
        check_several(modalities)
        self.names = list(modalities)
        self.sizes = [m.size for m in modalities.values()]
        self.register_buffer("centre", torch.zeros(sum(self.sizes)))
        self.register_buffer("loadings_matrix", torch.zeros(sum(self.sizes), width))
        self.register_buffer("logvar", torch.zeros(len(self.names)))

    # -- for a subclass ----------------------------------------------------------------------------

    @abstractmethod
    def learn(self, blocks: Sequence[Matrix]) -> None:
        """Fill the buffers but `logvar` from complete blocks (N, D_m)."""

    @abstractmethod
    def codes_of(self, x: Tensor, given: Sequence[int]) -> Tensor:
        """Codes (B, R) of the blocks numbered `given`: `x` is (B, D) less the centre, in double precision.

        What is not given is 0 in it.
        """

    def columns(self) -> dict[str, slice]:
        """Where each latent is among the R dimensions."""
        found, start = {}, 0
        for latent, size in self.latents.items():
            found[latent] = slice(start, start + size)
            start += size
        return found

    # -- a family ----------------------------------------------------------------------------------

    def fit(self, train: Batch) -> bool:
        """Solve on the observations that have every block; raises `ValueError` with fewer than three of them."""
        observed = observed_mask(train, self.names)
        complete = slice(None) if observed is None else observed.all(0)
        blocks = [train[name][complete].flatten(1).double().cpu().numpy() for name in self.names]
        if len(blocks[0]) < MIN_OBSERVATIONS:
            raise ValueError(f"{len(blocks[0])} training observations have every modality, and this family needs "
                             f"{MIN_OBSERVATIONS}. Leave fewer modalities out of the data, or choose a multimodal VAE.")
        self.learn(blocks)
        joined = torch.as_tensor(np.concatenate(blocks, axis=1), device=self.centre.device)
        z = self.codes_of(joined - self.centre, range(len(self.names)))
        left = (joined - self.centre - z @ self.loadings_matrix.double().T).square().mean(0)
        variance = torch.stack([part.mean() for part in torch.split(left, self.sizes)])
        self.logvar.copy_(variance.clamp(min=SMALLEST_VARIANCE).log())
        return True

    def encode(self, batch: Batch) -> dict[str, Posterior]:
        """Codes of the blocks that each observation has; observations that have the same ones are solved together."""
        observed = observed_mask(batch, self.names)
        count = len(next(batch[name] for name in self.names if name in batch))
        if observed is None:
            patterns = [(tuple(range(len(self.names))), torch.arange(count, device=self.centre.device))]
        else:
            kinds, kind_of = torch.unique(observed.T, dim=0, return_inverse=True)
            patterns = [(tuple(pattern.nonzero().flatten().tolist()), (kind_of == i).nonzero().flatten())
                        for i, pattern in enumerate(kinds)]
        z = torch.zeros(count, self.loadings_matrix.shape[1], dtype=torch.double, device=self.centre.device)
        for given, rows in patterns:
            if given:  # an observation without anything has the code of the mean, 0
                z[rows] = self.codes_of(self._joined(batch, given, rows), given)
        return {latent: Point(z[:, part].float()) for latent, part in self.columns().items()}

    def decode(self, z: Mapping[str, Tensor], predict: Collection[str] | None = None) -> dict[str, Observation]:
        """p(x|z) of the modalities to `predict`, all where it is None."""
        codes = torch.cat([z[latent] for latent in self.latents], dim=1)
        x = codes @ self.loadings_matrix[:, :codes.shape[1]].T + self.centre
        parts = zip(self.modalities.items(), self._split(x), self.logvar, strict=True)
        return {name: GaussianPixels(part.reshape(-1, *modality.shape), logvar)
                for (name, modality), part, logvar in parts if predict is None or name in predict}

    def evidence(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None
                 ) -> Evidence:
        """The Gaussian log-density of each block around its reconstruction, 0 where it is not observed."""
        observed = observed_mask(batch, self.names)
        decoded = self.decode({latent: q.mean for latent, q in posteriors.items()})
        found = {name: decoded[name].log_prob(batch[name]) for name in self.names if name in batch}
        if observed is not None:
            found = {name: score * observed[self.names.index(name)] for name, score in found.items()}
        return Evidence(found, {})

    @property
    def parameter_count(self) -> int:
        return sum(buffer.numel() for buffer in self.buffers() if buffer.is_floating_point())

    # -- for a person ------------------------------------------------------------------------------

    def loadings(self) -> dict[str, dict[str, Tensor]]:
        """Loadings (D_m, r) of each latent and modality: how much x changes with a code of 1."""
        return {latent: dict(zip(self.names, torch.split(self.loadings_matrix[:, part], self.sizes), strict=True))
                for latent, part in self.columns().items()}

    def explained(self, batch: Batch) -> dict[str, dict[str, float]]:
        """Shares of each modality's sum of squares about its mean that `scores` explain, and the `residual`.

        Of the observations of `batch` that have every block, as `fit`. On others than those of the fit a share may be
        negative. Raises `ValueError` where there are none.
        """
        x, z = self._complete(batch)
        return self._shares(x, {"scores": z @ self.loadings_matrix.double().T})

    def _shares(self, x: Tensor, parts: Mapping[str, Tensor]) -> dict[str, dict[str, float]]:
        """How much less is left of x (N, D) with each part (N, D) taken away, after those before it; and the rest."""
        found: dict[str, dict[str, float]] = {name: {} for name in self.names}
        total = [block.square().sum().clamp(min=1e-300) for block in self._split(x)]
        for label, part in parts.items():
            rest = x - part
            for m, (before, after) in enumerate(zip(self._split(x), self._split(rest), strict=True)):
                found[self.names[m]][label] = float((before.square().sum() - after.square().sum()) / total[m])
            x = rest
        for m, block in enumerate(self._split(x)):
            found[self.names[m]]["residual"] = float(block.square().sum() / total[m])
        return found

    def _complete(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Observations that have every block, less the centre (N, D), and their codes (N, R)."""
        observed = observed_mask(batch, self.names)
        count = len(next(batch[name] for name in self.names if name in batch))
        rows = (torch.arange(count, device=self.centre.device) if observed is None
                else observed.all(0).nonzero().flatten())
        if not len(rows):
            raise ValueError("no observation has every modality. Choose data of which fewer are missing.")
        everything = range(len(self.names))
        x = self._joined(batch, everything, rows)
        return x, self.codes_of(x, everything)

    def _split(self, x: Tensor) -> tuple[Tensor, ...]:
        """Blocks (B, D_m) of x (B, D)."""
        return torch.split(x, self.sizes, dim=1)

    def _joined(self, batch: Batch, given: Collection[int], rows: Tensor) -> Tensor:
        """Blocks less their centres end to end, (len(rows), D), in double precision; zeros where one is not given."""
        centres = torch.split(self.centre.double(), self.sizes)
        blocks = [batch[name][rows].flatten(1).double() - centre if m in given
                  else centre.new_zeros(len(rows), len(centre))
                  for m, (name, centre) in enumerate(zip(self.names, centres, strict=True))]
        return torch.cat(blocks, dim=1)


class Projected(LinearBlocks):
    """Scores z are a sum over blocks of projections of each: z = sum_m `rotation`_m' (x_m - centre_m) `spread`_m.

    From some of the blocks they are the best linear prediction of it, by least squares on the training set: that needs
    the `second` moments of the projections and of z. From all of them it is z itself.
    """

    rotation: Tensor  # (D, r): projections (r) of each block have variance 1
    spread: Tensor  # (M, r): how much of each goes into z
    second: Tensor  # (M r, M r) second moments of projections, block after block

    def __init__(self, modalities: Modalities, latent: str, size: int) -> None:
        super().__init__(modalities, size)
        self.latent = latent
        blocks = len(self.names)
        self.register_buffer("rotation", torch.zeros(sum(self.sizes), size))
        self.register_buffer("spread", torch.zeros(blocks, size))
        self.register_buffer("second", torch.zeros(blocks * size, blocks * size))

    @property
    def latents(self) -> dict[str, int]:
        return {self.latent: self.loadings_matrix.shape[1]}

    def keep(self, blocks: Sequence[Matrix], projections: Sequence[Matrix], rotations: Sequence[Matrix],
             spread: Matrix) -> None:
        """Fill the buffers: `projections[m]` (N, r) are the blocks times `rotations[m]`, z is their sum by `spread`."""
        y = np.stack(projections, axis=1)  # (N, M, r)
        z = (y * spread).sum(1)
        x = np.concatenate([block - block.mean(0) for block in blocks], axis=1)
        flat = y.reshape(len(y), -1)
        self.centre.copy_(torch.as_tensor(np.concatenate([block.mean(0) for block in blocks])))
        self.rotation.copy_(torch.as_tensor(np.concatenate(rotations)))
        self.spread.copy_(torch.as_tensor(spread))
        self.second.copy_(torch.as_tensor(flat.T @ flat / len(flat)))
        self.loadings_matrix.copy_(torch.as_tensor(np.linalg.lstsq(z, x, rcond=None)[0].T))

    def projections(self, x: Tensor) -> list[Tensor]:
        """Projections of each block (B, r), from centred blocks (B, D) in double precision."""
        pairs = zip(self._split(x), torch.split(self.rotation.double(), self.sizes), strict=True)
        return [block @ rotation for block, rotation in pairs]

    def codes_of(self, x: Tensor, given: Sequence[int]) -> Tensor:
        y = torch.stack(self.projections(x), dim=1)  # (B, M, r)
        spread = self.spread.double()
        if len(given) == len(self.names):
            return (y * spread).sum(1)
        size = spread.shape[1]
        # z = sum over all projections of T; least squares of it on those given: (S_gg)^-1 S_g. T.
        target = (torch.eye(size, dtype=spread.dtype, device=spread.device) * spread[:, None, :]).reshape(-1, size)
        mine = torch.cat([torch.arange(m * size, (m + 1) * size, device=x.device) for m in given])
        second = self.second.double()
        among = torch.linalg.pinv(second[mine][:, mine], rtol=FLAT, hermitian=True)
        coefficients: Tensor = among @ (second[mine] @ target)
        return y[:, list(given)].flatten(1) @ coefficients
