"""What an evaluation found of each observation: `points.safetensors` beside `evaluation.json`. No torch in here.

Means of two runs on the same test points differ by less than each of them is uncertain. So one value an observation is
kept of everything that is a mean of such. A file holds those of several evaluations, each under a digest of its
settings, split, data, order of observations, weights and date: of another one they are never taken for its own.
Values are float32; what an observation lacks, as a modality that it does not have, is NaN.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from vaecore.files import write_bytes_atomic

if TYPE_CHECKING:
    from vaecore.data.base import Split

NAME = "points.safetensors"
MAX_POINTS_BYTES = 64 * 2**20  # of a file
MAX_KEPT_VALUES = 200_000  # observations of a quantity; of more nothing is kept, for their mean is as good as certain
MAX_QUANTITIES = 64  # of an evaluation
LOOKED_AT = 512  # observations of whose bytes the order is told
TIES = ("run", "settings", "split", "identity", "data", "order", "observations", "step", "date")
SOURCES = "sources"  # of windows: which clip each is of, by a number
AGREES = 1e-3  # how far the mean of the values may be from the number, of its size or of how far they spread

Values = NDArray[np.float32]


@dataclass
class Points:
    """Values by the name of the quantity, (N,) each, in the order of the split; some are of the first observations.

    `sources` (N,) says of windows cut from longer clips which one each is of: those of one clip go together.
    """

    values: dict[str, Values] = field(default_factory=dict)
    sources: NDArray[np.int64] | None = None

    def add(self, name: str, values: Any) -> None:
        """Keep the values of a quantity, (N,) numbers of numpy or torch; too many are left out."""
        array = np.asarray(values, np.float32)
        if array.ndim == 1 and 1 < len(array) <= MAX_KEPT_VALUES and len(self.values) < MAX_QUANTITIES:
            self.values[name] = array

    def clusters(self, count: int) -> NDArray[np.int64] | None:
        """What goes together among the first `count` observations; None where each stands for itself."""
        return None if self.sources is None or len(self.sources) < count else self.sources[:count]


def order_of(split: Split) -> str:
    """SHA-256 that two splits share only where the same observations stand in one order.

    It is of how many there are, and of the bytes of some of them, evenly over the split.
    """
    count = len(split)
    rows = np.unique(np.linspace(0, count - 1, min(count, LOOKED_AT)).astype(np.int64)) if count else np.zeros(0, int)
    found = hashlib.sha256(str(count).encode())
    for name in sorted(split.arrays):
        array = split.arrays[name]
        part = np.ascontiguousarray(np.stack([array[row] for row in rows])) if count else np.zeros(0)
        found.update(f"{name} {part.dtype} {part.shape}".encode())
        found.update(part.tobytes())
    if split.observed is not None:
        found.update(np.packbits(split.observed).tobytes())
    return found.hexdigest()


def digest(facts: Mapping[str, Any]) -> str:
    """What ties values to one evaluation, as it is kept."""
    told = {name: facts.get(name) or None for name in TIES}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode("utf-8", "replace")).hexdigest()[:32]


def write(path: Path, kept: Mapping[str, Points]) -> None:
    """Write the values of evaluations by their digests, as many of the first as there is room for."""
    tensors: dict[str, NDArray[Any]] = {}
    room = MAX_POINTS_BYTES - 2**20  # the rest is for the header
    for name, one in kept.items():
        mine: dict[str, NDArray[Any]] = {f"{name}/{quantity}": values for quantity, values in one.values.items()}
        if mine and one.sources is not None:
            mine[f"{name}/{SOURCES}"] = one.sources.astype(np.int64)
        room -= sum(array.nbytes for array in mine.values())
        if room < 0:
            break
        tensors |= mine
    if tensors:
        write_bytes_atomic(path, save(tensors, {"format": "points 1"}))


def agreeing(values: Values | None, number: float) -> Values | None:
    """The values, where their mean is the number that they are to be the values of; else None."""
    if values is None or not math.isfinite(number) or not np.isfinite(values).any():
        return None
    apart = abs(float(np.nanmean(values, dtype=np.float64)) - number)
    return values if apart <= AGREES * max(abs(number), float(np.nanstd(values, dtype=np.float64))) else None


def read(path: Path, wanted: str = "") -> dict[str, Points]:
    """The values in a file by the digests of their evaluations, or of one; what is not as we write it is left out."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_POINTS_BYTES:
            return {}
        found: dict[str, Points] = {}
        with safe_open(path, "np") as file:
            for key in list(file.keys())[:MAX_QUANTITIES * 64]:
                name, _, quantity = key.partition("/")
                if wanted in ("", name) and (array := _array(file, key)) is not None:
                    points = found.setdefault(name, Points())
                    if quantity == SOURCES and array.dtype.kind == "i":
                        points.sources = array.astype(np.int64)
                    elif quantity != SOURCES and array.dtype == np.float32:
                        points.add(quantity[:200], array)
        return found
    except (OSError, SafetensorError, ValueError):
        return {}


def _array(file: Any, key: str) -> NDArray[Any] | None:
    part = file.get_slice(key)
    shape = part.get_shape()
    if len(shape) != 1 or not 1 < shape[0] <= MAX_KEPT_VALUES or part.get_dtype() not in ("F32", "I64"):
        return None
    return np.asarray(file.get_tensor(key))
