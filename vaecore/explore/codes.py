"""Codes of a latent, and ways between them. Shapes: r latent size, S steps."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.float32]
Drawn = Literal["straight", "spherical"]  # paths that are drawn without asking the decoder
Route = Literal["straight", "spherical", "shortest"]
DRAWN: tuple[Drawn, ...] = ("straight", "spherical")
ROUTES: tuple[Route, ...] = (*DRAWN, "shortest")


def between(start: Codes, end: Codes, steps: int, path: Drawn = "straight") -> Codes:
    """Codes on the way from one (r,) to another, both included, (S, r).

    `spherical` keeps to codes as long as the ends', which a Gaussian prior finds likelier (White 2016).
    """
    t = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    lengths = float(np.linalg.norm(start) * np.linalg.norm(end))
    angle = float(np.arccos(np.clip(float(start @ end) / max(1e-12, lengths), -1, 1)))
    if path == "straight" or math.sin(angle) < 1e-4:
        straight: Codes = (1 - t) * start + t * end
        return straight
    arc: Codes = (np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / math.sin(angle)
    return arc
