"""The nearest of many codes, exactly. Shapes: N codes, Q asked for, k neighbours, r latent size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vaecore.explore.codes import Codes

DISTANCES_AT_ONCE = 8_000_000  # differences of numbers that lie in memory together


def nearest(codes: Codes, asked: Codes, k: int = 1) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Places of the k codes nearest to each of `asked` (Q, r), nearest first, and how far they are, (Q, k) both.

    By Euclid's distance, exactly; of equally far ones the first. `k` is at most N.
    """
    k = min(k, len(codes))
    asked = np.atleast_2d(np.asarray(asked, np.float32))
    places = np.empty((len(asked), k), np.int64)
    far = np.empty((len(asked), k))
    step = max(1, DISTANCES_AT_ONCE // max(1, codes.size))
    for start in range(0, len(asked), step):
        part = asked[start:start + step]
        squared = np.square(codes[None] - part[:, None], dtype=np.float64).sum(2)
        if k < len(codes):  # all that are no farther than the k-th, so that ties are told apart by their places
            limit = np.partition(squared, k - 1, axis=1)[:, k - 1:k]
            squared = np.where(squared <= limit, squared, np.inf)
        order = np.argsort(squared, axis=1, kind="stable")[:, :k]
        places[start:start + step] = order
        far[start:start + step] = np.sqrt(np.take_along_axis(squared, order, 1))
    return places, far
