"""The runs that are ticked in the table: kept in the session, whatever is searched for, and on the way to other pages.

The table in the browser is ahead of what is kept here: it is told anew only when the server itself ticks or unticks.
"""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from pages.components.table import told
from vaecore.library.records import Record

TABLE, KEPT, STAMP = "runs-table", "runs-ticked", "runs-stamp"  # in the session


def ticked() -> list[str]:
    """The ids that are ticked, in the order in which that was done."""
    return list(st.session_state.get(KEPT, []))


def tick(ids: Iterable[str]) -> None:
    """Tick these and no others."""
    st.session_state[KEPT] = list(dict.fromkeys(ids))
    st.session_state[STAMP] = stamp() + 1


def stamp() -> int:
    """Another number after each time that the server has ticked."""
    return int(st.session_state.get(STAMP, 0))


def heard() -> None:
    """Take over what was ticked in the browser, a visitor's word, in its callback."""
    found = told(TABLE, "ticked")
    st.session_state[KEPT] = [one for one in found[:10_000] if isinstance(one, str)] if isinstance(found, list) else []


def those(records: Iterable[Record]) -> list[Record]:
    """The ticked runs that there are, in the order of ticking."""
    named = {each.id: each for each in records}
    return [named[one] for one in ticked() if one in named]
