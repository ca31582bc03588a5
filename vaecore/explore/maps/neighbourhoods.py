"""Codes in the plane by UMAP (McInnes et al. 2018), of the optional package umap-learn.

It keeps neighbours together; distances across the map, and the sizes of its islands, say nothing. Shapes: N codes, Q
new ones, k neighbours, r latent size.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from vaecore.explore.codes import Codes
from vaecore.explore.maps.nearest import nearest
from vaecore.explore.maps.projections import Points
from vaecore.schema import problem

MISSING = "UMAP needs the package umap-learn, which is not installed here."
REMEDY = "Install it with `pip install 'vaecore[umap]'` (in a clone `pip install umap-learn`)"
FEW = 16  # points: too few for a spectral layout to begin with
EPOCHS = re.compile(r"(\d+)/(\d+)")


def available() -> bool:
    """Whether umap-learn is installed, without importing it, which takes seconds."""
    return find_spec("umap") is not None


def check() -> None:
    """Raise `ConfigError` with the way to install it where umap-learn is not."""
    if not available():
        raise problem("method", "umap", MISSING, f"{REMEDY}, or choose dims or pca.")


def project(codes: Codes, neighbors: int = 15, min_dist: float = 0.1, seed: int = 0,
            progress: Callable[[int, int], object] | None = None) -> Points:
    """Codes (N, r) laid out by UMAP with Euclid's distance, (N, 2), the same for the same seed.

    `progress` is told the epochs done, of how many. Raises `ConfigError` without umap-learn, `ValueError` for fewer
    than three codes.
    """
    check()
    if len(codes) < 3:
        raise ValueError(f"{len(codes)} codes have no neighbourhoods. Take at least 3.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of its own threads and of layouts of few points
        import umap

        bar = {} if progress is None else {"disable": False, "file": _Bar(progress), "mininterval": 0.2}
        reducer = umap.UMAP(n_neighbors=min(neighbors, len(codes) - 1), min_dist=min_dist, random_state=seed, n_jobs=1,
                            init="spectral" if len(codes) > FEW else "random", tqdm_kwds=bar)
        found = reducer.fit_transform(np.ascontiguousarray(codes, np.float32))
    return np.ascontiguousarray(found, np.float32)


def place(codes: Codes, points: Points, new: Codes, neighbors: int = 15) -> Points:
    """Where new codes (Q, r) come to lie in a map that exists, (Q, 2).

    Each lies at the mean of its nearest neighbours' points, weighted by UMAP's own memberships: 1 for the nearest, and
    falling so that they sum to log2 k. That is where UMAP's transform begins; the pulls and pushes that follow there
    are left out, so this is an approximation.
    """
    if not len(new):
        return np.zeros((0, 2), np.float32)
    places, far = nearest(codes, new, neighbors)
    weights = memberships(far)
    weights /= weights.sum(1, keepdims=True)
    found: Points = np.einsum("qk,qkd->qd", weights, points[places].astype(np.float64)).astype(np.float32)
    return found


def memberships(far: NDArray[np.float64]) -> NDArray[np.float64]:
    """UMAP's memberships of neighbours by their distances, ascending (Q, k): exp(-(d - d_1) / s), (Q, k).

    s is such that they sum to log2 k, as far as it can be; found by halving.
    """
    beyond = far - far[:, :1]
    aim = np.log2(max(2, far.shape[1]))
    low, high = np.zeros(len(far)), np.full(len(far), np.inf)
    scale = np.ones(len(far))
    for _ in range(64):
        total = np.exp(-beyond / scale[:, None]).sum(1)
        high = np.where(total > aim, scale, high)
        low = np.where(total > aim, low, scale)
        scale = np.where(np.isinf(high), 2 * scale, (low + high) / 2)
        scale = np.clip(scale, 1e-12, 1e12)
    return np.exp(-beyond / scale[:, None])


class _Bar(io.StringIO):
    """What umap-learn draws its bar on: the epochs are read from it."""

    def __init__(self, progress: Callable[[int, int], object]) -> None:
        super().__init__()
        self.progress = progress

    def write(self, text: str) -> int:
        if found := EPOCHS.search(text):
            self.progress(int(found[1]), int(found[2]))
        return len(text)
