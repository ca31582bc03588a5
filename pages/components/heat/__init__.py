"""Heat maps of the KL per latent dimension over training: thin the columns here, draw them in the browser.

A page calls `heat_maps(maps, key=...)` in a fragment that reruns each second. One column is one evaluation, one
row one latent dimension; all maps share the colour scale and the range of steps, so that they compare. Nothing
is ever sent back. The drawing is in `heat.js`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pages.components.serve import component
from pages.shared import colours
from vaecore import packing

MAX_MAPS = 8  # maps at once
LIMIT = 600  # columns of one map that the browser gets: about one per pixel of a half-wide map
CELLS = 100_000  # of one map that the browser gets: the wider the latent, the fewer columns


@dataclass(frozen=True)
class Heat:
    """One map. Maps of the same `run` share a colour beside their title."""

    label: str
    run: str
    steps: np.ndarray  # (S,) of the evaluations, at any distance from each other
    values: np.ndarray  # (S, r) nats; nan and infinity are hatched


def heat_maps(maps: Sequence[Heat], *, key: str, ordered: bool = False, height: int = 320) -> None:
    """Draw up to `MAX_MAPS` maps in a grid; call again with the same `key` and more evaluations to refresh in place.

    Rows stand in the order of the dimensions or, `ordered`, by their KL at the last evaluation, largest first.
    """
    component("heat")(key=key, data=pack(maps, ordered=ordered, height=height,
                                    places=colours.places(each.run for each in maps)))


def pack(maps: Sequence[Heat], *, ordered: bool = False, height: int = 320,
         places: Mapping[str, int] | None = None) -> bytes:
    """All maps as `u32 header length | JSON header | float32 values`: little-endian, aligned.

    Each map adds, in the header's order, its steps (columns) and its values (columns, rows), rows as drawn:
    `dimensions` names them from the top. `reach` is the width of the last column, which no evaluation ends yet.

    Raises ValueError for more than `MAX_MAPS` maps, and for values that are not one row of r for each step.
    """
    if len(maps) > MAX_MAPS:
        raise ValueError(f"at most {MAX_MAPS} maps, not {len(maps)}")
    floats: list[np.ndarray] = []
    packed: list[dict[str, Any]] = []
    largest = 0.0
    for each in maps:
        steps, values = _clean(each)
        n, r = values.shape
        kept = thin(n, max(2, min(LIMIT, CELLS // max(r, 1))))
        rows = np.argsort(-values[-1], kind="stable") if ordered and n else np.arange(r)  # nan comes last
        floats += [steps[kept], values[kept][:, rows]]
        largest = max(largest, float(np.nanmax(values, initial=0.0)))
        packed.append(
            {
                "label": each.label,
                "run": each.run,
                "given": n,
                "columns": len(kept),
                "dimensions": rows.tolist(),
                "reach": float(np.median(np.diff(steps))) if n > 1 else 1.0,
            }
        )
    header = {"height": height, "ordered": ordered, "ceiling": ceiling(largest), "places": dict(places or {}),
              "maps": packed}
    return packing.packed(header, *(part.astype(np.float32) for part in floats))


def thin(n: int, limit: int = LIMIT) -> np.ndarray:
    """Ascending indices of at most `limit` of `n` columns, first and last among them.

    The stride doubles and the grid stays where it is, so columns do not shimmer while evaluations are added.
    """
    stride = 1
    while -(-n // stride) + 1 > limit and stride < n:
        stride *= 2
    return np.union1d(np.arange(0, n, stride), np.arange(n)[-1:])


def ceiling(largest: float) -> float:
    """The round number of nats at the top of the colour scale.

    It is at least 1, or the noise of a run that has collapsed altogether would shine; and it moves in steps, or
    every new maximum would recolour all maps.
    """
    if largest <= 1:
        return 1.0
    decade = 10.0 ** math.floor(math.log10(largest))
    return next(decade * step for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if decade * step >= largest)


def _clean(heat: Heat) -> tuple[np.ndarray, np.ndarray]:
    """Steps ascending without repeats, values with nan for what is not finite.

    A resumed run evaluates some steps twice: the later evaluation stands.
    """
    with np.errstate(over="ignore"):  # beyond float32 is infinite, so hatched
        steps = np.asarray(heat.steps, dtype=np.float32).ravel()
        values = np.asarray(heat.values, dtype=np.float32)
    if not len(steps) and not values.size:
        values = values.reshape(0, values.shape[1] if values.ndim == 2 else 0)
    if values.ndim != 2 or len(values) != len(steps):
        raise ValueError(f"map {heat.label!r}: {len(steps)} steps but values of shape {values.shape}")
    usable = np.isfinite(steps)
    steps, values = steps[usable], values[usable]
    order = np.argsort(steps, kind="stable")
    last = np.append(np.diff(steps[order]) > 0, True)[: len(steps)]
    steps, values = steps[order][last], values[order][last]
    return steps, np.where(np.isfinite(values), values, np.float32(np.nan))
