"""Compare: runs side by side. What differs, their numbers and curves, the same data and the same noise through each."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from pages.compare import agreement, clips, cost, curves, differs, document, numbers, pictures, planes
from pages.shared import address, checkpoints
from pages.shared.checkpoints import MAX_COMPARED
from pages.shared.words import escaped
from vaecore.library.headline import headline
from vaecore.store import Run, StoreError
from vaecore.views import CLIP, views_of


def in_numbers(runs: list[Run]) -> None:
    """What came of each, and what differs."""
    numbers.numbers(runs, [headline(run) for run in runs])
    differs.fields(runs)
    cost.cost(runs)


def in_pictures(runs: list[Run]) -> None:
    """What each makes of the same."""
    pictures.pictures(runs)
    if moving := [run for run in runs if CLIP in views_of(run)]:
        clips.clips(moving)


def in_codes(runs: list[Run]) -> None:
    """What the codes are used for, and how far two spaces of them agree."""
    planes.planes(runs)
    agreement.agreement(runs)


SECTIONS: dict[str, Callable[[list[Run]], None]] = {
    "Numbers": in_numbers, "Curves": curves.curves, "Pictures": in_pictures, "Codes": in_codes}


@st.fragment
def sections(runs: list[Run]) -> None:
    """Only the open one is computed: of twelve runs each is some work."""
    tabs = address.kept("section", st.tabs, list(SECTIONS), key="section", on_change="rerun")
    for tab, draw in zip(tabs, SECTIONS.values(), strict=True):
        if tab.open:
            with tab:
                draw(runs)


def readable(runs: list[Run]) -> list[Run]:
    """Those that can be read; the page says of the others why not."""
    found = []
    for run in runs:
        try:
            headline(run)
            found.append(run)
        except StoreError as error:
            st.error(escaped(str(error)), icon=":material/broken_image:")
    return found


with st.container(key="head"):
    st.title("Compare", anchor=False)
    chosen = checkpoints.pick_several("Runs", page="compare", help=f"Up to {MAX_COMPARED} runs; the "
                                      "address of this page keeps them, so it can be passed on.")
if here := readable(chosen):
    document.document(here)
    sections(here)
elif checkpoints.with_weights() and not chosen:
    st.info("Choose two runs or more to compare.", icon=":material/info:")
