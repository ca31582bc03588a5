"""Traverse's tab *Samples*: codes drawn from the prior, decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import address, pictures
from pages.traverse import by_column

if TYPE_CHECKING:
    from vaecore.explore import Checkpoint

TEMPERATURE_HELP = ("The spread of each Gaussian that codes are drawn from is multiplied by it: at 0 all codes are "
                    "means, at 1 they follow the prior, above 1 they leave it.")


def panel(checkpoint: Checkpoint) -> None:
    """Codes drawn from the prior, decoded."""
    from vaecore.explore.pictures import grid, legible, on_screen, png, scale_for

    with st.container(horizontal=True, vertical_alignment="bottom"):
        count = address.kept("images", st.slider, "Images", 8, 128, 48, 8, key="count-samples", width=220,
                             help="How many codes to draw.")
        temperature = address.kept("temperature", st.slider, "Temperature", 0.0, 1.5, 1.0, 0.05, key="temperature",
                                   width=220, help=TEMPERATURE_HELP) if checkpoint.tempered else 1.0
        names = checkpoint.class_names
        label = address.kept("label", st.selectbox, "Label", ["any", *range(checkpoint.classes)], width=150,
                             key=f"label-{checkpoint.run.id}", of_run=True,
                             format_func=lambda n: n if isinstance(n, str) else names[n],
                             help="Draw from the prior of this label. Any: labels are those of test images, drawn at "
                             "random.") if checkpoint.classes else "any"
        seed = address.kept("draws", st.number_input, "Seed", 0, 2**31 - 1, 0, key="seed", width=150,
                            help="The same seed draws the same codes.")
        st.button("Draw again", icon=":material/casino:", key="draw-again", on_click=next_seed,
                  help="The next seed.")
    if checkpoint.fitted:
        st.info("This family has no prior to sample from. These codes are drawn from a Gaussian fitted to the codes "
                "of the data, each dimension on its own, so many fall where no image was ever encoded.",
                icon=":material/info:")
    elif not checkpoint.has_prior:
        st.caption("Codes are drawn by the law that this model gives its sources.")
    elif not checkpoint.tempered:
        st.caption("This prior is no mixture of Gaussians, so samples have no temperature. Codes are chosen among "
                   "draws of N(0, I) by the learned ratio.")
    labels = None if label == "any" else [int(label)] * count
    codes = checkpoint.sample_codes(count, temperature, int(seed), labels)
    sheet = grid(legible(checkpoint.decode(codes)), 16)
    pictures.show(on_screen(sheet), f"{count} samples at temperature {temperature}", width=1000)
    with st.container(horizontal=True):
        pictures.download(lambda: png(sheet, scale_for(sheet, 1800)), f"{checkpoint.run.id}-samples-{seed}",
                          key="png-samples")
        if checkpoint.vector is not None:
            by_column.save(checkpoint, checkpoint.vector, codes, f"samples-{seed}")


def next_seed() -> None:
    st.session_state["seed"] = (st.session_state.get("seed", 0) + 1) % 2**31
