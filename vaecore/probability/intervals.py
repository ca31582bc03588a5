"""Means over seeds with 95 % t intervals, and paired differences: of claims, sweeps and grouped runs. No torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

LEVEL = 0.95  # of every interval that is told


def two_sided(freedom: float = math.inf) -> float:
    """How many standard errors an interval reaches to either side: the normal one, or Student's t."""
    if math.isinf(freedom):
        return NormalDist().inv_cdf(0.5 + LEVEL / 2)
    from scipy.special import stdtrit  # here: a list of runs paints without it

    return float(stdtrit(freedom, 0.5 + LEVEL / 2))


@dataclass(frozen=True)
class Interval:
    """A mean over seeds and the half width of its interval, in the unit of what was averaged.

    From one value nothing is known of the spread: the half width is infinite, so that no rule that asks for an end of
    it can hold.
    """

    mean: float
    half: float
    count: int

    @property
    def low(self) -> float:
        """The lower end."""
        return self.mean - self.half

    @property
    def high(self) -> float:
        """The upper end."""
        return self.mean + self.half

    def words(self, form: str = ".2f") -> str:
        """Mean and half width, each by `form`, a percentage included: "0.41 ± 0.03"; of a sign only the mean's."""
        if not math.isfinite(self.half):
            return f"{self.mean:{form}} (one seed, no interval)"
        return f"{self.mean:{form}} ± {self.half:{form.removeprefix('+')}}"


def over_seeds(values: Sequence[float]) -> Interval:
    """The mean of values, one a seed, with the interval of Student's t. Raises `ValueError` where there is none."""
    if not values:
        raise ValueError("an interval over seeds needs at least one value, and there is none.")
    if len(values) == 1:
        return Interval(float(values[0]), math.inf, 1)
    half = two_sided(len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return Interval(fmean(values), half, len(values))


def paired(ours: Mapping[int, float], theirs: Mapping[int, float]) -> Interval:
    """The mean of ours less theirs, both by seed. Raises `ValueError` where they are not of the same seeds."""
    if set(ours) != set(theirs):
        raise ValueError(f"seeds {sorted(ours)} are compared with seeds {sorted(theirs)}: both need the same ones.")
    return over_seeds([ours[seed] - theirs[seed] for seed in sorted(ours)])


def by_seed(table: Sequence[Mapping[str, float | int | str]], column: str, **where: float | int | str
            ) -> dict[int, float]:
    """A column of the rows whose other columns have the values of `where`, by their seed.

    Underscores of a name in `where` stand for spaces. A row without the column, which some seeds alone have, is left
    out. Raises `ValueError` where two rows are of one seed.
    """
    rows = [row for row in table if row.get(column) is not None
            and all(row.get(name.replace("_", " ")) == value for name, value in where.items())]
    found = {int(row["seed"]): float(row[column]) for row in rows}
    if len(found) != len(rows):
        raise ValueError(f"'{column}' has several rows of one seed among {where}: one row a seed is needed.")
    return found
