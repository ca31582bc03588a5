"""The same images and the same codes through several checkpoints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from vaecore.data import COVARIATE
from vaecore.explore.codes import Codes
from vaecore.explore.pictures import Images, as_images
from vaecore.explore.single import Checkpoint, as_read
from vaecore.training.checkpoints import BrokenCheckpoint


def reconstruct_same(checkpoints: Sequence[Checkpoint], count: int) -> list[Images]:
    """The first checkpoint's test images, then their reconstructions by each: equal shapes, one row each.

    Raises `BrokenCheckpoint` for a checkpoint of images of another shape.
    """
    first = checkpoints[0]
    x = first.examples[:count]
    rows = [as_images(x)]
    for checkpoint in checkpoints:
        [(name, modality)] = checkpoint.model.modalities.items()
        if modality.shape != x.shape[1:]:
            raise BrokenCheckpoint(f"{checkpoint.run.id} takes images of shape {modality.shape}, but "
                                   f"{first.run.id} has {tuple(x.shape[1:])}. Compare runs of one data set.")
        batch = {name: x}
        if (covariate := checkpoint.model.covariate) is not None:
            u = first.covariates if first.model.covariate == covariate else as_read(covariate, first.labels, None)
            if u is None:
                raise BrokenCheckpoint(f"{checkpoint.run.id} reads labels or covariates, which the test images of "
                                       f"{first.run.id} lack. Compare runs of one data set.")
            batch[COVARIATE] = u[:count]
        with torch.inference_mode():
            codes = checkpoint.model.encode(batch)[checkpoint.latent].mean.numpy()
        rows.append(checkpoint.decode(codes))
    return rows


def codes_same(checkpoints: Sequence[Checkpoint], count: int, temperature: float = 1.0, seed: int = 0) -> list[Codes]:
    """Codes of several checkpoints from the same noise through each one's own prior, (count, r) each.

    Without a prior it goes through the Gaussian fitted to the codes of data, or the law that the model gives its
    sources.

    A bank of normal numbers says where in a Gaussian a code lies, a uniform one which component of a mixture it is
    from, another which example's covariate a conditional prior is given. Latent axes of two runs have nothing to do
    with each other, so they are paired by rank: the first number of the bank goes to each run's most informative
    dimension, and so on; it is as long as the largest latent, and a smaller one leaves the last numbers out.
    """
    largest = max(checkpoint.size for checkpoint in checkpoints)
    rng = np.random.default_rng(seed)
    bank = np.float32(temperature) * rng.standard_normal((count, largest), np.float32)
    component, example = rng.random(count), rng.random(count)
    found = []
    for checkpoint in checkpoints:
        normal = np.zeros((count, checkpoint.size), np.float32)
        normal[:, checkpoint.order] = bank[:, : checkpoint.size]
        found.append(checkpoint.from_noise(component, normal, example, seed, temperature))
    return found


def decode_same(checkpoints: Sequence[Checkpoint], count: int, temperature: float = 1.0, seed: int = 0
                ) -> list[Images]:
    """Decoder means of `codes_same`, one row a checkpoint: (count, H, W[, 3]) of each one's own shape."""
    codes = codes_same(checkpoints, count, temperature, seed)
    return [checkpoint.decode(z) for checkpoint, z in zip(checkpoints, codes, strict=True)]
