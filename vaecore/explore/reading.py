"""What a checkpoint makes of one picture from outside: its code, what that tells, how it stands beside the data.

Shapes: r latent size, N observations that it is compared with, (C, H, W) of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from vaecore.arrays import Numbers
from vaecore.data import COVARIATE
from vaecore.explore import given
from vaecore.explore.codes import Codes
from vaecore.explore.drawing import Grey
from vaecore.modalities import Image
from vaecore.probability.gaussian import DiagonalGaussian, StandardNormal

if TYPE_CHECKING:
    from vaecore.explore.single import Checkpoint

NEAREST = 8  # neighbours that are told
COMPARED = 2_000  # test observations, at most, that a picture is compared with
READ_AT_ONCE = 100  # observations that are encoded and decoded together


class Neighbour(NamedTuple):
    """An observation of the yardstick, and how far its code lies: Euclidean, in units of `Checkpoint.scale`."""

    number: int
    distance: float


@dataclass(frozen=True)
class Yardstick:
    """Observations that a picture is compared with: how well each is reconstructed, and where its code lies."""

    errors: Numbers  # (N,): mean squared difference of a value in [0, 1] from its reconstruction
    codes: Codes  # (N, r), the means of q(z|x)
    source: str  # which they are, in words

    @classmethod
    @torch.inference_mode()
    def of(cls, checkpoint: Checkpoint, x: Tensor, covariates: Tensor | None, source: str) -> Yardstick:
        """Encode and decode observations (N, *shape), with the covariates (N, m) that the model reads, if it does."""
        errors, codes = [], []
        for start in range(0, len(x), READ_AT_ONCE):
            part = x[start:start + READ_AT_ONCE]
            u = None if covariates is None else covariates[start:start + READ_AT_ONCE]
            mean, _ = posterior(checkpoint, part, u)
            codes.append(mean.numpy())
            errors.append((decoded(checkpoint, mean) - part).square().flatten(1).mean(1).double().numpy())
        return cls(np.concatenate(errors), np.concatenate(codes), source)

    def percentile(self, error: float) -> float:
        """The share of the observations that are reconstructed better, in per cent."""
        return 100 * float(np.mean(self.errors < error))

    def nearest(self, code: Codes, unit: Codes, count: int = NEAREST) -> tuple[Neighbour, ...]:
        """The observations whose codes lie nearest to a code (r,), by distance in the `unit` (r,) of each dimension."""
        apart = np.linalg.norm((self.codes - code) / unit, axis=1)
        return tuple(Neighbour(int(n), float(apart[n])) for n in np.argsort(apart, kind="stable")[:count])


@dataclass(frozen=True)
class Reading:
    """One picture as a checkpoint reads it."""

    pixels: Grey  # (C, H, W)
    code: Codes  # (r,), the mean of q(z|x)
    sigma: Codes | None  # (r,), of q(z|x); None where the encoder knows only a point
    kl: Numbers | None  # (r,) in nats; None where the prior has none by dimension
    reconstruction: Tensor  # (C, H, W), the mean of p(x|z) at the code, pixels in [0, 1]
    error: float  # mean squared difference of a pixel in [0, 1]
    percentile: float  # per cent of the yardstick's observations that are reconstructed better
    nearest: tuple[Neighbour, ...]  # of the yardstick's observations, by their codes
    yardstick: Yardstick


@torch.inference_mode()
def reading(checkpoint: Checkpoint, pixels: Grey, label: int | None, yardstick: Yardstick) -> Reading:
    """A picture, uint8 (C, H, W) or (H, W), as the checkpoint reads it.

    `label` is its class where the model reads one. Raises `ValueError` for a model of no pictures, for a picture that
    does not fit or is blank, and for a label that is missing or none.
    """
    [(name, modality)] = checkpoint.model.modalities.items()
    if not isinstance(modality, Image):
        raise ValueError(f"{checkpoint.run.id} models {modality.plural}, and reads no pictures.")
    x = given.picture(name, modality, pixels)
    u = covariate(checkpoint, label)
    mean, logvar = posterior(checkpoint, x, u)
    kl = None
    if logvar is not None and (prior := checkpoint.priors(u).get(checkpoint.latent)) is not None and isinstance(
            prior, StandardNormal | DiagonalGaussian):
        kl = prior.kl(DiagonalGaussian(mean, logvar), mean[None])[0].double().numpy()
    made = decoded(checkpoint, mean)
    error = float((made - x).square().mean())
    code: Codes = mean[0].numpy()
    return Reading((x[0] * 255).round().to(torch.uint8).numpy(), code,
                   None if logvar is None else (0.5 * logvar[0]).exp().numpy(), kl, made[0], error,
                   yardstick.percentile(error), yardstick.nearest(code, checkpoint.scale()[1]), yardstick)


def covariate(checkpoint: Checkpoint, label: int | None) -> Tensor | None:
    """What a model reads besides the picture, (1, m): a class, or the mean of the numbers of the examples.

    Raises `ValueError` for a class that is missing, that there is not, or that the model does not read.
    """
    if checkpoint.model.covariate is None:
        if label is not None:
            raise ValueError(f"{checkpoint.run.id} reads no class beside the picture: leave it out.")
        return None
    if not checkpoint.classes:
        return mean_covariate(checkpoint)
    if label is None or not 0 <= label < checkpoint.classes:
        raise ValueError(f"{checkpoint.run.id} reads the class beside the picture. Give one of "
                         f"{', '.join(checkpoint.class_names[:20])}.")
    return torch.eye(checkpoint.classes)[label:label + 1]


def mean_covariate(checkpoint: Checkpoint) -> Tensor | None:
    """The mean of the numbers that a model reads beside its examples, (1, m); None where it reads none."""
    return None if checkpoint.covariates is None else checkpoint.covariates.mean(0, keepdim=True)


def normal_priors(checkpoint: Checkpoint) -> list[tuple[Numbers, Numbers]]:
    """Mean and standard deviation (r,) of the prior by which the KL of each dimension is told: one, or one a class.

    Empty where the prior has no KL by dimension.
    """
    covariates = torch.eye(checkpoint.classes) if checkpoint.classes else mean_covariate(checkpoint)
    prior = checkpoint.priors(covariates).get(checkpoint.latent)
    if isinstance(prior, StandardNormal):
        return [(np.zeros(checkpoint.size), np.ones(checkpoint.size))]
    if isinstance(prior, DiagonalGaussian):
        return [(mean.double().numpy(), (0.5 * logvar).exp().double().numpy())
                for mean, logvar in zip(prior.mean, prior.logvar, strict=True)]
    return []


def posterior(checkpoint: Checkpoint, x: Tensor, u: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Mean and log-variance of q(z|x) of observations (B, *shape), (B, r) each; no log-variance of a point."""
    [name] = checkpoint.model.modalities
    q = checkpoint.model.encode({name: x} if u is None else {name: x, COVARIATE: u})[checkpoint.latent]
    return q.mean, q.logvar if isinstance(q, DiagonalGaussian) else None


def decoded(checkpoint: Checkpoint, codes: Tensor) -> Tensor:
    """The means of p(x|z) of codes (B, r): (B, *shape)."""
    [p] = checkpoint.model.decode({checkpoint.latent: codes}).values()
    return p.mean
