"""Traverse: move through the latent space of a checkpoint and see what its decoder draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import address, checkpoints, hand, judging, taking
from pages.traverse import by_column, directions, drawing, grid, interpolation, prior, reconstructions, samples
from vaecore.views import SINGLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from vaecore.explore import Checkpoint

VECTORS = ("This data set holds vectors, not pictures: each stripe is one number of the vector. Middle grey is 0, "
           "white +3, black −3.")
COLLAPSED = 1.0  # nats of KL below which a code that does not vary is the prior
STANDARD = " They are standardised: 0 is the mean of a column, and 1 its standard deviation."


def told(checkpoint: Checkpoint) -> None:
    """What must be said before anything moves."""
    if checkpoint.vector is not None:
        st.caption(VECTORS + (STANDARD if checkpoint.vector.scale else ""))
    if not checkpoint.active.any() and (checkpoint.rate or 0) >= COLLAPSED:
        st.warning(f"This model has learned too little: its encoder gives all data nearly the same code, although its "
                   f"KL is {checkpoint.rate:.1f} nats. Train it longer, or on more data.", icon=":material/school:")
    elif not checkpoint.active.any():
        st.warning("This model has collapsed: no latent dimension carries anything, so every slider leaves the image "
                   "as it is. A smaller β, or a slower KL annealing, keeps dimensions alive.",
                   icon=":material/trending_flat:")
    if checkpoint.kl is None and checkpoint.rate is not None:
        st.caption(f"The KL of this prior is known only in all: {checkpoint.rate:.2f} nats. Dimensions are ordered by "
                   "the spread of their codes.")


@st.fragment
def views(checkpoint: Checkpoint) -> None:
    """What takes more than one decoding. Only the open tab runs."""
    named: dict[str, Callable[[Checkpoint], None]] = {
        "All dimensions": grid.panel, "Reconstructions": reconstructions.panel, "Interpolate": interpolation.panel,
        "Directions": directions.panel,
        "Samples": samples.panel, "Prior": prior.panel}
    if checkpoint.vector is None:
        named["Draw"] = drawing.panel
    if (vector := checkpoint.vector) is not None:
        named |= {"Columns": lambda c: by_column.movement(c, vector), "Rows": by_column.scores}
    named["Take it with you"] = taking.panel
    tabs = address.kept("view", st.tabs, list(named), key="view", on_change="rerun")
    for tab, draw in zip(tabs, named.values(), strict=True):
        if tab.open:
            with tab, st.container(key="opened"):
                draw(checkpoint)


title, choice = st.container(key="head").columns([1, 2], vertical_alignment="bottom")
title.title("Traverse", anchor=False)
with choice:
    run = checkpoints.pick("Run", page="traverse",
                           among=checkpoints.with_weights(SINGLE), help="What to look at: your own runs, "
                           "newest first, then the gallery. Models of text are opened in Sentences.")
if run is not None and (loaded := checkpoints.opened(run, SINGLE)) is not None:
    told(loaded)
    hand.show(loaded, directions.sliders(loaded))
    judging.offer(loaded)
    checkpoints.terms_link(loaded)
    views(loaded)
