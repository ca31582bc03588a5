"""What a sweep is: a configuration, the fields that are varied, how points are chosen, and when a bad one is ended.

Declared as every configuration is, so that page, command line, `sweeps/<name>.json` and errors say the same. No torch.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from vaecore.schema import Strict, option

MAX_RUNS = 1_000  # trainings of one sweep
MAX_AXES = 12  # fields that are varied
MAX_VALUES = 200  # of one field
DIGITS = 6  # of a value that lies between the ends of a range

Scalar = bool | int | float | str
Value = Scalar | tuple[Scalar, ...]  # of a field; a tuple where the field is a list, as the widths of layers
Point = dict[str, Value]  # the fields that are varied, each with the value it has there


# -- what is varied --------------------------------------------------------------------------------


class _Axis(Strict):
    field: str = option(..., "The field that is varied, dotted, as model.latent_size.", min_length=1, max_length=200)


class Values(_Axis):
    """A list of values, in their order."""

    kind: Literal["values"] = "values"
    values: tuple[Value, ...] = option(..., "What the field is set to.", min_length=1, max_length=MAX_VALUES)

    @field_validator("values")
    @classmethod
    def _once(cls, values: tuple[Value, ...]) -> tuple[Value, ...]:
        twice = next((value for i, value in enumerate(values) if value in values[:i]), None)
        if twice is not None:
            raise ValueError(f"{twice!r} stands there twice. Name each value once; seeds repeat a training.")
        return values

    @property
    def listed(self) -> tuple[Value, ...]:
        """The values that a grid tries."""
        return self.values

    @property
    def numeric(self) -> bool:
        """Whether all are numbers, and so have an order."""
        return all(isinstance(value, int | float) and not isinstance(value, bool) for value in self.values)

    def at(self, share: float) -> Value:
        """The value at a share (0 to 1) of the list."""
        return self.values[min(len(self.values) - 1, int(share * len(self.values)))]

    def __str__(self) -> str:
        return ", ".join(worded(value) for value in self.values)


class Range(_Axis):
    """Every number between two ends."""

    kind: Literal["range"] = "range"
    low: float = option(..., "The smallest value.", ge=-1e12, le=1e12)
    high: float = option(..., "The largest value.", ge=-1e12, le=1e12)
    log: bool = option(False, "Equal steps multiply, where they would else add: for learning rates and beta.")
    count: int = option(5, "How many values a grid takes, the ends among them.", unit="values", ge=2, le=MAX_VALUES)
    whole: bool = option(False, "Whole numbers only.")

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        if self.high <= self.low:
            raise ValueError(f"{self.high:g} is not above {self.low:g}. Write the smaller end first, as 0.1..10.")
        if self.log and self.low <= 0:
            raise ValueError(f"{self.low:g} has no logarithm. Begin a logarithmic range above 0.")
        if self.whole and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError(f"{self.low:g}..{self.high:g} does not end at whole numbers. Write whole ends.")
        return self

    @property
    def listed(self) -> tuple[Value, ...]:
        """The values that a grid tries: `count`, or fewer where there are no more whole numbers."""
        return tuple(dict.fromkeys(self.at(i / (self.count - 1)) for i in range(self.count)))

    @property
    def numeric(self) -> bool:
        """A range always is of numbers."""
        return True

    def at(self, share: float) -> Value:
        """The value at a share (0 to 1) of the way; of a logarithmic range the way of its logarithm."""
        if self.log:
            value = math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + share * (self.high - self.low)
        value = self.low if share <= 0 else self.high if share >= 1 else value
        value = min(self.high, max(self.low, float(f"{value:.{DIGITS}g}")))
        return round(value) if self.whole else value

    def share(self, value: float) -> float:
        """Where a value lies, 0 to 1: what `at` turns around."""
        low, high, here = (map(math.log, (self.low, self.high, value)) if self.log
                           else (self.low, self.high, float(value)))
        return (here - low) / (high - low)

    def __str__(self) -> str:
        return (f"{self.low:g} to {self.high:g}{', logarithmic' if self.log else ''}"
                f"{', whole numbers' if self.whole else ''}")


Axis = Annotated[Values | Range, Field(discriminator="kind")]


# -- which points ----------------------------------------------------------------------------------


class Grid(Strict):
    """Every combination of the values."""

    kind: Literal["grid"] = "grid"


class Random(Strict):
    """Points drawn at random, each field by itself: better than a grid of many fields (Bergstra and Bengio 2012)."""

    kind: Literal["random"] = "random"
    trials: int = option(20, "How many points.", unit="points", ge=1, le=MAX_RUNS)
    seed: int = option(0, "Seed of the drawing.", ge=0, le=2**31 - 1, advanced=True)


class Search(Strict):
    """Each point is chosen by what those before have found: Bayesian optimisation with a Gaussian process."""

    kind: Literal["search"] = "search"
    trials: int = option(20, "How many points.", unit="points", ge=2, le=MAX_RUNS)
    begin: int = option(5, "How many of them are drawn at random before the search begins to choose.", unit="points",
                        ge=1, le=MAX_RUNS)
    seed: int = option(0, "Seed of the drawing and of the search.", ge=0, le=2**31 - 1, advanced=True)


Method = Annotated[Grid | Random | Search, Field(discriminator="kind")]


# -- when a bad one is ended -----------------------------------------------------------------------


class NoStopping(Strict):
    """Every training goes to its end."""

    kind: Literal["none"] = "none"


class Median(Strict):
    """A point that is worse than the median of the others at the same epoch is stopped (Golovin et al. 2017)."""

    title: ClassVar[str] = "Median rule"

    kind: Literal["median"] = "median"
    grace: float = option(0.3, "Share of its training during which a point is not judged; the ramp of beta is never "
                          "judged.", unit="of training", ge=0, lt=1)
    at_least: int = option(3, "How many other points must have come as far before one is stopped.", unit="points", ge=1,
                           le=MAX_RUNS)


class Halving(Strict):
    """At each rung the best share of the points goes on, the others stop (successive halving; Li et al. 2020)."""

    title: ClassVar[str] = "Successive halving"

    kind: Literal["halving"] = "halving"
    first: float = option(0.2, "Where the first rung is; no rung lies in the ramp of beta.", unit="of training", gt=0,
                          lt=1)
    factor: int = option(3, "One of so many goes on at each rung, and the next rung is so many times as far.", ge=2,
                         le=10)


Stopping = Annotated[NoStopping | Median | Halving, Field(discriminator="kind")]


# -- a sweep ---------------------------------------------------------------------------------------


class Sweep(Strict):
    """A configuration whose fields are varied, and what is asked of the trainings."""

    name: str = option(..., "What the sweep is called, and its runs after it.", pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    base: dict[str, Any] = option(..., "The configuration that is varied, as in config.json.")
    origin: str = option("", "The preset or run that it was.", max_length=200)
    axes: tuple[Axis, ...] = option(..., "The fields that are varied, each with its values.", min_length=1,
                                    max_length=MAX_AXES)
    method: Method = option(Grid(), "How points are chosen.", title="Method")
    seeds: int = option(1, "How often each point is trained, with the seeds 1, 2, 3 and so on.", unit="seeds", ge=1,
                        le=100)
    objective: str = option("elbo", "The number by which points are judged: of the validation set, or one that an "
                            "evaluation finds.", max_length=80)
    stopping: Stopping = option(NoStopping(), "When a training that does badly is ended before its time.",
                                title="Stopping early")
    at_once: int = option(0, "How many of its trainings may wait and train at the same time; 0 queues all, "
                          "of a search one point.", unit="trainings", ge=0, le=MAX_RUNS, advanced=True)
    made: str = option("", "When it was started, as 2026-11-29 19:30.", max_length=40)

    @field_validator("axes")
    @classmethod
    def _different(cls, axes: tuple[Values | Range, ...]) -> tuple[Values | Range, ...]:
        field, count = Counter(axis.field for axis in axes).most_common(1)[0]
        if count > 1:
            raise ValueError(f"{field} is varied {count} times. Write its values behind one another, once.")
        if any(axis.field == "seed" for axis in axes):
            raise ValueError("seed is no field to vary. Say how many seeds each point is trained with.")
        return axes

    @property
    def experiment(self) -> str:
        """What `about.json` of its runs names."""
        return f"sweep:{self.name}"


def worded(value: Value) -> str:
    """A value as one reads it: 0.001, 8, mlp, [64, 32]."""
    if isinstance(value, tuple):
        return f"[{', '.join(worded(each) for each in value)}]"
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)
