"""Traverse's tab *Reconstructions*: test images over what the model makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import address, pictures

if TYPE_CHECKING:
    from vaecore.explore import Checkpoint

MANY = 32  # images to reconstruct
WRAP = 16  # images in a row


def panel(checkpoint: Checkpoint) -> None:
    """Test images over what the model makes of them."""
    from vaecore.explore.pictures import grid, labelled, legible, on_screen

    most, noun = len(checkpoint.examples), "images" if checkpoint.vector is None else "rows"
    count = address.kept("count", st.slider, noun.capitalize(), 1, min(MANY, most), min(16, most), width=360,
                         key="count-reconstructions", help=f"How many test {noun} to show.") if most > 1 else 1
    chosen = list(range(count))
    rows = [checkpoint.originals(chosen), checkpoint.reconstruct(chosen)]
    lines = [(name, legible(row[start:start + WRAP])) for start in range(0, count, WRAP)
             for name, row in zip((f"Test {noun}", "Reconstructed"), rows, strict=True)]
    pictures.rows([pictures.Labelled(name, on_screen(grid(images, min(WRAP, count), fill=True)))
                   for name, images in lines], "Reconstructions")
    pictures.download(lambda: labelled(lines), f"{checkpoint.run.id}-reconstructions", key="png-reconstructions")
