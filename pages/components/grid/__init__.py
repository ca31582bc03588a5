"""Grid: every dimension of a latent from one end to the other, a row each, decoded in the browser.

A message holds where each row goes in units: the same values for all, or quantiles of each dimension. Those of the
aggregated posterior take the server a moment; they are asked for once, where a visitor chooses them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from pages.components.serve import component
from vaecore import packing

if TYPE_CHECKING:
    from vaecore.explore.quantiles import Whose

RANGES = ("sigmas", "prior", "aggregated")


def grid(hand: Mapping[str, Any], rows: Sequence[int], values: Sequence[float],
         quantiles: Mapping[Whose, np.ndarray], *, offered: Sequence[str], key: str) -> None:
    """Show the dimensions `rows` of a run that `hand` describes, each at `values` (S,) in units.

    `quantiles` (S, rows) in units take their place where they are chosen; `offered` names the ranges one may choose.
    """
    component("grid")(key=key, data=pack(hand, rows, values, quantiles, offered=offered),
                      on_range_change=lambda: None)


def asked(key: str) -> str:
    """The range that a visitor chose, one of `RANGES`."""
    kept = st.session_state.get(key)
    told = kept.get("range") if isinstance(kept, Mapping) else None
    return told if isinstance(told, str) and told in RANGES else RANGES[0]


def pack(hand: Mapping[str, Any], rows: Sequence[int], values: Sequence[float], quantiles: Mapping[Whose, np.ndarray],
         *, offered: Sequence[str]) -> bytes:
    """u32 header length | JSON | float32 columns, (S, rows) for each range of `quantiles`."""
    header = {"hand": hand, "rows": list(rows), "values": list(values), "offered": list(offered),
              "quantiles": list(quantiles)}
    return packing.packed(header, *quantiles.values())
