"""Sweeps: one configuration over and over, with some of its fields varied; what that does to a number."""

from __future__ import annotations

import streamlit as st

from pages.shared import placing
from pages.shared.checkpoints import store
from pages.shared.words import escaped
from pages.sweeps import asking, showing
from vaecore.sweeps import names

NEW = ""  # in the picker: a sweep that is asked for


def choose(known: list[str]) -> str:
    """The sweep in the address, or that was looked at last; the address keeps it."""
    state = st.session_state
    asked = st.query_params.get("sweep")
    if (opened := state.pop(f"{asking.KEY}open", None)) is not None:
        state["sweep"] = opened
        asked = state["sweep-url"] = opened
    elif asked is not None and asked != state.get("sweep-url"):
        if asked in (NEW, *known):
            state["sweep"] = asked
        else:
            st.warning(f"There is no sweep '{escaped(asked[:40])}' here. Choose one below.", icon=":material/link_off:")
    elif asked is None and any(name in st.query_params for name in asking.ADDRESS):
        state["sweep"] = NEW  # a link to one that is to be started
    if state.get("sweep") not in (NEW, *known):
        state["sweep"] = known[0] if known else NEW
    if not known:
        return NEW
    chosen = st.selectbox("Sweep", [NEW, *known], key="sweep", persist_state="session",
                          format_func=lambda name: name or "New sweep …",
                          help="Those that are here, the newest first; or a new one.") or NEW
    return chosen


def keep(chosen: str) -> None:
    """The choice in the address: a sweep's name, without what a new one is asked to be."""
    if chosen != st.query_params.get("sweep", NEW):
        if chosen:
            for name in (*asking.ADDRESS, *placing.ADDRESS):
                st.query_params.pop(name, None)
            st.query_params["sweep"] = chosen
        else:
            for name in ("sweep", "keep", "by"):
                st.query_params.pop(name, None)
    st.session_state["sweep-url"] = chosen


def page() -> None:
    """The choice; a form, or what came of one."""
    st.title("Sweeps", anchor=False)
    if toast := st.session_state.pop(f"{asking.KEY}toast", None):
        st.toast(toast, icon=":material/check_circle:")
    chosen = choose(names(store()))
    keep(chosen)
    if chosen:
        showing.show(chosen)
    else:
        asking.ask()


page()
