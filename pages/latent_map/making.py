"""What takes longer than a visitor waits: encoding all of a split, and UMAP, made in the background and kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import changing, task
from pages.shared.words import escaped
from vaecore.lab import background
from vaecore.mapping import STEPS, Settings
from vaecore.store import Run

if TYPE_CHECKING:
    from vaecore.explore.maps.at_hand import AtHand


def ready(settings: Settings, chosen: Sequence[AtHand]) -> Settings:
    """The settings of a map that can be shown now: those wanted, or principal components until UMAP has been made.

    What is missing is told, with a button that makes it.
    """
    from vaecore.explore.maps import kept, neighbourhoods

    shown = settings
    for here in chosen:
        run, population = here.population.checkpoint.run, here.population
        if settings.method == "umap" and not neighbourhoods.available():
            st.info(f"{neighbourhoods.MISSING} {neighbourhoods.REMEDY}, and start the dashboard again. Until then: "
                    "principal components.", icon=":material/download:")
            return _without_umap(settings)
        if settings.method == "umap" and kept.points(population, settings) is None:
            shown = _without_umap(settings)
            order(run, settings, f"The map by UMAP of {population.count:,} observations is to be made; it takes from "
                  "seconds to some minutes. Until then: principal components.", "Make the map")
        elif not here.whole:
            order(run, settings, f"The first {len(here.encoded):,} of {population.count:,} observations are encoded.",
                  "Encode the rest")
    return shown


def order(run: Run, settings: Settings, said: str, button: str) -> None:
    """What is missing, and the button that makes it; while it is being made, how far it is."""
    job = background.latent_map(run, settings)
    now, key = job.progress(), f"map-task-{job.name}"
    with st.container(gap="small", key=f"order-{key}"):
        if now.running:
            st.fragment(watch, run_every=1.0, key=f"watch-{key}")(run, settings, key)
            return
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            # No callback: that would have the settings of the last drawing, and not a number that was just typed.
            if changing.button(button, key=f"start-{key}", icon=":material/play_arrow:", help="In the background on "
                               "this machine; it goes on when this page is closed. What is made is kept for all "
                               "visitors."):
                task.start(job, key, settings.words())
                st.rerun()
            st.caption(escaped(f"{run.id}: {said}"), width="stretch")
        task.ended(key, now, good=any(line.startswith(background.KEPT) for line in now.lines), said="Stopped.")


def watch(run: Run, settings: Settings, key: str) -> None:
    """How far it is, every second until it ends."""
    job = background.latent_map(run, settings)
    now = job.progress()
    if not now.running:
        st.rerun()  # the page shows what came of it, and looks no more
    task.running(job, key, now, label="Cancel", button=f"stop-{key}", help="Codes are kept where all were encoded.")
    where = background.reached(now.lines)
    part, share = where if where else ("", 0.0)
    st.progress(share, text=f"{STEPS.get(part, part)}: {share:.0%}" if part else "Getting ready …")


def _without_umap(settings: Settings) -> Settings:
    return settings.model_copy(update={"method": "pca"})
