"""Traverse's tab *All dimensions*: each dimension from one end to the other, a row each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import hand, pictures
from pages.traverse.information import information

if TYPE_CHECKING:
    from vaecore.explore import Checkpoint

ROWS = 40  # dimensions in the grid
STEPS = 11


def panel(checkpoint: Checkpoint) -> None:
    """Every dimension from -3 to 3, one row each."""
    import numpy as np

    from vaecore.explore.pictures import grid, labelled, legible, on_screen

    middle, mine = "0", "the code above"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        base = st.segmented_control("The other dimensions stay at", [middle, mine], default=middle, required=True,
                                    key="base", help="Each row moves one dimension and holds all others: at 0, or "
                                    "where the sliders above stand.")
    order, active = checkpoint.order[:ROWS], checkpoint.active
    values = np.linspace(-3, 3, STEPS)
    start = checkpoint.scale()[0]
    if base == mine:
        start = checkpoint.place(hand.positions(checkpoint, "grid")[checkpoint.latent])
    images = checkpoint.traverse(start, order, values.tolist())
    heads = [f"{value:+.1f}".replace("-", "−") if value else "0" for value in values]
    if len(order) < checkpoint.size:
        st.caption(f"The {len(order)} most informative of {checkpoint.size} dimensions.")
    notes = [information(checkpoint, dimension) for dimension in order]
    strips = [legible(row) for row in images]
    pictures.rows([pictures.Labelled(f"z{d}", on_screen(grid(strip, STEPS)), note, not active[d])
                   for d, note, strip in zip(order, notes, strips, strict=True)], "Traversal", heads=heads)
    lines = [(f"z{d}  {note}", strip) for d, note, strip in zip(order, notes, strips, strict=True)]
    pictures.download(lambda: labelled(lines, [head.replace("−", "-") for head in heads]),
                      f"{checkpoint.run.id}-traversal", key="png-traversal", label="PNG with labels")
