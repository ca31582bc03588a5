"""Points of a sweep: parallel coordinates, and under them the number against each field. `sweep.js` draws them.

What is told of each axis are places from 0 to 1 with their words, so that the browser draws numbers, logarithms and
choices alike. Filters and colours stay in the browser and in the address; nothing is sent back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pages.components.serve import component
from vaecore.packing import packed
from vaecore.sweeps import Range, Row, Standing, Values
from vaecore.sweeps.declared import Value, worded
from vaecore.sweeps.objective import heading, objective, told
from vaecore.sweeps.state import STATES, titles

TICKS = 6  # of a range
MAX_TICKS = 9  # words beside a list of values
WIDE = 20.0  # times the smallest value from which a list of numbers is drawn by its logarithm


def sweep_view(now: Standing, *, key: str) -> None:
    """Draw the points that have a number; call again with the same `key` as more are known."""
    component("sweep")(key=key, data=pack(now))


def pack(now: Standing) -> bytes:
    """The axes, the objective and every point with a number, as JSON of plain values."""
    sweep, names = now.sweep, titles(now.sweep)
    each = objective(sweep.objective)
    shown = [row for row in now.rows if row.newest is not None]
    means = [_mean(row) for row in shown]
    low, high = (min(means), max(means)) if means else (0.0, 1.0)
    pad = (high - low) * 0.04 or abs(high) * 0.01 or 0.5
    low, high = low - pad, high + pad
    best = now.best
    points = [{
        "number": row.number, "at": [place(axis, row.point[axis.field]) for axis in sweep.axes],
        "said": [worded(row.point[axis.field]) for axis in sweep.axes], "value": mean, "y": (mean - low) / (high - low),
        "half": row.interval.half / (high - low) if row.interval and math.isfinite(row.interval.half) else 0.0,
        "words": _words(row, sweep.objective), "n": len(row.finished), "state": row.state, "told": STATES[row.state],
        "best": row is best} for row, mean in zip(shown, means, strict=True)]
    return packed({
        "name": sweep.name, "title": heading(sweep.objective, now.title), "unit": each.unit,
        "better": each.better or "higher", "seeds": sweep.seeds,
        "axes": [{"field": axis.field, "title": names[axis.field], "ticks": ticks(axis)} for axis in sweep.axes],
        "ticks": [[(value - low) / (high - low), told(value, sweep.objective)] for value in _round(low, high)],
        "points": points})


def place(axis: Values | Range, value: Value) -> float:
    """Where a value stands on its axis, 0 to 1: by its size, or its logarithm; choices one after another."""
    if isinstance(axis, Range):
        return min(1.0, max(0.0, axis.share(float(value)))) if isinstance(value, int | float) else 0.0
    if not axis.numeric or len(axis.values) < 2:
        return (axis.values.index(value) + 0.5) / len(axis.values)
    numbers = [float(each) for each in axis.values if isinstance(each, int | float)]
    ends = min(numbers), max(numbers)
    if ends[0] > 0 and ends[1] / ends[0] >= WIDE:
        return math.log(float(value) / ends[0]) / math.log(ends[1] / ends[0])  # type: ignore[arg-type]
    return (float(value) - ends[0]) / (ends[1] - ends[0])  # type: ignore[arg-type]


def ticks(axis: Values | Range) -> list[tuple[float, str]]:
    """Places along an axis with what stands there."""
    if isinstance(axis, Values):
        every = math.ceil(len(axis.values) / MAX_TICKS)
        return [(place(axis, value), worded(value)) for value in axis.values[::every]]
    values = dict.fromkeys(axis.at(i / (TICKS - 1)) for i in range(TICKS))
    if axis.log and math.log10(axis.high / axis.low) >= 2:  # powers of ten read better than sixths of the way
        powers = range(math.ceil(math.log10(axis.low) - 1e-9), math.floor(math.log10(axis.high) + 1e-9) + 1)
        values = dict.fromkeys(float(f"1e{power}") for power in powers)
    return [(axis.share(float(value)), f"{float(value):.3g}") for value in values]  # type: ignore[arg-type]


def _mean(row: Row) -> float:
    """The mean over the seeds that came to their end; of all, where none has."""
    assert row.newest is not None
    return row.interval.mean if row.interval else row.newest


def _words(row: Row, name: str) -> str:
    """The number in words, with its interval over seeds."""
    if row.interval is None:
        return f"{told(row.newest, name)} so far"
    half = f" ± {told(row.interval.half, name)}" if math.isfinite(row.interval.half) else ""
    return f"{told(row.interval.mean, name)}{half}"


def _round(low: float, high: float) -> Sequence[float]:
    """Some round numbers between two."""
    power: Any = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = next(power * each for each in (1, 2, 5, 10) if (high - low) / (power * each) <= 6)
    return [step * i for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
