"""Traverse's tab *All dimensions*: each dimension from one end to the other, a row each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.components.grid import asked, grid
from pages.shared import checkpoints, hand

if TYPE_CHECKING:
    from vaecore.explore import Checkpoint
    from vaecore.explore.quantiles import Whose

ROWS = 40  # dimensions in the grid
STEPS, REACH = 11, 3.0


def panel(checkpoint: Checkpoint) -> None:
    """Every dimension from -3 to 3, or from one quantile to another; decoded in the browser."""
    key = f"grid-{checkpoint.run.id}"
    rows, values = checkpoint.order[:ROWS], np.linspace(-REACH, REACH, STEPS)
    wanted: list[Whose] = ["prior"] if checkpoint.has_prior else []
    if asked(key) == "aggregated":
        wanted.append("aggregated")
    quantiles = {whose: _quantiles(str(checkpoint.run.path), checkpoints.stamps(checkpoint.run), whose, tuple(values),
                                   checkpoint)[:, rows] for whose in wanted}
    grid(hand.described(checkpoint), rows, values.tolist(), quantiles, key=key,
         offered=["sigmas", *(["prior"] if checkpoint.has_prior else []), "aggregated"])


@st.cache_data(max_entries=64, show_spinner=False)
def _quantiles(path: str, stamps: tuple[int, ...], whose: Whose, values: tuple[float, ...],  # noqa: ARG001 (the key)
               _checkpoint: Checkpoint) -> np.ndarray:
    """Quantiles (S, r) in units, with as much mass below each as a standard normal has below these values."""
    from vaecore.explore.quantiles import ranges, shares

    found: np.ndarray = ranges(_checkpoint, whose, shares(np.asarray(values)))
    return found
