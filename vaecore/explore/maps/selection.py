"""Some observations of a map beside all of it: their classes, measures and mean code. Shapes: M of N observations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vaecore.explore.codes import Codes
from vaecore.explore.maps.encoded import MEASURES
from vaecore.explore.maps.latent_map import LatentMap
from vaecore.explore.maps.population import Rows


@dataclass(frozen=True)
class Share:
    """How many of a class there are, here and in the whole map."""

    name: str
    count: int
    share: float  # of those here whose class is known
    among_all: float  # of all in the map whose class is known


@dataclass(frozen=True)
class Beside:
    """Mean and standard deviation of a measure, here and in the whole map; of finite values."""

    name: str  # one of `MEASURES`
    mean: float
    deviation: float
    mean_of_all: float
    deviation_of_all: float


@dataclass(frozen=True)
class Selection:
    """Some observations of a map."""

    map: LatentMap
    rows: Rows  # (M,), ascending

    @classmethod
    def of(cls, found: LatentMap, rows: Rows) -> Selection:
        """The observations at `rows`; rows beyond the map are left out."""
        rows = np.unique(np.asarray(rows, np.int64))
        return cls(found, rows[(rows >= 0) & (rows < len(found))])

    def __len__(self) -> int:
        return len(self.rows)

    def classes(self) -> list[Share]:
        """The classes that occur here, the most frequent first; empty where nothing has a label."""
        labels = self.map.labels
        if labels is None:
            return []
        names = self.map.population.class_names
        here, every = (np.bincount(found[found >= 0], minlength=len(names)) for found in (labels[self.rows], labels))
        order = np.argsort(-here, kind="stable")
        return [Share(names[c], int(here[c]), float(here[c] / here.sum()), float(every[c] / every.sum()))
                for c in order.tolist() if here[c]]

    def measures(self) -> list[Beside]:
        """Every measure that the family has."""
        found = []
        for name in MEASURES:
            values = self.map.encoded.measures.get(name)
            if values is not None and len(self):
                found.append(Beside(name, *_moments(values[self.rows]), *_moments(values)))
        return found

    def mean_code(self) -> Codes:
        """The mean of their codes, (r,). Raises `ValueError` for no observations."""
        if not len(self):
            raise ValueError("no observations have no mean code.")
        mean: Codes = self.map.encoded.means[self.rows].mean(0, dtype=np.float64).astype(np.float32)
        return mean

    def table(self) -> str:
        """The rows of a selection as CSV."""
        return self.map.table(self.rows)


def _moments(values: np.ndarray) -> tuple[float, float]:
    finite = values[np.isfinite(values)].astype(np.float64)
    return (float(finite.mean()), float(finite.std())) if len(finite) else (float("nan"), float("nan"))
