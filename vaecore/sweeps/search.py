"""The optimiser's search: bayesian-optimization's Gaussian process, asked anew each time from what is on disk.

It is chosen for its weight: with scikit-learn and scipy there already it brings half a megabyte, where Optuna brings a
database's toolkit. It searches in numbers from 0 to 1: of a range the share of the way, of a list of numbers the place
in the list, and of words one number each, of which the largest is meant.
"""

from __future__ import annotations

from collections.abc import Sequence

from vaecore.schema import problem
from vaecore.sweeps.declared import Point, Range, Search, Values
from vaecore.sweeps.objective import as_text
from vaecore.sweeps.points import TRIES, drawn

NOISE = 1e-3  # variance of a mean over seeds, in variances of all that were found


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
    optimiser = BayesianOptimization(None, dict.fromkeys(_names(axes), (0.0, 1.0)),
                                     acquisition_function=ExpectedImprovement(xi=0.0), verbose=0,
                                     random_state=(method.seed + begun) % 2**31, allow_duplicate_points=True)
    optimiser.set_gp_params(alpha=NOISE)
    middle = sum(value for _, value in found) / len(found)
    for point, value in (*found, *((point, middle) for point in pending)):
        optimiser.register(_coordinates(axes, point), value)
    point = _point(axes, {name: float(at) for name, at in optimiser.suggest().items()})
    return point if as_text(point) not in tried else _fresh(method, axes, tried)


def _fresh(method: Search, axes: Sequence[Values | Range], tried: set[str]) -> Point | None:
    """A point at random that was not tried; None where there seem to be no more."""
    return next((point for point in drawn(axes, len(tried) + TRIES, method.seed) if as_text(point) not in tried), None)


def _wordy(axis: Values | Range) -> bool:
    """Whether its values have no order, so that each has a number of its own."""
    return isinstance(axis, Values) and not axis.numeric


def _names(axes: Sequence[Values | Range]) -> list[str]:
    """What the optimiser's numbers are called."""
    return [name for axis in axes for name in
            ([f"{axis.field}={place}" for place in range(len(axis.listed))] if _wordy(axis) else [axis.field])]


def _coordinates(axes: Sequence[Values | Range], point: Point) -> dict[str, float]:
    found: dict[str, float] = {}
    for axis in axes:
        value = point[axis.field]
        if isinstance(axis, Range):
            found[axis.field] = axis.share(float(value))  # type: ignore[arg-type]
        elif _wordy(axis):
            found |= {f"{axis.field}={place}": float(each == value) for place, each in enumerate(axis.values)}
        else:
            found[axis.field] = sorted(axis.values).index(value) / max(1, len(axis.values) - 1)
    return found


def _point(axes: Sequence[Values | Range], at: dict[str, float]) -> Point:
    found: Point = {}
    for axis in axes:
        if isinstance(axis, Range):
            found[axis.field] = axis.at(at[axis.field])
        elif _wordy(axis):
            found[axis.field] = max(enumerate(axis.values), key=lambda pair: at[f"{axis.field}={pair[0]}"])[1]
        else:
            place = round(at[axis.field] * (len(axis.values) - 1))
            found[axis.field] = sorted(axis.values)[place]
    return found
