"""Codes of a latent, and ways between them. Shapes: r latent size, S steps."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.float32]
Route = Literal["straight", "spherical"]


def between(start: Codes, end: Codes, steps: int, path: Route = "straight") -> Codes:
    """Codes on the way from one (r,) to another, both included, (S, r).

    `spherical` keeps to codes as long as the ends', which a Gaussian prior finds likelier (White 2016).
    """
    t = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    lengths = float(np.linalg.norm(start) * np.linalg.norm(end))
    angle = float(np.arccos(np.clip(float(start @ end) / max(1e-12, lengths), -1, 1)))
    if path == "straight" or np.sin(angle) < 1e-4:
        straight: Codes = (1 - t) * start + t * end
        return straight
    arc: Codes = (np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / np.sin(angle)
    return arc
