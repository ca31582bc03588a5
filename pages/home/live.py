"""Home's first act: a latent plane that answers the pointer. No torch: the browser fetches what it needs afterwards."""

from __future__ import annotations

import streamlit as st

from pages.components.field import field
from vaecore.store import Run, StoreError

TEXT = ("**Move over the square.** Each of its points is the digit that a VAE draws from two numbers; where it is dim, "
        "no digits were seen, and it invents.")


def fits(run: Run) -> bool:
    """Whether a run has a plane to be shown: images in two latent dimensions under the prior N(0, I)."""
    try:
        model = run.values().get("model")
    except StoreError:
        return False
    if not isinstance(model, dict) or model.get("family") != "vae" or model.get("latent_size") != 2:
        return False
    prior = model.get("prior")
    return (run.weights.is_file() and run.about().get("observation") == "image"
            and isinstance(prior, dict) and prior.get("kind") == "standard")


def show(run: Run) -> None:
    """The plane with a sentence about it."""
    st.subheader("Move this digit", anchor=False)
    st.markdown(TEXT, width=1100)
    field(run, key="plane")
