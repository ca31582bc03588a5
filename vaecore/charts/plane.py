"""Planes as what a browser is sent: the lecture's picture of posterior collapse, and rate against distortion.

`pages/components/plane` draws them, on a page or in a file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vaecore import packing
from vaecore.colours import CLASSES

RATE, DISTORTION = "rate: KL in nats", "distortion: −E log p(x|z) in nats"  # what the axes of paths are
MAX_PLANES = 8  # planes side by side
SNAPSHOTS = 64  # of one track that the browser gets: it moves smoothly from one to the next
POINTS = 500  # of one plane, as in the paper
EVALUATIONS = 400  # of one path
DIMENSIONS = 256  # of one spectrum: the largest


@dataclass(frozen=True)
class Track:
    """N data points in one plane at S snapshots: x the model's posterior mean, y the encoder's."""

    label: str
    run: str  # decides the colour, as in the curves
    steps: np.ndarray  # (S,)
    x: np.ndarray  # (S, N) mean of p(z|x); nan and infinity leave a point out
    y: np.ndarray  # (S, N) mean of q(z|x)
    colours: np.ndarray | None = None  # (N,) whole numbers from 0, as classes; without, all have the run's colour
    classes: Sequence[str] = ()  # what they are called; a class beyond them by its number


@dataclass(frozen=True)
class Path:
    """One run's way through the rate-distortion plane: a point for each of S evaluations."""

    label: str
    run: str  # decides the colour, as in the curves
    steps: np.ndarray  # (S,)
    x: np.ndarray  # (S,) rate in nats; nan and infinity leave a gap
    y: np.ndarray  # (S,) distortion in nats


@dataclass(frozen=True)
class Spectrum:
    """KL of one run by latent dimension, falling."""

    label: str
    run: str  # decides the colour, as in the curves
    names: Sequence[str]  # (r,) of the dimensions
    kl: Sequence[float]  # (r,) nats, falling
    active: int | None = None  # of them


def pack_tracks(tracks: Sequence[Track], *, x_label: str, y_label: str, height: int = 420,
                places: Mapping[str, int] | None = None) -> bytes:
    """All tracks as `_pack` lays them out; the columns of each are steps (S,), x (S, N) and y (S, N)."""
    if len(tracks) > MAX_PLANES:
        raise ValueError(f"{len(tracks)} tracks: show at most {MAX_PLANES} at once")
    floats: list[np.ndarray] = []
    packed: list[dict[str, Any]] = []
    for track in tracks:
        steps, x, y = _clean(f"track {track.label!r}", track.steps, track.x, track.y, ndim=2)
        kept = spread(len(steps), SNAPSHOTS)
        every = max(1, math.ceil(x.shape[1] / POINTS))
        floats += [steps[kept], x[kept, ::every], y[kept, ::every]]
        colours = _colours(track, x.shape[1])[::every]
        packed.append({"label": track.label, "run": track.run, "snapshots": len(kept), "points": floats[-1].shape[1],
                       "every": every, "colours": colours, "names": {
                           each: track.classes[each] if each < len(track.classes) else str(each)
                           for each in sorted(set(colours))}})
    reach = max((_reach(x, y) for x, y in zip(floats[1::3], floats[2::3], strict=True)), default=0.0)
    header = {"kind": "tracks", "xLabel": x_label, "yLabel": y_label, "height": height, "places": dict(places or {}),
              "classes": CLASSES}
    return _pack({**header, "limit": _round_up(reach), "tracks": packed}, floats)


def pack_paths(paths: Sequence[Path], *, x_label: str, y_label: str, height: int = 420,
               places: Mapping[str, int] | None = None) -> bytes:
    """All paths as `_pack` lays them out; the columns of each are steps, x and y, each (S,)."""
    floats: list[np.ndarray] = []
    packed: list[dict[str, Any]] = []
    for path in paths:
        columns = _clean(f"path {path.label!r}", path.steps, path.x, path.y, ndim=1)
        kept = spread(len(columns[0]), EVALUATIONS)
        floats += [column[kept] for column in columns]
        packed.append({"label": path.label, "run": path.run, "points": len(kept)})
    header = {"kind": "paths", "xLabel": x_label, "yLabel": y_label, "height": height, "places": dict(places or {})}
    return _pack({**header, "xRange": _range(floats[1::3]), "yRange": _range(floats[2::3]), "paths": packed}, floats)


def pack_spectra(spectra: Sequence[Spectrum], *, height: int = 420, places: Mapping[str, int] | None = None) -> bytes:
    """All spectra as `_pack` lays them out; the column of each is its KL (r,)."""
    floats: list[np.ndarray] = []
    packed: list[dict[str, Any]] = []
    for spectrum in spectra:
        values = np.asarray(spectrum.kl, np.float32)
        if values.ndim != 1 or len(values) != len(spectrum.names):
            raise ValueError(f"spectrum {spectrum.label!r}: {len(spectrum.names)} names but KL of shape {values.shape}")
        kept = values[:DIMENSIONS]
        floats.append(np.where(np.isfinite(kept), kept, np.float32(np.nan)))
        packed.append({"label": spectrum.label, "run": spectrum.run, "points": len(kept), "size": len(values),
                       "names": list(spectrum.names[:DIMENSIONS]), "active": spectrum.active})
    longest = max((each["points"] for each in packed), default=1)
    every = np.concatenate([np.zeros(1, np.float32), *floats])
    top = max(float(np.nanmax(every)), 0.1)
    bottom = min(float(np.nanmin(every)), 0.0)
    header = {"kind": "spectra", "xLabel": "dimension, by its rank", "yLabel": "KL in nats", "height": height,
              "places": dict(places or {}), "xRange": (0.5, longest + 0.5),
              "yRange": (bottom - 0.02 * top, 1.06 * top)}
    return _pack({**header, "paths": packed}, floats)


def spread(n: int, limit: int) -> np.ndarray:
    """At most `limit` of n indices, ascending, the first and the last among them.

    They are multiples of a power of two, so what was kept stays while n grows, until that power doubles.
    """
    every = 1
    while math.ceil(n / every) >= limit:
        every *= 2
    return np.unique(np.append(np.arange(0, n, every), n - 1)) if n > limit else np.arange(n)


def _clean(what: str, steps: Any, x: Any, y: Any, *, ndim: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Float32, steps ascending without repeats; where x or y is not finite, both are nan.

    A resumed run writes some steps twice: the later value stands.
    """
    try:
        with np.errstate(over="ignore"):  # beyond float32 is infinite, so a gap
            steps, x, y = (np.asarray(values, dtype=np.float32) for values in (steps, x, y))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what}: steps, x and y must be arrays of numbers") from error
    if x.size == y.size == 0:  # nothing yet, in whatever shape
        nothing = np.zeros((0,) * ndim, np.float32)
        return np.zeros(0, np.float32), nothing, nothing
    if x.shape != y.shape:
        raise ValueError(f"{what}: x has shape {x.shape} but y {y.shape}")
    if x.ndim != ndim or steps.shape != x.shape[:1]:
        wanted = "(S, N)" if ndim == 2 else "(S,)"
        raise ValueError(f"{what}: with steps (S,), x must be {wanted}, not {x.shape} with steps {steps.shape}")
    usable = np.flatnonzero(np.isfinite(steps))
    order = usable[np.argsort(steps[usable], kind="stable")]
    order = order[np.append(np.diff(steps[order]) != 0, True)] if len(order) else order
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = (np.where(finite, values, np.float32(np.nan)) for values in (x, y))
    return steps[order], x[order], y[order]


def _colours(track: Track, points: int) -> list[int]:
    """One class a point, or none at all."""
    if track.colours is None or points == 0:
        return []
    colours = np.asarray(track.colours)
    if colours.shape != (points,):
        raise ValueError(f"track {track.label!r}: {points} points but colours of shape {colours.shape}")
    if colours.dtype.kind not in "iu" or colours.min() < 0:
        raise ValueError(f"track {track.label!r}: colours must be whole numbers from 0")
    return [int(colour) for colour in colours]


def _reach(x: np.ndarray, y: np.ndarray) -> float:
    """How far from 0 the points get at any snapshot, but for a stray one in two hundred."""
    snapshots = (row[np.isfinite(row)] for row in np.abs(np.hstack([x, y])))
    return max((1.1 * float(np.quantile(row, 0.995)) for row in snapshots if row.size), default=0.0)


def _round_up(reach: float) -> float:
    """A round limit of both axes, so that it seldom changes; at least 1, the prior's standard deviation."""
    if reach <= 1:
        return 1.0
    power = 10.0 ** math.floor(math.log10(reach))
    return next(m * power for m in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if m * power >= reach)


def _range(paths: Iterable[np.ndarray]) -> tuple[float, float]:
    """Limits of one axis: the later half of each path, and of the rest what is at most as far away again.

    The first evaluation, before any training, can be far off; it would press all else into a corner. At least
    one nat, else the noise of a run that stands still would fill the plane.
    """
    finite = [values[np.isfinite(values)].astype(np.float64) for values in paths]
    finite = [values for values in finite if len(values)]
    if not finite:
        return 0.0, 1.0
    every, late = np.concatenate(finite), np.concatenate([values[(len(values) - 1) // 2 :] for values in finite])
    span = max(float(np.ptp(late)), 1.0)
    low, high = max(every.min(), late.min() - span), min(every.max(), late.max() + span)
    missing = max(0.0, 1.0 - (high - low)) / 2
    margin = 0.06 * max(high - low, 1.0) + missing
    return float(low - margin), float(high + margin)


def _pack(header: dict[str, Any], floats: Sequence[np.ndarray]) -> bytes:
    """The header, then float32 columns, rows one after another."""
    return packing.packed(header, *(part.astype(np.float32) for part in floats))
