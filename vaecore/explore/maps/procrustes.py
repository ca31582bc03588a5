"""One map turned, scaled and moved onto another of the same observations (Procrustes; Schönemann 1966).

The least squares of s · x R + t against y has a closed form: with both centred and U S V' = x'y, R = U V' and
s = tr(S) / |x|². Shapes: N points, (N, 2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.floating]


@dataclass(frozen=True)
class Alignment:
    """x ↦ scale · x @ rotation + shift, and how much of the other map's variance it leaves."""

    rotation: NDArray[np.float64]  # (2, 2), rows before columns
    scale: float
    shift: NDArray[np.float64]  # (2,)
    left: float  # share from 0, alike but for their place, to 1

    @property
    def mirrored(self) -> bool:
        """Whether the map is seen in a mirror, besides being turned."""
        return bool(np.linalg.det(self.rotation) < 0)

    @property
    def degrees(self) -> float:
        """Degrees by which the map is turned, anticlockwise, after any mirroring of the vertical axis."""
        first = self.rotation[0]
        return float(np.degrees(np.arctan2(first[1], first[0])))

    def of(self, points: Points) -> NDArray[np.float64]:
        """Points of the first map in the place of the second."""
        return self.scale * np.asarray(points, np.float64) @ self.rotation + self.shift

    def back(self, points: Points) -> NDArray[np.float64]:
        """Places in the second map as points of the first: the inverse of `of`."""
        return (np.asarray(points, np.float64) - self.shift) @ self.rotation.T / self.scale


def align(x: Points, y: Points, *, mirror: bool = False) -> Alignment:
    """The rotation, scale and shift that bring `x` nearest to `y`, point by point; `mirror` allows a reflection too.

    Raises `ValueError` for maps of different points, and where all points of one lie in one place.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.shape != y.shape or x.ndim != 2 or not len(x):
        raise ValueError(f"maps of shapes {x.shape} and {y.shape} do not show the same points.")
    centre, target = x.mean(0), y.mean(0)
    x, y = x - centre, y - target
    size, aim = float(np.square(x).sum()), float(np.square(y).sum())
    if not (size > 0 and aim > 0):
        raise ValueError("all points of a map lie in one place, so there is nothing to turn.")
    u, s, vt = np.linalg.svd(x.T @ y)
    signs = np.ones(len(s))
    if not mirror and np.linalg.det(u @ vt) < 0:  # the nearest rotation turns the weaker axis back
        signs[-1] = -1.0
    rotation = (u * signs) @ vt
    kept = float((s * signs).sum())
    scale = kept / size
    left = max(0.0, 1.0 - kept * kept / (size * aim))
    return Alignment(rotation, scale, target - scale * centre @ rotation, left)
