"""A live plane: the whole latent space of a two-dimensional VAE, decoded where the pointer is.

Everything happens in the browser, in `field.js`: it fetches decoder, encoder and codes of data of the checkpoint once
it is shown, so that the page paints before any of them is made. The server is told nothing.
"""

from __future__ import annotations

import streamlit as st

from pages.components import serve
from pages.components.seen import seen_address
from pages.shared.checkpoints import TRAVERSE
from pages.shared.palette import CLASSES
from vaecore.store import Run


def field(run: Run, *, key: str) -> None:
    """Show the plane of `run`, a checkpoint with two latent dimensions and the prior N(0, I)."""
    base = st.get_option("server.baseUrlPath").strip("/")
    root = f"{'/' if base else ''}{base}"
    serve.component("field")(key=key, data={
        "run": run.id, "decoder": f"{root}/networks/decoder/{run.id}", "encoder": f"{root}/networks/encoder/{run.id}",
        "seen": seen_address(run), "colours": CLASSES, "open": f"{root}/{TRAVERSE.address}"})
