"""How far a mean over observations may be off: bias-corrected and accelerated bootstrap intervals (BCa, Efron 1987).

BCa and not the percentile interval, because nats per observation are skewed: a few observations are far worse than the
rest. The percentile interval's coverage is then off by O(1/sqrt(N)), that of BCa by O(1/N). The seed is fixed, so the
same values have the same interval; all columns of a call are resampled together. Where there are many observations it
is as good as the normal interval, and that is taken. Shapes: N observations, G groups that go together, M columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from vaecore.probability.intervals import two_sided

Numbers = NDArray[np.float64]
NORMAL = NormalDist()
RESAMPLINGS = 2_000
MANY = 20_000  # groups, from which on the interval is the normal one
DRAWN_AT_ONCE = 4_000_000  # places among groups


@dataclass(frozen=True)
class Mean:
    """A mean over observations, the ends of its interval, and its standard error by the jackknife."""

    value: float
    low: float
    high: float
    error: float


def means(columns: NDArray[np.floating], groups: NDArray[np.integer] | None = None, *, seed: int = 0
          ) -> list[Mean]:
    """The mean of each column of (N, M) values with its interval; NaN of an observation that has none of a column.

    Observations of one of `groups` (N,), as windows of one clip, are drawn together, for they are no independent ones.
    A column without two groups has no interval: its ends are NaN.
    """
    sums, counts = _by_group(np.asarray(columns, np.float64), groups)
    total, seen = sums.sum(0), counts.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = total / seen
        left_out = np.nan_to_num((total - sums) / (seen - counts), posinf=0.0, neginf=0.0)  # (G, M): the jackknife
    there = counts > 0
    size = there.sum(0)  # (M,) groups that have a column
    centre = (left_out * there).sum(0) / np.maximum(1, size)
    apart = np.where(there & (size > 1), centre - left_out, 0.0)
    error = np.sqrt((size - 1).clip(0) / np.maximum(1, size) * np.square(apart).sum(0))
    usable = (size > 1) & np.isfinite(error)
    if len(sums) >= MANY:
        reach = two_sided()
        ends = [(v - reach * e, v + reach * e) if good else (math.nan, math.nan)
                for v, e, good in zip(value, error, usable, strict=True)]
    else:
        draws = _resampled(sums, counts, seed) if usable.any() else np.zeros((0, len(value)))
        ends = [_bca(v, draws[:, place], apart[:, place]) if usable[place] else (math.nan, math.nan)
                for place, v in enumerate(value)]
    return [Mean(float(v), low, high, float(e) if good else math.nan)
            for v, (low, high), e, good in zip(value, ends, error, usable, strict=True)]


def _by_group(x: Numbers, groups: NDArray[np.integer] | None) -> tuple[Numbers, Numbers]:
    """Sums and counts of the values that are there, (G, M) each."""
    there = np.isfinite(x)
    x = np.where(there, x, 0.0)
    if groups is None:
        return x, there.astype(np.float64)
    _, place = np.unique(groups, return_inverse=True)
    sums, counts = np.zeros((place.max() + 1, x.shape[1])), np.zeros((place.max() + 1, x.shape[1]))
    np.add.at(sums, place, x)
    np.add.at(counts, place, there)
    return sums, counts


def _resampled(sums: Numbers, counts: Numbers, seed: int) -> Numbers:
    """Means of as many groups as there are, drawn with replacement, (RESAMPLINGS, M)."""
    size, rng, found = len(sums), np.random.default_rng(seed), []
    for start in range(0, RESAMPLINGS, step := max(1, DRAWN_AT_ONCE // size)):
        several = min(step, RESAMPLINGS - start)
        drawn = rng.integers(size, size=(several, size)) + size * np.arange(several)[:, None]
        often = np.bincount(drawn.ravel(), minlength=several * size).reshape(several, size).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            found.append(often @ sums / (often @ counts if (counts != 1).any() else float(size)))
    return np.concatenate(found)


def _bca(value: float, draws: Numbers, apart: Numbers) -> tuple[float, float]:
    """The interval of one mean, from its resamplings and how far each group moves it (G,)."""
    draws = draws[np.isfinite(draws)]
    spread = float(np.square(apart).sum())
    if spread <= 0 or not len(draws):
        return value, value  # all are equal
    below = (np.count_nonzero(draws < value) + 0.5 * np.count_nonzero(draws == value)) / len(draws)
    bias = NORMAL.inv_cdf(min(max(below, 0.5 / len(draws)), 1 - 0.5 / len(draws)))
    acceleration = float((apart**3).sum()) / (6 * spread**1.5)

    def end(z: float) -> float:
        shifted = bias + (bias + z) / (1 - acceleration * (bias + z))
        return float(np.quantile(draws, NORMAL.cdf(shifted)))

    reach = two_sided()
    return end(-reach), end(reach)
