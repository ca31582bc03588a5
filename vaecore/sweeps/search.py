"""The optimiser's search: bayesian-optimization's Gaussian process, asked anew each time from what is on disk.

It is chosen for its weight: with scikit-learn and scipy there already it brings half a megabyte, where Optuna brings a
database's toolkit. Whole and logarithmic fields are searched by their share of the way, lists of numbers by their place
in the list, and choices as choices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vaecore.schema import problem
from vaecore.sweeps.declared import Point, Range, Search, Value, Values
from vaecore.sweeps.objective import as_text
from vaecore.sweeps.points import TRIES, drawn

NOISE = 1e-3  # variance of a mean over seeds, in variances of all that were found
Bounds = tuple[float, float] | tuple[int, int, type] | tuple[str, ...]


def choose(method: Search, axes: Sequence[Values | Range], found: Sequence[tuple[Point, float]],
           pending: Sequence[Point]) -> Point | None:
    """The next point: the first ones at random, then where the expected improvement is largest.

    `found` are points with their mean over seeds, of which larger is better; `pending` are points that are still being
    tried, taken to come out as the mean of those found. None where every point has been tried. The same for the same
    findings. Raises `ConfigError` where the optimiser is not installed.
    """
    tried = {as_text(point) for point, _ in found} | {as_text(point) for point in pending}
    begun = len(found) + len(pending)
    first = drawn(axes, max(method.begin, 1), method.seed)
    if begun < len(first) or not found:
        return next((point for point in first if as_text(point) not in tried), _fresh(method, axes, tried))
    try:
        from bayes_opt import BayesianOptimization
        from bayes_opt.acquisition import ExpectedImprovement
    except ImportError:
        raise problem("method", "search", "the search needs the package bayesian-optimization.",
                      'Install it with `pip install "vaecore[search]"`, then resume.') from None
    optimiser = BayesianOptimization(None, {axis.field: _bounds(axis) for axis in axes},
                                     acquisition_function=ExpectedImprovement(xi=0.0), verbose=0,
                                     random_state=(method.seed + begun) % 2**31, allow_duplicate_points=True)
    optimiser.set_gp_params(alpha=NOISE)
    middle = sum(value for _, value in found) / len(found)
    for point, value in (*found, *((point, middle) for point in pending)):
        optimiser.register({axis.field: _coordinate(axis, point[axis.field]) for axis in axes}, value)
    suggested: dict[str, Any] = optimiser.suggest()
    point = {axis.field: _value(axis, suggested[axis.field]) for axis in axes}
    return point if as_text(point) not in tried else _fresh(method, axes, tried)


def _fresh(method: Search, axes: Sequence[Values | Range], tried: set[str]) -> Point | None:
    """A point at random that was not tried; None where there seem to be no more."""
    return next((point for point in drawn(axes, len(tried) + TRIES, method.seed) if as_text(point) not in tried), None)


def _bounds(axis: Values | Range) -> Bounds:
    if isinstance(axis, Range):
        return (0.0, 1.0)
    if axis.numeric and len(axis.values) > 1:
        return (0, len(axis.values) - 1, int)
    return tuple(map(str, range(len(axis.values)))) if len(axis.values) > 1 else ("0", "-")


def _coordinate(axis: Values | Range, value: Value) -> float | int | str:
    if isinstance(axis, Range):
        return axis.share(float(value))  # type: ignore[arg-type]
    place = axis.values.index(value)
    return place if axis.numeric and len(axis.values) > 1 else str(place)


def _value(axis: Values | Range, coordinate: Any) -> Value:
    if isinstance(axis, Range):
        return axis.at(float(coordinate))
    return axis.values[0 if coordinate == "-" else min(len(axis.values) - 1, max(0, int(coordinate)))]
