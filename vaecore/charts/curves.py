"""Line charts as what a browser is sent: series thinned, in one message of columns.

`pages/components/curves` draws it, on a page or in a file. How it is looked at is the browser's: what lies across
(steps, epochs, training time, steps since a fork), log axes, smoothing, which part of the values the vertical axis
spans, zoom, legend, one chart alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vaecore import packing

LIMIT = 1200  # points of one series that the browser gets: about one per pixel of a wide screen
CROWDED, FEWER_POINTS = 8, 600  # from so many series in a chart on, each gets so many
SMOOTHING = 0.6  # what curves of training begin with, wherever they are shown
KNOTS = 400  # points of a run's clock


@dataclass(frozen=True)
class Series:
    """One line. Series of the same `run` share a colour in every panel; without a run, the label decides."""

    label: str
    x: np.ndarray  # (N,) travels as float32: whole steps are exact up to 16.7 million; not for epoch seconds
    y: np.ndarray  # (N,) nan and infinity leave a gap
    run: str = ""
    dashed: bool = False  # validation is dashed, training solid
    right: bool = False  # against an axis of its own on the right: dotted, linear and never smoothed
    step: bool = False  # stairs: each value stands until the next
    level: bool = False  # one value, drawn from end to end of the others whatever lies across
    before: bool = False  # of a fork's parent, up to where the fork left it: seen where steps are those since a fork


@dataclass(frozen=True)
class Panel:
    """One chart of the grid."""

    title: str
    series: Sequence[Series]
    unit: str = ""
    help: str = ""
    may_log: bool = True  # False keeps the y axis linear even where a log one is asked
    may_smooth: bool = True  # False for what is exact, as a schedule is
    right_title: str = ""  # of the right-hand axis; drawn where a series asks for it
    right_unit: str = ""


def _none() -> np.ndarray:
    return np.zeros(0)


@dataclass(frozen=True)
class Clock:
    """What a run's steps are in other measures."""

    per_epoch: float = 0.0  # steps; 0 where it is not known
    steps: np.ndarray = field(default_factory=_none)  # (K,) at which it is known how long it had trained
    seconds: np.ndarray = field(default_factory=_none)  # (K,)
    zero: float = 0.0  # the step at which forks of it, shown beside it, left it; a fork itself counts from there


def pack(panels: Sequence[Panel], *, clocks: Mapping[str, Clock] | None = None, smoothing: float = 0.0,
         height: int = 260, columns: int = 2, places: Mapping[str, int] | None = None,
         names: Mapping[str, str] | None = None) -> bytes:
    """All panels as `u32 header length | JSON header | float32 columns`: little-endian, columns aligned.

    Each series adds its columns in the header's order: x, y and, where it is `blocked`, the mean and count
    of `_blocks`; then each clock its steps and seconds. `names` are what runs are called where it is not their id.
    Raises `ValueError` for smoothing out of its range, and for columns of unlike lengths.
    """
    if not 0 <= smoothing < 1:
        raise ValueError(f"smoothing must lie in [0, 1), not {smoothing}")
    floats: list[np.ndarray] = []
    packed_panels: list[dict[str, Any]] = []
    drawn: dict[str, list[tuple[str, str, str]]] = {}  # of each run: chart, label and what is drawn there
    for panel in panels:
        limit = LIMIT if len(panel.series) < CROWDED else FEWER_POINTS
        packed_series: list[dict[str, Any]] = []
        not_finite = 0
        for series in panel.series:
            x, y, lost = _clean(series)
            not_finite += lost
            group = series.run or series.label
            if len(x) and not (series.level or series.right):
                content = hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()
                drawn.setdefault(group, []).append((panel.title, series.label, content))
            kept = _kept(y, limit, log_y=panel.may_log and not series.right)
            # Means are sent of what may be smoothed; they say how the values lie that were thinned out, besides.
            blocked = len(kept) < len(y) and not series.right
            floats += [x[kept], y[kept], *(_blocks(y, kept) if blocked else ())]
            packed_series.append({"label": series.label, "group": group, "dashed": series.dashed,
                                  "right": series.right, "step": series.step, "level": series.level,
                                  "before": series.before, "given": len(series.x), "points": len(kept),
                                  "blocked": blocked})
        packed_panels.append({
            "title": panel.title, "unit": panel.unit, "rightTitle": panel.right_title, "rightUnit": panel.right_unit,
            "help": panel.help, "note": f"{_values(not_finite)} nan or infinite" if not_finite else "", "hidden": 0,
            "mayLog": panel.may_log, "maySmooth": panel.may_smooth, "series": packed_series})
    runs: dict[str, dict[str, Any]] = {}
    for group, clock in (clocks or {}).items():
        known = _knots(clock)
        floats += [clock.steps[known], clock.seconds[known]]
        runs[group] = {"perEpoch": clock.per_epoch, "zero": clock.zero, "knots": len(known)}
    same = _same(drawn)
    for sent in packed_panels:  # curves that lie exactly on another, of runs that differ elsewhere
        found = [line for run, lines in drawn.items() if run not in same for line in lines if line[0] == sent["title"]]
        sent["hidden"] = len(found) - len(set(found))
    header = {"height": height, "columns": columns, "smoothing": smoothing, "places": dict(places or {}),
              "names": dict(names or {}), "same": same, "runs": runs, "panels": packed_panels}
    return packing.packed(header, *(part.astype(np.float32) for part in floats))


def thin(y: np.ndarray, limit: int = LIMIT, *, log: bool = False) -> np.ndarray:
    """Ascending indices, at most `limit`, that keep the look of `y`: both ends, extremes and gaps of buckets.

    Buckets are equally wide on the axis that will be drawn. Their edges stay where they are while points are
    added (until the size doubles), so the line does not shimmer from one refresh to the next.
    """
    n = len(y)
    if n <= limit:
        return np.arange(n)
    finite = np.isfinite(y)
    buckets = (limit - 2) // (2 if finite.all() else 3)
    if log:
        decades = len(str(n))
        starts = np.unique((10 ** (np.arange(buckets) * decades / buckets)).astype(np.int64)) - 1
        starts = starts[starts < n]
    else:
        size = 2
        while size * buckets < n:
            size *= 2
        starts = np.arange(0, n, size)
    lengths = np.diff(starts, append=n)

    def first(wanted: np.ndarray) -> np.ndarray:
        """The first wanted index of each bucket that has one."""
        hits = np.flatnonzero(wanted)
        return hits[np.unique(np.searchsorted(starts, hits, side="right"), return_index=True)[1]]

    low, high = np.where(finite, y, np.inf), np.where(finite, y, -np.inf)
    lowest = first(low == np.repeat(np.minimum.reduceat(low, starts), lengths))
    highest = first(high == np.repeat(np.maximum.reduceat(high, starts), lengths))
    return np.unique(np.concatenate([[0, n - 1], lowest, highest, first(~finite)]))


def _kept(y: np.ndarray, limit: int, *, log_y: bool) -> np.ndarray:
    """What is kept of a series that may be looked at on either kind of axis."""
    kept = [thin(y, limit)]
    if len(y) > limit:
        kept.append(thin(y, limit // 3, log=True))  # the early points, which a log axis spreads
        with np.errstate(invalid="ignore"):
            positive = y > 0
        if log_y and positive.any() and not positive.all():  # its lowest may have no place there
            kept.append(thin(np.where(positive, y, np.nan), limit // 2))
    return np.unique(np.concatenate(kept))


def _clean(series: Series) -> tuple[np.ndarray, np.ndarray, int]:
    """Ascending x, y with gaps as nan, and how many values were no numbers.

    A resumed run writes some steps twice: the later value stands.
    """
    with np.errstate(over="ignore"):  # beyond float32 is infinite, so a gap
        x, y = np.asarray(series.x, np.float32), np.asarray(series.y, np.float32)
    if len(x) != len(y):
        raise ValueError(f"series {series.label!r}: {len(x)} x but {len(y)} y")
    usable = np.isfinite(x)
    if not usable.all():
        x, y = x[usable], y[usable]
    if np.any(x[1:] <= x[:-1]):
        order = np.argsort(x, kind="stable")
        x, y = x[order], y[order]
        last = np.append(x[1:] != x[:-1], True)
        x, y = x[last], y[last]
    finite = np.isfinite(y)
    return x, np.where(finite, y, np.float32(np.nan)), int(np.sum(~finite))


def _blocks(y: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each kept point, the mean and number of the finite values since the previous one.

    Smoothing runs over these: an average of the kept points alone would be one of extremes, and a rare spike
    would pull the curve far from the mean.
    """
    finite = np.isfinite(y)
    starts = np.concatenate([[0], kept[:-1] + 1])  # `kept` ends at the last point: all values are in a block
    count = np.add.reduceat(finite.astype(np.int64), starts)
    total = np.add.reduceat(np.where(finite, y, 0.0).astype(np.float64), starts)
    return total / np.maximum(count, 1), count


def _knots(clock: Clock) -> np.ndarray:
    """Where a clock is read: ascending in both, about evenly apart, the first and the last among them."""
    steps, seconds = np.asarray(clock.steps, float), np.asarray(clock.seconds, float)
    if len(steps) != len(seconds):
        raise ValueError(f"a clock of {len(steps)} steps but {len(seconds)} seconds")
    known = np.flatnonzero(np.isfinite(steps) & np.isfinite(seconds))
    before = np.maximum.accumulate(np.append(-np.inf, steps[known]))[:-1]  # a resumed run repeats what it lost
    known = known[(steps[known] > before) & (seconds[known] >= np.maximum.accumulate(
        np.append(-np.inf, seconds[known]))[:-1])]
    return known[np.unique(np.linspace(0, len(known) - 1, KNOTS).round().astype(int))] if len(known) > KNOTS else known


def _same(drawn: Mapping[str, list[tuple[str, str, str]]]) -> dict[str, str]:
    """Each run whose curves all lie exactly on another's, with the first of those: one would be seen of two."""
    first: dict[tuple[tuple[str, str, str], ...], str] = {}
    found = {run: first.setdefault(tuple(lines), run) for run, lines in drawn.items()}
    return {run: other for run, other in found.items() if other != run}


def _values(n: int) -> str:
    return f"{n:,} value" if n == 1 else f"{n:,} values"
