"""What a study has to show, as data: each kind is drawn in one way, whichever study and whosever runs it is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vaecore.evaluate.gamma import Moments, Solution, Vector
from vaecore.evaluate.lagging import Spread
from vaecore.studies.columns import COLUMNS


@dataclass(frozen=True)
class Column:
    """How the numbers of a column are explained and written."""

    help: str
    digits: int = 3
    percent: bool = False  # of a share


KL = Column(f"{COLUMNS['KL']} On the validation set.")
ELBO = Column("Evidence lower bound, in nats per observation. Higher is better. On the validation set.", 2)


@dataclass(frozen=True)
class Table:
    """A row for each run; None where a run has no such number."""

    title: str
    help: str
    rows: Sequence[Mapping[str, float | str | None]]
    columns: Mapping[str, Column]  # of the numbers


@dataclass(frozen=True)
class Grid:
    """Means of what was found in each cell of a small table."""

    title: str
    help: str
    rows: Sequence[str]
    columns: Sequence[str]
    found: Mapping[tuple[str, str], Sequence[float]]  # by row and column


@dataclass(frozen=True)
class Spreads:
    """Where the means of model posterior and encoder went in each training, from `early` to its end."""

    points: Sequence[Spread]
    early: str  # "step 200"


@dataclass(frozen=True)
class Costs:
    """What VAEs cost and keep in use at each fixed gamma, ascending, and where gamma was learned."""

    data: Moments
    latent_size: int
    fixed: Sequence[Solution]
    learned: Solution | None


@dataclass(frozen=True)
class Powers:
    """Positive numbers against another one, on logarithmic axes: where they go as a power of it, a straight line."""

    title: str
    help: str
    across: str  # what the horizontal axis is
    lines: Mapping[str, Sequence[tuple[float, float]]]  # by name


@dataclass(frozen=True, eq=False)
class Survival:
    """Dimensions of a code that live while the level of the water rises and falls, found by a run and at the optimum.

    E evaluations, S points over the whole training, r dimensions, the largest KL first: which dimension of the code it
    is may change.
    """

    run: str
    live: bool  # more evaluations are to come
    seconds: float  # that the whole training takes at its pace
    total: int  # steps of the whole training
    variances: Sequence[float]  # (r,) of the data's directions, descending
    steps: Vector  # (E,)
    kl: Vector  # (E, r) nats
    active: Vector  # (E,)
    plan_steps: Vector  # (S,)
    level: Vector  # (S,) beta sigma^2
    plan: Vector  # (S, r) nats, of the optimum


Figure = Table | Grid | Spreads | Costs | Powers | Survival


@dataclass(frozen=True)
class Exhibit:
    """Figures side by side, and what to do with the runs they are of."""

    figures: Sequence[Figure]
    note: str = ""
    compare: Sequence[str] = ()  # runs that are worth comparing
    evaluate: Sequence[str] = ()  # runs whose evaluation would add numbers
