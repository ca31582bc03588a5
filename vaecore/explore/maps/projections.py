"""Codes in the plane: by two of their dimensions, or by principal components. UMAP is in `neighbourhoods.py`.

Both are planes of the latent space: a place in them is a code. Shapes: N codes, r latent size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vaecore.explore.codes import Codes
from vaecore.explore.maps.procrustes import Alignment

Points = NDArray[np.float32]  # (N, 2)


@dataclass(frozen=True)
class Plane:
    """A plane of the latent space: the code at (x, y) is origin + x · across + y · up, (r,) each."""

    origin: NDArray[np.float64]
    across: NDArray[np.float64]
    up: NDArray[np.float64]

    @property
    def axes(self) -> NDArray[np.float64]:
        """Both directions, (2, r)."""
        return np.stack([self.across, self.up])

    def points(self, codes: Codes) -> Points:
        """Where codes (N, r) lie, seen at a right angle to the plane."""
        inverse = np.linalg.pinv(self.axes)  # (r, 2)
        return ((np.asarray(codes, np.float64) - self.origin) @ inverse).astype(np.float32)

    def codes(self, points: NDArray[np.floating]) -> Codes:
        """The codes at places (N, 2)."""
        return (self.origin + np.asarray(points, np.float64) @ self.axes).astype(np.float32)

    def moved(self, how: Alignment) -> Plane:
        """A plane whose places were turned, scaled and moved: a new place stands for the code of the old one."""
        axes = how.rotation.T / how.scale @ self.axes
        return Plane(self.origin - how.shift @ axes, axes[0], axes[1])


def by_dimensions(size: int, across: int, up: int, base: Sequence[float] | NDArray[np.floating]) -> Plane:
    """The plane of two dimensions through the code `base` (r,): the others are held there.

    Raises `ValueError` for dimensions that are not two of the r.
    """
    if across == up or not (0 <= across < size and 0 <= up < size):
        raise ValueError(f"dimensions {across} and {up} are not two of 0 to {size - 1}.")
    origin = np.array(base, np.float64)
    origin[[across, up]] = 0
    return Plane(origin, np.eye(size)[across], np.eye(size)[up])


@dataclass(frozen=True)
class Components:
    """Principal components of codes: each next direction of unit length has the most variance that is left."""

    mean: NDArray[np.float64]  # (r,)
    directions: NDArray[np.float64]  # (k, r), of which the largest entry in magnitude is positive
    variances: NDArray[np.float64]  # (k,), of the codes along them
    shares: NDArray[np.float64]  # (k,) of the variance of all dimensions

    @property
    def plane(self) -> Plane:
        """The plane of the first two components; of codes of one dimension the second is nothing."""
        second = self.directions[1] if len(self.directions) > 1 else np.zeros_like(self.mean)
        return Plane(self.mean, self.directions[0], second)


def principal(codes: Codes) -> Components:
    """Principal components of codes (N, r), exactly, by a singular value decomposition of the centred codes.

    Signs, which the decomposition leaves open, are such that the largest entry of each direction is positive.
    Raises `ValueError` for fewer than two codes.
    """
    x = np.asarray(codes, np.float64)
    if len(x) < 2:
        raise ValueError(f"{len(x)} codes have no principal components. Take at least 2.")
    mean = x.mean(0)
    # Of many codes the triangle of x = QR has the same singular values and directions, and only r rows.
    centred = x - mean
    small = np.linalg.qr(centred, mode="r") if len(x) > x.shape[1] else centred
    _, s, directions = np.linalg.svd(small, full_matrices=False)
    largest = np.abs(directions).argmax(1)
    signs = np.sign(directions[np.arange(len(directions)), largest])
    variances = np.square(s) / (len(x) - 1)
    total = variances.sum()
    return Components(mean, directions * np.where(signs == 0, 1, signs)[:, None], variances,
                      variances / total if total > 0 else np.zeros_like(variances))
