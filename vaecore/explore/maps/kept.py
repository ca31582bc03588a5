"""Codes of splits and maps by UMAP, kept in the cache: by the weights, the observations and the settings.

A checkpoint that is replaced has another digest, so what was kept of it is never read again; the oldest go first.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from vaecore.explore.maps.encoded import MEASURES, Encoded
from vaecore.explore.maps.population import Population
from vaecore.explore.maps.projections import Points
from vaecore.files import BrokenFile, digest, prune, read_kept, write_bytes_atomic
from vaecore.mapping import Settings, folder
from vaecore.store import Run, StoreError

VERSION = 1  # of what is kept: raise it when numbers change
BYTES = 2**30  # in the cache, beyond which the oldest go
ENDING = ".map"
MEANS, MEASURE, POINTS = "means", "measure.", "points"  # what arrays are called in a file


def identity(run: Run) -> str:
    """What the weights of a run are, 16 hexadecimal digits; raises `StoreError` where there are none yet."""
    try:
        return digest(run.weights)[:16]
    except BrokenFile as error:
        raise StoreError(f"{run.id}: {error}") from None
    except OSError:
        raise StoreError(f"{run.id} has no weights yet. Start or resume its training.") from None


def key(population: Population) -> str:
    """What names the codes of these observations: other weights, data or rows have another."""
    labels = b"" if population.labels is None else np.ascontiguousarray(population.labels, "<i8").tobytes()
    facts = [VERSION, population.split, population.count, population.source, hashlib.sha256(labels).hexdigest()]
    return f"{identity(population.checkpoint.run)}-{_hashed(facts)}"


def codes(population: Population) -> Encoded | None:
    """The codes of all these observations, as they were kept; None where they were not."""
    found = _read(_path(f"{key(population)}-codes"))
    if found is None or MEANS not in found:
        return None
    count = (population.count,)
    measures = {name: found[MEASURE + name] for name in MEASURES if MEASURE + name in found}
    if found[MEANS].shape != (*count, population.checkpoint.size) or any(x.shape != count for x in measures.values()):
        return None
    return Encoded(found[MEANS], measures)


def has_codes(population: Population) -> bool:
    """Whether the codes of all these observations were kept."""
    return _path(f"{key(population)}-codes").is_file()


def there(population: Population, settings: Settings) -> bool:
    """Whether all of a map with these settings was kept: it costs nothing to have it again."""
    return has_codes(population) and (settings.method != "umap" or _path(_umap(population, settings)).is_file())


def keep_codes(population: Population, encoded: Encoded) -> None:
    """Keep the codes of all these observations; a full or read-only disk costs making them again."""
    _write(_path(f"{key(population)}-codes"), {
        MEANS: encoded.means, **{MEASURE + name: values for name, values in encoded.measures.items()}})


def points(population: Population, settings: Settings) -> Points | None:
    """A map by UMAP with these settings, (N, 2), as it was kept; None where it was not."""
    found = _read(_path(_umap(population, settings)))
    laid = None if found is None else found.get(POINTS)
    return laid if laid is not None and laid.shape == (population.count, 2) else None


def keep_points(population: Population, settings: Settings, laid: Points) -> None:
    """Keep a map by UMAP."""
    _write(_path(_umap(population, settings)), {POINTS: laid})


def _umap(population: Population, settings: Settings) -> str:
    return f"{key(population)}-umap-{_hashed([settings.neighbors, settings.min_dist, settings.seed])}"


def _hashed(facts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]


def _path(name: str) -> Path:
    return folder() / f"{name}{ENDING}"


def _read(path: Path) -> dict[str, NDArray[np.float32]] | None:
    if (data := read_kept(path)) is None:
        return None
    try:
        found = load(data)
    except (SafetensorError, ValueError):
        return None
    return found if all(x.dtype == np.float32 for x in found.values()) else None


def _write(path: Path, arrays: Mapping[str, NDArray[np.float32]]) -> None:
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes_atomic(path, save({name: np.ascontiguousarray(x, np.float32) for name, x in arrays.items()}))
        prune(path.parent, f"*{ENDING}", BYTES)
