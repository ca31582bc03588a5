"""Traverse's tab *Interpolate*: from one test image to another, through the latent space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import pictures

if TYPE_CHECKING:
    from vaecore.explore import Checkpoint
    from vaecore.explore.codes import Route

ROUTES: list[Route] = ["straight", "spherical"]


def panel(checkpoint: Checkpoint) -> None:
    """From one test image to another, through the latent space."""
    import numpy as np

    from vaecore.explore.pictures import grid, labelled, legible, on_screen

    last = len(checkpoint.examples) - 1
    if last < 1:
        st.info("Only one test image travels with this checkpoint, so there is nothing to interpolate to.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        a = st.number_input("From test image", 0, last, 0, key="from", width=150, help="The image at the left end.")
        b = st.number_input("to test image", 0, last, 1, key="to", width=150, help="The image at the right end.")
        path = st.segmented_control("Path", ROUTES, default="straight", required=True, key="path",
                                    help="Straight: along the line between both codes. Spherical: along the arc, "
                                    "which keeps to codes as long as the ends', likelier under a Gaussian prior.")
        steps = st.slider("Steps", 3, 16, 9, key="steps", width=220, help="Images on the way, both ends included.")
    first, end = checkpoint.originals([a, b])
    way = checkpoint.interpolate(a, b, steps, path)
    strip = legible(np.stack([first, *way, end]))
    shares = [f"{100 * step // (steps - 1)} %" for step in range(steps)]
    pictures.rows([pictures.Labelled("Interpolation", on_screen(grid(strip, len(strip))), f"{path}, {steps} steps")],
                  f"Test image {a}, then decoded codes on the way, then test image {b}",
                  heads=[f"image {a}", *shares, f"image {b}"])
    pictures.download(lambda: labelled([(f"{a} to {b}", strip)], [f"image {a}", *shares, f"image {b}"]),
                      f"{checkpoint.run.id}-interpolation-{a}-{b}", key="png-interpolation")
    st.caption(f"The {last + 1} test images, counted from 0 at the top left, 16 in a row:")
    pictures.show(on_screen(grid(legible(checkpoint.originals(slice(None))), 16)), "All test images", width=760)
