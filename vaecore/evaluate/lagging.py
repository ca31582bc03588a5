"""He et al. (2019): how far the means of model posterior and encoder are spread over a set of observations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Spread:
    """Standard deviations over a fixed set of observations, (model posterior's means, encoder's means) each."""

    training: str  # basic or aggressive
    name: str  # of the run
    early: tuple[float, float]
    late: tuple[float, float]

    @property
    def ratio(self) -> float | None:
        """The encoder's spread over the model posterior's at the end; None where this one does not vary."""
        model, inference = self.late
        return inference / model if model > 0 else None


def spreads(model: NDArray[np.floating], inference: NDArray[np.floating]) -> tuple[float, float]:
    """Spreads of one snapshot's means, (N, r) each, in the dimension in which those of the model vary most."""
    wide = model.std(0)
    dimension = int(np.argmax(wide))
    return float(wide[dimension]), float(inference[:, dimension].std())
