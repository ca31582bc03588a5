"""A study's trainings as a user queues them himself: several runs that differ in what is to be seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vaecore.config import RunConfig
from vaecore.lab import Status
from vaecore.store import Metrics, Run, Store, all_or_none
from vaecore.studies.exhibit import Exhibit

DAMAGED = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)  # what a bad file may cause


@dataclass(frozen=True)
class Series:
    """Trainings that are queued together and looked at side by side, and what question they answer.

    `exhibit` makes what its runs have to show so far; it raises `DataUnavailable` or `ConfigError` where their data
    cannot be read.
    """

    name: str  # in addresses, on the command line, and in each run's about.json
    question: str
    runs: Callable[[], Mapping[str, RunConfig]]  # by label
    exhibit: Callable[[Sequence[Member]], Exhibit | None]
    title: str = ""  # where it is not the study's
    moves: bool = False  # where the points of a snapshot go is what is to be seen
    seconds: float = 0.0  # that it lasts, by the pace of its trainings: it is started by one click, to be watched


@dataclass(frozen=True)
class Member:
    """A run of a series with what its files say; `last` is its newest evaluation as plain numbers, empty before."""

    run: Run
    values: Mapping[str, Any]
    status: Status
    last: Mapping[str, float]
    metrics: Metrics

    def chosen(self, *path: str) -> Any:
        """A field of the configuration as it stands in the file; None where there is none."""
        found: Any = self.values
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found

    @property
    def readable(self) -> bool:
        """Whether `config.json` says what it is, by which an exhibit tells it from the others."""
        return all(isinstance(self.values.get(part), Mapping) for part in ("data", "model", "training"))

    @property
    def bound(self) -> float | None:
        """The ELBO of the newest evaluation, as a table shows it."""
        cost = self.last.get("neg_elbo")
        return finite(None if cost is None else -cost)


def finite(value: float | None) -> float | None:
    """The number as a table shows it, none of them as -0; None where it is no number."""
    return round(value, 6) + 0.0 if value is not None and math.isfinite(value) else None


def create(store: Store, series: Series) -> list[Run]:
    """The runs of a series as folders of the store, ready to be queued; each one's `about.json` names the series."""
    taken = {run.id for run in store.runs()}

    def name(label: str) -> str:
        wanted = label if label.startswith(series.name) else f"{series.name}-{label}"
        return next(n for n in (wanted, *(f"{wanted}-{i}" for i in range(2, 10_000))) if n not in taken)

    return all_or_none(store.create(config, name(label), experiment=series.name)
                       for label, config in series.runs().items())


def members(store: Store, series: Series) -> list[Run]:
    """The runs that belong to a series, oldest first, those shipped or shared before one's own."""
    return [run for run in (*store.gallery(), *reversed([run for run in store.everything() if not run.shipped]))
            if run.about().get("experiment") == series.name]
