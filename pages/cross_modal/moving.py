"""Latents under the hand: sliders for all latents of a model, and every modality decoded in the browser as they go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.cross_modal import state
from pages.shared import hand, judging

if TYPE_CHECKING:
    from torch import Tensor

    from vaecore.explore.crossmodal import CrossModal

TAB = "Latents under the hand"


def panel(checkpoint: CrossModal, given: dict[str, Tensor]) -> None:
    """The hand over all latents; it begins at the code of what is given above, and follows it."""
    import numpy as np

    from pages.components.begin import begin
    from vaecore.explore.latents import latents
    from vaecore.explore.told import names_in_address

    facts, listed = latents(checkpoint), ", ".join(given)
    means = checkpoint.means(given) if given else {}
    code = {each.name: each.units(means[each.name]) if given else np.zeros(each.size) for each in facts}
    begin(checkpoint.run.id, code, list(names_in_address(facts).values()), key=state.key("begin", checkpoint),
          label=f"Start from the given {listed}" if given else "Start from the middle",
          help=f"Sets the sliders to the mean of q(z | {listed}). They go there by themselves when something else is "
               "given above." if given else "Nothing is given above: the mean of the prior, or without one of the "
               "data's codes.")
    judging.offer(checkpoint)
    hand.show(checkpoint)


def linked() -> bool:
    """Whether the address says where the sliders are: that is what a visitor came for."""
    return any(name == "z" or name.startswith("z.") for name in st.query_params)
