"""Live line charts: thin the series here, draw them in the browser.

A page calls `live_curves(panels, key=...)` in a fragment that reruns each second. Every series is thinned
to at most `LIMIT` points and all of them travel as one bytes value; the browser keeps its chart, its zoom
and its legend. Nothing is ever sent back. The drawing is in `curves.js`, over uPlot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pages.components.serve import component
from pages.shared import colours
from vaecore import packing

LIMIT = 1200  # points of one series that the browser gets: about one per pixel of a wide screen


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


@dataclass(frozen=True)
class Panel:
    """One chart of the grid."""

    title: str
    series: Sequence[Series]
    unit: str = ""
    help: str = ""
    may_log: bool = True  # False keeps the y axis linear even where log_y is asked
    may_smooth: bool = True  # False for what is exact, as a schedule is
    right_title: str = ""  # of the right-hand axis; drawn where a series asks for it
    right_unit: str = ""


def live_curves(
    panels: Sequence[Panel],
    *,
    key: str,
    x_label: str = "step",
    log_x: bool = False,
    log_y: bool = False,
    smoothing: float = 0.0,
    height: int = 260,
    columns: int = 2,
) -> None:
    """Draw `panels` in a grid; call again with the same `key` and more points to refresh in place.

    `smoothing` in [0, 1) is the weight of a debiased exponential moving average, drawn over the raw line.
    Dashed series stay as they are: a validation is already a mean over its data, and there are so few of its
    values that an average would lag behind training and show a gap that is not there. Series on the right keep to a
    linear axis and stay as they are too: they are schedules and counts.
    """
    data = pack(
        panels,
        x_label=x_label,
        log_x=log_x,
        log_y=log_y,
        smoothing=smoothing,
        height=height,
        columns=columns,
        places=colours.places(series.run or series.label for panel in panels for series in panel.series),
    )
    component("curves")(key=key, data=data)


def pack(
    panels: Sequence[Panel],
    *,
    x_label: str = "step",
    log_x: bool = False,
    log_y: bool = False,
    smoothing: float = 0.0,
    height: int = 260,
    columns: int = 2,
    places: Mapping[str, int] | None = None,
) -> bytes:
    """All panels as `u32 header length | JSON header | float32 columns`: little-endian, columns aligned.

    Each series adds its columns in the header's order: x, y and, where it is `blocked`, the mean and count
    of `_blocks`.
    """
    if not 0 <= smoothing < 1:
        raise ValueError(f"smoothing must lie in [0, 1), not {smoothing}")
    floats: list[np.ndarray] = []
    packed_panels: list[dict[str, Any]] = []
    for panel in panels:
        log_panel = log_y and panel.may_log
        packed_series: list[dict[str, Any]] = []
        not_finite = not_positive = 0
        for series in panel.series:
            x, y, lost_finite, lost_positive = _clean(series, log_x=log_x, log_y=log_panel and not series.right)
            not_finite += lost_finite
            not_positive += lost_positive
            kept = thin(y, log=log_x)
            smooth = smoothing > 0 and panel.may_smooth and not series.dashed and not series.right
            blocked = smooth and len(kept) < len(y)
            floats += [x[kept], y[kept], *(_blocks(y, kept) if blocked else ())]
            packed_series.append(
                {
                    "label": series.label,
                    "group": series.run or series.label,
                    "dashed": series.dashed,
                    "right": series.right,
                    "step": series.step,
                    "given": len(series.x),
                    "points": len(kept),
                    "blocked": blocked,
                }
            )
        packed_panels.append(
            {
                "title": panel.title,
                "unit": panel.unit,
                "rightTitle": panel.right_title,
                "rightUnit": panel.right_unit,
                "help": panel.help,
                "note": _note(not_finite, not_positive),
                "logY": log_panel,
                "smoothing": smoothing if panel.may_smooth else 0.0,
                "series": packed_series,
            }
        )
    header = {
        "xLabel": x_label,
        "logX": log_x,
        "height": height,
        "columns": columns,
        "places": dict(places or {}),
        "panels": packed_panels,
    }
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


def _clean(series: Series, *, log_x: bool, log_y: bool) -> tuple[np.ndarray, np.ndarray, int, int]:
    """x ascending without repeats, y with nan for gaps, and how many were not finite, not positive.

    A resumed run writes some steps twice: the later value stands.
    """
    with np.errstate(over="ignore"):  # beyond float32 is infinite, so a gap
        x = np.asarray(series.x, dtype=np.float32).ravel()
        y = np.asarray(series.y, dtype=np.float32).ravel()
    if len(x) != len(y):
        raise ValueError(f"series {series.label!r}: {len(x)} x but {len(y)} y")
    usable = np.isfinite(x)
    x, y = x[usable], y[usable]
    if np.any(x[1:] <= x[:-1]):
        order = np.argsort(x, kind="stable")
        x, y = x[order], y[order]
        last = np.append(x[1:] != x[:-1], True)
        x, y = x[last], y[last]
    finite = np.isfinite(y)
    y = np.where(finite, y, np.float32(np.nan))
    not_positive = 0
    if log_x:  # a point that has no place on the axis goes, a value that has none leaves a gap
        not_positive += int(np.sum(x <= 0))
        x, y = x[x > 0], y[x > 0]
    if log_y:
        not_positive += int(np.sum(y <= 0))
        y = np.where(y <= 0, np.float32(np.nan), y)
    return x, y, int(np.sum(~finite)), not_positive


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


def _note(not_finite: int, not_positive: int) -> str:
    def values(n: int) -> str:
        return f"{n:,} value" if n == 1 else f"{n:,} values"

    parts = []
    if not_positive:
        parts.append(f"{values(not_positive)} at or below 0 not on the log scale")
    if not_finite:
        parts.append(f"{values(not_finite)} nan or infinite")
    return "; ".join(parts)
