"""He et al. (2019): how far the means of model posterior and encoder are spread over a set of observations. No torch.

Their ratio is read from the snapshots of `metrics.jsonl`, in one way for all who tell it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from vaecore.untrusted import Untrusted

SOME_SPREAD = 0.1  # of the model posterior's means, in prior standard deviations: below there is nothing to follow
TRUSTED = 0.05  # effective share of importance samples below which a posterior mean is not argued from


@dataclass(frozen=True)
class Spread:
    """Standard deviations over a fixed set of observations, (model posterior's means, encoder's means) each."""

    training: str  # basic or aggressive
    name: str  # of the run
    early: tuple[float, float]
    late: tuple[float, float]

    @property
    def ratio(self) -> float | None:
        """The encoder's spread over the model posterior's at the end."""
        return ratio(*self.late)


def ratio(model: float, inference: float) -> float | None:
    """The encoder's spread over the model posterior's; None where that hardly varies."""
    return inference / model if model > SOME_SPREAD else None


def spreads(model: NDArray[np.floating], inference: NDArray[np.floating]) -> tuple[float, float]:
    """Spreads of one snapshot's means, (N, r) each, in the dimension in which those of the model vary most."""
    wide = model.std(0)
    dimension = int(np.argmax(wide))
    return float(wide[dimension]), float(inference[:, dimension].std())


def spread_at(snapshot: Any) -> tuple[float, tuple[float, float]] | None:
    """The step of a snapshot and its two spreads; None where it cannot be read, or is not to be trusted."""
    try:
        found = _Snapshot.model_validate(snapshot)
        model, inference = (np.concatenate([np.asarray(side[name], float) for name in found.model], 1)
                            for side in (found.model, found.inference))
    except (ValidationError, KeyError, ValueError):
        return None
    poor = found.method == "importance" and found.effective < TRUSTED
    if poor or model.shape != inference.shape or not model.size:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        both = spreads(model, inference)
    return (found.step, both) if all(map(math.isfinite, both)) else None


def ratio_at(snapshots: Sequence[Any], step: float) -> float | None:
    """The ratio in the last snapshot of `step`; None where there is none, or it says nothing.

    One of another step, above all of the untrained model, says nothing of it.
    """
    there = [found[1] for found in map(spread_at, snapshots) if found is not None and found[0] == step]
    return ratio(*there[-1]) if there else None


class _Snapshot(Untrusted):
    """Means of the model posterior and of the encoder at some observations, by latent, (N, r)."""

    step: float
    method: str
    effective: float = 0.0
    model: dict[str, list[list[float]]]
    inference: dict[str, list[list[float]]]
