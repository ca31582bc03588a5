"""What is asked of the table: query, order, groups, columns, and the view that these were taken from.

All of it stands in the page's address, in the words of the command line. A look is kept in the session under
"runs-look". The address counts when it is another than was written here last: a link, Back, another browser.
Widgets get their values from the look, and change nothing but it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from pages.shared.checkpoints import store
from vaecore.library.views import LONGEST_QUERY, MOST_COLUMNS, TableView, views
from vaecore.store import StoreError

KEPT, WRITTEN = "runs-look", "runs-address"  # in the session
LONGEST_WORD = 80  # characters of a key


@dataclass(frozen=True)
class Look:
    """What is asked of the table; `columns` is empty for those that are shown anyway."""

    query: str = ""
    sort: str = ""  # a column's key; with a minus before it, the largest first
    group: str = ""
    columns: tuple[str, ...] = ()
    view: str = ""  # the name of the kept view that this is, or was before it was changed
    open: str = ""  # the id of the run whose panel is open

    @property
    def address(self) -> dict[str, list[str]]:
        """The parameters of the address; what is as usual is left out."""
        told = {"q": [self.query], "sort": [self.sort], "group": [self.group], "columns": list(self.columns),
                "view": [self.view], "open": [self.open]}
        return {name: values for name, values in told.items() if any(values)}


def look() -> Look:
    """What is asked for now: by the address where that is new, else as it was."""
    there = _of_address()
    if KEPT not in st.session_state or (there.address and there.address != st.session_state.get(WRITTEN)):
        st.session_state[KEPT] = _with_view(there)
    kept: Look = st.session_state[KEPT]
    return kept


def ask(**changed: Any) -> None:
    """Change the look by its fields, in a callback."""
    st.session_state[KEPT] = replace(st.session_state.get(KEPT, Look()), **changed)


def write() -> None:
    """Put the look into the address."""
    kept: Look = st.session_state[KEPT]
    wanted = kept.address
    for name in Look().__dataclass_fields__:
        name = "q" if name == "query" else name
        if st.query_params.get_all(name) != wanted.get(name, []):
            if name in wanted:
                st.query_params[name] = wanted[name]
            else:
                st.query_params.pop(name, None)
    st.session_state[WRITTEN] = wanted


def of_view(view: TableView) -> dict[str, Any]:
    """The fields of a look that a kept view sets."""
    return {"query": view.query, "sort": view.sort, "group": view.group, "columns": tuple(view.columns),
            "view": view.name}


def _with_view(there: Look) -> Look:
    """A link that names nothing but a view means what is kept under that name."""
    if not there.view or any((there.query, there.sort, there.group, there.columns)):
        return there
    try:
        named = next((view for view in views(store()) if view.name == there.view), None)
    except StoreError:
        named = None  # said where views are chosen
    return there if named is None else replace(there, **of_view(named))


def _of_address() -> Look:
    def one(name: str, most: int = LONGEST_WORD) -> str:
        return str(st.query_params.get(name, ""))[:most]

    columns = tuple(dict.fromkeys(name[:LONGEST_WORD] for name in st.query_params.get_all("columns")[:MOST_COLUMNS]))
    return Look(one("q", LONGEST_QUERY), one("sort"), one("group"), tuple(name for name in columns if name),
                one("view"), one("open", 200))
