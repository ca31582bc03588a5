"""Choosing in the table for another page: the way back, with what is ticked.

A page's picker leads here by `?for=<page>&runs=a&runs=b`; these are ticked then, and the banner leads back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import streamlit as st

from pages.runs import ticked
from pages.shared.checkpoints import MAX_COMPARED, MAX_WATCHED, PAGES, choose_several
from pages.shared.words import escaped
from vaecore.library.records import Record


class Wanted(NamedTuple):
    """A page for which runs are chosen here."""

    title: str
    path: str
    most: int  # runs; a page that takes one has it in its address as `run`


WANTED: dict[str, Wanted] = {
    "compare": Wanted("Compare", "compare/page.py", MAX_COMPARED),
    "monitor": Wanted("Monitor", "monitor/page.py", MAX_WATCHED),
    "evaluate": Wanted("Evaluate", "evaluate/page.py", 1),
    **{page.address: Wanted(page.title, page.path, 1) for page in PAGES.values()},
    "latent-map": Wanted("Latent map", "latent_map/page.py", 1)}


def enter() -> None:
    """Tick the runs that the address names, once."""
    if named := st.query_params.get_all("runs"):
        ticked.tick(name[:200] for name in named[:1_000])
        st.query_params.pop("runs", None)


def banner(those: Sequence[Record]) -> None:
    """What is to be chosen, for which page, and the button back; nothing where this is no choosing."""
    name = st.query_params.get("for", "")
    if (wanted := WANTED.get(name)) is None:
        return
    fits = 1 <= len(those) <= wanted.most
    asked = "one run" if wanted.most == 1 else f"1 to {wanted.most} runs"
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="runs-choosing"):
        st.markdown(f"Tick {asked} for **{wanted.title}**.", width="stretch")
        back = f"Back to {wanted.title} with {_said(those)}" if those else f"Back to {wanted.title}"
        if st.button(back, key="runs-back", type="primary", icon=":material/arrow_back:",
                     disabled=bool(those) and not fits,
                     help=f"{wanted.title} takes {asked}." if those and not fits else "As it is ticked below."):
            ids = [each.id for each in those]
            if wanted.most > 1:
                choose_several(ids, name)
            st.switch_page(wanted.path, query_params={"runs" if wanted.most > 1 else "run": ids} if ids else {})
        st.button("Stay here", key="runs-stay", type="tertiary", on_click=_stay,
                  help="Choose nothing; look at the runs.")


def _stay() -> None:
    st.query_params.pop("for", None)


def _said(those: Sequence[Record]) -> str:
    return escaped(those[0].title) if len(those) == 1 else f"{len(those)} runs"
