"""Latent map: the codes of a split in the plane, one checkpoint or two, and what a lasso holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.latent_map import choice, lasso, making, showing
from pages.latent_map.choice import Choice
from pages.shared import checkpoints, taking
from pages.shared.moved import ask_where
from pages.shared.words import escaped
from vaecore.files import trouble
from vaecore.store import Run
from vaecore.views import SINGLE

if TYPE_CHECKING:
    from vaecore.explore import Checkpoint
    from vaecore.explore.maps.at_hand import AtHand
    from vaecore.mapping import Settings


def at_hand(checkpoint: Checkpoint, settings: Settings) -> AtHand | None:
    """The codes of a split; None, and on the page why not and what to look at instead."""
    from vaecore.data import DataUnavailable
    from vaecore.explore.maps.at_hand import at_hand as found
    from vaecore.schema import ConfigError
    from vaecore.store import StoreError

    run = checkpoint.run
    try:
        with st.spinner("Encoding …", show_time=True):
            return found(checkpoint, settings.split)
    except (DataUnavailable, ConfigError, StoreError, OSError) as error:
        if not ask_where(run, "map-where"):
            st.warning(escaped(f"The {settings.split} observations of {run.id} cannot be read. {trouble(error)}"),
                       icon=":material/folder_off:")
    st.button(f"Show the {len(checkpoint.examples)} observations kept with it", icon=":material/inventory_2:",
              key="map-kept", on_click=choice.choose_split, args=("kept",), type="primary",
              help="They travel with every run, so they are always at hand.")
    return None


def second(run: Run, chosen: Choice) -> Checkpoint | None:
    """The run beside the first, where one is chosen."""
    other = choice.beside(run, chosen)
    return None if other is None else checkpoints.opened(other, SINGLE)


def body(run: Run) -> None:
    """The page of a run."""
    if (checkpoint := checkpoints.opened(run, SINGLE)) is None:
        return
    chosen = choice.choose(checkpoint)
    other = second(run, chosen)
    if chosen.settings is None:
        return
    here = at_hand(checkpoint, chosen.settings)
    there = None if other is None or here is None else at_hand(other, chosen.settings)
    if here is None:
        return
    settings = making.ready(chosen.settings, [each for each in (here, there) if each is not None])
    found = showing.found(here, there, settings, turned=chosen.turned)
    if found:
        lasso.shown(found)
    taking.folded(checkpoint)


title, place = st.container(key="head").columns([1, 2], vertical_alignment="bottom")
title.title("Latent map", anchor=False)
with place:
    run = checkpoints.pick("Run", page="latent-map",
                           among=checkpoints.with_weights(SINGLE), key="map-run", help="Whose codes are "
                           "mapped: each point is the code of one observation. Point at one to see it, anywhere else "
                           "to see what is decoded there; draw a lasso around some to look at them together.")
if run is not None:
    body(run)
