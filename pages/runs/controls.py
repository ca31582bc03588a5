"""What is above the table: the search, the chips that write into it, order, groups, columns, and kept views."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

import streamlit as st
from pydantic import ValidationError

from pages.runs import look as looks
from pages.runs.listing import CHOICES, GROUPS, PREVIEW
from pages.runs.look import Look
from pages.shared import changing
from pages.shared.checkpoints import store
from pages.shared.words import escaped
from vaecore.library.fields import FIELDS
from vaecore.library.order import counts
from vaecore.library.query import Query, QueryError
from vaecore.library.records import Record
from vaecore.library.views import LONGEST_NAME, LONGEST_QUERY, TableView, forget, keep, views
from vaecore.store import StoreError

EXAMPLES = {
    "mnist vae": "both words in name, tags, note, family or data",
    "family=vae,ae": "one of these families; with : instead of = a part of its name is enough",
    "elbo>-95": "a number; there are > >= < <= = and !=",
    "seconds<10m": "trained in less than ten minutes",
    "made>7d": "made in the last seven days; or made>2026-11-01",
    "tag:paper -tag:old": "with one tag and without another",
    "latent_size>=32": "any field of the configuration",
    "is:archived": "those that were put away; also is:pinned, is:shipped, is:evaluated, has:note",
    'note:"two words"': "what holds spaces stands in quotes",
}
CHIPS = {"state": "State", "family": "Family", "data": "Data", "tags": "Tags", "place": "Place"}
MARKS = {"pinned": "Pinned", "archived": "Archived", "evaluated": "Evaluated", "shipped": "Shipped"}
MOST_CHIPS = 60  # of a field, those of the most runs


def search(look: Look) -> Query | None:
    """The search; None, and said below it, where it cannot be understood."""
    st.session_state["runs-q"] = look.query
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.text_input("Search", key="runs-q", type="search", live="150ms", max_chars=LONGEST_QUERY, on_change=_searched,
                      placeholder="Search: words, or family:vae elbo>-95 tag:paper", label_visibility="collapsed")
        with st.popover("How to search", icon=":material/help:", type="tertiary"):
            st.markdown("\n".join(["| Search | finds |", "|---|---|", *(
                f"| `{query}` | {says} |" for query, says in EXAMPLES.items())]))
            st.caption("Several conditions all hold; the same words are taken by `vaecore runs`. What a column is "
                       "called here stands on hover of its head.")
    try:
        return Query.parse(look.query)
    except QueryError as error:
        st.warning(escaped(str(error)), icon=":material/search_off:")
        return None


def bar(look: Look, records: Sequence[Record], keys: Sequence[str]) -> None:
    """Common conditions to press, each of which writes itself into the search; order, groups, columns and views."""
    found = counts(records, list(CHIPS))
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="runs-bar"):
        for key, title in CHIPS.items():
            _chip(look, key, title, found[key])
        given = [mark for mark in MARKS if f"is:{mark}" in look.query.split()]
        st.session_state["runs-marks"] = given
        with st.popover(f"Marks{f' · {len(given)}' if given else ''}", type="tertiary"):
            st.pills("Only runs that are", list(MARKS), selection_mode="multi", key="runs-marks", on_change=_marked,
                     format_func=MARKS.__getitem__, help="Each press writes is:… into the search.")
        if look.query:
            st.button("Clear", key="runs-clear", icon=":material/filter_alt_off:", type="tertiary",
                      on_click=looks.ask, kwargs={"query": ""}, help="Show every run again.")
        st.space("stretch")
        _order(look, keys)
        _group(look)
        with st.popover("Columns", icon=":material/view_column:", type="tertiary"):
            _columns(look, keys)
        with st.popover(f"View: {escaped(look.view[:30])}" if look.view else "Views", icon=":material/bookmark:",
                        type="tertiary"):
            _views(look)


# -- the search's parts ----------------------------------------------------------------------------


def _searched() -> None:
    looks.ask(query=st.session_state["runs-q"].strip())


def _chip(look: Look, key: str, title: str, found: Counter[str]) -> None:
    given = chosen(look.query, key)
    names = [name for name, _ in found.most_common(MOST_CHIPS) if '"' not in name]
    names += [name for name in given if name not in names]
    if not names:
        return
    widget = f"runs-chip-{key}"
    st.session_state[widget] = given
    with st.popover(f"{title}{f' · {len(given)}' if given else ''}", type="tertiary"):
        st.pills(title, names, selection_mode="multi", key=widget, on_change=_chosen, args=(key, widget),
                 format_func=lambda name: escaped(f"{name} ({found[name]})"), label_visibility="collapsed")


def _chosen(key: str, widget: str) -> None:
    look = st.session_state.get(looks.KEPT, Look())
    looks.ask(query=with_condition(look.query, key, st.session_state[widget]))


def _marked() -> None:
    query = st.session_state.get(looks.KEPT, Look()).query
    kept = [word for word in query.split() if word.removeprefix("is:") not in MARKS or not word.startswith("is:")]
    looks.ask(query=" ".join([*kept, *(f"is:{mark}" for mark in st.session_state["runs-marks"])]))


def _condition(key: str) -> re.Pattern[str]:
    return re.compile(rf'(?<!\S){key}=((?:"[^"]*"|[^\s"])+)')


def chosen(query: str, key: str) -> list[str]:
    """The values that a query names in a condition `key=a,"b c"`."""
    found = _condition(key).search(query)
    parts: list[str] = re.findall(r'"[^"]*"|[^,"]+', found[1]) if found else []
    return list(dict.fromkeys(part.strip('"') for part in parts))


def with_condition(query: str, key: str, values: Sequence[str]) -> str:
    """The query with the condition `key=a,"b c"` in the place of the one that it had; without values, without it."""
    condition = ",".join(value if re.fullmatch(r"[^\s,\"]+", value) else f'"{value}"' for value in values)
    rest = " ".join(_condition(key).sub("", query).split())
    return f"{rest} {key}={condition}".strip() if values else rest


# -- the table's shape -----------------------------------------------------------------------------


def _order(look: Look, keys: Sequence[str]) -> None:
    key, down = look.sort.removeprefix("-"), look.sort.startswith("-")
    options = ["", *dict.fromkeys([*(name for name in keys if name != PREVIEW), *([key] if key else []),
                                   *(name for name in FIELDS if name != "id")])]
    st.session_state["runs-sort"] = key
    st.selectbox("Sort by", options, key="runs-sort", on_change=_sorted, width=210, label_visibility="collapsed",
                 format_func=lambda name: f"By {CHOICES.get(name, name)}" if name else "Newest first")
    st.button("↓" if down else "↑", key="runs-turn", type="tertiary", on_click=sort_by, args=(key,),
              kwargs={"turn": True}, disabled=not key, help="Turn the order round. Pressing the head of a column sorts "
              "by it, and turns it round too. Pinned runs stand first in any order.")


def _sorted() -> None:
    sort_by(st.session_state["runs-sort"], turn=False)


def sort_by(key: str, *, turn: bool) -> None:
    """Sort by a column, the better ones first; by the same again, `turn` the order round."""
    look = st.session_state.get(looks.KEPT, Look())
    field = FIELDS.get(key)
    downwards = field is not None and (field.better == "higher" or field.sort in ("date", "flag"))
    if turn and look.sort.removeprefix("-") == key:
        downwards = not look.sort.startswith("-")
    looks.ask(sort=f"{'-' if downwards and key else ''}{key}")


def _group(look: Look) -> None:
    st.session_state["runs-group"] = look.group
    options = list(GROUPS) if look.group in GROUPS else [*GROUPS, look.group]
    st.selectbox("Group", options, key="runs-group", format_func=lambda name: GROUPS.get(name, f"By {name}"), width=210,
                 on_change=lambda: looks.ask(group=st.session_state["runs-group"]), label_visibility="collapsed")


def _columns(look: Look, keys: Sequence[str]) -> None:
    st.session_state["runs-columns"] = list(keys)
    options = list(dict.fromkeys([*CHOICES, *keys]))
    st.multiselect("Columns", options, key="runs-columns", format_func=lambda key: CHOICES.get(key, key),
                   on_change=lambda: looks.ask(columns=tuple(st.session_state["runs-columns"])),
                   help="In the order in which they are chosen. A field of the configuration is shown by writing "
                        "columns=model.latent_size into the address.")
    st.button("The usual columns", key="runs-usual", icon=":material/restart_alt:", on_click=looks.ask,
              kwargs={"columns": ()}, disabled=not look.columns, help="Those that runs like these are told apart by.")


def _views(look: Look) -> None:
    try:
        kept = {view.name: view for view in views(store())}
    except StoreError as error:
        st.error(escaped(str(error)), icon=":material/broken_image:")
        return
    st.session_state["runs-view"] = look.view if look.view in kept else None
    st.selectbox("Open a view", list(kept), key="runs-view",
                 placeholder="Choose one" if kept else "None is kept yet", on_change=_opened,
                 help="Search, order, groups and columns, as they were kept.")
    if look.view in kept:
        changing.button("Forget this view", key="runs-forget", icon=":material/bookmark_remove:", type="tertiary",
                        on_click=_forget, args=(look.view,), help="Its name is gone; no run is touched.")
    name = st.text_input("Keep what is shown now as", key="runs-view-name", max_chars=LONGEST_NAME,
                         placeholder=look.view or "Best of each family", help="Another view of this name is replaced. "
                         "The address of this page carries the same, and needs no name.")
    changing.button("Keep", key="runs-keep", icon=":material/bookmark_add:", on_click=_keep,
                    disabled=not (name or look.view).strip(), help="For everybody who uses this store.")
    if told := st.session_state.pop("runs-view-error", ""):
        st.error(escaped(told), icon=":material/error:")


def _opened() -> None:
    with suppress(StoreError):  # said where views are chosen
        for view in views(store()):
            if view.name == st.session_state["runs-view"]:
                looks.ask(**looks.of_view(view))


def _keep() -> None:
    look = st.session_state.get(looks.KEPT, Look())  # as it is now: a search that was typed just before is in it
    name = " ".join((st.session_state["runs-view-name"] or look.view).split())
    try:
        keep(store(), TableView(name=name, query=look.query, sort=look.sort, group=look.group,
                                columns=list(look.columns)))
        looks.ask(view=name)
        st.session_state["runs-view-name"] = ""
    except (StoreError, ValidationError) as error:
        st.session_state["runs-view-error"] = str(error)


def _forget(name: str) -> None:
    try:
        forget(store(), name)
        looks.ask(view="")
    except StoreError as error:
        st.session_state["runs-view-error"] = str(error)
